//! An open WebSocket: turns bytes into messages and messages into bytes (RFC 6455 §5 to §7). The
//! opening handshake belongs to `handshake`, sockets to the agent and the server.
//!
//! ```text
//!        close(), send(Close)          the peer's close frame
//! Open ─────────────────────▶ Closing ────────────────────────▶ Closed
//!  │                             │                                ▲
//!  ├─ the peer's close frame, answered ───────────────────────────┘
//!  │                             │
//!  └─ a breach, an end, silence ─┴────────────────────────────▶ Failed
//! ```
//!
//! The owner of the connection passes received bytes to [`receive`](WebSocketMachine::receive) and
//! takes events until there are none. If bytes were left over, it repeats this. It sends the bytes
//! of [`poll_transmit`](WebSocketMachine::poll_transmit) until the machine [is
//! finished](WebSocketMachine::is_finished). `tungstenite` generates the random masks.

use std::fmt;
use std::io;

use bytes::Bytes;
use tungstenite::Message;
use tungstenite::error::Error;
use tungstenite::protocol::{Role, WebSocketConfig as Settings, WebSocketContext};

use super::close_code::may_be_sent;
use super::config::WebSocketConfig;
use super::liveness::{KeepAliveAction, Liveness};
#[cfg(any(feature = "agent", test))]
use super::message::CONTROL_BYTES;
use super::message::{CloseFrame, WebSocketMessage};
use super::pipe::Pipe;
use super::received_code::ReceivedCode;
#[cfg(any(feature = "agent", test))]
use super::wire::frame_length;
use super::wire::{fault_of, to_wire, unshared};
use crate::clock::Instant;
use crate::error::WebSocketFault;

/// The size of `tungstenite`'s buffer in each connection. It is small because most connections are
/// idle.
const READ_BYTES: usize = 8 * 1024;

/// How many bytes pongs may add to a full queue. Above this limit the machine does not read from a
/// peer that sends pings and takes no pongs.
const PONG_BYTES: usize = 64 * 1024;

/// An event that results from received bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WebSocketEvent {
    /// Text or binary; also a ping or pong if the configuration asks for them.
    Message(WebSocketMessage),
    /// Both sides sent a close frame. This is the peer's; it may contain no code.
    Closed(Option<CloseFrame>),
}

/// The state of an open WebSocket, without I/O. See the module's documentation.
pub(crate) struct WebSocketMachine {
    role: Role,
    config: WebSocketConfig,
    context: WebSocketContext,
    pipe: Pipe,
    received_code: ReceivedCode,
    liveness: Liveness,
    state: State,
    /// Whether received bytes may still be unprocessed.
    has_more: bool,
}

#[derive(Clone, Debug)]
enum State {
    Open,
    /// This side sent its close frame and waits for the peer's.
    Closing {
        by: Option<Instant>,
    },
    /// Both sides did. The rest is sent; then the server ends the connection (§7.1.1).
    Closed {
        by: Option<Instant>,
    },
    /// The connection failed. What is left to send is a close frame at most.
    Failed {
        fault: WebSocketFault,
        by: Option<Instant>,
    },
}

impl WebSocketMachine {
    /// The client's side of a WebSocket that was just opened.
    #[cfg(any(feature = "agent", test))]
    pub(crate) fn client(config: WebSocketConfig, now: Instant) -> Self {
        Self::new(Role::Client, config, now)
    }

    /// The server's side.
    #[cfg(any(feature = "server", target_family = "wasm", test))]
    pub(crate) fn server(config: WebSocketConfig, now: Instant) -> Self {
        Self::new(Role::Server, config, now)
    }

    fn new(role: Role, config: WebSocketConfig, now: Instant) -> Self {
        let settings = Settings::default()
            .read_buffer_size(READ_BYTES)
            // Written bytes go to the pipe at once: one queue is enough.
            .write_buffer_size(0)
            .max_message_size(Some(config.message_bytes))
            .max_frame_size(Some(config.frame_bytes));
        Self {
            role,
            context: WebSocketContext::new(role, Some(settings)),
            pipe: Pipe::default(),
            received_code: ReceivedCode::default(),
            liveness: Liveness::new(config.ping_interval, config.pong_timeout, now),
            state: State::Open,
            has_more: false,
            config,
        }
    }

    /// Takes received bytes and returns how many it took. While events wait to be taken, it may
    /// take only some of them. After the end of the WebSocket it drops all bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Instant) -> usize {
        match self.state {
            State::Open | State::Closing { .. } => {
                let count = self.pipe.receive(bytes);
                if count > 0 {
                    self.received_code.receive(&bytes[..count]);
                    self.liveness.heard(now);
                    self.has_more = true;
                }
                count
            }
            State::Closed { .. } | State::Failed { .. } => bytes.len(),
        }
    }

    /// Records that the peer ended the stream.
    pub(crate) fn receive_eof(&mut self) {
        self.has_more = true;
        self.pipe.receive_eof();
    }

    /// The next event; `None` until more bytes arrive. After a failure, every further call returns
    /// it again.
    pub(crate) fn next_event(
        &mut self,
        now: Instant,
    ) -> Result<Option<WebSocketEvent>, WebSocketFault> {
        loop {
            match &self.state {
                State::Open | State::Closing { .. } => {}
                State::Closed { .. } => return Ok(None),
                State::Failed { fault, .. } => return Err(fault.clone()),
            }
            let most = self.config.send_queue_bytes.saturating_add(PONG_BYTES);
            if self.queued() > most {
                // The bytes do not count as unread: a peer that takes nothing does not count as
                // alive.
                self.has_more = false;
                return Ok(None);
            }
            let message = match self.context.read(&mut self.pipe) {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.has_more = false;
                    return Ok(None);
                }
                Err(error) => return Err(self.fail(fault_of(error), now)),
            };
            let message = match message {
                Message::Text(text) => WebSocketMessage::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => WebSocketMessage::Binary(unshared(bytes)),
                Message::Ping(payload) => {
                    // This sends the pong. The pipe takes all of it.
                    let _ = self.context.flush(&mut self.pipe);
                    WebSocketMessage::Ping(unshared(payload))
                }
                Message::Pong(payload) => WebSocketMessage::Pong(unshared(payload)),
                Message::Close(frame) => return self.receive_close(frame, now).map(Some),
                // `tungstenite` writes raw frames but never returns them.
                Message::Frame(_) => continue,
            };
            match message {
                WebSocketMessage::Ping(_) | WebSocketMessage::Pong(_)
                    if !self.config.shows_control_frames => {}
                message => return Ok(Some(WebSocketEvent::Message(message))),
            }
        }
    }

    fn receive_close(
        &mut self,
        frame: Option<tungstenite::protocol::CloseFrame>,
        now: Instant,
    ) -> Result<WebSocketEvent, WebSocketFault> {
        // This sends the reply, unless this side began. On a server the flush returns an error,
        // which means that the server may close the connection now.
        let _ = self.context.flush(&mut self.pipe);
        let frame = frame.map(|frame| CloseFrame {
            code: frame.code.into(),
            reason: frame.reason.as_str().to_owned(),
        });
        // `tungstenite` reports 1002 instead of a code that may not be sent, so use the received
        // code.
        if let Some(code) = self.received_code.get().filter(|code| !may_be_sent(*code)) {
            return Err(self.fail(WebSocketFault::InvalidCloseCode { code }, now));
        }
        self.pipe.discard_incoming();
        self.state = State::Closed { by: self.by(now) };
        Ok(WebSocketEvent::Closed(frame))
    }

    /// Queues a message. A text or binary message becomes one frame.
    ///
    /// # Errors
    /// [`NotOpen`](WebSocketFault::NotOpen), [`QueueFull`](WebSocketFault::QueueFull),
    /// [`TooLargeToSend`](WebSocketFault::TooLargeToSend),
    /// [`ControlTooLong`](WebSocketFault::ControlTooLong), or an error of [`close`](Self::close).
    /// Nothing changes then.
    #[cfg(any(feature = "agent", test))]
    pub(crate) fn send(
        &mut self,
        message: &WebSocketMessage,
        now: Instant,
    ) -> Result<(), WebSocketFault> {
        let payload = match message {
            WebSocketMessage::Close(frame) => return self.begin_close(frame.clone(), now),
            WebSocketMessage::Ping(payload) | WebSocketMessage::Pong(payload)
                if payload.len() > CONTROL_BYTES =>
            {
                return Err(WebSocketFault::ControlTooLong);
            }
            WebSocketMessage::Text(text) => text.len(),
            WebSocketMessage::Binary(bytes)
            | WebSocketMessage::Ping(bytes)
            | WebSocketMessage::Pong(bytes) => bytes.len(),
        };
        if !matches!(self.state, State::Open) {
            return Err(WebSocketFault::NotOpen);
        }
        let limit = self.config.send_queue_bytes;
        let length = frame_length(self.role, payload);
        if length > limit {
            return Err(WebSocketFault::TooLargeToSend { limit });
        }
        if length > limit.saturating_sub(self.queued()) {
            return Err(WebSocketFault::QueueFull { limit });
        }
        let message = match message {
            WebSocketMessage::Text(text) => Message::text(text.as_str()),
            WebSocketMessage::Binary(bytes) => Message::Binary(bytes.clone()),
            WebSocketMessage::Ping(bytes) => Message::Ping(bytes.clone()),
            WebSocketMessage::Pong(bytes) => Message::Pong(bytes.clone()),
            WebSocketMessage::Close(_) => return Ok(()),
        };
        self.context
            .write(&mut self.pipe, message)
            .map_err(fault_of)
    }

    /// Starts the closing handshake; the close frame goes after the bytes that already wait. Later
    /// calls, and calls after the end, change nothing.
    ///
    /// # Errors
    /// [`CodeNotSendable`](WebSocketFault::CodeNotSendable);
    /// [`ControlTooLong`](WebSocketFault::ControlTooLong) for a reason over 123 bytes. Nothing
    /// changes then.
    pub(crate) fn close(
        &mut self,
        code: u16,
        reason: &str,
        now: Instant,
    ) -> Result<(), WebSocketFault> {
        let reason = reason.to_owned();
        self.begin_close(Some(CloseFrame { code, reason }), now)
    }

    fn begin_close(
        &mut self,
        frame: Option<CloseFrame>,
        now: Instant,
    ) -> Result<(), WebSocketFault> {
        if let Some(frame) = &frame {
            frame.check()?;
        }
        if !matches!(self.state, State::Open) {
            return Ok(());
        }
        self.context
            .close(&mut self.pipe, frame.map(to_wire))
            .map_err(fault_of)?;
        self.state = State::Closing { by: self.by(now) };
        Ok(())
    }

    /// Whether the peer's close frame has arrived and was valid. Then the WebSocket has ended
    /// cleanly, whatever happens to the connection (§7.1.4).
    #[cfg(feature = "agent")]
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Records that nothing can be sent any more.
    pub(crate) fn discard_outgoing(&mut self) {
        self.pipe.discard_outgoing();
    }

    /// The bytes to send. Report how many were sent with [`transmitted`](Self::transmitted).
    pub(crate) fn poll_transmit(&mut self) -> &[u8] {
        self.pipe.outgoing()
    }

    /// Records that the first `count` of the bytes to send were written to the network.
    pub(crate) fn transmitted(&mut self, count: usize, now: Instant) {
        if count == 0 {
            return;
        }
        self.pipe.consume_outgoing(count);
        self.liveness.sent(self.pipe.sent(), now);
        let later = self.by(now);
        match &mut self.state {
            State::Open => {}
            // As long as bytes move, the closing handshake may take longer.
            State::Closing { by } | State::Closed { by } | State::Failed { by, .. } => *by = later,
        }
    }

    /// The number of bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.pipe.outgoing().len()
    }

    /// Pings, and fails the connection when the peer was silent for too long. Call it after all
    /// received bytes were passed in. While events wait to be taken, the silence is not the peer's
    /// fault.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &self.state {
            State::Open => {
                if self.has_more {
                    self.liveness.heard(now);
                }
                match self.liveness.advise(now) {
                    KeepAliveAction::Wait => {}
                    KeepAliveAction::Ping => {
                        let ping = Message::Ping(Bytes::new());
                        let _ = self.context.write(&mut self.pipe, ping);
                        self.liveness.pinged(self.pipe.written(), now);
                    }
                    KeepAliveAction::Fail => {
                        self.fail(WebSocketFault::PongTimeout, now);
                    }
                }
            }
            State::Closing { by: Some(by) } if now >= *by => {
                if self.has_more {
                    self.state = State::Closing { by: self.by(now) };
                } else {
                    self.fail(WebSocketFault::CloseTimeout, now);
                }
            }
            State::Closed { by: Some(by) } | State::Failed { by: Some(by), .. } if now >= *by => {
                self.pipe.discard_outgoing();
                self.pipe.receive_eof();
            }
            State::Closing { .. } | State::Closed { .. } | State::Failed { .. } => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Open => self.liveness.due(),
            State::Closing { by } => *by,
            State::Closed { by } | State::Failed { by, .. } => by.filter(|_| !self.is_finished()),
        }
    }

    /// Whether messages can be sent.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether the peer broke the protocol and gets a close frame that says so. It may still be sending.
    #[cfg(feature = "server")]
    pub(crate) fn has_refused(&self) -> bool {
        matches!(&self.state, State::Failed { fault, .. } if super::close_code::for_fault(fault).is_some())
    }

    /// Whether the connection is finished and should be closed. A client waits a while for the
    /// server to close it (§7.1.1).
    pub(crate) fn is_finished(&self) -> bool {
        let is_silent = self.pipe.outgoing().is_empty();
        match self.state {
            State::Open | State::Closing { .. } => false,
            State::Closed { .. } => {
                is_silent && (self.role == Role::Server || self.pipe.has_ended())
            }
            State::Failed { .. } => is_silent,
        }
    }

    fn by(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.config.close_timeout)
    }

    /// Fails the connection (§7.1.7), and sends the peer the reason if possible.
    fn fail(&mut self, fault: WebSocketFault, now: Instant) -> WebSocketFault {
        match super::close_code::for_fault(&fault) {
            Some(code) => {
                let reason = String::new();
                if self.context.can_write() {
                    let frame = to_wire(CloseFrame { code, reason });
                    let _ = self.context.close(&mut self.pipe, Some(frame));
                }
            }
            None => self.pipe.discard_outgoing(),
        }
        self.pipe.discard_incoming();
        self.state = State::Failed {
            fault: fault.clone(),
            by: self.by(now),
        };
        fault
    }
}

impl fmt::Debug for WebSocketMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug output contains no messages.
        f.debug_struct("WebSocketMachine")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
