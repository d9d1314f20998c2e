//! The worker thread that does all work on files, and its queue. Files take turns, so that a large one does not
//! delay small ones. Nothing is locked during work on the disk.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::claims::Claims;
use super::read_memory::ReadMemory;
use super::weak_list::WeakList;
use crate::clock::Instant;
use crate::error::{DiskFault, DiskStep};
use crate::transport::meter::Clock;
use crate::transport::wake::Wake;

/// How old bytes of a download that can be resumed may become before they are synced: what a kill costs at most.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(1500);

/// The way to the disk: one worker thread, `httpoll-disk`, that starts with the first file. Clones
/// are the same worker. It ends when all clones and all files are dropped and their work is done.
/// Dropping them does not wait for that; [`drain`](Self::drain) does.
pub(crate) struct Disk(Arc<Shared>);

/// What the handles and the worker share.
pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    quiet: Condvar,
    pub(super) wake: Option<Wake>,
    clock: Clock,
    /// How old unsynced bytes of a download may become. `None`: any age.
    pub(super) checkpoint_after: Option<Duration>,
    pub(super) claims: Claims,
    /// What all readers hold.
    pub(super) read_memory: ReadMemory,
    /// How many downloads, or received forms, there are: they share the limit of queued bytes.
    pub(super) downloads: AtomicUsize,
    /// How many suspended downloads still hold their target.
    pub(super) leaving: AtomicUsize,
    /// The part files that are being written.
    pub(super) holders: Mutex<WeakList<dyn Holder>>,
    #[cfg(test)]
    pub(super) failing: Mutex<Option<(DiskStep, io::ErrorKind)>>,
    /// How many bytes all part files together may have, for tests of a full disk.
    #[cfg(test)]
    pub(super) capacity: Mutex<Option<u64>>,
    /// After this many steps nothing changes the disk any more, as after a kill of the process.
    #[cfg(test)]
    pub(super) steps_left: Mutex<Option<u64>>,
}

struct State {
    ready: VecDeque<Arc<dyn Task>>,
    /// Tasks that have a turn at a time.
    delayed: Vec<(Instant, Arc<dyn Task>)>,
    /// The task that was taken from `ready` last is running.
    working: bool,
    handles: usize,
    worker: Worker,
}

enum Worker {
    /// The caller that submits a task runs it at once.
    Inline,
    NotStarted,
    Started,
}

/// A file that has something to do. Its owner puts it into the queue at most once at a time.
pub(super) trait Task: Send + Sync {
    /// Does one piece of the work. It may wait for the disk.
    fn turn(&self, shared: &Shared) -> Turn;
}

/// The space that a part file takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) held: u64,
    pub(super) in_the_end: u64,
}

/// What holds space on the disk that a smaller download may need more urgently.
pub(super) trait Holder: Send + Sync {
    /// How many bytes it holds, and how many it will, as far as that is known. `None`: nothing, or it is the
    /// one whose turn it is.
    fn space(&self) -> Option<Space>;

    /// Removes its part file and fails the download, because the disk is full.
    fn give_up(&self, fault: DiskFault, shared: &Shared);
}

/// The result of one turn of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// There is more to do.
    pub(super) more: bool,
    /// The owner is to be woken.
    pub(super) wake: bool,
    /// There is more to do at this time.
    pub(super) again_at: Option<Instant>,
}

impl Disk {
    /// The worker thread calls `wake` when there is a result or more space in a queue. It may call it
    /// without need.
    pub(crate) fn new(wake: Wake) -> Self {
        Self::with(Some(wake), Clock::System, Some(CHECKPOINT_AFTER))
    }

    /// A disk with a thread whose downloads are synced at another age.
    #[cfg(test)]
    pub(crate) fn with_checkpoints(wake: Wake, after: Duration) -> Self {
        Self::with(Some(wake), Clock::System, Some(after))
    }

    /// A disk without a thread, for tests on a virtual clock: each call does its work before it returns. What is
    /// due later waits for [`run_due`](Self::run_due).
    pub(crate) fn on_clock(clock: Clock) -> Self {
        Self::with(None, clock, Some(CHECKPOINT_AFTER))
    }

    /// A disk without a thread, on which nothing is due later.
    #[cfg(test)]
    pub(crate) fn inline() -> Self {
        Self::with(None, Clock::System, None)
    }

    fn with(wake: Option<Wake>, clock: Clock, checkpoint_after: Option<Duration>) -> Self {
        let worker = match wake {
            Some(_) => Worker::NotStarted,
            None => Worker::Inline,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                delayed: Vec::new(),
                working: false,
                handles: 1,
                worker,
            }),
            work: Condvar::new(),
            quiet: Condvar::new(),
            wake,
            clock,
            checkpoint_after,
            claims: Claims::default(),
            read_memory: ReadMemory::default(),
            downloads: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            holders: Mutex::default(),
            #[cfg(test)]
            failing: Mutex::default(),
            #[cfg(test)]
            capacity: Mutex::default(),
            #[cfg(test)]
            steps_left: Mutex::default(),
        }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Wakes the owner of the files.
    #[cfg(target_family = "wasm")]
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.0.wake {
            wake();
        }
    }

    /// Queues the task. The caller must not hold any lock of the task.
    pub(super) fn submit(&self, task: Arc<dyn Task>) -> Result<(), DiskFault> {
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

    /// Does what is due by now on a disk without a thread. With one, the thread does it by itself.
    pub(crate) fn run_due(&self) {
        let mut state = self.0.lock();
        if matches!(state.worker, Worker::Inline) && !state.working && !state.delayed.is_empty() {
            state.take_due(self.0.now());
            drop(self.0.work_off(state));
        }
    }

    /// Lets this many steps happen, and none after them. `None`: no limit.
    #[cfg(all(
        test,
        feature = "test-util",
        any(feature = "outbox", feature = "patch")
    ))]
    pub(crate) fn allow_steps(&self, steps: Option<u64>) {
        *lock(&self.0.steps_left) = steps;
    }

    /// How many of the allowed steps are left.
    #[cfg(all(
        test,
        feature = "test-util",
        any(feature = "outbox", feature = "patch")
    ))]
    pub(crate) fn steps_left(&self) -> Option<u64> {
        *lock(&self.0.steps_left)
    }

    /// Lets a kind of step fail, as on a full disk.
    #[cfg(all(
        test,
        feature = "test-util",
        any(feature = "outbox", feature = "patch")
    ))]
    pub(crate) fn fail_at(&self, step: Option<DiskStep>) {
        *lock(&self.0.failing) = step.map(|step| (step, io::ErrorKind::StorageFull));
    }

    /// Whether its thread has been started.
    #[cfg(test)]
    pub(crate) fn has_started(&self) -> bool {
        matches!(self.0.lock().worker, Worker::Started)
    }

    /// Whether no work is running or waiting.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.0.lock().is_idle()
    }

    /// Waits until no work is left, at most for `timeout`. Returns whether none is left. For the end of a
    /// program, which would otherwise stop the worker before it removes part files.
    pub(crate) fn drain(&self, timeout: Duration) -> bool {
        let state = self.0.lock();
        // The condition variable reads a clock that a browser does not have, and a page must not wait.
        if cfg!(target_family = "wasm") {
            return state.is_idle();
        }
        let (state, _) = self
            .0
            .quiet
            .wait_timeout_while(state, timeout, |state| !state.is_idle())
            .unwrap_or_else(PoisonError::into_inner);
        state.is_idle()
    }
}

impl Clone for Disk {
    fn clone(&self) -> Self {
        self.0.lock().handles += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.handles -= 1;
        if state.handles == 0 {
            drop(state);
            self.0.work.notify_one();
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Disk")
            .field("waiting", &state.ready.len())
            .field("working", &state.working)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Runs one step. Everything that can fail goes through here, so that a test can make it fail.
    pub(super) fn step<T>(
        &self,
        step: DiskStep,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskFault> {
        #[cfg(test)]
        if let Some((failing, kind)) = *lock(&self.failing)
            && failing == step
        {
            return Err(DiskFault::io(step, &kind.into()));
        }
        #[cfg(test)]
        if let Some(left) = &mut *lock(&self.steps_left) {
            let Some(fewer) = left.checked_sub(1) else {
                return Err(DiskFault::io(step, &io::ErrorKind::Interrupted.into()));
            };
            *left = fewer;
        }
        work().map_err(|error| DiskFault::io(step, &error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The main loop of the thread. It ends when all handles are dropped and no work is left.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            state = self.work_off(state);
            if state.handles == 0 {
                return;
            }
            if state.ready.is_empty() {
                state = self.sleep(state);
            }
        }
    }

    /// Waits for work, at most until a delayed task has its turn.
    fn sleep<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Some(at) = state.delayed.iter().map(|(at, _)| *at).min() else {
            let woken = self.work.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        };
        let pause = at.saturating_duration_since(self.now());
        let (mut state, _) = self
            .work
            .wait_timeout(state, pause)
            .unwrap_or_else(PoisonError::into_inner);
        state.take_due(self.now());
        state
    }

    fn work_off<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while let Some(task) = state.ready.pop_front() {
            state.working = true;
            drop(state);
            let turn = task.turn(self);
            if turn.wake
                && let Some(wake) = &self.wake
            {
                // A waker that panics must not end this thread.
                let _ = catch_unwind(AssertUnwindSafe(|| wake()));
            }
            // Dropping the last handle of a task may close a file, which must not happen behind the lock.
            let task = (turn.more || turn.again_at.is_some()).then_some(task);
            state = self.lock();
            state.working = false;
            match (task, turn.again_at) {
                (Some(task), _) if turn.more => state.ready.push_back(task),
                (Some(task), Some(at)) => state.delay(at, task),
                _ => {}
            }
            state.take_due(self.now());
        }
        self.quiet.notify_all();
        state
    }
}

impl State {
    fn delay(&mut self, at: Instant, task: Arc<dyn Task>) {
        self.delayed.retain(|(_, other)| !Arc::ptr_eq(other, &task));
        self.delayed.push((at, task));
    }

    /// Moves delayed tasks whose time has come to the queue.
    fn take_due(&mut self, now: Instant) {
        for (_, task) in self.delayed.extract_if(.., |(at, _)| *at <= now) {
            if !self.ready.iter().any(|other| Arc::ptr_eq(other, &task)) {
                self.ready.push_back(task);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.ready.is_empty() && !self.working
    }
}

/// Nothing panics while one of this module's locks is held, so a poisoned lock is safe to use.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
