//! The response of a transfer's present hop: how much of it has arrived, where its content goes, and what
//! follows its end.

use std::sync::Arc;

use bytes::Bytes;

use super::next_action::NextAction;
use crate::agent::download::{is_same_version, strong, validator};
use crate::agent::response::{ConnectionInfo, Timings};
use crate::error::{Error, ErrorKind};
use crate::limits::Limit;
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::coding::Decoder;
use crate::semantics::range::ContentRange;

/// The most content that is read of a response that is not wanted, so that its connection can serve again.
pub(crate) const MAX_DISCARDED_BYTES: u64 = 64 * 1024;

/// The response of the present hop.
#[derive(Debug)]
pub(crate) struct ResponseState {
    pub(crate) head: Arc<ResponseHead>,
    pub(crate) content_length: Option<u64>,
    pub(crate) sink: Sink,
    /// What is done when the response has ended.
    pub(crate) planned: NextAction,
    pub(crate) decoder: Option<Box<Decoder>>,
    /// Read from the connection and not decoded yet.
    pub(crate) undecoded: Bytes,
    /// Content bytes received, before decoding; and after.
    pub(crate) received: u64,
    pub(crate) decoded: u64,
    pub(crate) timings: Timings,
    pub(crate) connection: Option<ConnectionInfo>,
    pub(crate) trailers: FieldLines,
    pub(crate) from_cache: bool,
    /// What was delivered, for a recorder.
    pub(crate) recorded: Option<Collected>,
}

/// Where the content goes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Into memory. A single piece is not copied.
    Collect(Collected),
    Stream,
    File,
    EventStream,
    /// Nowhere: it is read so that the connection can serve again.
    Discard,
}

/// Content gathered in memory.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    first: Bytes,
    rest: Vec<u8>,
}

/// A response that was cut, and the validator of its version, so that the rest can be asked for.
#[derive(Debug)]
pub(crate) struct PartialResponse {
    /// The response as far as it arrived.
    pub(crate) response: Box<ResponseState>,
    pub(crate) if_range: String,
}

impl PartialResponse {
    /// `None`: the version of the content cannot be named.
    pub(crate) fn of(response: ResponseState) -> Option<Self> {
        let if_range = validator(&response.head.fields).as_ref().and_then(strong)?;
        Some(Self {
            response: Box::new(response),
            if_range,
        })
    }

    /// Whether a response continues where this one was cut (RFC 9110 §15.3.7): the same version of the
    /// content, from the right place.
    pub(crate) fn is_continued_by(&self, head: &ResponseHead) -> bool {
        let range = head.fields.get("content-range");
        let range = range.and_then(ContentRange::parse);
        let Some(ContentRange::Part { range, complete }) = range else {
            return false;
        };
        let total = self.response.total();
        head.status.as_u16() == 206
            && range.start == self.response.received
            && (total.is_none() || complete.is_none() || total == complete)
            // A part that ends before the content cannot complete it.
            && complete.or(total).is_none_or(|total| total == range.end)
            && is_same_version(&head.fields, &self.if_range)
    }
}

impl Collected {
    pub(crate) fn push(&mut self, piece: Bytes, expected: usize) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
            return;
        }
        if self.rest.is_empty() {
            self.rest
                .reserve(expected.max(self.first.len() + piece.len()));
            self.rest.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.rest.extend_from_slice(&piece);
    }

    /// The content so far. It stays here, too.
    #[cfg(feature = "cache")]
    pub(crate) fn share(&mut self) -> Bytes {
        self.first = self.take();
        self.first.clone()
    }

    pub(crate) fn take(&mut self) -> Bytes {
        if self.rest.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.rest).into()
        }
    }
}

impl ResponseState {
    /// The length of the complete content, if it is known.
    fn total(&self) -> Option<u64> {
        let range = self.head.fields.get("content-range");
        match range.and_then(ContentRange::parse) {
            Some(ContentRange::Part { complete, .. }) => complete,
            _ => self.content_length,
        }
    }

    /// A response of which only the head has arrived, and whose content is not wanted so far.
    pub(crate) fn new(head: Arc<ResponseHead>, planned: NextAction) -> Self {
        Self {
            head,
            planned,
            content_length: None,
            sink: Sink::Discard,
            decoder: None,
            undecoded: Bytes::new(),
            received: 0,
            decoded: 0,
            timings: Timings::default(),
            connection: None,
            trailers: FieldLines::new(),
            from_cache: false,
            recorded: None,
        }
    }

    /// Whether its content is read only so that the connection can serve again.
    pub(crate) fn is_discarded(&self) -> bool {
        matches!(self.sink, Sink::Discard)
    }

    /// Continues a response that was cut: to the caller both are one response.
    pub(crate) fn continue_from(&mut self, partial: PartialResponse) {
        let begun = *partial.response;
        self.head = begun.head;
        self.content_length = begun.content_length;
        self.received = begun.received;
        self.decoded = begun.decoded;
        self.sink = begun.sink;
    }

    /// Whether the caller has seen content of it.
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.sink, Sink::Stream) && self.decoded > 0
    }
}

/// The error of content that is longer than `most`.
pub(crate) fn body_limit(most: u64) -> Error {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    ErrorKind::Limit(Limit::BodyBytes(most)).into()
}
