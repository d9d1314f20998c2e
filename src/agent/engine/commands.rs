//! Executes the [`Command`]s of the agent's owner.

use std::num::NonZeroU64;

use super::Engine;
use super::bandwidth::BandwidthQueue;
use super::command::Command;
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::id::RequestId;
use crate::agent::settings::Priority;
use crate::agent::transfer::state::{Queued, State};

impl Engine {
    pub(crate) fn execute(&mut self, command: Command) {
        self.idle = None;
        let now = self.now();
        self.reactor.skip_gap(now);
        match command {
            Command::Submit(id, prepared) => self.submit(id, *prepared, now),
            Command::Cancel(ids) => self.cancel(&ids),
            Command::Pause(id) => self.pause(id),
            Command::Resume(id) => self.resume_one(id),
            Command::SetPriority(id, priority) => self.set_priority(id, priority),
            Command::SetRateLimit(id, rate) => self.set_rate_limit(id, rate),
            Command::SetSharedRateLimit(priority, rate) => {
                self.set_shared_rate_limit(priority, rate);
            }
            Command::Pulled(id, pulled) => self.note_pulled(id, pulled),
            Command::Suspend(deadline) => self.suspend(deadline),
            Command::ResumeAll => self.resume_all(),
            Command::CloseIdle => self.close_idle(),
            #[cfg(feature = "websocket")]
            Command::Send(id, message) => {
                if let Err(error) = self.send_message(id, &message) {
                    self.fail_by_id(id, error);
                }
            }
            #[cfg(feature = "websocket")]
            Command::CloseWebSocket(id, code, reason) => {
                if let Err(error) = self.close_web_socket(id, code, &reason) {
                    self.fail_by_id(id, error);
                }
            }
        }
    }

    /// Ends transfers without a last event: their connections are closed, their files removed.
    fn cancel(&mut self, ids: &[RequestId]) {
        for id in ids {
            if self.submissions.take(*id).is_none() {
                self.with_transfer(*id, |engine, transfer| {
                    #[cfg(feature = "websocket")]
                    engine.leave_web_socket(transfer);
                    engine.release_all(transfer);
                    Step::OVER
                });
                self.update_window(|window, held| window.forget(*id, held));
            }
        }
        self.events.forget(ids);
    }

    /// Fails a request out of its turn.
    #[cfg(feature = "websocket")]
    fn fail_by_id(&mut self, id: RequestId, error: crate::error::Error) {
        self.with_transfer(id, |engine, transfer| engine.fail(transfer, error));
    }

    fn pause(&mut self, id: RequestId) {
        self.admit_by_id(id);
        self.with_transfer(id, |engine, transfer| {
            transfer.paused = true;
            transfer.attempts.was_paused = true;
            if let State::Queued(Queued { host, place, .. }) = transfer.state {
                transfer.state = State::Suspended;
                engine.pool.leave(host, place);
            }
            engine.leave_bandwidth_queue(transfer);
            Step::WAITS
        });
    }

    fn resume_one(&mut self, id: RequestId) {
        self.with_transfer(id, |engine, transfer| {
            if !std::mem::take(&mut transfer.paused) {
                return Step::WAITS;
            }
            if let Some(connection) = transfer.connection() {
                // Its deadline begins anew: nothing was expected of the peer meanwhile.
                let active_now = engine.active_time();
                if let Some(pooled) = engine.pool.get_mut(connection) {
                    pooled.connection.restart_deadline(active_now);
                    pooled.armed = None;
                }
                engine.arm(connection, None, active_now);
                engine.run_queue.schedule(connection);
            }
            match transfer.state {
                State::Suspended if !engine.suspension.is_active() => engine.begin_hop(transfer),
                State::Waiting { until } => {
                    engine.timers.set(until, Timer::Request(id));
                    Step::WAITS
                }
                _ => Step::WAITS,
            }
        });
    }

    fn set_priority(&mut self, id: RequestId, priority: Priority) {
        self.admit_by_id(id);
        self.with_transfer(id, |engine, transfer| {
            std::sync::Arc::make_mut(&mut transfer.settings).priority = priority;
            if let State::Queued(Queued { host, place, .. }) = &mut transfer.state {
                *place = engine.pool.promote(*host, *place, priority);
            }
            // It takes its place anew when its connection is driven.
            engine.leave_bandwidth_queue(transfer);
            if let Some(key) = transfer.connection() {
                engine.run_queue.schedule(key);
            }
            Step::WAITS
        });
    }

    fn set_rate_limit(&mut self, id: RequestId, rate: Option<u64>) {
        self.admit_by_id(id);
        let active_now = self.active_time();
        let connection = self.transfers.update(id, |transfer| {
            let new = rate.and_then(NonZeroU64::new);
            transfer.rates.download.set_rate(new, active_now);
            transfer.rates.upload.set_rate(new, active_now);
            if new.is_none() {
                transfer.request.payload.flow.allow(u64::MAX);
            }
            transfer.connection()
        });
        if let Some(key) = connection.flatten() {
            self.run_queue.schedule(key);
        }
    }

    fn set_shared_rate_limit(&mut self, priority: Option<Priority>, rate: Option<u64>) {
        let active_now = self.active_time();
        self.rate_limits.set(priority, rate);
        let limits = &self.rate_limits;
        match &mut self.bandwidth {
            Some(bandwidth) if limits.is_any() => bandwidth.set_rates(limits, active_now),
            bandwidth => *bandwidth = BandwidthQueue::new(limits, active_now),
        }
        let has_queue = self.bandwidth.is_some();
        let mut keys = Vec::new();
        for id in self.transfers.ids() {
            self.transfers.update(id, |transfer| {
                transfer.request.payload.flow.allow(u64::MAX);
                if !has_queue {
                    transfer.rates.queue_key = None;
                }
                keys.extend(transfer.connection());
            });
        }
        // The order of a hash map differs in each run.
        keys.sort_unstable();
        for key in keys {
            self.run_queue.schedule(key);
        }
    }
}
