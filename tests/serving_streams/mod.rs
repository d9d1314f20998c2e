//! What the tests of event streams, WebSockets and topics share: a handler that keeps the WebSocket it accepted, the
//! client's side of the handshake, and the content of a chunked response.

#![allow(unreachable_pub, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use httpoll::server::websocket::{Options as WebSocketOptions, WebSocket};
use httpoll::server::{Request, Response};

use crate::serving::{Raw, TestServer, body};

pub const GET: &str = "GET /sse HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a handler keeps for the test.
pub type Kept<T> = Arc<Mutex<Option<T>>>;

pub fn take<T>(kept: &Kept<T>) -> T {
    kept.lock().unwrap().take().unwrap()
}

/// A handler at `/ws`. A request with `X-Plain` gets an ordinary response.
pub fn with_sockets(test: &mut TestServer, options: WebSocketOptions) -> Kept<WebSocket> {
    let kept: Kept<WebSocket> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/ws",
            move |request: &mut Request, response: &mut Response| {
                assert!(request.wants_websocket() || request.header("upgrade").is_none());
                if request.header("x-plain").is_some() {
                    response.write("plain");
                    return;
                }
                match request.accept_websocket(options.clone()) {
                    Ok(socket) => *keep.lock().unwrap() = Some(socket),
                    Err(refused) => *response = refused.into(),
                }
            },
        )
        .unwrap();
    kept
}

/// Connects and asks for a WebSocket, with these further field lines. Returns the client and the head of the response.
pub fn handshake(test: &mut TestServer, extra: &str) -> (Raw, String) {
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        format!(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
        ),
    );
    client.received.clear();
    (client, response)
}

/// The content of a chunked response as far as it has arrived.
pub fn unchunked(response: &str) -> String {
    let mut rest = body(response);
    let mut content = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        content += &behind[..size];
        rest = &behind[size + 2..];
    }
    content
}
