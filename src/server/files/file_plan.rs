//! [`FilePlan`]: the planned response for a request of a static file.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::body::AssetBody;

/// The response to a request for a file.
#[derive(Debug)]
pub struct FilePlan {
    /// The status.
    pub status: StatusCode,
    /// The fields, without those of framing.
    pub headers: HeaderMap,
    /// How long the content is, or, for `HEAD`, would be; `None` for 304, which has none.
    pub length: Option<u64>,
    /// The content.
    pub body: FileBody,
}

/// The content of a response.
#[derive(Debug)]
pub enum FileBody {
    /// None.
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// Out of an asset, to be pulled.
    Asset(AssetBody),
}

pub(super) fn empty(status: StatusCode) -> FilePlan {
    FilePlan {
        status,
        headers: safe(),
        length: Some(0),
        body: FileBody::Empty,
    }
}

/// Types are chosen by name; clients must not guess another from the content.
pub(super) fn safe() -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers
}

/// Sets a field whose value is visible ASCII by its making.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
