//! [`Responder`]: responds to one request, in any later frame and on any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::pipe::{Beat, Pipe};
use super::response::Response;
use super::stream::ResponseStream;
use super::wake_queue::{ConnectionId, WakeQueue};

/// Responds to one request. It can be kept and sent to another thread; the server continues meanwhile. If the
/// response takes longer than [`ServerTimeouts::respond`](crate::server::ServerTimeouts::respond), the client
/// gets a `504`. If this is dropped without a response, the client gets a `500`.
#[derive(Debug)]
#[must_use = "a responder that is dropped responds with 500"]
pub struct Responder {
    slot: Option<Arc<Slot>>,
}

/// What the responder and its connection share.
#[derive(Debug)]
pub(super) struct Slot {
    answer: Mutex<Answer>,
    aborted: AtomicBool,
    /// What is sent when the deadline has passed, instead of `504`.
    late: Mutex<Option<Box<Response>>>,
    wake_queue: Arc<WakeQueue>,
    id: ConnectionId,
}

#[derive(Debug)]
enum Answer {
    Due,
    Given(Box<Response>),
    /// Dropped without a response.
    Abandoned,
    /// The response is no longer wanted, or it was taken.
    Over,
}

/// What a connection finds when it asks for the response.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Response(Box<Response>),
    Abandoned,
}

impl Responder {
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self { slot: Some(slot) }
    }

    /// A responder for a request without a waiting client.
    pub(super) fn nowhere() -> Self {
        Self { slot: None }
    }

    pub(super) fn slot(&self) -> Option<&Arc<Slot>> {
        self.slot.as_ref()
    }

    /// Sends the response. Returns whether the client was still waiting.
    pub fn respond(mut self, response: Response) -> bool {
        match self.slot.take() {
            Some(slot) => slot.give(response),
            None => false,
        }
    }

    /// Sends the head of `response` now, and its content piece by piece as it is produced.
    pub fn stream(self, response: Response) -> ResponseStream {
        match self.start_pipe(response, None) {
            Some(pipe) => ResponseStream::new(pipe),
            None => ResponseStream::nowhere(),
        }
    }

    /// Responds with content from a pipe; `None` when no client waits.
    pub(super) fn start_pipe(
        self,
        mut response: Response,
        beat: Option<Beat>,
    ) -> Option<Arc<Pipe>> {
        let slot = self.slot.as_ref()?;
        let capacity = slot.wake_queue.queued_bytes();
        let pipe = Pipe::new(Arc::clone(&slot.wake_queue), slot.id, capacity, beat);
        response.stream_through(Arc::clone(&pipe));
        self.respond(response).then_some(pipe)
    }

    /// The connection of the request.
    #[cfg(feature = "websocket")]
    pub(super) fn address(&self) -> (Arc<WakeQueue>, ConnectionId) {
        match &self.slot {
            Some(slot) => (Arc::clone(&slot.wake_queue), slot.id),
            None => (Arc::default(), ConnectionId::NONE),
        }
    }

    /// Sets the response that the client gets when
    /// [`ServerTimeouts::respond`](crate::server::ServerTimeouts::respond) has passed, instead of `504`. The
    /// delay is then not an error.
    pub fn set_timeout_response(&mut self, response: Response) {
        if let Some(slot) = &self.slot {
            let mut late = slot.late.lock().unwrap_or_else(PoisonError::into_inner);
            *late = Some(Box::new(response));
        }
    }

    /// Whether the response is no longer wanted: the client has gone or has ended its side, or the deadline has
    /// passed. A client that only ended its side still gets the response.
    pub fn is_aborted(&self) -> bool {
        self.slot
            .as_ref()
            .is_none_or(|slot| slot.aborted.load(Ordering::Acquire))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.abandon();
        }
    }
}

impl Slot {
    pub(super) fn new(wake_queue: Arc<WakeQueue>, id: ConnectionId) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(Answer::Due),
            aborted: AtomicBool::new(false),
            late: Mutex::new(None),
            wake_queue,
            id,
        })
    }

    fn replace(&self, when_due: Answer) -> bool {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let due = matches!(*answer, Answer::Due);
        if due {
            *answer = when_due;
        }
        drop(answer);
        if due {
            self.wake_queue.ring(self.id);
        }
        due
    }

    fn give(&self, response: Response) -> bool {
        self.replace(Answer::Given(Box::new(response)))
    }

    fn abandon(&self) {
        self.replace(Answer::Abandoned);
    }

    /// The current state. A response is taken out.
    pub(super) fn look(&self) -> Found {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        match &*answer {
            Answer::Due | Answer::Over => Found::Nothing,
            Answer::Given(_) | Answer::Abandoned => {
                match std::mem::replace(&mut *answer, Answer::Over) {
                    Answer::Given(response) => Found::Response(response),
                    _ => Found::Abandoned,
                }
            }
        }
    }

    /// What to send when the deadline has passed, if it was set.
    pub(super) fn take_timeout_response(&self) -> Option<Box<Response>> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.take()
    }

    /// Records that the client has ended its side.
    pub(super) fn set_aborted(&self) {
        self.aborted.store(true, Ordering::Release);
    }

    /// Records that the client no longer waits.
    pub(super) fn close(&self) {
        self.set_aborted();
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = Answer::Over;
    }
}
