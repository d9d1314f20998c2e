//! A connection as a snapshot of its server shows it.

use super::Connection;
use super::state::{Source, Stage};
use crate::clock::Instant;
use crate::server::inspector::{ConnectionPhase, ServerConnectionSnapshot};

impl Connection {
    pub(in crate::server) fn snapshot(&self, now: Instant) -> ServerConnectionSnapshot {
        let since = |at: Instant| now.saturating_duration_since(at);
        let queued_bytes = match &self.stage {
            Stage::Responding(Source::Pipe(pipe)) => pipe.queued(),
            #[cfg(feature = "websocket")]
            Stage::Socket(socket) => socket.queued(),
            _ => self.pending() + self.link.pending(),
        };
        ServerConnectionSnapshot {
            number: self.client.number(),
            client: self.client.peer_addr(),
            phase: self.phase(),
            phase_time: since(self.since),
            method: self.current.method.clone(),
            path: self.current.path.clone(),
            status: self.current.status,
            request_time: self.current.started.map(since),
            received_bytes: self.current.received,
            sent_bytes: self.current.sent,
            queued_bytes,
            requests: self.requests,
        }
    }

    fn phase(&self) -> ConnectionPhase {
        match &self.stage {
            Stage::Handshaking => ConnectionPhase::TlsHandshake,
            Stage::Head if self.recv.is_empty() => ConnectionPhase::Idle,
            Stage::Head => ConnectionPhase::ReceiveHead,
            Stage::Collecting(_) => ConnectionPhase::ReceiveContent,
            Stage::Storing(_) => ConnectionPhase::StoreFiles,
            Stage::Ready(_) => ConnectionPhase::AwaitHandler,
            Stage::Waiting(_) => ConnectionPhase::AwaitResponder,
            Stage::Locating(_) => ConnectionPhase::OpenFile,
            Stage::Responding(Source::Pipe(pipe)) if pipe.beat().is_some() => {
                ConnectionPhase::EventStream
            }
            Stage::Responding(Source::Pipe(_)) => ConnectionPhase::Stream,
            Stage::Responding(_) => ConnectionPhase::SendResponse,
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => ConnectionPhase::WebSocket,
            Stage::Lingering => ConnectionPhase::Closing,
        }
    }
}
