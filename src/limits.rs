//! The limits on what a peer can make this side read or hold, with their defaults and the reasons.
//!
//! A message that exceeds a limit is an error that names the limit, its value and its field here. Nothing is
//! cut off silently.

use std::fmt;

/// Limits on one HTTP/1.1 message. The defaults accept what real servers send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one head: start line and field lines together. Default 64 KiB (browsers and curl
    /// stop between 64 and 300 KiB).
    pub head_bytes: usize,
    /// Field lines in one head. Default 128.
    pub header_count: usize,
    /// Bytes of one line of a head, start line or field line. Default 16 KiB.
    pub line_bytes: usize,
    /// Bytes of chunk extensions in one message. They are ignored, so a long stream of them is an attack.
    /// Default 16 KiB.
    pub chunk_extension_bytes: usize,
    /// Bytes of one trailer section. Default 16 KiB.
    pub trailer_bytes: usize,
    /// Field lines in one trailer section. Default 64.
    pub trailer_count: usize,
    /// Interim (1xx) responses before the final one. Default 16.
    pub interim_responses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            header_count: 128,
            line_bytes: 16 * 1024,
            chunk_extension_bytes: 16 * 1024,
            trailer_bytes: 16 * 1024,
            trailer_count: 64,
            interim_responses: 16,
        }
    }
}

/// The limit that was exceeded. [`fmt::Display`] names its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::head_bytes`]
    HeadBytes(usize),
    /// [`Limits::header_count`]
    HeaderCount(usize),
    /// [`Limits::line_bytes`]
    LineBytes(usize),
    /// [`Limits::chunk_extension_bytes`]
    ChunkExtensionBytes(usize),
    /// [`Limits::trailer_bytes`]
    TrailerBytes(usize),
    /// [`Limits::trailer_count`]
    TrailerCount(usize),
    /// [`Limits::interim_responses`]
    InterimResponses(usize),
    /// The `max_body_bytes` of a collected response.
    BodyBytes(usize),
    /// The [`max_size`](crate::Download::max_size) of a download.
    #[cfg(feature = "agent")]
    FileBytes(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, value, field) = match self {
            Self::HeadBytes(n) => ("bytes in the head", n, "head_bytes"),
            Self::HeaderCount(n) => ("header lines", n, "header_count"),
            Self::LineBytes(n) => ("bytes in one line of the head", n, "line_bytes"),
            Self::ChunkExtensionBytes(n) => {
                ("bytes of chunk extensions", n, "chunk_extension_bytes")
            }
            Self::TrailerBytes(n) => ("bytes of trailers", n, "trailer_bytes"),
            Self::TrailerCount(n) => ("trailer lines", n, "trailer_count"),
            Self::InterimResponses(n) => ("interim responses", n, "interim_responses"),
            Self::BodyBytes(n) => {
                return write!(f, "more than {n} bytes of content (max_body_bytes)");
            }
            #[cfg(feature = "agent")]
            Self::FileBytes(n) => {
                return write!(
                    f,
                    "more than {n} bytes in one download (Download::max_size)"
                );
            }
        };
        write!(f, "more than {value} {what} (Limits::{field})")
    }
}
