//! The worker's part of a download: the part file from opening to its final name. Everything here
//! blocks, and runs only on the worker.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;

use super::digest::Digest;
use super::paths::DownloadPaths;
use super::plan::{Committed, FilePlan, Resumable};
use super::sidecar::{Sidecar, Validator};
use super::worker::{Shared, Space};
use crate::clock::Instant;
use crate::error::{DiskFault, DiskStep};

/// After this many bytes a part file that can be resumed is synced and its sidecar rewritten: the
/// most that a crash can cost.
pub(super) const CHECKPOINT: u64 = 16 * 1024 * 1024;

/// How many bytes are read and hashed in one turn.
pub(super) const HASH_SLICE: u64 = 1024 * 1024;

/// How many bytes are read at once to be hashed.
pub(super) const HASH_READ: usize = 64 * 1024;

pub(super) struct Part {
    plan: FilePlan,
    paths: DownloadPaths,
    file: File,
    /// How many bytes are written: where the next are written.
    position: u64,
    /// How many bytes were synced when the sidecar was written.
    safe: u64,
    /// When the first byte after those was written.
    unsynced_since: Option<Instant>,
    /// What an earlier run kept.
    held: Resumable,
    /// The content that has begun. `None`: none has.
    content: Option<Content>,
    digest: Option<Digest>,
    /// How many bytes are in the digest.
    digested: u64,
}

/// What a response tells about its content.
pub(super) struct Content {
    pub(super) offset: u64,
    pub(super) validator: Validator,
    pub(super) total: Option<u64>,
}

impl Part {
    pub(super) fn open(plan: FilePlan, shared: &Shared) -> Result<(Self, Resumable), DiskFault> {
        let digest = Digest::wanted(plan.sha256.is_some())?;
        let lasting = plan.keep_partial || plan.resume;
        let (paths, file) = DownloadPaths::open(plan.target.clone(), lasting, shared)?;
        let mut part = Self {
            plan,
            paths,
            file,
            position: 0,
            safe: 0,
            unsynced_since: None,
            held: Resumable::default(),
            content: None,
            digest,
            digested: 0,
        };
        let resumable = part.find_resumable().unwrap_or_default();
        part.position = resumable.offset;
        part.safe = resumable.offset;
        part.held = resumable.clone();
        Ok((part, resumable))
    }

    /// What can be resumed of an earlier run.
    fn find_resumable(&self) -> Option<Resumable> {
        if !self.plan.resume {
            return None;
        }
        let sidecar = self.paths.read_sidecar(&self.file)?;
        let length = self.file.metadata().ok()?.len();
        self.plan.resumable(sidecar, length)
    }

    /// Content begins at `offset`. Everything from there on is cut off.
    pub(super) fn begin(&mut self, content: Content, shared: &Shared) -> Result<(), DiskFault> {
        let offset = content.offset;
        if let (Some(expected), Some(found)) = (self.plan.expected_size, content.total)
            && expected != found
        {
            return Err(DiskFault::SizeMismatch { expected, found });
        }
        if offset > self.position {
            let held = self.position;
            return Err(DiskFault::Gap { held, offset });
        }
        self.content = Some(content);
        // A crash before the new sidecar is written is harmless: the old one counts more bytes than
        // there are, and nothing has been written after them.
        shared.step(DiskStep::Truncate, || {
            self.file.set_len(offset)?;
            self.file.seek(SeekFrom::Start(offset))
        })?;
        self.position = offset;
        self.safe = self.safe.min(offset);
        if self.digested > offset {
            if let Some(digest) = &mut self.digest {
                digest.restart();
            }
            self.digested = 0;
        }
        self.checkpoint(shared)
    }

    /// Unless content has begun, takes what an earlier run kept as the complete content.
    pub(super) fn begin_with_held(&mut self, shared: &Shared) -> Result<(), DiskFault> {
        if self.content.is_some() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let content = Content {
            offset: held.offset,
            validator: held.validator.unwrap_or_default(),
            total: held.total,
        };
        self.begin(content, shared)
    }

    /// Whether bytes of an earlier run are still to be hashed.
    pub(super) fn needs_rehash(&self) -> bool {
        self.digest.is_some() && self.content.is_some() && self.digested < self.position
    }

    /// Hashes some of the bytes of an earlier run.
    pub(super) fn rehash(&mut self, shared: &Shared) -> Result<(), DiskFault> {
        let Some(digest) = &mut self.digest else {
            return Ok(());
        };
        let file = &mut self.file;
        let (from, end) = (self.digested, self.position);
        self.digested = shared.step(DiskStep::Read, || {
            file.seek(SeekFrom::Start(from))?;
            let mut slice = file.take((end - from).min(HASH_SLICE));
            let mut buffer = vec![0; HASH_READ];
            let mut digested = from;
            loop {
                let read = slice.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                digest.update(&buffer[..read]);
                digested += read as u64;
            }
            if digested == from {
                // Another program cut the file.
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            file.seek(SeekFrom::Start(end))?;
            Ok(digested)
        })?;
        Ok(())
    }

    /// Writes pieces of content. Returns the length of the part file.
    pub(super) fn write(&mut self, pieces: &[Bytes], shared: &Shared) -> Result<u64, DiskFault> {
        for piece in pieces {
            let position = self.position;
            let size = self.space().in_the_end.max(position + piece.len() as u64);
            shared.step_with_room(DiskStep::Write, size, |is_again| {
                #[cfg(test)]
                shared.check_capacity(position + piece.len() as u64)?;
                if is_again {
                    // Some of it may have been written.
                    self.file.set_len(position)?;
                    self.file.seek(SeekFrom::Start(position))?;
                }
                self.file.write_all(piece)
            })?;
            self.position += piece.len() as u64;
            if let Some(digest) = &mut self.digest {
                digest.update(piece);
                self.digested = self.position;
            }
        }
        if self.safe < self.position {
            self.unsynced_since.get_or_insert_with(|| shared.now());
        }
        if self.position - self.safe >= CHECKPOINT {
            self.checkpoint(shared)?;
        }
        Ok(self.position)
    }

    /// Checks the content and gives the file its name.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<Committed, DiskFault> {
        let announced = self.content.as_ref().and_then(|content| content.total);
        // The length first: a file of another length is not worth hashing.
        self.plan.check(announced, self.position, None)?;
        let sha256 = self.digest.as_mut().map(Digest::finish);
        self.plan.check(announced, self.position, sha256)?;
        let size = self.space().in_the_end;
        shared.step_with_room(DiskStep::Sync, size, |_| self.file.sync_all())?;
        // The lock is held during this, so that no other download can take the part file.
        shared.step(DiskStep::Rename, || self.paths.publish(&self.file))?;
        // The file is complete and has its name: a file system that cannot sync a folder does not
        // change that. Meanwhile another process may have begun to download it again.
        let _ = self.paths.sync_folder();
        self.paths.remove_stale_sidecar();
        Ok(Committed {
            path: self.paths.target.clone(),
            bytes: self.position,
            sha256,
        })
    }

    /// The space that it takes.
    pub(super) fn space(&self) -> Space {
        let announced = self.content.as_ref().and_then(|content| content.total);
        let sizes = [self.plan.expected_size, announced];
        Space {
            held: self.position,
            in_the_end: sizes.into_iter().flatten().fold(self.position, u64::max),
        }
    }

    /// Ends a download that failed or was dropped.
    pub(super) fn abandon(mut self, fault: Option<&DiskFault>, shared: &Shared) {
        if self.is_lost() {
            self.paths.remove_rest();
            return;
        }
        let is_useless =
            fault.is_some_and(|fault| fault.spoils_content() || fault.is_storage_full());
        if self.plan.keep_partial && !is_useless && !self.is_empty() {
            // If this fails, the previous sidecar is still true.
            let _ = self.checkpoint(shared);
        } else {
            self.remove_all();
        }
    }

    /// Whether the part file has nothing to continue with, not even from an earlier run.
    fn is_empty(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.len() == 0)
    }

    /// Whether another program removed the part file or put another in its place. That one belongs to another
    /// download now, and so does the sidecar.
    fn is_lost(&self) -> bool {
        self.paths.check_part(&self.file).is_err()
    }

    fn remove_all(self) {
        // Windows removes a name only when the file is closed. Elsewhere the lock is held until then.
        let held = (!cfg!(windows)).then_some(self.file);
        self.paths.remove_all();
        drop(held);
    }

    /// Ends a download that another run will continue.
    pub(super) fn suspend(mut self, shared: &Shared) {
        if self.is_lost() {
            self.paths.remove_rest();
            return;
        }
        if self.is_empty() || self.paths.make_lasting(&self.file, shared).is_err() {
            self.remove_all();
            return;
        }
        // If this fails, the previous sidecar is still true.
        let _ = self.checkpoint(shared);
    }

    /// When what is written is to be synced. `None`: it is, or the part file cannot be resumed.
    pub(super) fn next_checkpoint(&self, shared: &Shared) -> Option<Instant> {
        self.paths.sidecar.as_ref()?;
        Some(self.unsynced_since? + shared.checkpoint_after?)
    }

    /// Syncs what is written, and records that in the sidecar.
    pub(super) fn checkpoint(&mut self, shared: &Shared) -> Result<(), DiskFault> {
        let (Some(content), Some(_)) = (&self.content, &self.paths.sidecar) else {
            return Ok(());
        };
        if self.safe < self.position {
            let size = self.space().in_the_end;
            shared.step_with_room(DiskStep::Sync, size, |_| self.file.sync_data())?;
            self.safe = self.position;
        }
        self.unsynced_since = None;
        let sidecar = Sidecar {
            identity: self.plan.identity.clone(),
            validator: content.validator.clone(),
            total: content.total.filter(|total| *total >= self.safe),
            safe: self.safe,
        };
        shared.step_with_room(DiskStep::WriteSidecar, self.space().in_the_end, |_| {
            // Without its part file it would be wrong about that of another download.
            self.paths.check_part(&self.file)?;
            self.paths.write_sidecar(&sidecar)?;
            // The bytes of a later version must not reach the disk before this. Where folders cannot
            // be synced there is no better way.
            let _ = self.paths.sync_folder();
            Ok(())
        })
    }
}
