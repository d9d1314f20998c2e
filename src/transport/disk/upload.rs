//! A file that is sent: the worker opens it and reads ahead, and the frame takes what was read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::read_ahead::{Fill, FirstBlock, Opening, ReadAhead, ReadSource, Rest};
use super::steps::Steps;
use super::worker::Disk;
use crate::error::{DiskFault, DiskStep};

/// A file to be sent. Its length is that at opening: bytes that are appended later are not sent, and
/// if the file becomes shorter, reading fails. Dropping it closes the file.
///
/// [`Read`] fails with [`WouldBlock`](io::ErrorKind::WouldBlock) while the worker has read nothing
/// more; the worker wakes the owner later. All other errors contain a [`DiskFault`].
///
/// To send it again, open it again.
#[derive(Debug)]
pub(crate) struct UploadFile {
    reader: ReadAhead<FileSource>,
    length: Option<u64>,
}

/// A regular file on the worker.
pub(crate) enum FileSource {
    Named(PathBuf),
    Open { file: File, length: u64, read: u64 },
}

impl UploadFile {
    /// Starts to open the file and to read ahead.
    pub(crate) fn open(disk: &Disk, path: &Path) -> Self {
        Self::start(disk, path, FirstBlock::Next)
    }

    /// Starts to open the file. It is read from the first [`read`](Read::read) on.
    #[cfg(feature = "multipart")]
    pub(crate) fn open_unread(disk: &Disk, path: &Path) -> Self {
        Self::start(disk, path, FirstBlock::WhenAsked)
    }

    fn start(disk: &Disk, path: &Path, first: FirstBlock) -> Self {
        Self {
            reader: match FileSource::named(path) {
                Ok(source) => ReadAhead::start(disk, source, first, None),
                Err(fault) => ReadAhead::failed(disk, fault),
            },
            length: None,
        }
    }

    /// The file's length, or the fault of opening it. `None`: not known yet.
    pub(crate) fn poll_opened(&mut self) -> Option<Result<u64, DiskFault>> {
        if self.length.is_none() {
            match self.reader.poll_opened()? {
                Ok(length) => self.length = Some(length),
                Err(fault) => return Some(Err(fault)),
            }
        }
        self.length.map(Ok)
    }

    /// The fault, if there was one. It stays.
    #[cfg(test)]
    pub(crate) fn poll_fault(&mut self) -> Option<DiskFault> {
        self.reader.poll_fault()
    }
}

impl Read for UploadFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.reader.fill() {
            Fill::Data => {}
            Fill::End => return Ok(0),
            Fill::Failed(fault) => return Err(fault.into()),
            Fill::Waits => return Err(io::ErrorKind::WouldBlock.into()),
        }
        let rest = self.reader.rest();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.reader.take(count);
        Ok(count)
    }
}

impl FileSource {
    /// The file at this path, which is made absolute now: the game may change its current folder before the
    /// worker opens the file.
    pub(crate) fn named(path: &Path) -> Result<Self, DiskFault> {
        match std::path::absolute(path) {
            Ok(path) => Ok(Self::Named(path)),
            Err(_) if path.as_os_str().is_empty() => Err(DiskFault::NoFileName),
            Err(error) => Err(DiskFault::io(DiskStep::Locate, &error)),
        }
    }
}

impl ReadSource for FileSource {
    type Opened = u64;
    type Fault = DiskFault;

    fn open(&mut self, steps: &Steps<'_>) -> Result<Opening<u64>, DiskFault> {
        let Self::Named(path) = self else {
            return Err(DiskFault::NotAFile);
        };
        let (file, length) = open_file(path, steps)?;
        *self = Self::Open {
            file,
            length,
            read: 0,
        };
        Ok(Opening {
            opened: length,
            rest: if length == 0 { Rest::End } else { Rest::More },
        })
    }

    fn read(
        &mut self,
        most: usize,
        block: &mut Vec<u8>,
        steps: &Steps<'_>,
    ) -> Result<Rest, DiskFault> {
        let Self::Open { file, length, read } = self else {
            return Err(DiskFault::NotAFile);
        };
        let expected = *length;
        let most = (expected - *read).min(most as u64);
        let result = steps.run(DiskStep::Read, || {
            file.by_ref().take(most).read_to_end(block)
        });
        *read += block.len() as u64;
        result?;
        if (block.len() as u64) < most {
            let found = *read;
            return Err(DiskFault::SizeMismatch { expected, found });
        }
        Ok(if *read == expected {
            Rest::End
        } else {
            Rest::More
        })
    }
}

fn open_file(path: &Path, steps: &Steps<'_>) -> Result<(File, u64), DiskFault> {
    // Before opening: opening a pipe would wait for a writer.
    if !steps.run(DiskStep::Open, || fs::metadata(path))?.is_file() {
        return Err(DiskFault::NotAFile);
    }
    steps.run(DiskStep::Open, || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    })
}
