//! The owner's part of a download in a browser: it queues commands and reads results, as natively. A task carries
//! the commands out, one at a time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::part::Content;
use super::shared::{Command, Shared, State};
use super::storage::Place;
use super::task;
use crate::clock::Instant;
use crate::error::DiskFault;
use crate::transport::disk::plan::{Committed, FilePlan, Resumable};
use crate::transport::disk::queue_limits::{DOWNLOADS, PIECE_COST};
use crate::transport::disk::sidecar::Validator;
use crate::transport::disk::worker::{Disk, lock};

/// One download that becomes a file, with the same calls as natively.
pub(crate) struct DownloadFile {
    target: PathBuf,
    shared: Arc<Mutex<Shared>>,
    disk: Disk,
    length: u64,
    begun: bool,
}

impl DownloadFile {
    pub(crate) fn open(disk: &Disk, plan: FilePlan) -> Self {
        let file = Self::on(disk, &plan);
        task::spawn(Arc::clone(&file.shared), disk.clone(), plan);
        file
    }

    /// Removes what [`suspend`](Self::suspend) kept of a download that will not be continued.
    pub(crate) fn remove(_: &Disk, plan: FilePlan) {
        task::spawn_removal(plan);
    }

    fn on(disk: &Disk, plan: &FilePlan) -> Self {
        disk.shared().downloads.fetch_add(1, Ordering::Relaxed);
        let target = match Place::of(&plan.target) {
            Ok(place) => place.path().into(),
            Err(_) => plan.target.clone(),
        };
        Self {
            target,
            shared: Arc::default(),
            disk: disk.clone(),
            length: 0,
            begun: false,
        }
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    pub(crate) fn poll_opened(&mut self) -> Option<Result<Resumable, DiskFault>> {
        let mut shared = lock(&self.shared);
        if let State::Failed(fault) = shared.state {
            return Some(Err(fault));
        }
        let resumable = shared.opened.take()?;
        if !self.begun {
            self.length = resumable.offset;
        }
        Some(Ok(resumable))
    }

    pub(crate) fn is_present(&self) -> bool {
        lock(&self.shared).is_present
    }

    pub(crate) fn begin(&mut self, offset: u64, validator: Option<Validator>, total: Option<u64>) {
        self.length = offset;
        self.begun = true;
        self.command(Command::Begin(Content {
            offset,
            validator: validator.unwrap_or_default(),
            total,
        }));
    }

    pub(crate) fn room(&self) -> usize {
        let downloads = self.disk.shared().downloads.load(Ordering::Relaxed);
        let capacity = DOWNLOADS.capacity(downloads);
        capacity.saturating_sub(lock(&self.shared).queued + PIECE_COST)
    }

    pub(crate) fn write(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            if !self.begun {
                self.begin(0, None, None);
            }
            // A server may name any offset; the worker refuses those that do not fit.
            self.length = self.length.saturating_add(bytes.len() as u64);
            self.command(Command::Write(bytes));
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Polls of the agent ask this while a download runs, so this is where a stalled one is synced.
    pub(crate) fn poll_fault(&mut self) -> Option<DiskFault> {
        let mut shared = lock(&self.shared);
        if shared.checkpoint_at.is_some_and(|at| at <= Instant::now()) {
            shared.wake();
        }
        match shared.state {
            State::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    pub(crate) fn commit(&mut self) {
        self.command(Command::Commit);
    }

    pub(crate) fn poll_committed(&mut self) -> Option<Result<Committed, DiskFault>> {
        let mut shared = lock(&self.shared);
        if let State::Failed(fault) = shared.state {
            return Some(Err(fault));
        }
        shared.committed.take().map(Ok)
    }

    pub(crate) fn suspend(self) {
        self.leave(State::Suspended);
    }

    fn command(&self, command: Command) {
        let mut shared = lock(&self.shared);
        if matches!(shared.state, State::Active) {
            if let Command::Write(bytes) = &command {
                shared.queued += bytes.len() + PIECE_COST;
            }
            shared.commands.push_back(command);
            shared.wake();
        }
    }

    /// The owner is gone. Until the task has released the target, a new download to it waits.
    fn leave(&self, state: State) {
        let mut shared = lock(&self.shared);
        if matches!(shared.state, State::Active) {
            task::note_leaving();
            if matches!(state, State::Abandoned) {
                shared.commands.clear();
            }
            shared.state = state;
            shared.wake();
        }
    }
}

impl Drop for DownloadFile {
    fn drop(&mut self) {
        self.disk.shared().downloads.fetch_sub(1, Ordering::Relaxed);
        self.leave(State::Abandoned);
    }
}

impl fmt::Debug for DownloadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadFile")
            .field("length", &self.length)
            .field("queued", &lock(&self.shared).queued)
            .finish_non_exhaustive()
    }
}
