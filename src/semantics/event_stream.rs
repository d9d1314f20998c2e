//! Server-sent events (WHATWG HTML §9.2): the parser of a `text/event-stream` for clients, the
//! encoder for servers. Connecting again, and when, is decided elsewhere.
//!
//! * `parser`: bytes to events.
//! * `encoder`: events to bytes.

#[cfg(any(feature = "server", test))]
pub(crate) mod encoder;
mod parser;

pub use parser::EventStreamParser;

use std::time::Duration;

#[cfg(feature = "server")]
use crate::error::EventStreamFault;

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The event's type; `None` is `message`.
    pub event: Option<String>,
    /// The payload; its lines are joined by LF.
    pub data: String,
    /// The event's id. Of a received event: the stream's last event id as of this event, which an
    /// earlier event may have set; `None` while there is none.
    pub id: Option<String>,
    /// The reconnection time that came, or goes, with this event; sent in whole milliseconds.
    pub retry: Option<Duration>,
}

impl ServerSentEvent {
    /// The media type of a stream of events.
    pub const CONTENT_TYPE: &'static str = "text/event-stream";

    /// An event of type `message` with this payload.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// Appends the event as it goes on the wire: event, data, id, retry, a blank line.
    ///
    /// The payload may have several lines, ended by LF, CR or CRLF; the receiver gets LF. Fails, and
    /// appends nothing, when the type or the id holds a line break or the id a NUL (WHATWG HTML
    /// §9.2.6: they would end the field, or be ignored).
    #[cfg(feature = "server")]
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EventStreamFault> {
        encoder::encode(self, out)
    }
}

#[cfg(test)]
mod tests;
