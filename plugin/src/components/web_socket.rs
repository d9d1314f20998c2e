//! [`HttpWebSocket`]: the options of a WebSocket, as data that scenes can save.

use std::time::Duration;

#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::agent::WebSocketOptions;
use httpoll::websocket::WebSocketConfig;

/// How to open a WebSocket; see [`HttpStream::WebSocket`](crate::HttpStream::WebSocket).
///
/// ```
/// # use bevy_httpoll::prelude::*;
/// let stream = HttpStream::WebSocket(HttpWebSocket {
///     subprotocols: vec!["chat".into()],
///     ..HttpWebSocket::default()
/// });
/// # let _ = stream;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
pub struct HttpWebSocket {
    /// The subprotocols to offer, the preferred one first (RFC 6455 §1.9). Default: none.
    pub subprotocols: Vec<String>,
    /// The most bytes of a received message. Default 1 MiB.
    pub message_bytes: usize,
    /// The most bytes of a received frame. Default 1 MiB.
    pub frame_bytes: usize,
    /// The most bytes that may wait to be sent. A message beyond them is refused. Default 1 MiB.
    pub send_queue_bytes: usize,
    /// How long the peer may be silent before it is pinged. Default 20 s; `None` never pings.
    pub ping_interval: Option<Duration>,
    /// How long the peer may stay silent after a ping before it counts as gone. Default 20 s.
    pub pong_timeout: Duration,
    /// How long the closing handshake may take. Default 5 s.
    pub close_timeout: Duration,
    /// Whether received pings and pongs are delivered as messages. Pings are replied to in either case.
    /// Default `false`.
    pub shows_control_frames: bool,
}

impl Default for HttpWebSocket {
    fn default() -> Self {
        let config = WebSocketConfig::default();
        Self {
            subprotocols: Vec::new(),
            message_bytes: config.message_bytes,
            frame_bytes: config.frame_bytes,
            send_queue_bytes: config.send_queue_bytes,
            ping_interval: config.ping_interval,
            pong_timeout: config.pong_timeout,
            close_timeout: config.close_timeout,
            shows_control_frames: config.shows_control_frames,
        }
    }
}

impl HttpWebSocket {
    pub(crate) fn options(&self) -> WebSocketOptions {
        let mut config = WebSocketConfig::default();
        config.message_bytes = self.message_bytes;
        config.frame_bytes = self.frame_bytes;
        config.send_queue_bytes = self.send_queue_bytes;
        config.ping_interval = self.ping_interval;
        config.pong_timeout = self.pong_timeout;
        config.close_timeout = self.close_timeout;
        config.shows_control_frames = self.shows_control_frames;
        let options = WebSocketOptions::new().config(config);
        self.subprotocols
            .iter()
            .fold(options, |options, name| options.subprotocol(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_reaches_the_agent() {
        let second = Duration::from_secs(1);
        let socket = HttpWebSocket {
            subprotocols: vec!["chat".to_owned(), "game".to_owned()],
            message_bytes: 1,
            frame_bytes: 2,
            send_queue_bytes: 3,
            ping_interval: None,
            pong_timeout: 4 * second,
            close_timeout: 7 * second,
            shows_control_frames: true,
        };
        let mut config = WebSocketConfig::default();
        config.message_bytes = 1;
        config.frame_bytes = 2;
        config.send_queue_bytes = 3;
        config.ping_interval = None;
        config.pong_timeout = 4 * second;
        config.close_timeout = 7 * second;
        config.shows_control_frames = true;
        let options = WebSocketOptions::new()
            .config(config)
            .subprotocol("chat")
            .subprotocol("game");
        assert_eq!(format!("{:?}", socket.options()), format!("{options:?}"));
    }
}
