//! The owner's half of a download: what it asks of the worker, and what it hears back. Nothing
//! here waits for the disk.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use bytes::Bytes;

use super::Disk;
use super::fault::{DiskFault, DiskStep};
use super::orders::{Cell, Desk, Order, Outlook, PIECE_COST};
use super::part::Content;
use super::sidecar::Validator;
use super::worker::{Handle, Task, lock};

/// Bytes that may wait to be written, per download.
const MAX_QUEUED: usize = 4 * 1024 * 1024;

/// Bytes that may wait to be written in all downloads together: with many of them, each has less.
const MAX_QUEUED_TOGETHER: usize = 64 * 1024 * 1024;

/// What each download may have waiting however many there are: one receive buffer.
const MIN_QUEUED: usize = 256 * 1024;

/// What is to become of a download.
#[derive(Clone, Default)]
pub(crate) struct FilePlan {
    /// The file. Parent folders are made; what is there stays whole until it is replaced in one
    /// go. A symbolic link is replaced, not followed.
    pub(crate) target: PathBuf,
    /// What has come survives a failure as `<name>.part`, with `<name>.part.json` beside it.
    pub(crate) keep_partial: bool,
    /// Go on with what an earlier run kept, if it is of the same `identity`.
    pub(crate) resume: bool,
    /// Bytes that the whole content must have.
    pub(crate) expected_size: Option<u64>,
    /// The SHA-256 that the whole content must have. Needs the feature `sha256`.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Which content it is: the URL without credentials. It is written to the sidecar.
    pub(crate) identity: String,
}

/// What an earlier run left behind. Without anything, `offset` is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumable {
    /// Bytes that are there and safe: where the content may go on.
    pub(crate) offset: u64,
    /// The version of the content that they belong to. Without one, nothing tells whether what
    /// comes next fits.
    pub(crate) validator: Option<Validator>,
    /// Bytes of the whole content, as far as known.
    pub(crate) total: Option<u64>,
}

/// A download that became a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The absolute path.
    pub(crate) path: PathBuf,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its SHA-256, if the plan asked for one.
    pub(crate) sha256: Option<[u8; 32]>,
}

/// One download on its way to a file. Dropping it abandons the download: the worker removes what
/// there is, or keeps it, as the plan says.
///
/// The order of calls: [`open`](Self::open), [`begin`](Self::begin), [`write`](Self::write) as
/// [`room`](Self::room) allows, [`commit`](Self::commit). A connection that was lost is followed by
/// another `begin`. They may be called before the one before has been carried out. After a fault
/// all is over, and calls do nothing.
pub(crate) struct DownloadFile {
    cell: Arc<Cell>,
    disk: Handle,
    length: u64,
    /// Content came, or is about to.
    begun: bool,
}

impl DownloadFile {
    /// Starts to open the part file.
    pub(crate) fn open(disk: &Disk, mut plan: FilePlan) -> Self {
        let file = Self::on(disk);
        // Here, as the game may change its current folder before the worker comes to it.
        match std::path::absolute(&plan.target) {
            Ok(target) => {
                plan.target = target;
                file.order(Order::Open(Box::new(plan)));
            }
            Err(_) if plan.target.as_os_str().is_empty() => file.fail(DiskFault::NoFileName),
            Err(error) => file.fail(DiskFault::io(DiskStep::Locate, &error)),
        }
        file
    }

    /// Removes what [`suspend`](Self::suspend) put away for a download that nobody goes on with.
    pub(crate) fn remove(disk: &Disk, plan: FilePlan) {
        let file = Self::on(disk);
        let plan = FilePlan {
            keep_partial: false,
            resume: true,
            ..plan
        };
        let Ok(target) = std::path::absolute(&plan.target) else {
            return;
        };
        file.order(Order::Remove(Box::new(FilePlan { target, ..plan })));
        let mut desk = lock(&file.cell.desk);
        if matches!(desk.outlook, Outlook::Good) {
            // The order is to be carried out although its owner is gone.
            desk.outlook = Outlook::Suspended;
        }
    }

    fn on(disk: &Disk) -> Self {
        let shared = disk.handle().shared();
        shared.downloads.fetch_add(1, Ordering::Relaxed);
        Self {
            cell: Arc::default(),
            disk: disk.handle().clone(),
            length: 0,
            begun: false,
        }
    }

    /// What can be resumed, once. `None`: not known yet, or told before.
    pub(crate) fn poll_opened(&mut self) -> Option<Result<Resumable, DiskFault>> {
        let mut desk = lock(&self.cell.desk);
        if let Outlook::Failed(fault) = desk.outlook {
            return Some(Err(fault));
        }
        let resumable = desk.opened.take()?;
        if !self.begun {
            self.length = resumable.offset;
        }
        Some(Ok(resumable))
    }

    /// A response's content comes: it goes to `offset`, what is there from there on is cut off.
    /// So 0 starts afresh. `total` is the length of the whole content, as far as the response
    /// tells; without validators nobody can resume. Without this call content starts afresh.
    pub(crate) fn begin(&mut self, offset: u64, validator: Option<Validator>, total: Option<u64>) {
        self.length = offset;
        self.begun = true;
        self.order(Order::Begin(Box::new(Content {
            offset,
            validator: validator.unwrap_or_default(),
            total,
        })));
    }

    /// Bytes that may be handed to [`write`](Self::write) now. When it was little, the worker
    /// wakes the owner as soon as there is more.
    pub(crate) fn room(&self) -> usize {
        let downloads = self.disk.shared().downloads.load(Ordering::Relaxed);
        let capacity = (MAX_QUEUED_TOGETHER / downloads.max(1)).clamp(MIN_QUEUED, MAX_QUEUED);
        let mut desk = lock(&self.cell.desk);
        if desk.queued > capacity / 2 {
            desk.awaited_room = Some(capacity / 2);
        }
        capacity.saturating_sub(desk.queued + PIECE_COST)
    }

    /// Hands over the next bytes. It never waits; what does not fit into [`room`](Self::room) is
    /// taken, too, but costs memory.
    pub(crate) fn write(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            if !self.begun {
                self.begin(0, None, None);
            }
            self.length += bytes.len() as u64;
            self.order(Order::Write(bytes));
        }
    }

    /// Bytes of the whole content that were handed over, with those that can be resumed: where to
    /// go on when the connection is lost.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes in the part file, with those that were there before.
    #[cfg(test)]
    pub(crate) fn written(&self) -> u64 {
        lock(&self.cell.desk).written
    }

    /// What went wrong, if something did. It stays.
    pub(crate) fn poll_fault(&mut self) -> Option<DiskFault> {
        match lock(&self.cell.desk).outlook {
            Outlook::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    /// All bytes were handed over: check them, make them safe, give the file its name. Before any
    /// content began, what can be resumed is the whole.
    pub(crate) fn commit(&mut self) {
        self.order(Order::Commit);
    }

    /// The finished file, once. `None`: not yet, or told before.
    pub(crate) fn poll_committed(&mut self) -> Option<Result<Committed, DiskFault>> {
        let mut desk = lock(&self.cell.desk);
        if let Outlook::Failed(fault) = desk.outlook {
            return Some(Err(fault));
        }
        desk.committed.take().map(Ok)
    }

    /// Ends this download so that a later one can resume it, whatever the plan says about partial
    /// files. What was handed over is written first. If it cannot be kept, it is removed.
    pub(crate) fn suspend(self) {
        let mut desk = lock(&self.cell.desk);
        if matches!(desk.outlook, Outlook::Good) {
            desk.outlook = Outlook::Suspended;
            self.disk.shared().leaving.fetch_add(1, Ordering::AcqRel);
            desk.orders.push_back(Order::Suspend);
            self.schedule(desk);
        }
    }

    fn order(&self, order: Order) {
        let mut desk = lock(&self.cell.desk);
        if matches!(desk.outlook, Outlook::Good) {
            desk.queued += order.cost();
            desk.orders.push_back(order);
            self.schedule(desk);
        }
    }

    fn schedule(&self, mut desk: MutexGuard<'_, Desk>) {
        if std::mem::replace(&mut desk.scheduled, true) {
            return;
        }
        drop(desk);
        let task = Task::Download(Arc::clone(&self.cell));
        if let Err(fault) = self.disk.submit(task) {
            lock(&self.cell.desk).scheduled = false;
            self.fail(fault);
        }
    }

    fn fail(&self, fault: DiskFault) {
        lock(&self.cell.desk).fail(fault);
    }
}

impl Drop for DownloadFile {
    fn drop(&mut self) {
        self.disk.shared().downloads.fetch_sub(1, Ordering::Relaxed);
        let mut desk = lock(&self.cell.desk);
        if matches!(desk.outlook, Outlook::Good) {
            desk.outlook = Outlook::Abandoned;
            let discarded = std::mem::take(&mut desk.orders);
            self.schedule(desk);
            drop(discarded);
        }
    }
}

impl fmt::Debug for DownloadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let desk = lock(&self.cell.desk);
        f.debug_struct("DownloadFile")
            .field("length", &self.length)
            .field("written", &desk.written)
            .field("queued", &desk.queued)
            .finish_non_exhaustive()
    }
}
