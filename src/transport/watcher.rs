//! The watcher: a thread that sleeps in the system's readiness call while nobody polls, and calls a function when
//! a poll would do something. It never reads, writes or accepts: it only collects readiness events into the
//! inboxes of the machines, as a poll does.

use std::fmt;
use std::thread;

use super::poller::Poller;
pub(crate) use super::watch::Notify;
use super::watch::{Step, Watch};

/// Calls a function while it lives; see the module's documentation.
pub(crate) struct Watcher {
    poller: Poller,
    number: u64,
}

impl Watcher {
    /// Calls `notify` from now on when a poll of a member of `poller` would do something. `None`: the poller is
    /// on an in-memory network or for a single machine, or the system refuses what a watcher needs.
    pub(crate) fn start(poller: &Poller, notify: Notify) -> Option<Self> {
        if !poller.prepare_watch() {
            return None;
        }
        let (number, needs_thread) = poller.watch().add(notify);
        let watcher = Self {
            poller: poller.clone(),
            number,
        };
        if needs_thread {
            let for_thread = poller.clone();
            let started = thread::Builder::new()
                .name("httpoll-watch".to_owned())
                .spawn(move || {
                    let _guard = PanicGuard(for_thread.watch());
                    run(&for_thread);
                });
            if started.is_err() {
                poller.watch().thread_failed();
                return None;
            }
        }
        Some(watcher)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let poller = &self.poller;
        poller.watch().remove(self.number, || poller.interrupt());
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

/// Notes that the function has panicked: nobody is called any more.
struct PanicGuard<'a>(&'a Watch);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.thread_failed();
        }
    }
}

fn run(poller: &Poller) {
    let now = || poller.clock().now();
    loop {
        let mut step = poller.watch().next_step(now);
        if let Step::Sleep(until) = step {
            let timeout = until.map(|until| until.saturating_duration_since(now()));
            if !poller.sleep_for_watch(timeout) {
                continue;
            }
            step = poller.watch().note_ready(now());
        }
        match step {
            Step::Call(functions) => functions.iter().for_each(|function| function()),
            Step::Sleep(_) => {}
            Step::End => return,
        }
    }
}
