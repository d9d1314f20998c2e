//! [`ChunkedDecoder`]: removes the chunked coding (RFC 9112 §7.1), in whatever pieces it arrives. It
//! buffers nothing: it reports chunk data as ranges of the input, so chunks of any size pass through.
//! `outgoing` adds the coding.

use std::ops::Range;

use super::fields::FieldLines;
use super::grammar::{is_field_value, is_token, trim_ows};
use super::trailer::is_allowed_in_trailers;
use crate::error::{ErrorKind, PeerMisbehaved};
use crate::limits::{Limit, Limits};

/// The decoder for the content of one message.
#[derive(Clone, Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Bytes of chunk extensions so far. They are ignored, so only a limit on their number stops them.
    extension_bytes: usize,
    /// Whether trailer lines may end in LF alone.
    accepts_bare_lf: bool,
}

/// What the decoder found in its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The number of input bytes that are consumed.
    pub(super) consumed: usize,
    /// What was decoded from them.
    pub(super) part: Option<Part>,
}

/// One decoded part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Chunk data, as a range of the input.
    Data(Range<usize>),
    /// The end, with the trailer section.
    End(FieldLines),
}

#[derive(Clone, Debug)]
enum State {
    Size { digits: u8, size: u64 },
    Extension { size: u64, place: Extension },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers(Trailers),
}

#[derive(Clone, Copy, Debug)]
enum Extension {
    /// In the whitespace after the size.
    Before,
    /// After a semicolon.
    Inside,
}

#[derive(Clone, Debug, Default)]
struct Trailers {
    fields: FieldLines,
    /// The number of fields so far, with those that were dropped.
    lines: usize,
    /// Bytes consumed so far.
    bytes: usize,
    /// Bytes of the unfinished line that were searched, but not consumed.
    searched: usize,
}

const FIRST_CHUNK: State = State::Size { digits: 0, size: 0 };

/// 64 bits need 16 digits; some peers pad with zeros.
const MAX_DIGITS: u8 = 32;

impl ChunkedDecoder {
    pub(super) fn new() -> Self {
        Self {
            state: FIRST_CHUNK,
            extension_bytes: 0,
            accepts_bare_lf: false,
        }
    }

    /// A decoder for a response. Its trailer lines may end in LF alone, as the lines of its head may (RFC
    /// 9112 §2.2). In a request, that could hide another request.
    pub(super) fn for_response() -> Self {
        Self {
            accepts_bare_lf: true,
            ..Self::new()
        }
    }

    /// Decodes until one part is complete or the input is used up. The bytes that were not consumed must be
    /// passed again, with more after them.
    pub(super) fn decode(&mut self, input: &[u8], limits: &Limits) -> Result<Decoded, ErrorKind> {
        let mut consumed = 0;
        while let Some(&byte) = input.get(consumed) {
            match &mut self.state {
                State::Data { left } => {
                    let available = input.len() - consumed;
                    let length = usize::try_from(*left).map_or(available, |n| n.min(available));
                    *left -= length as u64;
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Decoded {
                        consumed: consumed + length,
                        part: Some(Part::Data(consumed..consumed + length)),
                    });
                }
                State::Trailers(trailers) => {
                    let rest = input.get(consumed..).unwrap_or_default();
                    let (length, end) = trailers.receive(rest, self.accepts_bare_lf, limits)?;
                    return Ok(Decoded {
                        consumed: consumed + length,
                        part: end.map(Part::End),
                    });
                }
                state => {
                    if let State::Extension { .. } = state {
                        // The CR is counted in place of the byte that began the extension.
                        self.extension_bytes += 1;
                        if self.extension_bytes > limits.chunk_extension_bytes {
                            return Err(
                                Limit::ChunkExtensionBytes(limits.chunk_extension_bytes).into()
                            );
                        }
                    }
                    *state = state.after(byte)?;
                    consumed += 1;
                }
            }
        }
        Ok(Decoded {
            consumed,
            part: None,
        })
    }

    /// Whether the input ends right after the line of the last chunk: some servers close there.
    pub(super) fn lacks_only_trailers(&self) -> bool {
        matches!(&self.state, State::Trailers(trailers) if trailers.bytes + trailers.searched == 0)
    }
}

impl State {
    /// The state after this byte of a chunk line or of the line end after the data.
    fn after(&self, byte: u8) -> Result<Self, PeerMisbehaved> {
        use PeerMisbehaved::{BareLineFeed, InvalidChunk, InvalidChunkSize};
        Ok(match (self, byte) {
            (&Self::Size { digits, size }, byte) => match (byte, digits) {
                (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', 0..MAX_DIGITS) if size >> 60 == 0 => {
                    Self::Size {
                        digits: digits + 1,
                        size: size << 4 | u64::from(hex_value(byte)),
                    }
                }
                (b' ' | b'\t', 1..) => Self::Extension {
                    size,
                    place: Extension::Before,
                },
                (b';', 1..) => Self::Extension {
                    size,
                    place: Extension::Inside,
                },
                (b'\r', 1..) => Self::SizeLf { size },
                (b'\n', 1..) => return Err(BareLineFeed),
                _ => return Err(InvalidChunkSize),
            },
            (&Self::Extension { size, .. }, b'\r') => Self::SizeLf { size },
            (Self::Extension { .. }, b'\n') => return Err(BareLineFeed),
            (&Self::Extension { size, place }, byte) => match (place, byte) {
                (Extension::Before, b' ' | b'\t') => Self::Extension { size, place },
                (Extension::Before, b';') => Self::Extension {
                    size,
                    place: Extension::Inside,
                },
                (Extension::Before, _) => return Err(InvalidChunkSize),
                (Extension::Inside, byte) if is_field_value(&[byte]) => {
                    Self::Extension { size, place }
                }
                (Extension::Inside, _) => return Err(InvalidChunk),
            },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailers(Trailers::default()),
            (&Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataCr, b'\n') => return Err(BareLineFeed),
            (Self::DataLf, b'\n') => FIRST_CHUNK,
            (Self::SizeLf { .. } | Self::DataCr | Self::DataLf, _) => return Err(InvalidChunk),
            (Self::Data { .. } | Self::Trailers(_), _) => return Err(InvalidChunk),
        })
    }
}

impl Trailers {
    /// Consumes finished lines. Returns how many bytes were consumed, and the trailer section once it has
    /// ended.
    fn receive(
        &mut self,
        input: &[u8],
        accepts_bare_lf: bool,
        limits: &Limits,
    ) -> Result<(usize, Option<FieldLines>), ErrorKind> {
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let new = rest.get(self.searched..).unwrap_or_default();
            let newline = new.iter().position(|&byte| byte == b'\n');
            let end = self.searched + newline.map_or(new.len(), |index| index + 1);
            if self.bytes + end > limits.trailer_bytes {
                return Err(Limit::TrailerBytes(limits.trailer_bytes).into());
            }
            if newline.is_none() {
                self.searched = end;
                return Ok((consumed, None));
            }
            self.searched = 0;
            self.bytes += end;
            consumed += end;
            let line = &rest[..end];
            let bare = line.strip_suffix(b"\n").filter(|_| accepts_bare_lf);
            let line = line
                .strip_suffix(b"\r\n")
                .or(bare)
                .ok_or(PeerMisbehaved::BareLineFeed)?;
            if line.is_empty() {
                return Ok((consumed, Some(std::mem::take(&mut self.fields))));
            }
            self.lines += 1;
            if self.lines > limits.trailer_count {
                return Err(Limit::TrailerCount(limits.trailer_count).into());
            }
            self.keep(line)?;
        }
    }

    fn keep(&mut self, line: &[u8]) -> Result<(), PeerMisbehaved> {
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = colon
            .and_then(|colon| Some((&line[..colon], line.get(colon + 1..)?)))
            .ok_or(PeerMisbehaved::InvalidTrailer)?;
        let value = trim_ows(value);
        match std::str::from_utf8(name) {
            Ok(name) if is_token(name.as_bytes()) && is_field_value(value) => {
                if is_allowed_in_trailers(name) {
                    self.fields.push(name, value);
                }
                Ok(())
            }
            _ => Err(PeerMisbehaved::InvalidTrailer),
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests;
