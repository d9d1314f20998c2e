//! Files without waiting: downloads that appear whole or not at all, and files that are sent. One
//! worker thread does all that touches a disk; a frame only leaves orders and takes answers. What
//! HTTP makes of it (`Range`, `If-Range`, which failure is worth another try) is the agent's
//! business.
//!
//! # How a download becomes a file
//!
//! Parent folders are made. Content goes to a part file in the target's folder, is checked, synced
//! and renamed; then the folder is synced (Unix). Until the rename an existing target stays as it
//! is, and no other process ever sees half a file. On any failure, or when the download is
//! dropped, the part file goes, and so do folders that were made for it and are still empty, unless
//! `keep_partial` was asked for. Content that failed a check goes in any case: to resume it would
//! fail again.
//!
//! The part file of a plain download has a random name and is created as new, so that nobody can
//! plant a link in its place. One that may be resumed has a lasting name, `<name>.part`; a link of
//! that name is removed, never followed.
//!
//! # Resuming
//!
//! Beside a lasting part lies a sidecar, `<name>.part.json`, with the URL, the validators, the
//! length of the whole and how much had been **synced** when it was written: every 16 MiB, and in
//! the end. Bytes behind that are cut off when resuming. That costs little after a crash, and after a
//! power failure, when they may be zeros or torn, it saves the file. A part that is shorter than its
//! sidecar says counts as far as it goes. A sidecar that is torn, or of another URL, means a fresh
//! start.
//!
//! # Two downloads to the same target
//!
//! Of two on one [`Disk`] the second fails with [`DiskFault::AlreadyInUse`]. Two on different disks,
//! or in different processes, do so when their parts have the lasting name, by a lock of the
//! operating system's, as far as the file system has such locks. Those with random names do not
//! disturb each other: who ends last has replaced the file of the other, and each was whole.
//!
//! # Memory
//!
//! A download holds at most 4 MiB that wait to be written, less when there are more than 16 of
//! them; an upload reads 1 MiB ahead.

mod commands;
mod digest;
mod download;
mod part;
mod paths;
mod plan;
mod sidecar;
mod upload;
mod worker;

#[cfg(test)]
mod tests;

/// A sidecar as it is written again.
#[cfg(all(fuzzing, feature = "full"))]
pub fn read_sidecar(json: &[u8]) -> Option<String> {
    sidecar::Sidecar::from_json(json).map(|sidecar| sidecar.to_json())
}

pub(crate) use self::download::DownloadFile;
pub(crate) use self::plan::{Committed, FilePlan, Resumable};
pub(crate) use self::sidecar::Validator;
pub(crate) use self::upload::UploadFile;
pub(crate) use self::worker::Disk;
