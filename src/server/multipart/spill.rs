//! [`SpillStore`], which stores uploaded files that are too large for memory, and the store on disk.
//!
//! On Unix a file of the store has no name once it is open, so that nothing is left when the process is
//! killed. On other systems the file has a name and is locked while it is in use. When the folder is first
//! used again, files that a killed process left are removed.

use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::server::port_file::private_file::create_private;
use crate::transport::disk::Disk;

/// The start and the end of the names of files in the store.
const PREFIX: &str = "httpoll-upload-";
const SUFFIX: &str = ".tmp";

/// Makes the files that uploads are written to.
pub trait SpillStore: Send + Sync {
    /// A new, empty file.
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>>;

    /// Where its files are, if that is a folder. Errors name it.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// A file that is deleted when this is dropped, unless it was kept.
pub trait SpillFile: Read + Write + Seek + Send + Sync {
    /// Saves the content as a file at this path. A file that exists there is replaced. Only the owner can
    /// read it (on Unix).
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where there is no file system.
    fn keep(self: Box<Self>, path: &Path) -> io::Result<()>;
}

/// Writes uploads to files in a folder. Only their owner can read them.
#[derive(Clone, Debug)]
pub struct TempFolder {
    folder: PathBuf,
    next: u64,
    /// Whether files of killed processes have been removed.
    is_clean: bool,
}

impl TempFolder {
    /// Stores files in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            next: RandomState::new().build_hasher().finish(),
            is_clean: false,
        }
    }
}

impl Default for TempFolder {
    /// Stores files in the system's folder for temporary files.
    fn default() -> Self {
        Self::new(std::env::temp_dir())
    }
}

impl TempFolder {
    pub(super) fn create_file(&mut self) -> io::Result<TempFile> {
        if cfg!(not(unix)) && !self.is_clean {
            self.is_clean = true;
            remove_leftovers(&self.folder);
        }
        // One name may be taken by chance; many in a row are not.
        for _ in 0..16 {
            let path = self
                .folder
                .join(format!("{PREFIX}{:016x}{SUFFIX}", self.next));
            self.next = self.next.wrapping_add(1);
            match create_private(&path) {
                Ok(file) => return Ok(TempFile::new(file, path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl SpillStore for TempFolder {
    fn create(&mut self) -> io::Result<Box<dyn SpillFile>> {
        Ok(Box::new(self.create_file()?))
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }
}

/// Writes content to a file that only its owner can read, and moves it to this path in place of the file
/// there.
pub(super) fn keep_private(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    let random = RandomState::new().build_hasher().finish();
    name.push(format!(".{random:016x}{SUFFIX}"));
    let part = path.with_file_name(name);
    let mut file = create_private(&part)?;
    let kept = io::copy(content, &mut file).and_then(|_| fs::rename(&part, path));
    if kept.is_err() {
        let _ = fs::remove_file(&part);
    }
    kept
}

/// Removes files that no process keeps locked.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_ours
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            drop(file);
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file of a [`TempFolder`].
pub(super) struct TempFile {
    /// `None` only while this is dropped.
    open: Option<OpenFile>,
    /// Its worker closes and removes the file, if there is one.
    disk: Option<Disk>,
}

/// Windows does not remove an open file, so the fields are dropped in this order.
struct OpenFile {
    file: File,
    _name: FileName,
}

/// The path at which the file can still be found. Dropping this removes it.
struct FileName(Option<PathBuf>);

impl TempFile {
    fn new(file: File, path: PathBuf) -> Self {
        // Windows does not remove an open file. There the lock marks the file as in use.
        let is_removed = cfg!(unix) && fs::remove_file(&path).is_ok();
        if !is_removed {
            let _ = file.try_lock();
        }
        Self {
            open: Some(OpenFile {
                file,
                _name: FileName((!is_removed).then_some(path)),
            }),
            disk: None,
        }
    }

    /// Lets this disk's worker close and remove the file: that may take long.
    pub(super) fn close_on(mut self, disk: &Disk) -> Self {
        self.disk = Some(disk.clone());
        self
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.open {
            Some(open) => Ok(&mut open.file),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl SpillFile for TempFile {
    fn keep(mut self: Box<Self>, path: &Path) -> io::Result<()> {
        let file = self.file()?;
        file.rewind()?;
        keep_private(path, file)
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
        if let (Some(open), Some(disk)) = (self.open.take(), &self.disk) {
            disk.dispose(open);
        }
    }
}

impl Drop for FileName {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // If it cannot be removed now, the next start removes it.
            let _ = fs::remove_file(path);
        }
    }
}

impl fmt::Debug for dyn SpillFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpillFile(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("httpoll-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[cfg(unix)]
    #[test]
    fn an_upload_has_no_name_while_it_is_used() {
        let folder = folder("nameless");
        let mut file = TempFolder::new(&folder).create().unwrap();
        file.write_all(b"content").unwrap();
        // If the process is killed now, it leaves nothing behind.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        let path = folder.join("kept");
        fs::write(&path, "old").unwrap();
        file.keep(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = folder("leftovers");
        let path = |name: &str| folder.join(name);
        for name in ["httpoll-upload-1.tmp", "httpoll-upload-2.tmp", "other.tmp"] {
            fs::write(path(name), "x").unwrap();
        }
        let used = File::open(path("httpoll-upload-2.tmp")).unwrap();
        used.lock().unwrap();
        remove_leftovers(&folder);
        assert!(!path("httpoll-upload-1.tmp").exists());
        assert!(path("httpoll-upload-2.tmp").exists() && path("other.tmp").exists());
        drop(used);
        fs::remove_dir_all(&folder).unwrap();
    }
}
