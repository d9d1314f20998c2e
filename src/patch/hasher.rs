//! The digests of a file, or of its blocks, piece by piece.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::digest::Digest;

/// How many bytes are hashed in one turn of the worker.
const SLICE: u64 = 1024 * 1024;

const BUFFER: usize = 64 * 1024;

/// See the module's documentation.
pub(super) struct FileHasher {
    file: File,
    buffer: Vec<u8>,
    /// Bytes that are still to be hashed.
    left: u64,
    block_bytes: u64,
    left_in_block: u64,
    hasher: Sha256,
    digests: Vec<Digest>,
}

impl FileHasher {
    /// One digest of the first `bytes` bytes of the file.
    pub(super) fn whole(path: &Path, bytes: u64) -> io::Result<Self> {
        Self::blocks(path, bytes, u64::MAX)
    }

    /// A digest of each block.
    pub(super) fn blocks(path: &Path, bytes: u64, block_bytes: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            buffer: vec![0; BUFFER],
            left: bytes,
            block_bytes,
            left_in_block: block_bytes,
            hasher: Sha256::new(),
            digests: Vec::new(),
        })
    }

    /// Hashes some bytes. Returns how many; 0 is the end.
    pub(super) fn advance(&mut self) -> io::Result<u64> {
        let mut hashed = 0;
        while hashed < SLICE && self.left > 0 {
            let most = self.left.min(self.left_in_block).min(BUFFER as u64);
            let most = usize::try_from(most).unwrap_or(BUFFER);
            let read = self.file.read(&mut self.buffer[..most])?;
            if read == 0 {
                // Another program cut the file.
                self.left = 0;
                break;
            }
            self.hasher.update(&self.buffer[..read]);
            let read = read as u64;
            hashed += read;
            self.left -= read;
            self.left_in_block -= read;
            if self.left_in_block == 0 {
                self.digests.push(self.hasher.finalize_reset().into());
                self.left_in_block = self.block_bytes;
            }
        }
        Ok(hashed)
    }

    /// The digests, after [`advance`](Self::advance) came to the end.
    pub(super) fn finish(mut self) -> Vec<Digest> {
        if self.left_in_block < self.block_bytes || self.digests.is_empty() {
            self.digests.push(self.hasher.finalize_reset().into());
        }
        self.digests
    }
}
