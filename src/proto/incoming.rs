//! [`Incoming`]: the content that is being received, with one variant for each framing, and the meaning of
//! an early end of the connection (RFC 9112 §8). `framing` chooses the framing.

use super::chunked::{ChunkedDecoder, Decoded, Part};
use super::fields::FieldLines;
use super::framing::Framing;
use super::state::Role;
use crate::error::ErrorKind;
use crate::limits::Limits;

/// The content being received.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    received: u64,
    rest: Rest,
}

#[derive(Clone, Debug)]
enum Rest {
    Length { left: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl Incoming {
    /// The content of a message with this framing.
    pub(super) fn new(framing: Framing, we_are: Role) -> Self {
        Self {
            received: 0,
            rest: match framing {
                Framing::Empty | Framing::Tunnel => Rest::Length { left: 0 },
                Framing::Length(left) => Rest::Length { left },
                Framing::Chunked => Rest::Chunked(match we_are {
                    Role::Client => ChunkedDecoder::for_response(),
                    Role::Server => ChunkedDecoder::new(),
                }),
                Framing::UntilClose => Rest::UntilClose,
            },
        }
    }

    /// Receives until one part is complete or the input is used up.
    pub(super) fn receive(&mut self, input: &[u8], limits: &Limits) -> Result<Decoded, ErrorKind> {
        let decoded = match &mut self.rest {
            Rest::Length { left: 0 } => Decoded {
                consumed: 0,
                part: Some(Part::End(FieldLines::new())),
            },
            Rest::Length { left } => {
                let length = usize::try_from(*left).map_or(input.len(), |n| n.min(input.len()));
                *left -= length as u64;
                raw(length)
            }
            Rest::Chunked(decoder) => decoder.decode(input, limits)?,
            Rest::UntilClose => raw(input.len()),
        };
        if let Some(Part::Data(range)) = &decoded.part {
            self.received = self.received.saturating_add(range.len() as u64);
        }
        Ok(decoded)
    }

    /// The connection ended. Returns `Ok` if the content had ended, too. For a client, the content has also
    /// ended if the server closes right after the line of the last chunk.
    pub(super) fn receive_eof(&self, we_are: Role) -> Result<(), ErrorKind> {
        let expected = match &self.rest {
            Rest::UntilClose | Rest::Length { left: 0 } => return Ok(()),
            Rest::Chunked(decoder) if we_are == Role::Client && decoder.lacks_only_trailers() => {
                return Ok(());
            }
            Rest::Chunked(_) => None,
            Rest::Length { left } => Some(self.received.saturating_add(*left)),
        };
        Err(ErrorKind::Truncated {
            received: self.received,
            expected,
        })
    }
}

fn raw(length: usize) -> Decoded {
    Decoded {
        consumed: length,
        part: (length > 0).then_some(Part::Data(0..length)),
    }
}
