//! Where the content of a response goes.

use super::download::Download;
use crate::semantics::frames::Framing;

/// Where the caller wants the content.
#[derive(Debug)]
pub(crate) enum Output {
    /// Into memory, to be delivered whole.
    Collect,
    /// To the caller, piece by piece.
    Stream,
    /// Into a file.
    File(Box<Download>),
    /// To the caller, message by message.
    Messages(Framing),
    /// To the caller as server-sent events.
    EventStream,
    /// Nowhere: the stream switches to WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket(Box<super::web_socket::WebSocketOptions>),
}

impl Output {
    /// Whether the stream switches to WebSocket.
    pub(crate) fn is_web_socket(&self) -> bool {
        #[cfg(feature = "websocket")]
        return matches!(self, Self::WebSocket(_));
        #[cfg(not(feature = "websocket"))]
        return false;
    }
}
