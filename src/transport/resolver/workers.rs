//! The shared part of the resolver: the cache, the queue and the worker threads. Names are normalized
//! before they get here, and names that need no lookup do not get here.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::answer::{Answer, LookupFn, answer};
use crate::clock::Instant;
use crate::error::{Error, NetworkFault};
use crate::transport::wake::Wake;

/// How many lookups with waiting callers run at once. A lookup mostly waits, and a program rarely
/// needs more than a few names at a time.
pub(super) const WORKERS: usize = 4;

/// How many threads there may be, with those that run abandoned lookups.
pub(super) const MAX_THREADS: usize = 16;

/// How long a worker stays without work.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// How many lookups may wait for a worker: Godot's number of resolver slots.
pub(super) const MAX_QUEUED: usize = 256;

/// How long a lookup waits for one of the [`WORKERS`] before it gets a worker of its own: the names before it may hang.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);

/// How long a lookup may have taken for a later request to join it. After that it probably hangs, because its packet or
/// its server is lost, and another attempt may succeed at once. The C library of Linux asks again after this time, too.
pub(super) const MAX_JOINED: Duration = Duration::from_secs(5);

/// How many lookups of one name may run, so that a name that hangs does not use up all threads.
pub(super) const MAX_OF_ONE_NAME: usize = 3;

/// How many names are cached, so that a program that invents names does not fill the memory.
pub(super) const MAX_CACHED: usize = 1024;

/// What the clones of a resolver and its threads share.
pub(super) struct Pool {
    lookup: Box<LookupFn>,
    answers: Duration,
    failures: Duration,
    pub(super) idle: Duration,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) overrides: HashMap<Box<str>, Answer>,
    /// By name: running lookups, and completed ones, which are the cache.
    pub(super) entries: HashMap<Box<str>, Arc<Question>>,
    pub(super) queue: VecDeque<Arc<Question>>,
    running: Vec<Arc<Question>>,
    pub(super) threads: usize,
    idle: usize,
    threads_ever: usize,
}

/// A name that is being looked up or was looked up.
pub(super) struct Question {
    host: Box<str>,
    asked: Instant,
    answer: OnceLock<Answer>,
    /// When a caller first read the answer. The age of an answer counts from here, since the workers
    /// have no clock; if no caller has read it, it counts from `asked`.
    seen: OnceLock<Instant>,
    /// How many [`Interest`]s there are. It grows only under the state's lock.
    interested: AtomicUsize,
    /// Whether it no longer waits for one of the [`WORKERS`].
    is_overdue: AtomicBool,
    /// Used only under the state's lock, so that no wake is lost.
    wakes: Mutex<Vec<Wake>>,
    /// The later lookup of the same name, after this one took too long. It gets the addresses that this one finds.
    successor: OnceLock<Arc<Question>>,
}

/// A caller's interest in the answer to a question.
pub(super) struct Interest {
    pool: Arc<Pool>,
    question: Arc<Question>,
}

impl Pool {
    pub(super) fn new(lookup: Box<LookupFn>, answers: Duration, failures: Duration) -> Self {
        Self {
            lookup,
            answers,
            failures,
            idle: IDLE,
            state: Mutex::default(),
            work: Condvar::new(),
        }
    }

    /// The state. Nothing panics while it is locked, so a poisoned lock is safe to use.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds or starts the lookup. `Err` is an answer that is already known.
    pub(super) fn ask(
        self: &Arc<Self>,
        state: &mut State,
        host: Box<str>,
        now: Instant,
        wake: Wake,
    ) -> Result<Interest, Answer> {
        let mut hung = None;
        if let Some(question) = state.entries.get(&host) {
            match question.answer.get() {
                Some(answer) if self.is_fresh(question, now) => return Err(answer.clone()),
                Some(_) => {}
                None => {
                    let question = Arc::clone(question);
                    if !state.seems_to_hang(&question, now) {
                        return Ok(self.interest(question, wake));
                    }
                    hung = Some(question);
                }
            }
        }
        if state.queue.len() >= MAX_QUEUED {
            return Err(Err(refused("too many host names wait to be resolved")));
        }
        self.make_room(state, now);
        let question = Arc::new(Question {
            host: host.clone(),
            asked: now,
            answer: OnceLock::new(),
            seen: OnceLock::new(),
            interested: AtomicUsize::new(0),
            is_overdue: AtomicBool::new(false),
            wakes: Mutex::default(),
            successor: OnceLock::new(),
        });
        let interest = self.interest(Arc::clone(&question), wake);
        state.queue.push_back(Arc::clone(&question));
        if let Err(error) = self.summon(state)
            && state.threads == 0
        {
            // Without any worker there will be no answer. If there are other workers, one of them
            // will do the lookup.
            state.queue.pop_back();
            let refusal = Error::io(NetworkFault::System, error);
            // The interest gets the answer, since dropping an interest without an answer locks the
            // state.
            let _ = question.answer.set(Err(refusal));
            return Ok(interest);
        }
        if let Some(hung) = hung {
            let _ = hung.successor.set(Arc::clone(&question));
        }
        state.entries.insert(host, question);
        Ok(interest)
    }

    fn interest(self: &Arc<Self>, question: Arc<Question>, wake: Wake) -> Interest {
        question.interested.fetch_add(1, Ordering::Relaxed);
        question.wakes().push(wake);
        Interest {
            pool: Arc::clone(self),
            question,
        }
    }

    fn is_fresh(&self, question: &Question, now: Instant) -> bool {
        let since = question.seen.get().unwrap_or(&question.asked);
        let lifetime = match question.answer.get() {
            Some(Ok(_)) => self.answers,
            Some(Err(_)) => self.failures,
            None => return true,
        };
        now.saturating_duration_since(*since) < lifetime
    }

    /// Removes stale entries when the cache is full, or otherwise the oldest one. Running lookups
    /// stay: there are few of them.
    fn make_room(&self, state: &mut State, now: Instant) {
        if state.entries.len() < MAX_CACHED {
            return;
        }
        state.entries.retain(|_, entry| self.is_fresh(entry, now));
        if state.entries.len() < MAX_CACHED {
            return;
        }
        let oldest = state
            .entries
            .values()
            .filter(|entry| entry.answer.get().is_some())
            .min_by_key(|entry| entry.asked)
            .map(|entry| entry.host.clone());
        if let Some(host) = oldest {
            state.entries.remove(&host);
        }
    }

    /// Makes sure that a worker takes the last question of the queue: an idle one or a new one.
    fn summon(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.idle >= state.queue.len() {
            self.work.notify_one();
            return Ok(());
        }
        let abandoned = state.running.iter().filter(|q| q.is_abandoned()).count();
        if state.threads - abandoned >= WORKERS {
            return Ok(());
        }
        self.start_worker(state)
    }

    /// Starts another worker, unless there are too many.
    fn start_worker(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.threads >= MAX_THREADS {
            return Ok(());
        }
        state.threads_ever += 1;
        let pool = Arc::clone(self);
        thread::Builder::new()
            .name(format!("httpoll-resolver-{}", state.threads_ever))
            .spawn(move || pool.work())?;
        state.threads += 1;
        Ok(())
    }

    /// The main loop of a worker thread.
    fn work(self: Arc<Self>) {
        let mut state = self.lock();
        loop {
            while let Some(question) = state.queue.pop_front() {
                state.running.push(Arc::clone(&question));
                drop(state);
                let result = catch_unwind(AssertUnwindSafe(|| (self.lookup)(&question.host)));
                state = self.settle(&question, result.ok());
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, self.idle)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Publishes the result (`None`: the lookup panicked) and wakes its callers.
    fn settle(
        &self,
        question: &Arc<Question>,
        result: Option<io::Result<Vec<IpAddr>>>,
    ) -> MutexGuard<'_, State> {
        let panicked = result.is_none();
        let result = result.unwrap_or_else(|| Err(io::Error::other("the resolver panicked")));
        let mut state = self.lock();
        let answer = answer(result);
        state.running.retain(|other| !Arc::ptr_eq(other, question));
        if panicked {
            state.forget(question);
        }
        let mut wakes = question.settle(answer.clone());
        let mut later = question.successor.get();
        while let Some(question) = later.filter(|_| answer.is_ok()) {
            wakes.append(&mut question.settle(answer.clone()));
            state.queue.retain(|other| !Arc::ptr_eq(other, question));
            later = question.successor.get();
        }
        drop(state);
        for wake in wakes {
            // A waker that panics must not end this worker.
            let _ = catch_unwind(AssertUnwindSafe(|| wake()));
        }
        self.lock()
    }
}

impl State {
    /// Whether another lookup of the same name should start, instead of joining this one.
    fn seems_to_hang(&self, question: &Question, now: Instant) -> bool {
        let of_one_name = |other: &&Arc<Question>| other.host == question.host;
        let is_queued = self.queue.iter().any(|other| other.host == question.host);
        now.saturating_duration_since(question.asked) >= MAX_JOINED
            && !is_queued
            && self.running.iter().filter(of_one_name).count() < MAX_OF_ONE_NAME
    }

    fn forget(&mut self, question: &Arc<Question>) {
        if let Some(entry) = self.entries.get(&question.host)
            && Arc::ptr_eq(entry, question)
        {
            self.entries.remove(&question.host);
        }
    }
}

impl Question {
    fn is_abandoned(&self) -> bool {
        self.interested.load(Ordering::Relaxed) == 0
    }

    /// Sets the answer, unless there is one. Returns the wakes of its callers.
    fn settle(&self, answer: Answer) -> Vec<Wake> {
        let _ = self.answer.set(answer);
        let wakes = std::mem::take(&mut *self.wakes());
        if self.is_abandoned() {
            Vec::new()
        } else {
            wakes
        }
    }

    fn wakes(&self) -> MutexGuard<'_, Vec<Wake>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interest {
    pub(super) fn answer(&self, now: Instant) -> Option<Answer> {
        let Some(answer) = self.question.answer.get() else {
            if self.due().is_some_and(|due| due <= now) {
                self.stop_waiting();
            }
            return None;
        };
        self.question.seen.get_or_init(|| now);
        Some(answer.clone())
    }

    /// When it has waited too long for a worker.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_overdue = self.question.is_overdue.load(Ordering::Relaxed);
        self.question
            .asked
            .checked_add(MAX_WAIT)
            .filter(|_| !is_overdue)
    }

    /// Starts another worker if the question still waits for one.
    fn stop_waiting(&self) {
        self.question.is_overdue.store(true, Ordering::Relaxed);
        let mut state = self.pool.lock();
        let mut queue = state.queue.iter();
        if state.idle == 0 && queue.any(|queued| Arc::ptr_eq(queued, &self.question)) {
            // If no thread can be started, it waits for the existing ones.
            let _ = self.pool.start_worker(&mut state);
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let was_last = self.question.interested.fetch_sub(1, Ordering::Relaxed) == 1;
        if !was_last || self.question.answer.get().is_some() {
            return;
        }
        let mut state = self.pool.lock();
        if !self.question.is_abandoned() {
            return;
        }
        let queued = state.queue.len();
        state.queue.retain(|q| !Arc::ptr_eq(q, &self.question));
        if state.queue.len() < queued {
            state.forget(&self.question);
        } else if !state.queue.is_empty() {
            // The worker that runs this lookup no longer counts, so another one may start for the
            // questions that wait. If no thread can be started, they wait for the existing ones.
            let _ = self.pool.summon(&mut state);
        }
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interest")
            .field("host", &self.question.host)
            .field("answer", &self.question.answer.get())
            .finish()
    }
}

fn refused(why: &'static str) -> Error {
    Error::io(NetworkFault::System, io::Error::other(why))
}
