//! What the stream and the task with the browser's objects share: messages in both directions, each bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::semantics::websocket::{CloseFrame, WebSocketMessage};

/// Bytes of messages that a page may leave untaken. A browser has no way to let the server wait.
const UNTAKEN_BYTES: usize = 16 * 1024 * 1024;

/// What the browser reported.
pub(super) enum Arrived {
    /// It is open, with this subprotocol; empty without one.
    Open(String),
    Message(WebSocketMessage),
    /// It has ended. `None`: without a closing handshake.
    Closed(Option<CloseFrame>),
    /// More messages came than the page took.
    Overflow,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Shared {
    arrived: VecDeque<Arrived>,
    untaken_bytes: usize,
    /// Messages for the browser.
    outgoing: VecDeque<WebSocketMessage>,
    waiting_bytes: usize,
    /// How the client wants to close.
    close: Option<Option<CloseFrame>>,
    is_given_up: bool,
    pub(super) is_over: bool,
    pub(super) task: Option<Waker>,
}

impl Shared {
    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Notes what the browser reported.
    pub(super) fn arrive(&mut self, arrived: Arrived) {
        if let Arrived::Message(message) = &arrived {
            // One message of any size is taken: the client judges its size.
            if self.untaken_bytes > UNTAKEN_BYTES {
                self.arrived.push_back(Arrived::Overflow);
                self.give_up();
                return;
            }
            self.untaken_bytes += cost(message);
        }
        if !self.is_given_up {
            self.arrived.push_back(arrived);
        }
    }

    /// Notes that the browser's WebSocket has ended. What is reported after that is ignored.
    pub(super) fn finish(&mut self, close: Option<CloseFrame>) {
        if !self.is_over {
            self.arrive(Arrived::Closed(close));
            self.is_over = true;
            self.wake();
        }
    }

    pub(super) fn take_arrived(&mut self) -> Option<Arrived> {
        let arrived = self.arrived.pop_front()?;
        if let Arrived::Message(message) = &arrived {
            self.untaken_bytes = self.untaken_bytes.saturating_sub(cost(message));
        }
        Some(arrived)
    }

    /// Queues a message for the browser.
    pub(super) fn send(&mut self, message: WebSocketMessage) {
        self.waiting_bytes += cost(&message);
        self.outgoing.push_back(message);
        self.wake();
    }

    /// The next message for the browser.
    pub(super) fn take_outgoing(&mut self) -> Option<WebSocketMessage> {
        let message = self.outgoing.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(cost(&message));
        Some(message)
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The client closes, after the messages before.
    pub(super) fn close(&mut self, close: Option<CloseFrame>) {
        self.close = Some(close);
        self.wake();
    }

    /// How to close, once all messages were sent.
    pub(super) fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        self.close.take_if(|_| self.outgoing.is_empty())
    }

    /// Nobody is interested any more.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
        self.wake();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }
}

pub(super) fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a message counts against a limit, in bytes.
fn cost(message: &WebSocketMessage) -> usize {
    64 + match message {
        WebSocketMessage::Text(text) => text.len(),
        WebSocketMessage::Binary(bytes)
        | WebSocketMessage::Ping(bytes)
        | WebSocketMessage::Pong(bytes) => bytes.len(),
        WebSocketMessage::Close(_) => 0,
    }
}
