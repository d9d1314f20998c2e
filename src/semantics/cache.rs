//! A private cache in memory (RFC 9111): which responses are kept, when they may be used again, and
//! what they are asked about when they may not. Sending and receiving are elsewhere, and so are
//! files: [`HttpCache::to_bytes`] and [`HttpCache::from_bytes`] are the contents of one.
//!
//! * `policy`: one stored response, and the rules that apply to it.
//! * `stored`: one of them with its URL.
//! * `store`: all of them, by URL and by last use.
//! * `file`: the cache as bytes.
//!
//! Only answers to `GET` are kept, and only whole ones. The crate `http-cache-semantics` judges
//! freshness; it is given fields in one spelling, and its own rewriting of a response's fields is
//! not used, as it keeps one line of each name only.

mod file;
mod policy;
mod store;
mod stored;
#[cfg(test)]
mod tests;

#[cfg(all(fuzzing, feature = "full"))]
pub(crate) use file::checksum;
pub use store::{CacheSnapshot, HttpCache};

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

/// A request as the cache sees it.
#[derive(Clone, Copy)]
pub(crate) struct CacheRequest<'a> {
    pub(crate) method: &'a Method,
    /// A fragment is ignored.
    pub(crate) url: &'a Url,
    /// All fields as sent, those that the cache adds left out: a response may vary by any.
    pub(crate) headers: &'a HeaderMap,
    /// When it was, or is to be, sent.
    pub(crate) time: SystemTime,
}

/// A stored response.
#[derive(Clone)]
pub struct CachedResponse {
    /// The status.
    pub status: StatusCode,
    /// The fields. Of a response from the cache: with its `Age`.
    pub headers: HeaderMap,
    /// The content. It must be what the fields say: whoever stores decoded content leaves out its
    /// `Content-Encoding` and `Content-Length`.
    pub body: Bytes,
}

impl fmt::Debug for CachedResponse {
    /// Shows how long the content is, and no fields: there may be cookies among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CachedResponse({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

/// What the cache says to a request (RFC 9111 §4).
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// Use this; nothing is sent.
    Fresh(CachedResponse),
    /// Ask whether the stored response is still good.
    Stale(Stale),
    /// Send the request as it is.
    Miss,
    /// Nothing may be sent (`only-if-cached`), and nothing is there: a `504` (§5.2.1.7).
    GatewayTimeout,
}

/// A stored response that has to be validated.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    /// The fields to add to the request (§4.3.1). A `304` then goes to [`HttpCache::freshen`]. May be
    /// empty: then the request is an ordinary one.
    pub(crate) validators: Vec<(HeaderName, HeaderValue)>,
    /// What may be used if the server cannot be reached or answers 500, 502, 503 or 504 (RFC 5861
    /// §4).
    pub(crate) if_error: Option<CachedResponse>,
}
