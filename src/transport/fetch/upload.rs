//! A request that tells how much of it was sent: by `XMLHttpRequest` (WHATWG XHR §3), because `fetch` tells nothing of
//! it. What `XMLHttpRequest` cannot do as `fetch` does is left to `task`.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use js_sys::Uint8Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    ProgressEvent, RequestCredentials, XmlHttpRequest, XmlHttpRequestResponseType,
    XmlHttpRequestUpload,
};

use super::content::JsContent;
use super::failure;
use super::page;
use super::request::FetchRequest;
use super::response::FetchHead;
use super::shared::{Shared, lock, unless_aborted};
use crate::error::{Error, ErrorKind};
use crate::limits::Limit;

/// Shorter content is sent before the browser would tell anything about it.
const LEAST_BYTES: u64 = 64 * 1024;

/// `XMLHttpRequest.HEADERS_RECEIVED`.
const HEADERS_RECEIVED: u16 = 2;

/// Whether the upload of this request is counted.
///
/// An `XMLHttpRequest` delivers its response as a whole. It has no cache modes, follows every redirect, always sends
/// cookies to the page's own origin, and ends with the page. And because its upload is watched, a browser asks another
/// origin for permission first (CORS preflight), also where it would not otherwise. Requests for which one of these
/// makes a difference go through `fetch`.
pub(super) fn is_counted(request: &FetchRequest) -> bool {
    let options = &request.options;
    request.content.length() >= LEAST_BYTES
        && options.most_collected.is_some()
        && options.cache.is_none()
        && options.credentials != Some(RequestCredentials::Omit)
        && !options.refuses_redirects
        && !options.keepalive
        && (request.needs_preflight() || page::is_same_origin(&request.url))
        && page::has("XMLHttpRequest")
}

/// A request under way.
pub(super) struct Upload {
    request: XmlHttpRequest,
    upload: XmlHttpRequestUpload,
    seen: Rc<Seen>,
    /// They are called as long as they exist.
    _on_sent: Closure<dyn FnMut(ProgressEvent)>,
    _on_received: Closure<dyn FnMut(ProgressEvent)>,
}

/// What the events have told.
#[derive(Default)]
struct Seen {
    has_head: Cell<bool>,
    ended: Cell<Option<Ended>>,
}

/// Why nothing more comes.
#[derive(Clone, Copy)]
enum Ended {
    /// It is complete, or it failed.
    Done,
    /// The response is larger than the request allows.
    TooLarge,
}

impl Upload {
    pub(super) fn start(
        shared: &Arc<Mutex<Shared>>,
        request: &FetchRequest,
        content: &JsContent,
    ) -> Result<Self, JsValue> {
        let xhr = XmlHttpRequest::new()?;
        xhr.open(request.method.as_str(), &request.url)?;
        xhr.set_response_type(XmlHttpRequestResponseType::Arraybuffer);
        let is_included = request.options.credentials == Some(RequestCredentials::Include);
        xhr.set_with_credentials(is_included);
        for (name, value) in request.js_fields() {
            xhr.set_request_header(name, &value)?;
        }
        let seen = Rc::new(Seen::default());
        let on_sent = on_sent(shared);
        let on_received = on_received(shared, request, &xhr, &seen);
        let upload = xhr.upload()?;
        let function = on_sent.as_ref().unchecked_ref();
        upload.set_onprogress(Some(function));
        upload.set_onload(Some(function));
        let function = on_received.as_ref().unchecked_ref();
        xhr.set_onreadystatechange(Some(function));
        xhr.set_onprogress(Some(function));
        xhr.set_onloadend(Some(function));
        lock(shared).is_sending = true;
        match content {
            JsContent::None => xhr.send()?,
            JsContent::Bytes(bytes) => xhr.send_with_opt_js_u8_array(Some(bytes))?,
            JsContent::Blob(blob) => xhr.send_with_opt_blob(Some(blob))?,
        }
        Ok(Self {
            request: xhr,
            upload,
            seen,
            _on_sent: on_sent,
            _on_received: on_received,
        })
    }

    /// Runs until the response is complete or the exchange is dropped. `None`: it was aborted.
    pub(super) async fn run(
        self,
        shared: &Mutex<Shared>,
        request: &FetchRequest,
    ) -> Option<Result<(), Error>> {
        let ended = poll_fn(|_| self.seen.ended.get().map_or(Poll::Pending, Poll::Ready));
        let content = match unless_aborted(shared, ended).await? {
            Ended::Done if self.request.status().unwrap_or_default() == 0 => None,
            Ended::Done => self.request.response().ok().filter(JsValue::is_object),
            Ended::TooLarge => {
                let most = request.options.most_collected.unwrap_or(u64::MAX);
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                return Some(Err(ErrorKind::Limit(Limit::BodyBytes(most)).into()));
            }
        };
        if let Some(content) = content {
            lock(shared).push(Uint8Array::new(&content).to_vec().into());
            return Some(Ok(()));
        }
        let error = js_sys::Error::new("XMLHttpRequest failed").into();
        if self.seen.has_head.get() {
            return Some(Err(failure::in_content(&error)));
        }
        // It has neither a cache mode nor `keepalive`, see `is_counted`.
        let failed = failure::before_head(&error, &request.url, None, None);
        unless_aborted(shared, failed).await.map(Err)
    }
}

/// Counts what was sent.
fn on_sent(shared: &Arc<Mutex<Shared>>) -> Closure<dyn FnMut(ProgressEvent)> {
    let shared = Arc::clone(shared);
    Closure::new(move |event: ProgressEvent| {
        let mut shared = lock(&shared);
        shared.sent = event.loaded() as u64;
        // Firefox has its `load` only when the response begins, but its last `progress` before that has the whole.
        let is_whole = event.length_computable() && event.loaded() >= event.total();
        shared.is_sending = event.type_() != "load" && !is_whole;
        shared.signal.set();
    })
}

/// Takes the head, counts the content, and notes the end.
fn on_received(
    shared: &Arc<Mutex<Shared>>,
    request: &FetchRequest,
    xhr: &XmlHttpRequest,
    seen: &Rc<Seen>,
) -> Closure<dyn FnMut(ProgressEvent)> {
    let (shared, xhr, seen) = (Arc::clone(shared), xhr.clone(), Rc::clone(seen));
    let url = request.url.clone();
    let most = request.options.most_collected.unwrap_or(u64::MAX);
    Closure::new(move |event: ProgressEvent| {
        let mut shared = lock(&shared);
        let ended = match &*event.type_() {
            "readystatechange" if xhr.ready_state() == HEADERS_RECEIVED => {
                seen.has_head.set(true);
                shared.is_sending = false;
                shared.head = Some(FetchHead::of_upload(&xhr, &url));
                None
            }
            "progress" => {
                shared.received = event.loaded() as u64;
                (shared.received > most).then_some(Ended::TooLarge)
            }
            "loadend" => Some(Ended::Done),
            _ => None,
        };
        if ended.is_some() && seen.ended.get().is_none() {
            seen.ended.set(ended);
            shared.wake();
        }
        shared.signal.set();
    })
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.upload.set_onprogress(None);
        self.upload.set_onload(None);
        self.request.set_onreadystatechange(None);
        self.request.set_onprogress(None);
        self.request.set_onloadend(None);
        // Does nothing if it has ended.
        let _ = self.request.abort();
    }
}
