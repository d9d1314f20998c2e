//! Requests between being asked for and being judged. Asking is cheap, because a frame may ask for a
//! thousand things at once; policies, cache, files and queue come in the polls after it, as far as
//! their budgets go.

use std::collections::VecDeque;
use std::time::Instant;

use super::Engine;
use crate::agent::id::RequestId;
use crate::agent::prepared::Prepared;
use crate::agent::timers::Timer;
use crate::agent::transfer::Transfer;
use crate::transport::meter::BudgetMeter;

/// Room for more than this is given back when the last has been judged.
const MANY: usize = 64;

/// Oldest first, so that their numbers ascend.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<Arrival>);

#[derive(Debug)]
struct Arrival {
    id: RequestId,
    /// `None`: was taken out of its turn.
    prepared: Option<Prepared>,
    /// When it was asked for, by the clock and in active time.
    clock: Instant,
    active_now: Instant,
}

impl Arrivals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn pop(&mut self) -> Option<Arrival> {
        let arrival = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > MANY {
            self.0.shrink_to(0);
        }
        arrival
    }

    /// Takes one out of its turn.
    fn take(&mut self, id: RequestId) -> Option<Arrival> {
        let index = self
            .0
            .binary_search_by_key(&id, |arrival| arrival.id)
            .ok()?;
        let arrival = &mut self.0[index];
        Some(Arrival {
            prepared: Some(arrival.prepared.take()?),
            ..*arrival
        })
    }
}

impl Engine {
    /// Takes a request in.
    pub(crate) fn start(&mut self, id: RequestId, prepared: Prepared, now: Instant) {
        // What is asked for after a long gap is not charged with it.
        self.reactor.skip_gap(now);
        self.arrivals.0.push_back(Arrival {
            id,
            prepared: Some(prepared),
            clock: now,
            active_now: self.reactor.active_time(now),
        });
    }

    /// Judges those who arrived, oldest first: at most so many, and as far as the budget goes.
    pub(super) fn admit_arrivals(&mut self, most: usize, meter: &mut BudgetMeter) -> bool {
        let mut admitted = false;
        for _ in 0..most {
            if self.arrivals.is_empty() || meter.exhausted() {
                break;
            }
            if let Some(arrival) = self.arrivals.pop() {
                self.admit_arrival(arrival);
                admitted = true;
                meter.note_work();
            }
        }
        admitted
    }

    /// Judges this one now, if it has only just arrived: its owner wants something of it.
    pub(super) fn admit_by_id(&mut self, id: RequestId) {
        if let Some(arrival) = self.arrivals.take(id) {
            self.admit_arrival(arrival);
        }
    }

    /// Judges all, before all are failed.
    pub(super) fn admit_all(&mut self) {
        while let Some(arrival) = self.arrivals.pop() {
            self.admit_arrival(arrival);
        }
    }

    /// Forgets this one, if it has only just arrived.
    pub(super) fn forget_arrival(&mut self, id: RequestId) -> bool {
        self.arrivals.take(id).is_some()
    }

    fn admit_arrival(&mut self, arrival: Arrival) {
        let Some(prepared) = arrival.prepared else {
            return;
        };
        let id = arrival.id;
        let transfer = Transfer::new(id, prepared, arrival.clock, arrival.active_now);
        let mut transfer = Box::new(transfer);
        if let Some(deadline) = transfer.deadline {
            self.timers.set(deadline, Timer::Request(id));
        }
        self.choose_origin(&mut transfer);
        // Its first hop began when it was asked for.
        let first = self.enter_hop(&mut transfer);
        self.transfers.add(transfer, first);
    }
}
