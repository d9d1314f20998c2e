//! WebSockets (RFC 6455) for handlers: the two queues between a handler and the connection that runs
//! the protocol.

pub(super) mod shared;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;

use super::client::Client;
use super::fault::HandlerError;
use super::into_response::IntoResponse;
use super::pipe::{Pipe, SendError};
use super::request::Request;
use super::response::Response;
use crate::error::WebSocketFault;
use crate::proto::{FieldLines, RequestHead};
use crate::semantics::websocket::{
    CloseFrame, UpgradeRejection, UpgradeRequest, WebSocketConfig, WebSocketMessage, close_code,
};
use shared::{End, Shared, Upgrade, weight};

/// A WebSocket to one client. It can be kept and sent to another thread. Dropping it closes it with the code
/// 1000. The server responds to pings, and sends pings to a silent client.
#[derive(Debug)]
pub struct WebSocket {
    shared: Arc<Shared>,
    client: Client,
    protocol: Option<String>,
}

/// Options of a WebSocket.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Limits and timeouts.
    pub config: WebSocketConfig,
    /// The supported subprotocols. The server chooses the one that the client prefers. If the client offers none
    /// of them, the WebSocket has no subprotocol.
    pub protocols: Vec<String>,
    /// More fields of the response, except those of the handshake.
    pub fields: FieldLines,
}

/// The request does not open a WebSocket. Becomes a response with `400`, or `426` for another version.
#[derive(Debug)]
pub struct WebSocketRefused {
    fault: WebSocketFault,
    status: StatusCode,
    fields: FieldLines,
}

impl WebSocket {
    /// Accepts the WebSocket that a request asks for.
    pub(super) fn accept(
        request: &mut Request,
        options: Options,
    ) -> Result<Self, WebSocketRefused> {
        let upgrade = UpgradeRequest::check(&head_of(request))?;
        let spoken: Vec<&str> = options.protocols.iter().map(String::as_str).collect();
        let protocol = upgrade.choose(&spoken).map(str::to_owned);
        let head = upgrade
            .accept(protocol.as_deref(), &options.fields)
            .map_err(|fault| WebSocketRefused {
                fault,
                status: StatusCode::INTERNAL_SERVER_ERROR,
                fields: FieldLines::new(),
            })?;
        let client = *request.client();
        let responder = request.defer();
        let (wake_queue, id) = responder.address();
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            outgoing: Pipe::new(
                Arc::clone(&wake_queue),
                id,
                options.config.send_queue_bytes,
                None,
            ),
            wake_queue,
            id,
            held_bytes: options.config.message_bytes,
        });
        let upgrade = Upgrade::new(head, options.config, Arc::clone(&shared));
        responder.respond(Response::upgrade(upgrade));
        Ok(Self {
            shared,
            client,
            protocol,
        })
    }

    /// The next message, if there is one. Never waits. After the WebSocket has ended, this still returns the
    /// messages that arrived before. While messages are not taken, the server reads nothing more, and so the
    /// client stops sending.
    pub fn receive(&mut self) -> Option<WebSocketMessage> {
        let mut inbox = self.shared.inbox();
        let was_full = inbox.bytes >= self.shared.held_bytes;
        let message = inbox.messages.pop_front()?;
        inbox.bytes -= weight(&message);
        if was_full && inbox.bytes < self.shared.held_bytes {
            drop(inbox);
            self.shared.ring();
        }
        Some(message)
    }

    /// Queues a message. Never waits.
    ///
    /// # Errors
    /// [`SendError::Full`] when the client reads too slowly, [`SendError::Closed`] when the WebSocket is
    /// closed or closing. The message was not queued then.
    pub fn send(&mut self, message: impl Into<WebSocketMessage>) -> Result<(), SendError> {
        self.push(message.into(), None)
    }

    /// Like [`send`](Self::send), but replaces a message with this key that still waits: a slow client gets only
    /// the latest.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_latest(
        &mut self,
        key: &str,
        message: impl Into<WebSocketMessage>,
    ) -> Result<(), SendError> {
        self.push(message.into(), Some(key.into()))
    }

    fn push(&mut self, message: WebSocketMessage, key: Option<Arc<str>>) -> Result<(), SendError> {
        if self.shared.inbox().close_to_send.is_some() {
            return Err(SendError::Closed);
        }
        let frame = match &message {
            WebSocketMessage::Text(text) => frame(TEXT, text.as_bytes()),
            WebSocketMessage::Binary(bytes) => frame(BINARY, bytes),
            WebSocketMessage::Ping(bytes) => frame(PING, bytes.get(..125).unwrap_or(bytes)),
            WebSocketMessage::Pong(bytes) => frame(PONG, bytes.get(..125).unwrap_or(bytes)),
            WebSocketMessage::Close(frame) => {
                match frame {
                    Some(CloseFrame { code, reason }) => self.close(*code, reason),
                    None => self.close(close_code::NORMAL_CLOSURE, ""),
                }
                return Ok(());
            }
        };
        self.shared.outgoing.push(frame, key)
    }

    /// Sends a close frame after the messages that wait. Further calls change nothing. A code that must
    /// not be sent becomes 1000; a reason over 123 bytes is left out.
    pub fn close(&mut self, code: u16, reason: &str) {
        let mut inbox = self.shared.inbox();
        if inbox.close_to_send.is_none() && inbox.end.is_none() {
            let reason = if reason.len() > 123 { "" } else { reason };
            inbox.close_to_send = Some(CloseFrame {
                code,
                reason: reason.to_owned(),
            });
            drop(inbox);
            self.shared.ring();
        }
    }

    /// Whether it has ended: no more messages arrive, but [`receive`](Self::receive) may still return some. The
    /// close frame that answers the client's has left by then.
    pub fn is_closed(&self) -> bool {
        self.shared.inbox().end.is_some()
    }

    /// The client's close frame, if it sent one.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        match &self.shared.inbox().end {
            Some(End::Closed(frame)) => frame.clone(),
            _ => None,
        }
    }

    /// Why it ended, if it did not end cleanly.
    pub fn fault(&self) -> Option<WebSocketFault> {
        match &self.shared.inbox().end {
            Some(End::Failed(fault)) => Some(fault.clone()),
            _ => None,
        }
    }

    /// How many bytes wait for the client.
    pub fn queued(&self) -> usize {
        self.shared.outgoing.queued()
    }

    /// The subprotocol that was chosen.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The client at the other end.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The far end's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.client.peer_addr()
    }

    pub(super) fn pipe(&self) -> Arc<Pipe> {
        Arc::clone(&self.shared.outgoing)
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.close(close_code::NORMAL_CLOSURE, "");
    }
}

impl WebSocketRefused {
    /// The reason.
    pub fn fault(&self) -> &WebSocketFault {
        &self.fault
    }
}

impl From<UpgradeRejection> for WebSocketRefused {
    fn from(refusal: UpgradeRejection) -> Self {
        Self {
            fault: refusal.fault,
            status: refusal.status,
            fields: refusal.fields,
        }
    }
}

impl From<WebSocketRefused> for Response {
    fn from(refused: WebSocketRefused) -> Self {
        let mut response = Self::plain(refused.status);
        for (name, value) in refused.fields.iter() {
            // The fields of the handshake are valid.
            let _ = response.append_header(name, value);
        }
        response
    }
}

impl IntoResponse for WebSocketRefused {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(self.into())
    }
}

/// Whether a request asks for a WebSocket, even if its handshake is invalid.
pub(super) fn is_asked_for(request: &Request) -> bool {
    UpgradeRequest::is_asked_for(&head_of(request))
}

fn head_of(request: &Request) -> RequestHead {
    RequestHead {
        method: request.method().clone(),
        target: String::new(),
        version: request.version(),
        fields: request.headers().clone(),
    }
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A text message as a server sends it.
pub(super) fn text_frame(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// One whole message as one unmasked frame (RFC 6455 §5.2): the same bytes for every client.
fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => frame.put_u8(u8::try_from(length).unwrap_or(125)),
        length @ 126..=65_535 => {
            frame.put_u8(126);
            frame.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
        }
        length => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    frame.extend_from_slice(payload);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shortest_length() {
        for (length, head) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text_frame(&"x".repeat(length));
            assert_eq!(
                (&frame[..head.len()], frame.len()),
                (head, head.len() + length)
            );
        }
        assert_eq!(frame(BINARY, b"\xff")[..], [0x82, 1, 0xff]);
    }
}
