//! What follows from a transfer's state without changing it: whether it may be repeated, held back, continued or sent
//! elsewhere, and what it asks for.

use super::Transfer;
use super::state::Sink;
use crate::agent::output::Output;
use crate::agent::pool::Usage;
use crate::agent::validators::{strong, validator};
use crate::semantics::coding;

impl Transfer {
    /// Whether sending it again does no harm: its method is idempotent (RFC 9110 §9.2.2), or it has a key by
    /// which the server recognises it.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.request.method.is_idempotent() || self.request.fields.contains("idempotency-key")
    }

    /// Whether it can be sent again, and without harm.
    pub(crate) fn may_repeat(&self) -> bool {
        self.is_repeatable() && self.request.payload.can_be_sent()
    }

    /// Whether the content is held back until the server asks for it (RFC 9110 §10.1.1).
    pub(crate) fn wants_continue(&self) -> bool {
        let payload = &self.request.payload;
        if !self.request.expects_continue || payload.is_none() {
            return false;
        }
        match self.settings.expect_continue {
            None => false,
            Some(least) => {
                payload.has_files || payload.length().is_none_or(|length| length >= least)
            }
        }
    }

    /// Whether a pause holds back its request and its response. It does not hold back the handshake of a
    /// WebSocket, because others may wait for that.
    pub(crate) fn is_held_back(&self) -> bool {
        self.paused && !self.request.output.is_web_socket()
    }

    /// Which limits of the pool its connection counts against. A server cannot change it.
    pub(crate) fn usage(&self) -> Usage {
        match self.request.output {
            Output::EventStream => Usage::Stream,
            #[cfg(feature = "websocket")]
            Output::WebSocket(_) => Usage::WebSocket,
            _ if self.settings.long_lived => Usage::Stream,
            _ => Usage::Exchange,
        }
    }

    /// Whether content codings are asked for. A download that may be continued counts bytes as they
    /// are on the wire.
    pub(crate) fn asks_for_coding(&self) -> bool {
        self.settings.decompress
            && !matches!(self.request.output, Output::File(_) | Output::EventStream)
            && !self.request.fields.contains("range")
            && self.partial.is_none()
    }

    /// The value of `Accept-Encoding`; empty: none is sent.
    pub(crate) fn accept_encoding(&self) -> &'static str {
        match &self.request.output {
            _ if !self.asks_for_coding() => "",
            Output::Stream | Output::Messages(_) => coding::accept_encoding_of_stream(),
            _ => coding::accept_encoding(),
        }
    }

    /// Whether it can be sent to another origin of its list.
    pub(crate) fn has_next_origin(&self) -> bool {
        let standby = self.attempts.standby.as_ref();
        self.can_change_origin() && standby.is_some_and(|standby| !standby.left.is_empty())
    }

    /// Whether it may be sent to another origin at all.
    pub(crate) fn can_change_origin(&self) -> bool {
        self.may_repeat() && self.attempts.history.is_empty()
    }

    /// Whether the rest of a response that was cut could be asked for (RFC 9110 §13.1.5).
    pub(crate) fn can_continue(&self) -> bool {
        self.request.method == http::Method::GET
            && !self.request.fields.contains("range")
            && self.state.response().is_some_and(|response| {
                response.decoder.is_none()
                    && response.received > 0
                    && matches!(response.sink, Sink::Collect(_) | Sink::Stream)
                    && matches!(response.status().as_u16(), 200 | 206)
                    && validator(response.fields())
                        .as_ref()
                        .and_then(strong)
                        .is_some()
            })
    }
}
