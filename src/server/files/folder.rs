//! [`FolderRoot`]: assets from a folder on disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::path::AssetPath;
use super::root::{Asset, AssetContent, AssetRoot, Listed, not_found};

/// A folder and everything below it.
///
/// A program that may write in the folder while the server runs can choose what is served: the checks of
/// symbolic links do not protect against it.
#[derive(Clone, Debug)]
pub struct FolderRoot {
    folder: PathBuf,
    symlinks: Symlinks,
}

/// How symbolic links (and junctions) below the folder are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Symlinks {
    /// Links are followed as long as they stay in the folder. Links that leave it are not found.
    #[default]
    WithinRoot,
    /// No link is followed.
    Refuse,
    /// All links are followed, wherever they lead.
    Follow,
}

impl FolderRoot {
    /// The folder at this path, which has to exist. A relative path is made absolute now.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref().canonicalize()?;
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            folder,
            symlinks: Symlinks::default(),
        })
    }

    /// How symbolic links are treated. Default: followed within the folder.
    #[must_use]
    pub fn symlinks(mut self, symlinks: Symlinks) -> Self {
        self.symlinks = symlinks;
        self
    }

    /// The path on disk, if it may be read.
    fn locate(&self, path: &AssetPath) -> io::Result<PathBuf> {
        let mut place = self.folder.clone();
        for name in path.names() {
            place.push(name);
            if self.symlinks == Symlinks::Refuse && place.symlink_metadata()?.is_symlink() {
                return Err(not_found());
            }
        }
        if self.symlinks == Symlinks::WithinRoot {
            place = place
                .canonicalize()
                .map_err(|error| self.without_loops(path, error))?;
            if !place.starts_with(&self.folder) {
                return Err(not_found());
            }
        }
        Ok(place)
    }

    /// A link that leads to itself is not found, like one that leads nowhere. Other errors stay as they are.
    fn without_loops(&self, path: &AssetPath, error: io::Error) -> io::Error {
        let mut place = self.folder.clone();
        for name in path.names() {
            place.push(name);
            let is_link = place.symlink_metadata().is_ok_and(|it| it.is_symlink());
            if is_link && fs::metadata(&place).is_err() {
                return not_found();
            }
        }
        error
    }
}

impl AssetRoot for FolderRoot {
    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        let place = self.locate(path)?;
        // The type is checked before the file is opened: opening a named pipe would wait for its other end.
        let metadata = fs::metadata(&place).map_err(|error| self.without_loops(path, error))?;
        if !metadata.is_file() {
            return Err(not_found());
        }
        let file = File::open(place)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_found());
        }
        Ok(Asset {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            etag: None,
            content: AssetContent::Seekable(Box::new(file)),
        })
    }

    fn is_dir(&self, path: &AssetPath) -> bool {
        self.locate(path).is_ok_and(|place| place.is_dir())
    }

    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in fs::read_dir(self.locate(path)?)?.take(limit) {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                // No request can name it.
                continue;
            };
            let Some(place) = path.file(&name).and_then(|path| self.locate(&path).ok()) else {
                continue;
            };
            listed.push(Listed {
                name,
                is_dir: place.is_dir(),
            });
        }
        Ok(listed)
    }
}
