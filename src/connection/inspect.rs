//! Getters for a connection and its latest exchange.

#[cfg(feature = "agent")]
use std::time::Duration;

#[cfg(feature = "agent")]
use super::Timestamps;
use super::exchange::Response;
use super::status::{Status, Transition};
use super::target::Target;
use super::{Connection, State};
#[cfg(feature = "agent")]
use crate::clock::Instant;
use crate::error::Error;
use crate::phase::Phase;
use crate::proto::{FieldLines, ResponseHead};
use crate::transport::link::Link;
use crate::transport::reactor::Reactor;

impl Connection {
    pub(crate) fn status(&self) -> Status {
        match &self.state {
            State::Disconnected => Status::Disconnected,
            State::Connecting(_, Some(_)) => Status::Requesting,
            State::Connecting(connecting, None) => connecting.status(),
            State::Failed(status, _) => *status,
            State::Established(_) => self.exchange.status(),
        }
    }

    /// The phase of the connection; `None` when it does nothing.
    #[cfg(feature = "agent")]
    pub(crate) fn phase(&self) -> Option<Phase> {
        match &self.state {
            State::Connecting(connecting, _) => Some(connecting.phase()),
            State::Established(established) if established.awaits_source(&self.exchange) => {
                Some(Phase::SendBody)
            }
            State::Established(established) => established.awaits(&self.exchange),
            State::Disconnected | State::Failed(..) => None,
        }
    }

    /// The error of a failed connection.
    pub(crate) fn error(&self) -> Option<&Error> {
        match &self.state {
            State::Failed(_, error) => Some(error),
            State::Disconnected | State::Connecting(..) | State::Established(_) => None,
        }
    }

    /// Sets how the browser carries out the next requests.
    #[cfg(all(target_family = "wasm", feature = "agent"))]
    pub(crate) fn set_fetch_options(&mut self, options: crate::transport::fetch::FetchOptions) {
        self.config.fetch = options;
        if let State::Established(established) = &mut self.state {
            established.set_fetch_options(options);
        }
    }

    /// See [`Established::content_sent`](super::established::Established::content_sent).
    #[cfg(all(target_family = "wasm", feature = "agent"))]
    pub(crate) fn content_sent(&self) -> Option<u64> {
        match &self.state {
            State::Established(established) => established.content_sent(),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => None,
        }
    }

    pub(crate) fn next_transition(&mut self) -> Option<Transition> {
        self.transitions.next()
    }

    pub(crate) fn next_interim(&mut self) -> Option<ResponseHead> {
        self.exchange.interim.pop_front()
    }

    /// The next response head that a proxy sent for the tunnel: interim responses, then the final one.
    #[cfg(feature = "agent")]
    pub(crate) fn next_proxy_head(&mut self) -> Option<ResponseHead> {
        self.proxy_heads.pop_front()
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        self.exchange.response.as_ref()
    }

    /// Takes the response head out. After this, the length of the content is no longer known here.
    #[cfg(feature = "agent")]
    pub(crate) fn take_response(&mut self) -> Option<Response> {
        self.exchange.response.take()
    }

    pub(crate) fn trailers(&self) -> &FieldLines {
        &self.exchange.trailers
    }

    /// Whether the stream now belongs to another protocol.
    pub(crate) fn is_switched(&self) -> bool {
        matches!(&self.state, State::Established(_)) && self.exchange.is_switched()
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Established(established) => established.link(),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => None,
        }
    }

    /// Whether the socket has unread bytes, as of the latest events.
    pub(crate) fn is_readable(&self, reactor: &mut Reactor) -> bool {
        self.link().is_some_and(|link| link.is_readable(reactor))
    }

    /// Whether [`drive`](Self::drive) would do nothing until the peer sends something. `false` is also
    /// possible when it would do nothing.
    pub(crate) fn waits_for_peer(&self, reactor: &mut Reactor) -> bool {
        match &self.state {
            State::Established(established) => established.waits_for_peer(&self.exchange, reactor),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => false,
        }
    }

    /// Whether the connection may go on without an event of a socket and before [`poll_at`](Self::poll_at), because it
    /// waits for another thread. Then every poll must drive it.
    #[cfg(feature = "agent")]
    pub(crate) fn awaits_thread(&self) -> bool {
        match &self.state {
            State::Connecting(connecting, _) => connecting.awaits_thread(),
            State::Disconnected | State::Established(_) | State::Failed(..) => false,
        }
    }

    /// Whether the connection is idle, and its peer neither sent anything nor closed it, as of the latest events.
    #[cfg(feature = "agent")]
    pub(crate) fn is_idle_and_silent(&self, reactor: &mut Reactor) -> bool {
        self.exchange.is_idle() && self.waits_for_peer(reactor)
    }

    /// HTTP bytes sent and received for the latest request.
    pub(crate) fn moved(&self) -> (u64, u64) {
        self.exchange.bytes()
    }

    /// When each step of the connection and of the latest exchange was completed, in the clock's time.
    #[cfg(feature = "agent")]
    pub(crate) fn timestamps(&self) -> Timestamps {
        self.times.with(self.exchange.times)
    }

    /// When the last response ended, by the clock. `None` before the first one.
    #[cfg(feature = "agent")]
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    /// How long the server keeps the connection while it is idle, if its last response said so.
    #[cfg(feature = "agent")]
    pub(crate) fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive
    }

    /// The number of requests sent on the current connection.
    pub(crate) fn requests(&self) -> u32 {
        match &self.state {
            State::Established(established) => established.requests(),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => 0,
        }
    }

    /// What is expected from the peer.
    pub(crate) fn expects(&self) -> Expects {
        match &self.state {
            State::Connecting(..) => Expects::Answer,
            State::Established(established) => match established.awaits(&self.exchange) {
                Some(Phase::ReceiveBody) => Expects::Content,
                Some(_) => Expects::Answer,
                None => Expects::Nothing,
            },
            State::Disconnected | State::Failed(..) => Expects::Nothing,
        }
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expects {
    Nothing,
    /// A connection, a handshake or a head.
    Answer,
    Content,
}
