//! What goes wrong with a WebSocket, by blame: the handshake, the peer, the end, the caller.

use std::fmt;

/// Why a WebSocket could not be opened, failed, or refused a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketFault {
    /// The server answered the upgrade with another status than 101 (RFC 6455 §4.1).
    NotSwitched {
        /// The status code.
        status: u16,
    },
    /// `Upgrade: websocket` or `Connection: Upgrade` is missing (§4.1, §4.2.1).
    NoUpgrade,
    /// The request's method is not GET, or its version is below HTTP/1.1 (§4.2.1).
    NoUpgradeRequest,
    /// `Sec-WebSocket-Version` is not 13 (§4.4).
    UnsupportedVersion,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64 (§4.2.1).
    InvalidKey,
    /// `Sec-WebSocket-Accept` does not answer the key: the server speaks no WebSocket, or something
    /// between answered in its place (§4.1).
    WrongAccept,
    /// The server chose a subprotocol that was not offered, or several (§4.1).
    UnexpectedSubprotocol,
    /// The server chose an extension, but none was offered (§4.1).
    UnexpectedExtension,

    /// A frame with reserved bits set (§5.2).
    ReservedBits,
    /// A frame with a reserved opcode (§5.2).
    ReservedOpcode,
    /// A masked frame from a server (§5.1).
    MaskedFrame,
    /// A frame from a client without a mask (§5.1).
    UnmaskedFrame,
    /// A control frame in fragments (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes; or one's own (§5.5).
    ControlTooLong,
    /// A continuation of nothing (§5.4).
    UnexpectedContinuation,
    /// A new message before the end of the one before (§5.4).
    ExpectedContinuation,
    /// A close frame with half a code or one that may not be sent (§5.5.1, §7.4).
    InvalidCloseFrame,
    /// Text that is no UTF-8 (§8.1).
    InvalidUtf8,
    /// A received frame or message over its limit.
    MessageTooBig {
        /// [`WebSocketConfig::frame_bytes`](crate::websocket::WebSocketConfig::frame_bytes) or
        /// [`message_bytes`](crate::websocket::WebSocketConfig::message_bytes).
        limit: usize,
    },
    /// Another breach of the framing (§5).
    Protocol,

    /// The connection ended without a closing handshake (§7.1.5, 1006).
    ClosedAbnormally,
    /// The peer was silent for too long, also after a ping.
    PongTimeout,
    /// The peer did not finish the closing handshake in time.
    CloseTimeout,

    /// The WebSocket is closing or closed: nothing more can be sent.
    NotOpen,
    /// Too much waits to be sent; the message was not taken. Send it again later.
    QueueFull {
        /// [`WebSocketConfig::send_queue_bytes`](crate::websocket::WebSocketConfig::send_queue_bytes).
        limit: usize,
    },
    /// The message is larger than what may ever wait to be sent.
    TooLargeToSend {
        /// [`WebSocketConfig::send_queue_bytes`](crate::websocket::WebSocketConfig::send_queue_bytes).
        limit: usize,
    },
    /// A close code that no close frame may hold (§7.4).
    CodeNotSendable {
        /// The code.
        code: u16,
    },
    /// A subprotocol that is no token, or offered twice (§4.1); or one chosen that was not offered.
    InvalidSubprotocol,
    /// A header of the handshake that the handshake sets itself.
    ReservedHeader,
}

impl fmt::Display for WebSocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSwitched { status } => {
                return write!(f, "the server answered the WebSocket upgrade with {status}");
            }
            Self::MessageTooBig { limit } => {
                return write!(
                    f,
                    "a WebSocket message over {limit} bytes (WebSocketConfig::message_bytes, frame_bytes)"
                );
            }
            Self::QueueFull { limit } => {
                return write!(
                    f,
                    "more than {limit} bytes would wait to be sent (WebSocketConfig::send_queue_bytes): send again later"
                );
            }
            Self::TooLargeToSend { limit } => {
                return write!(
                    f,
                    "the message is larger than {limit} bytes with its frame (WebSocketConfig::send_queue_bytes)"
                );
            }
            Self::CodeNotSendable { code } => {
                return write!(f, "the close code {code} may not be sent");
            }
            Self::NoUpgrade => "`Upgrade: websocket` or `Connection: Upgrade` is missing",
            Self::NoUpgradeRequest => "a WebSocket is asked for by GET and HTTP/1.1",
            Self::UnsupportedVersion => "the WebSocket version is not 13",
            Self::InvalidKey => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::WrongAccept => "Sec-WebSocket-Accept does not answer the key",
            Self::UnexpectedSubprotocol => "the server chose a subprotocol that was not offered",
            Self::UnexpectedExtension => "the server chose an extension that was not offered",
            Self::ReservedBits => "a WebSocket frame with reserved bits set",
            Self::ReservedOpcode => "a WebSocket frame with a reserved opcode",
            Self::MaskedFrame => "a masked WebSocket frame from a server",
            Self::UnmaskedFrame => "a WebSocket frame from a client without a mask",
            Self::FragmentedControl => "a WebSocket control frame in fragments",
            Self::ControlTooLong => "a WebSocket control frame with more than 125 bytes",
            Self::UnexpectedContinuation => "a WebSocket continuation of nothing",
            Self::ExpectedContinuation => "a WebSocket message inside another one",
            Self::InvalidCloseFrame => "a malformed WebSocket close frame",
            Self::InvalidUtf8 => "WebSocket text that is no UTF-8",
            Self::Protocol => "the peer broke the WebSocket protocol",
            Self::ClosedAbnormally => "the WebSocket ended without a closing handshake",
            Self::PongTimeout => {
                "the peer answers no ping (WebSocketConfig::ping_interval, pong_timeout)"
            }
            Self::CloseTimeout => {
                "the peer does not finish the closing handshake (WebSocketConfig::close_timeout)"
            }
            Self::NotOpen => "the WebSocket is closing or closed",
            Self::InvalidSubprotocol => "a subprotocol must be a token, and each may be offered once",
            Self::ReservedHeader => "this header is set by the WebSocket handshake itself",
        })
    }
}

impl std::error::Error for WebSocketFault {}
