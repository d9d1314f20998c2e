//! Downloads and uploads, each in its own folder. Most tests run twice, with the worker's thread and
//! without it, with the same result.

mod failures;
mod lasting;
mod reading;
mod resuming;
mod scheduling;
mod simulation;
mod space;
mod uploads;
mod whole;
#[cfg(windows)]
mod windows;
#[cfg(feature = "server")]
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::error::{DiskFault, DiskStep};

/// A timeout that never passes, not even when the disk is busy.
const NET: Duration = Duration::from_secs(600);

const URL: &str = "https://example.com/file";

/// A folder that is removed with its test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("httpoll-disk-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all files, sorted.
    fn names(&self) -> Vec<String> {
        let entry_name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry_name(entry.unwrap()))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn threaded() -> Disk {
    Disk::new(Arc::new(|| {}))
}

/// Plays a scene on both kinds of disks, each time in a folder of its own.
fn on_both(scene: impl Fn(&Disk, &Folder)) {
    for disk in [Disk::inline(), threaded()] {
        let folder = Folder::new();
        scene(&disk, &folder);
        // Before the folder goes.
        settle(&disk);
    }
}

fn settle(disk: &Disk) {
    assert!(disk.drain(NET));
    assert!(disk.is_idle());
}

fn plain(target: PathBuf) -> FilePlan {
    FilePlan {
        target,
        identity: URL.to_owned(),
        ..FilePlan::default()
    }
}

fn kept(target: PathBuf) -> FilePlan {
    FilePlan {
        keep_partial: true,
        resume: true,
        ..plain(target)
    }
}

fn version(tag: &str) -> Option<Validator> {
    Some(Validator {
        etag: Some(tag.to_owned()),
        last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
    })
}

/// Bytes of which no two stretches are alike.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn open(disk: &Disk, plan: FilePlan) -> (DownloadFile, Resumable) {
    let mut file = DownloadFile::open(disk, plan);
    settle(disk);
    let resumable = file.poll_opened().unwrap().unwrap();
    (file, resumable)
}

fn opening_fault(disk: &Disk, plan: FilePlan) -> DiskFault {
    let mut file = DownloadFile::open(disk, plan);
    settle(disk);
    let fault = file.poll_opened().unwrap().unwrap_err();
    assert_eq!(file.poll_fault(), Some(fault));
    assert_eq!(file.poll_committed(), Some(Err(fault)));
    fault
}

fn write(file: &mut DownloadFile, bytes: &[u8]) {
    for piece in bytes.chunks(100_000) {
        file.write(Bytes::copy_from_slice(piece));
    }
}

fn commit(disk: &Disk, file: &mut DownloadFile) -> Result<Committed, DiskFault> {
    file.commit();
    settle(disk);
    file.poll_committed().unwrap()
}

/// A whole download in one go.
fn download(disk: &Disk, plan: FilePlan, bytes: &[u8]) -> Result<Committed, DiskFault> {
    let mut file = DownloadFile::open(disk, plan);
    file.begin(0, None, None);
    write(&mut file, bytes);
    commit(disk, &mut file)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[cfg(feature = "sha256")]
fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}
