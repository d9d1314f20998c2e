//! What a failed `fetch` means. The browser reports a `TypeError` for everything and hides the cause, so that a
//! page learns nothing about other origins. This module distinguishes what can be distinguished.

use std::io;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestCache, RequestInit, RequestMode};

use super::page::{self, is_offline, is_same_origin, location};
#[cfg(feature = "agent")]
use crate::error::RequestRefused;
use crate::error::{Error, ErrorKind, Misuse, NetworkFault};

/// The browser did not accept the request.
pub(super) fn refused(error: &JsValue) -> Error {
    Error::from(Misuse::NotOnWeb("a request that fetch refuses")).with_source(text(error))
}

/// The content ended with an error.
pub(super) fn in_content(error: &JsValue) -> Error {
    Error::io(NetworkFault::Broken, text(error))
}

/// There is no response to a request with this URL and cache mode.
pub(super) async fn before_head(error: &JsValue, url: &str, cache: Option<RequestCache>) -> Error {
    let cause = text(error);
    #[cfg(feature = "agent")]
    if cache == Some(RequestCache::OnlyIfCached) {
        return ErrorKind::Refused(RequestRefused::NotCached).into();
    }
    #[cfg(not(feature = "agent"))]
    let _ = cache;
    if is_blocked_scheme(url) {
        let blocked = "the page is https, so the browser blocks http";
        return Error::new(ErrorKind::Network(NetworkFault::FetchFailed))
            .with_source(io::Error::other(format!("{cause}; {blocked}")));
    }
    let fault = if is_same_origin(url) || is_offline() {
        NetworkFault::ConnectFailed
    } else if !cfg!(debug_assertions) {
        NetworkFault::FetchFailed
    } else if responds(url).await {
        NetworkFault::CorsRefused
    } else {
        NetworkFault::ConnectFailed
    };
    Error::io(fault, cause)
}

/// Whether the server sends any response. Without CORS a page may ask, but sees nothing of the response. This is
/// one more request, so only debug builds do it.
async fn responds(url: &str) -> bool {
    let init = RequestInit::new();
    init.set_mode(RequestMode::NoCors);
    init.set_cache(RequestCache::NoStore);
    match page::fetch(url, &init) {
        Ok(promise) => JsFuture::from(promise).await.is_ok(),
        Err(_) => false,
    }
}

/// Whether this is `http` in a page that is `https` (mixed content). Loopback is allowed.
fn is_blocked_scheme(url: &str) -> bool {
    let is_loopback = ["http://localhost", "http://127.0.0.1", "http://[::1]"]
        .iter()
        .any(|loopback| url.starts_with(loopback));
    url.starts_with("http://")
        && !is_loopback
        && location("protocol").is_some_and(|it| it == "https:")
}

fn text(error: &JsValue) -> io::Error {
    io::Error::other(match error.dyn_ref::<js_sys::Error>() {
        Some(error) => format!(
            "{}: {}",
            String::from(error.name()),
            String::from(error.message())
        ),
        None => format!("{error:?}"),
    })
}
