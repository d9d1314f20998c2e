//! [`ArchiveRoot`]: assets from a ZIP archive, as game packages are. The `zip` crate reads the index once.
//! Stored entries are served as they are in the archive; deflated entries are unpacked while they are sent.
//! Nothing is ever extracted to disk.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::embedded::children;
use super::path::AssetPath;
use super::root::{Asset, AssetContent, AssetRoot, Listed, not_found};

/// The assets of an archive.
///
/// Ranges are served of stored entries only, so textures, sounds and other files that are already compressed
/// are best stored. Entries of an archive on disk are read and unpacked by a worker thread. Encrypted entries and those of other compression methods are not found. An archive on
/// disk must not change while it is served.
pub struct ArchiveRoot {
    place: Place,
    entries: BTreeMap<String, Entry>,
    /// Whether an entry has to be unpacked.
    is_packed: bool,
}

enum Place {
    Memory(Bytes),
    Disk(PathBuf),
}

#[derive(Clone, Copy)]
struct Entry {
    start: u64,
    packed: u64,
    length: u64,
    checksum: u32,
    method: Method,
}

#[derive(Clone, Copy)]
enum Method {
    Stored,
    Deflated,
}

impl ArchiveRoot {
    /// An archive in memory. Stored entries share its bytes.
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] when it is not an archive.
    pub fn from_bytes(archive: impl Into<Bytes>) -> io::Result<Self> {
        let archive = archive.into();
        let entries = index(Cursor::new(archive.clone()))?;
        Ok(Self::new(Place::Memory(archive), entries))
    }

    /// An archive on disk. Its index is read now, so call this while loading.
    pub fn open(archive: impl AsRef<Path>) -> io::Result<Self> {
        let path = match archive.as_ref().canonicalize() {
            // Wine finds none of a path with more than 260 characters.
            Err(_) if cfg!(windows) => std::path::absolute(archive)?,
            found => found?,
        };
        let entries = index(io::BufReader::new(File::open(&path)?))?;
        Ok(Self::new(Place::Disk(path), entries))
    }

    fn new(place: Place, entries: BTreeMap<String, Entry>) -> Self {
        let mut methods = entries.values().map(|entry| entry.method);
        Self {
            is_packed: methods.any(|method| matches!(method, Method::Deflated)),
            place,
            entries,
        }
    }

    fn below<'a>(&'a self, path: &AssetPath) -> impl Iterator<Item = &'a str> + use<'a> {
        let start = match path.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let from = (Bound::Included(start.as_str()), Bound::Unbounded);
        self.entries
            .range::<str, _>(from)
            .map_while(move |(name, _)| name.strip_prefix(start.as_str()))
    }

    /// The entry's bytes as they are in the archive.
    fn packed(&self, entry: &Entry) -> io::Result<AssetContent> {
        match &self.place {
            Place::Memory(archive) => {
                let place = |offset| usize::try_from(offset).map_err(io::Error::other);
                let range = place(entry.start)?..place(entry.start.saturating_add(entry.packed))?;
                let is_inside = range.start <= range.end && range.end <= archive.len();
                if !is_inside {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(AssetContent::Bytes(archive.slice(range)))
            }
            Place::Disk(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(entry.start))?;
                Ok(AssetContent::Seekable(Box::new(Section {
                    file,
                    start: entry.start,
                    length: entry.packed,
                    position: 0,
                })))
            }
        }
    }
}

impl AssetRoot for ArchiveRoot {
    /// Entries that have to be unpacked are left to the worker, too.
    fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_)) && !self.is_packed
    }

    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        let entry = self.entries.get(path.as_str()).ok_or_else(not_found)?;
        let packed = self.packed(entry)?;
        let content = match (entry.method, packed) {
            (Method::Stored, packed) => packed,
            (Method::Deflated, AssetContent::Bytes(bytes)) => unpacked(Cursor::new(bytes)),
            (Method::Deflated, AssetContent::Seekable(section)) => unpacked(section),
            (Method::Deflated, AssetContent::Sequential(section)) => unpacked(section),
        };
        Ok(Asset {
            length: entry.length,
            modified: None,
            etag: Some(format!("\"{:x}-{:08x}\"", entry.length, entry.checksum)),
            content,
        })
    }

    fn is_dir(&self, path: &AssetPath) -> bool {
        path.as_str().is_empty() || self.below(path).next().is_some()
    }

    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>> {
        Ok(children(self.below(path), limit))
    }
}

impl fmt::Debug for ArchiveRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveRoot")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

// Never more than the announced length is sent, so an entry that unpacks to more does no harm.
fn unpacked(packed: impl Read + Send + 'static) -> AssetContent {
    AssetContent::Sequential(Box::new(DeflateDecoder::new(packed)))
}

fn index(archive: impl Read + Seek) -> io::Result<BTreeMap<String, Entry>> {
    let invalid = |error: zip::result::ZipError| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut archive = ZipArchive::new(archive).map_err(invalid)?;
    let mut entries = BTreeMap::new();
    for number in 0..archive.len() {
        let file = archive.by_index_raw(number).map_err(invalid)?;
        let method = match file.compression() {
            CompressionMethod::Stored => Method::Stored,
            method if method == CompressionMethod::DEFLATE => Method::Deflated,
            _ => continue,
        };
        let (Ok(name), Some(start)) = (file.name(), file.data_start()) else {
            continue;
        };
        // Names are looked up and never used as paths, so a name with `..` is simply never requested.
        if file.is_file() && !file.encrypted() {
            let entry = Entry {
                start,
                packed: file.compressed_size(),
                length: file.size(),
                checksum: file.crc32(),
                method,
            };
            entries.insert(name.into_owned(), entry);
        }
    }
    Ok(entries)
}

/// A part of a file, read as if it were a whole file.
struct Section {
    file: File,
    start: u64,
    length: u64,
    position: u64,
}

impl Read for Section {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let count = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        let count = self.file.read(&mut into[..count])?;
        self.position = self
            .position
            .saturating_add(u64::try_from(count).map_err(io::Error::other)?);
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        let place = self.start.checked_add(position);
        let place = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(place))?;
        self.position = position;
        Ok(position)
    }
}
