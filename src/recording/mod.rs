//! [`Recording`]: requests and responses as plain data, to be played back later. This module holds
//! the data, their text form and the redaction of secrets. It does not observe clients: the agent
//! gives each exchange to a [`Recorder`]. `mock` plays recordings back.
//!
//! | file | holds |
//! |---|---|
//! | `recorder`, `redaction` | recording exchanges without secrets |
//! | `write`, `parse` | the text form, version 1, and its errors |

mod error;
mod parse;
mod recorder;
mod redaction;
mod write;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use url::Url;

use crate::proto::FieldLines;

pub use error::RecordingError;
pub use recorder::Recorder;
#[cfg(feature = "test-util")]
pub(crate) use redaction::REDACTED;

/// Exchanges in the order in which they were made: recorded by a [`Recorder`], kept as text, played
/// back by the mock servers of `mock` (feature `test-util`).
///
/// The text is JSON, laid out for reading, comparing and correcting by hand: each field and each line
/// of content is on its own line. [`Display`](fmt::Display) writes it, [`parse`](Self::parse) reads
/// it.
///
/// ```json
/// {
///   "format": "httpoll recording",
///   "version": 1,
///   "exchanges": [
///     {
///       "request": {
///         "method": "GET",
///         "url": "http://game.example/scores?key=REDACTED",
///         "headers": [
///           "Accept: application/json"
///         ],
///         "body": {"text": []}
///       },
///       "response": {
///         "status": 200,
///         "headers": [
///           "Set-Cookie: session=REDACTED; Path=/"
///         ],
///         "body": {
///           "text": [
///             "[7,\n",
///             " 5]\n"
///           ]
///         },
///         "head_after_us": 12000,
///         "end_after_us": 12500
///       }
///     }
///   ]
/// }
/// ```
///
/// A `body` is `{"text": [..]}` or `{"base64": [..]}` (RFC 4648 §4), whose lines are joined; or, for
/// requests, `{"omitted": n}`: n bytes that were not kept. A field that is not UTF-8 is `{"base64":
/// ".."}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The exchanges.
    pub exchanges: Vec<RecordedExchange>,
}

/// One request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedExchange {
    /// The request.
    pub request: RecordedRequest,
    /// The response.
    pub response: RecordedResponse,
}

/// A request as it was sent. `Debug` shows neither the query nor credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// The `http` or `https` URL.
    pub url: Url,
    /// The header section.
    pub headers: FieldLines,
    /// The content.
    pub body: RecordedBody,
}

/// A response as it was received. `Debug` shows only the length of the content.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedResponse {
    /// The status code.
    pub status: StatusCode,
    /// The header section. If `body` is decoded content, it must not hold the `Content-Encoding`.
    pub headers: FieldLines,
    /// The content.
    pub body: Bytes,
    /// From the request's first byte to the response's head. Kept to the microsecond.
    pub head_after: Duration,
    /// From the request's first byte to the response's end. Kept to the microsecond.
    pub end_after: Duration,
}

/// Content of a recorded request. `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordedBody {
    /// All of it.
    Bytes(Bytes),
    /// This many bytes, which were not kept.
    Omitted(u64),
}

impl Recording {
    /// A recording without exchanges.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`RecordingError`] for text that is not a valid recording, with the place.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        parse::parse(text)
    }

    /// Reads a file. This waits for the disk: it is for tests and tools, not for frames.
    ///
    /// # Errors
    /// [`RecordingError`] for a file that cannot be read or is not a recording.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        std::fs::read_to_string(path)
            .map_err(RecordingError::unreadable)
            .and_then(|text| Self::parse(&text))
            .map_err(|error| error.in_file(path))
    }

    /// Writes a file and replaces what was there. This waits for the disk: it is for tests and tools,
    /// not for frames.
    ///
    /// # Errors
    /// The operating system's error, with the path.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_string())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::write(self, f)
    }
}

impl RecordedBody {
    /// No content.
    pub fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl<B: Into<Bytes>> From<B> for RecordedBody {
    fn from(bytes: B) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl fmt::Debug for RecordedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Omitted(bytes) => write!(f, "{bytes} bytes omitted"),
        }
    }
}

impl fmt::Debug for RecordedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("head_after", &self.head_after)
            .field("end_after", &self.end_after)
            .finish()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        f.debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("url", &format_args!("{origin}{}", self.url.path()))
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish()
    }
}

#[cfg(test)]
mod tests;
