//! The owner's part of a download: it queues commands for the worker and reads the results. Nothing
//! here waits for the disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use bytes::Bytes;

use super::commands::{Command, CommandQueue, DownloadState, SharedDownload};
use super::part::Content;
use super::plan::{Committed, FilePlan, Resumable};
use super::queue_limits::{DOWNLOADS, PIECE_COST};
use super::sidecar::Validator;
use super::worker::{Disk, Holder, lock};
use crate::error::{DiskFault, DiskStep};
use crate::file_name::has_reserved_name;

/// One download that becomes a file. Dropping it abandons the download: the worker removes or keeps
/// the part file, as the plan says.
///
/// The order of calls: [`open`](Self::open), [`begin`](Self::begin), [`write`](Self::write) as
/// [`room`](Self::room) allows, [`commit`](Self::commit). After a lost connection, another `begin`
/// follows. Each may be called before the previous one was carried out. After a fault the download is
/// over, and calls do nothing.
pub(crate) struct DownloadFile {
    /// The absolute path, if it could be found out.
    target: PathBuf,
    shared: Arc<SharedDownload>,
    disk: Disk,
    length: u64,
    /// Content has begun, or is about to.
    begun: bool,
}

impl DownloadFile {
    /// Starts to open the part file.
    pub(crate) fn open(disk: &Disk, mut plan: FilePlan) -> Self {
        let mut file = Self::on(disk, plan.target.clone());
        // Before Windows makes such a name part of an absolute path, which hides it.
        if has_reserved_name(&plan.target) {
            file.fail(DiskFault::ReservedName);
            return file;
        }
        // Now, since the game may change its current folder before the worker runs.
        match std::path::absolute(&plan.target) {
            Ok(target) => {
                file.target.clone_from(&target);
                plan.target = target;
                file.command(Command::Open(Box::new(plan)));
            }
            Err(_) if plan.target.as_os_str().is_empty() => file.fail(DiskFault::NoFileName),
            Err(error) => file.fail(DiskFault::io(DiskStep::Locate, &error)),
        }
        file
    }

    /// Removes what [`suspend`](Self::suspend) kept of a download that will not be continued.
    pub(crate) fn remove(disk: &Disk, plan: FilePlan) {
        let file = Self::on(disk, plan.target.clone());
        let plan = FilePlan {
            keep_partial: false,
            resume: true,
            ..plan
        };
        let Ok(target) = std::path::absolute(&plan.target) else {
            return;
        };
        if has_reserved_name(&plan.target) {
            return;
        }
        file.command(Command::Remove(Box::new(FilePlan { target, ..plan })));
        let mut queue = lock(&file.shared.queue);
        if matches!(queue.state, DownloadState::Active) {
            // The worker is to carry out the command although its owner is gone.
            queue.state = DownloadState::Suspended;
        }
    }

    fn on(disk: &Disk, target: PathBuf) -> Self {
        let shared = disk.shared();
        shared.downloads.fetch_add(1, Ordering::Relaxed);
        let download = Arc::<SharedDownload>::default();
        let holder = Arc::clone(&download) as Arc<dyn Holder>;
        lock(&shared.holders).add(&holder);
        Self {
            target,
            shared: download,
            disk: disk.clone(),
            length: 0,
            begun: false,
        }
    }

    /// The path of the finished file: absolute, unless finding that out failed.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// What can be resumed, once. `None`: not known yet, or returned before.
    pub(crate) fn poll_opened(&mut self) -> Option<Result<Resumable, DiskFault>> {
        let mut queue = lock(&self.shared.queue);
        if let DownloadState::Failed(fault) = queue.state {
            return Some(Err(fault));
        }
        let resumable = queue.opened.take()?;
        if !self.begun {
            self.length = resumable.offset;
        }
        Some(Ok(resumable))
    }

    /// Whether the target exists already as it should be: nothing is to be downloaded, and
    /// [`poll_committed`](Self::poll_committed) returns it. Known once the file is open.
    pub(crate) fn is_present(&self) -> bool {
        lock(&self.shared.queue).is_present
    }

    /// Announces a response's content: it is written at `offset`, and everything from there on is cut
    /// off. So 0 starts from the beginning. `total` is the complete length, if the response tells it.
    /// Without a validator the download cannot be resumed. Without this call content starts at 0.
    pub(crate) fn begin(&mut self, offset: u64, validator: Option<Validator>, total: Option<u64>) {
        self.length = offset;
        self.begun = true;
        self.command(Command::Begin(Box::new(Content {
            offset,
            validator: validator.unwrap_or_default(),
            total,
        })));
    }

    /// How many bytes may be passed to [`write`](Self::write) now. If that is little, the worker
    /// wakes the owner as soon as it is more.
    pub(crate) fn room(&self) -> usize {
        let downloads = self.disk.shared().downloads.load(Ordering::Relaxed);
        let capacity = DOWNLOADS.capacity(downloads);
        let mut queue = lock(&self.shared.queue);
        if queue.queued > capacity / 2 {
            queue.awaited_room = Some(capacity / 2);
        }
        capacity.saturating_sub(queue.queued + PIECE_COST)
    }

    /// Queues the next bytes. It never waits. Bytes beyond [`room`](Self::room) are queued as well,
    /// but cost memory.
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

    /// How many bytes of the complete content were queued, with those that were resumed: where to
    /// continue after a lost connection.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes in the part file, with those of earlier runs.
    #[cfg(test)]
    pub(crate) fn written(&self) -> u64 {
        lock(&self.shared.queue).written
    }

    /// The fault, if there was one. It stays.
    pub(crate) fn poll_fault(&mut self) -> Option<DiskFault> {
        match lock(&self.shared.queue).state {
            DownloadState::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    /// All bytes were queued: check and sync them, and give the file its name. If no content began,
    /// the kept bytes are taken as complete.
    pub(crate) fn commit(&mut self) {
        self.command(Command::Commit);
    }

    /// The finished file, once. `None`: not finished yet, or returned before.
    pub(crate) fn poll_committed(&mut self) -> Option<Result<Committed, DiskFault>> {
        let mut queue = lock(&self.shared.queue);
        if let DownloadState::Failed(fault) = queue.state {
            return Some(Err(fault));
        }
        queue.committed.take().map(Ok)
    }

    /// Ends this download so that a later one can resume it, whatever the plan says about partial
    /// files. Queued bytes are written first. If the part file cannot be kept, it is removed.
    pub(crate) fn suspend(self) {
        let mut queue = lock(&self.shared.queue);
        if matches!(queue.state, DownloadState::Active) {
            queue.state = DownloadState::Suspended;
            self.disk.shared().leaving.fetch_add(1, Ordering::AcqRel);
            queue.commands.push_back(Command::Suspend);
            self.schedule(queue);
        }
    }

    fn command(&self, command: Command) {
        let mut queue = lock(&self.shared.queue);
        if matches!(queue.state, DownloadState::Active) {
            queue.queued += command.cost();
            queue.commands.push_back(command);
            self.schedule(queue);
        }
    }

    fn schedule(&self, mut queue: MutexGuard<'_, CommandQueue>) {
        if std::mem::replace(&mut queue.scheduled, true) {
            return;
        }
        drop(queue);
        if let Err(fault) = self.disk.submit(self.shared.clone()) {
            lock(&self.shared.queue).scheduled = false;
            self.fail(fault);
        }
    }

    fn fail(&self, fault: DiskFault) {
        lock(&self.shared.queue).fail(fault);
    }
}

impl Drop for DownloadFile {
    fn drop(&mut self) {
        self.disk.shared().downloads.fetch_sub(1, Ordering::Relaxed);
        let mut queue = lock(&self.shared.queue);
        if matches!(queue.state, DownloadState::Active) {
            queue.state = DownloadState::Abandoned;
            let discarded = std::mem::take(&mut queue.commands);
            self.schedule(queue);
            drop(discarded);
        }
    }
}

impl fmt::Debug for DownloadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = lock(&self.shared.queue);
        f.debug_struct("DownloadFile")
            .field("length", &self.length)
            .field("written", &queue.written)
            .field("queued", &queue.queued)
            .finish_non_exhaustive()
    }
}
