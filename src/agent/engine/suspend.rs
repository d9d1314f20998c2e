//! Closing down for a while: a console or phone takes the game off the screen, and its sockets break.
//!
//! After [`Engine::suspend`] nothing new begins. Transfers under way may end until the deadline. Then all
//! connections are closed, and the transfers left are held back until [`Engine::resume_all`] begins them
//! again.

use std::time::Duration;

use super::transfers::Step;
use super::{Engine, LONGEST_DELAY};
use crate::agent::event::Event;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::ResponseState;
use crate::agent::transfer::state::{Queued, State};
use crate::error::{ErrorKind, RequestRefused};

impl Engine {
    pub(super) fn suspend(&mut self, deadline: Duration) {
        let until = self.now() + deadline.min(LONGEST_DELAY);
        if !self.suspension.begin(until) {
            return;
        }
        self.close_idle();
        for id in self.transfers.ids() {
            let left = self.transfers.update(id, |transfer| {
                let State::Queued(Queued { host, place, .. }) = transfer.state else {
                    return None;
                };
                transfer.state = State::Suspended;
                Some((host, place))
            });
            if let Some((host, place)) = left.flatten() {
                self.pool.leave(host, place);
            }
        }
    }

    /// Continues closing down. Returns whether that ended now.
    pub(super) fn step_suspension(&mut self) -> bool {
        let transfers = &self.transfers;
        let is_busy = || transfers.iter().any(|it| it.state.is_under_way());
        // The clock is read only while the agent closes down.
        if !self.suspension.step(is_busy, || self.reactor.clock().now()) {
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
        self.ask_circuits_again();
    }

    fn suspend_transfer(&mut self, transfer: &mut Transfer) -> Step {
        let Some(connection) = transfer.connection() else {
            return Step::WAITS;
        };
        self.leave_bandwidth_queue(transfer);
        let now = self.now();
        self.policies.abandon_probe(transfer, now);
        let response = transfer.state.response();
        let has_failed = response.is_some_and(|it| matches!(it.planned, NextAction::Fail(_)));
        let is_streamed = response.is_some_and(ResponseState::is_streamed);
        // A WebSocket's messages cannot be sent again.
        #[cfg(feature = "websocket")]
        let is_repeatable = !matches!(transfer.state, State::WebSocket { .. });
        #[cfg(not(feature = "websocket"))]
        let is_repeatable = true;
        let may_repeat = !transfer.state.is_sent() || is_repeatable && transfer.may_repeat();
        #[cfg(feature = "websocket")]
        self.leave_web_socket(transfer);
        if has_failed || !may_repeat || !transfer.keep_partial() && is_streamed {
            return self.fail(
                transfer,
                ErrorKind::Refused(RequestRefused::Suspended).into(),
            );
        }
        self.close(connection);
        if let Some(file) = transfer.file.download.take() {
            // The game may be killed before it comes back.
            file.suspend();
            transfer.file.is_suspended = true;
        }
        transfer.state = State::Suspended;
        Step::MOVED
    }

    pub(super) fn resume_all(&mut self) {
        self.suspension.resume();
        for id in self.transfers.ids() {
            self.with_transfer(id, |engine, transfer| {
                if matches!(transfer.state, State::Suspended) && !transfer.paused {
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
