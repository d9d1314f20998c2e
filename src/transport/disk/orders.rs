//! The orders that a download's owner left, and how the worker carries them out, some in each of
//! its turns.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::download::{Committed, FilePlan, Resumable};
use super::fault::DiskFault;
use super::part::{Content, Part};
use super::worker::{Shared, Turn, lock};

/// What a piece costs beside its bytes, so that a peer that sends single bytes does not fill the
/// memory with their administration.
pub(super) const PIECE_COST: usize = 64;

/// Bytes that are written in one turn.
const TURN_BYTES: usize = 256 * 1024;

/// Pieces that are written in one turn: the owner may have to wait while they are taken out.
const TURN_PIECES: usize = 256;

/// What owner and worker share of one download.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) desk: Mutex<Desk>,
    bench: Mutex<Bench>,
}

/// Where orders lie and answers. It is locked for moments only.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) orders: VecDeque<Order>,
    /// What the orders hold of memory, with those being carried out.
    pub(super) queued: usize,
    /// In the worker's queue, or at work.
    pub(super) scheduled: bool,
    /// The owner found little room and wants to know when there is more than this.
    pub(super) awaited_room: Option<usize>,
    pub(super) outlook: Outlook,
    pub(super) opened: Option<Resumable>,
    pub(super) committed: Option<Committed>,
    pub(super) written: u64,
}

#[derive(Default)]
pub(super) enum Outlook {
    #[default]
    Good,
    /// The owner left, and nothing is to be written any more.
    Abandoned,
    /// The owner left, and wants to come back to this.
    Suspended,
    Failed(DiskFault),
    /// Committed, or closed after the owner left.
    Over,
}

/// What the worker works with; only the worker locks it.
#[derive(Default)]
struct Bench {
    part: Option<Part>,
    pieces: Vec<Bytes>,
}

pub(super) enum Order {
    Open(Box<FilePlan>),
    /// Removes what an earlier download left to be resumed.
    Remove(Box<FilePlan>),
    Begin(Box<Content>),
    Write(Bytes),
    Commit,
    Suspend,
}

/// What a turn is for.
enum Next {
    Idle,
    PutAway,
    CatchUp,
    Write,
    Other(Order),
}

impl Order {
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Write(bytes) => bytes.len() + PIECE_COST,
            _ => 0,
        }
    }
}

impl Cell {
    /// One turn at the disk.
    pub(super) fn turn(&self, shared: &Shared) -> Turn {
        let mut bench = lock(&self.bench);
        let bench = &mut *bench;
        let next = self.next(bench);
        let wake = match self.take(next, bench, shared) {
            Ok(wake) => wake,
            Err(fault) => {
                let suspended = matches!(lock(&self.desk).outlook, Outlook::Suspended);
                if suspended {
                    // It does not come to the order itself any more.
                    shared.leaving.fetch_sub(1, Ordering::Release);
                }
                match bench.part.take() {
                    Some(part) if suspended => part.suspend(shared),
                    Some(part) => part.abandon(Some(&fault), shared),
                    None => {}
                }
                lock(&self.desk).fail(fault);
                true
            }
        };
        let mut desk = lock(&self.desk);
        if matches!(desk.outlook, Outlook::Abandoned) {
            drop(desk);
            // At once, so that a new download to the same target, which may be next, finds the
            // place free.
            self.put_away(bench, shared);
            desk = lock(&self.desk);
        }
        let behind = bench.part.as_ref().is_some_and(Part::is_behind);
        desk.scheduled = behind || !desk.orders.is_empty();
        Turn {
            more: desk.scheduled,
            wake,
        }
    }

    /// Decides what to do, and takes the pieces to be written out.
    fn next(&self, bench: &mut Bench) -> Next {
        let mut desk = lock(&self.desk);
        if matches!(desk.outlook, Outlook::Abandoned) {
            return Next::PutAway;
        }
        if bench.part.as_ref().is_some_and(Part::is_behind) {
            return Next::CatchUp;
        }
        let mut bytes = 0;
        while bytes < TURN_BYTES
            && bench.pieces.len() < TURN_PIECES
            && let Some(Order::Write(_)) = desk.orders.front()
            && let Some(Order::Write(piece)) = desk.orders.pop_front()
        {
            bytes += piece.len();
            bench.pieces.push(piece);
        }
        if !bench.pieces.is_empty() {
            return Next::Write;
        }
        desk.orders.pop_front().map_or(Next::Idle, Next::Other)
    }

    /// Does it; answers whether the owner may want to know.
    fn take(&self, next: Next, bench: &mut Bench, shared: &Shared) -> Result<bool, DiskFault> {
        match (next, &mut bench.part) {
            (Next::PutAway, _) => {
                self.put_away(bench, shared);
                Ok(false)
            }
            (Next::Other(Order::Open(plan)), slot) => {
                let opened = Part::open(FilePlan::clone(&plan), shared);
                if let Err(DiskFault::AlreadyInUse) = opened
                    && shared.leaving.load(Ordering::Acquire) > 0
                {
                    // Who holds it may be about to let go: that one's turn comes first.
                    lock(&self.desk).orders.push_front(Order::Open(plan));
                    return Ok(false);
                }
                let (part, resumable) = opened?;
                let mut desk = lock(&self.desk);
                desk.written = resumable.offset;
                desk.opened = Some(resumable);
                *slot = Some(part);
                Ok(true)
            }
            (Next::Other(Order::Remove(plan)), _) => {
                match Part::open(FilePlan::clone(&plan), shared) {
                    Ok((part, _)) => part.abandon(None, shared),
                    Err(DiskFault::AlreadyInUse) if shared.leaving.load(Ordering::Acquire) > 0 => {
                        lock(&self.desk).orders.push_front(Order::Remove(plan));
                        return Ok(false);
                    }
                    // Whoever holds it has taken it over.
                    Err(_) => {}
                }
                lock(&self.desk).outlook = Outlook::Over;
                Ok(false)
            }
            (Next::CatchUp, Some(part)) => part.catch_up(shared).map(|()| false),
            (Next::Write, Some(part)) => {
                let result = part.write(&bench.pieces, shared);
                let cost: usize = bench.pieces.iter().map(|p| p.len() + PIECE_COST).sum();
                bench.pieces.clear();
                Ok(lock(&self.desk).wrote(result?, cost))
            }
            (Next::Other(Order::Begin(content)), Some(part)) => {
                let offset = content.offset;
                part.begin(*content, shared)?;
                lock(&self.desk).written = offset;
                Ok(false)
            }
            (Next::Other(Order::Commit), Some(part)) => {
                part.begin_with_held(shared)?;
                if part.is_behind() {
                    lock(&self.desk).orders.push_front(Order::Commit);
                    return Ok(false);
                }
                let committed = part.commit(shared)?;
                bench.part = None;
                let mut desk = lock(&self.desk);
                desk.written = committed.bytes;
                desk.committed = Some(committed);
                desk.outlook = Outlook::Over;
                desk.orders.clear();
                Ok(true)
            }
            (Next::Other(Order::Suspend), slot) => {
                if let Some(part) = slot.take() {
                    part.suspend(shared);
                }
                lock(&self.desk).outlook = Outlook::Over;
                shared.leaving.fetch_sub(1, Ordering::Release);
                Ok(false)
            }
            // Without a part file nothing was opened, and nothing can be done.
            (Next::Idle | Next::CatchUp | Next::Write | Next::Other(_), _) => Ok(false),
        }
    }

    fn put_away(&self, bench: &mut Bench, shared: &Shared) {
        if let Some(part) = bench.part.take() {
            part.abandon(None, shared);
        }
        lock(&self.desk).outlook = Outlook::Over;
    }
}

impl Desk {
    pub(super) fn fail(&mut self, fault: DiskFault) {
        self.orders.clear();
        self.queued = 0;
        self.outlook = Outlook::Failed(fault);
    }

    /// Answers whether there is the room now that the owner waits for.
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
