//! [`FilePlan`]: the planned response to a request for a static file.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::body::AssetBody;
use crate::error::Error;

/// The response to a request for a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct FilePlan {
    /// The status.
    pub status: StatusCode,
    /// The fields, except those of framing.
    pub headers: HeaderMap,
    /// The length of the content; for `HEAD`, the length that it would have. `None` for 204 and 304, which have
    /// no content.
    pub length: Option<u64>,
    /// The content.
    pub body: FileBody,
    /// Why the status is 500: the root failed.
    pub fault: Option<Error>,
}

/// The content of a response.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileBody {
    /// No content.
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// From an asset, to be pulled.
    Asset(AssetBody),
}

pub(super) fn empty(status: StatusCode) -> FilePlan {
    FilePlan {
        status,
        headers: safe(),
        length: Some(0),
        body: FileBody::Empty,
        fault: None,
    }
}

/// The type is chosen by name; clients must not guess another from the content.
pub(super) fn safe() -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers
}

/// Sets a field whose value is always visible ASCII.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
