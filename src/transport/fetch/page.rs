//! The page or worker that this runs in: its `fetch`, its URL, and whether it is online.

use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::RequestInit;

/// Calls `fetch` of the global object, in a window as in a worker.
pub(super) fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue> {
    let global = js_sys::global();
    let fetch: Function = Reflect::get(&global, &"fetch".into())?.dyn_into()?;
    fetch.call2(&global, &url.into(), init)?.dyn_into()
}

/// The URL against which the page resolves relative ones.
#[cfg(feature = "agent")]
pub(crate) fn page_url() -> Option<String> {
    let document = Reflect::get(&js_sys::global(), &"document".into());
    document
        .and_then(|document| Reflect::get(&document, &"baseURI".into()))
        .ok()
        .and_then(|base| base.as_string())
        .or_else(|| location("href"))
}

/// A property of the `location` of the page or worker.
fn location(property: &str) -> Option<String> {
    let location = Reflect::get(&js_sys::global(), &"location".into()).ok()?;
    Reflect::get(&location, &property.into()).ok()?.as_string()
}

/// The origin of the page or worker. It is not that of its URL in a frame of a sandbox, which has none ("null"), and in
/// a frame without a URL of its own, which has that of its parent.
fn origin() -> Option<String> {
    let origin = Reflect::get(&js_sys::global(), &"origin".into()).ok()?;
    origin.as_string()
}

/// Whether the page or worker came by `https`.
pub(super) fn is_https() -> bool {
    origin().is_some_and(|origin| origin.starts_with("https:"))
        || location("protocol").is_some_and(|protocol| protocol == "https:")
}

/// Whether this URL has the origin of the page or worker.
pub(super) fn is_same_origin(url: &str) -> bool {
    let Some(origin) = origin() else {
        return false;
    };
    url::Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == origin)
}

/// Whether the page or worker has this global object. A service worker has no `XMLHttpRequest`.
pub(super) fn has(name: &str) -> bool {
    Reflect::has(&js_sys::global(), &name.into()).unwrap_or_default()
}

/// Whether a service worker answers the requests of this page.
pub(super) fn has_service_worker() -> bool {
    let container = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"serviceWorker".into()));
    container
        .and_then(|container| Reflect::get(&container, &"controller".into()))
        .is_ok_and(|controller| controller.is_object())
}

pub(super) fn is_offline() -> bool {
    let online = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"onLine".into()));
    online.is_ok_and(|online| online == JsValue::FALSE)
}

/// Returns in a later task of the browser, after this time at the earliest.
pub(super) async fn sleep(time: Duration) {
    let promise = Promise::new(&mut |resolve, _| {
        let global = js_sys::global();
        let milliseconds = JsValue::from(time.as_millis() as f64);
        let function = Reflect::get(&global, &"setTimeout".into());
        let function = function.ok().and_then(|it| it.dyn_into::<Function>().ok());
        let called = function.map(|it| it.call2(&global, &resolve, &milliseconds));
        if !matches!(called, Some(Ok(_))) {
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    let _ = JsFuture::from(promise).await;
}
