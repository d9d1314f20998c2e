//! How a connection reconnects for a request by itself, once: when it was reused, and the server closed it
//! before the response began, or is likely to have closed it.
//!
//! A server may close an idle connection at any time, also while a request is being sent (RFC 9112 §9.3.1).
//! The request is then sent again, once, over a new connection. That requires that nothing of it was sent, or
//! that sending it twice does no harm: its method is idempotent (RFC 9110 §9.2.2), or it has an
//! `Idempotency-Key`. It also requires content that can be sent twice: not from a reader, unless nothing was
//! read from it. A connection that is [outdated](keep_alive::is_outdated) is replaced before anything is sent.
//! The status stays `Requesting` meanwhile.

use std::mem;

use super::{Connection, State};
use crate::clock::Instant;
use crate::connection::connecting::Connecting;
use crate::connection::content::RequestBody;
use crate::connection::exchange::Replay;
use crate::connection::status::Status;
use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::proto::RequestHead;
use crate::semantics::keep_alive;
use crate::transport::reactor::Reactor;

/// A request that is sent as soon as the connection is there.
#[derive(Debug)]
pub(super) struct Resend {
    pub(super) head: RequestHead,
    pub(super) body: RequestBody,
}

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
        self.send_anew(reactor, replay, now)
    }

    /// Reconnects for a request that was just accepted, if the server may have closed the connection by now.
    pub(crate) fn renew_if_outdated(&mut self, reactor: &mut Reactor, now: Instant) {
        let Some(since) = self.idle_since else {
            return;
        };
        let idle = reactor.clock().now().saturating_duration_since(since);
        if keep_alive::is_outdated(self.keep_alive, idle, self.exchange.is_repeatable)
            && let Some(replay) = self.exchange.replay.take()
        {
            self.send_anew(reactor, replay, now);
        }
    }

    /// Sends the request over a new connection. Returns `false` if that is not possible.
    fn send_anew(&mut self, reactor: &mut Reactor, replay: Replay, now: Instant) -> bool {
        let Some(target) = &self.target else {
            return false;
        };
        let Some(body) = replay.body.or_else(|| self.exchange.take_unsent_content()) else {
            return false;
        };
        let Ok(connecting) = Connecting::begin(reactor, target, &self.config) else {
            return false;
        };
        let head = replay.head;
        if let State::Established(established) = mem::take(&mut self.state) {
            established.close(reactor);
        }
        self.state = State::Connecting(connecting, Some(Box::new(Resend { head, body })));
        self.exchange.restart();
        self.exchange.deadline = None;
        self.idle_since = None;
        self.rearm(now, true);
        true
    }
}
