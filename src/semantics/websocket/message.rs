//! The messages of a WebSocket: data messages and control frames (RFC 6455 §5.5, §5.6). Close codes
//! are in `close_code`.

use bytes::Bytes;

use super::close_code::may_be_sent;
use crate::error::WebSocketFault;

/// The maximum payload of a control frame in bytes (RFC 6455 §5.5).
pub(super) const CONTROL_BYTES: usize = 125;

/// A message, or a control frame. RFC 6455 §5.2 has these five kinds and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// UTF-8 text.
    Text(String),
    /// Bytes of any kind.
    Binary(Bytes),
    /// Asks whether the peer is still there; at most 125 bytes of payload. The connection sends and
    /// answers pings by itself. Send one yourself to measure the round-trip time.
    Ping(Bytes),
    /// The reply to a ping, with the same payload; or a sign of life that needs no reply.
    Pong(Bytes),
    /// The start of the closing handshake.
    Close(Option<CloseFrame>),
}

/// Why the WebSocket is closed (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// See [`close_code`](super::close_code).
    pub code: u16,
    /// A human-readable text of at most 123 bytes.
    pub reason: String,
}

impl WebSocketMessage {
    /// A text message from bytes that must be UTF-8.
    ///
    /// # Errors
    /// [`WebSocketFault::InvalidUtf8`] when they are not.
    pub fn text(bytes: impl Into<Vec<u8>>) -> Result<Self, WebSocketFault> {
        match String::from_utf8(bytes.into()) {
            Ok(text) => Ok(Self::Text(text)),
            Err(_) => Err(WebSocketFault::InvalidUtf8),
        }
    }
}

impl From<String> for WebSocketMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for WebSocketMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Bytes> for WebSocketMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for WebSocketMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for WebSocketMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl CloseFrame {
    /// Checks whether the message may be sent.
    pub(crate) fn check(&self) -> Result<(), WebSocketFault> {
        if !may_be_sent(self.code) {
            return Err(WebSocketFault::CodeNotSendable { code: self.code });
        }
        if self.reason.len() + 2 > CONTROL_BYTES {
            return Err(WebSocketFault::ControlTooLong);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_must_be_utf8() {
        assert_eq!(WebSocketMessage::text("ä"), Ok("ä".into()));
        assert_eq!(
            WebSocketMessage::text(*b"\xff"),
            Err(WebSocketFault::InvalidUtf8)
        );
    }

    #[test]
    fn bytes_become_binary_messages() {
        let binary = WebSocketMessage::Binary(Bytes::from_static(b"a"));
        assert_eq!(WebSocketMessage::from(&b"a"[..]), binary);
        assert_eq!(WebSocketMessage::from(b"a".to_vec()), binary);
        assert_eq!(WebSocketMessage::from(Bytes::from_static(b"a")), binary);
        assert_eq!(
            WebSocketMessage::from(String::from("a")),
            WebSocketMessage::from("a")
        );
    }
}
