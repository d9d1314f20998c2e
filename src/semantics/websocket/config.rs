//! The limits and times of one WebSocket (RFC 6455 leaves them to the implementation).

use std::time::Duration;

/// The limits, buffers and timeouts of one WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// The maximum size of one received message in bytes, over all its fragments. Default 1 MiB:
    /// game traffic is small, and a peer must not fill the memory.
    pub message_bytes: usize,
    /// The maximum size of one received frame in bytes. Default 1 MiB: most peers send a message as
    /// one frame.
    pub frame_bytes: usize,
    /// The maximum number of bytes that may wait to be sent, including frame headers. A message
    /// that does not fit is refused, and nothing is lost. So a message larger than this can never
    /// be sent. Default 1 MiB.
    pub send_queue_bytes: usize,
    /// How long a peer may be silent before this side pings it; `None` never pings. Default 20 s,
    /// which is below the idle timeouts of common proxies and NATs.
    pub ping_interval: Option<Duration>,
    /// How long the peer may stay silent after a ping before it counts as gone. Default 20 s.
    pub pong_timeout: Duration,
    /// The timeout of the closing handshake, from the first close frame to the end of the
    /// connection. Default 5 s.
    pub close_timeout: Duration,
    /// Whether received pings and pongs are reported. Pings are answered either way. Default false.
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
