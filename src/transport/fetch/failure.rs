//! What a failed `fetch` means. The browser reports a `TypeError` for everything and hides the cause, so that a
//! page learns nothing about other origins. This module distinguishes what can be distinguished.

use std::io;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, RequestCache, RequestInit, RequestMode};

use super::page::{self, is_offline, is_same_origin};
use super::rules;
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

/// There is no response to a request with this URL and cache mode. `keepalive`: how many bytes its content has, if it has
/// that option.
pub(super) async fn before_head(
    error: &JsValue,
    url: &str,
    cache: Option<RequestCache>,
    keepalive: Option<u64>,
) -> Error {
    let cause = text(error);
    #[cfg(feature = "agent")]
    if cache == Some(RequestCache::OnlyIfCached) {
        return ErrorKind::Refused(RequestRefused::NotCached).into();
    }
    #[cfg(not(feature = "agent"))]
    let _ = cache;
    if let Some(reason) = rules::reason(url, keepalive).await {
        return Error::new(ErrorKind::Network(NetworkFault::Blocked))
            .with_source(io::Error::other(format!("{reason} ({cause})")));
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
    let Ok(abort) = AbortController::new() else {
        return false;
    };
    init.set_signal(Some(&abort.signal()));
    // A response may have no end, and would keep one of the browser's few connections to this host.
    let _abort = AbortAtEnd(abort);
    match page::fetch(url, &init) {
        Ok(promise) => JsFuture::from(promise).await.is_ok(),
        Err(_) => false,
    }
}

/// Aborts when it is dropped.
struct AbortAtEnd(AbortController);

impl Drop for AbortAtEnd {
    fn drop(&mut self) {
        self.0.abort();
    }
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
