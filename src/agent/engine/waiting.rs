//! Reports the requests that wait for a connection: once when they begin to wait, and once more, with the reason,
//! when that takes long.

use super::Engine;
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::decide::LONG_QUEUE;
use crate::agent::transfer::state::State;

impl Engine {
    /// Reports the requests that still wait for a connection after everything that could start has started.
    pub(super) fn report_queued(&mut self) {
        let Self {
            events,
            transfers,
            timers,
            ..
        } = self;
        events.report_queued(|id| {
            let is_news = transfers.update(id, |transfer| match &mut transfer.state {
                State::Queued(queued) => {
                    if let Some(at) = queued.since.checked_add(LONG_QUEUE) {
                        timers.set(at, Timer::Request(id));
                    }
                    !std::mem::replace(&mut queued.reported, true)
                }
                _ => false,
            });
            is_news.unwrap_or(false)
        });
    }

    /// Reports, once for each wait, that a transfer has waited for a connection for long, and why.
    pub(super) fn report_long_queued(&mut self, transfer: &mut Transfer) -> Step {
        let active_now = self.active_time();
        if let State::Queued(queued) = &mut transfer.state {
            queued.is_long_reported = true;
            self.events.push(Event::StillQueued {
                id: transfer.id,
                waited: active_now.saturating_duration_since(queued.since),
                reason: self.pool.reason(queued.host, queued.place),
            });
        }
        Step::MOVED
    }
}
