//! The large files of a form that the server collects: the disk's worker makes, writes and closes them, so that no frame
//! waits for the disk.

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::fault::MultipartError;
use super::spill::{SpillFile, SpillStore, TempFile, TempFolder};
use crate::error::{DiskFault, DiskStep};
use crate::transport::disk::{Disk, Steps, WriteBehind, WriteTarget};
use crate::transport::wake::Wake;

/// How many bytes one command writes at most. Fewer are gathered first.
const PIECE: usize = 64 * 1024;

/// What the worker does for one form.
struct Files {
    folder: TempFolder,
    /// The file that is being written.
    file: Option<TempFile>,
}

enum Command {
    Begin,
    Write(Bytes),
    End,
}

/// The owner's end. Dropping it lets the worker delete the files.
pub(super) struct SpillWorker {
    files: WriteBehind<Files>,
    /// What errors name.
    folder: Option<Arc<Path>>,
    /// Content of the present file that is not in the worker's queue yet.
    gathered: Vec<u8>,
}

impl SpillWorker {
    /// The worker calls `notify` when there is [space](Self::room) again, when everything is written, and when
    /// something failed.
    pub(super) fn new(folder: TempFolder, disk: &Disk, notify: Wake) -> Self {
        Self {
            folder: folder.folder().map(Arc::from),
            files: WriteBehind::new(disk, Files { folder, file: None }, notify),
            gathered: Vec::new(),
        }
    }

    /// How many bytes may be passed now.
    pub(super) fn room(&self) -> usize {
        self.files.room(self.gathered.len())
    }

    /// Begins a file with the content that was in memory until now.
    pub(super) fn begin(&mut self, held: Vec<u8>) {
        self.files.push(Command::Begin, 0);
        self.push(Bytes::from(held));
    }

    /// Queues content of the present file.
    pub(super) fn write(&mut self, more: &[u8]) {
        if self.gathered.is_empty() && more.len() >= PIECE {
            self.push(Bytes::copy_from_slice(more));
            return;
        }
        self.gathered.extend_from_slice(more);
        if self.gathered.len() >= PIECE {
            self.push_gathered();
        }
    }

    /// Ends the present file.
    pub(super) fn end(&mut self) {
        self.push_gathered();
        self.files.push(Command::End, 0);
    }

    /// The next file, once [`is_done`](Self::is_done), in their order. It can be read from its start.
    pub(super) fn next_file(&mut self) -> Option<Box<dyn SpillFile>> {
        let file = self.files.poll_output()?;
        Some(Box::new(file.close_on(self.files.disk())))
    }

    /// Whether everything is written.
    pub(super) fn is_done(&self) -> bool {
        self.files.is_done()
    }

    /// Why a file could not be written.
    pub(super) fn error(&self) -> Option<MultipartError> {
        let folder = self.folder.clone();
        let fault = self.files.fault()?;
        Some(MultipartError::Spill { folder, fault })
    }

    fn push_gathered(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        self.push(gathered.into());
    }

    fn push(&self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(4 * PIECE));
            let count = piece.len();
            self.files.push(Command::Write(piece), count);
        }
    }
}

impl WriteTarget for Files {
    type Command = Command;
    type Output = TempFile;

    fn carry_out(
        &mut self,
        command: Command,
        steps: &Steps<'_>,
    ) -> Result<Option<TempFile>, DiskFault> {
        match (command, &mut self.file) {
            (Command::Begin, file) => {
                *file = Some(steps.run(DiskStep::Open, || self.folder.create_file())?);
                Ok(None)
            }
            (Command::Write(bytes), Some(file)) => {
                steps.run(DiskStep::Write, || file.write_all(&bytes))?;
                Ok(None)
            }
            (Command::End, file) => {
                if let Some(file) = file {
                    steps.run(DiskStep::Write, || {
                        file.flush()?;
                        file.rewind()
                    })?;
                }
                Ok(file.take())
            }
            (Command::Write(_), None) => Err(DiskFault::NotAFile),
        }
    }
}
