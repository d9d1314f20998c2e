//! Time that goes on while nobody polls.
//!
//! Deadlines leave long gaps between polls out, because the peer did not cause them. But a server, or a router on the
//! way to it, does not keep an idle connection for longer because the game was in the background, and a pause before
//! a retry does not get longer either. So connections age in gaps, and pauses pass.

use std::mem;

use super::Engine;
use super::schedule::Timer;
use crate::agent::transfer::state::State;

impl Engine {
    /// Lets the time pass that did not count since the last call.
    pub(super) fn catch_up(&mut self) {
        let skipped = self.reactor.skipped_time();
        if skipped == self.skipped {
            return;
        }
        let missed = skipped.saturating_sub(mem::replace(&mut self.skipped, skipped));
        self.idle = None;
        self.pool.age(missed);
        let active_now = self.reactor.poll_time();
        for key in self.pool.keys() {
            match self.pool.idle_until(key) {
                // At once, so that no request is sent over it.
                Some(until) if until <= active_now => self.close(key),
                Some(until) => self.arm_at(key, until),
                None => {}
            }
        }
        for id in self.transfers.ids() {
            let until = self.transfers.update(id, |transfer| {
                let State::Waiting { until } = &mut transfer.state else {
                    return None;
                };
                *until = until.checked_sub(missed).unwrap_or(*until);
                Some(*until)
            });
            if let Some(until) = until.flatten() {
                self.timers.set(until, Timer::Request(id));
            }
        }
    }
}
