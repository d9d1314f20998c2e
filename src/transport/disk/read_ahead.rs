//! [`ReadAhead`]: what the worker reads ahead of its owner, block by block. What is read (a file, an asset of a
//! server) is the source's business. How much may be read ahead is decided here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use super::read_memory::{BLOCK, Block, MOST_HELD};
use super::steps::Steps;
use super::worker::{Disk, Shared, Task, Turn, lock};
use crate::error::DiskFault;
use crate::transport::wake::Wake;

/// What the worker opens and reads. The worker also drops it: closing a file may take long.
pub(crate) trait ReadSource: Send + 'static {
    /// What opening finds out.
    type Opened: Send;
    /// Why it could not be opened or read.
    type Fault: Clone + Send + From<DiskFault>;

    /// Opens it. It may wait for the disk; it must not panic.
    fn open(&mut self, steps: &Steps<'_>) -> Result<Opening<Self::Opened>, Self::Fault>;

    /// Appends from one to `most` bytes to `block`, which is empty. It may append nothing at the end only. May
    /// wait for the disk; must not panic. The bytes of a block are delivered although it also returns a fault.
    fn read(
        &mut self,
        most: usize,
        block: &mut Vec<u8>,
        steps: &Steps<'_>,
    ) -> Result<Rest, Self::Fault>;
}

/// A source that was opened.
pub(crate) struct Opening<T> {
    pub(crate) opened: T,
    pub(crate) rest: Rest,
}

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    More,
    /// That was all.
    End,
}

/// When the first block is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstBlock {
    /// After the source was opened and its owner was woken.
    Next,
    /// In the turn that opens the source, so that small content is there as soon as the source is open.
    #[cfg(feature = "server")]
    WithOpening,
    /// When the owner looks for content for the first time. Many sources can then be open, of which only one is
    /// read.
    #[cfg(feature = "multipart")]
    WhenAsked,
}

/// The owner's end. It never waits. Dropping it lets the worker close the source.
pub(crate) struct ReadAhead<S: ReadSource> {
    shared: Arc<SharedRead<S>>,
    disk: Disk,
    block: Block,
    /// How many bytes of `block` were taken.
    taken: usize,
}

/// What the owner finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fill<F> {
    /// [`ReadAhead::rest`] has bytes.
    Data,
    /// Nothing yet. The owner is woken when there is.
    Waits,
    End,
    /// All bytes that were read before the fault were delivered.
    Failed(F),
}

struct SharedRead<S: ReadSource> {
    state: Mutex<State<S>>,
    /// Only the worker locks it for longer than a moment.
    source: Mutex<Option<S>>,
    /// Called on the worker's thread in place of the disk's own wake.
    notify: Option<Wake>,
    #[cfg_attr(not(any(feature = "server", feature = "multipart")), allow(dead_code))]
    first: FirstBlock,
}

struct State<S: ReadSource> {
    opened: Option<S::Opened>,
    is_open: bool,
    /// The turn that opened the source is over, and the owner may see what it found.
    is_shown: bool,
    blocks: VecDeque<Block>,
    /// The bytes in `blocks`.
    ahead: usize,
    /// A block to read into.
    spare: Option<Block>,
    end: Option<Result<(), S::Fault>>,
    /// In the worker's queue, or being worked on.
    is_scheduled: bool,
    /// The owner found nothing and waits.
    is_awaited: bool,
    /// The owner has looked for content.
    is_asked: bool,
    is_dropped: bool,
}

impl<S: ReadSource> ReadAhead<S> {
    /// Starts to open the source and to read ahead. With `notify` the worker calls that, and not the disk's own
    /// wake, when the source is open, when there is something to take, and after a fault.
    pub(crate) fn start(disk: &Disk, source: S, first: FirstBlock, notify: Option<Wake>) -> Self {
        let reader = Self::with(disk, Some(source), None, first, notify);
        reader.schedule(lock(&reader.shared.state));
        reader
    }

    /// A reader of a source that cannot be opened.
    pub(crate) fn failed(disk: &Disk, fault: S::Fault) -> Self {
        Self::with(disk, None, Some(Err(fault)), FirstBlock::Next, None)
    }

    fn with(
        disk: &Disk,
        source: Option<S>,
        end: Option<Result<(), S::Fault>>,
        first: FirstBlock,
        notify: Option<Wake>,
    ) -> Self {
        disk.shared().read_memory.join();
        Self {
            shared: Arc::new(SharedRead {
                state: Mutex::new(State {
                    opened: None,
                    is_open: false,
                    is_shown: false,
                    blocks: VecDeque::new(),
                    ahead: 0,
                    spare: None,
                    end,
                    is_scheduled: false,
                    is_awaited: false,
                    is_asked: false,
                    is_dropped: false,
                }),
                source: Mutex::new(source),
                notify,
                first,
            }),
            disk: disk.clone(),
            block: Block::default(),
            taken: 0,
        }
    }

    /// What opening found out, once, or the fault. `None`: not known yet, or returned before.
    pub(crate) fn poll_opened(&mut self) -> Option<Result<S::Opened, S::Fault>> {
        let mut state = lock(&self.shared.state);
        if !state.is_shown && state.is_open {
            return None;
        }
        if let Some(opened) = state.opened.take() {
            return Some(Ok(opened));
        }
        match &state.end {
            Some(Err(fault)) if !state.is_open => Some(Err(fault.clone())),
            _ => None,
        }
    }

    /// The fault, if there was one, although bytes before it may not have been taken yet.
    #[cfg(test)]
    pub(crate) fn poll_fault(&mut self) -> Option<S::Fault> {
        lock(&self.shared.state).end.clone().and_then(Result::err)
    }

    /// Looks for bytes to take.
    pub(crate) fn fill(&mut self) -> Fill<S::Fault> {
        if self.taken < self.block.bytes.len() {
            return Fill::Data;
        }
        let mut state = lock(&self.shared.state);
        state.is_asked = true;
        let next = state.blocks.pop_front();
        let mut used = std::mem::replace(&mut self.block, next.unwrap_or_default());
        self.taken = 0;
        if used.size() > 0 && state.end.is_none() {
            used.bytes.clear();
            state.spare = Some(used);
        }
        state.ahead -= self.block.bytes.len();
        let found = match &state.end {
            _ if !self.block.bytes.is_empty() => Fill::Data,
            None => Fill::Waits,
            Some(Ok(())) => Fill::End,
            Some(Err(fault)) => Fill::Failed(fault.clone()),
        };
        state.is_awaited = matches!(found, Fill::Waits);
        self.schedule(state);
        found
    }

    /// The bytes that can be taken now. Empty until [`fill`](Self::fill) finds some.
    pub(crate) fn rest(&self) -> &[u8] {
        self.block.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Takes bytes from the start of [`rest`](Self::rest).
    pub(crate) fn take(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.block.bytes.len());
    }

    fn schedule(&self, mut state: MutexGuard<'_, State<S>>) {
        let is_over = state.end.is_some() && !state.is_dropped;
        if state.is_scheduled || is_over || self.shared.is_resting(&state) {
            return;
        }
        state.is_scheduled = true;
        drop(state);
        if let Err(fault) = self.disk.submit(self.shared.clone()) {
            let mut state = lock(&self.shared.state);
            state.is_scheduled = false;
            state.end = Some(Err(fault.into()));
        }
    }
}

impl<S: ReadSource> Drop for ReadAhead<S> {
    fn drop(&mut self) {
        self.disk.shared().read_memory.leave();
        let mut state = lock(&self.shared.state);
        state.is_dropped = true;
        let blocks = std::mem::take(&mut state.blocks);
        let spare = state.spare.take();
        let is_closed = state.end.is_some() && !state.is_scheduled;
        if !is_closed {
            // The worker closes the source: on some disks even that takes long.
            self.schedule(state);
        }
        drop((blocks, spare));
    }
}

impl<S: ReadSource> fmt::Debug for ReadAhead<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("ReadAhead")
            .field("is_open", &state.is_open)
            .field("ahead", &state.ahead)
            .field("is_over", &state.end.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: ReadSource> SharedRead<S> {
    /// Whether the source is open and is to be read later only.
    fn is_resting(&self, state: &State<S>) -> bool {
        #[cfg(feature = "multipart")]
        if self.first == FirstBlock::WhenAsked {
            return state.is_open && !state.is_asked && !state.is_dropped;
        }
        let _ = state;
        false
    }

    /// Opens the source. Returns whether to read in this turn.
    fn open(&self, source: &mut S, shared: &Shared) -> bool {
        let opening = source.open(&Steps::of(shared));
        let mut state = lock(&self.state);
        match opening {
            Ok(Opening { opened, rest }) => {
                state.opened = Some(opened);
                state.is_open = true;
                if rest == Rest::End {
                    state.end = Some(Ok(()));
                }
            }
            Err(fault) => state.end = Some(Err(fault)),
        }
        #[cfg(feature = "server")]
        if self.first == FirstBlock::WithOpening {
            return state.end.is_none() && !state.is_dropped;
        }
        false
    }

    /// Reads one block. Returns whether the owner waits for it; `None`: there is no memory for it now.
    fn read(&self, source: &mut S, shared: &Shared) -> Option<bool> {
        let mut block = {
            let mut state = lock(&self.state);
            let spare = state.spare.take();
            shared.read_memory.block(state.ahead, spare)?
        };
        let size = block.size();
        block.bytes.reserve_exact(size);
        let result = source.read(size, &mut block.bytes, &Steps::of(shared));
        let mut state = lock(&self.state);
        if state.is_dropped {
            return Some(false);
        }
        if !block.bytes.is_empty() {
            state.ahead += block.bytes.len();
            state.blocks.push_back(block);
        }
        match result {
            Ok(Rest::More) => {}
            Ok(Rest::End) => state.end = Some(Ok(())),
            Err(fault) => state.end = Some(Err(fault)),
        }
        Some(state.is_awaited || matches!(state.end, Some(Err(_))))
    }
}

impl<S: ReadSource> Task for SharedRead<S> {
    /// Opens the source, reads one block, or closes the source.
    fn turn(&self, shared: &Shared) -> Turn {
        let mut slot = lock(&self.source);
        let (is_dropped, is_open) = {
            let state = lock(&self.state);
            (state.is_dropped, state.is_open)
        };
        let Some(source) = slot.as_mut().filter(|_| !is_dropped) else {
            *slot = None;
            lock(&self.state).is_scheduled = false;
            return Turn::default();
        };
        let mut wake = false;
        let mut has_room = true;
        let reads = is_open || {
            wake = true;
            self.open(source, shared)
        };
        if reads {
            match self.read(source, shared) {
                Some(is_awaited) => wake |= is_awaited,
                None => has_room = false,
            }
        }
        let mut state = lock(&self.state);
        let is_over = state.end.is_some() || state.is_dropped;
        let more = !is_over
            // The owner may have taken everything since there was no room.
            && (has_room || state.ahead == 0)
            && !self.is_resting(&state)
            && (state.ahead == 0 || state.ahead + 2 * BLOCK <= MOST_HELD);
        // A source that is over is closed by this turn.
        state.is_scheduled = more;
        state.is_shown = true;
        if wake {
            state.is_awaited = false;
        }
        drop(state);
        if is_over {
            *slot = None;
        }
        drop(slot);
        if wake && let Some(notify) = &self.notify {
            notify();
            wake = false;
        }
        Turn {
            more,
            wake,
            again_at: None,
        }
    }
}
