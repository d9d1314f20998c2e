//! [`EventReader`]: an [`EventStreamParser`] that parses what it was given a little at a time, so that a
//! caller can stop between two events. Events that were complete before a fault come before it.

use std::time::Duration;

use bytes::Bytes;

use super::{EventStreamParser, ServerSentEvent};
use crate::error::EventStreamFault;

/// How many bytes are parsed at a time. It bounds how many events the parser holds.
const STEP_BYTES: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    parser: EventStreamParser,
    unparsed: Bytes,
    fault: Option<EventStreamFault>,
    /// Whether there may be an event that `next` has not returned.
    has_more: bool,
}

impl EventReader {
    /// A reader with another limit on the bytes of one event than 1 MiB.
    pub(crate) fn with_event_bytes(event_bytes: usize) -> Self {
        Self {
            parser: EventStreamParser::with_event_bytes(event_bytes),
            ..Self::default()
        }
    }

    /// Adds the next piece of the stream. Call it only when [`next`](Self::next) has returned `None`:
    /// then nothing is left of the piece before.
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.unparsed.is_empty(), "a piece was not parsed");
        self.unparsed = piece;
        self.has_more = true;
    }

    /// Whether there is no event before more is pushed.
    pub(crate) fn is_drained(&self) -> bool {
        !self.has_more
    }

    /// The next event; `None` until more is pushed.
    ///
    /// # Errors
    /// Fails when an event is longer than the limit, and on every later call.
    pub(crate) fn next(&mut self) -> Result<Option<ServerSentEvent>, EventStreamFault> {
        loop {
            if let Some(event) = self.parser.next_event() {
                return Ok(Some(event));
            }
            if let Some(fault) = self.fault {
                return Err(fault);
            }
            if self.unparsed.is_empty() {
                self.has_more = false;
                return Ok(None);
            }
            let step = self.unparsed.split_to(STEP_BYTES.min(self.unparsed.len()));
            self.fault = self.parser.push(&step).err();
        }
    }

    /// Starts a new stream after a reconnection; see [`EventStreamParser::restart`].
    pub(crate) fn restart(&mut self) {
        self.parser.restart();
        self.unparsed = Bytes::new();
        self.fault = None;
        self.has_more = false;
    }

    /// The value to send as `Last-Event-ID`; empty if the stream had no ID.
    pub(crate) fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// The last reconnection time that the server sent.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_before_one_that_is_too_long_are_not_lost() {
        let mut reader = EventReader::with_event_bytes(20);
        let mut piece = b"data: 1\n\ndata: 2\n\n".repeat(1000);
        piece.extend_from_slice(b"data: this one is too long\n\ndata: 3\n\n");
        reader.push(piece.into());
        for number in 0..2000 {
            let event = reader.next().unwrap().unwrap();
            assert_eq!(event.data, ["1", "2"][number % 2]);
        }
        for _ in 0..2 {
            assert_eq!(reader.next(), Err(EventStreamFault::TooLong(20)));
        }
        reader.restart();
        reader.push(Bytes::from_static(b"data: 4\n\n"));
        assert_eq!(reader.next().unwrap().unwrap().data, "4");
    }

    #[test]
    fn the_parser_holds_few_events_at_a_time() {
        let mut reader = EventReader::default();
        reader.push(b"data\n\n".repeat(100_000).into());
        reader.next().unwrap().unwrap();
        assert_eq!(reader.unparsed.len(), 600_000 - STEP_BYTES);
    }
}
