//! State that a WebSocket and its connection share: the queues in both directions, and how it ended.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::WebSocketFault;
use crate::proto::ResponseHead;
use crate::semantics::websocket::{CloseFrame, WebSocketConfig, WebSocketMessage};
use crate::server::pipe::Pipe;
use crate::server::wake_queue::{ConnectionId, WakeQueue};

/// State that a WebSocket and its connection share.
pub(in crate::server) struct Shared {
    pub(super) inbox: Mutex<Inbox>,
    pub(super) outgoing: Arc<Pipe>,
    pub(super) wake_queue: Arc<WakeQueue>,
    pub(super) id: ConnectionId,
    pub(super) held_bytes: usize,
}

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) messages: VecDeque<WebSocketMessage>,
    pub(super) bytes: usize,
    /// The close frame of the holder.
    pub(super) close_to_send: Option<CloseFrame>,
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Closed(Option<CloseFrame>),
    Failed(WebSocketFault),
}

/// What a connection needs to continue as a WebSocket. If it is dropped before that, such as with a connection that
/// broke, the WebSocket ends.
pub(in crate::server) struct Upgrade {
    pub(in crate::server) head: ResponseHead,
    config: WebSocketConfig,
    shared: Arc<Shared>,
    is_taken: bool,
}

impl Upgrade {
    pub(super) fn new(head: ResponseHead, config: WebSocketConfig, shared: Arc<Shared>) -> Self {
        Self {
            head,
            config,
            shared,
            is_taken: false,
        }
    }

    /// The connection continues as a WebSocket.
    pub(in crate::server) fn take(mut self) -> (WebSocketConfig, Arc<Shared>) {
        self.is_taken = true;
        (self.config.clone(), Arc::clone(&self.shared))
    }

    pub(in crate::server) fn end_failed(&self, fault: WebSocketFault) {
        self.shared.end_failed(fault);
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if !self.is_taken {
            self.end_failed(WebSocketFault::ClosedAbnormally);
        }
    }
}

impl Shared {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self) {
        self.wake_queue.ring(self.id);
    }

    pub(in crate::server) fn outgoing(&self) -> &Pipe {
        &self.outgoing
    }

    pub(in crate::server) fn has_room(&self) -> bool {
        self.inbox().bytes < self.held_bytes
    }

    pub(in crate::server) fn put(&self, message: WebSocketMessage) {
        let mut inbox = self.inbox();
        // A holder that has closed the WebSocket takes no more messages.
        if inbox.close_to_send.is_none() {
            inbox.bytes += weight(&message);
            inbox.messages.push_back(message);
        }
    }

    /// The close frame of the holder.
    pub(in crate::server) fn close_to_send(&self) -> Option<CloseFrame> {
        self.inbox().close_to_send.clone()
    }

    pub(in crate::server) fn end_closed(&self, frame: Option<CloseFrame>) {
        self.inbox().end.get_or_insert(End::Closed(frame));
        self.outgoing.close();
    }

    pub(in crate::server) fn end_failed(&self, fault: WebSocketFault) {
        self.inbox().end.get_or_insert(End::Failed(fault));
        self.outgoing.close();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The size that a message counts as while it waits to be taken.
pub(super) fn weight(message: &WebSocketMessage) -> usize {
    64 + match message {
        WebSocketMessage::Text(text) => text.len(),
        WebSocketMessage::Binary(bytes)
        | WebSocketMessage::Ping(bytes)
        | WebSocketMessage::Pong(bytes) => bytes.len(),
        WebSocketMessage::Close(_) => 0,
    }
}
