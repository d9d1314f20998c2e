//! Closing down for a while: a console or phone takes the game off the screen and its sockets with it.
//!
//! After [`Engine::suspend`] nothing new begins. What is under way may end until the deadline; then all
//! connections are closed and what was not over is parked. [`Engine::resume_all`] begins it again.

use std::time::Duration;

use super::step::Step;
use super::{Engine, LONGEST_DELAY};
use crate::agent::event::Event;
use crate::agent::transfer::response_state::{Answer, Then};
use crate::agent::transfer::{Stage, Transfer};
use crate::error::{Error, ErrorKind, RequestRefused};

impl Engine {
    pub(super) fn suspend(&mut self, deadline: Duration) {
        let until = self.now() + deadline.min(LONGEST_DELAY);
        if !self.suspension.begin(until) {
            return;
        }
        self.close_idle();
        for id in self.transfers.ids() {
            let left = self.transfers.update(id, |transfer| {
                let Stage::Queued { host, place, .. } = transfer.stage else {
                    return None;
                };
                transfer.stage = Stage::Parked;
                Some((host, place))
            });
            if let Some((host, place)) = left.flatten() {
                self.pool.leave(host, place);
            }
        }
    }

    /// Goes on with closing down. Returns whether it ended now.
    pub(super) fn step_suspension(&mut self) -> bool {
        let transfers = &self.transfers;
        let is_busy = || {
            transfers.iter().any(|transfer| {
                matches!(
                    transfer.stage,
                    Stage::Active { .. } | Stage::Committing | Stage::Opening
                )
            })
        };
        if !self.suspension.step(is_busy, self.reactor.clock().now()) {
            return false;
        }
        self.suspend_transfers();
        for key in self.pool.keys() {
            self.close(key);
        }
        self.events.push(Event::Suspended);
        true
    }

    /// Takes the connections from the transfers that have one. A request that must not be sent twice fails.
    fn suspend_transfers(&mut self) {
        for id in self.transfers.ids() {
            self.with_transfer(id, Self::suspend_transfer);
        }
    }

    fn suspend_transfer(&mut self, transfer: &mut Transfer) -> Step {
        let Stage::Active { connection, asked } = transfer.stage else {
            return Step::WAITS;
        };
        self.close(connection);
        self.bandwidth.leave(&mut transfer.queue_key);
        let now = self.now();
        self.policies.abandon_probe(transfer, now);
        if let Some(Answer {
            then: Then::Fail(_),
            ..
        }) = &transfer.answer
        {
            // It had failed already; only the rest of its content was still to come.
            let error: Error = ErrorKind::Refused(RequestRefused::Suspended).into();
            return self.fail(transfer, error);
        }
        let may_repeat = !asked || transfer.may_repeat();
        #[cfg(feature = "websocket")]
        // What was said over it cannot be said again.
        let may_repeat = may_repeat && transfer.socket.is_none();
        if !may_repeat {
            let error: Error = ErrorKind::Refused(RequestRefused::Suspended).into();
            return self.fail(transfer, error);
        }
        if !self.keep_what_came(transfer)
            && transfer.answer.as_ref().is_some_and(|it| it.is_streamed())
        {
            let error: Error = ErrorKind::Refused(RequestRefused::Suspended).into();
            return self.fail(transfer, error);
        }
        if let Some(file) = transfer.file.take() {
            // The game may be killed before it comes back.
            file.suspend();
            transfer.is_suspended_file = true;
        }
        transfer.answer = None;
        transfer.stage = Stage::Parked;
        Step::MOVED
    }

    pub(super) fn resume_all(&mut self) {
        self.suspension.resume();
        for id in self.transfers.ids() {
            self.with_transfer(id, |engine, transfer| {
                if transfer.stage == Stage::Parked && !transfer.paused {
                    engine.begin_hop(transfer)
                } else {
                    Step::WAITS
                }
            });
        }
    }

    pub(super) fn close_idle(&mut self) {
        for key in self.pool.keys() {
            if self.pool.expires(key).is_some() {
                self.close(key);
            }
        }
    }
}
