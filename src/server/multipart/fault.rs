//! Limits of a form, and the errors of an invalid one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::StatusCode;

use crate::error::DiskFault;

/// Caps on one form.
///
/// A form that the [server](crate::server::Server) collects holds in memory its text fields, files of at most
/// [`memory_bytes`](Self::memory_bytes), and at most 1 MiB that waits to be written to disk. When that much waits,
/// nothing more is read from the client. All forms of a server together have at most 16 MiB that waits, but each at
/// least 64 KiB. The larger files of the form are on disk. The cap on a request's content, of the
/// [route](crate::server::Route::max_body) or the [server](crate::server::ServerLimits::body_bytes), applies as well:
/// the smaller cap counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultipartLimits {
    /// Bytes of the whole content, with heads and boundaries. Default 64 MiB; the server's own cap
    /// on content applies as well.
    pub total_bytes: u64,
    /// Number of parts. Default 256: forms have tens of fields, and an empty part costs its sender little.
    pub parts: usize,
    /// Bytes of one part's head. Default 8 KiB.
    pub head_bytes: usize,
    /// Bytes of one text field. Default 1 MiB: fields are held in memory.
    pub field_bytes: usize,
    /// Bytes of one file. Default 64 MiB.
    pub file_bytes: u64,
    /// Bytes of a file above which it goes to disk. Default 256 KiB.
    pub memory_bytes: usize,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self {
            total_bytes: 64 * 1024 * 1024,
            parts: 256,
            head_bytes: 8 * 1024,
            field_bytes: 1024 * 1024,
            file_bytes: 64 * 1024 * 1024,
            memory_bytes: 256 * 1024,
        }
    }
}

/// Which limit was exceeded. `Display` names the field that raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MultipartLimit {
    /// [`MultipartLimits::total_bytes`]
    TotalBytes(u64),
    /// [`MultipartLimits::parts`]
    Parts(usize),
    /// [`MultipartLimits::head_bytes`]
    HeadBytes(usize),
    /// [`MultipartLimits::field_bytes`]
    FieldBytes(usize),
    /// [`MultipartLimits::file_bytes`]
    FileBytes(u64),
}

/// Why a form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultipartError {
    /// `Content-Type` is not `multipart/form-data` with a boundary of 1 to 70 of the allowed
    /// characters (RFC 2046 §5.1.1).
    ContentType,
    /// A boundary is followed by something other than a line end or `--` (RFC 2046 §5.1.1).
    Boundary,
    /// A part's head is malformed (RFC 2046 §5.1).
    Head,
    /// A part has no well-formed `Content-Disposition: form-data` with a name (RFC 7578 §4.2).
    Name,
    /// The content ended before the last boundary.
    Truncated,
    /// The form exceeds one of [`MultipartLimits`].
    Limit(MultipartLimit),
    /// A large file could not be written to disk.
    Spill {
        /// The folder for such files; `None` with a [`SpillStore`](crate::server::multipart::SpillStore) that names none.
        folder: Option<Arc<Path>>,
        /// The step that failed, and why.
        fault: DiskFault,
    },
}

impl MultipartError {
    /// The status of the response: 415, 400, 413, or 500 when the disk failed.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Boundary | Self::Head | Self::Name | Self::Truncated => StatusCode::BAD_REQUEST,
            Self::Limit(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Spill { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<MultipartLimit> for MultipartError {
    fn from(limit: MultipartLimit) -> Self {
        Self::Limit(limit)
    }
}

impl fmt::Display for MultipartLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, what, field): (&dyn fmt::Display, _, _) = match self {
            Self::TotalBytes(n) => (n, "bytes in the form", "total_bytes"),
            Self::Parts(n) => (n, "parts in the form", "parts"),
            Self::HeadBytes(n) => (n, "bytes in the head of a part", "head_bytes"),
            Self::FieldBytes(n) => (n, "bytes in a text field", "field_bytes"),
            Self::FileBytes(n) => (n, "bytes in a file", "file_bytes"),
        };
        write!(f, "more than {value} {what} (MultipartLimits::{field})")
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType => f.write_str("not multipart/form-data with a valid boundary"),
            Self::Boundary => f.write_str("a boundary is not followed by a line end"),
            Self::Head => f.write_str("the head of a part is malformed"),
            Self::Name => f.write_str("a part has no valid form-data name"),
            Self::Truncated => f.write_str("the form ended before its last boundary"),
            Self::Limit(limit) => limit.fmt(f),
            Self::Spill { folder, fault } => {
                f.write_str("a file of the form cannot be stored")?;
                if let Some(folder) = folder {
                    write!(f, " in {}", folder.display())?;
                }
                write!(f, ": {fault}")
            }
        }
    }
}

impl std::error::Error for MultipartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Spill { fault, .. } => Some(fault),
            _ => None,
        }
    }
}
