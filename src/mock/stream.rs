//! [`MockStream`]: content that a test sends piece by piece.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::transport::memory::PeerWaker;

/// The content of responses that a test sends piece by piece:
/// [`MockResponse::stream`](super::MockResponse::stream). Clones are the same stream.
///
/// Sent bytes go to every client that receives the stream at that time. Without such a client they
/// wait for the next one. A client that reconnects to an event stream gets what is sent from then on.
#[derive(Clone, Default)]
pub struct MockStream(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Push>,
    readers: Vec<Reader>,
    next_reader: usize,
}

struct Reader {
    id: usize,
    queue: VecDeque<Push>,
    waker: PeerWaker,
}

/// What happens next on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Push {
    Bytes(Bytes),
    End,
    Reset,
}

impl MockStream {
    /// A stream without clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends bytes. They arrive at the next poll, or a latency later.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if !bytes.is_empty() {
            self.push(Push::Bytes(Bytes::copy_from_slice(bytes)));
        }
    }

    /// Ends the responses cleanly. A later request for this stream gets a new, open response.
    pub fn close(&self) {
        self.push(Push::End);
    }

    /// Resets the connections, as TCP does.
    pub fn reset(&self) {
        self.push(Push::Reset);
    }

    /// How many clients received it at the last poll.
    pub fn receivers(&self) -> usize {
        self.state().readers.len()
    }

    /// Lets a connection receive what waits and what is sent from now on.
    pub(super) fn join(&self, waker: PeerWaker) -> StreamReader {
        let mut state = self.state();
        let id = state.next_reader;
        state.next_reader += 1;
        let queue = std::mem::take(&mut state.waiting);
        state.readers.push(Reader { id, queue, waker });
        drop(state);
        StreamReader {
            stream: self.clone(),
            id,
        }
    }

    fn push(&self, push: Push) {
        let mut state = self.state();
        if state.readers.is_empty() {
            state.waiting.push_back(push);
            return;
        }
        for reader in &mut state.readers {
            reader.queue.push_back(push.clone());
            reader.waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MockStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockStream")
            .field("receivers", &self.receivers())
            .finish_non_exhaustive()
    }
}

/// One connection's subscription to a stream. Dropping it ends the subscription.
#[derive(Debug)]
pub(super) struct StreamReader {
    stream: MockStream,
    id: usize,
}

impl StreamReader {
    pub(super) fn next(&mut self) -> Option<Push> {
        let mut state = self.stream.state();
        let reader = state.readers.iter_mut().find(|it| it.id == self.id)?;
        reader.queue.pop_front()
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.stream.state().readers.retain(|it| it.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_go_to_current_listeners_or_wait_for_the_first() {
        let stream = MockStream::new();
        stream.send("early");
        let waker = PeerWaker::default();
        let mut first = stream.join(waker.clone());
        let mut second = stream.join(PeerWaker::default());
        assert_eq!(first.next(), Some(Push::Bytes("early".into())));
        assert_eq!((first.next(), second.next()), (None, None));
        assert!(!waker.is_set());
        stream.send("");
        stream.send("both");
        stream.close();
        assert!(waker.is_set());
        for reader in [&mut first, &mut second] {
            assert_eq!(reader.next(), Some(Push::Bytes("both".into())));
            assert_eq!(reader.next(), Some(Push::End));
            assert_eq!(reader.next(), None);
        }
        assert_eq!(stream.receivers(), 2);
        drop((first, second));
        assert_eq!(stream.receivers(), 0);
        stream.reset();
        assert_eq!(stream.join(waker).next(), Some(Push::Reset));
    }
}
