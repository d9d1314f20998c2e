//! Files that only their owner may read: the port file with its token, and what clients upload.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a file that nobody else can read (on Unix; elsewhere the folder decides), where none is
/// yet: a link that somebody has put there is not followed.
pub(in crate::server) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
