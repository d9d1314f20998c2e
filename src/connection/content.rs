//! What a request sends after its head: nothing, bytes, or the bytes of a reader.

#[cfg(target_family = "wasm")]
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};

use bytes::Bytes;

use crate::exclusive::Exclusive;
#[cfg(target_family = "wasm")]
use crate::page_file::PageFile;
use crate::proto::BodyLength;
use crate::read_once::read_once;

/// The content of a request.
///
/// It can be made from `""` or `()` for no content, from text, from bytes, or from a
/// [reader](Self::reader).
#[derive(Default)]
pub struct RequestBody(Content);

#[derive(Default)]
enum Content {
    #[default]
    None,
    Bytes(Bytes),
    #[cfg(target_family = "wasm")]
    Page(PageFile),
    /// One after the other.
    #[cfg(target_family = "wasm")]
    #[cfg_attr(
        not(all(feature = "agent", feature = "multipart")),
        allow(dead_code, reason = "a form has them")
    )]
    Parts {
        parts: VecDeque<RequestBody>,
        length: Option<u64>,
    },
    Reader {
        reader: Exclusive<Box<dyn Read + Send>>,
        length: Option<u64>,
    },
}

impl RequestBody {
    /// No content.
    pub fn none() -> Self {
        Self::default()
    }

    /// Content that is read from `read` while the connection sends it. It is never held whole in memory.
    ///
    /// With a `length`, the request has that `Content-Length`, and it fails if the reader ends earlier or
    /// provides more. Without one, the content is sent chunked (RFC 9112 §7.1).
    ///
    /// `poll` calls `read`, so a reader that waits delays the frame. A reader that has no bytes yet may
    /// return [`io::ErrorKind::WouldBlock`]; the next poll reads again.
    pub fn reader(reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        Self(Content::Reader {
            reader: Exclusive::new(Box::new(reader)),
            length,
        })
    }

    pub(crate) fn length(&self) -> BodyLength {
        match &self.0 {
            Content::None => BodyLength::None,
            Content::Bytes(bytes) => BodyLength::Known(bytes.len() as u64),
            #[cfg(target_family = "wasm")]
            Content::Page(file) => BodyLength::Known(file.length()),
            #[cfg(target_family = "wasm")]
            Content::Parts { length, .. } => known(*length),
            Content::Reader { length, .. } => known(*length),
        }
    }

    /// The content as bytes, or the unchanged content if it comes from a reader.
    #[cfg(feature = "agent")]
    pub(crate) fn into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Content::None => Ok(Bytes::new()),
            Content::Bytes(bytes) => Ok(bytes),
            content @ Content::Reader { .. } => Err(Self(content)),
            #[cfg(target_family = "wasm")]
            content @ (Content::Page(_) | Content::Parts { .. }) => Err(Self(content)),
        }
    }

    /// Several contents, one after the other.
    #[cfg(all(target_family = "wasm", feature = "agent", feature = "multipart"))]
    pub(crate) fn parts(parts: impl IntoIterator<Item = Self>, length: Option<u64>) -> Self {
        let parts = parts.into_iter().collect();
        Self(Content::Parts { parts, length })
    }

    /// The file of the page, if it is one.
    #[cfg(all(target_family = "wasm", feature = "agent"))]
    pub(crate) fn page_file(&self) -> Option<PageFile> {
        match &self.0 {
            Content::Page(file) => Some(file.clone()),
            _ => None,
        }
    }

    /// The declared length of a reader.
    #[cfg(any(feature = "agent", target_family = "wasm"))]
    pub(crate) fn known_length(&self) -> Option<u64> {
        match self.length() {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        }
    }

    /// The content as a reader, whatever its kind.
    #[cfg(feature = "agent")]
    pub(crate) fn into_reader(self) -> impl Read + Send {
        struct Drawn(RequestBody);
        impl Read for Drawn {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.draw(buffer)
            }
        }
        Drawn(self)
    }

    /// A copy of the content, unless it comes from a reader.
    pub(super) fn at_hand(&self) -> Option<Self> {
        match &self.0 {
            Content::None => Some(Self::none()),
            Content::Bytes(bytes) => Some(Self(Content::Bytes(bytes.clone()))),
            Content::Reader { .. } => None,
            #[cfg(target_family = "wasm")]
            Content::Page(file) => Some(Self(Content::Page(file.clone()))),
            #[cfg(target_family = "wasm")]
            Content::Parts { .. } => None,
        }
    }

    /// Reads the next piece into `scratch`, unless it is a file of the page.
    #[cfg(target_family = "wasm")]
    pub(super) fn next_piece(&mut self, scratch: &mut [u8]) -> io::Result<Piece> {
        match &mut self.0 {
            Content::Page(file) => {
                let file = file.clone();
                *self = Self::none();
                return Ok(Piece::File(file));
            }
            Content::Parts { parts, .. } => {
                while let Some(part) = parts.front_mut() {
                    match part.next_piece(scratch)? {
                        Piece::End => drop(parts.pop_front()),
                        piece => return Ok(piece),
                    }
                }
                return Ok(Piece::End);
            }
            _ => {}
        }
        Ok(match self.draw(scratch)? {
            0 => Piece::End,
            count => Piece::Bytes(count),
        })
    }

    /// Reads the next piece into `scratch` and returns its length; 0 means the end.
    pub(super) fn draw(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Content::None => Ok(0),
            // The browser reads it.
            #[cfg(target_family = "wasm")]
            Content::Page(_) | Content::Parts { .. } => Err(io::ErrorKind::Unsupported.into()),
            Content::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(scratch.len()));
                scratch[..piece.len()].copy_from_slice(&piece);
                Ok(piece.len())
            }
            Content::Reader { reader, .. } => read_once(reader.get_mut(), scratch),
        }
    }
}

fn known(length: Option<u64>) -> BodyLength {
    length.map_or(BodyLength::Unknown, BodyLength::Known)
}

/// The next piece of content.
#[cfg(target_family = "wasm")]
pub(super) enum Piece {
    /// So many bytes were read.
    Bytes(usize),
    /// A file that the browser reads.
    File(PageFile),
    End,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::None => f.write_str("RequestBody(none)"),
            Content::Bytes(bytes) => write!(f, "RequestBody({} bytes)", bytes.len()),
            #[cfg(target_family = "wasm")]
            Content::Page(file) => write!(f, "RequestBody({file:?})"),
            #[cfg(target_family = "wasm")]
            Content::Parts { length, .. } => write!(f, "RequestBody(parts of {length:?} bytes)"),
            Content::Reader { length, .. } => write!(f, "RequestBody(reader of {length:?} bytes)"),
        }
    }
}

impl From<()> for RequestBody {
    fn from((): ()) -> Self {
        Self::none()
    }
}

#[cfg(target_family = "wasm")]
impl From<PageFile> for RequestBody {
    fn from(file: PageFile) -> Self {
        Self(Content::Page(file))
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::none()
        } else {
            Self(Content::Bytes(bytes))
        }
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for RequestBody {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for RequestBody {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for RequestBody {
    fn from(bytes: &[u8]) -> Self {
        Bytes::copy_from_slice(bytes).into()
    }
}

impl<const N: usize> From<&[u8; N]> for RequestBody {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}
