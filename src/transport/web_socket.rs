//! The `WebSocket` of a browser (WHATWG WebSockets) as a stream of bytes, so that everything above is the same as
//! natively: the handshake, the messages, their limits, the closing handshake and its events.
//!
//! [`BrowserSocket`] is the server's end of that stream. It takes the upgrade request, opens the browser's
//! `WebSocket`, and responds with `101` when that is open. From then on its [`WebSocketMachine`] turns frames of the
//! client into messages for the browser, and messages of the browser into frames. It answers pings itself, because a
//! page cannot send any.
//!
//! `shared` is what the stream and the browser's side share, `task` has the objects of the browser.

mod shared;
mod task;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use self::shared::{Arrived, Shared, lock};
use crate::clock::Instant;
use crate::error::WebSocketFault;
use crate::limits::Limits;
use crate::proto::{BodyLength, Exchange, ExchangeEvent, FieldLines};
use crate::semantics::websocket::{
    CloseFrame, UpgradeRequest, WebSocketConfig, WebSocketEvent, WebSocketMachine, close_code,
};
use crate::transport::fetch::{reason_of_web_socket, watch_policy};

/// Bytes of messages that wait for the browser, beyond which the client waits.
const WAITING_BYTES: usize = 1024 * 1024;

/// See the module's documentation.
pub(crate) struct BrowserSocket {
    /// A `ws` or `wss` URL.
    url: String,
    stage: Stage,
    /// Bytes for the client of the handshake's response.
    head: Vec<u8>,
    shared: Arc<Mutex<Shared>>,
}

enum Stage {
    /// The upgrade request so far.
    Request {
        exchange: Box<Exchange>,
        bytes: Vec<u8>,
    },
    /// The browser opens its WebSocket.
    Opening {
        exchange: Box<Exchange>,
        request: UpgradeRequest,
    },
    Open(Box<WebSocketMachine>),
    /// Nothing more comes.
    Ended,
}

impl BrowserSocket {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            stage: Stage::Request {
                exchange: Box::new(Exchange::server(Limits::default())),
                bytes: Vec::new(),
            },
            head: Vec::new(),
            shared: Arc::default(),
        }
    }

    /// Takes bytes of the upgrade request. Opens the browser's WebSocket when all are there.
    fn take_request(&mut self, src: &[u8]) -> io::Result<usize> {
        let Stage::Request { exchange, bytes } = &mut self.stage else {
            return Ok(0);
        };
        bytes.extend_from_slice(src);
        let received = exchange.receive(bytes).map_err(unexpected)?;
        let Some(ExchangeEvent::Request(head)) = received.event else {
            bytes.drain(..received.consumed);
            return Ok(src.len());
        };
        let request =
            UpgradeRequest::check(&head).map_err(|rejection| unexpected(rejection.fault))?;
        let protocols: Vec<String> = request.protocols().map(str::to_owned).collect();
        watch_policy();
        task::spawn(Arc::clone(&self.shared), self.url.clone(), protocols);
        let before = std::mem::replace(&mut self.stage, Stage::Ended);
        if let Stage::Request { exchange, .. } = before {
            self.stage = Stage::Opening { exchange, request };
        }
        Ok(src.len())
    }

    /// Takes in what the browser reported.
    fn take_arrived(&mut self) -> io::Result<()> {
        loop {
            let Some(arrived) = lock(&self.shared).take_arrived() else {
                return Ok(());
            };
            match arrived {
                Arrived::Open(protocol) => self.accept(&protocol)?,
                Arrived::Message(message) => {
                    if let Stage::Open(machine) = &mut self.stage {
                        machine.send(&message, Instant::now()).map_err(unexpected)?;
                    }
                }
                Arrived::Closed(close) => self.end(close)?,
                Arrived::Overflow => {
                    self.stage = Stage::Ended;
                    return Err(io::Error::other(
                        "the server sends messages faster than the page takes them",
                    ));
                }
            }
        }
    }

    /// The browser's WebSocket is open.
    fn accept(&mut self, protocol: &str) -> io::Result<()> {
        let Stage::Opening { exchange, request } = &mut self.stage else {
            return Ok(());
        };
        let protocol = Some(protocol).filter(|it| !it.is_empty());
        let head = request
            .accept(protocol, &FieldLines::new())
            .map_err(unexpected)?;
        exchange
            .send_response(&head, BodyLength::None, &mut self.head)
            .map_err(unexpected)?;
        // The client has limits of its own.
        let config = WebSocketConfig {
            message_bytes: usize::MAX,
            frame_bytes: usize::MAX,
            send_queue_bytes: usize::MAX,
            ping_interval: None,
            ..WebSocketConfig::default()
        };
        let machine = WebSocketMachine::server(config, Instant::now());
        self.stage = Stage::Open(Box::new(machine));
        Ok(())
    }

    /// The browser's WebSocket has ended. `None`: without a closing handshake.
    fn end(&mut self, close: Option<CloseFrame>) -> io::Result<()> {
        match (&mut self.stage, close) {
            (Stage::Open(machine), Some(close)) => {
                let code = if close.code == close_code::NO_STATUS_RCVD {
                    close_code::NORMAL_CLOSURE
                } else {
                    close.code
                };
                if machine.close(code, &close.reason, Instant::now()).is_err() {
                    self.stage = Stage::Ended;
                }
                Ok(())
            }
            (Stage::Open(_) | Stage::Ended, _) => {
                self.stage = Stage::Ended;
                Ok(())
            }
            (Stage::Request { .. } | Stage::Opening { .. }, _) => {
                self.stage = Stage::Ended;
                Err(io::Error::other(match reason_of_web_socket(&self.url) {
                    Some(reason) => format!("the browser did not open the WebSocket: {reason}"),
                    None => "the browser could not open the WebSocket and does not say why: the server cannot be \
                             reached, or does not accept the handshake or the page's origin"
                        .to_owned(),
                }))
            }
        }
    }

    /// Hands messages of the client to the browser.
    fn forward(&mut self) -> io::Result<()> {
        let Stage::Open(machine) = &mut self.stage else {
            return Ok(());
        };
        let mut shared = lock(&self.shared);
        while let Some(event) = machine.next_event(Instant::now()).map_err(unexpected)? {
            match event {
                WebSocketEvent::Message(message) => shared.send(message),
                WebSocketEvent::Closed(close) => shared.close(close),
            }
        }
        Ok(())
    }
}

impl Read for BrowserSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.shared).wake();
        self.take_arrived()?;
        if !self.head.is_empty() {
            let count = self.head.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.head[..count]);
            self.head.drain(..count);
            return Ok(count);
        }
        match &mut self.stage {
            Stage::Request { .. } | Stage::Opening { .. } => Err(io::ErrorKind::WouldBlock.into()),
            Stage::Ended => Ok(0),
            Stage::Open(machine) => {
                let out = machine.poll_transmit();
                let count = out.len().min(buffer.len());
                buffer[..count].copy_from_slice(&out[..count]);
                machine.transmitted(count, Instant::now());
                match count {
                    0 if machine.is_finished() => Ok(0),
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    count => Ok(count),
                }
            }
        }
    }
}

impl Write for BrowserSocket {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        match &mut self.stage {
            Stage::Request { .. } => self.take_request(src),
            Stage::Opening { .. } => Err(io::ErrorKind::WouldBlock.into()),
            Stage::Ended => Err(io::ErrorKind::BrokenPipe.into()),
            Stage::Open(machine) => {
                let mut shared = lock(&self.shared);
                if shared.waiting_bytes() > WAITING_BYTES {
                    shared.wake();
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                drop(shared);
                let count = machine.receive(src, Instant::now());
                self.forward()?;
                if count == 0 && !src.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BrowserSocket {
    fn drop(&mut self) {
        lock(&self.shared).give_up();
    }
}

fn unexpected(error: impl Into<Unexpected>) -> io::Error {
    io::Error::other(error.into().0)
}

/// What should not happen between two sides of our own.
struct Unexpected(String);

impl From<WebSocketFault> for Unexpected {
    fn from(fault: WebSocketFault) -> Self {
        Self(fault.to_string())
    }
}

impl From<crate::error::ErrorKind> for Unexpected {
    fn from(kind: crate::error::ErrorKind) -> Self {
        Self(kind.to_string())
    }
}
