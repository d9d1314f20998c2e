//! [`FormBody`]: the form as bytes (RFC 7578 §4). The grammar of boundaries and names is in
//! `grammar`. Files are opened elsewhere, since that may wait for a disk.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::form::{Form, Part, Source};
use super::grammar::{boundary, quoted, with_line_breaks};
use crate::error::FormFault;
use crate::exclusive::Exclusive;
#[cfg(target_family = "wasm")]
use crate::page_file::PageFile;
use crate::proto::FieldLines;
use crate::read_once::read_once;

/// The bytes of a form, read piece by piece.
pub(crate) struct FormBody {
    boundary: String,
    left: VecDeque<Segment>,
    /// The segments to start with again; `None` when a part cannot be read twice.
    again: Option<Arc<[Again]>>,
}

/// A file of a form that has to be opened before the form can be read.
pub(crate) struct FormFile<'a> {
    /// The name of its part.
    pub(crate) part: &'a str,
    pub(crate) path: &'a Path,
    content: &'a mut Option<FileContent>,
}

/// A file that was opened.
struct FileContent {
    reader: Exclusive<Box<dyn Read + Send>>,
    left: Option<u64>,
}

impl FormFile<'_> {
    /// Sets the content. A `read` may fail with [`io::ErrorKind::WouldBlock`] and is repeated later.
    pub(crate) fn set(self, reader: impl Read + Send + 'static, length: u64) {
        *self.content = Some(FileContent {
            reader: Exclusive::new(Box::new(reader)),
            left: Some(length),
        });
    }
}

impl Form {
    /// Lays out the form. The boundary is made from `random` and must not occur in any content, so the bytes must
    /// be unpredictable and never used twice.
    pub(crate) fn start(self, random: [u8; 16]) -> Result<FormBody, FormFault> {
        FormBody::new(self.parts, random)
    }
}

impl FormBody {
    fn new(parts: Vec<(String, Part)>, random: [u8; 16]) -> Result<Self, FormFault> {
        let boundary = boundary(random);
        let mut left = VecDeque::with_capacity(parts.len() * 3 + 1);
        for (name, part) in parts {
            let head = head(&boundary, &name, &part)?;
            left.push_back(Segment::Bytes(head.into()));
            left.push_back(Segment::new(name, part.source));
            left.push_back(Segment::Bytes(Bytes::from_static(b"\r\n")));
        }
        left.push_back(Segment::Bytes(format!("--{boundary}--\r\n").into()));
        Ok(Self {
            again: left.iter().map(Segment::again).collect(),
            boundary,
            left,
        })
    }

    /// The files that have to be opened and [set](FormFile::set) before the form is read.
    pub(crate) fn unopened(&mut self) -> impl Iterator<Item = FormFile<'_>> {
        self.left.iter_mut().filter_map(|segment| match segment {
            Segment::File {
                part,
                path,
                content: content @ None,
            } => Some(FormFile {
                part,
                path,
                content,
            }),
            _ => None,
        })
    }

    /// Whether a file has to be opened.
    pub(crate) fn needs_files(&self) -> bool {
        self.left
            .iter()
            .any(|segment| matches!(segment, Segment::File { content: None, .. }))
    }

    /// The value of the request's `Content-Type`.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// How many bytes are left to read; `None` when the length of a part is unknown or its file not open.
    pub(crate) fn length(&self) -> Option<u64> {
        self.left
            .iter()
            .try_fold(0u64, |sum, segment| sum.checked_add(segment.length()?))
    }

    /// The same form from the start, with the same boundary; `None` when a part comes from a reader. Its files
    /// have to be opened again.
    pub(crate) fn again(&self) -> Option<Self> {
        let again = self.again.as_ref()?;
        Some(Self {
            boundary: self.boundary.clone(),
            left: again.iter().map(Again::segment).collect(),
            again: Some(Arc::clone(again)),
        })
    }

    /// Whether parts of it are files that a browser reads.
    #[cfg(target_family = "wasm")]
    pub(crate) fn has_page_files(&self) -> bool {
        let mut segments = self.left.iter();
        segments.any(|segment| matches!(segment, Segment::Page(_)))
    }

    /// The form in sections: what is read here, and between it (`Err`) the files that a browser reads.
    #[cfg(target_family = "wasm")]
    pub(crate) fn into_sections(self) -> Vec<Result<Self, PageFile>> {
        let mut sections = Vec::new();
        let mut read = VecDeque::new();
        let section = |left| Self {
            boundary: self.boundary.clone(),
            left,
            again: None,
        };
        for segment in self.left {
            if let Segment::Page(file) = segment {
                sections.push(Ok(section(std::mem::take(&mut read))));
                sections.push(Err(file));
            } else {
                read.push_back(segment);
            }
        }
        sections.push(Ok(section(read)));
        sections
    }
}

impl Read for FormBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(segment) = self.left.front_mut() {
            let count = segment.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.left.pop_front();
        }
        Ok(0)
    }
}

impl fmt::Debug for FormBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormBody({:?} bytes)", self.length())
    }
}

/// A section of the form that comes from one source.
enum Segment {
    Bytes(Bytes),
    File {
        /// The name of its part.
        part: String,
        path: PathBuf,
        /// `None` until the file is open.
        content: Option<FileContent>,
    },
    Reader {
        reader: Exclusive<Box<dyn Read + Send>>,
        left: Option<u64>,
    },
    #[cfg(target_family = "wasm")]
    Page(PageFile),
}

/// A [`Segment`] that can be started any number of times.
enum Again {
    Bytes(Bytes),
    File {
        part: String,
        path: PathBuf,
    },
    #[cfg(target_family = "wasm")]
    Page(PageFile),
}

impl Segment {
    fn new(part: String, source: Source) -> Self {
        match source {
            Source::Bytes(bytes) => Self::Bytes(bytes),
            Source::File(path) => Self::File {
                part,
                path,
                content: None,
            },
            Source::Reader { reader, length } => Self::Reader {
                reader,
                left: length,
            },
            #[cfg(target_family = "wasm")]
            Source::Page(file) => Self::Page(file),
        }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::File { content, .. } => content.as_ref()?.left,
            Self::Reader { left, .. } => *left,
            #[cfg(target_family = "wasm")]
            Self::Page(file) => Some(file.length()),
        }
    }

    fn again(&self) -> Option<Again> {
        match self {
            Self::Bytes(bytes) => Some(Again::Bytes(bytes.clone())),
            Self::File { part, path, .. } => Some(Again::File {
                part: part.clone(),
                path: path.clone(),
            }),
            Self::Reader { .. } => None,
            #[cfg(target_family = "wasm")]
            Self::Page(file) => Some(Again::Page(file.clone())),
        }
    }

    /// Returns 0 at the end of the segment.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(buffer.len()));
                buffer[..piece.len()].copy_from_slice(&piece);
                Ok(piece.len())
            }
            Self::File { content, .. } => match content {
                Some(FileContent { reader, left }) => read_left(reader.get_mut(), left, buffer),
                None => Err(io::Error::other("a file of the form is not open")),
            },
            Self::Reader { reader, left } => read_left(reader.get_mut(), left, buffer),
            #[cfg(target_family = "wasm")]
            Self::Page(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Again {
    fn segment(&self) -> Segment {
        match self {
            Self::Bytes(bytes) => Segment::Bytes(bytes.clone()),
            Self::File { part, path } => Segment::File {
                part: part.clone(),
                path: path.clone(),
                content: None,
            },
            #[cfg(target_family = "wasm")]
            Self::Page(file) => Segment::Page(file.clone()),
        }
    }
}

/// Reads at most the bytes that are left, if the number is known. Fails if the source ends before
/// that.
fn read_left(
    reader: &mut dyn Read,
    left: &mut Option<u64>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let Some(left) = left else {
        return read_once(reader, buffer);
    };
    let most = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    if most == 0 {
        return Ok(0);
    }
    let count = read_once(reader, &mut buffer[..most])?;
    if count == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a part of the form ended before its length",
        ));
    }
    *left = left.saturating_sub(count as u64);
    Ok(count)
}

fn head(boundary: &str, name: &str, part: &Part) -> Result<Vec<u8>, FormFault> {
    let mut head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
        quoted(&with_line_breaks(name))
    );
    if let Some(filename) = &part.filename {
        head.push_str(&format!("; filename=\"{}\"", quoted(filename)));
    }
    head.push_str("\r\n");
    let by_name = || {
        let filename = part.filename.as_deref()?;
        let guess = mime_guess::from_path(filename).first_raw();
        Some(guess.unwrap_or("application/octet-stream"))
    };
    if let Some(content_type) = part.content_type.as_deref().or_else(by_name) {
        // `append` validates the field value.
        if FieldLines::new()
            .append("Content-Type", content_type)
            .is_err()
        {
            return Err(FormFault::ContentType {
                part: name.to_owned(),
            });
        }
        head.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}
