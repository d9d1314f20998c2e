//! Splits a body into records while it arrives: lines of JSON, and frames with a length prefix.
//! Server-sent events are in `event_stream`. Complete bodies do not need this module.
//!
//! * `framing`: the choice of a format with its limits, and one message of any format.
//! * `framer`: content to messages, for the agent.
//!
//! Both readers hold only the bytes that were pushed and not taken. The caller chooses how much it
//! pushes at a time. A record over the limit is a fault, before all of it is held.

#[cfg(feature = "agent")]
pub(crate) mod framer;
mod framing;

pub use framing::{Framing, Message};

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;

use crate::error::FrameFault;

/// Reads lines of JSON (NDJSON, JSON Lines) from a stream of bytes.
///
/// Lines end in LF or CRLF. Blank lines are skipped.
///
/// ```
/// use httpoll::frames::JsonLines;
///
/// let mut lines = JsonLines::new();
/// lines.push(b"{\"score\":1}\n{\"sco");
/// assert_eq!(lines.next_value()?.unwrap()["score"], 1);
/// assert!(lines.next_value()?.is_none());
/// lines.push(b"re\":2}");
/// lines.finish();
/// assert_eq!(lines.next_value()?.unwrap()["score"], 2);
/// # Ok::<(), httpoll::error::FrameFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonLines {
    buffer: BytesMut,
    /// The number of bytes at the start of the buffer that contain no line feed.
    scanned: usize,
    line_bytes: usize,
    finished: bool,
    /// Whether a line has been returned, or skipped because it was empty.
    has_begun: bool,
}

impl JsonLines {
    /// A reader with a limit of 1 MiB per line.
    pub fn new() -> Self {
        Self::with_line_bytes(1024 * 1024)
    }

    /// A reader with another limit on the bytes of one line, without its line ending.
    pub fn with_line_bytes(line_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            line_bytes,
            finished: false,
            has_begun: false,
        }
    }

    /// Adds the next piece of the body. Pieces may have any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Marks the end of the body, so that a last line without a line ending counts, too.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next line, without its line ending; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Fails when a line is longer than the limit, and on every later call: the start of the next
    /// line is unknown then.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, FrameFault> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(offset) = unseen.iter().position(|&byte| byte == b'\n') else {
                // The last byte held may be the CR of a CRLF.
                if self.buffer.len() > self.line_bytes.saturating_add(1) {
                    return Err(FrameFault::TooLong(self.line_bytes));
                }
                self.scanned = self.buffer.len();
                if self.finished && !self.buffer.is_empty() {
                    self.scanned = 0;
                    let line = self.buffer.split().freeze();
                    return self.checked(line);
                }
                return Ok(None);
            };
            let length = self.scanned + offset;
            if length > self.line_bytes.saturating_add(1) {
                return Err(FrameFault::TooLong(self.line_bytes));
            }
            let line = self.buffer.split_to(length).freeze();
            self.buffer.advance(1);
            self.scanned = 0;
            if let Some(line) = self.checked(line)? {
                return Ok(Some(line));
            }
        }
    }

    /// The next line as a JSON value; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Fails like [`next_line`](Self::next_line), and when a line is not valid JSON. That line is
    /// then skipped, and the next call continues after it.
    pub fn next_value(&mut self) -> Result<Option<Value>, FrameFault> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        match serde_json::from_slice(&line) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(FrameFault::NotJson {
                column: error.column(),
            }),
        }
    }

    fn checked(&mut self, mut line: Bytes) -> Result<Option<Bytes>, FrameFault> {
        if !std::mem::replace(&mut self.has_begun, true) && line.starts_with(b"\xef\xbb\xbf") {
            // A byte order mark before the first line (RFC 8259 §8.1).
            line.advance(3);
        }
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.line_bytes {
            // Keep an overlong line in the buffer, so that the next call fails again.
            self.buffer = BytesMut::zeroed(self.line_bytes.saturating_add(2));
            return Err(FrameFault::TooLong(self.line_bytes));
        }
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        Ok((!blank).then_some(line))
    }
}

impl Default for JsonLines {
    fn default() -> Self {
        Self::new()
    }
}

/// The format of a frame's length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LengthPrefix {
    /// Two bytes, most significant first.
    U16BigEndian,
    /// Two bytes, least significant first.
    U16LittleEndian,
    /// Four bytes, most significant first.
    U32BigEndian,
    /// Four bytes, least significant first.
    U32LittleEndian,
}

impl LengthPrefix {
    /// Appends a frame: the length of `content`, then `content`.
    ///
    /// # Errors
    /// Fails, and appends nothing, when the length does not fit into the prefix.
    pub fn encode(self, content: &[u8], out: &mut Vec<u8>) -> Result<(), FrameFault> {
        let length = content.len();
        match self {
            Self::U16BigEndian | Self::U16LittleEndian => {
                let short =
                    u16::try_from(length).map_err(|_| FrameFault::TooLong(u16::MAX.into()))?;
                out.extend_from_slice(&match self {
                    Self::U16BigEndian => short.to_be_bytes(),
                    _ => short.to_le_bytes(),
                });
            }
            Self::U32BigEndian | Self::U32LittleEndian => {
                let long =
                    u32::try_from(length).map_err(|_| FrameFault::TooLong(u32::MAX as usize))?;
                out.extend_from_slice(&match self {
                    Self::U32BigEndian => long.to_be_bytes(),
                    _ => long.to_le_bytes(),
                });
            }
        }
        out.extend_from_slice(content);
        Ok(())
    }

    fn read(self, mut bytes: &[u8]) -> Option<(usize, u32)> {
        Some(match self {
            Self::U16BigEndian => (2, bytes.try_get_u16().ok()?.into()),
            Self::U16LittleEndian => (2, bytes.try_get_u16_le().ok()?.into()),
            Self::U32BigEndian => (4, bytes.try_get_u32().ok()?),
            Self::U32LittleEndian => (4, bytes.try_get_u32_le().ok()?),
        })
    }
}

/// Reads frames with a length prefix from a stream of bytes.
#[derive(Clone, Debug)]
pub struct LengthPrefixed {
    buffer: BytesMut,
    prefix: LengthPrefix,
    frame_bytes: usize,
}

impl LengthPrefixed {
    /// A reader with a limit of 1 MiB per frame.
    pub fn new(prefix: LengthPrefix) -> Self {
        Self::with_frame_bytes(prefix, 1024 * 1024)
    }

    /// A reader with another limit on the bytes of one frame, without its prefix.
    pub fn with_frame_bytes(prefix: LengthPrefix, frame_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            prefix,
            frame_bytes,
        }
    }

    /// Adds the next piece of the body. Pieces may have any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, without its prefix; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Fails when a frame announces more bytes than the limit, and on every later call.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameFault> {
        let Some((prefix_length, length)) = self.prefix.read(&self.buffer) else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.frame_bytes {
            return Err(FrameFault::TooLong(self.frame_bytes));
        }
        if self.buffer.len() - prefix_length < length {
            return Ok(None);
        }
        self.buffer.advance(prefix_length);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Checks whether the body ended inside a frame. Call it at the end of the body, after taking
    /// the last frame.
    pub fn finish(&self) -> Result<(), FrameFault> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(FrameFault::Truncated)
        }
    }
}

#[cfg(test)]
mod tests;
