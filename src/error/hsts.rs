//! [`MalformedHsts`]: an HSTS file that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// A line of an HSTS file that cannot be read. All other lines were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedHsts {
    line: usize,
}

impl MalformedHsts {
    pub(crate) fn new(line: usize) -> Self {
        Self { line }
    }

    /// The first such line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for MalformedHsts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HSTS file, line {}: expected a host and a time, as in: example.com \"20301231 23:59:59\"",
            self.line
        )
    }
}

impl StdError for MalformedHsts {}
