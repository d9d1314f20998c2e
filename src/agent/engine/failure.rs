//! What the error of a transfer says: where it failed, how many bytes moved, and whether sending the same
//! request again may help.

use url::Url;

use super::Engine;
use crate::agent::request_head;
use crate::agent::transfer::Transfer;
use crate::error::{Error, ErrorKind, NetworkFault, RequestRefused};

impl Engine {
    /// Completes an error. That of a connection lacks only the URL.
    pub(super) fn describe(&self, transfer: &mut Transfer, error: Error) -> Error {
        let error = match error.origin() {
            Some(_) => error,
            None => self.place(transfer, error),
        };
        error.for_url(|| shown_url(&transfer.request.url))
    }

    /// Adds origin, phase, bytes and whether a retry may help.
    fn place(&self, transfer: &mut Transfer, error: Error) -> Error {
        self.note_moved(transfer);
        let (sent, received) = transfer.attempts.moved;
        let is_harmless = sent == 0 || transfer.is_repeatable();
        let retryable = may_pass(transfer, &error) && is_harmless;
        let url = &transfer.request.url;
        let origin = format!("{}://{}", url.scheme(), request_head::authority(url));
        error
            .at(self.phase_of(transfer), &origin)
            .moved(sent, received)
            .retryable(retryable)
    }
}

/// Whether the cause of an error may be gone when the request is sent again.
fn may_pass(transfer: &Transfer, error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Status(code) => {
            let mut statuses = transfer.settings.retries.statuses.iter();
            statuses.any(|status| status.as_u16() == *code)
        }
        ErrorKind::Network(fault) => {
            *fault != NetworkFault::System && !fault.may_be_rule_of_browser()
        }
        ErrorKind::Timeout(_)
        | ErrorKind::TotalTimeout(_)
        | ErrorKind::Truncated { .. }
        | ErrorKind::Refused(RequestRefused::CircuitOpen | RequestRefused::Suspended) => true,
        _ => error.is_retryable(),
    }
}

/// A URL without what may be secret: credentials, query and fragment.
fn shown_url(url: &Url) -> String {
    let authority = request_head::authority(url);
    format!("{}://{authority}{}", url.scheme(), url.path())
}
