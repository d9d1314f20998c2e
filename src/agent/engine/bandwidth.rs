//! Who gets how much of the bandwidth that all downloads share: those of the first priority before all
//! others, and in turn among equals.
//!
//! A transfer that finds the common bucket empty waits in [`Sharing`], and whoever comes behind it waits,
//! too, even if there is something in the bucket again. One that cannot use its turn, because nothing
//! has come for it, loses it.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Engine;
use crate::agent::Priority;
use crate::agent::id::RequestId;
use crate::agent::transfer::Transfer;

/// The most that one takes while others of its priority wait.
const SHARE_BYTES: u64 = 16 * 1024;

/// Transfers that wait for bandwidth, by priority and then by turn.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    waiting: BTreeMap<Ticket, RequestId>,
    turn: u64,
}

/// A transfer's place among those that wait for bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    priority: Priority,
    turn: u64,
}

impl Engine {
    /// How much of the common bandwidth a transfer may take for what it receives. Zero: it waits now.
    pub(super) fn share(&mut self, transfer: &mut Transfer, active_now: Instant) -> u64 {
        let remaining_budget = self.throttle.remaining_budget(active_now);
        if self.throttle.rate().is_none() {
            return remaining_budget;
        }
        let priority = transfer.settings.priority;
        let ticket = transfer.ticket.unwrap_or_else(|| {
            self.sharing.turn += 1;
            Ticket {
                priority,
                turn: self.sharing.turn,
            }
        });
        let first = self.sharing.waiting.first_key_value();
        let is_first = first.is_none_or(|(first, _)| *first >= ticket);
        if remaining_budget == 0 || !is_first {
            transfer.ticket = Some(ticket);
            self.sharing.waiting.insert(ticket, transfer.id);
            return 0;
        }
        self.leave_sharing(transfer);
        let has_equals = self
            .sharing
            .waiting
            .keys()
            .any(|other| other.priority == priority);
        if has_equals {
            remaining_budget.min(SHARE_BYTES)
        } else {
            remaining_budget
        }
    }

    /// The transfer does not wait for bandwidth.
    pub(super) fn leave_sharing(&mut self, transfer: &mut Transfer) {
        if let Some(ticket) = transfer.ticket.take() {
            self.sharing.waiting.remove(&ticket);
        }
    }

    /// Lets whoever is first have its turn, if there is bandwidth.
    pub(super) fn pass_turn(&mut self, active_now: Instant) {
        let Some((_, id)) = self.sharing.waiting.first_key_value() else {
            return;
        };
        if self.throttle.remaining_budget(active_now) > 0
            && let Some(key) = self.transfers.get(*id).and_then(|it| it.connection())
        {
            self.run_queue.schedule(key);
        }
    }
}
