//! When a connection has waited too long, and when it needs the next drive.
//!
//! At most one deadline runs at a time: that of the phase in which this side waits for the peer.

use std::time::Duration;

use super::timings::Deadline;
use super::{Connection, State};
use crate::budget::PollAt;
use crate::clock::Instant;
use crate::connection::status::Status;
use crate::error::{Error, ErrorKind};
use crate::phase::Phase;
use crate::transport::reactor::Reactor;

/// A source of request content cannot report that it has bytes again. So it is read again after this time.
const ASK_SOURCE_AGAIN: Duration = Duration::from_millis(1);

impl Connection {
    /// Fails the connection if its deadline has passed, and returns whether it has. Call it after
    /// everything that was received has been processed.
    pub(crate) fn handle_timeout(&mut self, reactor: &mut Reactor, now: Instant) -> bool {
        let Some(Deadline { phase, at }) = *self.deadline() else {
            return false;
        };
        if now < at {
            return false;
        }
        *self.deadline() = None;
        match &mut self.state {
            State::Established(established) if phase == Phase::AwaitContinue => {
                established.stop_awaiting_continue();
            }
            State::Connecting(connecting, _) => {
                let status = connecting.failed_status();
                let mut error = Error::from(ErrorKind::Timeout(phase));
                if connecting.awaits_verifier() {
                    error = error.with_source("the verifier of certificates has not answered");
                }
                self.fail(reactor, status, phase, error);
            }
            State::Disconnected | State::Failed(..) => {}
            State::Established(_) => {
                let error = ErrorKind::Timeout(phase).into();
                self.fail(reactor, Status::ConnectionError, phase, error);
            }
        }
        true
    }

    /// Whether the current deadline has passed.
    #[cfg(feature = "agent")]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.current_deadline()
            .is_some_and(|deadline| deadline.at <= now)
    }

    /// Whether the connection waits for the source of its request content, and not for the peer.
    #[cfg(feature = "agent")]
    pub(crate) fn awaits_source(&self) -> bool {
        matches!(
            &self.state,
            State::Established(established)
                if established.awaits_source(&self.exchange) && self.exchange.deadline.is_none()
        )
    }

    /// Restarts the current deadline, because the connection did not wait for the peer while the caller
    /// paused.
    #[cfg(feature = "agent")]
    pub(crate) fn restart_deadline(&mut self, now: Instant) {
        *self.deadline() = None;
        self.rearm(now, false);
    }

    /// Sets the deadline of the current phase. A phase keeps its deadline, except that every byte restarts
    /// the stall deadlines.
    pub(super) fn rearm(&mut self, now: Instant, progressed: bool) {
        let phase = match &self.state {
            State::Disconnected | State::Failed(..) => None,
            State::Connecting(connecting, _) => Some(connecting.phase()),
            State::Established(established) => established.awaits(&self.exchange),
        };
        let Some(phase) = phase else {
            *self.deadline() = None;
            return;
        };
        let stalls = matches!(
            phase,
            Phase::SendHead | Phase::SendBody | Phase::ReceiveBody
        );
        if let Some(deadline) = self.current_deadline()
            && deadline.phase == phase
            && !(stalls && progressed)
        {
            return;
        }
        let timeouts = &self.config.timeouts;
        let limit = match phase {
            Phase::Queue | Phase::AwaitRetry => None,
            Phase::Resolve => timeouts.resolve,
            Phase::Connect => timeouts.connect,
            Phase::Tunnel => timeouts.tunnel,
            Phase::TlsHandshake => timeouts.tls_handshake,
            Phase::AwaitContinue => timeouts.continue_wait,
            Phase::AwaitHead => timeouts.head,
            Phase::SendHead | Phase::SendBody | Phase::ReceiveBody => timeouts.stall,
        };
        // A time that cannot be represented is never due.
        let at = limit.and_then(|limit| now.checked_add(limit));
        *self.deadline() = at.map(|at| Deadline { phase, at });
    }

    /// The deadline that is running: that of connecting, or that of the exchange.
    fn deadline(&mut self) -> &mut Option<Deadline> {
        match &self.state {
            State::Connecting(..) => &mut self.deadline,
            State::Disconnected | State::Established(_) | State::Failed(..) => {
                &mut self.exchange.deadline
            }
        }
    }

    fn current_deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Connecting(..) => self.deadline,
            State::Disconnected | State::Established(_) | State::Failed(..) => {
                self.exchange.deadline
            }
        }
    }

    /// When this connection needs the next drive. `now` is active time, and so is the result.
    pub(crate) fn poll_at(&self, now: Instant) -> PollAt {
        let due = match &self.state {
            State::Disconnected | State::Failed(..) => return PollAt::Idle,
            State::Established(_) if self.exchange.has_content_ready() => {
                return PollAt::Now;
            }
            State::Established(established) if established.awaits_source(&self.exchange) => {
                Some(now + ASK_SOURCE_AGAIN)
            }
            State::Established(_) => None,
            State::Connecting(connecting, _) => connecting.due(),
        };
        let deadline = self.current_deadline().map(|deadline| deadline.at);
        match due.into_iter().chain(deadline).min() {
            Some(at) if at <= now => PollAt::Now,
            Some(at) => PollAt::At(at),
            None => PollAt::Io,
        }
    }
}
