//! The task that calls the browser and hands over what comes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response};

use super::failure;
use super::page;
use super::request::FetchRequest;
use super::response::FetchHead;
use super::shared::{Shared, WINDOW_BYTES, lock};
use crate::error::Error;

/// Calls `fetch`, and runs until the content has ended or the exchange is dropped.
pub(super) fn spawn(shared: Arc<Mutex<Shared>>, request: FetchRequest) {
    let called = call(&request);
    wasm_bindgen_futures::spawn_local(async move {
        let end = match called {
            Ok((promise, abort)) => {
                let end = run(&shared, promise, &request).await;
                if end.is_none() {
                    abort.abort();
                }
                end
            }
            Err(error) => Some(Err(failure::refused(&error))),
        };
        let mut shared = lock(&shared);
        shared.end = end;
        shared.task = None;
        shared.signal.set();
    });
}

/// `None`: it was aborted.
async fn run(
    shared: &Mutex<Shared>,
    promise: Promise,
    request: &FetchRequest,
) -> Option<Result<(), Error>> {
    let response: Response = match unless_aborted(shared, JsFuture::from(promise)).await? {
        Ok(response) => response.unchecked_into(),
        Err(error) => {
            let failed = failure::before_head(&error, request);
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
        let piece = Bytes::from(Uint8Array::new(&value).to_vec());
        if !piece.is_empty() {
            let mut shared = lock(shared);
            shared.held += piece.len();
            shared.pieces.push_back(piece);
            shared.signal.set();
        }
    }
}

fn call(request: &FetchRequest) -> Result<(Promise, AbortController), JsValue> {
    let headers = web_sys::Headers::new()?;
    for (name, value) in request.fields.iter() {
        // JavaScript's strings hold bytes as the characters of the same number ("isomorphic encode").
        let value: String = value.iter().map(|byte| char::from(*byte)).collect();
        headers.append(name, &value)?;
    }
    let abort = AbortController::new()?;
    let init = RequestInit::new();
    init.set_method(request.method.as_str());
    init.set_headers(&headers);
    init.set_signal(Some(&abort.signal()));
    if let Some(file) = &request.file {
        let Some(blob) = file.blob() else {
            return Err(js_sys::Error::new("the PageFile is of another thread").into());
        };
        init.set_body(&blob);
    } else if !request.content.is_empty() {
        init.set_body(&Uint8Array::from(&request.content[..]));
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

/// The output of `future`, or `None` once the exchange is dropped.
async fn unless_aborted<T>(shared: &Mutex<Shared>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        {
            let mut shared = lock(shared);
            if shared.is_aborted {
                return Poll::Ready(None);
            }
            shared.task = Some(context.waker().clone());
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
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
