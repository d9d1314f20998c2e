//! Server-sent events (WHATWG HTML §9.2): the parser of a `text/event-stream` for clients, and the
//! encoder for servers. Reconnecting belongs to the agent.
//!
//! * `parser`: bytes to events.
//! * `reader`: the parser in steps, for the agent.
//! * `encoder`: events to bytes.

#[cfg(any(feature = "server", test))]
pub(crate) mod encoder;
mod parser;
#[cfg(feature = "agent")]
pub(crate) mod reader;

pub use parser::EventStreamParser;

use std::time::Duration;

#[cfg(feature = "server")]
use crate::error::EventStreamFault;

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The event's type; `None` means `message`.
    pub event: Option<String>,
    /// The payload. Its lines are joined by LF.
    pub data: String,
    /// The event's id. For a received event: the stream's last event id at this event, which an
    /// earlier event may have set; `None` if no event has set one.
    pub id: Option<String>,
    /// The reconnection time in this event. It is sent in whole milliseconds.
    pub retry: Option<Duration>,
}

impl ServerSentEvent {
    /// The media type of an event stream.
    pub const CONTENT_TYPE: &'static str = "text/event-stream";

    /// An event of type `message` with this payload.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// Appends the event in wire format: event, data, id, retry, an empty line.
    ///
    /// The lines of the payload may end in LF, CR or CRLF; the receiver gets LF.
    ///
    /// # Errors
    /// Fails, and appends nothing, when the type or the id contains a line break, or the id a NUL
    /// (WHATWG HTML §9.2.6: they would end the field, or the receiver would ignore it).
    #[cfg(feature = "server")]
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EventStreamFault> {
        encoder::encode(self, out)
    }
}

#[cfg(test)]
mod tests;
