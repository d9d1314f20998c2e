//! [`WriteBehind`]: what the worker writes behind its owner, one command after another. What a command does (the files of
//! a received form) is the target's business. How much may wait to be written is decided here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use super::queue_limits::QueueLimits;
use super::steps::Steps;
use super::worker::{Disk, Shared, Task, Turn, lock};
use crate::error::DiskFault;
use crate::transport::wake::Wake;

/// How many bytes the writers of a disk may have queued.
const LIMITS: QueueLimits = QueueLimits {
    each: 1024 * 1024,
    together: 16 * 1024 * 1024,
    least: 64 * 1024,
};

/// What the worker writes. The worker also drops it, and the results that nobody took: closing a file may take long.
pub(crate) trait WriteTarget: Send + 'static {
    /// One piece of the work, at most about a megabyte.
    type Command: Send;
    /// What a command may result in.
    type Output: Send;

    /// Carries out one command. It may wait for the disk; it must not panic. After a fault no other follows.
    fn carry_out(
        &mut self,
        command: Self::Command,
        steps: &Steps<'_>,
    ) -> Result<Option<Self::Output>, DiskFault>;
}

/// The owner's end. It never waits. When it is dropped, the commands that were not carried out are discarded, and the
/// worker drops the target.
pub(crate) struct WriteBehind<T: WriteTarget> {
    shared: Arc<SharedWrite<T>>,
    disk: Disk,
}

struct SharedWrite<T: WriteTarget> {
    state: Mutex<State<T>>,
    /// Only the worker locks it for longer than a moment.
    target: Mutex<Option<T>>,
    /// Called on the worker's thread when there is what the owner waits for, and after a fault.
    notify: Wake,
}

struct State<T: WriteTarget> {
    commands: VecDeque<(T::Command, usize)>,
    /// The bytes of the commands that were not carried out yet.
    queued: usize,
    outputs: VecDeque<T::Output>,
    fault: Option<DiskFault>,
    /// In the worker's queue, or being worked on.
    is_scheduled: bool,
    /// The owner waits for space or for the end of its commands.
    is_awaited: bool,
    /// A command was queued, so that the target may hold files.
    is_used: bool,
    is_dropped: bool,
}

impl<T: WriteTarget> WriteBehind<T> {
    /// Starts nothing before the first command.
    pub(crate) fn new(disk: &Disk, target: T, notify: Wake) -> Self {
        disk.shared().downloads.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::new(SharedWrite {
                state: Mutex::new(State {
                    commands: VecDeque::new(),
                    queued: 0,
                    outputs: VecDeque::new(),
                    fault: None,
                    is_scheduled: false,
                    is_awaited: false,
                    is_used: false,
                    is_dropped: false,
                }),
                target: Mutex::new(Some(target)),
                notify,
            }),
            disk: disk.clone(),
        }
    }

    /// How many bytes may be queued now besides the `held` ones that the owner is about to queue: fewer than the least
    /// that a queue holds. If little is free, the owner is woken when half of the queue is free.
    pub(crate) fn room(&self, held: usize) -> usize {
        let capacity = capacity(self.disk.shared());
        let mut state = lock(&self.shared.state);
        let room = capacity.saturating_sub(state.queued + held);
        state.is_awaited |= room == 0 || state.queued > capacity / 2;
        room
    }

    /// Queues a command that holds this many bytes. Bytes beyond [`room`](Self::room) are queued as well, but cost
    /// memory. After a fault the command is discarded.
    pub(crate) fn push(&self, command: T::Command, bytes: usize) {
        let mut state = lock(&self.shared.state);
        if state.fault.is_none() {
            state.queued += bytes;
            state.is_used = true;
            state.commands.push_back((command, bytes));
            self.schedule(state);
        }
    }

    /// The next result, in the order of the commands.
    pub(crate) fn poll_output(&self) -> Option<T::Output> {
        lock(&self.shared.state).outputs.pop_front()
    }

    /// Whether all commands were carried out. If not, the owner is woken when they are.
    pub(crate) fn is_done(&self) -> bool {
        let mut state = lock(&self.shared.state);
        let is_done = state.commands.is_empty() && !state.is_scheduled;
        state.is_awaited |= !is_done;
        is_done
    }

    /// The fault, if there was one. It stays.
    pub(crate) fn fault(&self) -> Option<DiskFault> {
        lock(&self.shared.state).fault
    }

    /// The disk that it is on.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    fn schedule(&self, mut state: MutexGuard<'_, State<T>>) {
        if std::mem::replace(&mut state.is_scheduled, true) {
            return;
        }
        drop(state);
        if let Err(fault) = self.disk.submit(self.shared.clone()) {
            let mut state = lock(&self.shared.state);
            state.is_scheduled = false;
            state.fail(fault);
        }
    }
}

impl<T: WriteTarget> State<T> {
    /// Returns the commands that will not be carried out.
    fn fail(&mut self, fault: DiskFault) -> VecDeque<(T::Command, usize)> {
        self.fault = Some(fault);
        self.queued = 0;
        std::mem::take(&mut self.commands)
    }
}

impl<T: WriteTarget> Drop for WriteBehind<T> {
    fn drop(&mut self) {
        self.disk.shared().downloads.fetch_sub(1, Ordering::Relaxed);
        let mut state = lock(&self.shared.state);
        state.is_dropped = true;
        if state.is_used {
            self.schedule(state);
        }
    }
}

impl<T: WriteTarget> Task for SharedWrite<T> {
    /// Carries out one command, or drops everything.
    fn turn(&self, shared: &Shared) -> Turn {
        let mut target = lock(&self.target);
        let (command, bytes) = {
            let mut state = lock(&self.state);
            if state.is_dropped {
                let rest = std::mem::take(&mut state.commands);
                let outputs = std::mem::take(&mut state.outputs);
                state.is_scheduled = false;
                drop(state);
                *target = None;
                drop((rest, outputs));
                return Turn::default();
            }
            let Some(next) = state.commands.pop_front() else {
                state.is_scheduled = false;
                return Turn::default();
            };
            next
        };
        let done = match &mut *target {
            Some(target) => target.carry_out(command, &Steps::of(shared)),
            None => Ok(None),
        };
        if done.is_err() {
            *target = None;
        }
        drop(target);
        let mut state = lock(&self.state);
        state.queued = state.queued.saturating_sub(bytes);
        let discarded = match done {
            Ok(output) => {
                state.outputs.extend(output);
                VecDeque::new()
            }
            Err(fault) => state.fail(fault),
        };
        let more = !state.commands.is_empty() || state.is_dropped;
        state.is_scheduled = more;
        let has_room = !more || state.queued <= capacity(shared) / 2;
        let wake = state.fault.is_some() || state.is_awaited && has_room;
        if wake {
            state.is_awaited = false;
        }
        drop(state);
        drop(discarded);
        if wake {
            (self.notify)();
        }
        Turn {
            more,
            ..Turn::default()
        }
    }
}

/// How many bytes each writer may have queued.
fn capacity(shared: &Shared) -> usize {
    LIMITS.capacity(shared.downloads.load(Ordering::Relaxed))
}

impl Disk {
    /// Lets the worker drop a value: closing a file may take long.
    pub(crate) fn dispose(&self, value: impl Send + 'static) {
        // Without a worker it was dropped here.
        let _ = self.submit(Arc::new(Disposal(Mutex::new(Some(value)))));
    }
}

/// A value that the worker drops.
struct Disposal<T>(Mutex<Option<T>>);

impl<T: Send> Task for Disposal<T> {
    fn turn(&self, _: &Shared) -> Turn {
        let value = lock(&self.0).take();
        drop(value);
        Turn::default()
    }
}

impl<T: WriteTarget> fmt::Debug for WriteBehind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("WriteBehind")
            .field("queued", &state.queued)
            .field("fault", &state.fault)
            .finish_non_exhaustive()
    }
}
