//! A connection as the inspector page shows it.

use serde_json::{Value, json};

use super::Connection;
use super::state::{Source, Stage};
use crate::clock::Instant;
use crate::server::inspector::time::milliseconds;

impl Connection {
    pub(in crate::server) fn to_json(&self, now: Instant) -> Value {
        let since = |at: Instant| milliseconds(now.saturating_duration_since(at));
        let queued = match &self.stage {
            Stage::Responding(Source::Pipe(pipe)) => pipe.queued(),
            #[cfg(feature = "websocket")]
            Stage::Socket(socket) => socket.queued(),
            _ => self.pending() + self.link.pending(),
        };
        let method = self.current.method.as_ref().map(|method| method.as_str());
        json!({
            "connection": self.client.number(),
            "client": self.client.peer_addr().to_string(),
            "phase": self.phase(),
            "for_ms": since(self.since),
            "method": method,
            "path": self.current.path,
            "status": self.current.status.map(|status| status.as_u16()),
            "request_ms": self.current.started.map(since),
            "sent": self.current.sent,
            "waiting to be sent": queued,
            "requests": self.requests,
        })
    }

    fn phase(&self) -> &'static str {
        match &self.stage {
            Stage::Handshaking => "TLS handshake",
            Stage::Head if self.recv.is_empty() => "idle",
            Stage::Head => "receiving a head",
            Stage::Collecting(_) => "receiving content",
            Stage::Ready(_) => "waiting for its handler's turn",
            Stage::Waiting(_) => "waiting for a deferred response",
            Stage::Responding(Source::Pipe(pipe)) if pipe.beat().is_some() => "event stream",
            Stage::Responding(Source::Pipe(_)) => "streaming",
            Stage::Responding(_) => "sending",
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => "WebSocket",
            Stage::Lingering { .. } => "closing",
        }
    }
}
