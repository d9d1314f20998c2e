//! The source of assets: [`AssetRoot`], which a game may implement over its own packages.

use std::fmt;
use std::io::{self, Read, Seek};
use std::time::SystemTime;

use bytes::Bytes;

use super::path::AssetPath;

/// A tree of assets. The crate has roots for a folder, embedded bytes and archives. A game can add others,
/// such as a package format or a database.
///
/// A worker thread calls these methods and reads the content, so that a slow disk does not hold up the frame. It
/// serves one client at a time: do not wait for a network in it. A root that
/// [is in memory](Self::is_in_memory) is asked and read inside the frame, which saves the way to the worker.
pub trait AssetRoot: Send + Sync {
    /// Whether all methods and the content that they return never wait for a disk. It has to be the same at
    /// each call. Default: no.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Opens a file.
    ///
    /// [`io::ErrorKind::NotFound`] when there is no such file, and for a folder. Of other errors the client
    /// learns only that one occurred.
    fn open(&self, path: &AssetPath) -> io::Result<Asset>;

    /// Whether this is a folder.
    fn is_dir(&self, path: &AssetPath) -> bool;

    /// At most `most` entries of a folder, in any order. Only called where listings are on.
    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>>;
}

/// One file, opened.
#[derive(Debug)]
pub struct Asset {
    /// The length of the content in bytes.
    pub length: u64,
    /// When it was last changed, if known.
    pub modified: Option<SystemTime>,
    /// The entity tag as in the field, with quotes: `"v1"`, or `W/"v1"` for a weak one (RFC 9110 §8.8.3). It has
    /// to change when the content does. With `None` the server makes one from length and time.
    pub etag: Option<String>,
    /// The content.
    pub content: AssetContent,
}

/// The content of a file.
#[non_exhaustive]
pub enum AssetContent {
    /// In memory.
    Bytes(Bytes),
    /// Can be read from any position, so that ranges can be served. Reads may wait for the local disk.
    Seekable(Box<dyn ReadSeek + Send>),
    /// Can only be read from start to end, such as content that is unpacked while it is read. Ranges are not
    /// served.
    Sequential(Box<dyn Read + Send>),
}

/// A source that can be read from any position.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
}

impl fmt::Debug for AssetContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes(..)",
            Self::Seekable(_) => "Seekable(..)",
            Self::Sequential(_) => "Sequential(..)",
        })
    }
}

pub(super) fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
