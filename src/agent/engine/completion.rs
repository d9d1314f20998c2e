//! How a hop and a transfer end. What comes next is decided by `transfer::decide`; here it is carried out.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::Timer;
use super::suspension::Suspension;
use super::transfers::Step;
use super::{Engine, LONGEST_DELAY};
use crate::agent::event::{Event, RetryCause};
use crate::agent::pool::ConnectionKey;
use crate::agent::response::{Hop, Response, Transferred};
use crate::agent::transfer::Transfer;
use crate::agent::transfer::decide::{Conditions, ErrorInput, Input, decide};
use crate::agent::transfer::fault_class::{blames_origin, is_cut};
use crate::agent::transfer::next_action::{Change, NextAction};
use crate::agent::transfer::state::{Holding, ResponseState, Sink, State};
use crate::clock::Instant;
use crate::connection::Status;
use crate::error::{Error, ErrorKind};
use crate::phase::Phase;
use crate::semantics::redirect::Redirection;

impl Engine {
    /// The response of this hop has ended, or the rest of it is not wanted.
    pub(super) fn end_hop(&mut self, transfer: &mut Transfer) -> Step {
        let Some(response) = transfer.state.response_mut() else {
            return self.fail(transfer, Error::internal("a hop ended without a response"));
        };
        if let Some(decoder) = &mut response.decoder
            && matches!(response.planned, NextAction::Deliver)
            && response.received > 0
            && let Err(fault) = decoder.finish()
        {
            return self.fail(transfer, ErrorKind::Coding(fault).into());
        }
        let planned = std::mem::replace(&mut response.planned, NextAction::Deliver);
        if self.config.recorder.is_some() {
            self.record(transfer);
        }
        let action = decide(transfer, Input::End { planned });
        self.carry_out(transfer, action)
    }

    /// The connection of a transfer failed, or what arrived over it cannot be used.
    pub(super) fn end_on(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        error: &Error,
    ) -> Step {
        let was_reused = self.was_reused(transfer, key);
        self.note_moved(transfer);
        self.close_silent(transfer, key, error);
        self.close(key);
        self.end_attempt(transfer, error, was_reused)
    }

    /// Whether the connection served another request before.
    fn was_reused(&self, transfer: &Transfer, key: ConnectionKey) -> bool {
        let is_sent = transfer.state.is_sent();
        let pooled = self.pool.get(key);
        pooled.is_some_and(|pooled| pooled.requests > u32::from(is_sent))
    }

    /// If a kept connection stayed silent until the time of its request was over, the network may have forgotten it, as
    /// after a change of the network. Idle connections to its host that have been silent for as long are no
    /// better, and each of them would cost another request the same wait.
    fn close_silent(&mut self, transfer: &Transfer, key: ConnectionKey, error: &Error) {
        let is_silent = match error.kind() {
            ErrorKind::Timeout(phase) => matches!(
                phase,
                Phase::SendHead | Phase::SendBody | Phase::AwaitHead | Phase::ReceiveBody
            ),
            // While content moves, the whole time can be over without any silence.
            ErrorKind::TotalTimeout(phase) => *phase == Phase::AwaitHead,
            _ => false,
        };
        let Some(sent) = transfer.times.left_queue.filter(|_| is_silent) else {
            return;
        };
        if self.pool.is_serving(key, transfer.id) && self.was_reused(transfer, key) {
            for key in self.pool.silent_since(key, sent) {
                self.close(key);
            }
        }
    }

    /// The same, when sending the request again cannot help.
    pub(super) fn fail_on(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        error: Error,
    ) -> Step {
        // While the connection is there: it knows the phase and what moved.
        let error = self.describe(transfer, error);
        self.note_moved(transfer);
        self.close(key);
        self.fail(transfer, error)
    }

    /// An attempt failed. The request is sent again later or elsewhere, or the transfer fails.
    pub(super) fn end_attempt(
        &mut self,
        transfer: &mut Transfer,
        error: &Error,
        was_reused: bool,
    ) -> Step {
        let conditions = self.conditions(self.now());
        let action = decide(
            transfer,
            Input::Error(ErrorInput {
                error,
                was_reused,
                conditions,
            }),
        );
        let is_new_attempt = match action {
            NextAction::AsPlanned => return self.end_hop(transfer),
            NextAction::Reconnect => return self.carry_out(transfer, action),
            NextAction::SendAgain(_) => true,
            NextAction::NextOrigin | NextAction::Retry { .. } => {
                self.note_origin_failed(transfer, error);
                true
            }
            _ => {
                self.note_origin_failed(transfer, error);
                false
            }
        };
        if is_new_attempt && is_cut(error) {
            transfer.keep_partial();
            transfer.attempts.was_paused = false;
        }
        self.carry_out(transfer, action)
    }

    /// Remembers how many bytes the exchange moved, before its connection is given back or closed.
    pub(super) fn note_moved(&self, transfer: &mut Transfer) {
        let key = transfer
            .state
            .connection()
            .filter(|_| transfer.state.is_sent());
        if let Some(key) = key
            && self.pool.is_serving(key, transfer.id)
            && let Some(pooled) = self.pool.get(key)
        {
            transfer.attempts.moved = pooled.connection.moved();
        }
    }

    /// Gives a connection back to the pool, or closes it.
    pub(super) fn release(&mut self, key: ConnectionKey, active_now: Instant) {
        let connection = self.pool.get(key).map(|pooled| &*pooled.connection);
        let connected = connection.filter(|it| it.status() == Status::Connected);
        let idle_since = connected.and_then(|it| it.idle_since());
        let is_reusable = connected.is_some() && self.suspension == Suspension::Running;
        if !is_reusable || !self.pool.keep(key, active_now) {
            self.close(key);
            return;
        }
        self.pool.note_idle(key, idle_since);
        if let Some(expires) = self.pool.expires(key) {
            self.arm_at(key, expires);
        }
    }

    fn note_origin_failed(&mut self, transfer: &Transfer, error: &Error) {
        if blames_origin(Err(error)) {
            self.policies.note_origin_failed(transfer);
        }
    }

    /// Time and chance, for a decision. `now` is the time of the clock.
    pub(super) fn conditions(&mut self, now: Instant) -> Conditions {
        Conditions {
            active_now: self.reactor.active_time(now),
            wall: self.reactor.clock().wall(),
            random: self.random.next(),
        }
    }

    /// Does what was decided.
    pub(super) fn carry_out(&mut self, transfer: &mut Transfer, action: NextAction) -> Step {
        match action {
            NextAction::Finish => self.finish(transfer),
            NextAction::FinishPartial => {
                if let (Some(partial), Some(response)) =
                    (transfer.partial.take(), transfer.state.response_mut())
                {
                    response.continue_from(partial);
                }
                if let Err(error) = self.end_messages(transfer) {
                    return self.fail(transfer, error);
                }
                self.finish(transfer)
            }
            NextAction::Commit => self.commit(transfer),
            NextAction::Fail(error) => self.fail(transfer, error),
            NextAction::Redirect(next) => self.follow(transfer, *next),
            NextAction::SendAgain(change) => {
                match change {
                    Change::Nothing => {}
                    Change::NoExpectation => transfer.request.expects_continue = false,
                    Change::DropPartial => transfer.partial = None,
                    Change::ContinueFile => {
                        if let Some(file) = &mut transfer.file.download {
                            file.continue_part();
                        }
                    }
                    Change::RestartFile => {
                        if let Some(file) = &mut transfer.file.download {
                            file.start_afresh();
                        }
                    }
                }
                self.begin_hop(transfer)
            }
            NextAction::Reconnect => {
                // Nothing was lost, so nothing is reported. A file that was sent must be opened again.
                transfer.attempts.needs_new_connection = true;
                transfer.attempts.moved = (0, 0);
                self.open_and_enqueue(transfer)
            }
            NextAction::NextOrigin => {
                self.policies.use_next_origin(transfer);
                self.begin_hop(transfer)
            }
            NextAction::Retry {
                delay,
                cause,
                retries,
            } => {
                transfer.attempts.retries = retries;
                self.wait_to_retry(transfer, delay, cause)
            }
            #[cfg(feature = "cache")]
            NextAction::Revalidated => self.finish_revalidated(transfer),
            #[cfg(feature = "cache")]
            NextAction::ServeStale => self.serve_stale(transfer),
            NextAction::Drive(connection) => {
                self.run_queue.schedule(connection);
                Step::MOVED
            }
            NextAction::ReportQueued => self.report_long_queued(transfer),
            NextAction::Wait => Step::WAITS,
            NextAction::Deliver | NextAction::AsPlanned => {
                let error = Error::internal("a decision about a head was carried out too late");
                self.fail(transfer, error)
            }
        }
    }

    fn commit(&mut self, transfer: &mut Transfer) -> Step {
        if let Some(file) = &mut transfer.file.download {
            file.commit();
        }
        transfer.state.commit();
        self.files.watch(transfer.id);
        Step::MOVED
    }

    /// Reports the last event of a transfer that succeeded.
    pub(super) fn finish(&mut self, transfer: &mut Transfer) -> Step {
        #[cfg(feature = "cache")]
        let is_stored = self.config.cache.is_some() && self.store_in_cache(transfer);
        #[cfg(feature = "cache")]
        let revalidation = self.revalidations.get(transfer.id).cloned();
        let now = self.now();
        let Some(response) = self.release_all(transfer) else {
            return self.fail(
                transfer,
                Error::internal("a transfer ended without a response"),
            );
        };
        let response = complete(transfer, response, now);
        #[cfg(feature = "cache")]
        if let Some(revalidation) = revalidation {
            self.report_revalidated(revalidation, response, is_stored);
            return Step::OVER;
        }
        self.events.push(Event::Done {
            id: transfer.id,
            response,
        });
        Step::OVER
    }

    /// Reports the last event of a transfer that failed.
    pub(super) fn fail(&mut self, transfer: &mut Transfer, error: Error) -> Step {
        let now = self.now();
        let planned = transfer.state.response_mut().map(|it| &mut it.planned);
        let error = match planned {
            // It had failed before.
            Some(NextAction::Fail(first)) => first.clone(),
            _ => error,
        };
        let error = self.describe(transfer, error);
        if let Some(key) = transfer.state.connection() {
            self.close_silent(transfer, key, &error);
        }
        let partial = transfer.partial.take();
        let response = self.release_all(transfer);
        let response = response.or_else(|| partial.map(|partial| *partial.response));
        let response = response.map(|response| complete(transfer, response, now));
        self.events.push(Event::Failed {
            id: transfer.id,
            error,
            response,
        });
        Step::OVER
    }

    fn follow(&mut self, transfer: &mut Transfer, next: Redirection) -> Step {
        let Some(response) = transfer.state.response() else {
            return self.fail(transfer, Error::internal("a redirect without a response"));
        };
        let status = response.status();
        transfer.attempts.count = transfer.attempts.count.saturating_sub(1);
        transfer.attempts.history.push(Hop {
            url: (*transfer.request.url).clone(),
            status,
        });
        self.events.push(Event::Redirect {
            id: transfer.id,
            status,
            location: next.url.clone(),
        });
        transfer.follow(next);
        self.begin_hop(transfer)
    }

    fn wait_to_retry(
        &mut self,
        transfer: &mut Transfer,
        delay: Duration,
        cause: RetryCause,
    ) -> Step {
        let delay = delay.min(LONGEST_DELAY);
        let until = self.active_time() + delay;
        self.events.push(Event::WillRetry {
            id: transfer.id,
            attempt: transfer.attempts.count,
            after: delay,
            cause,
        });
        transfer.state = State::Waiting { until };
        self.timers.set(until, Timer::Request(transfer.id));
        Step::MOVED
    }

    /// Releases everything that a transfer holds. Returns its response, as far as it arrived.
    pub(super) fn release_all(&mut self, transfer: &mut Transfer) -> Option<ResponseState> {
        self.policies.forget_held(transfer.id);
        if transfer.attempts.probes {
            let now = self.now();
            self.policies.abandon_probe(transfer, now);
            self.ask_circuits_again();
        }
        #[cfg(feature = "cache")]
        self.revalidations.end(transfer.id);
        self.leave_bandwidth_queue(transfer);
        let (response, holding) = transfer.state.take();
        match holding {
            Holding::Nothing => {}
            Holding::Place(host, place) => {
                self.pool.leave(host, place);
            }
            Holding::Connection(key) => self.close_if_serving(key, transfer),
            #[cfg(feature = "websocket")]
            Holding::WebSocket(key, socket) => {
                self.close_if_serving(key, transfer);
                socket.link.close(&mut self.reactor);
            }
        }
        match transfer.file.download.take() {
            Some(file) => file.leave(),
            None if transfer.file.is_suspended => self.remove_suspended(transfer),
            None => {}
        }
        response
    }

    /// Closes a connection unless it was closed before: its number may have been given to another.
    fn close_if_serving(&mut self, key: ConnectionKey, transfer: &Transfer) {
        if self.pool.is_serving(key, transfer.id) {
            self.close(key);
        }
    }

    /// Fails all transfers: the machinery below is broken.
    pub(super) fn fail_everything(&mut self, error: &Error) {
        self.admit_all();
        for id in self.transfers.ids() {
            self.with_transfer(id, |engine, transfer| engine.fail(transfer, error.clone()));
        }
    }
}

/// What the caller gets of a response, as far as it has arrived.
fn complete(transfer: &mut Transfer, state: ResponseState, now: Instant) -> Box<Response> {
    let mut response = state.result;
    response.timings.total = now.saturating_duration_since(transfer.times.began);
    if let Sink::Collect(mut collected) = state.sink {
        response.body = collected.take();
    }
    response.url = Some(Arc::clone(&transfer.request.url));
    response.history = std::mem::take(&mut transfer.attempts.history);
    response.was_redirected = transfer.attempts.was_redirected;
    response.transferred = Transferred {
        sent: transfer.request.payload.sent(),
        received: state.received,
    };
    response.saved = transfer.file.saved.take();
    response.attempts = transfer.attempts.count.max(1);
    response
}
