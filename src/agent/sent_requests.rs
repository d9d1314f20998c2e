//! What a caller does with a request that it has sent: cancel it, pause it, change its priority or its rate, send
//! messages over its WebSocket. Dropped handles cancel their requests here, too.

use super::agent::{Agent, Backend};
use super::engine::command::Command;
use super::id::RequestId;
use super::settings::Priority;
#[cfg(feature = "websocket")]
use crate::error::Error;
#[cfg(feature = "websocket")]
use crate::semantics::websocket::WebSocketMessage;

impl Agent {
    /// Ends a request at once, in any state: its connection is closed, its file is removed, and it causes no
    /// more events. Does nothing if the request has ended or is unknown.
    pub fn cancel(&mut self, id: RequestId) {
        if let Some(command) = self.cancellation(vec![id]) {
            self.command(command);
        }
    }

    /// Pauses a request: if it waits, it is not started; if it runs, no more content is read, so the server
    /// waits. Only the total timeout continues to run.
    pub fn pause(&mut self, id: RequestId) {
        self.command(Command::Pause(id));
    }

    /// Continues a paused request. If its connection was lost meanwhile, the rest is requested with `Range` and
    /// `If-Range` (RFC 9110 §13.1.5), or everything if the server does not support that.
    pub fn resume(&mut self, id: RequestId) {
        self.command(Command::Resume(id));
    }

    /// Changes the [priority](crate::agent::RequestOptions::priority) of a request.
    pub fn set_priority(&mut self, id: RequestId, priority: Priority) {
        self.command(Command::SetPriority(id, priority));
    }

    /// Changes how many bytes of content per second a request may send, and receive; `None` and 0 mean no
    /// limit.
    pub fn set_rate_limit(&mut self, id: RequestId, bytes_per_second: Option<u64>) {
        self.command(Command::SetRateLimit(id, bytes_per_second));
    }

    /// Sends a message over an open WebSocket.
    ///
    /// # Errors
    /// The request is not an open WebSocket, or its queue of outgoing messages is full; then nothing was sent.
    /// An agent [on a thread of its own](crate::agent::AgentBuilder::on_thread) reports that by [`Event::Failed`](crate::Event::Failed)
    /// instead.
    #[cfg(feature = "websocket")]
    pub fn send_message(&mut self, id: RequestId, message: WebSocketMessage) -> Result<(), Error> {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => {
                engine.send_message(id, &message)?;
                engine.tell_watcher();
                Ok(())
            }
            Backend::Threaded(thread) => thread.send_message(id, message),
        }
    }

    /// Starts the closing handshake of a WebSocket (RFC 6455 §7.1.2). [`Event::Done`](crate::Event::Done) follows when it is closed. A
    /// WebSocket that is not open yet is closed as soon as it is; [`cancel`](Self::cancel) ends it at once.
    #[cfg(feature = "websocket")]
    pub fn close_web_socket(&mut self, id: RequestId, code: u16, reason: &str) {
        self.command(Command::CloseWebSocket(id, code, reason.to_owned()));
    }

    pub(super) fn command(&mut self, command: Command) {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => {
                engine.execute(command);
                engine.tell_watcher();
            }
            Backend::Threaded(thread) => thread.command(command),
        }
    }

    /// Forgets these requests. The command ends those that have not ended.
    fn cancellation(&mut self, mut ids: Vec<RequestId>) -> Option<Command> {
        ids.sort_unstable();
        #[cfg(any(feature = "outbox", feature = "patch"))]
        self.claims.forget(&ids);
        self.set_aside.forget(&ids);
        ids.retain(|id| self.unfinished.remove(id).is_some());
        (!ids.is_empty()).then_some(Command::Cancel(ids))
    }

    #[inline]
    pub(super) fn cancel_dropped(&mut self) {
        if !self.dropped.is_empty() {
            self.cancel_all_dropped();
        }
    }

    #[cold]
    fn cancel_all_dropped(&mut self) {
        let ids = self.dropped.take();
        let Some(command) = self.cancellation(ids) else {
            return;
        };
        match &mut self.backend {
            Backend::Inline(engine) => engine.execute(command),
            Backend::Threaded(thread) => thread.command(command),
        }
    }
}
