//! [`Exchange`]: the state of one request and its response.
//!
//! It owns what ends with the exchange: request content, response head, interim heads, trailers,
//! content that waits for the caller, byte counts, times and the deadline. What lives longer (target, TLS,
//! the socket and its buffers) belongs to the connection. An HTTP/1.1 connection has one exchange at a
//! time, but nothing here depends on that.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::content::RequestBody;
use super::status::Status;
use super::timings::{Deadline, ExchangeTimes};
use crate::error::Error;
use crate::proto::{FieldLines, RequestHead, ResponseHead};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Whether the request can be sent again without harm: its method is idempotent (RFC 9110 §9.2.2), or
    /// it has a key by which the server recognises it.
    pub(super) is_repeatable: bool,
    pub(super) stage: Stage,
    /// Request content that is not sent yet.
    pub(super) content: RequestContent,
    pub(super) response: Option<Response>,
    pub(super) interim: VecDeque<ResponseHead>,
    pub(super) trailers: FieldLines,
    /// The length of the request head as it is sent.
    pub(super) head_bytes: u64,
    /// HTTP bytes of the request that were written to the network.
    pub(super) sent: u64,
    /// HTTP bytes of the response that were received.
    pub(super) received: u64,
    pub(super) times: ExchangeTimes,
    pub(super) deadline: Option<Deadline>,
    /// What to send again if the connection turns out to be stale.
    pub(super) replay: Option<Replay>,
    /// The URL of the response, if the browser followed redirects to it.
    #[cfg(target_family = "wasm")]
    pub(super) final_url: Option<String>,
}

/// The progress of an exchange.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// No request was sent, or the response is complete.
    #[default]
    Idle,
    /// The request is being sent, or its response head awaited.
    Requesting,
    /// The response head was received; its content follows.
    Receiving(Receiving),
    /// The connection now belongs to another protocol (RFC 9110 §7.8, §9.3.6).
    Switched,
}

/// Request content that is not sent yet.
#[derive(Debug, Default)]
pub(super) enum RequestContent {
    /// The request has no content, or all of it was sent.
    #[default]
    Nothing,
    Source(RequestBody),
    /// The source reported that it has no bytes yet.
    SourceWaits(RequestBody),
}

/// Response content between the connection and the caller.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// Decoded content that the caller has not read yet.
    pub(super) ready: Bytes,
    /// What follows `ready`.
    pub(super) end: EndOfContent,
    /// Bytes of content decoded so far.
    pub(super) decoded: u64,
}

/// What follows the content in `ready`.
#[derive(Debug, Default)]
pub(super) enum EndOfContent {
    /// Not known yet: more content, or the end.
    #[default]
    Open,
    /// The response is complete.
    End,
    Fault(Error),
}

impl Receiving {
    /// Whether the caller gets nothing until more is received.
    pub(super) fn is_waiting(&self) -> bool {
        self.ready.is_empty() && matches!(self.end, EndOfContent::Open)
    }
}

/// The part of the response that was received so far.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Arc<ResponseHead>,
    pub(crate) content_length: Option<u64>,
    pub(crate) is_chunked: bool,
    /// The URL of the response, if the browser followed redirects to it.
    #[cfg(target_family = "wasm")]
    #[cfg_attr(
        not(feature = "agent"),
        allow(dead_code, reason = "the agent reports it")
    )]
    pub(crate) final_url: Option<String>,
}

/// A request that may be sent again.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) head: RequestHead,
    /// A copy of its content. `None`: the content comes from a reader, and can only be sent again while nothing
    /// was read from it.
    pub(super) body: Option<RequestBody>,
}

impl Exchange {
    /// Begins a new request, with this content to send. It replaces the previous exchange.
    pub(super) fn begin(&mut self, head: &RequestHead, content: RequestContent) {
        self.is_repeatable = head.method.is_idempotent() || head.fields.contains("idempotency-key");
        self.stage = Stage::Requesting;
        self.content = content;
        self.response = None;
        self.trailers = FieldLines::new();
        self.restart();
    }

    /// Takes the content back if nothing was read from its source.
    pub(super) fn take_unsent_content(&mut self) -> Option<RequestBody> {
        if self.sent > 0 {
            return None;
        }
        match std::mem::take(&mut self.content) {
            RequestContent::Source(body) => Some(body),
            content => {
                self.content = content;
                None
            }
        }
    }

    /// Resets what was sent and received, because the request is sent again.
    pub(super) fn restart(&mut self) {
        self.interim.clear();
        self.sent = 0;
        self.received = 0;
    }

    /// Drops what is needed only while the exchange is under way, because it or its connection ended. The
    /// received part of the response stays.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Idle;
        self.content = RequestContent::Nothing;
        self.deadline = None;
    }

    /// The status of a connection that carries this exchange.
    pub(super) fn status(&self) -> Status {
        match &self.stage {
            Stage::Idle | Stage::Switched => Status::Connected,
            Stage::Requesting => Status::Requesting,
            Stage::Receiving(_) => Status::Body,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    pub(super) fn is_receiving(&self) -> bool {
        matches!(self.stage, Stage::Receiving(_))
    }

    pub(super) fn is_switched(&self) -> bool {
        matches!(self.stage, Stage::Switched)
    }

    /// Whether content, its end or its fault waits for the caller. No event will report that again.
    pub(super) fn has_content_ready(&self) -> bool {
        matches!(&self.stage, Stage::Receiving(receiving) if !receiving.is_waiting())
    }

    /// Whether the response is complete and the caller has read all its content.
    pub(super) fn is_content_taken(&self) -> bool {
        matches!(
            &self.stage,
            Stage::Receiving(Receiving { ready, end: EndOfContent::End, .. }) if ready.is_empty()
        )
    }

    /// The content that the caller has not read yet.
    pub(super) fn ready(&self) -> &[u8] {
        match &self.stage {
            Stage::Receiving(receiving) => &receiving.ready,
            Stage::Idle | Stage::Requesting | Stage::Switched => &[],
        }
    }

    /// The fault that ends the content, once the caller has read everything before it.
    pub(super) fn fault(&self) -> Option<Error> {
        match &self.stage {
            Stage::Receiving(Receiving {
                ready,
                end: EndOfContent::Fault(error),
                ..
            }) if ready.is_empty() => Some(error.clone()),
            _ => None,
        }
    }

    /// Whether the source of the request's content had no bytes when it was read last.
    #[cfg(target_family = "wasm")]
    pub(super) fn source_waits(&self) -> bool {
        matches!(self.content, RequestContent::SourceWaits(_))
    }

    /// HTTP bytes sent and received.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.sent, self.received)
    }
}
