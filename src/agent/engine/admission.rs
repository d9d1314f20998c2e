//! Submitted requests become transfers: each is looked at once, oldest first, as far as the budget goes.

use super::Engine;
use super::schedule::Timer;
use crate::agent::id::RequestId;
use crate::agent::prepared::Prepared;
use crate::agent::transfer::Transfer;
use crate::clock::Instant;
use crate::transport::meter::BudgetMeter;

impl Engine {
    /// Takes a request of the caller's.
    pub(crate) fn submit(&mut self, id: RequestId, prepared: Prepared, now: Instant) {
        self.idle = None;
        // A request that is submitted after a long gap is not charged with it.
        self.reactor.skip_gap(now);
        let active_now = self.reactor.active_time(now);
        let transfer = Transfer::new(id, prepared, now, active_now);
        self.submissions.push(Box::new(transfer));
    }

    /// Notes the time since `began` as spent on submitting.
    pub(crate) fn note_submit_time(&mut self, began: Instant) {
        let now = self.now();
        self.submissions.note_submit_time(began, now);
    }

    /// Admits at most `most` requests, as far as the budget goes. Returns whether there was one.
    pub(super) fn admit_submissions(&mut self, most: usize, meter: &mut BudgetMeter) -> bool {
        let mut admitted = false;
        for _ in 0..most {
            if self.submissions.is_empty() || meter.exhausted() {
                break;
            }
            if let Some(transfer) = self.submissions.pop() {
                self.admit(transfer);
                admitted = true;
                meter.note_work();
            }
        }
        admitted
    }

    /// Admits this request out of its turn, if it was only just submitted.
    pub(super) fn admit_by_id(&mut self, id: RequestId) {
        if let Some(transfer) = self.submissions.take(id) {
            self.admit(transfer);
        }
    }

    /// Admits all, before all are failed.
    pub(super) fn admit_all(&mut self) {
        while let Some(transfer) = self.submissions.pop() {
            self.admit(transfer);
        }
    }

    fn admit(&mut self, mut transfer: Box<Transfer>) {
        if let Some(deadline) = transfer.times.deadline {
            self.timers.set(deadline, Timer::Request(transfer.id));
        }
        self.policies.choose_origin(&mut transfer);
        // The first hop began when the request was submitted.
        let first = self.enter_hop(&mut transfer);
        self.transfers.add(transfer, first);
    }
}
