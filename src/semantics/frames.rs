//! Records inside a body, taken apart while it arrives: lines of JSON, and frames that state their
//! length. Server-sent events are in `event_stream`. Whole bodies need none of this.
//!
//! Both readers hold what was pushed and not taken, and nothing else; how much is pushed at a time
//! is the caller's choice. A single record over the limit is a fault, before it is held whole.

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;

use crate::error::FrameFault;

/// Reads lines of JSON (NDJSON, JSON Lines) out of a stream of bytes.
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
#[derive(Debug)]
pub struct JsonLines {
    buffer: BytesMut,
    /// So many bytes of the buffer are known to hold no line feed.
    scanned: usize,
    line_bytes: usize,
    finished: bool,
    /// Whether a line has been returned, or skipped because it was empty.
    has_begun: bool,
}

impl JsonLines {
    /// With room for lines of 1 MiB.
    pub fn new() -> Self {
        Self::with_line_bytes(1024 * 1024)
    }

    /// With another limit on the bytes of one line, its end not counted.
    pub fn with_line_bytes(line_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            line_bytes,
            finished: false,
            has_begun: false,
        }
    }

    /// Takes in the next piece of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that the body has ended, so that a last line without an end is a line, too.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next line, without its end; `None` until more is pushed.
    ///
    /// Fails when a line is longer than the limit, and goes on failing: what follows has no known
    /// beginning.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, FrameFault> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(offset) = unseen.iter().position(|&byte| byte == b'\n') else {
                // The CR of a CRLF may be the last byte held.
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

    /// The next line as a JSON value; `None` until more is pushed.
    ///
    /// Fails as [`next_line`](Self::next_line) does, and when a line is no JSON: that line is then
    /// done with, and the next one may be asked for.
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
            // Put back, so that asking again fails again.
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

/// How a frame states its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Fails when the length does not fit into the prefix; nothing is appended then.
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

/// Reads frames that begin with their length out of a stream of bytes.
#[derive(Debug)]
pub struct LengthPrefixed {
    buffer: BytesMut,
    prefix: LengthPrefix,
    frame_bytes: usize,
}

impl LengthPrefixed {
    /// With room for frames of 1 MiB.
    pub fn new(prefix: LengthPrefix) -> Self {
        Self::with_frame_bytes(prefix, 1024 * 1024)
    }

    /// With another limit on the bytes of one frame, its prefix not counted.
    pub fn with_frame_bytes(prefix: LengthPrefix, frame_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            prefix,
            frame_bytes,
        }
    }

    /// Takes in the next piece of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, without its prefix; `None` until more is pushed.
    ///
    /// Fails when a frame announces more than the limit, and goes on failing.
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

    /// Asks at the end of the body, after the last frame was taken, whether it ended inside one.
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
