//! [`Pipe`]: bytes on their way from whoever produces them, on any thread, to a connection: bounded,
//! never waiting. Streams, event streams, WebSockets and topics all send through one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::wake_queue::{ConnectionId, WakeQueue};
use crate::proto::FieldLines;

/// See the module's documentation.
pub(super) struct Pipe {
    inner: Mutex<Inner>,
    wake_queue: Arc<WakeQueue>,
    id: ConnectionId,
    capacity: usize,
    beat: Option<Beat>,
}

/// What is sent when nothing else was for a while.
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
    /// Of pieces with the same key only the latest is kept.
    key: Option<Arc<str>>,
}

enum End {
    /// More may come.
    Open,
    /// No more comes.
    Finished(FieldLines),
    /// The producer gave up: the content is cut short.
    Broken,
    /// The client has gone.
    Gone,
}

/// Why a piece was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a connection takes out.
#[derive(Debug)]
pub(super) enum Taken {
    Bytes(Bytes),
    /// Nothing now.
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
        })
    }

    pub(super) fn beat(&self) -> Option<&Beat> {
        self.beat.as_ref()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a piece in. An empty queue takes a piece of any size, or nothing large could ever be sent.
    pub(super) fn push(&self, bytes: Bytes, key: Option<Arc<str>>) -> Result<(), SendError> {
        let mut inner = self.inner();
        if !matches!(inner.end, End::Open) {
            return Err(SendError::Closed);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(key) = &key
            && let Some(at) = inner
                .queue
                .iter()
                .position(|piece| piece.key.as_ref() == Some(key))
            && let Some(old) = inner.queue.remove(at)
        {
            inner.bytes -= old.bytes.len();
        }
        if inner.bytes > 0 && inner.bytes + bytes.len() > self.capacity {
            return Err(SendError::Full);
        }
        inner.bytes += bytes.len();
        let was_empty = inner.queue.is_empty();
        inner.queue.push_back(Piece { bytes, key });
        drop(inner);
        if was_empty {
            self.wake_queue.ring(self.id);
        }
        Ok(())
    }

    /// Puts a piece in, in place of the oldest ones if there is no room.
    pub(super) fn push_dropping_oldest(
        &self,
        bytes: &Bytes,
        key: Option<&Arc<str>>,
    ) -> Result<(), SendError> {
        loop {
            match self.push(bytes.clone(), key.cloned()) {
                Err(SendError::Full) => {
                    let mut inner = self.inner();
                    if let Some(oldest) = inner.queue.pop_front() {
                        inner.bytes -= oldest.bytes.len();
                        inner.dropped += 1;
                    }
                }
                other => return other,
            }
        }
    }

    /// How many bytes fit now.
    pub(super) fn room(&self) -> usize {
        let inner = self.inner();
        match inner.end {
            End::Open => self.capacity.saturating_sub(inner.bytes),
            End::Finished(_) | End::Broken | End::Gone => 0,
        }
    }

    /// How many bytes wait.
    pub(super) fn queued(&self) -> usize {
        self.inner().bytes
    }

    /// How many pieces were dropped because the client was too slow.
    pub(super) fn dropped(&self) -> u64 {
        self.inner().dropped
    }

    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.inner().end, End::Open)
    }

    /// Ends in good order, behind what waits.
    pub(super) fn finish(&self, trailers: FieldLines) {
        self.end(End::Finished(trailers));
    }

    /// Ends too early: the client must see that the content was cut.
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

    /// The client has gone: nothing is wanted any more.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        inner.end = End::Gone;
        inner.queue.clear();
        inner.bytes = 0;
    }

    /// For the connection: the next piece.
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

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pipe(capacity: usize) -> (Arc<WakeQueue>, Arc<Pipe>) {
        let wake_queue = Arc::new(WakeQueue::default());
        let id = ConnectionId { slot: 1, serial: 1 };
        (
            Arc::clone(&wake_queue),
            Pipe::new(wake_queue, id, capacity, None),
        )
    }

    fn taken(pipe: &Pipe) -> Vec<Bytes> {
        std::iter::from_fn(|| match pipe.take() {
            Taken::Bytes(bytes) => Some(bytes),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn the_latest_of_a_key_wins_and_the_rest_keeps_its_order() {
        let (_wake_queue, pipe) = pipe(100);
        let key: Arc<str> = "position".into();
        for (bytes, key) in [
            ("a", None),
            ("p1", Some(&key)),
            ("b", None),
            ("p2", Some(&key)),
            ("c", None),
        ] {
            pipe.push(Bytes::from_static(bytes.as_bytes()), key.cloned())
                .unwrap();
        }
        assert_eq!(taken(&pipe), ["a", "b", "p2", "c"]);
        assert_eq!(pipe.queued(), 0);
    }

    #[test]
    fn a_full_queue_refuses_or_drops_its_oldest() {
        let (_wake_queue, pipe) = pipe(4);
        assert_eq!(pipe.push("larger than all".into(), None), Ok(()));
        assert_eq!(pipe.push("x".into(), None), Err(SendError::Full));
        assert_eq!(pipe.room(), 0);
        assert_eq!(taken(&pipe).len(), 1);
        for piece in ["12", "34", "56"] {
            pipe.push_dropping_oldest(&piece.into(), None).unwrap();
        }
        assert_eq!(
            (pipe.dropped(), taken(&pipe)),
            (1, vec!["34".into(), "56".into()])
        );
    }

    #[test]
    fn empty_pieces_end_nothing() {
        let (wake_queue, pipe) = pipe(4);
        pipe.push(Bytes::new(), None).unwrap();
        assert!(!wake_queue.is_rung());
        assert!(matches!(pipe.take(), Taken::Nothing));
        pipe.finish(FieldLines::new());
        assert!(wake_queue.is_rung());
        assert!(matches!(pipe.take(), Taken::Finished(_)));
        assert_eq!(pipe.push("x".into(), None), Err(SendError::Closed));
    }
}
