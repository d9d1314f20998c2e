//! The task of one download: it carries out the owner's commands, one after another.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::part::{Content, Part, present};
use super::shared::{Command, Shared, State};
use super::storage::Call;
use crate::clock::Instant;
use crate::error::{DiskFault, DiskStep};
use crate::transport::disk::plan::{FilePlan, Resumable};
use crate::transport::disk::queue_limits::PIECE_COST;
use crate::transport::disk::worker::{Disk, lock};

/// How many bytes are written by one call of the worker.
const WRITE_BYTES: usize = 1024 * 1024;

thread_local! {
    /// How many downloads of this page have no owner any more and still hold their target.
    static LEAVING: Cell<usize> = const { Cell::new(0) };
}

/// A download loses its owner; its task releases the target soon.
pub(super) fn note_leaving() {
    LEAVING.set(LEAVING.get() + 1);
}

fn note_left() {
    LEAVING.set(LEAVING.get().saturating_sub(1));
}

/// What to do next.
enum Next {
    Begin(Content),
    Write { bytes: Vec<u8>, cost: usize },
    Checkpoint,
    Commit,
    Abandon,
    Suspend,
}

pub(super) fn spawn(shared: Arc<Mutex<Shared>>, disk: Disk, plan: FilePlan) {
    wasm_bindgen_futures::spawn_local(async move {
        let result = run(&shared, &disk, plan).await;
        let mut shared = lock(&shared);
        if matches!(shared.state, State::Abandoned | State::Suspended) {
            note_left();
        }
        match result {
            Ok(()) => shared.state = State::Closed,
            Err(fault) => shared.fail(fault),
        }
        shared.task = None;
        disk.wake();
    });
}

/// Removes what an earlier download kept.
pub(super) fn spawn_removal(plan: FilePlan) {
    let plan = FilePlan {
        keep_partial: false,
        resume: true,
        ..plan
    };
    note_leaving();
    wasm_bindgen_futures::spawn_local(async move {
        // Others that leave come first; this one is counted itself.
        if let Ok((part, _)) = open(&plan, 1).await {
            part.abandon(None).await;
        }
        note_left();
    });
}

/// Opens the part file. A download that has just been left may still hold it: then it is tried again, as long as
/// more than `leaving` are about to release theirs.
async fn open(plan: &FilePlan, leaving: usize) -> Result<(Part, Resumable), DiskFault> {
    loop {
        let may_be_released = LEAVING.get() > leaving;
        match Part::open(plan.clone()).await {
            Err(DiskFault::AlreadyInUse) if may_be_released => {
                Call::new("nothing").send(DiskStep::Open).await?;
            }
            opened => return opened,
        }
    }
}

async fn run(shared: &Mutex<Shared>, disk: &Disk, plan: FilePlan) -> Result<(), DiskFault> {
    if let Some(found) = present(&plan).await? {
        let mut shared = lock(shared);
        shared.opened = Some(Resumable::default());
        shared.is_present = true;
        shared.committed = Some(found);
        return Ok(());
    }
    let (mut part, resumable) = open(&plan, 0).await?;
    lock(shared).opened = Some(resumable);
    disk.wake();
    loop {
        lock(shared).checkpoint_at = part.next_checkpoint();
        let done = match next(shared).await {
            Next::Begin(content) => part.begin(content).await,
            Next::Checkpoint => part.checkpoint().await,
            Next::Write { bytes, cost } => {
                let written = part.write(&bytes).await;
                let mut shared = lock(shared);
                shared.queued = shared.queued.saturating_sub(cost);
                disk.wake();
                written
            }
            Next::Commit => match part.commit().await {
                Ok(committed) => {
                    lock(shared).committed = Some(committed);
                    return Ok(());
                }
                Err(fault) => Err(fault),
            },
            Next::Abandon => {
                part.abandon(None).await;
                return Ok(());
            }
            Next::Suspend => {
                part.suspend().await;
                return Ok(());
            }
        };
        if let Err(fault) = done {
            let is_suspended = matches!(lock(shared).state, State::Suspended);
            if is_suspended && !fault.is_storage_full() {
                part.suspend().await;
            } else {
                part.abandon(Some(&fault)).await;
            }
            return Err(fault);
        }
    }
}

/// Waits for a command, or for the time of a checkpoint.
async fn next(shared: &Mutex<Shared>) -> Next {
    poll_fn(|context| {
        let mut shared = lock(shared);
        if matches!(shared.state, State::Abandoned) {
            return Poll::Ready(Next::Abandon);
        }
        if shared.checkpoint_at.is_some_and(|at| at <= Instant::now()) {
            return Poll::Ready(Next::Checkpoint);
        }
        match shared.commands.pop_front() {
            Some(Command::Begin(content)) => Poll::Ready(Next::Begin(content)),
            Some(Command::Commit) => Poll::Ready(Next::Commit),
            Some(Command::Write(first)) => {
                let mut cost = first.len() + PIECE_COST;
                let mut bytes = Vec::from(first);
                while bytes.len() < WRITE_BYTES
                    && let Some(Command::Write(_)) = shared.commands.front()
                    && let Some(Command::Write(piece)) = shared.commands.pop_front()
                {
                    cost += piece.len() + PIECE_COST;
                    bytes.extend_from_slice(&piece);
                }
                Poll::Ready(Next::Write { bytes, cost })
            }
            None if matches!(shared.state, State::Suspended) => Poll::Ready(Next::Suspend),
            None => {
                shared.task = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}
