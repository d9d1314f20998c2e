//! How a connection fails: the status that follows, and the contents of its error.

use super::{Connection, State};
use crate::connection::status::Status;
use crate::connection::target::Target;
use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::phase::Phase;
use crate::transport::reactor::Reactor;

impl Connection {
    pub(super) fn fail_established(&mut self, reactor: &mut Reactor, error: Error) -> Error {
        let phase = match &self.state {
            State::Established(established) => established.failed_phase(&self.exchange),
            State::Disconnected | State::Connecting(..) | State::Failed(..) => None,
        };
        // A connection that was idle failed before the next request.
        let phase = phase.unwrap_or(Phase::SendHead);
        self.fail(reactor, Status::ConnectionError, phase, error)
    }

    pub(super) fn fail(
        &mut self,
        reactor: &mut Reactor,
        status: Status,
        phase: Phase,
        error: Error,
    ) -> Error {
        let error = self.describe(error, phase);
        let from = self.status();
        self.release(reactor);
        self.state = State::Failed(status, error.clone());
        self.transitions.note(from, status);
        error
    }

    /// Adds the step and the origin of this connection to an error.
    pub(super) fn describe(&self, error: Error, phase: Phase) -> Error {
        let (sent, received) = self.exchange.bytes();
        let passes = matches!(
            error.kind(),
            ErrorKind::Network(_) | ErrorKind::Timeout(_) | ErrorKind::Truncated { .. }
        );
        let passes = passes
            && !matches!(error.kind(), ErrorKind::Network(fault) if fault.may_be_rule_of_browser());
        // If the peer sent something before the request was sent, only this connection was unusable.
        let passes = passes
            || sent == 0
                && matches!(
                    error.kind(),
                    ErrorKind::Peer(PeerMisbehaved::UnexpectedData)
                );
        let harmless = sent == 0 || self.exchange.is_repeatable;
        let target = self.target.as_ref().filter(|_| self.asks_proxy);
        error
            .at(phase, &self.origin)
            .through(target.and_then(Target::proxy).as_deref())
            .moved(sent, received)
            .retryable(passes && harmless)
    }

    /// Refuses a stream of the caller's, which a page cannot have.
    #[cfg(target_family = "wasm")]
    pub(crate) fn refuse_stream(&mut self, reactor: &mut Reactor) {
        self.close(reactor);
        let error = crate::error::Misuse::NotOnWeb("a stream of the caller").into();
        self.fail(reactor, Status::CantConnect, Phase::Connect, error);
    }

    /// Reports a failure of the layer below the connection.
    pub(crate) fn fail_system(&mut self, reactor: &mut Reactor, error: Error) -> Error {
        let status = match &self.state {
            State::Disconnected | State::Failed(..) => return error,
            State::Connecting(connecting, _) => connecting.failed_status(),
            State::Established(_) => Status::ConnectionError,
        };
        let phase = match &self.state {
            State::Connecting(connecting, _) => connecting.phase(),
            _ => Phase::ReceiveBody,
        };
        debug_assert!(matches!(
            error.kind(),
            ErrorKind::Network(NetworkFault::System)
        ));
        self.fail(reactor, status, phase, error)
    }
}
