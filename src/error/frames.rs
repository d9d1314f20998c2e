//! [`FrameFault`]: what is wrong with a record of a stream.

use std::error::Error as StdError;
use std::fmt;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameFault {
    /// A record has more than this number of bytes.
    TooLong(usize),
    /// A line is not JSON. Holds the column of the first mistake, counted from 1.
    NotJson {
        /// The position in the line, in bytes.
        column: usize,
    },
    /// The content ended inside of a record.
    Truncated,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => {
                write!(f, "a message of the content has more than {limit} bytes")
            }
            Self::NotJson { column } => write!(f, "a line is not JSON, at column {column}"),
            Self::Truncated => f.write_str("the content ended inside of a message"),
        }
    }
}

impl StdError for FrameFault {}
