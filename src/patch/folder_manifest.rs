//! Writes the manifest of a folder, for the tool that publishes files. It reads all of them and blocks.

use std::fs;
use std::path::Path;

use super::folder::failed;
use super::hasher::FileHasher;
use super::manifest::{BlockHashes, Manifest, ManifestFile};
use crate::error::{DiskFault, DiskStep, Error};

/// The manifest of all files below a folder, sorted by path. With `block_bytes` (1 KiB to 16 MiB; 64 KiB is a
/// good choice) it has the hashes of blocks. It blocks until all files are read: use it in tools, not in frames.
/// Symbolic links are left out.
///
/// # Errors
/// A file that cannot be read, a name that is not UTF-8, or a path that a manifest
/// [may not have](crate::error::ManifestRule).
///
/// ```
/// let folder = std::env::temp_dir().join("httpoll-manifest-sample");
/// std::fs::create_dir_all(folder.join("levels"))?;
/// std::fs::write(folder.join("levels/one.txt"), "1")?;
/// let manifest = httpoll::patch::manifest_of(&folder, Some(64 * 1024))?;
/// assert_eq!(manifest.files()[0].path(), "levels/one.txt");
/// std::fs::write(folder.with_extension("json"), manifest.to_json())?;
/// # std::fs::remove_dir_all(&folder)?;
/// # std::fs::remove_file(folder.with_extension("json"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn manifest_of(folder: impl AsRef<Path>, block_bytes: Option<u64>) -> Result<Manifest, Error> {
    let root = folder.as_ref();
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let read = |error: &std::io::Error| failed(DiskFault::io(DiskStep::Read, error), &folder);
        for entry in fs::read_dir(&folder).map_err(|error| read(&error))? {
            let entry = entry.map_err(|error| read(&error))?;
            let kind = entry.file_type().map_err(|error| read(&error))?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| failed(DiskFault::NoFileName, &entry.path()))?;
            if kind.is_dir() {
                folders.push((entry.path(), format!("{prefix}{name}/")));
            } else if kind.is_file() {
                found.push((format!("{prefix}{name}"), entry.path()));
            }
        }
    }
    found.sort();
    let mut files = Vec::with_capacity(found.len());
    for (path, file) in found {
        let described = describe(path, &file, block_bytes);
        let fault = |error: &std::io::Error| DiskFault::io(DiskStep::Read, error);
        files.push(described.map_err(|error| failed(fault(&error), &file))?);
    }
    Manifest::new(files)
}

fn describe(path: String, file: &Path, block_bytes: Option<u64>) -> std::io::Result<ManifestFile> {
    let size = fs::metadata(file)?.len();
    let digests = |mut hasher: FileHasher| {
        while hasher.advance()? > 0 {}
        std::io::Result::Ok(hasher.finish())
    };
    let whole = digests(FileHasher::whole(file, size)?)?;
    let sha256 = whole.first().copied().unwrap_or_default();
    let described = ManifestFile::new(path, size, sha256);
    Ok(match block_bytes.filter(|bytes| *bytes > 0) {
        Some(_) if size == 0 => described,
        Some(bytes) => {
            let blocks = digests(FileHasher::blocks(file, size, bytes)?)?;
            described.with_blocks(BlockHashes::new(bytes, blocks))
        }
        None => described,
    })
}
