//! [`HttpFraming`]: how content is divided into messages, as data that scenes can save.

#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::frames::{Framing, LengthPrefix};

/// How the content of a response is divided into messages; see
/// [`HttpStream::Messages`](crate::HttpStream::Messages).
///
/// ```
/// # use bevy_httpoll::prelude::*;
/// let replay = HttpStream::Messages(HttpFraming {
///     max_message_bytes: 16 * 1024,
///     ..HttpFraming::new(HttpFrameFormat::U32BigEndian)
/// });
/// # let _ = replay;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
pub struct HttpFraming {
    /// What separates two messages. Default [`HttpFrameFormat::JsonLines`].
    pub format: HttpFrameFormat,
    /// The most bytes of one message; a longer one is an [`HttpError`](crate::HttpError). Default 1 MiB.
    pub max_message_bytes: usize,
    /// The most messages that wait for the frame that delivers them. Then nothing more is read, so the
    /// server waits. Default 1024.
    pub max_queued: usize,
}

/// What separates two messages; see [`HttpFraming`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[non_exhaustive]
pub enum HttpFrameFormat {
    /// One message per line (NDJSON, JSON Lines). The default.
    #[default]
    JsonLines,
    /// Two bytes of length before each message, most significant first.
    U16BigEndian,
    /// Two bytes of length before each message, least significant first.
    U16LittleEndian,
    /// Four bytes of length before each message, most significant first.
    U32BigEndian,
    /// Four bytes of length before each message, least significant first.
    U32LittleEndian,
    /// One message per server-sent event (WHATWG HTML §9.2). Unlike
    /// [`HttpStream::ServerSentEvents`](crate::HttpStream::ServerSentEvents) it does not reconnect, and
    /// works with any method.
    ServerSentEvents,
}

impl Default for HttpFraming {
    fn default() -> Self {
        Self::new(HttpFrameFormat::default())
    }
}

impl HttpFraming {
    /// This format, with the default limits.
    pub const fn new(format: HttpFrameFormat) -> Self {
        Self {
            format,
            max_message_bytes: 1024 * 1024,
            max_queued: 1024,
        }
    }

    pub(crate) fn framing(self) -> Framing {
        let prefixed = Framing::length_prefixed;
        let framing = match self.format {
            HttpFrameFormat::JsonLines => Framing::json_lines(),
            HttpFrameFormat::U16BigEndian => prefixed(LengthPrefix::U16BigEndian),
            HttpFrameFormat::U16LittleEndian => prefixed(LengthPrefix::U16LittleEndian),
            HttpFrameFormat::U32BigEndian => prefixed(LengthPrefix::U32BigEndian),
            HttpFrameFormat::U32LittleEndian => prefixed(LengthPrefix::U32LittleEndian),
            HttpFrameFormat::ServerSentEvents => Framing::server_sent_events(),
        };
        framing
            .max_message_bytes(self.max_message_bytes)
            .max_queued(self.max_queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_agent_unless_set() {
        assert_eq!(HttpFraming::default().framing(), Framing::json_lines());
        let events = HttpFraming::new(HttpFrameFormat::ServerSentEvents).framing();
        assert_eq!(events, Framing::server_sent_events());
    }
}
