//! [`Pipe`]: a bounded queue of bytes from a producer, on any thread, to a connection. Neither side
//! waits. Streams, event streams, WebSockets and topics all send through a pipe.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::wake_queue::{ConnectionId, WakeQueue};
use crate::proto::FieldLines;

/// How many bytes of a queue's capacity one piece takes up at least: about the memory that it needs besides its
/// bytes.
const PIECE_BYTES: usize = 64;

/// How many pieces fit into any queue, however small its capacity is.
const LEAST_PIECES: usize = 16;

/// See the module's documentation.
pub(super) struct Pipe {
    inner: Mutex<Inner>,
    wake_queue: Arc<WakeQueue>,
    id: ConnectionId,
    capacity: usize,
    beat: Option<Beat>,
    /// Bytes that the connection took and the system has not taken yet.
    unsent: AtomicUsize,
    /// Called when the client has gone.
    on_close: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

/// What is sent when nothing else was sent for a while.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pub(super) every: Duration,
    pub(super) bytes: Bytes,
}

struct Inner {
    queue: VecDeque<Piece>,
    bytes: usize,
    end: End,
    /// Pieces dropped because the queue was full.
    dropped: u64,
}

struct Piece {
    bytes: Bytes,
    /// Of the pieces with the same key only the latest is kept.
    key: Option<Arc<str>>,
    /// Of an event.
    id: Option<Arc<str>>,
}

/// A piece to be queued.
pub(super) struct QueueItem<'a> {
    pub(super) bytes: Bytes,
    /// Replaces a waiting piece with the same key.
    pub(super) key: Option<&'a Arc<str>>,
    /// The id of the event in this piece. A piece that replaces another takes over its id, so that ids arrive in
    /// order and a client that connects again misses nothing.
    pub(super) id: Option<&'a str>,
    pub(super) encode_with_id: &'a dyn Fn(&str) -> Bytes,
}

/// What to do when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFull {
    Refuse,
    /// Drops waiting pieces, the oldest first, and those without a key before those with one.
    DropOldest,
}

enum End {
    /// More may follow.
    Open,
    /// Nothing more follows.
    Finished(FieldLines),
    /// The producer gave up: the content is cut short.
    Broken,
    /// The client has gone.
    Gone,
}

/// Why a piece was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The client reads too slowly and the queue is full: try again later.
    Full,
    /// The client has gone, or the stream was ended.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the queue is full; the client reads too slowly",
            Self::Closed => "closed",
        })
    }
}

impl std::error::Error for SendError {}

/// What a connection takes from the pipe.
#[derive(Debug)]
pub(super) enum Taken {
    Bytes(Bytes),
    /// Nothing at present.
    Nothing,
    Finished(FieldLines),
    Broken,
}

impl Pipe {
    pub(super) fn new(
        wake_queue: Arc<WakeQueue>,
        id: ConnectionId,
        capacity: usize,
        beat: Option<Beat>,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                queue: VecDeque::new(),
                bytes: 0,
                end: End::Open,
                dropped: 0,
            }),
            wake_queue,
            id,
            capacity,
            beat,
            unsent: AtomicUsize::new(0),
            on_close: Mutex::new(Vec::new()),
        })
    }

    /// Adds a callback that runs on the server's thread when the client has gone.
    pub(super) fn on_close(&self, call: impl FnOnce() + Send + 'static) {
        let mut calls = self.on_close.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Box::new(call));
    }

    pub(super) fn beat(&self) -> Option<&Beat> {
        self.beat.as_ref()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a piece. An empty queue takes a piece of any size; otherwise a large piece could never be sent.
    pub(super) fn push(&self, bytes: Bytes, key: Option<Arc<str>>) -> Result<(), SendError> {
        let encode_with_id: &dyn Fn(&str) -> Bytes = &|_| Bytes::new();
        let item = QueueItem {
            bytes,
            key: key.as_ref(),
            id: None,
            encode_with_id,
        };
        self.push_item(item, WhenFull::Refuse)
    }

    /// Queues a piece. It replaces a waiting piece with the same key, if there is one.
    pub(super) fn push_item(
        &self,
        item: QueueItem<'_>,
        when_full: WhenFull,
    ) -> Result<(), SendError> {
        let mut inner = self.inner();
        if !matches!(inner.end, End::Open) {
            return Err(SendError::Closed);
        }
        if item.bytes.is_empty() {
            return Ok(());
        }
        let was_empty = inner.queue.is_empty();
        let place = item.key.and_then(|key| inner.place_of(key));
        let (bytes, id) = match place.and_then(|at| inner.queue[at].id.clone()) {
            Some(old) if item.id.is_some() => ((item.encode_with_id)(&old), Some(old)),
            _ => (item.bytes, item.id.map(Arc::from)),
        };
        let freed = place.map_or(0, |at| inner.queue[at].bytes.len());
        let mut place = place;
        let is_new = place.is_none();
        let fits = |inner: &Inner| {
            let is_last = inner.bytes == freed;
            let has_bytes = inner.bytes - freed + bytes.len() <= self.capacity;
            is_last || has_bytes && !(is_new && inner.queue.len() >= self.most_pieces())
        };
        while !fits(&inner) {
            if when_full == WhenFull::Refuse {
                return Err(SendError::Full);
            }
            let Some(at) = inner.oldest_but(place) else {
                break;
            };
            inner.drop_piece(at);
            place = place.map(|place| place - usize::from(at < place));
        }
        let piece = Piece {
            bytes,
            key: item.key.cloned(),
            id,
        };
        inner.bytes = inner.bytes - freed + piece.bytes.len();
        match place {
            Some(at) => inner.queue[at] = piece,
            None => inner.queue.push_back(piece),
        }
        drop(inner);
        if was_empty {
            self.wake_queue.ring(self.id);
        }
        Ok(())
    }

    /// How many pieces may wait. Each takes memory besides its bytes.
    fn most_pieces(&self) -> usize {
        (self.capacity / PIECE_BYTES).max(LEAST_PIECES)
    }

    /// How many more bytes fit at present.
    pub(super) fn room(&self) -> usize {
        let inner = self.inner();
        match inner.end {
            End::Open if inner.queue.len() >= self.most_pieces() => 0,
            End::Open => self.capacity.saturating_sub(inner.bytes),
            End::Finished(_) | End::Broken | End::Gone => 0,
        }
    }

    /// How many bytes wait, including those that the system has not taken yet.
    pub(super) fn queued(&self) -> usize {
        self.inner().bytes + self.unsent.load(Ordering::Relaxed)
    }

    /// Whether no piece waits for the connection.
    #[cfg(feature = "websocket")]
    pub(super) fn is_empty(&self) -> bool {
        self.inner().queue.is_empty()
    }

    /// Called by the connection: how many of the bytes that it took the system has not taken yet.
    pub(super) fn set_unsent(&self, bytes: usize) {
        self.unsent.store(bytes, Ordering::Relaxed);
    }

    /// How many pieces were dropped because the client was too slow.
    pub(super) fn dropped(&self) -> u64 {
        self.inner().dropped
    }

    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.inner().end, End::Open)
    }

    /// Ends the content after the pieces that wait.
    pub(super) fn finish(&self, trailers: FieldLines) {
        self.end(End::Finished(trailers));
    }

    /// Ends the content too early: the client must see that it was cut.
    pub(super) fn break_off(&self) {
        self.end(End::Broken);
    }

    fn end(&self, end: End) {
        let mut inner = self.inner();
        if matches!(inner.end, End::Open) {
            inner.end = end;
            drop(inner);
            self.wake_queue.ring(self.id);
        }
    }

    /// The client has gone: nothing more is wanted.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        inner.end = End::Gone;
        inner.queue.clear();
        inner.bytes = 0;
        drop(inner);
        self.set_unsent(0);
        let mut calls = self.on_close.lock().unwrap_or_else(PoisonError::into_inner);
        for call in std::mem::take(&mut *calls) {
            call();
        }
    }

    /// Called by the connection: the next piece.
    pub(super) fn take(&self) -> Taken {
        let mut inner = self.inner();
        if let Some(piece) = inner.queue.pop_front() {
            inner.bytes -= piece.bytes.len();
            return Taken::Bytes(piece.bytes);
        }
        match &mut inner.end {
            End::Open => Taken::Nothing,
            End::Finished(trailers) => Taken::Finished(std::mem::take(trailers)),
            End::Broken | End::Gone => Taken::Broken,
        }
    }
}

impl Inner {
    fn place_of(&self, key: &Arc<str>) -> Option<usize> {
        self.queue
            .iter()
            .position(|piece| piece.key.as_ref() == Some(key))
    }

    /// The oldest piece except the one at `place`, preferably one without a key.
    fn oldest_but(&self, place: Option<usize>) -> Option<usize> {
        let oldest = |may_have_key: bool| {
            self.queue
                .iter()
                .enumerate()
                .position(|(at, piece)| Some(at) != place && (may_have_key || piece.key.is_none()))
        };
        oldest(false).or_else(|| oldest(true))
    }

    fn drop_piece(&mut self, at: usize) {
        if let Some(piece) = self.queue.remove(at) {
            self.bytes -= piece.bytes.len();
            self.dropped += 1;
        }
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
