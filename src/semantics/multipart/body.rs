//! [`FormBody`]: the form as bytes (RFC 7578 §4). The grammar of boundaries and names is in
//! `grammar`.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::form::{Form, Part, Source};
use super::grammar::{boundary, quoted};
use crate::error::FormFault;
use crate::exclusive::Exclusive;
use crate::proto::FieldLines;

/// The bytes of a form, read piece by piece.
pub(crate) struct FormBody {
    boundary: String,
    length: Option<u64>,
    left: VecDeque<Segment>,
    /// The segments to start with again; `None` when a part cannot be read twice.
    again: Option<Arc<[Again]>>,
}

impl Form {
    /// Opens the files and lays out the form. The boundary is made from `random` and must not occur
    /// in any content, so the bytes must be unpredictable and never used twice.
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
            left.push_back(Segment::open(part.source).map_err(|error| FormFault::File {
                part: name,
                error: error.kind(),
            })?);
            left.push_back(Segment::Bytes(Bytes::from_static(b"\r\n")));
        }
        left.push_back(Segment::Bytes(format!("--{boundary}--\r\n").into()));
        let length = left
            .iter()
            .try_fold(0u64, |sum, segment| sum.checked_add(segment.length()?));
        Ok(Self {
            again: left.iter().map(Segment::again).collect(),
            boundary,
            length,
            left,
        })
    }

    /// The value of the request's `Content-Type`.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The length of the whole form in bytes; `None` when a part's length is unknown.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The same form from the start, with the same boundary; `None` when a part comes from a
    /// reader. Files are opened when they are needed, and must still have the same length.
    pub(crate) fn again(&self) -> Option<Self> {
        let again = self.again.as_ref()?;
        Some(Self {
            boundary: self.boundary.clone(),
            length: self.length,
            left: again.iter().map(Again::segment).collect(),
            again: Some(Arc::clone(again)),
        })
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
        write!(f, "FormBody({:?} bytes)", self.length)
    }
}

/// A section of the form that comes from one source.
enum Segment {
    Bytes(Bytes),
    File {
        path: PathBuf,
        /// `None` until the file is needed.
        file: Option<File>,
        /// The length when it was first opened.
        length: u64,
        left: Option<u64>,
    },
    Reader {
        reader: Exclusive<Box<dyn Read + Send>>,
        left: Option<u64>,
    },
}

/// A [`Segment`] that can be started any number of times.
enum Again {
    Bytes(Bytes),
    File { path: PathBuf, length: u64 },
}

impl Segment {
    fn open(source: Source) -> io::Result<Self> {
        Ok(match source {
            Source::Bytes(bytes) => Self::Bytes(bytes),
            Source::File(path) => {
                let (file, length) = open(&path)?;
                Self::File {
                    path,
                    file: Some(file),
                    length,
                    left: Some(length),
                }
            }
            Source::Reader { reader, length } => Self::Reader {
                reader,
                left: length,
            },
        })
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::File { left, .. } | Self::Reader { left, .. } => *left,
        }
    }

    fn again(&self) -> Option<Again> {
        match self {
            Self::Bytes(bytes) => Some(Again::Bytes(bytes.clone())),
            Self::File { path, length, .. } => Some(Again::File {
                path: path.clone(),
                length: *length,
            }),
            Self::Reader { .. } => None,
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
            Self::File {
                path,
                file,
                length,
                left,
            } => {
                let file = match file {
                    Some(file) => file,
                    None => {
                        let (opened, found) = open(path)?;
                        if found != *length {
                            return Err(io::Error::new(
                                io::ErrorKind::InvalidData,
                                "a file of the form has changed since it was first sent",
                            ));
                        }
                        file.insert(opened)
                    }
                };
                read_left(file, left, buffer)
            }
            Self::Reader { reader, left } => read_left(reader.get_mut(), left, buffer),
        }
    }
}

impl Again {
    fn segment(&self) -> Segment {
        match self {
            Self::Bytes(bytes) => Segment::Bytes(bytes.clone()),
            Self::File { path, length } => Segment::File {
                path: path.clone(),
                file: None,
                length: *length,
                left: Some(*length),
            },
        }
    }
}

/// Opens only regular files: opening a pipe waits for its other end, and a device may never end.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file; give a reader instead",
        ));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Reads at most the bytes that are left, if the number is known. Fails if the source ends before
/// that.
fn read_left(
    reader: &mut dyn Read,
    left: &mut Option<u64>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let Some(left) = left else {
        return reader.read(buffer);
    };
    let most = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    if most == 0 {
        return Ok(0);
    }
    let count = reader.read(&mut buffer[..most])?;
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
        quoted(name)
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
