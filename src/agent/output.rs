//! Where the content of a response goes.

use super::download::Download;

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Output {
    /// Into memory, handed over whole.
    Collect,
    /// To the caller, piece by piece.
    Stream,
    /// Into a file.
    File(Box<Download>),
    /// To the caller as server-sent events.
    EventStream,
    /// Nowhere: the stream is switched to WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket(Box<super::web_socket::WebSocketOptions>),
}
