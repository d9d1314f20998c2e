//! [`EventStreamFault`]: what is wrong with a server-sent event (WHATWG HTML §9.2).

use std::error::Error as StdError;
use std::fmt;

/// What is wrong with an event or with a stream of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventStreamFault {
    /// A received event has more than this number of bytes.
    TooLong(usize),
    /// The type of an event to be sent holds a line break.
    InvalidEvent,
    /// The id of an event to be sent holds a line break or a NUL.
    InvalidId,
}

impl fmt::Display for EventStreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "a server-sent event has more than {limit} bytes"),
            Self::InvalidEvent => f.write_str("the type of an event must not hold a line break"),
            Self::InvalidId => f.write_str("the id of an event must not hold a line break or NUL"),
        }
    }
}

impl StdError for EventStreamFault {}
