//! When a connection has waited too long, and when it wants to be driven again.
//!
//! At most one deadline runs at a time: that of the phase in which this side waits for the peer.

use std::time::{Duration, Instant};

use super::{Connection, Deadline, State};
use crate::budget::PollAt;
use crate::connection::status::Status;
use crate::error::ErrorKind;
use crate::phase::Phase;
use crate::transport::reactor::Reactor;

/// A source of request content that had nothing tells nobody when it has: so soon it is asked
/// again.
const ASK_SOURCE_AGAIN: Duration = Duration::from_millis(1);

impl Connection {
    /// Judges the deadline, after everything that had arrived was driven. Answers whether it was
    /// due.
    pub(crate) fn handle_timeout(&mut self, reactor: &mut Reactor, now: Instant) -> bool {
        let Some(Deadline { phase, at }) = self.deadline else {
            return false;
        };
        if now < at {
            return false;
        }
        self.deadline = None;
        match &mut self.state {
            State::Established(established) if phase == Phase::AwaitContinue => {
                established.stop_awaiting_continue();
            }
            State::Connecting(connecting, _) => {
                let status = connecting.failed_status();
                self.fail(reactor, status, phase, ErrorKind::Timeout(phase).into());
            }
            State::Disconnected | State::Failed(..) => {}
            State::Established(_) => {
                let error = ErrorKind::Timeout(phase).into();
                self.fail(reactor, Status::ConnectionError, phase, error);
            }
        }
        true
    }

    /// Whether the present deadline has passed.
    #[cfg(feature = "agent")]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline.at <= now)
    }

    /// Whether it waits for its own side's content, and for nobody else.
    #[cfg(feature = "agent")]
    pub(crate) fn awaits_source(&self) -> bool {
        matches!(&self.state, State::Established(it) if it.awaits_source() && self.deadline.is_none())
    }

    /// Begins the present deadline anew: whoever paused did not wait for the peer.
    #[cfg(feature = "agent")]
    pub(crate) fn restart_deadline(&mut self, now: Instant) {
        self.deadline = None;
        self.rearm(now, false);
    }

    /// Arms the deadline of the phase that is waited in. A phase keeps its deadline; only the stall
    /// deadlines start anew with every byte.
    pub(super) fn rearm(&mut self, now: Instant, progressed: bool) {
        let phase = match &self.state {
            State::Disconnected | State::Failed(..) => None,
            State::Connecting(connecting, _) => Some(connecting.phase()),
            State::Established(established) => established.awaits(),
        };
        let Some(phase) = phase else {
            self.deadline = None;
            return;
        };
        let stalls = matches!(
            phase,
            Phase::SendHead | Phase::SendBody | Phase::ReceiveBody
        );
        if let Some(deadline) = self.deadline
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
        // What lies beyond the end of time is never due.
        let at = limit.and_then(|limit| now.checked_add(limit));
        self.deadline = at.map(|at| Deadline { phase, at });
    }

    /// When this connection wants to be driven again. `now` is active time, and so is the answer.
    pub(crate) fn poll_at(&self, now: Instant) -> PollAt {
        let due = match &self.state {
            State::Disconnected | State::Failed(..) => return PollAt::Idle,
            State::Established(established) if established.has_content_ready() => {
                return PollAt::Now;
            }
            State::Established(established) if established.awaits_source() => {
                Some(now + ASK_SOURCE_AGAIN)
            }
            State::Established(_) => None,
            State::Connecting(connecting, _) => connecting.due(),
        };
        let deadline = self.deadline.map(|deadline| deadline.at);
        match due.into_iter().chain(deadline).min() {
            Some(at) if at <= now => PollAt::Now,
            Some(at) => PollAt::At(at),
            None => PollAt::Io,
        }
    }
}
