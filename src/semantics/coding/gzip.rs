//! The coding `gzip` (RFC 1952): one or more members, with verified checksums. Bytes after a member
//! that do not start another one (padding, garbage) are ignored, as in browsers. curl fails on any
//! bytes after the first member.

use flate2::Decompress;

use super::Decoded;
use super::deflate::step;
use crate::error::CodingFault;

pub(super) struct Gzip {
    state: State,
}

enum State {
    Member(Decompress),
    /// After a member; this many bytes of the next member's magic number have arrived.
    Between {
        magic: usize,
    },
    /// Another member follows, and its magic number has been read.
    Next(Decompress, usize),
    Ignored,
}

/// ID1 and ID2 (RFC 1952 §2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The largest window, as a power of two.
const WINDOW_BITS: u8 = 15;

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            state: State::Member(Decompress::new_gzip(WINDOW_BITS)),
        }
    }

    pub(super) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Decoded, CodingFault> {
        let mut total = Decoded::default();
        loop {
            let rest = input.get(total.consumed..).unwrap_or_default();
            let target = output.get_mut(total.produced..).unwrap_or_default();
            match &mut self.state {
                State::Member(inflate) => {
                    let (step, ended) = step(inflate, rest, target).ok_or(CORRUPT)?;
                    total.consumed += step.consumed;
                    total.produced += step.produced;
                    if !ended {
                        return Ok(total);
                    }
                    self.state = State::Between { magic: 0 };
                }
                State::Between { magic } => {
                    let Some(byte) = rest.first() else {
                        return Ok(total);
                    };
                    if MAGIC.get(*magic) != Some(byte) {
                        self.state = State::Ignored;
                        continue;
                    }
                    total.consumed += 1;
                    *magic += 1;
                    if *magic == MAGIC.len() {
                        self.state = State::Next(Decompress::new_gzip(WINDOW_BITS), 0);
                    }
                }
                State::Next(inflate, fed) => {
                    let head = MAGIC.get(*fed..).unwrap_or_default();
                    let (step, _) = step(inflate, head, target).ok_or(CORRUPT)?;
                    *fed += step.consumed;
                    if *fed < MAGIC.len() {
                        return Ok(total);
                    }
                    let State::Next(inflate, _) =
                        std::mem::replace(&mut self.state, State::Ignored)
                    else {
                        return Ok(total);
                    };
                    self.state = State::Member(inflate);
                }
                State::Ignored => {
                    total.consumed = input.len();
                    return Ok(total);
                }
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Between { .. } | State::Ignored)
    }
}

const CORRUPT: CodingFault = CodingFault::Corrupt("gzip");
