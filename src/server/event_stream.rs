//! [`EventStream`]: server-sent events to one client (WHATWG HTML §9.2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::pipe::{Beat, Pipe, SendError};
use super::responder::Responder;
use super::response::Response;
use crate::error::EventStreamFault;
use crate::proto::FieldLines;
use crate::semantics::event_stream::ServerSentEvent;
use crate::semantics::event_stream::encoder::{encode_comment, encode_retry};

/// How often an idle stream sends a comment: proxies close connections that are silent for 30 to 60 s.
const BEAT: Duration = Duration::from_secs(15);

/// What an idle stream sends: a comment, which no client shows.
const COMMENT: &[u8] = b":\n\n";

/// Events to one client. It can be kept and sent to another thread; dropping it
/// ends the stream cleanly. While nothing is sent, a comment goes out every 15 s.
#[derive(Debug)]
pub struct EventStream {
    pipe: Option<Arc<Pipe>>,
    last_event_id: Option<String>,
}

/// Why an event was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventSendError {
    /// The event cannot be encoded; nothing was sent.
    Invalid(EventStreamFault),
    /// The client is too slow, or has gone.
    Refused(SendError),
}

impl EventStream {
    /// Starts a stream with the head of `response`: with `Content-Type: text/event-stream` and, unless
    /// it says otherwise, `Cache-Control: no-cache` and `X-Accel-Buffering: no`, which makes nginx forward
    /// events at once.
    pub(super) fn start(
        responder: Responder,
        mut response: Response,
        last_event_id: Option<String>,
    ) -> Self {
        // A valid field is never refused.
        let _ = response.set_content_type(ServerSentEvent::CONTENT_TYPE);
        for (name, value) in [("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")] {
            if !response.headers().contains(name) {
                let _ = response.append_header(name, value);
            }
        }
        let beat = Beat {
            every: BEAT,
            bytes: Bytes::from_static(COMMENT),
        };
        Self {
            pipe: responder.start_pipe(response, Some(beat)),
            last_event_id,
        }
    }

    /// Queues an event. Never waits.
    ///
    /// # Errors
    /// [`EventSendError::Invalid`] for line breaks in the type or the id, [`SendError::Full`] when the client
    /// reads too slowly, [`SendError::Closed`] when it has gone. The event is not queued then.
    pub fn send(&mut self, event: &ServerSentEvent) -> Result<(), EventSendError> {
        self.push(event, None)
    }

    /// Like [`send`](Self::send), but replaces an event with this key that still waits: a slow client gets
    /// only the latest.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_latest(
        &mut self,
        key: &str,
        event: &ServerSentEvent,
    ) -> Result<(), EventSendError> {
        self.push(event, Some(key.into()))
    }

    /// Queues a comment, which clients do not show.
    ///
    /// # Errors
    /// When the client is too slow or has gone.
    pub fn comment(&mut self, text: &str) -> Result<(), SendError> {
        let mut bytes = Vec::new();
        encode_comment(text, &mut bytes);
        self.queue(bytes, None)
    }

    /// Tells the client how long to wait before it connects again.
    ///
    /// # Errors
    /// As [`comment`](Self::comment).
    pub fn set_retry(&mut self, retry: Duration) -> Result<(), SendError> {
        let mut bytes = Vec::new();
        encode_retry(retry, &mut bytes);
        self.queue(bytes, None)
    }

    fn push(
        &mut self,
        event: &ServerSentEvent,
        key: Option<Arc<str>>,
    ) -> Result<(), EventSendError> {
        let mut bytes = Vec::new();
        event.encode(&mut bytes).map_err(EventSendError::Invalid)?;
        self.queue(bytes, key).map_err(EventSendError::Refused)
    }

    fn queue(&mut self, bytes: Vec<u8>, key: Option<Arc<str>>) -> Result<(), SendError> {
        match &self.pipe {
            Some(pipe) => pipe.push(bytes.into(), key),
            None => Err(SendError::Closed),
        }
    }

    /// The id of the last event that the client received before it connected again (`Last-Event-ID`).
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// How many bytes wait for the client.
    pub fn queued(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.queued())
    }

    /// Whether the client has gone.
    pub fn is_closed(&self) -> bool {
        self.pipe.as_ref().is_none_or(|pipe| pipe.is_closed())
    }

    /// The pipe of the stream, for a topic, which ends it later.
    pub(super) fn into_pipe(mut self) -> Option<Arc<Pipe>> {
        self.pipe.take()
    }
}

impl Responder {
    /// Sends the head of `response` now, and server-sent events as its content whenever there are some. Sets
    /// `Content-Type: text/event-stream` and, unless `response` sets them, `Cache-Control: no-cache` and
    /// `X-Accel-Buffering: no`.
    pub fn event_stream(self, response: Response) -> EventStream {
        EventStream::start(self, response, None)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            pipe.finish(FieldLines::new());
        }
    }
}

impl fmt::Display for EventSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(fault) => fault.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for EventSendError {}
