//! [`Topic`]: one publisher, many subscribers. Subscribers use one of three transports: server-sent events
//! (WHATWG HTML §9.2), WebSockets (RFC 6455) and long polling. An event is encoded once for each transport.
//! Each subscriber has a bounded queue, so a slow one delays no other.
//!
//! | module | holds |
//! |---|---|
//! | `replay` | the events that are kept, and their ids |
//! | `encoding` | an event as each transport sends it |

mod encoding;
mod replay;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::pipe::{Pipe, QueueItem, WhenFull};
use super::request::Request;
use super::responder::Responder;
use super::response::Response;
#[cfg(feature = "websocket")]
use super::websocket::WebSocket;
use crate::error::EventStreamFault;
use crate::proto::FieldLines;
use crate::semantics::event_stream::ServerSentEvent;
use encoding::{Encoded, Transport};
use replay::{Position, Replay};

/// The type of the event that a subscriber gets first when its last event is unknown.
const RESYNC: &str = "resync";

/// What happens to a subscriber whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowConsumerPolicy {
    /// Its oldest waiting events without a key are dropped.
    #[default]
    DropOldest,
    /// It is disconnected. An event stream connects again and gets the events that it missed.
    Disconnect,
}

/// A topic. Clones are the same topic. It belongs to no server: subscribers may come from several servers,
/// and any thread can publish.
///
/// # Ids and replay
///
/// Each event without an id gets one that holds a random name of this topic and a number. The topic keeps the
/// latest 256 events, and the latest event of each of up to 256 keys. Each is held once, as it was
/// published. That is its memory, besides the queues of its subscribers: the size of an event is not limited. A subscriber that connects again with
/// the id of its last event gets the events after it. If that id is unknown, because the program was
/// restarted or the event is no longer kept, the subscriber first gets an event of the type `resync`, then
/// everything that is kept: it should discard its old state.
///
/// # Slow subscribers
///
/// An event with a key ([`publish_latest`](Self::publish_latest)) replaces a waiting event with the same key,
/// in its place in the queue, until its bytes are given to the system. So a slow subscriber gets recent
/// values. The new event then has the id of the replaced one, so that a subscriber that connects again misses
/// nothing; it may get the value twice.
#[derive(Clone, Debug, Default)]
pub struct Topic(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    subscribers: Vec<Subscriber>,
    /// Long polls that wait for the next event.
    waiting: Vec<Responder>,
    replay: Replay,
    policy: SlowConsumerPolicy,
}

#[derive(Debug)]
struct Subscriber {
    pipe: Arc<Pipe>,
    transport: Transport,
}

impl Topic {
    /// A topic that keeps the latest 256 events for subscribers that connect again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many events without a key are kept, and for how many keys the latest event is kept.
    #[must_use]
    pub fn replaying(self, events: usize) -> Self {
        self.state().replay.set_limit(events);
        self
    }

    /// Sets what happens to subscribers that are too slow.
    #[must_use]
    pub fn when_too_slow(self, policy: SlowConsumerPolicy) -> Self {
        self.state().policy = policy;
        self
    }

    /// Responds to a request with a stream of this topic's events. A client that connects again sends
    /// the id of its last event (`Last-Event-ID`) and gets the events that it missed.
    pub fn subscribe(&self, request: &mut Request) {
        let stream = request.event_stream(Response::new());
        let last_event_id = stream.last_event_id().map(str::to_owned);
        if let Some(pipe) = stream.into_pipe() {
            self.add(pipe, Transport::Events, last_event_id.as_deref());
        }
    }

    /// Sends the payload of each event to a WebSocket from now on, as a text message. The caller keeps the
    /// WebSocket.
    #[cfg(feature = "websocket")]
    pub fn subscribe_socket(&self, socket: &WebSocket) {
        self.add(socket.pipe(), Transport::Payloads, None);
    }

    /// Sends each event to a WebSocket, as a text message with a JSON object:
    /// `{"id":…,"event":…,"data":…}`, without `event` for the type `message`. A client that connects again gives
    /// the id of its last event, for example in the query of its request, and gets the events that it missed. The
    /// caller keeps the WebSocket.
    #[cfg(feature = "websocket")]
    pub fn subscribe_socket_from(&self, socket: &WebSocket, last_event_id: Option<&str>) {
        self.add(socket.pipe(), Transport::Objects, last_event_id);
    }

    /// Responds to a request with the events after the last one that the client received. If there are none, it
    /// waits for the next event (long polling). The client sends the id of its last event in the field
    /// `Last-Event-ID` or in the query, as `last_event_id`. Without an id the response is sent at once and holds
    /// the id to start from.
    ///
    /// The response is a JSON object: `{"last_event_id":…,"resync":false,"events":[{"id":…,"event":…,
    /// "data":…}]}`. The client sends `last_event_id` with its next request. `resync` is true when the id
    /// was unknown. When nothing is published within
    /// [`ServerTimeouts::respond`](crate::server::ServerTimeouts::respond) the response has no events.
    pub fn long_poll(&self, request: &mut Request) {
        let in_query = request.query().get("last_event_id").map(str::to_owned);
        let last_event_id = request.header("last-event-id").map(str::to_owned);
        let last_event_id = last_event_id.or(in_query);
        let mut responder = request.defer();
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.is_aborted());
        let Some(id) = last_event_id else {
            responder.respond(state.page(None));
            return;
        };
        let position = state.replay.find(&id);
        let has_events = state.replay.after(position).next().is_some();
        if has_events || !position.is_known {
            responder.respond(state.page(Some(position)));
        } else {
            responder.set_timeout_response(state.page(None));
            state.waiting.push(responder);
        }
    }

    /// Sends an event to all subscribers without waiting. Returns the number of subscribers. An event without
    /// an id gets the next one.
    ///
    /// # Errors
    /// When the type or the id of the event holds line breaks. No subscriber gets the event then.
    pub fn publish(&self, event: ServerSentEvent) -> Result<usize, EventStreamFault> {
        self.send(event, None)
    }

    /// Like [`publish`](Self::publish), but replaces an event with this key that still waits for a slow
    /// subscriber.
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
        let own_id = event.id.take();
        event.id = Some(own_id.unwrap_or_else(|| state.replay.next_id()));
        event.encode(&mut Vec::new())?;
        let State {
            subscribers,
            waiting,
            replay,
            policy,
        } = &mut *state;
        let mut encoded = Encoded::new(&event);
        subscribers.retain(|subscriber| {
            let sent = subscriber.send(&mut encoded, key.as_ref(), *policy);
            if !sent {
                subscriber.pipe.break_off();
            }
            sent
        });
        let count = subscribers.len() + waiting.len();
        replay.push(event.clone(), key);
        if !waiting.is_empty() {
            let last = replay.last_id();
            let events = [encoding::object(&event)];
            for responder in waiting.drain(..) {
                responder.respond(page(&last, false, &events));
            }
        }
        Ok(count)
    }

    fn add(&self, pipe: Arc<Pipe>, transport: Transport, last_event_id: Option<&str>) {
        let topic: Weak<Mutex<State>> = Arc::downgrade(&self.0);
        let of_this = Arc::downgrade(&pipe);
        pipe.on_close(move || {
            if let Some(topic) = topic.upgrade() {
                let mut state = topic.lock().unwrap_or_else(PoisonError::into_inner);
                let gone = |it: &Subscriber| std::ptr::eq(Arc::as_ptr(&it.pipe), of_this.as_ptr());
                state.subscribers.retain(|it| !gone(it));
            }
        });
        let mut state = self.state();
        let subscriber = Subscriber { pipe, transport };
        if let Some(id) = last_event_id {
            let position = state.replay.find(id);
            if !position.is_known {
                let mut marker = ServerSentEvent::new("the last event id is unknown");
                marker.event = Some(RESYNC.to_owned());
                subscriber.send(
                    &mut Encoded::new(&marker),
                    None,
                    SlowConsumerPolicy::DropOldest,
                );
            }
            for kept in state.replay.after(position) {
                let mut encoded = Encoded::new(&kept.event);
                // A queue that is too short for all kept events holds the latest of them.
                subscriber.send(
                    &mut encoded,
                    kept.key.as_ref(),
                    SlowConsumerPolicy::DropOldest,
                );
            }
        }
        if !subscriber.pipe.is_closed() {
            state.subscribers.push(subscriber);
        }
    }

    /// The number of subscribers, including long polls that wait.
    pub fn subscribers(&self) -> usize {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.is_aborted());
        state.subscribers.len() + state.waiting.len()
    }

    /// How many events the present subscribers missed because they were slow.
    pub fn dropped(&self) -> u64 {
        let state = self.state();
        let dropped = state.subscribers.iter().map(|it| it.pipe.dropped());
        dropped.sum()
    }

    /// Ends all event streams and long polls of this topic cleanly. Its WebSockets get nothing more from it.
    pub fn close(&self) {
        let mut state = self.state();
        let page = |state: &State| state.page(None);
        for responder in std::mem::take(&mut state.waiting) {
            responder.respond(page(&state));
        }
        let subscribers = std::mem::take(&mut state.subscribers);
        drop(state);
        for subscriber in subscribers {
            if subscriber.transport == Transport::Events {
                subscriber.pipe.finish(FieldLines::new());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The response to a long poll: the events after a position, or no events.
    fn page(&self, position: Option<Position>) -> Response {
        let events: Vec<_> = position
            .into_iter()
            .flat_map(|position| self.replay.after(position))
            .map(|kept| encoding::object(&kept.event))
            .collect();
        let resync = position.is_some_and(|position| !position.is_known);
        page(&self.replay.last_id(), resync, &events)
    }
}

impl Subscriber {
    /// Queues an event; returns whether the subscriber stays.
    fn send(
        &self,
        encoded: &mut Encoded<'_>,
        key: Option<&Arc<str>>,
        policy: SlowConsumerPolicy,
    ) -> bool {
        let bytes = encoded.of(self.transport);
        let event = encoded.event();
        let encode = |id: &str| encoding::encode_with_id(event, self.transport, id);
        let item = QueueItem {
            bytes,
            key,
            id: event.id.as_deref(),
            encode_with_id: &encode,
        };
        let when_full = match policy {
            SlowConsumerPolicy::DropOldest => WhenFull::DropOldest,
            SlowConsumerPolicy::Disconnect => WhenFull::Refuse,
        };
        self.pipe.push_item(item, when_full).is_ok()
    }
}

fn page(last_event_id: &str, resync: bool, events: &[serde_json::Value]) -> Response {
    let page = serde_json::json!({
        "last_event_id": last_event_id,
        "resync": resync,
        "events": events,
    });
    let mut response = Response::json(&page);
    // A valid field is never refused.
    let _ = response.set_header("Cache-Control", "no-store");
    response
}
