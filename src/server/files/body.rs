//! [`AssetBody`]: the content of a response, piece by piece: parts of an asset, and the lines between them
//! when several ranges are sent.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;

use super::root::AssetContent;
use crate::error::{DiskFault, DiskStep};
use crate::exclusive::Exclusive;
use crate::read_once::read_once;
use crate::transport::disk::Rest;

/// The content of a response, which is pulled in pieces. Dropping it closes the file.
pub struct AssetBody {
    content: Exclusive<AssetContent>,
    /// Where the next read starts.
    position: u64,
    pieces: VecDeque<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Bytes),
    Part(Range<u64>),
}

impl AssetBody {
    pub(super) fn new(content: AssetContent, pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self {
            content: Exclusive::new(content),
            position: 0,
            pieces: pieces.into_iter().collect(),
        }
    }

    /// At most `limit` bytes of the rest; `None` at the end. Each call makes one read, and one seek where a part
    /// starts.
    ///
    /// Fails when reading does, and with [`io::ErrorKind::UnexpectedEof`] when the asset has become shorter.
    /// The announced content cannot be sent then, so close the connection.
    pub fn next_chunk(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        let limit = limit.max(1);
        while let Some(piece) = self.pieces.front_mut() {
            match piece {
                Piece::Bytes(bytes) if bytes.is_empty() => {}
                Piece::Bytes(bytes) => return Ok(Some(bytes.split_to(limit.min(bytes.len())))),
                Piece::Part(range) if range.is_empty() => {}
                Piece::Part(range) => {
                    let chunk =
                        read_part(self.content.get_mut(), &mut self.position, range, limit)?;
                    return Ok(Some(chunk));
                }
            }
            self.pieces.pop_front();
        }
        Ok(None)
    }
}

/// Why a block could not be read.
#[derive(Debug)]
pub(super) enum BlockFault {
    Io(io::Error),
    /// The asset has become shorter.
    Short {
        expected: u64,
        found: u64,
    },
}

impl BlockFault {
    pub(super) fn into_parts(self) -> (DiskFault, io::Error) {
        match self {
            Self::Io(error) => (DiskFault::io(DiskStep::Read, &error), error),
            Self::Short { expected, found } => (
                DiskFault::SizeMismatch { expected, found },
                io::ErrorKind::UnexpectedEof.into(),
            ),
        }
    }
}

impl AssetBody {
    /// Appends at most `most` bytes of the rest to `block`, in as many reads as that takes. What was read before
    /// a fault stays in it.
    pub(super) fn read_block(
        &mut self,
        most: usize,
        block: &mut Vec<u8>,
    ) -> Result<Rest, BlockFault> {
        while let Some(piece) = self.pieces.front_mut() {
            let room = most.saturating_sub(block.len());
            match piece {
                Piece::Bytes(bytes) if bytes.is_empty() => {}
                Piece::Part(range) if range.is_empty() => {}
                _ if room == 0 => return Ok(Rest::More),
                Piece::Bytes(bytes) => {
                    block.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
                    continue;
                }
                Piece::Part(range) => {
                    append_part(
                        self.content.get_mut(),
                        &mut self.position,
                        range,
                        room,
                        block,
                    )?;
                    continue;
                }
            }
            self.pieces.pop_front();
        }
        Ok(Rest::End)
    }
}

/// Appends the next bytes of the reader: all that are wanted, or those before its end or its error.
fn fill(reader: &mut dyn Read, wanted: usize, block: &mut Vec<u8>) -> io::Result<()> {
    let mut at = block.len();
    let end = at + wanted;
    block.resize(end, 0);
    let result = loop {
        if at == end {
            break Ok(());
        }
        match read_once(reader, &mut block[at..]) {
            Ok(0) => break Ok(()),
            Ok(count) => at += count,
            Err(error) => break Err(error),
        }
    };
    block.truncate(at);
    result
}

/// Appends the start of a part to `block`, and removes it from the part.
fn append_part(
    content: &mut AssetContent,
    position: &mut u64,
    range: &mut Range<u64>,
    room: usize,
    block: &mut Vec<u8>,
) -> Result<(), BlockFault> {
    let left = range.end - range.start;
    let wanted = usize::try_from(left).map_or(room, |left| left.min(room));
    let before = block.len();
    let read = match content {
        AssetContent::Bytes(bytes) => {
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            let rest = bytes.get(start..).unwrap_or_default();
            fill(&mut &*rest, wanted, block)
        }
        AssetContent::Seekable(file) => {
            if *position != range.start {
                *position = file
                    .seek(SeekFrom::Start(range.start))
                    .map_err(BlockFault::Io)?;
            }
            fill(file, wanted, block)
        }
        AssetContent::Sequential(stream) => fill(stream, wanted, block),
    };
    let count = block.len() - before;
    advance(range, count);
    *position = range.start;
    read.map_err(BlockFault::Io)?;
    if count < wanted {
        return Err(BlockFault::Short {
            expected: range.end,
            found: range.start,
        });
    }
    Ok(())
}

impl fmt::Debug for AssetBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetBody")
            .field("pieces", &self.pieces.len())
            .finish_non_exhaustive()
    }
}

/// Reads the start of a part and removes what was read from the part.
fn read_part(
    content: &mut AssetContent,
    position: &mut u64,
    range: &mut Range<u64>,
    limit: usize,
) -> io::Result<Bytes> {
    let wanted = usize::try_from(range.end - range.start).map_or(limit, |left| left.min(limit));
    let reader: &mut dyn Read = match content {
        AssetContent::Bytes(bytes) => {
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            let end = start.saturating_add(wanted).min(bytes.len());
            if start >= end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let chunk = bytes.slice(start..end);
            advance(range, chunk.len());
            return Ok(chunk);
        }
        AssetContent::Seekable(file) => {
            if *position != range.start {
                *position = file.seek(SeekFrom::Start(range.start))?;
            }
            file
        }
        AssetContent::Sequential(stream) => stream,
    };
    let mut chunk = vec![0; wanted];
    let count = read_once(reader, &mut chunk)?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    chunk.truncate(count);
    advance(range, count);
    *position = range.start;
    Ok(chunk.into())
}

fn advance(range: &mut Range<u64>, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    range.start = range.start.saturating_add(count).min(range.end);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn contents() -> [AssetContent; 2] {
        let bytes = Bytes::from_static(b"0123456789");
        [
            AssetContent::Bytes(bytes.clone()),
            AssetContent::Seekable(Box::new(Cursor::new(bytes))),
        ]
    }

    fn read(mut body: AssetBody, limit: usize) -> io::Result<String> {
        let mut text = String::new();
        while let Some(chunk) = body.next_chunk(limit)? {
            assert!(!chunk.is_empty() && chunk.len() <= limit.max(1));
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(body.next_chunk(limit)?.is_none(), "stays at its end");
        Ok(text)
    }

    #[test]
    fn parts_in_any_order_and_size() {
        for limit in [0, 1, 3, 100] {
            for content in contents() {
                let pieces = [
                    Piece::Part(7..10),
                    Piece::Bytes(Bytes::from_static(b"<-->")),
                    Piece::Bytes(Bytes::new()),
                    Piece::Part(3..3),
                    Piece::Part(0..2),
                    Piece::Part(2..4),
                ];
                assert_eq!(
                    read(AssetBody::new(content, pieces), limit).unwrap(),
                    "789<-->0123"
                );
            }
        }
    }

    #[test]
    fn an_asset_that_became_shorter_is_an_error() {
        let sequential = AssetContent::Sequential(Box::new(&b"0123456789"[..]));
        for content in contents().into_iter().chain([sequential]) {
            let error = read(AssetBody::new(content, [Piece::Part(0..11)]), 4).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn streams_are_read_from_start_to_end() {
        let content = AssetContent::Sequential(Box::new(&b"0123456789"[..]));
        assert_eq!(
            read(AssetBody::new(content, [Piece::Part(0..10)]), 4).unwrap(),
            "0123456789"
        );
    }
}
