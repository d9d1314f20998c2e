//! [`FormReader`] collects a whole form as it arrives; [`ReceivedForm`] is the result. Text fields stay in
//! memory, large files go to a [`SpillStore`]. A form that the server collects is written by the disk's worker.

use std::fmt;
use std::io;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::fault::{MultipartError, MultipartLimit, MultipartLimits};
use super::parser::{MultipartEvent, MultipartParser};
use super::part_head::PartHead;
use super::spill::{SpillFile, SpillStore, TempFolder, keep_private};
use super::spill_worker::SpillWorker;
use crate::error::{DiskFault, DiskStep};
use crate::transport::disk::Disk;
use crate::transport::wake::Wake;

/// How many bytes one call takes, and so writes to disk, at most. Once for each file it also writes the bytes
/// that were in memory.
const BYTES_PER_CALL: usize = 256 * 1024;

/// Collects a form. Dropping it deletes its files from disk.
///
/// It writes large files on the calling thread. A handler does not need it: the server collects forms by itself, and
/// writes their files on a worker thread, so that a slow disk does not hold up the frame.
pub struct FormReader {
    parser: MultipartParser,
    limits: MultipartLimits,
    spill: Spill,
    part: Part,
    form: ReceivedForm,
    /// Which files of the form the worker still has to write, by their indices.
    unwritten: Vec<usize>,
}

/// Who writes the large files.
enum Spill {
    /// The caller, in each call.
    Caller(Box<dyn SpillStore>),
    Worker(SpillWorker),
}

/// A form: its text fields and its files, each in the order of the form, with duplicates.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ReceivedForm {
    /// The parts without a content type and without a file name.
    pub fields: Vec<FormField>,
    /// The other parts.
    pub files: Vec<UploadedFile>,
}

/// A text field. `Debug` hides the value, which may be a password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormField {
    /// The name.
    pub name: String,
    /// The value, byte for byte.
    pub value: Bytes,
}

/// A file of a form. Dropping it deletes it from disk.
#[derive(Debug)]
#[non_exhaustive]
pub struct UploadedFile {
    /// The field's name, the file's name and its content type, as the client sent them.
    pub head: PartHead,
    /// Bytes of the content.
    pub size: u64,
    /// The content, byte for byte.
    pub content: FileContent,
}

/// Where the content of a file is.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileContent {
    /// In memory.
    Memory(Bytes),
    /// On disk, or wherever the [`SpillStore`] puts it, positioned at its start.
    Spilled(Box<dyn SpillFile>),
}

enum Part {
    None,
    Field {
        name: String,
        value: Vec<u8>,
    },
    File {
        head: PartHead,
        size: u64,
        content: Growing,
    },
}

enum Growing {
    Memory(Vec<u8>),
    Spilled(Box<dyn SpillFile>),
    /// The worker writes it.
    Handed,
}

impl FormReader {
    /// A reader for content of this `Content-Type`.
    pub fn new(
        content_type: &[u8],
        limits: MultipartLimits,
        store: impl SpillStore + 'static,
    ) -> Result<Self, MultipartError> {
        Self::with(content_type, limits, Spill::Caller(Box::new(store)))
    }

    /// A reader whose large files a disk's worker writes. The worker calls `notify` when there is [room](Self::room)
    /// again, when all files are written, and when one could not be written.
    pub(in crate::server) fn on_worker(
        content_type: &[u8],
        limits: MultipartLimits,
        folder: TempFolder,
        disk: &Disk,
        notify: Wake,
    ) -> Result<Self, MultipartError> {
        let worker = SpillWorker::new(folder, disk, notify);
        Self::with(content_type, limits, Spill::Worker(worker))
    }

    fn with(
        content_type: &[u8],
        limits: MultipartLimits,
        spill: Spill,
    ) -> Result<Self, MultipartError> {
        Ok(Self {
            parser: MultipartParser::new(content_type, &limits)?,
            limits,
            spill,
            part: Part::None,
            form: ReceivedForm::default(),
            unwritten: Vec::new(),
        })
    }

    /// How many bytes may be passed now, so that not too many wait for the worker; an error if it failed.
    pub(in crate::server) fn room(&self) -> Result<usize, MultipartError> {
        match &self.spill {
            Spill::Caller(_) => Ok(usize::MAX),
            Spill::Worker(worker) => worker.error().map_or_else(|| Ok(worker.room()), Err),
        }
    }

    /// The form, once, after all of its content was taken and its files are written. `None`: the worker still
    /// writes.
    pub(in crate::server) fn poll_finish(
        &mut self,
    ) -> Option<Result<ReceivedForm, MultipartError>> {
        if let Err(error) = self.parser.finish() {
            return Some(Err(error));
        }
        if let Spill::Worker(worker) = &mut self.spill {
            if let Some(error) = worker.error() {
                return Some(Err(error));
            }
            if !worker.is_done() {
                return None;
            }
            for index in self.unwritten.drain(..) {
                if let (Some(file), Some(stored)) =
                    (self.form.files.get_mut(index), worker.next_file())
                {
                    file.content = FileContent::Spilled(stored);
                }
            }
        }
        Some(Ok(std::mem::take(&mut self.form)))
    }

    /// Takes content. Returns how many bytes it took: at most 256 KiB, so that one call does not write to disk
    /// for long. Pass the rest in the next call or poll.
    ///
    /// After an error the form is lost; drop this reader.
    pub fn receive(&mut self, input: &[u8]) -> Result<usize, MultipartError> {
        let mut rest = &input[..input.len().min(BYTES_PER_CALL)];
        let taken = rest.len();
        loop {
            let step = self.parser.receive(rest)?;
            rest = &rest[step.consumed..];
            match step.event {
                None => return Ok(taken),
                Some(MultipartEvent::Part(head)) => self.part = Part::new(head),
                Some(MultipartEvent::Content(content)) => {
                    self.part.extend(content, &self.limits, &mut self.spill)?;
                }
                Some(MultipartEvent::PartEnd) => {
                    let part = std::mem::replace(&mut self.part, Part::None);
                    part.finish(&mut self.form, &mut self.spill, &mut self.unwritten)?;
                }
                Some(MultipartEvent::End) => {}
            }
        }
    }

    /// The form, after all of its content was taken.
    pub fn finish(self) -> Result<ReceivedForm, MultipartError> {
        self.parser.finish()?;
        Ok(self.form)
    }
}

impl ReceivedForm {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&FormField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The first file of this name.
    pub fn file(&self, name: &str) -> Option<&UploadedFile> {
        self.files.iter().find(|file| file.head.name == name)
    }
}

impl FormField {
    /// The value as text; `None` when it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

impl UploadedFile {
    /// The content type, or the default for a part without one (RFC 7578 §4.4).
    pub fn mime(&self) -> &str {
        self.head.content_type.as_deref().unwrap_or("text/plain")
    }

    /// The content, if it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.content {
            FileContent::Memory(bytes) => Some(bytes),
            FileContent::Spilled(_) => None,
        }
    }

    /// Reads the content from its start. For a large file this reads the disk: read small pieces.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match &mut self.content {
            FileContent::Memory(bytes) => Ok(Box::new(Cursor::new(bytes))),
            FileContent::Spilled(file) => {
                file.rewind()?;
                Ok(Box::new(file))
            }
        }
    }

    /// Saves the content as a file at this path. A file that exists there is replaced. Only the owner can read it
    /// (on Unix), whether it is small or large. This copies the content on the calling thread: for a large file move
    /// `self` to a thread, as a deferred response allows. Never make the path from what the client sent, except with
    /// [`PartHead::safe_file_name`].
    pub fn keep(self, path: impl AsRef<Path>) -> io::Result<()> {
        match self.content {
            FileContent::Memory(bytes) => keep_private(path.as_ref(), &mut &*bytes),
            FileContent::Spilled(file) => file.keep(path.as_ref()),
        }
    }
}

impl Part {
    fn new(head: PartHead) -> Self {
        if head.is_file() {
            Self::File {
                head,
                size: 0,
                content: Growing::Memory(Vec::new()),
            }
        } else {
            Self::Field {
                name: head.name,
                value: Vec::new(),
            }
        }
    }

    fn extend(
        &mut self,
        more: &[u8],
        limits: &MultipartLimits,
        spill: &mut Spill,
    ) -> Result<(), MultipartError> {
        match self {
            Self::None => {}
            Self::Field { value, .. } => {
                if more.len() > limits.field_bytes.saturating_sub(value.len()) {
                    return Err(MultipartLimit::FieldBytes(limits.field_bytes).into());
                }
                value.extend_from_slice(more);
            }
            Self::File { size, content, .. } => {
                *size = size.saturating_add(u64::try_from(more.len()).unwrap_or(u64::MAX));
                if *size > limits.file_bytes {
                    return Err(MultipartLimit::FileBytes(limits.file_bytes).into());
                }
                content.extend(more, limits.memory_bytes, spill)?;
            }
        }
        Ok(())
    }

    fn finish(
        self,
        form: &mut ReceivedForm,
        spill: &mut Spill,
        unwritten: &mut Vec<usize>,
    ) -> Result<(), MultipartError> {
        match self {
            Self::None => {}
            Self::Field { name, value } => form.fields.push(FormField {
                name,
                value: value.into(),
            }),
            Self::File {
                head,
                size,
                content,
            } => {
                if matches!(content, Growing::Handed) {
                    unwritten.push(form.files.len());
                }
                form.files.push(UploadedFile {
                    head,
                    size,
                    content: content.finish(spill)?,
                });
            }
        }
        Ok(())
    }
}

impl Growing {
    fn extend(
        &mut self,
        more: &[u8],
        memory_bytes: usize,
        spill: &mut Spill,
    ) -> Result<(), MultipartError> {
        match (&mut *self, spill) {
            (Self::Memory(held), _) if more.len() <= memory_bytes.saturating_sub(held.len()) => {
                held.extend_from_slice(more);
            }
            (Self::Memory(held), Spill::Caller(store)) => {
                let file = store.create();
                let mut file = file.map_err(|error| fault(&**store, DiskStep::Open, &error))?;
                let written = file.write_all(held).and_then(|()| file.write_all(more));
                written.map_err(|error| fault(&**store, DiskStep::Write, &error))?;
                *self = Self::Spilled(file);
            }
            (Self::Memory(held), Spill::Worker(worker)) => {
                worker.begin(std::mem::take(held));
                worker.write(more);
                *self = Self::Handed;
            }
            (Self::Spilled(file), Spill::Caller(store)) => file
                .write_all(more)
                .map_err(|error| fault(&**store, DiskStep::Write, &error))?,
            (Self::Handed, Spill::Worker(worker)) => worker.write(more),
            // Who writes never changes.
            (Self::Spilled(_), Spill::Worker(_)) | (Self::Handed, Spill::Caller(_)) => {}
        }
        Ok(())
    }

    fn finish(self, spill: &mut Spill) -> Result<FileContent, MultipartError> {
        match (self, spill) {
            (Self::Memory(held), _) => Ok(FileContent::Memory(held.into())),
            (Self::Spilled(mut file), Spill::Caller(store)) => {
                let finished = file.flush().and_then(|()| file.rewind());
                finished.map_err(|error| fault(&**store, DiskStep::Write, &error))?;
                Ok(FileContent::Spilled(file))
            }
            (Self::Spilled(file), Spill::Worker(_)) => Ok(FileContent::Spilled(file)),
            (Self::Handed, spill) => {
                if let Spill::Worker(worker) = spill {
                    worker.end();
                }
                // The worker's file takes its place.
                Ok(FileContent::Memory(Bytes::new()))
            }
        }
    }
}

fn fault(store: &dyn SpillStore, step: DiskStep, error: &io::Error) -> MultipartError {
    MultipartError::Spill {
        folder: store.folder().map(Arc::from),
        fault: DiskFault::io(step, error),
    }
}

impl fmt::Debug for FormField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormField")
            .field("name", &self.name)
            .field("length", &self.value.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FormReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormReader")
            .field("parser", &self.parser)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
