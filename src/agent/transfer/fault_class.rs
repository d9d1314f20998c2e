//! What an error or a status says about the connection, the network or the origin. The decisions about it are in
//! `decide`.

use http::StatusCode;

use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::phase::Phase;
use crate::semantics::retry::Outcome;

/// Whether an error cut an exchange that may have been going well.
pub(crate) fn is_cut(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Network(_) | ErrorKind::Truncated { .. } | ErrorKind::Timeout(_)
    )
}

/// Whether it was this side's system that failed, and no server was asked.
pub(crate) fn is_own_fault(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network(NetworkFault::System))
}

/// Whether a status or an error says that the origin itself does not work, so that another one of the
/// request's list is better.
pub(crate) fn blames_origin(outcome: Result<StatusCode, &Error>) -> bool {
    match outcome {
        Ok(status) => matches!(status.as_u16(), 502..=504),
        Err(error) => {
            is_transient(Outcome::of(error))
                && !is_own_fault(error)
                && matches!(
                    error.phase(),
                    Some(Phase::Resolve | Phase::Connect | Phase::Tunnel | Phase::TlsHandshake)
                )
        }
    }
}

pub(super) fn is_transient(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed {
            transient: true,
            ..
        }
    )
}

/// Whether the error is that of a kept-alive connection that the server had closed meanwhile
/// (RFC 9112 §9.3.1), and sending the request again can do no harm.
pub(super) fn is_stale(error: &Error, is_repeatable: bool, is_sent: bool) -> bool {
    let kind = error.kind();
    let is_closed = matches!(
        kind,
        ErrorKind::Network(NetworkFault::Closed | NetworkFault::Broken)
    );
    let is_unexpected = matches!(kind, ErrorKind::Peer(PeerMisbehaved::UnexpectedData));
    if !is_sent {
        // The bytes that the error counts are those of the exchange before.
        return is_closed || is_unexpected;
    }
    let is_stale =
        is_closed && error.bytes_received() == 0 || is_unexpected && error.bytes_sent() == 0;
    is_stale && (error.bytes_sent() == 0 || is_repeatable)
}
