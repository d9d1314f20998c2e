//! The task that calls the browser and hands over what comes. What `fetch` does not tell, how much of a request was
//! sent, belongs to `upload`.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response};

use super::content::{FetchContent, JsContent};
use super::failure;
use super::page;
use super::request::{FetchOptions, FetchRequest};
use super::response::FetchHead;
use super::rules;
use super::shared::{Shared, WINDOW_BYTES, lock, unless_aborted};
use super::upload::{self, Upload};
use crate::error::Error;

/// A request that the browser has accepted.
enum Called {
    Fetch(Promise, AbortController),
    Upload(Upload),
}

/// Calls the browser, and runs until the content has ended or the exchange is dropped.
pub(super) fn spawn(shared: Arc<Mutex<Shared>>, mut request: FetchRequest) {
    rules::watch_policy();
    let called = start(&shared, &request);
    let length = request.content.length();
    // The browser has a copy.
    request.content = FetchContent::default();
    wasm_bindgen_futures::spawn_local(async move {
        let end = match called {
            Ok(Called::Fetch(promise, abort)) => {
                let end = run(&shared, promise, &request, length).await;
                if end.is_none() {
                    abort.abort();
                }
                end
            }
            Ok(Called::Upload(upload)) => upload.run(&shared, &request).await,
            Err(error) => Some(Err(error)),
        };
        let mut shared = lock(&shared);
        shared.end = end;
        shared.task = None;
        shared.signal.set();
    });
}

fn start(shared: &Arc<Mutex<Shared>>, request: &FetchRequest) -> Result<Called, Error> {
    let content = request.content.to_js()?;
    let called = if upload::is_counted(request) {
        Upload::start(shared, request, &content).map(Called::Upload)
    } else {
        lock(shared).sent = request.content.length();
        fetch(request, &content).map(|(promise, abort)| Called::Fetch(promise, abort))
    };
    called.map_err(|error| failure::refused(&error))
}

/// `None`: it was aborted.
async fn run(
    shared: &Mutex<Shared>,
    promise: Promise,
    request: &FetchRequest,
    length: u64,
) -> Option<Result<(), Error>> {
    let response: Response = match unless_aborted(shared, JsFuture::from(promise)).await? {
        Ok(response) => response.unchecked_into(),
        Err(error) => {
            let FetchOptions {
                cache, keepalive, ..
            } = request.options;
            let keepalive = keepalive.then_some(length);
            let failed = failure::before_head(&error, &request.url, cache, keepalive);
            return Some(Err(unless_aborted(shared, failed).await?));
        }
    };
    {
        let mut shared = lock(shared);
        shared.head = Some(FetchHead::of(&response));
        shared.signal.set();
    }
    let Some(stream) = response.body() else {
        return Some(Ok(()));
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let (done, value) = (JsValue::from_str("done"), JsValue::from_str("value"));
    loop {
        room(shared).await?;
        let read = match unless_aborted(shared, JsFuture::from(reader.read())).await? {
            Ok(read) => JsValue::from(read),
            Err(error) => return Some(Err(failure::in_content(&error))),
        };
        let is_done = Reflect::get(&read, &done).is_ok_and(|done| done.is_truthy());
        if is_done {
            return Some(Ok(()));
        }
        let Ok(value) = Reflect::get(&read, &value) else {
            return Some(Ok(()));
        };
        lock(shared).push(Bytes::from(Uint8Array::new(&value).to_vec()));
    }
}

fn fetch(
    request: &FetchRequest,
    content: &JsContent,
) -> Result<(Promise, AbortController), JsValue> {
    let headers = web_sys::Headers::new()?;
    for (name, value) in request.js_fields() {
        headers.append(name, &value)?;
    }
    let abort = AbortController::new()?;
    let init = RequestInit::new();
    init.set_method(request.method.as_str());
    init.set_headers(&headers);
    init.set_signal(Some(&abort.signal()));
    match content {
        JsContent::None => {}
        JsContent::Bytes(bytes) => init.set_body(bytes),
        JsContent::Blob(blob) => init.set_body(blob),
    }
    let options = request.options;
    if let Some(credentials) = options.credentials {
        init.set_credentials(credentials);
    }
    if let Some(cache) = options.cache {
        init.set_cache(cache);
        if cache == web_sys::RequestCache::OnlyIfCached {
            init.set_mode(web_sys::RequestMode::SameOrigin);
        }
    }
    if options.refuses_redirects {
        init.set_redirect(web_sys::RequestRedirect::Manual);
    }
    if options.keepalive {
        Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE)?;
    }
    Ok((page::fetch(&request.url, &init)?, abort))
}

/// Waits until more content may lie ready.
async fn room(shared: &Mutex<Shared>) -> Option<()> {
    let has_room = poll_fn(|_| {
        if lock(shared).held < WINDOW_BYTES {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    unless_aborted(shared, has_room).await
}
