//! [`WebSocketFault`]: what goes wrong with a WebSocket (RFC 6455): in the handshake, in received
//! frames, at the end, and in calls.

use std::fmt;

/// Why a WebSocket could not be opened, failed, or refused a call. Sections are those of RFC 6455.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketFault {
    /// The server responded to the upgrade with a status other than 101 (§4.1).
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
    /// `Sec-WebSocket-Accept` does not match the key: the server does not speak WebSocket, or something
    /// between responded instead (§4.1).
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
    /// A control frame with more than 125 bytes, received or to be sent (§5.5).
    ControlTooLong,
    /// A continuation frame without a message to continue (§5.4).
    UnexpectedContinuation,
    /// A new message before the end of the previous one (§5.4).
    ExpectedContinuation,
    /// A close frame with half a code (§5.5.1).
    InvalidCloseFrame,
    /// A close frame with a code that may not be sent (§7.4).
    InvalidCloseCode {
        /// The code.
        code: u16,
    },
    /// Text that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A received frame or message that exceeds its limit.
    MessageTooBig {
        /// [`WebSocketConfig::frame_bytes`](crate::websocket::WebSocketConfig::frame_bytes) or
        /// [`message_bytes`](crate::websocket::WebSocketConfig::message_bytes).
        limit: usize,
    },
    /// Another violation of the framing (§5).
    Protocol,

    /// The connection ended without a closing handshake (§7.1.5, 1006).
    ClosedAbnormally,
    /// The peer sent nothing for too long, even after a ping.
    PongTimeout,
    /// The peer did not finish the closing handshake in time.
    CloseTimeout,

    /// The WebSocket is closing or closed; nothing more can be sent.
    NotOpen,
    /// Too many bytes wait to be sent; the message was not queued. Send it again later.
    QueueFull {
        /// [`WebSocketConfig::send_queue_bytes`](crate::websocket::WebSocketConfig::send_queue_bytes).
        limit: usize,
    },
    /// The message is larger than the whole send queue.
    TooLargeToSend {
        /// [`WebSocketConfig::send_queue_bytes`](crate::websocket::WebSocketConfig::send_queue_bytes).
        limit: usize,
    },
    /// A close code that must not be sent (§7.4).
    CodeNotSendable {
        /// The code.
        code: u16,
    },
    /// A subprotocol that is not a token or is offered twice (§4.1), or a chosen one that was not offered.
    InvalidSubprotocol,
    /// A header that the handshake sets itself.
    ReservedHeader,
}

impl fmt::Display for WebSocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSwitched { status } => {
                return write!(f, "the server responded to the WebSocket upgrade with status {status}");
            }
            Self::MessageTooBig { limit } => {
                return write!(
                    f,
                    "a WebSocket frame or message has more than {limit} bytes (WebSocketConfig::message_bytes, frame_bytes)"
                );
            }
            Self::QueueFull { limit } => {
                return write!(
                    f,
                    "the WebSocket's send queue of {limit} bytes is full (WebSocketConfig::send_queue_bytes); send again later"
                );
            }
            Self::TooLargeToSend { limit } => {
                return write!(
                    f,
                    "the WebSocket message with its frame is larger than the send queue of {limit} bytes (WebSocketConfig::send_queue_bytes)"
                );
            }
            Self::CodeNotSendable { code } => {
                return write!(f, "the WebSocket close code {code} must not be sent");
            }
            Self::InvalidCloseCode { code } => {
                return write!(
                    f,
                    "the peer closed the WebSocket with code {code}, which may not be sent (RFC 6455 §7.4)"
                );
            }
            Self::NoUpgrade => "`Upgrade: websocket` or `Connection: Upgrade` is missing",
            Self::NoUpgradeRequest => "a WebSocket handshake needs GET and HTTP/1.1",
            Self::UnsupportedVersion => "the WebSocket version is not 13",
            Self::InvalidKey => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::WrongAccept => "Sec-WebSocket-Accept does not match the key: does the server speak WebSocket?",
            Self::UnexpectedSubprotocol => "the server chose a subprotocol that was not offered",
            Self::UnexpectedExtension => "the server chose an extension that was not offered",
            Self::ReservedBits => "the peer sent a WebSocket frame with reserved bits set",
            Self::ReservedOpcode => "the peer sent a WebSocket frame with a reserved opcode",
            Self::MaskedFrame => "the server sent a masked WebSocket frame",
            Self::UnmaskedFrame => "the client sent a WebSocket frame without a mask",
            Self::FragmentedControl => "the peer sent a WebSocket control frame in fragments",
            Self::ControlTooLong => "a WebSocket control frame has more than 125 bytes",
            Self::UnexpectedContinuation => "the peer sent a WebSocket continuation frame without a message",
            Self::ExpectedContinuation => "the peer began a WebSocket message inside another one",
            Self::InvalidCloseFrame => "the peer sent a malformed WebSocket close frame",
            Self::InvalidUtf8 => "the peer sent WebSocket text that is not UTF-8",
            Self::Protocol => "the peer broke the WebSocket protocol",
            Self::ClosedAbnormally => "the connection of the WebSocket ended without a close frame",
            Self::PongTimeout => {
                "the peer did not respond to a ping (WebSocketConfig::ping_interval, pong_timeout)"
            }
            Self::CloseTimeout => {
                "the peer did not finish the closing handshake (WebSocketConfig::close_timeout)"
            }
            Self::NotOpen => "the WebSocket is closing or closed",
            Self::InvalidSubprotocol => "a subprotocol must be a token, and each may be offered once",
            Self::ReservedHeader => "the WebSocket handshake sets this header itself",
        })
    }
}

impl std::error::Error for WebSocketFault {}
