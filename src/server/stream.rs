//! [`ResponseStream`]: response content that is sent while it is produced, with back-pressure.

use std::sync::Arc;

use bytes::Bytes;

use super::pipe::{Pipe, SendError};
use crate::proto::FieldLines;

/// The content of a response that is being sent. It is sent in chunks (to HTTP/1.0 clients until the
/// connection closes). It can be kept and sent to another thread. If it is dropped before
/// [`finish`](Self::finish), the content is cut short, and the client can see that.
#[derive(Debug)]
pub struct ResponseStream {
    pipe: Option<Arc<Pipe>>,
}

impl ResponseStream {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe: Some(pipe) }
    }

    pub(super) fn nowhere() -> Self {
        Self { pipe: None }
    }

    /// Queues a piece. Never waits. An empty piece does nothing.
    ///
    /// # Errors
    /// [`SendError::Full`] when the client reads too slowly: the piece was not queued.
    /// [`SendError::Closed`] when the client has gone.
    pub fn write(&mut self, piece: impl Into<Bytes>) -> Result<(), SendError> {
        match &self.pipe {
            Some(pipe) => pipe.push(piece.into(), None),
            None => Err(SendError::Closed),
        }
    }

    /// How many bytes fit into the queue now; 0 when the client has gone.
    pub fn room(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.room())
    }

    /// How many bytes wait for the client.
    pub fn queued(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.queued())
    }

    /// Whether the client has gone.
    pub fn is_closed(&self) -> bool {
        self.pipe.as_ref().is_none_or(|pipe| pipe.is_closed())
    }

    /// Ends the content.
    pub fn finish(mut self) {
        if let Some(pipe) = self.pipe.take() {
            pipe.finish(FieldLines::new());
        }
    }

    /// Ends the content with a trailer section (RFC 9110 §6.5). Content that is not chunked ends without it.
    /// Fields that may not be trailers (RFC 9110 §6.5.1) cut the content short and are reported.
    pub fn finish_with(mut self, trailers: FieldLines) {
        if let Some(pipe) = self.pipe.take() {
            pipe.finish(trailers);
        }
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            pipe.break_off();
        }
    }
}
