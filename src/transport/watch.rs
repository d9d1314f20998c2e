//! What a poller's watcher needs to know: when each machine needs its next poll, whether somebody is polling,
//! and which functions are to be called. The thread itself is in [`watcher`](super::watcher).
//!
//! The watcher sleeps for the machines while nobody polls them, and calls the functions when a poll would do
//! something. After that it waits until a poll has ended. So a poll and the watcher rarely meet, and an app that
//! is busy is not called again and again.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::budget::PollAt;
use crate::clock::Instant;
use crate::transport::active_time::is_too_late;

/// What the watcher calls.
pub(crate) type Notify = Arc<dyn Fn() + Send + Sync>;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether there is a watcher. Without one, nothing here locks.
    is_active: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// With the numbers of those who want to be called.
    functions: Vec<(u64, Notify)>,
    last_number: u64,
    /// When each member of the poller needs its next poll.
    next: Vec<PollAt>,
    /// A poll has ended, or work was added, since the functions were called.
    is_armed: bool,
    thread: ThreadState,
    thread_id: Option<ThreadId>,
    /// Others that sleep in the system themselves.
    holds: usize,
    /// When the functions were called last, or were to be called. `None`: that is not known, because the system had
    /// stopped the program.
    called_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ThreadState {
    #[default]
    None,
    Waits,
    /// In the system, until this time at the latest.
    Sleeps(Option<Instant>),
    Calls,
}

/// What the thread does next.
pub(super) enum Step {
    /// Sleep in the system, until this time at the latest.
    Sleep(Option<Instant>),
    /// Call these.
    Call(Vec<Notify>),
    /// Nobody wants to be called any more.
    End,
}

impl Watch {
    pub(super) fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Acquire)
    }

    /// Adds a function. Returns its number, and whether a thread must be started.
    pub(super) fn add(&self, function: Notify) -> (u64, bool) {
        let mut state = self.lock();
        state.last_number += 1;
        let number = state.last_number;
        state.functions.push((number, function));
        let needs_thread = state.thread == ThreadState::None;
        if needs_thread {
            state.thread = ThreadState::Waits;
        }
        self.is_active.store(true, Ordering::Release);
        (number, needs_thread)
    }

    /// Removes a function. It is not running any more when this returns, unless it is the caller. `interrupt` ends a
    /// sleep in the system.
    pub(super) fn remove(&self, number: u64, interrupt: impl FnOnce()) {
        let mut state = self.lock();
        let is_caller = state.thread_id == Some(thread::current().id());
        state.functions.retain(|(it, _)| *it != number);
        let is_last = state.functions.is_empty();
        if is_last {
            self.is_active.store(false, Ordering::Release);
        }
        if matches!(state.thread, ThreadState::Sleeps(_)) && is_last {
            interrupt();
        }
        self.changed.notify_all();
        let still_runs = |state: &mut State| {
            let must_end = is_last && state.functions.is_empty();
            state.thread == ThreadState::Calls || must_end && state.thread != ThreadState::None
        };
        if !is_caller {
            let waited = self.changed.wait_while(state, still_runs);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The thread has panicked, or could not be started.
    pub(super) fn thread_failed(&self) {
        let mut state = self.lock();
        state.thread = ThreadState::None;
        self.is_active.store(false, Ordering::Release);
        self.changed.notify_all();
    }

    /// Notes when a member needs its next poll. `has_polled`: it was just polled, otherwise work was added.
    pub(super) fn note_next(
        &self,
        member: usize,
        next: PollAt,
        has_polled: bool,
        interrupt: impl FnOnce(),
    ) {
        let mut state = self.lock();
        if state.next.len() <= member {
            state.next.resize(member + 1, PollAt::Idle);
        }
        state.next[member] = next;
        state.is_armed |= has_polled || next == PollAt::Now;
        match state.thread {
            ThreadState::Sleeps(until) if state.is_sooner_than(until) => interrupt(),
            ThreadState::Waits if state.is_armed => self.changed.notify_all(),
            _ => {}
        }
    }

    /// A member has left.
    pub(super) fn forget(&self, member: usize) {
        if let Some(next) = self.lock().next.get_mut(member) {
            *next = PollAt::Idle;
        }
    }

    /// Up to when the members had no need to be polled, as far as that is known: until the functions were called,
    /// or until `now`. `None` if the thread should have called them long ago: the system had stopped the program.
    pub(super) fn quiet_until(&self, now: Instant) -> Option<Instant> {
        if !self.is_active() {
            return None;
        }
        let state = self.lock();
        match state.soonest() {
            _ if !state.is_armed => state.called_at,
            PollAt::At(at) if is_too_late(at, now) => None,
            _ => Some(now),
        }
    }

    /// Keeps the watcher out of the system until [`release`](Self::release).
    pub(super) fn hold(&self, interrupt: impl FnOnce()) {
        let mut state = self.lock();
        state.holds += 1;
        if matches!(state.thread, ThreadState::Sleeps(_)) {
            interrupt();
        }
        let sleeps = |state: &mut State| matches!(state.thread, ThreadState::Sleeps(_));
        let waited = self.changed.wait_while(state, sleeps);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn release(&self) {
        self.lock().holds -= 1;
        self.changed.notify_all();
    }

    /// For the thread: waits until there is something to do.
    pub(super) fn next_step(&self, now: impl Fn() -> Instant) -> Step {
        let mut state = self.lock();
        state.thread = ThreadState::Waits;
        state.thread_id = Some(thread::current().id());
        // Someone may wait for the thread to have left the system, or to have ended its calls.
        self.changed.notify_all();
        loop {
            if state.functions.is_empty() {
                state.thread = ThreadState::None;
                // Someone waits for that.
                self.changed.notify_all();
                return Step::End;
            }
            if state.is_armed && state.holds == 0 {
                let until = match state.soonest() {
                    PollAt::Idle => None,
                    PollAt::Now => return state.begin_call(Some(now())),
                    PollAt::At(at) if at <= now() => {
                        let is_known = !is_too_late(at, now());
                        return state.begin_call(is_known.then_some(at));
                    }
                    PollAt::At(at) => Some(Some(at)),
                    PollAt::Io => Some(None),
                };
                if let Some(until) = until {
                    state.thread = ThreadState::Sleeps(until);
                    return Step::Sleep(until);
                }
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the thread: something became ready while it slept.
    pub(super) fn note_ready(&self, now: Instant) -> Step {
        let mut state = self.lock();
        let is_known = match state.thread {
            ThreadState::Sleeps(Some(until)) => !is_too_late(until, now),
            _ => true,
        };
        state.begin_call(is_known.then_some(now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn soonest(&self) -> PollAt {
        let next = self.next.iter().copied();
        next.reduce(PollAt::sooner).unwrap_or(PollAt::Idle)
    }

    /// Whether a poll is needed before this time.
    fn is_sooner_than(&self, until: Option<Instant>) -> bool {
        match self.soonest() {
            PollAt::Now => true,
            PollAt::At(at) => until.is_none_or(|until| at < until),
            PollAt::Io | PollAt::Idle => false,
        }
    }

    fn begin_call(&mut self, at: Option<Instant>) -> Step {
        self.thread = ThreadState::Calls;
        self.is_armed = false;
        self.called_at = at;
        Step::Call(
            self.functions
                .iter()
                .map(|(_, it)| Arc::clone(it))
                .collect(),
        )
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("is_active", &self.is_active())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A watch whose thread is this test, and the number of its function.
    fn watch() -> (Watch, u64) {
        let watch = Watch::default();
        let (number, needs_thread) = watch.add(Arc::new(|| {}));
        assert!(needs_thread && watch.is_active());
        (watch, number)
    }

    fn nobody_sleeps() {
        panic!("interrupted a thread that does not sleep");
    }

    #[test]
    fn it_sleeps_until_the_soonest_member_needs_a_poll() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let (watch, _) = watch();
        watch.note_next(0, PollAt::Io, true, nobody_sleeps);
        watch.note_next(2, PollAt::At(start + 9 * second), true, nobody_sleeps);
        let Step::Sleep(until) = watch.next_step(|| start) else {
            panic!("does not sleep");
        };
        assert_eq!(until, Some(start + 9 * second));
        // Only what is sooner interrupts the sleep.
        for (next, is_sooner) in [
            (PollAt::Idle, false),
            (PollAt::Io, false),
            (PollAt::At(start + 10 * second), false),
            (PollAt::At(start + 8 * second), true),
            (PollAt::Now, true),
        ] {
            let mut interrupted = false;
            watch.note_next(1, next, false, || interrupted = true);
            assert_eq!(interrupted, is_sooner, "{next:?}");
        }
        watch.note_next(1, PollAt::Idle, false, nobody_sleeps);
        watch.forget(2);
        let Step::Sleep(until) = watch.next_step(|| start) else {
            panic!("does not sleep");
        };
        assert_eq!(until, None);
    }

    #[test]
    fn a_call_is_made_at_the_deadline_and_only_once_until_a_poll_has_ended() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let (watch, number) = watch();
        watch.note_next(0, PollAt::At(start + second), true, nobody_sleeps);
        let late = start + 3 * second / 2;
        assert_eq!(watch.quiet_until(late), Some(late));
        let Step::Call(functions) = watch.next_step(|| late) else {
            panic!("not called");
        };
        assert_eq!(functions.len(), 1);
        // The delay of the program began at the deadline.
        assert_eq!(watch.quiet_until(late), Some(start + second));
        // More news does not call again before a poll has ended; news of work does.
        watch.note_next(0, PollAt::Io, false, nobody_sleeps);
        assert!(!watch.lock().is_armed);
        watch.note_next(0, PollAt::Now, false, nobody_sleeps);
        assert!(watch.lock().is_armed);
        assert!(matches!(watch.next_step(|| late), Step::Call(_)));
        watch.note_next(0, PollAt::Io, true, nobody_sleeps);
        assert!(matches!(watch.next_step(|| late), Step::Sleep(None)));
        assert!(matches!(watch.note_ready(late), Step::Call(_)));
        // Not while another thread sleeps in the system.
        watch.note_next(0, PollAt::Io, true, nobody_sleeps);
        watch.hold(nobody_sleeps);
        assert_eq!(watch.lock().holds, 1);
        watch.release();
        assert!(matches!(watch.next_step(|| late), Step::Sleep(None)));
        // This test is the thread, so it does not wait for itself.
        let mut interrupted = false;
        watch.remove(number, || interrupted = true);
        assert!(interrupted && !watch.is_active());
        assert!(matches!(watch.next_step(|| late), Step::End));
        assert_eq!(watch.quiet_until(late), None);
    }

    #[test]
    fn time_in_which_the_system_stopped_the_program_is_not_quiet() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let back = start + 3600 * second;
        let (watch, _) = watch();
        let until = PollAt::At(start + 30 * second);
        watch.note_next(0, until, true, nobody_sleeps);
        assert!(matches!(watch.next_step(|| start), Step::Sleep(Some(_))));
        assert_eq!(
            watch.quiet_until(start + 29 * second),
            Some(start + 29 * second)
        );
        // The program goes on before the thread does.
        assert_eq!(watch.quiet_until(back), None);
        // The thread goes on first, because the time is over or because something is ready.
        for is_ready in [false, true] {
            watch.note_next(0, until, true, nobody_sleeps);
            assert!(matches!(watch.next_step(|| start), Step::Sleep(Some(_))));
            let step = if is_ready {
                watch.note_ready(back)
            } else {
                watch.next_step(|| back)
            };
            assert!(matches!(step, Step::Call(_)));
            assert_eq!(watch.quiet_until(back), None, "{is_ready}");
        }
    }
}
