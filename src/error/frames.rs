//! [`FrameFault`]: what is wrong with a record of a stream.

use std::error::Error as StdError;
use std::fmt;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameFault {
    /// A record of more than so many bytes.
    TooLong(usize),
    /// A line that is no JSON, with the column (counted from 1) where that shows.
    NotJson {
        /// Where, in bytes of the line.
        column: usize,
    },
    /// The body ended inside a frame.
    Truncated,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "a record of more than {limit} bytes"),
            Self::NotJson { column } => write!(f, "a line that is no JSON, at column {column}"),
            Self::Truncated => f.write_str("the body ended inside a frame"),
        }
    }
}

impl StdError for FrameFault {}
