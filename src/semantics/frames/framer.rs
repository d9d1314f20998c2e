//! [`Framer`]: divides content into messages while it arrives, one message at a time, so that a caller can
//! stop between two messages.

use bytes::Bytes;
use serde_core::de::IgnoredAny;

use super::framing::{Format, Framing, Message};
use super::{JsonLines, LengthPrefixed};
use crate::error::{ErrorKind, FrameFault};
use crate::semantics::event_stream::ServerSentEvent;
use crate::semantics::event_stream::reader::EventReader;

/// A message with fewer bytes is copied, so that a caller who keeps small messages keeps no large buffers.
const COPIED_BYTES: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Framer {
    reader: Reader,
    /// Whether `next` has returned `None` since the last push.
    is_drained: bool,
    has_ended: bool,
}

#[derive(Debug)]
enum Reader {
    Lines(JsonLines),
    Prefixed(LengthPrefixed),
    Events(Box<EventReader>),
}

impl Framer {
    pub(crate) fn new(framing: Framing) -> Self {
        let bytes = framing.message_bytes;
        let reader = match framing.format {
            Format::Lines => Reader::Lines(JsonLines::with_line_bytes(bytes)),
            Format::Prefixed(prefix) => {
                Reader::Prefixed(LengthPrefixed::with_frame_bytes(prefix, bytes))
            }
            Format::Events => Reader::Events(Box::new(EventReader::with_event_bytes(bytes))),
        };
        Self {
            reader,
            is_drained: true,
            has_ended: false,
        }
    }

    /// Adds the next piece of the content. Call it only when [`next`](Self::next) has returned `None`.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.is_drained = false;
        match &mut self.reader {
            Reader::Lines(lines) => lines.push(&piece),
            Reader::Prefixed(frames) => frames.push(&piece),
            Reader::Events(events) => events.push(piece),
        }
    }

    /// Marks the end of the content. Call it only when [`next`](Self::next) has returned `None`; then call
    /// `next` again. Returns whether the end was not marked before.
    pub(crate) fn finish(&mut self) -> bool {
        if let Reader::Lines(lines) = &mut self.reader {
            lines.finish();
        }
        self.is_drained = false;
        !std::mem::replace(&mut self.has_ended, true)
    }

    /// Whether there is no message before more is pushed.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// The next message; `None` until more is pushed.
    ///
    /// # Errors
    /// Fails when a message is longer than the limit, and when the end of the content cuts one off.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, ErrorKind> {
        let message = self.read()?;
        self.is_drained = message.is_none();
        Ok(message)
    }

    fn read(&mut self) -> Result<Option<Message>, ErrorKind> {
        match &mut self.reader {
            Reader::Lines(lines) => {
                let line = lines.next_line().map_err(ErrorKind::Frame)?;
                // Complete lines were taken before the end, so this is a line without an ending.
                if let Some(line) = line.as_ref().filter(|_| self.has_ended)
                    && serde_json::from_slice::<IgnoredAny>(line).is_err()
                {
                    return Err(ErrorKind::Frame(FrameFault::Truncated));
                }
                Ok(line.map(detached))
            }
            Reader::Prefixed(frames) => {
                let frame = frames.next_frame().map_err(ErrorKind::Frame)?;
                if frame.is_none() && self.has_ended {
                    frames.finish().map_err(ErrorKind::Frame)?;
                }
                Ok(frame.map(detached))
            }
            Reader::Events(events) => {
                let event = events.next().map_err(ErrorKind::EventStream)?;
                Ok(event.map(Message::from))
            }
        }
    }
}

/// A message that does not keep the buffer alive that it arrived in, unless it fills a good part of it.
fn detached(data: Bytes) -> Message {
    if data.len() < COPIED_BYTES {
        Message::new(Bytes::copy_from_slice(&data))
    } else {
        Message::new(data)
    }
}

impl From<ServerSentEvent> for Message {
    fn from(event: ServerSentEvent) -> Self {
        Self {
            data: event.data.into(),
            event: event.event,
            event_id: event.id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EventStreamFault;
    use crate::semantics::frames::LengthPrefix;

    /// All messages of these pieces, and the error at the end.
    fn read<'a>(
        framing: Framing,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Message>, Option<ErrorKind>) {
        let mut framer = Framer::new(framing);
        let mut messages = Vec::new();
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            loop {
                match framer.next() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
        }
        assert!(framer.finish());
        assert!(!framer.finish());
        loop {
            match framer.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error)),
            }
        }
    }

    fn event(data: &'static str, event: &str, id: &str) -> Message {
        Message {
            data: Bytes::from_static(data.as_bytes()),
            event: Some(event.to_owned()).filter(|it| !it.is_empty()),
            event_id: Some(id.to_owned()).filter(|it| !it.is_empty()),
        }
    }

    /// Framing, content, the messages and the error at the end.
    fn table() -> Vec<(Framing, &'static [u8], Vec<Message>, Option<ErrorKind>)> {
        let lines = Framing::json_lines().max_message_bytes(8);
        let frames = Framing::length_prefixed(LengthPrefix::U16BigEndian).max_message_bytes(8);
        let events = Framing::server_sent_events().max_message_bytes(40);
        let data = |texts: &[&'static str]| texts.iter().copied().map(Message::new).collect();
        let cut = || Some(ErrorKind::Frame(FrameFault::Truncated));
        let too_long = || Some(ErrorKind::Frame(FrameFault::TooLong(8)));
        vec![
            (lines, b"", data(&[]), None),
            (lines, b"1\n[2]\r\n\n3", data(&["1", "[2]", "3"]), None),
            (lines, b"1\n{\"a\":", data(&["1"]), cut()),
            (lines, b"1\n\"open", data(&["1"]), cut()),
            (lines, b"not JSON\n2\n", data(&["not JSON", "2"]), None),
            (lines, b"1\n123456789\n2\n", data(&["1"]), too_long()),
            (lines, b"12345678\n", data(&["12345678"]), None),
            (frames, b"", data(&[]), None),
            (frames, b"\0\x02ab\0\0\0\x01c", data(&["ab", "", "c"]), None),
            (frames, b"\0\x02ab\0", data(&["ab"]), cut()),
            (frames, b"\0\x02ab\0\x03cd", data(&["ab"]), cut()),
            (
                frames,
                b"\0\x02ab\0\x09abcdefghi",
                data(&["ab"]),
                too_long(),
            ),
            (
                events,
                b"data: 1\n\n: comment\r\nevent: chat\rid: 7\ndata: a\ndata: b\n\ndata: 3\n\n",
                vec![
                    event("1", "", ""),
                    event("a\nb", "chat", "7"),
                    event("3", "", "7"),
                ],
                None,
            ),
            (
                events,
                b"data: 1\n\ndata: cut off",
                vec![event("1", "", "")],
                None,
            ),
            (
                events,
                b"data: 1\n\ndata: 01234567890123456789012345678901234\n\n",
                vec![event("1", "", "")],
                Some(ErrorKind::EventStream(EventStreamFault::TooLong(40))),
            ),
        ]
    }

    #[test]
    fn messages_are_the_same_wherever_the_content_is_divided() {
        for (framing, content, messages, error) in table() {
            let expected = (messages, error);
            let shown = content.escape_ascii();
            for first in 0..=content.len() {
                for second in first..=content.len() {
                    let pieces = [
                        &content[..first],
                        &content[first..second],
                        &content[second..],
                    ];
                    let read = read(framing, pieces);
                    assert_eq!(read, expected, "{shown} at {first} and {second}");
                }
            }
            assert_eq!(
                read(framing, content.chunks(1)),
                expected,
                "{shown} by bytes"
            );
        }
    }

    #[test]
    fn a_queue_of_no_messages_is_one_of_one() {
        assert_eq!(Framing::json_lines().max_queued(0).queued_messages(), 1);
        assert_eq!(Framing::json_lines().queued_messages(), 1024);
    }
}
