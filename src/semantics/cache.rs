//! A private cache in memory (RFC 9111): which responses it stores, when it may reuse them, and how
//! to validate those that it may not reuse as they are. It does not send or receive anything, and
//! it does not touch files: [`HttpCache::to_bytes`] and [`HttpCache::from_bytes`] convert to and
//! from the contents of a file.
//!
//! * `policy`: one stored response, and the rules that apply to it.
//! * `directives`: the field `Cache-Control`.
//! * `library_view`: requests and responses as the crate `http-cache-semantics` gets them.
//! * `stored`: a stored response with its URL.
//! * `store`: all stored responses, by URL and by last use.
//! * `file`: the cache as bytes.
//!
//! The cache stores only complete responses to `GET`. The crate `http-cache-semantics` decides
//! freshness. It gets the fields in one spelling (`library_view`). Its own rewriting of response fields is not used,
//! because it keeps only one field line per name.

mod directives;
mod file;
mod library_view;
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

use crate::proto::FieldLines;

/// A request as the cache sees it.
#[derive(Clone, Copy)]
pub(crate) struct CacheRequest<'a> {
    pub(crate) method: &'a Method,
    /// The cache ignores a fragment.
    pub(crate) url: &'a Url,
    /// All fields as sent, without those that the cache adds: a response may vary by any of them.
    pub(crate) headers: &'a HeaderMap,
    /// When the request was sent, or will be sent.
    pub(crate) time: SystemTime,
}

/// A stored response.
#[derive(Clone)]
pub struct CachedResponse {
    /// The status.
    pub status: StatusCode,
    /// The fields, in the order and the spelling of the server, with duplicates. A stored response lacks
    /// those that belong to the connection (RFC 9111 §3.1) and `Set-Cookie`. A response from the cache has
    /// its present `Age` as the last field, as RFC 9111 §5.1 demands.
    pub fields: FieldLines,
    /// The content, with codings undone. The fields still say how it was sent.
    pub body: Bytes,
}

impl fmt::Debug for CachedResponse {
    /// Shows the length of the content, and no fields: they may hold cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CachedResponse({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

/// The decision of the cache about a request (RFC 9111 §4).
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// Use this response; send nothing.
    Fresh(CachedResponse),
    /// Ask the server whether the stored response is still valid.
    Stale(Stale),
    /// Send the request unchanged.
    Miss,
    /// The request forbids sending (`only-if-cached`) and no response is stored: a `504`
    /// (§5.2.1.7).
    GatewayTimeout,
}

/// A stored response that has to be validated.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    /// The fields to add to the request (§4.3.1). Pass a `304` to [`HttpCache::freshen`]. May be
    /// empty: then the request is an ordinary one.
    pub(crate) validators: Vec<(HeaderName, HeaderValue)>,
    /// The response to use if the server cannot be reached or responds with 500, 502, 503 or 504
    /// (RFC 5861 §4).
    pub(crate) if_error: Option<CachedResponse>,
    /// The response to use at once, while it is validated (RFC 5861 §3).
    pub(crate) while_revalidating: Option<CachedResponse>,
}
