//! What happens when the timers of connections and transfers fire.

use std::time::Duration;

use super::Engine;
use super::schedule::Timer;
use crate::agent::id::RequestId;
use crate::agent::pool::{ConnectionKey, Service};
use crate::agent::transfer::Transfer;
use crate::agent::transfer::decide::{Input, decide};
use crate::clock::Instant;
use crate::transport::meter::BudgetMeter;

/// This many timers fire in each poll, however little of its budget is left, so that no deadline is put
/// off.
const LEAST_TIMERS: usize = 4;

impl Engine {
    /// Fires the timers that are due, after everything that had arrived was taken. Returns whether
    /// anything may continue now.
    pub(super) fn fire_timers(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut fired = false;
        let mut count = 0;
        while count < LEAST_TIMERS || !meter.exhausted() {
            let Some(timer) = self.timers.next_due(active_now) else {
                break;
            };
            count += 1;
            match timer {
                Timer::Connection(key) => fired |= self.fire_connection(key, active_now, meter),
                Timer::Request(id) => fired |= self.fire_request(id, active_now),
            }
            meter.note_work();
        }
        fired
    }

    fn fire_connection(
        &mut self,
        key: ConnectionKey,
        active_now: Instant,
        meter: &BudgetMeter,
    ) -> bool {
        let Some(pooled) = self.pool.get_mut(key) else {
            return false;
        };
        pooled.armed = None;
        if let Some(expires) = self.pool.expires(key) {
            if expires <= active_now {
                self.close(key);
                return true;
            }
            self.arm_at(key, expires);
            return false;
        }
        let Some(pooled) = self.pool.get_mut(key) else {
            return false;
        };
        let Service::Busy(id) = pooled.service else {
            return false;
        };
        // The bytes that the budget left in the kernel may be those that the deadline waits for. A paused
        // request waits for nothing.
        let is_left = meter.cut() && pooled.connection.is_readable(&mut self.reactor);
        let is_paused = self.transfers.get(id).is_some_and(Transfer::is_held_back);
        if !is_left && !is_paused {
            pooled
                .connection
                .handle_timeout(&mut self.reactor, active_now);
        }
        if is_paused {
            return false;
        }
        self.run_queue.schedule(key);
        if is_left {
            self.arm_at(key, active_now + Duration::from_millis(1));
        }
        true
    }

    /// A timer of a transfer fired. Returns whether anything may continue now.
    fn fire_request(&mut self, id: RequestId, active_now: Instant) -> bool {
        self.with_transfer(id, |engine, transfer| {
            transfer
                .rates
                .download_due
                .take_if(|due| *due <= active_now);
            let phase = engine.phase_of(transfer);
            let input = Input::Timer {
                now: active_now,
                phase,
            };
            engine.carry_out(transfer, decide(transfer, input))
        })
        .is_some_and(|step| step.moved)
    }
}
