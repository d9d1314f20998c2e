//! [`EventStreamParser`]: the algorithm of WHATWG HTML §9.2.6, for bytes that arrive in pieces of
//! any size.

use std::collections::VecDeque;
use std::time::Duration;

use super::ServerSentEvent;
use crate::error::EventStreamFault;

/// Parses events from a `text/event-stream`.
///
/// ```
/// use httpoll::event_stream::EventStreamParser;
///
/// let mut stream = EventStreamParser::new();
/// stream.push(b"event: chat\nda")?;
/// stream.push(b"ta: hello\n\n")?;
/// let event = stream.next_event().unwrap();
/// assert_eq!((event.event.as_deref(), event.data.as_str()), (Some("chat"), "hello"));
/// # Ok::<(), httpoll::error::EventStreamFault>(())
/// ```
#[derive(Debug)]
pub struct EventStreamParser {
    place: Place,
    line: Vec<u8>,
    pending: Pending,
    last_event_id: String,
    retry: Option<Duration>,
    events: VecDeque<ServerSentEvent>,
    event_bytes: usize,
}

/// The parser's position in the stream.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the first line, which may start with a byte order mark.
    FirstLine,
    Line,
    /// After a CR that ended a line: a following LF belongs to it.
    AfterCr,
    /// After an event over the limit; nothing more is read.
    Failed,
}

/// The buffers of the algorithm. The next empty line turns them into an event.
#[derive(Debug, Default)]
struct Pending {
    event: String,
    data: String,
    /// The last event id buffer. Unlike the others, it is kept after the event.
    id: String,
    retry: Option<Duration>,
    /// The bytes in the event's lines so far.
    bytes: usize,
}

impl EventStreamParser {
    /// A parser with a limit of 1 MiB per event.
    pub fn new() -> Self {
        Self::with_event_bytes(1024 * 1024)
    }

    /// A parser with another limit on the bytes of one event. All its lines count together,
    /// comments included.
    pub fn with_event_bytes(event_bytes: usize) -> Self {
        Self {
            place: Place::FirstLine,
            line: Vec::new(),
            pending: Pending::default(),
            last_event_id: String::new(),
            retry: None,
            events: VecDeque::new(),
            event_bytes,
        }
    }

    /// Starts a new stream after a reconnection. This drops an unfinished event, and keeps the last
    /// event id and the reconnection time. Events not taken yet stay.
    pub fn restart(&mut self) {
        self.place = Place::FirstLine;
        self.line.clear();
        self.pending = Pending {
            id: self.last_event_id.clone(),
            ..Pending::default()
        };
    }

    /// Sets the last event id, for example one saved in an earlier run. An id with a NUL is
    /// ignored, as in the stream itself.
    pub fn set_last_event_id(&mut self, id: impl Into<String>) {
        let id = id.into();
        if !id.contains('\0') {
            self.last_event_id.clone_from(&id);
            self.pending.id = id;
        }
    }

    /// Processes the next piece of the stream. Pieces may have any size.
    ///
    /// # Errors
    /// Fails when an event is longer than the limit, and on every later call. Events that were
    /// complete before that can still be taken.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), EventStreamFault> {
        while let Some(&first) = bytes.first() {
            match self.place {
                Place::Failed => return Err(EventStreamFault::TooLong(self.event_bytes)),
                Place::AfterCr => {
                    self.place = Place::Line;
                    if first == b'\n' {
                        bytes = &bytes[1..];
                    }
                }
                Place::FirstLine | Place::Line => {
                    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.pending.bytes = self.pending.bytes.saturating_add(piece.len());
                    if self.pending.bytes > self.event_bytes {
                        self.fail();
                        continue;
                    }
                    self.line.extend_from_slice(piece);
                    bytes = rest;
                    if let Some((&end, rest)) = rest.split_first() {
                        bytes = rest;
                        self.end_line();
                        self.place = match end {
                            b'\r' => Place::AfterCr,
                            _ => Place::Line,
                        };
                    }
                }
            }
        }
        Ok(())
    }

    /// The next complete event. An event that the end of the stream cuts off is dropped.
    pub fn next_event(&mut self) -> Option<ServerSentEvent> {
        self.events.pop_front()
    }

    /// The value to send as `Last-Event-ID` when reconnecting; empty if the stream had no ID.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The last reconnection time that the server sent.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn fail(&mut self) {
        self.place = Place::Failed;
        self.line = Vec::new();
        self.pending = Pending::default();
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut rest = line.as_slice();
        if matches!(self.place, Place::FirstLine) {
            rest = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
        }
        if rest.is_empty() {
            self.dispatch();
        } else {
            let (name, value) = match rest.iter().position(|&byte| byte == b':') {
                Some(colon) => (&rest[..colon], &rest[colon + 1..]),
                None => (rest, &[][..]),
            };
            self.field(name, value.strip_prefix(b" ").unwrap_or(value));
        }
        // Keeps the allocation for the next line.
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        let pending = &mut self.pending;
        match name {
            b"event" => pending.event = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                pending.data.push_str(&String::from_utf8_lossy(value));
                pending.data.push('\n');
            }
            b"id" if !value.contains(&0) => {
                pending.id = String::from_utf8_lossy(value).into_owned();
            }
            b"retry" => {
                if let Some(retry) = digits(value).map(Duration::from_millis) {
                    pending.retry = Some(retry);
                    self.retry = Some(retry);
                }
            }
            // A comment (an empty name), or an unknown field.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.pending.id.clone_from(&pending.id);
        self.last_event_id.clone_from(&pending.id);
        let mut data = pending.data;
        // Each data field has added an LF, so without one there was no data.
        if data.pop().is_some() {
            self.events.push_back(ServerSentEvent {
                event: Some(pending.event).filter(|event| !event.is_empty()),
                data,
                id: Some(pending.id).filter(|id| !id.is_empty()),
                retry: pending.retry,
            });
        }
    }
}

impl Default for EventStreamParser {
    fn default() -> Self {
        Self::new()
    }
}

/// The value of a text of ASCII digits only. A value that is too large becomes the maximum.
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        byte.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'))
        })
    })
}
