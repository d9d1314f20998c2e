//! The folders of a patched set, and the file that names the visible generation. What is in a generation does
//! not belong here.
//!
//! ```text
//! root/current.json          names the visible generation; replaced by one rename
//! root/generations/7/…       the files of generation 7, never changed after they became visible
//! root/downloads/<sha256>    contents that arrived and are not in a generation yet
//! root/patch.lock            locked while a patch works on the folder
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::digest::{Digest, hex};
use crate::error::{DiskFault, DiskStep, Error, ErrorKind, PatchFault};
use crate::transport::disk::{Steps, check_file, replace};

/// A longer generation file is damaged.
const MAX_GENERATION_FILE: u64 = 4096;

const VERSION: u64 = 1;

/// The folder that a patch works on.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

/// A folder that is locked, and its visible generation.
pub(super) struct Locked {
    pub(super) root: Root,
    pub(super) lock: File,
    pub(super) generation: Option<u64>,
}

impl Root {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn generation_file(&self) -> PathBuf {
        self.0.join("current.json")
    }

    fn generations(&self) -> PathBuf {
        self.0.join("generations")
    }

    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.generations().join(number.to_string())
    }

    pub(super) fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    /// Where a content is put when it is complete.
    pub(super) fn content(&self, sha256: &Digest) -> PathBuf {
        self.downloads().join(hex(sha256))
    }

    /// Where a download of a content keeps what has arrived.
    pub(super) fn part(&self, sha256: &Digest) -> PathBuf {
        self.downloads().join(format!("{}.part", hex(sha256)))
    }

    /// Where a content is repaired.
    pub(super) fn repair(&self, sha256: &Digest) -> PathBuf {
        self.downloads().join(format!("{}.repair", hex(sha256)))
    }

    /// Makes the folders, locks them, and removes generations that are not visible.
    pub(super) fn lock(self, steps: &Steps<'_>) -> Result<Locked, Error> {
        let make = |folder: &Path| {
            let made = steps.run(DiskStep::CreateFolder, || fs::create_dir_all(folder));
            made.map_err(|fault| failed(fault, folder))
        };
        make(&self.0)?;
        let lock_path = self.0.join("patch.lock");
        check_file(&lock_path, steps).map_err(|fault| failed(fault, &lock_path))?;
        let lock = steps
            .run(DiskStep::Open, || {
                let mut options = File::options();
                options.create(true).truncate(false).write(true);
                options.open(&lock_path)
            })
            .map_err(|fault| failed(fault, &lock_path))?;
        match lock.try_lock() {
            // Some file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(broken(PatchFault::AlreadyRunning, &self.0));
            }
        }
        for folder in [self.generations(), self.downloads()] {
            make(&folder)?;
            // Through a link, files could be written outside of the root.
            if !fs::symlink_metadata(&folder).is_ok_and(|it| it.is_dir()) {
                return Err(broken(PatchFault::NotAFolder, &folder));
            }
        }
        let generation = self.read_generation()?;
        for number in self.numbers() {
            if Some(number) != generation {
                // One that another program still uses stays until the next patch.
                let _ = steps.run(DiskStep::Remove, || {
                    fs::remove_dir_all(self.generation(number))
                });
            }
        }
        Ok(Locked {
            root: self,
            lock,
            generation,
        })
    }

    /// The visible generation.
    pub(super) fn read_generation(&self) -> Result<Option<u64>, Error> {
        let path = self.generation_file();
        // Opening a pipe would wait for its other end.
        if fs::metadata(&path).is_ok_and(|it| !it.is_file()) {
            return Err(failed(DiskFault::NotAFile, &path));
        }
        let mut text = Vec::new();
        let read = File::open(&path)
            .and_then(|file| file.take(MAX_GENERATION_FILE).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(DiskFault::io(DiskStep::Read, &error), &path)),
        }
        let number = serde_json::from_slice::<Value>(&text)
            .ok()
            .filter(|value| value.get("version").and_then(Value::as_u64) == Some(VERSION))
            .and_then(|value| value.get("generation")?.as_u64());
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(broken(PatchFault::InvalidGenerationFile, &path)),
        }
    }

    /// A number that no generation has.
    pub(super) fn next_generation(&self, visible: Option<u64>) -> u64 {
        let highest = self.numbers().into_iter().chain(visible).max();
        highest.map_or(1, |highest| highest.saturating_add(1))
    }

    fn numbers(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.generations());
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Makes a generation visible: by one rename, so that it is visible with all its files or not at all.
    pub(super) fn publish(&self, number: u64, steps: &Steps<'_>) -> Result<(), Error> {
        let path = self.generation_file();
        let new = self.0.join("current.json.new");
        let text = json!({ "version": VERSION, "generation": number }).to_string();
        steps
            .run(DiskStep::Write, || {
                // Left by a kill, or planted; `create_new` follows no link.
                let _ = fs::remove_file(&new);
                File::create_new(&new)?.write_all(text.as_bytes())
            })
            .and_then(|()| {
                steps.run(DiskStep::Sync, || {
                    File::options().write(true).open(&new)?.sync_all()
                })
            })
            .and_then(|()| steps.run(DiskStep::Rename, || replace(&new, &path)))
            .map_err(|fault| failed(fault, &path))?;
        sync_folder(&self.0);
        Ok(())
    }
}

/// The folder of the files that are visible: the set that the last finished patch of `root` made. `None` if no
/// patch was finished. Call it at the start, before files are opened; the folder stays the same until a patch
/// ends. It reads one small file.
///
/// # Errors
/// [`PatchFault::InvalidGenerationFile`], or the error of the operating system.
///
/// ```
/// let assets = httpoll::patch::current_folder("game-data")?;
/// assert_eq!(assets, None); // before the first patch
/// # Ok::<(), httpoll::Error>(())
/// ```
pub fn current_folder(root: impl Into<PathBuf>) -> Result<Option<PathBuf>, Error> {
    let root = Root::new(root.into());
    let generation = root.read_generation()?;
    Ok(generation.map(|number| root.generation(number)))
}

/// The file at a relative path, if it and all folders on the way are none but files and folders: through a
/// symbolic link the path could lead out of `folder`.
pub(super) fn plain_file(folder: &Path, path: &str) -> Option<(PathBuf, u64)> {
    let mut at = folder.to_path_buf();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        at.push(segment);
        let metadata = fs::symlink_metadata(&at).ok()?;
        if segments.peek().is_none() {
            return metadata.is_file().then_some((at, metadata.len()));
        }
        if !metadata.is_dir() {
            return None;
        }
    }
    None
}

/// Flushes the entries of a folder. Where that is not possible, nothing better is.
pub(super) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}

pub(super) fn failed(fault: DiskFault, path: &Path) -> Error {
    Error::new(ErrorKind::File(fault)).about_file(path)
}

pub(super) fn broken(fault: PatchFault, path: &Path) -> Error {
    Error::new(ErrorKind::Patch(fault)).about_file(path)
}
