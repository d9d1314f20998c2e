//! Where assets come from: [`AssetRoot`], which a game may implement over its own packages.

use std::fmt;
use std::io::{self, Read, Seek};
use std::time::SystemTime;

use bytes::Bytes;

use super::path::AssetPath;

/// A tree of assets. A folder, embedded bytes and archives come with the crate; others (a package
/// format, a database) are the game's.
///
/// Calls are made inside the frame: use an index or the local disk, never a network.
pub trait AssetRoot: Send + Sync {
    /// Opens a file.
    ///
    /// [`io::ErrorKind::NotFound`] when there is none, also for a folder. No error of other kinds is
    /// shown to the client beyond its being one.
    fn open(&self, path: &AssetPath) -> io::Result<Asset>;

    /// Whether this is a folder.
    fn is_dir(&self, path: &AssetPath) -> bool;

    /// At most `most` entries of a folder, in any order. Only called where listings are on.
    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>>;
}

/// One file, opened.
#[derive(Debug)]
pub struct Asset {
    /// Bytes of the content.
    pub length: u64,
    /// When it was last changed, if that is known.
    pub modified: Option<SystemTime>,
    /// The entity tag as in the field, with quotes: `"v1"`, or `W/"v1"` for a weak one
    /// (RFC 9110 §8.8.3). It has to change when the content does. `None` lets one be made of length
    /// and time.
    pub etag: Option<String>,
    /// The content.
    pub content: AssetContent,
}

/// The content of a file.
pub enum AssetContent {
    /// In memory.
    Bytes(Bytes),
    /// Readable from any place, so that ranges can be served. Reads block: from memory or the local
    /// disk only.
    Seekable(Box<dyn ReadSeek + Send>),
    /// Readable from start to end only, as what is unpacked on the way; ranges are not served.
    Sequential(Box<dyn Read + Send>),
}

/// What can be read from any place.
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
