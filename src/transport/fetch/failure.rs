//! What a failed `fetch` means. The browser reports a `TypeError` for everything and hides the cause, so that a
//! page learns nothing about other origins. This module distinguishes what can be distinguished.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, RequestCache, RequestInit, RequestMode};

use super::page::{self, is_offline, is_same_origin};
use super::rules;
#[cfg(feature = "agent")]
use crate::error::RequestRefused;
use crate::error::{Error, ErrorKind, Misuse, NetworkFault};

/// How long a debug build waits for the response to its question about CORS.
const LONGEST_QUESTION: Duration = Duration::from_secs(5);

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
    } else {
        match responds(url).await {
            Some(true) => NetworkFault::CorsRefused,
            Some(false) => NetworkFault::ConnectFailed,
            None => NetworkFault::FetchFailed,
        }
    };
    if page::has_service_worker() {
        let cause =
            format!("{cause}; or the page's service worker, which sees its requests first, failed");
        return Error::io(fault, io::Error::other(cause));
    }
    Error::io(fault, cause)
}

/// Whether the server sends any response. Without CORS a page may ask, but sees nothing of the response. This is
/// one more request, so only debug builds do it. `None`: it takes too long to find out.
async fn responds(url: &str) -> Option<bool> {
    let init = RequestInit::new();
    // Firefox looks into content before it tells of the response, and a stream of events may never send any.
    init.set_method("HEAD");
    init.set_mode(RequestMode::NoCors);
    init.set_cache(RequestCache::NoStore);
    let abort = AbortController::new().ok()?;
    init.set_signal(Some(&abort.signal()));
    let _abort = AbortAtEnd(abort);
    let mut response = pin!(JsFuture::from(page::fetch(url, &init).ok()?));
    let mut limit = pin!(page::sleep(LONGEST_QUESTION));
    poll_fn(|context| match response.as_mut().poll(context) {
        Poll::Ready(response) => Poll::Ready(Some(response.is_ok())),
        Poll::Pending => limit.as_mut().poll(context).map(|()| None),
    })
    .await
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
