//! A WebSocket instead of a response: how to open it ([`WebSocketOptions`]), and what an open one holds
//! ([`OpenSocket`]). The rules are in `semantics::websocket`; `engine::web_sockets` moves the bytes.

use std::time::Instant;

use crate::error::{Error, ErrorKind, WebSocketFault};
use crate::proto::FieldLines;
use crate::semantics::websocket::{
    ClientHandshake, WebSocketConfig, WebSocketMachine, WebSocketMessage,
};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::Link;

/// How to open a WebSocket (RFC 6455). The request's URL may begin with `ws` or `wss`.
#[derive(Clone, Debug, Default)]
pub struct WebSocketOptions {
    subprotocols: Vec<String>,
    config: WebSocketConfig,
    handshake: Option<ClientHandshake>,
}

impl WebSocketOptions {
    /// No subprotocol, and default limits and times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a subprotocol (RFC 6455 §1.9). The first one offered is preferred.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sets limits and times.
    #[must_use]
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    pub(super) fn limits(&self) -> &WebSocketConfig {
        &self.config
    }

    /// Makes the key of the next attempt.
    pub(super) fn begin(&mut self, random: [u8; 16]) -> Result<(), Error> {
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let handshake =
            ClientHandshake::new(random, &subprotocols).map_err(ErrorKind::WebSocket)?;
        self.handshake = Some(handshake);
        Ok(())
    }

    /// The fields that ask for the upgrade (RFC 6455 §4.1).
    pub(super) fn request_fields(&self) -> Result<FieldLines, Error> {
        let handshake = self.handshake()?;
        handshake
            .request_fields(&FieldLines::new())
            .map_err(|fault| ErrorKind::WebSocket(fault).into())
    }

    pub(super) fn handshake(&self) -> Result<&ClientHandshake, Error> {
        self.handshake
            .as_ref()
            .ok_or_else(|| ErrorKind::WebSocket(WebSocketFault::NotOpen).into())
    }
}

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct OpenSocket {
    pub(crate) link: Link,
    pub(crate) recv: RecvBuffer,
    pub(crate) machine: WebSocketMachine,
    /// Whether the stream has ended.
    pub(crate) end: End,
    /// The time for which a timer is set.
    pub(crate) armed: Option<Instant>,
}

/// The state of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    /// The peer's stream has ended.
    Received,
}

/// What a message costs besides its bytes.
const MESSAGE_COST: usize = 64;

/// How much an undelivered message counts against the limit of its request, in bytes.
pub(crate) fn cost(message: &WebSocketMessage) -> usize {
    MESSAGE_COST
        + match message {
            WebSocketMessage::Text(text) => text.len(),
            WebSocketMessage::Binary(bytes)
            | WebSocketMessage::Ping(bytes)
            | WebSocketMessage::Pong(bytes) => bytes.len(),
            WebSocketMessage::Close(_) => 0,
        }
}
