//! [`FormReader`] collects a whole form as it arrives; [`ReceivedForm`] is the result. Text fields stay in
//! memory, large files go to a [`SpillStore`].

use std::fmt;
use std::io;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;

use bytes::Bytes;

use super::fault::{MultipartError, MultipartLimit, MultipartLimits};
use super::parser::{MultipartEvent, MultipartParser};
use super::part_head::PartHead;
use super::spill::{SpillFile, SpillStore, keep_private};

/// How many bytes one call takes, and so writes to disk, at most. Once for each file it also writes the bytes
/// that were in memory.
const BYTES_PER_CALL: usize = 256 * 1024;

/// Collects a form. Dropping it deletes its files from disk.
pub struct FormReader {
    parser: MultipartParser,
    limits: MultipartLimits,
    store: Box<dyn SpillStore>,
    part: Part,
    form: ReceivedForm,
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
}

impl FormReader {
    /// A reader for content of this `Content-Type`.
    pub fn new(
        content_type: &[u8],
        limits: MultipartLimits,
        store: impl SpillStore + 'static,
    ) -> Result<Self, MultipartError> {
        Ok(Self {
            parser: MultipartParser::new(content_type, &limits)?,
            limits,
            store: Box::new(store),
            part: Part::None,
            form: ReceivedForm::default(),
        })
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
                    self.part.extend(content, &self.limits, &mut *self.store)?;
                }
                Some(MultipartEvent::PartEnd) => {
                    std::mem::replace(&mut self.part, Part::None).finish(&mut self.form)?;
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
    /// (on Unix), whether it is small or large. Never make the path from what the client sent, except with
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
        store: &mut dyn SpillStore,
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
                content
                    .extend(more, limits.memory_bytes, store)
                    .map_err(spill_fault)?;
            }
        }
        Ok(())
    }

    fn finish(self, form: &mut ReceivedForm) -> Result<(), MultipartError> {
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
            } => form.files.push(UploadedFile {
                head,
                size,
                content: content.finish().map_err(spill_fault)?,
            }),
        }
        Ok(())
    }
}

impl Growing {
    fn extend(
        &mut self,
        more: &[u8],
        memory_bytes: usize,
        store: &mut dyn SpillStore,
    ) -> io::Result<()> {
        match self {
            Self::Memory(held) if more.len() <= memory_bytes.saturating_sub(held.len()) => {
                held.extend_from_slice(more);
            }
            Self::Memory(held) => {
                let mut file = store.create()?;
                file.write_all(held)?;
                file.write_all(more)?;
                *self = Self::Spilled(file);
            }
            Self::Spilled(file) => file.write_all(more)?,
        }
        Ok(())
    }

    fn finish(self) -> io::Result<FileContent> {
        match self {
            Self::Memory(held) => Ok(FileContent::Memory(held.into())),
            Self::Spilled(mut file) => {
                file.flush()?;
                file.rewind()?;
                Ok(FileContent::Spilled(file))
            }
        }
    }
}

fn spill_fault(error: io::Error) -> MultipartError {
    MultipartError::Spill(error.kind())
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
