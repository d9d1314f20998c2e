//! The one thread that touches files, and the queue in front of it. Files take turns, so that a
//! large one does not hold up small ones. Nothing is locked while the disk works.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::fault::{DiskFault, DiskStep};
use super::{orders, upload};
use crate::transport::wake::Wake;

/// A share in the worker: as long as there is one, its thread stays.
pub(super) struct Handle(Arc<Shared>);

/// What the handles and the worker share.
pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    quiet: Condvar,
    wake: Option<Wake>,
    pub(super) claims: Claims,
    /// Downloads that there are: they share the memory for what waits to be written.
    pub(super) downloads: AtomicUsize,
    /// Downloads that were suspended and still hold their target.
    pub(super) leaving: AtomicUsize,
    #[cfg(test)]
    pub(super) failing: Mutex<Option<DiskStep>>,
}

struct State {
    ready: VecDeque<Task>,
    /// Somebody is at the file that was taken from `ready` last.
    working: bool,
    handles: usize,
    worker: Worker,
}

enum Worker {
    /// Whoever brings work does it at once.
    Inline,
    NotStarted,
    Started,
}

/// A file that has something to do. It is in the queue or at work at most once.
pub(super) enum Task {
    Download(Arc<orders::Cell>),
    Upload(Arc<upload::Cell>),
}

/// What came of one turn of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// There is more to do.
    pub(super) more: bool,
    /// The owner may want to know.
    pub(super) wake: bool,
}

impl Handle {
    /// With a `wake` a thread does the work, once there is some; without one the caller does.
    pub(super) fn new(wake: Option<Wake>) -> Self {
        let worker = match wake {
            Some(_) => Worker::NotStarted,
            None => Worker::Inline,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                working: false,
                handles: 1,
                worker,
            }),
            work: Condvar::new(),
            quiet: Condvar::new(),
            wake,
            claims: Claims::default(),
            downloads: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            #[cfg(test)]
            failing: Mutex::default(),
        }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Has the task done. The caller must not hold any lock of the task.
    pub(super) fn submit(&self, task: Task) -> Result<(), DiskFault> {
        let mut state = self.0.lock();
        match state.worker {
            Worker::Inline => {
                state.ready.push_back(task);
                if !state.working {
                    drop(self.0.work_off(state));
                }
                return Ok(());
            }
            Worker::NotStarted => {
                let shared = Arc::clone(&self.0);
                thread::Builder::new()
                    .name("httpoll-disk".to_owned())
                    .spawn(move || shared.work())
                    .map_err(|error| DiskFault::io(DiskStep::StartWorker, &error))?;
                state.worker = Worker::Started;
            }
            Worker::Started => {}
        }
        state.ready.push_back(task);
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.0.lock().is_idle()
    }

    /// Waits until nothing is left to do, at most for `timeout`; answers whether nothing is.
    pub(super) fn drain(&self, timeout: Duration) -> bool {
        let state = self.0.lock();
        let (state, _) = self
            .0
            .quiet
            .wait_timeout_while(state, timeout, |state| !state.is_idle())
            .unwrap_or_else(PoisonError::into_inner);
        state.is_idle()
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.0.lock().handles += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.handles -= 1;
        if state.handles == 0 {
            drop(state);
            self.0.work.notify_one();
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Handle")
            .field("waiting", &state.ready.len())
            .field("working", &state.working)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes one step; all that can fail goes through here, so that a test can have it fail.
    pub(super) fn step<T>(
        &self,
        step: DiskStep,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskFault> {
        #[cfg(test)]
        if *lock(&self.failing) == Some(step) {
            return Err(DiskFault::io(step, &io::ErrorKind::StorageFull.into()));
        }
        work().map_err(|error| DiskFault::io(step, &error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The thread's life: it ends when nobody is left who could bring work, and none is left.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            state = self.work_off(state);
            if state.handles == 0 {
                return;
            }
            if state.ready.is_empty() {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn work_off<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while let Some(task) = state.ready.pop_front() {
            state.working = true;
            drop(state);
            let turn = match &task {
                Task::Download(cell) => cell.turn(self),
                Task::Upload(cell) => cell.turn(self),
            };
            if turn.wake
                && let Some(wake) = &self.wake
            {
                // A waker that panics must not take this thread with it.
                let _ = catch_unwind(AssertUnwindSafe(|| wake()));
            }
            state = self.lock();
            state.working = false;
            if turn.more {
                state.ready.push_back(task);
            }
        }
        self.quiet.notify_all();
        state
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && !self.working
    }
}

/// The targets that are being written, by their canonical paths.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<PathBuf>>>);

/// One target, nobody else's until this is dropped.
pub(super) struct Claim {
    claims: Claims,
    target: PathBuf,
}

impl Claims {
    pub(super) fn claim(&self, target: PathBuf) -> Result<Claim, DiskFault> {
        if !lock(&self.0).insert(target.clone()) {
            return Err(DiskFault::AlreadyInUse);
        }
        Ok(Claim {
            claims: self.clone(),
            target,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.claims.0).remove(&self.target);
    }
}

/// Nothing panics while one of this room's locks is held, so that a poisoned lock is sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
