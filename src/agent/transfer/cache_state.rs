//! What the cache knows of a transfer under way (RFC 9111).

use std::time::SystemTime;

use http::{HeaderMap, Method};
use url::Url;

use crate::semantics::cache::{CacheRequest, CachedResponse, Stale};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct CacheState {
    /// The fields that a response may vary by.
    pub(crate) headers: HeaderMap,
    pub(crate) time: SystemTime,
    pub(crate) stale: Option<Stale>,
}

impl CacheState {
    pub(crate) fn request<'a>(&'a self, method: &'a Method, url: &'a Url) -> CacheRequest<'a> {
        CacheRequest {
            method,
            url,
            headers: &self.headers,
            time: self.time,
        }
    }

    /// The fields that ask whether the stored response is still good.
    pub(crate) fn validators(&self) -> Vec<(String, Vec<u8>)> {
        let stale = self.stale.iter();
        stale
            .flat_map(|stale| &stale.validators)
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    /// Whether the request asks if the stored response is still good, so that a `304` is for the cache.
    pub(crate) fn is_validating(&self) -> bool {
        let stale = self.stale.as_ref();
        stale.is_some_and(|stale| !stale.validators.is_empty())
    }

    /// Whether there is a response to serve although the server failed (RFC 5861 §4).
    pub(crate) fn has_response_for_error(&self) -> bool {
        let stale = self.stale.as_ref();
        stale.is_some_and(|stale| stale.if_error.is_some())
    }

    /// That response.
    pub(crate) fn into_response_for_error(self) -> Option<CachedResponse> {
        self.stale?.if_error
    }
}
