//! How a response is taken: what follows its head, how a hop ends, and how a transfer does.

use std::time::Duration;

use super::step::Step;
use super::{Engine, LONGEST_DELAY};
use crate::agent::event::{Event, RetryCause};
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::response::{Hop, Response};
use crate::agent::timers::Timer;
use crate::agent::transfer::response_state::{Answer, Sink, Then};
use crate::agent::transfer::{Stage, Transfer};
use crate::error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved};
use crate::semantics::redirect::Redirection;
use crate::semantics::retry::Outcome;

/// How long after an event stream ended it is opened again, unless the server said otherwise (WHATWG
/// HTML §9.2 leaves it to the client, "in the region of a few seconds").
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// And no sooner than this, whatever it said: one that ends each stream at once is not hammered.
const SHORTEST_RECONNECT: Duration = Duration::from_millis(100);

impl Engine {
    /// The response of this hop is over, or given up.
    pub(super) fn end_hop(&mut self, transfer: &mut Transfer) -> Step {
        let Some(answer) = &mut transfer.answer else {
            return self.fail(transfer, Misuse::OutOfOrder.into());
        };
        if let Some(decoder) = &mut answer.decoder
            && matches!(answer.then, Then::Deliver)
            && answer.received > 0
            && let Err(fault) = decoder.finish()
        {
            return self.fail(transfer, ErrorKind::Coding(fault).into());
        }
        let then = std::mem::replace(&mut answer.then, Then::Deliver);
        self.record(transfer);
        match then {
            Then::Deliver => self.deliver_end(transfer),
            Then::Redirect(next) => self.follow(transfer, *next),
            Then::Again => self.begin_hop(transfer),
            Then::Commit => self.commit(transfer),
            Then::Kept => {
                if let (Some(kept), Some(answer)) = (transfer.kept.take(), &mut transfer.answer) {
                    answer.go_on(kept);
                }
                self.finish(transfer)
            }
            Then::Retry(delay, cause) => self.wait_to_retry(transfer, delay, cause),
            Then::Fail(error) => self.fail(transfer, error),
            #[cfg(feature = "cache")]
            Then::Revalidated => self.answer_revalidated(transfer),
            #[cfg(feature = "cache")]
            Then::ServeStale => match self.serve_stale(transfer) {
                Some(step) => step,
                None => self.finish(transfer),
            },
        }
    }

    fn deliver_end(&mut self, transfer: &mut Transfer) -> Step {
        match transfer.answer.as_ref().map(|answer| &answer.sink) {
            Some(Sink::File) => self.commit(transfer),
            Some(Sink::EventStream) => {
                let delay = transfer
                    .events
                    .as_ref()
                    .and_then(|parser| parser.retry())
                    .unwrap_or(RECONNECT_AFTER)
                    .max(SHORTEST_RECONNECT);
                self.wait_to_retry(transfer, delay, RetryCause::StreamEnded)
            }
            _ => self.finish(transfer),
        }
    }

    fn commit(&mut self, transfer: &mut Transfer) -> Step {
        if let Some(file) = &mut transfer.file {
            file.commit();
        }
        transfer.stage = Stage::Committing;
        self.files.watch(transfer.id);
        Step::MOVED
    }

    /// The last event of a transfer that succeeded.
    pub(super) fn finish(&mut self, transfer: &mut Transfer) -> Step {
        #[cfg(feature = "cache")]
        self.store_in_cache(transfer);
        let now = self.now();
        let Some(response) = transfer.take_response(now) else {
            return self.fail(transfer, Misuse::OutOfOrder.into());
        };
        self.events.push(Event::Done {
            id: transfer.id,
            response: Box::new(response),
        });
        self.forget(transfer);
        Step::OVER
    }

    fn follow(&mut self, transfer: &mut Transfer, next: Redirection) -> Step {
        let Some(answer) = transfer.answer.take() else {
            return self.fail(transfer, Misuse::OutOfOrder.into());
        };
        transfer.attempts = transfer.attempts.saturating_sub(1);
        transfer.history.push(Hop {
            url: (*transfer.url).clone(),
            status: answer.head.status,
        });
        self.events.push(Event::Redirect {
            id: transfer.id,
            status: answer.head.status,
            location: next.url.clone(),
        });
        transfer.go_to(next);
        self.begin_hop(transfer)
    }

    pub(super) fn wait_to_retry(
        &mut self,
        transfer: &mut Transfer,
        delay: Duration,
        cause: RetryCause,
    ) -> Step {
        let delay = delay.min(LONGEST_DELAY);
        let until = self.active_time() + delay;
        self.events.push(Event::WillRetry {
            id: transfer.id,
            attempt: transfer.attempts,
            after: delay,
            cause,
        });
        transfer.answer = None;
        transfer.stage = Stage::Waiting { until };
        self.timers.set(until, Timer::Request(transfer.id));
        Step::MOVED
    }

    /// The connection of a transfer failed, or what came over it cannot be used.
    pub(super) fn end_on(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        error: Error,
    ) -> Step {
        let is_asked = matches!(transfer.stage, Stage::Active { asked: true, .. });
        let pooled = self.pool.get(key);
        let was_reused = pooled.is_some_and(|pooled| pooled.requests > u32::from(is_asked));
        self.close(key);
        if transfer.answer.as_ref().is_some_and(Answer::is_discarded) {
            // What follows is known; nobody wants what did not come.
            return self.end_hop(transfer);
        }
        let is_stale = is_stale(&error, &transfer.method, is_asked);
        if was_reused && is_stale && transfer.answer.is_none() && transfer.payload.can_be_sent() {
            // The server had closed it; nothing was lost, so nobody is told.
            transfer.needs_new_connection = true;
            // A file that was sent must be opened anew.
            return self.open_and_enqueue(transfer);
        }
        self.end_attempt(transfer, error)
    }

    /// The same, when a retry cannot help.
    pub(super) fn fail_on(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        error: Error,
    ) -> Step {
        self.close(key);
        self.fail(transfer, error)
    }

    /// An attempt failed: again later, elsewhere, or not at all.
    pub(super) fn end_attempt(&mut self, transfer: &mut Transfer, error: Error) -> Step {
        if let Some(Answer {
            then: Then::Fail(_),
            ..
        }) = &transfer.answer
        {
            // It had failed before its content did.
            return self.fail(transfer, error);
        }
        let active_now = self.active_time();
        // What the caller has seen already cannot be sent to it again, unless it can go on.
        let is_streamed = transfer
            .answer
            .as_ref()
            .is_some_and(|answer| answer.is_streamed());
        if is_streamed && !self.can_continue(transfer) {
            return self.fail(transfer, error);
        }
        let is_cut = matches!(
            error.kind(),
            ErrorKind::Network(_) | ErrorKind::Truncated { .. } | ErrorKind::Timeout(_)
        );
        if is_cut {
            self.keep_what_came(transfer);
        }
        if is_cut && std::mem::take(&mut transfer.was_paused) && transfer.may_repeat() {
            // It is not the network that failed: the peer did not wait for the pause to end.
            return self.begin_hop(transfer);
        }
        let outcome = Outcome::of(&error);
        if let Outcome::Failed {
            transient: true, ..
        } = outcome
            && is_connecting_failure(&error)
            && self.policies.try_next_origin(transfer)
        {
            return self.begin_hop(transfer);
        }
        if let (Output::EventStream, Some(parser)) = (&transfer.output, &transfer.events)
            && matches!(
                outcome,
                Outcome::Failed {
                    transient: true,
                    ..
                }
            )
        {
            let delay = parser
                .retry()
                .unwrap_or(RECONNECT_AFTER)
                .max(SHORTEST_RECONNECT);
            return self.wait_to_retry(transfer, delay, RetryCause::Error(error));
        }
        match self.retry_delay(transfer, outcome, active_now) {
            Some(delay) => self.wait_to_retry(transfer, delay, RetryCause::Error(error)),
            None => {
                #[cfg(feature = "cache")]
                if matches!(
                    outcome,
                    Outcome::Failed {
                        transient: true,
                        ..
                    }
                ) && let Some(step) = self.serve_stale(transfer)
                {
                    return step;
                }
                self.fail(transfer, error)
            }
        }
    }

    /// The last event of a transfer that failed.
    pub(super) fn fail(&mut self, transfer: &mut Transfer, error: Error) -> Step {
        let now = self.now();
        let error = match transfer.answer.as_mut().map(|answer| &mut answer.then) {
            Some(then @ Then::Fail(_)) => match std::mem::replace(then, Then::Deliver) {
                Then::Fail(first) => first,
                _ => error,
            },
            _ => error,
        };
        let error = error.at_least_at(self.phase_of(transfer), &origin(transfer));
        if transfer.answer.is_none() {
            transfer.answer = transfer.kept.take().map(|kept| *kept.answer);
        }
        let response: Option<Response> = transfer.take_response(now);
        self.events.push(Event::Failed {
            id: transfer.id,
            error,
            response: response.map(Box::new),
        });
        self.forget(transfer);
        Step::OVER
    }

    /// Takes back all that a transfer holds.
    pub(super) fn forget(&mut self, transfer: &mut Transfer) {
        let now = self.now();
        self.policies.abandon_probe(transfer, now);
        self.bandwidth.leave(&mut transfer.queue_key);
        match transfer.stage {
            Stage::Queued { host, place, .. } => {
                self.pool.leave(host, place);
            }
            Stage::Active { connection, .. } => {
                // Given back before, if it could serve again.
                let is_ours = self.pool.get(connection).is_some_and(|pooled| {
                    pooled.service == crate::agent::pool::Service::Busy(transfer.id)
                });
                if is_ours {
                    self.close(connection);
                }
            }
            Stage::Opening | Stage::Waiting { .. } | Stage::Committing | Stage::Parked => {}
        }
        transfer.stage = Stage::Parked;
        match transfer.file.take() {
            Some(file) => file.leave(),
            None => self.remove_suspended(transfer),
        }
        #[cfg(feature = "websocket")]
        if let Some(socket) = transfer.socket.take() {
            socket.link.close(&mut self.reactor);
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

/// Whether the error is that of a kept-alive connection that the server had closed meanwhile
/// (RFC 9112 §9.3.1), and sending the request again can do no harm.
fn is_stale(error: &Error, method: &http::Method, asked: bool) -> bool {
    if !asked {
        // What it counts of bytes is of the exchange before.
        return matches!(
            error.kind(),
            ErrorKind::Network(NetworkFault::Closed | NetworkFault::Broken)
                | ErrorKind::Peer(PeerMisbehaved::UnexpectedData)
        );
    }
    let stale = match error.kind() {
        ErrorKind::Network(NetworkFault::Closed | NetworkFault::Broken) => {
            error.bytes_received() == 0
        }
        ErrorKind::Peer(PeerMisbehaved::UnexpectedData) => error.bytes_sent() == 0,
        _ => false,
    };
    stale && (error.bytes_sent() == 0 || method.is_idempotent())
}

fn is_connecting_failure(error: &Error) -> bool {
    use crate::Phase;
    matches!(
        error.phase(),
        Some(Phase::Resolve | Phase::Connect | Phase::Tunnel | Phase::TlsHandshake)
    )
}

pub(super) fn origin(transfer: &Transfer) -> String {
    format!(
        "{}://{}",
        transfer.url.scheme(),
        crate::agent::request_head::authority(&transfer.url)
    )
}
