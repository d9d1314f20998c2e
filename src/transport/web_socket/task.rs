//! The task that has the browser's `WebSocket`.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::shared::{Arrived, Shared, lock};
use crate::semantics::websocket::{CloseFrame, WebSocketMessage};

/// Bytes that the browser holds unsent, beyond which it gets no more.
const BUFFERED_BYTES: u32 = 1024 * 1024;

/// Opens a `WebSocket`, and runs until it has ended or nobody is interested.
pub(super) fn spawn(shared: Arc<Mutex<Shared>>, url: String, protocols: Vec<String>) {
    let protocols: Array = protocols.iter().map(|it| JsValue::from_str(it)).collect();
    let Ok(socket) = WebSocket::new_with_str_sequence(&url, &protocols) else {
        lock(&shared).arrive(Arrived::Closed(None));
        return;
    };
    socket.set_binary_type(BinaryType::Arraybuffer);
    wasm_bindgen_futures::spawn_local(async move {
        let has_opened = Rc::new(Cell::new(false));
        let on_open = {
            let (shared, socket) = (Arc::clone(&shared), socket.clone());
            let has_opened = Rc::clone(&has_opened);
            Closure::<dyn FnMut()>::new(move || {
                has_opened.set(true);
                let mut shared = lock(&shared);
                shared.arrive(Arrived::Open(socket.protocol()));
                shared.wake();
            })
        };
        let on_message = {
            let shared = Arc::clone(&shared);
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                if let Some(message) = message_of(&event.data()) {
                    lock(&shared).arrive(Arrived::Message(message));
                }
            })
        };
        let on_close = {
            let shared = Arc::clone(&shared);
            Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
                let close = event.was_clean().then(|| CloseFrame {
                    code: event.code(),
                    reason: event.reason(),
                });
                lock(&shared).finish(close);
            })
        };
        // WebKit reports only this, and no `close`, where it does not even try to connect: for a port, a scheme or a
        // server that the browser or the page's policy forbids.
        let on_error = {
            let shared = Arc::clone(&shared);
            Closure::<dyn FnMut()>::new(move || {
                if !has_opened.get() {
                    lock(&shared).finish(None);
                }
            })
        };
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        socket.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        poll_fn(|context| {
            let mut shared = lock(&shared);
            if shared.is_over {
                return Poll::Ready(());
            }
            if shared.is_given_up() {
                // What was sent before a close still goes out.
                while let Some(message) = shared.take_outgoing() {
                    send(&socket, &message);
                }
                match shared.take_close() {
                    Some(close) => end(&socket, close.as_ref()),
                    None => end(&socket, None),
                }
                return Poll::Ready(());
            }
            if socket.ready_state() == WebSocket::OPEN {
                while socket.buffered_amount() < BUFFERED_BYTES
                    && let Some(message) = shared.take_outgoing()
                {
                    send(&socket, &message);
                }
                if let Some(close) = shared.take_close() {
                    end(&socket, close.as_ref());
                }
            }
            shared.task = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        socket.set_onopen(None);
        socket.set_onmessage(None);
        socket.set_onclose(None);
        socket.set_onerror(None);
    });
}

fn send(socket: &WebSocket, message: &WebSocketMessage) {
    // It fails only while the WebSocket opens, when nothing is sent.
    let _ = match message {
        WebSocketMessage::Text(text) => socket.send_with_str(text),
        WebSocketMessage::Binary(bytes) => socket.send_with_u8_array(bytes),
        // A page sends no pings.
        WebSocketMessage::Ping(_) | WebSocketMessage::Pong(_) | WebSocketMessage::Close(_) => {
            Ok(())
        }
    };
}

/// Closes it. A page may send only the code 1000 and those from 3000 to 4999.
fn end(socket: &WebSocket, close: Option<&CloseFrame>) {
    let closed = match close {
        Some(close) if close.code == 1000 || (3000..5000).contains(&close.code) => {
            socket.close_with_code_and_reason(close.code, &close.reason)
        }
        Some(_) | None => socket.close(),
    };
    // It fails only for a code or a reason that was checked.
    let _ = closed;
}

fn message_of(data: &JsValue) -> Option<WebSocketMessage> {
    if let Some(text) = data.as_string() {
        return Some(WebSocketMessage::Text(text));
    }
    let buffer: &ArrayBuffer = data.dyn_ref()?;
    let bytes = Uint8Array::new(buffer).to_vec();
    Some(WebSocketMessage::Binary(Bytes::from(bytes)))
}
