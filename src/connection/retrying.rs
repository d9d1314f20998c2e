//! The one retry that a connection makes by itself: when it was reused, and the server closed it before the
//! response began.
//!
//! A server may close an idle connection at any time, also while a request is being sent (RFC 9112 §9.3.1).
//! The request is then sent again, once, over a new connection. That requires that nothing of it was sent
//! or its method is idempotent (RFC 9110 §9.2.2) or it has an `Idempotency-Key`, and that its content can be sent twice, so it must not
//! come from a reader. The status stays `Requesting` during the retry.

use std::mem;

use super::{Connection, State};
use crate::clock::Instant;
use crate::connection::connecting::Connecting;
use crate::connection::status::Status;
use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::transport::reactor::Reactor;

impl Connection {
    /// Reconnects for the current request, if `error` is that of a stale connection and sending the request
    /// again is safe. Returns `false` if the error must be reported.
    pub(super) fn retry_stale(
        &mut self,
        reactor: &mut Reactor,
        error: &Error,
        now: Instant,
    ) -> bool {
        if self.status() != Status::Requesting {
            return false;
        }
        let Some(replay) = self.exchange.replay.take() else {
            return false;
        };
        let (sent, received) = self.exchange.bytes();
        let stale = match error.kind() {
            ErrorKind::Network(NetworkFault::Closed | NetworkFault::Broken) => received == 0,
            ErrorKind::Peer(PeerMisbehaved::UnexpectedData) => sent == 0,
            _ => false,
        };
        if !stale || sent > 0 && !self.exchange.is_repeatable {
            return false;
        }
        let Some(Ok(connecting)) = self
            .target
            .as_ref()
            .map(|target| Connecting::begin(reactor, target, &self.config))
        else {
            return false;
        };
        if let State::Established(established) = mem::take(&mut self.state) {
            established.close(reactor);
        }
        self.state = State::Connecting(connecting, Some(Box::new(replay)));
        self.exchange.restart();
        self.exchange.deadline = None;
        self.rearm(now, true);
        true
    }
}
