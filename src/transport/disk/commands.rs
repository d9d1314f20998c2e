//! The commands of a download's owner, and how the worker carries them out: a few in each turn.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::part::{Content, Part};
use super::plan::{Committed, FilePlan, Resumable};
use super::present::{Comparison, PresentFile};
use super::queue_limits::PIECE_COST;
use super::worker::{Holder, Shared, Space, Task, Turn, lock};
use crate::error::DiskFault;

/// How many bytes are written in one turn.
const TURN_BYTES: usize = 256 * 1024;

/// How many pieces are written in one turn: the owner may have to wait for the lock while they are
/// taken out.
const TURN_PIECES: usize = 256;

/// What the owner and the worker of a download share.
#[derive(Default)]
pub(super) struct SharedDownload {
    pub(super) queue: Mutex<CommandQueue>,
    work: Mutex<WorkerState>,
}

/// Commands of the owner and results of the worker. It is locked only for moments.
#[derive(Default)]
pub(super) struct CommandQueue {
    pub(super) commands: VecDeque<Command>,
    /// How many bytes the commands hold, with those being carried out.
    pub(super) queued: usize,
    /// In the worker's queue, or being worked on.
    pub(super) scheduled: bool,
    /// The owner waits until at most this many bytes are queued.
    pub(super) awaited_room: Option<usize>,
    pub(super) state: DownloadState,
    pub(super) opened: Option<Resumable>,
    /// The target exists already as it should be.
    pub(super) is_present: bool,
    pub(super) committed: Option<Committed>,
    pub(super) written: u64,
}

#[derive(Default)]
pub(super) enum DownloadState {
    #[default]
    Active,
    /// The owner is gone, and nothing more is to be written.
    Abandoned,
    /// The owner is gone, and a later download is to resume this one.
    Suspended,
    Failed(DiskFault),
    /// Committed, or closed after the owner has gone.
    Closed,
}

/// The worker's own state; only the worker locks it.
#[derive(Default)]
struct WorkerState {
    /// A file with the target's name that may be the wanted one, and the plan if it is not.
    present: Option<(PresentFile, Box<FilePlan>)>,
    part: Option<Part>,
    pieces: Vec<Bytes>,
}

pub(super) enum Command {
    Open(Box<FilePlan>),
    /// Removes what an earlier download kept.
    Remove(Box<FilePlan>),
    Begin(Box<Content>),
    Write(Bytes),
    Commit,
    Suspend,
}

/// What to do in a turn.
enum Next {
    Idle,
    Discard,
    Compare,
    Rehash,
    Checkpoint,
    Write,
    Other(Command),
}

impl Command {
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Write(bytes) => bytes.len() + PIECE_COST,
            _ => 0,
        }
    }
}

impl Task for SharedDownload {
    fn turn(&self, shared: &Shared) -> Turn {
        let mut work = lock(&self.work);
        let work = &mut *work;
        let next = self.next(work, shared);
        let wake = match self.take(next, work, shared) {
            Ok(wake) => wake,
            Err(fault) => {
                let suspended = matches!(lock(&self.queue).state, DownloadState::Suspended);
                if suspended {
                    // The command itself will not be carried out any more.
                    shared.leaving.fetch_sub(1, Ordering::Release);
                }
                match work.part.take() {
                    Some(part) if suspended && !fault.is_storage_full() => part.suspend(shared),
                    Some(part) => part.abandon(Some(&fault), shared),
                    None => {}
                }
                lock(&self.queue).fail(fault);
                true
            }
        };
        let mut queue = lock(&self.queue);
        if matches!(queue.state, DownloadState::Abandoned) {
            drop(queue);
            // At once, so that a new download to the same target, which may be next, finds it free.
            self.discard(work, shared);
            queue = lock(&self.queue);
        }
        let behind = work.present.is_some() || work.part.as_ref().is_some_and(Part::needs_rehash);
        queue.scheduled = behind || !queue.commands.is_empty();
        let part = work.part.as_ref();
        Turn {
            more: queue.scheduled,
            wake,
            again_at: part.and_then(|part| part.next_checkpoint(shared)),
        }
    }
}

impl SharedDownload {
    /// Decides what to do, and takes out the pieces to write.
    fn next(&self, work: &mut WorkerState, shared: &Shared) -> Next {
        let mut queue = lock(&self.queue);
        if matches!(queue.state, DownloadState::Abandoned) {
            return Next::Discard;
        }
        if work.present.is_some() {
            return Next::Compare;
        }
        if work.part.as_ref().is_some_and(Part::needs_rehash) {
            return Next::Rehash;
        }
        let checkpoint = work.part.as_ref().and_then(|it| it.next_checkpoint(shared));
        if checkpoint.is_some_and(|at| at <= shared.now()) {
            return Next::Checkpoint;
        }
        let mut bytes = 0;
        while bytes < TURN_BYTES
            && work.pieces.len() < TURN_PIECES
            && let Some(Command::Write(_)) = queue.commands.front()
            && let Some(Command::Write(piece)) = queue.commands.pop_front()
        {
            bytes += piece.len();
            work.pieces.push(piece);
        }
        if !work.pieces.is_empty() {
            return Next::Write;
        }
        queue.commands.pop_front().map_or(Next::Idle, Next::Other)
    }

    /// Does it. Returns whether to wake the owner.
    fn take(&self, next: Next, work: &mut WorkerState, shared: &Shared) -> Result<bool, DiskFault> {
        match (next, &mut work.part) {
            (Next::Discard, _) => {
                self.discard(work, shared);
                Ok(false)
            }
            (Next::Compare, _) => Ok(self.compare(work)),
            (Next::Other(Command::Open(plan)), slot) => {
                if let Some(present) = PresentFile::open(&plan)? {
                    work.present = Some((present, plan));
                    return Ok(false);
                }
                let opened = Part::open(FilePlan::clone(&plan), shared);
                if let Err(DiskFault::AlreadyInUse) = opened
                    && shared.leaving.load(Ordering::Acquire) > 0
                {
                    let mut queue = lock(&self.queue);
                    // A suspended download may be about to release the target: its turn comes first. One that was
                    // suspended itself has nothing to keep yet. It would wait for as long as another program has the
                    // target.
                    if !matches!(queue.state, DownloadState::Suspended) {
                        queue.commands.push_front(Command::Open(plan));
                        return Ok(false);
                    }
                }
                let (part, resumable) = opened?;
                let mut queue = lock(&self.queue);
                queue.written = resumable.offset;
                queue.opened = Some(resumable);
                *slot = Some(part);
                Ok(true)
            }
            (Next::Other(Command::Remove(plan)), _) => {
                match Part::open(FilePlan::clone(&plan), shared) {
                    Ok((part, _)) => part.abandon(None, shared),
                    Err(DiskFault::AlreadyInUse) if shared.leaving.load(Ordering::Acquire) > 0 => {
                        lock(&self.queue).commands.push_front(Command::Remove(plan));
                        return Ok(false);
                    }
                    // Another download has taken it over.
                    Err(_) => {}
                }
                lock(&self.queue).state = DownloadState::Closed;
                Ok(false)
            }
            (Next::Checkpoint, Some(part)) => part.checkpoint(shared).map(|()| false),
            (Next::Rehash, Some(part)) => part.rehash(shared).map(|()| false),
            (Next::Write, Some(part)) => {
                let result = part.write(&work.pieces, shared);
                let cost: usize = work.pieces.iter().map(|p| p.len() + PIECE_COST).sum();
                work.pieces.clear();
                Ok(lock(&self.queue).wrote(result?, cost))
            }
            (Next::Other(Command::Begin(content)), Some(part)) => {
                let offset = content.offset;
                part.begin(*content, shared)?;
                lock(&self.queue).written = offset;
                Ok(false)
            }
            (Next::Other(Command::Commit), Some(part)) => {
                part.begin_with_held(shared)?;
                if part.needs_rehash() {
                    lock(&self.queue).commands.push_front(Command::Commit);
                    return Ok(false);
                }
                let committed = part.commit(shared)?;
                work.part = None;
                let mut queue = lock(&self.queue);
                queue.written = committed.bytes;
                queue.committed = Some(committed);
                queue.state = DownloadState::Closed;
                queue.commands.clear();
                Ok(true)
            }
            (Next::Other(Command::Suspend), slot) => {
                if let Some(part) = slot.take() {
                    part.suspend(shared);
                }
                lock(&self.queue).state = DownloadState::Closed;
                shared.leaving.fetch_sub(1, Ordering::Release);
                Ok(false)
            }
            // Without a part file there is nothing to do.
            (Next::Idle | Next::Rehash | Next::Checkpoint | Next::Write | Next::Other(_), _) => {
                Ok(false)
            }
        }
    }

    /// Compares some of a file that has the target's name already. Returns whether to wake the owner.
    fn compare(&self, work: &mut WorkerState) -> bool {
        let Some((mut file, mut plan)) = work.present.take() else {
            return false;
        };
        match file.compare() {
            Comparison::Unfinished => {
                work.present = Some((file, plan));
                false
            }
            Comparison::Differs => {
                plan.skip_existing = false;
                lock(&self.queue).commands.push_front(Command::Open(plan));
                false
            }
            Comparison::Equal(found) => {
                let mut queue = lock(&self.queue);
                queue.opened = Some(Resumable::default());
                queue.is_present = true;
                queue.written = found.bytes;
                queue.committed = Some(found);
                queue.state = DownloadState::Closed;
                queue.commands.clear();
                true
            }
        }
    }

    fn discard(&self, work: &mut WorkerState, shared: &Shared) {
        work.present = None;
        if let Some(part) = work.part.take() {
            part.abandon(None, shared);
        }
        let mut queue = lock(&self.queue);
        queue.state = DownloadState::Closed;
        // What the turn under way put back when the owner was gone already: it would open the file again, which nobody
        // would close.
        queue.commands.clear();
    }
}

impl Holder for SharedDownload {
    fn space(&self) -> Option<Space> {
        // Locked: it is the one whose turn it is.
        let work = self.work.try_lock().ok()?;
        work.part.as_ref().map(Part::space)
    }

    fn give_up(&self, fault: DiskFault, shared: &Shared) {
        let Ok(mut work) = self.work.try_lock() else {
            return;
        };
        let Some(part) = work.part.take() else {
            return;
        };
        part.abandon(Some(&fault), shared);
        let mut queue = lock(&self.queue);
        if matches!(queue.state, DownloadState::Suspended) {
            // The command itself will not be carried out any more.
            shared.leaving.fetch_sub(1, Ordering::Release);
        }
        queue.fail(fault);
    }
}

impl CommandQueue {
    pub(super) fn fail(&mut self, fault: DiskFault) {
        self.commands.clear();
        self.queued = 0;
        self.state = DownloadState::Failed(fault);
    }

    /// Returns whether the owner now has the space that it waits for.
    fn wrote(&mut self, position: u64, cost: usize) -> bool {
        self.written = position;
        self.queued = self.queued.saturating_sub(cost);
        let roomy = self.awaited_room.is_some_and(|most| self.queued <= most);
        if roomy {
            self.awaited_room = None;
        }
        roomy
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::transport::disk::Disk;
    use crate::transport::disk::tests::Folder;

    /// What the worker does when the owner goes during the turn that finds the target in use, and the target is free
    /// afterwards.
    #[test]
    fn a_download_that_is_dropped_while_its_target_is_in_use_leaves_nothing() {
        let (disk, folder) = (Disk::inline(), Folder::new());
        let shared = disk.shared();
        let plan = FilePlan {
            target: folder.join("file.bin"),
            ..FilePlan::default()
        };
        let folder_path = plan.target.parent().unwrap().canonicalize().unwrap();
        let claim = shared.claims.claim(folder_path.join("file.bin")).unwrap();
        shared.leaving.store(1, Ordering::Release);
        let download = SharedDownload::default();
        let open = Next::Other(Command::Open(Box::new(plan)));
        lock(&download.queue).state = DownloadState::Abandoned;
        let mut work = WorkerState::default();
        assert_eq!(download.take(open, &mut work, shared), Ok(false));
        assert!(work.part.is_none());
        assert_eq!(lock(&download.queue).commands.len(), 1);
        drop(claim);
        while download.turn(shared).more {}
        assert_eq!(folder_path.read_dir().unwrap().count(), 0);
    }
}
