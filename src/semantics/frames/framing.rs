//! [`Framing`]: how content is divided into messages, and [`Message`]: one of them.

use bytes::Bytes;
#[cfg(feature = "agent")]
use serde_core::de::DeserializeOwned;

use super::LengthPrefix;
#[cfg(feature = "agent")]
use crate::error::{Error, ErrorKind};

/// The most bytes of one message unless the caller says otherwise.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// The most messages that wait unless the caller says otherwise.
const QUEUED_MESSAGES: usize = 1024;

/// How the content of a response is divided into [messages](Message), for
/// `Request::messages`. Each constructor has the same limits: 1 MiB for a message, and 1024 messages that
/// wait to be taken.
///
/// ```
/// use httpoll::frames::{Framing, LengthPrefix};
///
/// let chat = Framing::json_lines().max_message_bytes(16 * 1024);
/// let replay = Framing::length_prefixed(LengthPrefix::U32BigEndian).max_queued(64);
/// assert_ne!(chat, replay);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    pub(super) format: Format,
    pub(super) message_bytes: usize,
    queued_messages: usize,
}

/// What separates two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Lines,
    Prefixed(LengthPrefix),
    Events,
}

impl Framing {
    const fn new(format: Format) -> Self {
        Self {
            format,
            message_bytes: MESSAGE_BYTES,
            queued_messages: QUEUED_MESSAGES,
        }
    }

    /// One message per line (NDJSON, JSON Lines). Lines end in LF or CRLF; blank lines are skipped. A last
    /// line without a line ending is a message if it is JSON; otherwise the content was cut off, which is an
    /// error.
    pub const fn json_lines() -> Self {
        Self::new(Format::Lines)
    }

    /// The length of each message comes before it. Content that ends inside of a message was cut off, which
    /// is an error. An empty message is a message.
    pub const fn length_prefixed(prefix: LengthPrefix) -> Self {
        Self::new(Format::Prefixed(prefix))
    }

    /// One message per server-sent event (WHATWG HTML §9.2). An event that the end of the content cuts off
    /// is dropped, as the specification demands. Nothing is opened again at the end: for that there is
    /// `Request::event_stream`.
    pub const fn server_sent_events() -> Self {
        Self::new(Format::Events)
    }

    /// The most bytes of one message. A longer one is an error, before all of it is held. Default: 1 MiB.
    #[must_use]
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = bytes;
        self
    }

    /// The most messages that wait to be taken. When there are that many, nothing more is read, so the
    /// server waits. Default: 1024; 0 counts as 1. Independently of it, nothing more is read when the
    /// messages that wait have 256 KiB, or what an agent on a thread of its own allows.
    #[must_use]
    pub const fn max_queued(mut self, messages: usize) -> Self {
        self.queued_messages = if messages == 0 { 1 } else { messages };
        self
    }

    /// The most messages that wait.
    #[cfg(feature = "agent")]
    pub(crate) fn queued_messages(&self) -> usize {
        self.queued_messages
    }

    /// Whether messages are server-sent events.
    #[cfg(feature = "agent")]
    pub(crate) fn is_events(&self) -> bool {
        self.format == Format::Events
    }
}

/// One message of a stream of content; see [`Framing`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The line without its line ending, the bytes after the length, or the payload of the server-sent
    /// event. Cheap to clone.
    pub data: Bytes,
    /// The type of a server-sent event; `None` means `message`.
    pub event: Option<String>,
    /// The last event id of a server-sent event; `None` if no event has set one.
    pub event_id: Option<String>,
}

impl Message {
    /// A message with this payload.
    pub fn new(data: impl Into<Bytes>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// The payload as a value of JSON (RFC 8259).
    ///
    /// ```
    /// # #[cfg(feature = "agent")] {
    /// use httpoll::frames::Message;
    ///
    /// let message = Message::new("[\"Ada\", 7]");
    /// let (name, score): (String, u32) = message.json()?;
    /// assert_eq!((name.as_str(), score), ("Ada", 7));
    /// # }
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`]. Its source says where. Messages after it are not affected.
    #[cfg(feature = "agent")]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.data)
            .map_err(|error| Error::new(ErrorKind::InvalidJson).with_source(error))
    }

    /// The payload as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    /// How many bytes it counts against the limit of content that waits.
    #[cfg(feature = "agent")]
    pub(crate) fn cost(&self) -> usize {
        let texts = [&self.event, &self.event_id].into_iter().flatten();
        self.data.len() + texts.map(String::len).sum::<usize>() + MESSAGE_COST
    }
}

/// The memory of a message besides its data, in bytes.
#[cfg(feature = "agent")]
const MESSAGE_COST: usize = 64;
