//! Files without blocking: downloads that appear whole or not at all, files that are sent by an agent or a
//! server, and files that a server receives. One worker thread does all work on the disk; a frame only queues commands and reads results. HTTP
//! (`Range`, `If-Range`, which failures to retry) belongs to the agent.
//!
//! # How a download becomes a file
//!
//! Parent folders are created. Content is written to a part file in the target's folder, checked,
//! synced and renamed; then the folder is synced (Unix). Until the rename an existing target is
//! unchanged, and no other process ever sees an incomplete file. On a failure, or when the download
//! is dropped, the part file is removed, and so are folders that were created for it and are still
//! empty, unless the plan says `keep_partial`. Content that failed a check is always removed, since
//! resuming it would fail again.
//!
//! The part file of a plain download has a random name and is created as a new file, so that nobody
//! can plant a link in its place. The part file of a download that may be resumed has a lasting name,
//! `<name>.part`; a link of that name is removed, never followed.
//! It is readable only by its owner until it is complete. A file of that name that another user could have
//! planted (another owner, writable by others, or with another name) is not continued: the download starts
//! over.
//!
//! # Resuming
//!
//! Next to a lasting part file is a sidecar, `<name>.part.json`, with the URL, the validators, the
//! complete length and how many bytes were **synced** when it was written: every 16 MiB, 1.5 seconds
//! after a byte was written, and when the download is suspended, dropped or ends. Resuming cuts off
//! all bytes after those. So a kill of the process costs at most what came in the last 1.5 seconds
//! (and what the worker had not written yet). It saves the file after a power failure, when such
//! bytes may be zeros or torn. If the part file is shorter than
//! the sidecar says, all of it counts. An invalid sidecar, or one of another URL, means a fresh
//! start.
//!
//! # Two downloads to the same target
//!
//! On one [`Disk`] the second download fails with [`DiskFault::AlreadyInUse`]. On different disks, or
//! in different processes, the second fails if the part files have the lasting name, by a lock of the
//! operating system, if the file system has such locks. Downloads with random names do not affect
//! each other: the last one to finish replaces the file of the other, and both files were complete.
//!
//! # Windows
//!
//! A name that means something else there, such as a device, is refused. A target that another program has open is
//! replaced as soon as that program closes it, or the download fails with [`DiskFault::TargetInUse`]. Paths may be
//! longer than 260 characters: the standard library takes care of that.
//!
//! # A full disk
//!
//! A download that finds the disk full fails, and its part file is removed even if the plan says
//! `keep_partial`: kept, it would leave no space for anything else. While a larger part file is being
//! written by the same [`Disk`], that one is given up first, so that a large download fails and small ones
//! finish. Nothing is checked beforehand: the standard library cannot tell how much space is free.
//!
//! # In a browser
//!
//! The module `browser` has the same [`DownloadFile`], for the origin private file system.
//!
//! # Memory
//!
//! A download queues at most 4 MiB to be written, less if there are more than 16 downloads. A file that is
//! read, by an upload or by a server, takes at most 1.25 MiB: 1 MiB that was read ahead, and the block that is
//! being sent. All files of one [`Disk`] together take at most 16 MiB, and with many of them each gets an equal
//! share. A file that has nothing to send may still read 16 KiB when others hold everything, so that none
//! starves: that adds at most 48 KiB for each file.
//!
//! What is written for a server, such as the files of a received form, queues at most 1 MiB for each request and 16 MiB
//! for all of them, but at least 64 KiB for each.

#[cfg(target_family = "wasm")]
mod browser;
// A browser has no part files of its own to claim or to give up.
#[cfg_attr(target_family = "wasm", allow(dead_code))]
mod claims;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod commands;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod digest;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod download;
#[cfg_attr(target_family = "wasm", allow(dead_code))]
mod full_disk;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod identity;
#[cfg(any(feature = "outbox", feature = "patch"))]
mod job;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod part;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod paths;
#[cfg(feature = "agent")]
mod plan;
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
mod present;
#[cfg(any(feature = "agent", feature = "server"))]
mod queue_limits;
mod read_ahead;
mod read_memory;
// Only files that are replaced by a worker need it, and a page has none.
#[cfg_attr(target_family = "wasm", allow(dead_code))]
#[cfg(feature = "agent")]
mod replace;
#[cfg(feature = "agent")]
mod sidecar;
mod steps;
mod upload;
mod weak_list;
#[cfg(feature = "server")]
mod write_behind;
// A browser has no thread for files, so parts of it have no caller there.
#[cfg_attr(target_family = "wasm", allow(dead_code))]
mod worker;

#[cfg(test)]
#[cfg(feature = "agent")]
mod tests;

/// Reads a sidecar and writes it again, for fuzzing.
#[cfg(all(fuzzing, feature = "full"))]
pub fn read_sidecar(json: &[u8]) -> Option<String> {
    sidecar::Sidecar::from_json(json).map(|sidecar| sidecar.to_json())
}

#[cfg(target_family = "wasm")]
pub(crate) use self::browser::{DownloadFile, stored};
#[cfg(all(feature = "agent", not(target_family = "wasm")))]
pub(crate) use self::download::DownloadFile;
#[cfg(all(feature = "outbox", not(target_family = "wasm")))]
pub(crate) use self::identity::is_at;
#[cfg(any(feature = "outbox", feature = "patch"))]
pub(crate) use self::job::{DiskJob, DiskWork};
#[cfg(feature = "agent")]
pub(crate) use self::plan::{Committed, FilePlan, Resumable};
#[cfg(feature = "server")]
pub(crate) use self::read_ahead::{Fill, FirstBlock, Opening, ReadAhead, ReadSource, Rest};
#[cfg(any(feature = "outbox", feature = "patch"))]
pub(crate) use self::replace::replace;
#[cfg(feature = "agent")]
pub(crate) use self::sidecar::Validator;
#[cfg(any(feature = "server", feature = "outbox", feature = "patch"))]
pub(crate) use self::steps::Steps;
#[cfg(any(feature = "outbox", feature = "patch"))]
pub(crate) use self::steps::check_file;
#[cfg(feature = "server")]
pub(crate) use self::upload::FileSource;
#[cfg(feature = "agent")]
pub(crate) use self::upload::UploadFile;
pub(crate) use self::worker::Disk;
#[cfg(feature = "server")]
pub(crate) use self::write_behind::{WriteBehind, WriteTarget};
