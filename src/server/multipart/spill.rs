//! Where files go that are too large for memory: [`SpillStore`], and the one on disk.

use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::server::port_file::private_file::create_private;

/// Makes the files that uploads are put into.
pub trait SpillStore: Send + Sync {
    /// A new, empty file.
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>>;
}

/// A file that is gone when this is dropped, unless it was kept.
pub trait SpillFile: Read + Write + Seek + Send + Sync {
    /// Keeps the file under this path, on the same file system; what is there is replaced.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where there is no file system.
    fn keep(self: Box<Self>, path: &Path) -> io::Result<()>;
}

/// Puts uploads into files of a folder that only their owner can read.
#[derive(Clone, Debug)]
pub struct TempFolder {
    folder: PathBuf,
    next: u64,
}

impl TempFolder {
    /// In this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            next: RandomState::new().build_hasher().finish(),
        }
    }
}

impl Default for TempFolder {
    /// In the system's folder for temporary files.
    fn default() -> Self {
        Self::new(std::env::temp_dir())
    }
}

impl SpillStore for TempFolder {
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>> {
        // A name that is taken is nobody's mistake; many in a row are.
        for _ in 0..16 {
            let path = self.folder.join(format!("upload-{:016x}.tmp", self.next));
            self.next = self.next.wrapping_add(1);
            match create_private(&path) {
                Ok(file) => {
                    return Ok(Box::new(TempFile {
                        file: Some(file),
                        path,
                    }));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

struct TempFile {
    /// `None` when it was kept.
    file: Option<File>,
    path: PathBuf,
}

impl TempFile {
    fn file(&mut self) -> io::Result<&mut File> {
        self.file
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl SpillFile for TempFile {
    fn keep(mut self: Box<Self>, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.file = None;
        Ok(())
    }
}

impl Read for TempFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(into)
    }
}

impl Write for TempFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

impl Seek for TempFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(to)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Windows deletes no open file. Nobody is left to be told that it cannot be deleted.
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for dyn SpillFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpillFile(..)")
    }
}
