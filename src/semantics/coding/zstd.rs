//! The coding `zstd` (RFC 8878): one or more frames, which may include skippable ones, with windows
//! of at most 8 MiB (RFC 9659 §3). It refuses dictionaries. It verifies a frame's content size, but
//! not its checksum, which most senders leave out.
//!
//! The underlying decoder reads whole blocks, so this module first collects one block (at most 128
//! KiB). The decoder returns content after it has left the window, or at the end of the frame.
//!
//! Content that is delivered piece by piece must not wait that long. When the input runs out, this
//! module passes the decoder an end of frame, which makes it return everything. Then it restores the decoder's
//! window by uncompressed blocks: those change nothing else that later blocks refer to. This copies the
//! window twice, so it is done for such content only, and once for each time that the input runs out.

use std::io::{Cursor, Read};

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
    delivers_blocks: bool,
    /// The window of the present frame.
    window: usize,
    /// The decoder received an end of frame, so it no longer holds the window.
    is_flushed: bool,
    /// Whether a block was decoded since the last flush.
    has_news: bool,
    /// How many of the bytes that leave the decoder next were delivered before.
    delivered: usize,
    /// Content that was taken out of the window and is not delivered yet.
    flushed: Cursor<Vec<u8>>,
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
            delivers_blocks: false,
            window: 0,
            is_flushed: false,
            has_news: false,
            delivered: 0,
            flushed: Cursor::default(),
        }
    }

    /// Delivers each block when it was received.
    pub(super) fn deliver_blocks(&mut self) {
        self.delivers_blocks = true;
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
            if self.has_flushed() {
                let count = self.flushed.read(target).map_err(|_| CORRUPT)?;
                if count == 0 {
                    return Ok(total);
                }
                total.produced += count;
                continue;
            }
            let available = self.available();
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
                Place::Block(_) | Place::Drain(_) if available > 0 && self.delivered > 0 => {
                    let mut seen = [0; 4096];
                    let most = seen.len().min(available).min(self.delivered);
                    let count = self.frames.read(&mut seen[..most]).map_err(|_| CORRUPT)?;
                    if count == 0 {
                        return Err(CORRUPT);
                    }
                    self.delivered -= count;
                }
                Place::Block(frame) | Place::Drain(frame) if available > 0 => {
                    if target.is_empty() {
                        return Ok(total);
                    }
                    let most = target.len().min(available);
                    let count = self.frames.read(&mut target[..most]).map_err(|_| CORRUPT)?;
                    total.produced += count;
                    frame.note_content(count)?;
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
                        if self.delivers_blocks && self.has_news {
                            self.flush()?;
                            continue;
                        }
                        return Ok(total);
                    }
                    decode_block(&mut self.frames, self.unit.as_slice())?;
                    let is_last = self.unit.first().is_some_and(|byte| byte & 1 == 1);
                    self.unit.clear();
                    self.has_news = true;
                    if is_last {
                        self.place = Place::Drain(*frame);
                    }
                }
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.place, Place::Header { any: true })
            && self.unit.is_empty()
            && !self.has_flushed()
    }

    fn has_flushed(&self) -> bool {
        self.flushed.position() < self.flushed.get_ref().len() as u64
    }

    /// How many bytes the decoder does not need any more.
    fn available(&self) -> usize {
        let held = self.frames.can_collect();
        match self.place {
            Place::Block(_) if self.is_flushed => held.saturating_sub(self.window),
            _ => held,
        }
    }

    /// Takes what was decoded out of the window, and leaves the window as it is.
    fn flush(&mut self) -> Result<(), CodingFault> {
        decode_block(&mut self.frames, &EMPTY_LAST_BLOCK[..])?;
        let held = self.frames.collect().unwrap_or_default();
        let news = held.get(self.delivered..).ok_or(CORRUPT)?;
        if let Place::Block(frame) = &mut self.place {
            frame.note_content(news.len())?;
        }
        self.flushed = Cursor::new(news.to_vec());
        let window = &held[held.len().saturating_sub(self.window)..];
        for piece in window.chunks(MAX_BLOCK) {
            let size = u32::try_from(piece.len() << 3).map_err(|_| CORRUPT)?;
            let header = &size.to_le_bytes()[..3];
            decode_block(&mut self.frames, header.chain(piece))?;
        }
        self.delivered = window.len();
        self.is_flushed = true;
        self.has_news = false;
        Ok(())
    }

    fn begin_frame(&mut self) -> Result<Place, CodingFault> {
        if let Some(left) = skippable(&self.unit) {
            return Ok(Place::Skip { left });
        }
        let descriptor = self.unit.get(4).copied().unwrap_or_default();
        if let Some(byte) = self.unit.get_mut(4) {
            // The decoder would wait for the checksum, which is not verified.
            *byte &= !CHECKSUM;
        }
        self.frames
            .reset(self.unit.as_slice())
            .map_err(|error| match error {
                FrameDecoderError::WindowSizeTooBig { .. } => CodingFault::Window(MAX_WINDOW),
                _ => CORRUPT,
            })?;
        self.is_flushed = false;
        self.has_news = false;
        self.delivered = 0;
        self.window = if is_single_segment(descriptor) {
            usize::try_from(self.frames.content_size()).map_err(|_| CORRUPT)?
        } else {
            window_size(self.unit.get(5).copied().unwrap_or_default())
        };
        let has_size = descriptor >> 6 != 0 || is_single_segment(descriptor);
        Ok(Place::Block(Frame {
            has_checksum: descriptor & CHECKSUM != 0,
            left: has_size.then(|| self.frames.content_size()),
        }))
    }
}

impl Frame {
    /// Subtracts content from what the header announced.
    fn note_content(&mut self, count: usize) -> Result<(), CodingFault> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(count as u64).ok_or(CORRUPT)?;
        }
        Ok(())
    }
}

fn decode_block(frames: &mut FrameDecoder, block: impl Read) -> Result<(), CodingFault> {
    let one = BlockDecodingStrategy::UptoBlocks(1);
    let decoded = frames.decode_blocks(block, one);
    decoded.map(drop).map_err(|_| CORRUPT)
}

/// RFC 8878 §3.1.1.1.2: the window that a frame's window descriptor asks for.
fn window_size(descriptor: u8) -> usize {
    let base = 1_usize << (10 + (descriptor >> 3));
    base + base / 8 * usize::from(descriptor & 7)
}

/// The flag for a checksum in a frame's descriptor (RFC 8878 §3.1.1.1.1).
const CHECKSUM: u8 = 0x04;

/// A block without content that ends a frame (RFC 8878 §3.1.1.2).
const EMPTY_LAST_BLOCK: [u8; 3] = [1, 0, 0];

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
