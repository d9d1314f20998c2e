//! A file that is sent in a request: the worker reads ahead, and the frame takes what was read.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::worker::{Disk, Shared, Task, Turn, lock};
use crate::error::{DiskFault, DiskStep};

/// How many bytes are read at once.
const PIECE: usize = 256 * 1024;

/// How many pieces are read ahead.
const READ_AHEAD: usize = 4;

/// A file to be sent. Its length is that at opening: bytes that are appended later are not sent, and
/// if the file becomes shorter, reading fails. Dropping it closes the file.
///
/// [`Read`] fails with [`WouldBlock`](io::ErrorKind::WouldBlock) while the worker has read nothing
/// more; the worker wakes the owner later. All other errors contain a [`DiskFault`].
///
/// To send it again, open it again.
pub(crate) struct UploadFile {
    shared: Arc<SharedUpload>,
    disk: Disk,
    piece: Vec<u8>,
    /// How many bytes of `piece` were taken.
    taken: usize,
}

/// What the owner and the worker of an upload share.
pub(super) struct SharedUpload {
    ahead: Mutex<ReadAhead>,
    source: Mutex<Source>,
}

#[derive(Default)]
struct ReadAhead {
    opened: Option<u64>,
    pieces: VecDeque<Vec<u8>>,
    /// Buffers to read into.
    spare: Vec<Vec<u8>>,
    end: Option<Result<(), DiskFault>>,
    /// In the worker's queue, or being worked on.
    scheduled: bool,
    /// The owner found nothing and waits.
    awaited: bool,
    dropped: bool,
}

/// What the worker reads; only the worker locks it.
enum Source {
    Named(PathBuf),
    Open { file: File, length: u64, read: u64 },
    Closed,
}

impl UploadFile {
    /// Starts to open the file and to read ahead.
    pub(crate) fn open(disk: &Disk, path: &Path) -> Self {
        // Now, since the game may change its current folder before the worker runs.
        let (source, end) = match std::path::absolute(path) {
            Ok(path) => (Source::Named(path), None),
            Err(_) if path.as_os_str().is_empty() => {
                (Source::Closed, Some(Err(DiskFault::NoFileName)))
            }
            Err(error) => {
                let fault = DiskFault::io(DiskStep::Locate, &error);
                (Source::Closed, Some(Err(fault)))
            }
        };
        let file = Self {
            shared: Arc::new(SharedUpload {
                ahead: Mutex::new(ReadAhead {
                    end,
                    ..ReadAhead::default()
                }),
                source: Mutex::new(source),
            }),
            disk: disk.clone(),
            piece: Vec::new(),
            taken: 0,
        };
        file.schedule(lock(&file.shared.ahead));
        file
    }

    /// The file's length, or the fault of opening it. `None`: not known yet.
    pub(crate) fn poll_opened(&mut self) -> Option<Result<u64, DiskFault>> {
        let ahead = lock(&self.shared.ahead);
        match (ahead.opened, ahead.end) {
            (Some(length), _) => Some(Ok(length)),
            (None, Some(Err(fault))) => Some(Err(fault)),
            (None, _) => None,
        }
    }

    /// The fault, if there was one. It stays.
    #[cfg(test)]
    pub(crate) fn poll_fault(&mut self) -> Option<DiskFault> {
        lock(&self.shared.ahead).end.and_then(Result::err)
    }

    fn schedule(&self, mut ahead: MutexGuard<'_, ReadAhead>) {
        if ahead.scheduled || ahead.end.is_some() {
            return;
        }
        ahead.scheduled = true;
        drop(ahead);
        if let Err(fault) = self.disk.submit(self.shared.clone()) {
            let mut ahead = lock(&self.shared.ahead);
            ahead.scheduled = false;
            ahead.end = Some(Err(fault));
        }
    }

    /// Replaces the piece that was taken with the next one. Without a next piece: the end, or `None` if
    /// more may follow.
    fn next_piece(&mut self) -> Option<Result<(), DiskFault>> {
        let mut ahead = lock(&self.shared.ahead);
        let Some(piece) = ahead.pieces.pop_front() else {
            ahead.awaited = ahead.end.is_none();
            return ahead.end;
        };
        let empty = std::mem::replace(&mut self.piece, piece);
        self.taken = 0;
        if empty.capacity() > 0 {
            ahead.spare.push(empty);
        }
        self.schedule(ahead);
        Some(Ok(()))
    }
}

impl Read for UploadFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && !buffer.is_empty() {
            match self.next_piece() {
                Some(Ok(())) => {}
                Some(Err(fault)) => return Err(fault.into()),
                None => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        let rest = &self.piece[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Drop for UploadFile {
    fn drop(&mut self) {
        let mut ahead = lock(&self.shared.ahead);
        ahead.dropped = true;
        let pieces = std::mem::take(&mut ahead.pieces);
        // The worker closes the file: on some disks even that takes long.
        self.schedule(ahead);
        drop(pieces);
    }
}

impl fmt::Debug for UploadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = lock(&self.shared.ahead);
        f.debug_struct("UploadFile")
            .field("length", &ahead.opened)
            .field("pieces", &ahead.pieces.len())
            .field("end", &ahead.end)
            .finish_non_exhaustive()
    }
}

impl Task for SharedUpload {
    /// Opens the file, or reads one piece.
    fn turn(&self, shared: &Shared) -> Turn {
        let mut source = lock(&self.source);
        let buffer = {
            let mut ahead = lock(&self.ahead);
            if ahead.dropped {
                ahead.scheduled = false;
                *source = Source::Closed;
                return Turn::default();
            }
            ahead.spare.pop().unwrap_or_default()
        };
        let result = source.advance(buffer, shared);
        let mut ahead = lock(&self.ahead);
        let wake = match result {
            Ok(Advance::Opened(length)) => {
                ahead.opened = Some(length);
                if length == 0 {
                    ahead.end = Some(Ok(()));
                }
                true
            }
            Ok(Advance::Piece { piece, is_last }) => {
                ahead.pieces.push_back(piece);
                if is_last {
                    ahead.end = Some(Ok(()));
                }
                ahead.awaited
            }
            Err(fault) => {
                ahead.end = Some(Err(fault));
                true
            }
        };
        if wake {
            ahead.awaited = false;
        }
        if ahead.end.is_some() || ahead.dropped {
            *source = Source::Closed;
        }
        let more = ahead.end.is_none() && !ahead.dropped && ahead.pieces.len() < READ_AHEAD;
        ahead.scheduled = more;
        Turn {
            more,
            wake,
            again_at: None,
        }
    }
}

enum Advance {
    Opened(u64),
    Piece { piece: Vec<u8>, is_last: bool },
}

impl Source {
    fn advance(&mut self, mut buffer: Vec<u8>, shared: &Shared) -> Result<Advance, DiskFault> {
        match self {
            Self::Named(path) => {
                let (file, length) = open_file(path, shared)?;
                *self = Self::Open {
                    file,
                    length,
                    read: 0,
                };
                Ok(Advance::Opened(length))
            }
            Self::Open { file, length, read } => {
                let expected = *length;
                let most = (expected - *read).min(PIECE as u64);
                buffer.clear();
                buffer.reserve_exact(most as usize);
                let got = shared.step(DiskStep::Read, || {
                    file.by_ref().take(most).read_to_end(&mut buffer)
                })?;
                *read += got as u64;
                if (got as u64) < most {
                    let found = *read;
                    return Err(DiskFault::SizeMismatch { expected, found });
                }
                Ok(Advance::Piece {
                    piece: buffer,
                    is_last: *read == expected,
                })
            }
            // Nothing is scheduled after the file is closed.
            Self::Closed => Err(DiskFault::NotAFile),
        }
    }
}

fn open_file(path: &Path, shared: &Shared) -> Result<(File, u64), DiskFault> {
    // Before opening: opening a pipe would wait for a writer.
    if !shared
        .step(DiskStep::Open, || fs::metadata(path))?
        .is_file()
    {
        return Err(DiskFault::NotAFile);
    }
    shared.step(DiskStep::Open, || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    })
}
