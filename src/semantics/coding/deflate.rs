//! The coding `deflate`: the zlib format (RFC 1950), or bare DEFLATE data (RFC 1951), which some
//! servers send instead (RFC 9110 §8.4.1.2). Bytes after the end are ignored, as in browsers.

use flate2::{Decompress, FlushDecompress, Status};

use super::Decoded;
use crate::error::CodingFault;

pub(super) struct Deflate {
    state: State,
}

enum State {
    /// Waiting for the two bytes that tell the formats apart.
    Sniff {
        first: Option<u8>,
    },
    Inflate {
        inflate: Decompress,
        /// The two bytes, until they are inflated.
        head: Vec<u8>,
    },
    Done,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self {
            state: State::Sniff { first: None },
        }
    }

    pub(super) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Decoded, CodingFault> {
        let mut total = Decoded::default();
        if let State::Sniff { first } = &mut self.state {
            let mut bytes = first.iter().chain(input).copied();
            let (Some(one), Some(two)) = (bytes.next(), bytes.next()) else {
                if let Some(&byte) = input.first() {
                    *first = Some(byte);
                    total.consumed = 1;
                }
                return Ok(total);
            };
            total.consumed = if first.is_some() { 1 } else { 2 };
            self.state = State::Inflate {
                inflate: Decompress::new(is_zlib_header(one, two)),
                head: vec![one, two],
            };
        }
        if let State::Inflate { inflate, head } = &mut self.state
            && !head.is_empty()
        {
            let (step, ended) = step(inflate, head, output).ok_or(CORRUPT)?;
            total.produced += step.produced;
            head.drain(..step.consumed);
            if ended {
                self.state = State::Done;
            } else if !head.is_empty() {
                return Ok(total);
            }
        }
        if let State::Inflate { inflate, .. } = &mut self.state {
            let rest = input.get(total.consumed..).unwrap_or_default();
            let target = output.get_mut(total.produced..).unwrap_or_default();
            let (step, ended) = step(inflate, rest, target).ok_or(CORRUPT)?;
            total.consumed += step.consumed;
            total.produced += step.produced;
            if ended {
                self.state = State::Done;
            }
        }
        if let State::Done = self.state {
            total.consumed = input.len();
        }
        Ok(total)
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

const CORRUPT: CodingFault = CodingFault::Corrupt("deflate");

/// Inflates once. The flag says whether the stream has ended. `None` means malformed data.
pub(super) fn step(
    inflate: &mut Decompress,
    input: &[u8],
    output: &mut [u8],
) -> Option<(Decoded, bool)> {
    let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
    let status = inflate
        .decompress(input, output, FlushDecompress::None)
        .ok()?;
    let decoded = Decoded {
        consumed: usize::try_from(inflate.total_in() - before_in).ok()?,
        produced: usize::try_from(inflate.total_out() - before_out).ok()?,
    };
    Some((decoded, status == Status::StreamEnd))
}

/// RFC 1950 §2.2: method 8, a window of at most 32 KiB, and a check value over both bytes. Bare
/// DEFLATE data from known encoders does not pass this check.
fn is_zlib_header(cmf: u8, flags: u8) -> bool {
    cmf & 0x0f == 8 && cmf >> 4 <= 7 && (u16::from(cmf) << 8 | u16::from(flags)) % 31 == 0
}
