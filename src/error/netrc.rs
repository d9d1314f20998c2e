//! [`NetrcError`]: a netrc file that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// A netrc file that cannot be read. Holds nothing of the file, which is full of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetrcError {
    line: usize,
    fault: NetrcFault,
}

impl NetrcError {
    pub(crate) fn new(line: usize, fault: NetrcFault) -> Self {
        Self { line, fault }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for NetrcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            NetrcFault::UnknownKeyword => {
                "expected machine, default, login, password, account or macdef; put values with \
                 spaces in double quotes"
            }
            NetrcFault::BeforeMachine => "a value stands before the first machine or default",
            NetrcFault::NoValue => "the keyword has no value",
            NetrcFault::OpenQuote => "the closing double quote is missing",
        };
        write!(f, "netrc file, line {}: {what}", self.line)
    }
}

impl StdError for NetrcError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetrcFault {
    UnknownKeyword,
    BeforeMachine,
    NoValue,
    OpenQuote,
}
