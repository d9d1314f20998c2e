//! A WebSocket instead of a response: how to open it ([`WebSocketOptions`]), and what an open one holds
//! ([`OpenSocket`]). The rules are in `semantics::websocket`; `engine::web_sockets` moves the bytes.

use crate::clock::Instant;
use crate::error::{Error, ErrorKind, WebSocketFault};
use crate::proto::FieldLines;
use crate::semantics::websocket::{
    ClientHandshake, CloseFrame, WebSocketConfig, WebSocketMachine, WebSocketMessage,
};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::Link;

/// How to open a WebSocket (RFC 6455). The request's URL may begin with `ws` or `wss`.
#[derive(Clone, Debug, Default)]
pub struct WebSocketOptions {
    subprotocols: Vec<String>,
    config: WebSocketConfig,
    handshake: Option<ClientHandshake>,
    /// The caller closed it before it was open.
    pub(super) close_frame: Option<CloseFrame>,
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
    pub(crate) end: End,
    /// The error of a write. What the peer sent before can still be read.
    pub(crate) write_error: Option<Error>,
    /// Why the WebSocket failed. The peer may not know it yet.
    pub(crate) fault: Option<Error>,
    /// The time for which a timer is set.
    pub(crate) armed: Option<Instant>,
    /// Reads since frames could last be written.
    pub(crate) reads: u8,
}

/// The state of the stream.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Open,
    /// The peer has ended its stream.
    Received,
    Broken(Error),
}

/// How a WebSocket ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Closed,
    Failed(Error),
}

impl OpenSocket {
    pub(crate) fn new(link: Link, recv: RecvBuffer, machine: WebSocketMachine) -> Self {
        Self {
            link,
            recv,
            machine,
            end: End::Open,
            write_error: None,
            fault: None,
            armed: None,
            reads: 0,
        }
    }

    /// Nothing more will be read. What was received is still to be delivered.
    pub(crate) fn end_stream(&mut self, end: End) {
        self.end = end;
        self.machine.receive_eof();
    }

    /// Nothing more can be sent.
    pub(crate) fn end_sending(&mut self, error: Error) {
        self.machine.discard_outgoing();
        self.write_error.get_or_insert(error);
    }

    /// What was received cannot be continued.
    pub(crate) fn fail(&mut self, fault: WebSocketFault) {
        let is_cut = fault == WebSocketFault::ClosedAbnormally;
        let error = match &self.end {
            // The error of the stream says more.
            End::Broken(error) if is_cut => error.clone(),
            _ => ErrorKind::WebSocket(fault).into(),
        };
        self.fault.get_or_insert(error);
    }

    /// How the WebSocket ended. `None`: it has not, or something is to be sent before.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let is_silent = self.machine.is_finished() || !matches!(self.end, End::Open);
        if !is_silent {
            return None;
        }
        // Behind a valid close frame nothing else counts (RFC 6455 §7.1.4).
        if self.machine.is_closed() {
            return Some(Outcome::Closed);
        }
        self.fault.clone().map(Outcome::Failed)
    }
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
