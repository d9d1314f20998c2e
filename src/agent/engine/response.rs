//! Drives the connection of a transfer, and takes what arrives over it: phases, heads, content, errors.

use super::Engine;
use super::event_queue::EventQueue;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::fault_class::is_own_fault;
#[cfg(feature = "websocket")]
use crate::agent::transfer::state::State;
use crate::clock::Instant;
use crate::connection::{Connection, Status};
use crate::error::{ErrorKind, NetworkFault};
use crate::phase::Phase;
use crate::proto::ResponseHead;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;
use crate::transport::throttle::LEAST_MOVE;

impl Engine {
    /// Drives a transfer's connection, then the transfer with what arrived.
    pub(super) fn run_transfer(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Step {
        #[cfg(feature = "websocket")]
        if matches!(transfer.state, State::WebSocket { .. }) {
            return self.run_web_socket(transfer, key, active_now, meter);
        }
        let mut step = Step::WAITS;
        self.allow_upload(transfer, active_now);
        loop {
            let Some(pooled) = self.pool.get_mut(key) else {
                return step;
            };
            // A paused download does not read, so that the kernel's window closes.
            let is_held = transfer.is_held_back() && transfer.state.response().is_some();
            // This response is whole, so what an idle connection brings is not part of it.
            let is_whole = transfer.state.response().is_some()
                && matches!(
                    pooled.connection.status(),
                    Status::Connected | Status::Disconnected
                );
            // An idle connection on which nothing has arrived needs no look before it gets the request.
            let is_ready = !transfer.state.is_sent()
                && !transfer.is_held_back()
                && pooled.connection.is_idle_and_silent(&mut self.reactor);
            if !is_held && !is_whole && !is_ready {
                self.reactor.set_key(Key(key.0));
                let (connection, reactor) = (&mut pooled.connection, &mut self.reactor);
                step.moved |= if transfer.is_held_back() || transfer.state.is_sent() {
                    connection.drive(reactor, active_now, meter)
                } else {
                    connection.drive_until_connected(reactor, active_now, meter)
                };
                #[cfg(target_family = "wasm")]
                if transfer.state.is_sent()
                    && let Some(sent) = pooled.connection.content_sent()
                {
                    transfer.request.payload.note_sent(sent);
                }
            }
            report_phases(&mut self.events, transfer, &mut pooled.connection);
            report_heads(&mut self.events, transfer, &mut pooled.connection);
            let status = pooled.connection.status();
            let awaits_thread = pooled.connection.awaits_thread();
            self.run_queue.note_awaits_thread(key, awaits_thread);
            if transfer.state.response().is_some() {
                return self.take_content(transfer, key, active_now, meter, step);
            }
            if status.is_error() || status == Status::Disconnected && !has_head(&pooled.connection)
            {
                return self.note_failed(transfer, key);
            }
            if has_head(&pooled.connection) && transfer.state.is_sent() {
                match self.take_head(transfer, key, meter) {
                    Ok(Some(over)) => return over,
                    Ok(None) => {
                        step.moved = true;
                        return self.take_content(transfer, key, active_now, meter, step);
                    }
                    Err(error) => return self.fail_on(transfer, key, error),
                }
            }
            if status == Status::Connected && !transfer.state.is_sent() {
                if transfer.is_held_back() {
                    return step;
                }
                if let Err(error) = self.send_request(transfer, key, active_now) {
                    return self.fail_on(transfer, key, error);
                }
                step.moved = true;
                continue;
            }
            if transfer.request.payload.has_moved() {
                self.note_progress(transfer);
            }
            return step;
        }
    }

    fn note_failed(&mut self, transfer: &mut Transfer, key: ConnectionKey) -> Step {
        let error = self
            .pool
            .get(key)
            .and_then(|pooled| pooled.connection.error().cloned())
            .unwrap_or_else(|| ErrorKind::Network(NetworkFault::Closed).into());
        if !is_own_fault(&error) {
            let now = self.now();
            self.policies.note_failure(transfer, now);
        }
        self.end_on(transfer, key, &error)
    }

    /// Lets as much of the request's content be sent as the rates allow.
    fn allow_upload(&mut self, transfer: &mut Transfer, active_now: Instant) {
        transfer.rates.upload_due = None;
        let priority = transfer.settings.priority;
        let shared = self.bandwidth.as_mut().map(|it| it.uploads(priority));
        let own = &mut transfer.rates.upload;
        if shared.is_none() && own.rate().is_none() {
            return;
        }
        let drawn = transfer.request.payload.newly_drawn();
        let mut remaining_budget = u64::MAX;
        for throttle in shared.into_iter().flatten().chain([own]) {
            throttle.spend(drawn);
            let now = throttle.worthwhile(active_now);
            if now == 0 {
                let due = throttle.due(active_now, LEAST_MOVE);
                transfer.rates.upload_due = transfer.rates.upload_due.max(Some(due));
            }
            remaining_budget = remaining_budget.min(now);
        }
        transfer.request.payload.flow.allow(remaining_budget);
    }
}

fn has_head(connection: &Connection) -> bool {
    connection.response().is_some()
}

/// The next head before the final one: a proxy's response, or an interim response.
fn next_head(connection: &mut Connection) -> Option<ResponseHead> {
    connection
        .next_proxy_head()
        .or_else(|| connection.next_interim())
}

/// The phase that a connection's status begins; `None` for a status without a phase.
fn first_phase(status: Status) -> Option<Phase> {
    match status {
        Status::Resolving => Some(Phase::Resolve),
        Status::Connecting => Some(Phase::Connect),
        Status::Requesting => Some(Phase::SendHead),
        Status::Body => Some(Phase::ReceiveBody),
        // Connected either precedes SendHead or follows the end; failures have their own event.
        _ => None,
    }
}

/// Reports the phases that a connection has entered.
fn report_phases(events: &mut EventQueue, transfer: &mut Transfer, connection: &mut Connection) {
    let id = transfer.id;
    let reported = &mut transfer.delivery.reported_phase;
    while let Some(transition) = connection.next_transition() {
        if let Some(phase) = first_phase(transition.to) {
            *reported = Some(phase);
            events.push(Event::Phase { id, phase });
        }
    }
    if let Some(phase) = connection.phase().filter(|it| Some(*it) > *reported) {
        *reported = Some(phase);
        events.push(Event::Phase { id, phase });
    }
}

/// Reports the heads before the final one, if the caller wants them.
fn report_heads(events: &mut EventQueue, transfer: &Transfer, connection: &mut Connection) {
    while let Some(head) = next_head(connection) {
        if transfer.settings.report_heads {
            let id = transfer.id;
            events.push(Event::HeadReceived { id, head });
        }
    }
}
