//! The coding `zstd` (RFC 8878): one or more frames, which may include skippable ones, with windows
//! of at most 8 MiB (RFC 9659 §3). It refuses dictionaries. It verifies a frame's content size, but
//! not its checksum, which most senders leave out.
//!
//! The underlying decoder reads whole blocks, so this module first collects one block (at most 128
//! KiB). The decoder returns content after it has left the window, or at the end of the frame.

use std::io::Read;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Decoded;
use crate::error::CodingFault;

/// RFC 9659 §3.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// RFC 8878 §3.1.1.2.3.
const MAX_BLOCK: usize = 128 * 1024;

/// RFC 8878 §3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

pub(super) struct Zstd {
    frames: Box<FrameDecoder>,
    /// The collected bytes of the unit that `place` names.
    unit: Vec<u8>,
    place: Place,
}

enum Place {
    /// At a frame header. The flag says whether a frame came before it.
    Header { any: bool },
    /// In a skippable frame (RFC 8878 §3.1.2).
    Skip { left: u32 },
    /// At a block.
    Block(Frame),
    /// Waiting until the caller has taken the content of a finished frame.
    Drain(Frame),
}

#[derive(Clone, Copy)]
struct Frame {
    has_checksum: bool,
    /// The remaining bytes of content, when the header states the size.
    left: Option<u64>,
}

impl Zstd {
    pub(super) fn new() -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_max_window_size(MAX_WINDOW);
        Self {
            frames: Box::new(frames),
            unit: Vec::new(),
            place: Place::Header { any: false },
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
            match &mut self.place {
                Place::Header { any } => {
                    if *any && rest.is_empty() && self.unit.is_empty() {
                        return Ok(total);
                    }
                    let (taken, whole) = collect(&mut self.unit, rest, header_length)?;
                    total.consumed += taken;
                    if !whole {
                        return Ok(total);
                    }
                    self.place = self.begin_frame()?;
                    self.unit.clear();
                }
                Place::Skip { left } => {
                    let skipped = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    total.consumed += skipped;
                    *left -= u32::try_from(skipped).unwrap_or(*left);
                    if *left > 0 {
                        return Ok(total);
                    }
                    self.place = Place::Header { any: true };
                }
                Place::Block(frame) | Place::Drain(frame) if self.frames.can_collect() > 0 => {
                    if target.is_empty() {
                        return Ok(total);
                    }
                    let count = self.frames.read(target).map_err(|_| CORRUPT)?;
                    total.produced += count;
                    if let Some(left) = &mut frame.left {
                        *left = left.checked_sub(count as u64).ok_or(CORRUPT)?;
                    }
                    if count == 0 {
                        return Err(CORRUPT);
                    }
                }
                Place::Drain(frame) => {
                    if frame.left.is_some_and(|left| left > 0) {
                        return Err(CORRUPT);
                    }
                    self.place = Place::Header { any: true };
                }
                Place::Block(frame) => {
                    let checksum = if frame.has_checksum { 4 } else { 0 };
                    let length = |unit: &[u8]| block_length(unit, checksum);
                    let (taken, whole) = collect(&mut self.unit, rest, length)?;
                    total.consumed += taken;
                    if !whole {
                        return Ok(total);
                    }
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    let ended = self
                        .frames
                        .decode_blocks(self.unit.as_slice(), one)
                        .map_err(|_| CORRUPT)?;
                    self.unit.clear();
                    if ended {
                        self.place = Place::Drain(*frame);
                    }
                }
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.place, Place::Header { any: true }) && self.unit.is_empty()
    }

    fn begin_frame(&mut self) -> Result<Place, CodingFault> {
        if let Some(left) = skippable(&self.unit) {
            return Ok(Place::Skip { left });
        }
        self.frames
            .reset(self.unit.as_slice())
            .map_err(|error| match error {
                FrameDecoderError::WindowSizeTooBig { .. } => CodingFault::Window(MAX_WINDOW),
                _ => CORRUPT,
            })?;
        let descriptor = self.unit.get(4).copied().unwrap_or_default();
        let has_size = descriptor >> 6 != 0 || is_single_segment(descriptor);
        Ok(Place::Block(Frame {
            has_checksum: descriptor & 0x04 != 0,
            left: has_size.then(|| self.frames.content_size()),
        }))
    }
}

const CORRUPT: CodingFault = CodingFault::Corrupt("zstd");

/// Moves bytes into `unit` until it is as long as `length` says. `length` may need some of the
/// bytes first. Returns how many bytes were taken, and whether the unit is complete.
fn collect(
    unit: &mut Vec<u8>,
    mut input: &[u8],
    length: impl Fn(&[u8]) -> Result<usize, CodingFault>,
) -> Result<(usize, bool), CodingFault> {
    let mut taken = 0;
    loop {
        let wanted = length(unit)?;
        let missing = wanted.saturating_sub(unit.len());
        if missing == 0 {
            return Ok((taken, true));
        }
        let (piece, rest) = input.split_at(missing.min(input.len()));
        unit.extend_from_slice(piece);
        taken += piece.len();
        input = rest;
        if piece.len() < missing {
            return Ok((taken, false));
        }
    }
}

/// RFC 8878 §3.1.1.1: the length of the header, or the number of bytes needed to know it.
fn header_length(unit: &[u8]) -> Result<usize, CodingFault> {
    let Some(magic) = unit.get(..4) else {
        return Ok(4);
    };
    if is_skippable(magic) {
        return Ok(8);
    }
    if magic != MAGIC {
        return Err(CORRUPT);
    }
    let Some(&descriptor) = unit.get(4) else {
        return Ok(5);
    };
    // The reserved bit.
    if descriptor & 0x08 != 0 {
        return Err(CORRUPT);
    }
    let single_segment = is_single_segment(descriptor);
    let window = usize::from(!single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0x03)];
    let content_size = match descriptor >> 6 {
        0 => usize::from(single_segment),
        flag => 1 << flag,
    };
    Ok(5 + window + dictionary + content_size)
}

/// RFC 8878 §3.1.1.2: the length of the block with its header, and with the checksum after the last
/// block.
fn block_length(unit: &[u8], checksum: usize) -> Result<usize, CodingFault> {
    let Some(&[low, middle, high]) = unit.first_chunk::<3>() else {
        return Ok(3);
    };
    let header = u32::from_le_bytes([low, middle, high, 0]);
    let size = usize::try_from(header >> 3).map_err(|_| CORRUPT)?;
    if size > MAX_BLOCK {
        return Err(CORRUPT);
    }
    let content = match (header >> 1) & 3 {
        // Run-length encoded: one byte, repeated `size` times.
        1 => 1,
        0 | 2 => size,
        _ => return Err(CORRUPT),
    };
    let last = header & 1 == 1;
    Ok(3 + content + if last { checksum } else { 0 })
}

fn is_single_segment(descriptor: u8) -> bool {
    descriptor & 0x20 != 0
}

fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

fn skippable(header: &[u8]) -> Option<u32> {
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let size = rest.first_chunk::<4>()?;
    is_skippable(magic).then(|| u32::from_le_bytes(*size))
}
