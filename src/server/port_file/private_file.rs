//! Files that only their owner may read: the port file with its token, and uploads of clients.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a file that only its owner can read (on Unix; elsewhere the folder decides). Fails if the path
/// exists, so that a link at this path is not followed.
pub(in crate::server) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
