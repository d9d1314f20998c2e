//! The limits and times of one WebSocket.

use std::time::Duration;

/// What a WebSocket takes, holds and waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// Bytes of one received message, over all its fragments. Default 1 MiB: game traffic is small,
    /// and a peer must not fill the memory.
    pub message_bytes: usize,
    /// Bytes of one received frame. Default 1 MiB: most peers send a message as one frame.
    pub frame_bytes: usize,
    /// Bytes that may wait to be sent, frames and all. Sending beyond it is refused, and nothing is
    /// lost. A larger message can never be sent. Default 1 MiB.
    pub send_queue_bytes: usize,
    /// How long a peer may be silent before it is pinged; `None` never pings. Default 20 s, which is
    /// below the idle limits of common proxies and NATs.
    pub ping_interval: Option<Duration>,
    /// How long it may stay silent after a ping before it counts as gone. Default 20 s.
    pub pong_timeout: Duration,
    /// How long the closing handshake may take, from the first close frame to the end of the
    /// connection. Default 5 s.
    pub close_timeout: Duration,
    /// Whether received pings and pongs are told. Pings are answered either way. Default false.
    pub shows_control_frames: bool,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            message_bytes: 1024 * 1024,
            frame_bytes: 1024 * 1024,
            send_queue_bytes: 1024 * 1024,
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            shows_control_frames: false,
        }
    }
}
