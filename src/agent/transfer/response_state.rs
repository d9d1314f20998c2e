//! The response of a transfer's present hop: how far it has come, where its content goes, and what
//! follows its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::agent::event::RetryCause;
use crate::agent::response::{ConnectionInfo, Timings};
use crate::error::Error;
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::coding::Decoder;
use crate::semantics::redirect::Redirection;

/// The response of the present hop.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Arc<ResponseHead>,
    pub(crate) content_length: Option<u64>,
    pub(crate) sink: Sink,
    pub(crate) then: Then,
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
    /// Kept; whole pieces are not copied unless there are several.
    Collect(Collected),
    Stream,
    File,
    EventStream,
    /// Read and forgotten, so that the connection can serve again.
    Discard,
}

/// Content gathered in memory.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    first: Bytes,
    rest: Vec<u8>,
}

/// What follows the end of the response.
#[derive(Debug)]
pub(crate) enum Then {
    Deliver,
    Redirect(Box<Redirection>),
    /// Send again at once, with what was learned.
    Again,
    /// The file was whole before.
    Commit,
    /// So was what had come before the connection was lost.
    Kept,
    Retry(Duration, RetryCause),
    Fail(Error),
    #[cfg(feature = "cache")]
    Revalidated,
    #[cfg(feature = "cache")]
    ServeStale,
}

/// Content that came before its connection was lost, and what its version is called.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The response as far as it came.
    pub(crate) answer: Box<Answer>,
    pub(crate) if_range: String,
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

    /// The content so far, which stays.
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

impl Answer {
    /// Whether its content is read for the connection's sake only.
    pub(crate) fn is_discarded(&self) -> bool {
        matches!(self.sink, Sink::Discard)
    }

    /// Goes on behind what was kept: to the caller it is one response.
    pub(crate) fn go_on(&mut self, kept: Kept) {
        let begun = *kept.answer;
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
