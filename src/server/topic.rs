//! [`Topic`]: one publisher, many subscribers, over server-sent events and WebSockets alike. What is
//! published is encoded once for each kind; each subscriber has a bounded queue, so nobody waits for
//! anybody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::pipe::Pipe;
use super::request::Request;
use super::response::Response;
#[cfg(feature = "websocket")]
use super::websocket::{WebSocket, text_frame};
use crate::error::EventStreamFault;
use crate::proto::FieldLines;
use crate::semantics::event_stream::ServerSentEvent;

/// Events remembered for clients that connect again.
const REPLAYED: usize = 256;

/// What becomes of a subscriber whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowConsumerPolicy {
    /// Its oldest waiting events make room.
    #[default]
    DropOldest,
    /// It is disconnected; an event stream connects again, and what it missed is replayed.
    Disconnect,
}

/// A topic; clones are the same one. It belongs to no server: subscribers may come from several, and
/// publishing is possible from every thread.
#[derive(Clone, Debug, Default)]
pub struct Topic(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    subscribers: Vec<Subscriber>,
    replay: VecDeque<Remembered>,
    replayed: usize,
    too_slow: SlowConsumerPolicy,
    /// The number of the last event; its id, unless the event has one of its own.
    last: u64,
}

#[derive(Debug)]
struct Subscriber {
    pipe: Arc<Pipe>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Events,
    #[cfg(feature = "websocket")]
    Socket,
}

#[derive(Debug)]
struct Remembered {
    id: String,
    encoded: Bytes,
}

impl Default for State {
    fn default() -> Self {
        Self {
            subscribers: Vec::new(),
            replay: VecDeque::new(),
            replayed: REPLAYED,
            too_slow: SlowConsumerPolicy::default(),
            last: 0,
        }
    }
}

impl Topic {
    /// A topic that remembers the latest 256 events for event streams that connect again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many events are remembered.
    #[must_use]
    pub fn replaying(self, events: usize) -> Self {
        self.state().replayed = events;
        self
    }

    /// Sets what becomes of subscribers that are too slow.
    #[must_use]
    pub fn when_too_slow(self, too_slow: SlowConsumerPolicy) -> Self {
        self.state().too_slow = too_slow;
        self
    }

    /// Answers a request with a stream of this topic's events. A client that connects again and says
    /// which event it had last (`Last-Event-ID`) gets those behind it that are remembered first; if
    /// that one is forgotten, all of them.
    pub fn subscribe(&self, request: &mut Request) {
        let stream = request.event_stream(Response::new());
        let last_event_id = stream.last_event_id().map(str::to_owned);
        let Some(pipe) = stream.into_pipe() else {
            return;
        };
        let mut state = self.state();
        if let Some(id) = last_event_id {
            let known = state.replay.iter().position(|event| event.id == id);
            for event in state.replay.iter().skip(known.map_or(0, |at| at + 1)) {
                // A queue that is too short for what is remembered keeps its latest part.
                let _ = pipe.push_dropping_oldest(&event.encoded, None);
            }
        }
        state.subscribers.push(Subscriber {
            pipe,
            kind: Kind::Events,
        });
    }

    /// Sends this topic's events to a WebSocket, too, each payload as a text message. The socket stays
    /// the caller's.
    #[cfg(feature = "websocket")]
    pub fn subscribe_socket(&self, socket: &WebSocket) {
        self.state().subscribers.push(Subscriber {
            pipe: socket.pipe(),
            kind: Kind::Socket,
        });
    }

    /// Sends an event to all subscribers; never waits. Answers to how many. An event without an id gets
    /// the next number.
    ///
    /// # Errors
    /// When type or id of the event hold line breaks; nobody gets it then.
    pub fn publish(&self, event: ServerSentEvent) -> Result<usize, EventStreamFault> {
        self.send(event, None)
    }

    /// The same, in place of an event with this key that still waits for a slow subscriber.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_latest(
        &self,
        key: &str,
        event: ServerSentEvent,
    ) -> Result<usize, EventStreamFault> {
        self.send(event, Some(key.into()))
    }

    fn send(
        &self,
        mut event: ServerSentEvent,
        key: Option<Arc<str>>,
    ) -> Result<usize, EventStreamFault> {
        let mut state = self.state();
        let number = state.last + 1;
        let id = event.id.get_or_insert_with(|| number.to_string()).clone();
        let mut encoded = Vec::new();
        event.encode(&mut encoded)?;
        let encoded = Bytes::from(encoded);
        state.last = number;
        #[cfg(feature = "websocket")]
        let has_sockets = state.subscribers.iter().any(|it| it.kind == Kind::Socket);
        #[cfg(feature = "websocket")]
        let frame = if has_sockets {
            text_frame(&event.data)
        } else {
            Bytes::new()
        };
        let too_slow = state.too_slow;
        state.subscribers.retain(|subscriber| {
            let bytes = match subscriber.kind {
                Kind::Events => &encoded,
                #[cfg(feature = "websocket")]
                Kind::Socket => &frame,
            };
            let pipe = &subscriber.pipe;
            let sent = match too_slow {
                SlowConsumerPolicy::DropOldest => pipe.push_dropping_oldest(bytes, key.as_ref()),
                SlowConsumerPolicy::Disconnect => pipe.push(bytes.clone(), key.clone()),
            };
            if sent.is_err() {
                pipe.break_off();
            }
            sent.is_ok()
        });
        if state.replayed > 0 {
            while state.replay.len() >= state.replayed {
                state.replay.pop_front();
            }
            state.replay.push_back(Remembered { id, encoded });
        }
        Ok(state.subscribers.len())
    }

    /// How many subscribers there are that were there when the last event was published.
    pub fn subscribers(&self) -> usize {
        let mut state = self.state();
        state
            .subscribers
            .retain(|subscriber| !subscriber.pipe.is_closed());
        state.subscribers.len()
    }

    /// Events that slow subscribers, of those that are there, have missed.
    pub fn dropped(&self) -> u64 {
        let state = self.state();
        let dropped = state.subscribers.iter().map(|it| it.pipe.dropped());
        dropped.sum()
    }

    /// Ends all event streams of this topic in good order, and sends nothing more to its WebSockets.
    pub fn close(&self) {
        for subscriber in self.state().subscribers.drain(..) {
            if subscriber.kind == Kind::Events {
                subscriber.pipe.finish(FieldLines::new());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
