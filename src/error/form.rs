//! [`FormFault`]: why a multipart form cannot be sent (RFC 7578).

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why a multipart form cannot be sent. Names the part, not its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormFault {
    /// The part's content type is not a valid field value (RFC 9110 §5.5).
    ContentType {
        /// The part's name.
        part: String,
    },
    /// The part's file cannot be opened.
    File {
        /// The part's name.
        part: String,
        /// The operating system's error.
        error: io::ErrorKind,
    },
}

impl fmt::Display for FormFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType { part } => {
                write!(
                    f,
                    "the content type of the form's part {part:?} is not a valid field value"
                )
            }
            Self::File { part, error } => {
                write!(
                    f,
                    "the file of the form's part {part:?} cannot be opened: {error}"
                )
            }
        }
    }
}

impl StdError for FormFault {}
