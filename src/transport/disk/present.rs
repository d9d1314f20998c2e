//! A file that has the target's name already: whether it is what a download would bring. Everything here
//! blocks, and runs only on the worker.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::digest::Digest;
use super::part::{HASH_READ, HASH_SLICE};
use super::plan::{Committed, FilePlan};
use crate::error::DiskFault;

/// A file with the target's name and the right size, while its digest is computed.
pub(super) struct PresentFile {
    file: File,
    path: PathBuf,
    length: u64,
    read: u64,
    digest: Digest,
    expected: [u8; 32],
}

/// What a comparison found so far.
pub(super) enum Comparison {
    Unfinished,
    Differs,
    Equal(Committed),
}

impl PresentFile {
    /// `None`: it is to be downloaded. A file that cannot be read is downloaded, too.
    pub(super) fn open(plan: &FilePlan) -> Result<Option<Self>, DiskFault> {
        let Some(expected) = plan.sha256.filter(|_| plan.skip_existing) else {
            return Ok(None);
        };
        let Some(digest) = Digest::wanted(true)? else {
            return Ok(None);
        };
        // Opened only then: opening a pipe would wait.
        let is_file = std::fs::metadata(&plan.target).is_ok_and(|metadata| metadata.is_file());
        let Some(file) = is_file.then(|| File::open(&plan.target).ok()).flatten() else {
            return Ok(None);
        };
        let Ok(length) = file.metadata().map(|metadata| metadata.len()) else {
            return Ok(None);
        };
        if plan
            .expected_size
            .is_some_and(|expected| expected != length)
        {
            return Ok(None);
        }
        Ok(Some(Self {
            file,
            path: plan.target.clone(),
            length,
            read: 0,
            digest,
            expected,
        }))
    }

    /// Reads and hashes the next piece of the file.
    pub(super) fn compare(&mut self) -> Comparison {
        match self.hash() {
            Ok(false) => Comparison::Unfinished,
            Ok(true) if self.read == self.length && self.digest.finish() == self.expected => {
                Comparison::Equal(Committed {
                    path: std::mem::take(&mut self.path),
                    bytes: self.length,
                    sha256: Some(self.expected),
                })
            }
            Ok(true) | Err(_) => Comparison::Differs,
        }
    }

    /// Returns whether the end was reached.
    fn hash(&mut self) -> io::Result<bool> {
        let mut slice = Read::by_ref(&mut self.file).take(HASH_SLICE);
        let mut buffer = vec![0; HASH_READ];
        let mut hashed = 0;
        loop {
            let count = slice.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.digest.update(&buffer[..count]);
            hashed += count as u64;
        }
        self.read += hashed;
        Ok(hashed < HASH_SLICE)
    }
}
