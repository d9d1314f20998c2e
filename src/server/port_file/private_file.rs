//! Files that only their owner may read: the port file with its token, and uploads of clients.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// At most this much of a port file is read. A real one is much shorter.
const MOST_BYTES: u64 = 64 * 1024;

/// Creates a file that only its owner can read (on Unix; elsewhere the folder decides). Fails if the path
/// exists, so that a link at this path is not followed.
pub(in crate::server) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a small file.
pub(in crate::server) fn read_small(path: &Path) -> io::Result<String> {
    read_all(open_file(path)?)
}

/// Reads a file that [`create_private`] made. On Unix it fails if others can read or write it: then another user may have
/// made it, in a folder for temporary files for example, and it would lead to that user's server.
pub(in crate::server) fn read_private(path: &Path) -> io::Result<String> {
    let file = open_file(path)?;
    #[cfg(unix)]
    {
        // The file of another user that only its owner can read could not be opened.
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
        if mode & 0o077 != 0 {
            let text = "other users can read or write it, so another user may have made it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
    }
    read_all(file)
}

fn open_file(path: &Path) -> io::Result<File> {
    // Before opening: a pipe would wait for its other end.
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    File::open(path)
}

fn read_all(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
