//! [`Content`]: the content of a request as it arrives, for handlers that are called at the head.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::wake_queue::{ConnectionId, WakeQueue};
use crate::proto::FieldLines;

/// How many bytes wait for the handler before reading stops.
const HELD_BYTES: usize = 256 * 1024;

/// What a piece occupies besides its bytes. Without it, chunks of one byte would occupy a multiple of the limit.
const PIECE_COST: usize = 64;

fn cost(piece: &Bytes) -> usize {
    piece.len() + PIECE_COST
}

/// The content of one request, piece by piece. It can be kept and sent to another thread. While the program
/// does not take the content, the server stops reading from the connection, and so the client stops sending.
/// Content that is left when this is dropped is discarded.
#[derive(Debug)]
pub struct Content(Arc<Inbox>);

/// What [`Content::next`] found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// Nothing at present: ask again in a later frame.
    Pending,
    /// The content is complete. This is its trailer section.
    End(FieldLines),
    /// The client has gone, was too slow or broke the protocol: the rest will not arrive.
    Cut,
}

/// What the content and its connection share.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    wake_queue: Arc<WakeQueue>,
    id: ConnectionId,
}

#[derive(Debug)]
struct State {
    pieces: VecDeque<Bytes>,
    /// What the pieces cost together.
    bytes: usize,
    /// Whether the handler wants it. `100 Continue` is only sent then.
    asked: bool,
    dropped: bool,
    end: Option<Ended>,
}

#[derive(Debug)]
enum Ended {
    Whole(FieldLines),
    Cut,
}

impl Content {
    /// The next piece. Never waits.
    #[expect(
        clippy::should_implement_trait,
        reason = "there may be nothing now and something later"
    )]
    pub fn next(&mut self) -> Piece {
        let mut state = self.0.state();
        let was_full = state.bytes >= HELD_BYTES;
        if let Some(piece) = state.pieces.pop_front() {
            state.bytes -= cost(&piece);
            let has_room = was_full && state.bytes < HELD_BYTES;
            drop(state);
            if has_room {
                self.0.ring();
            }
            return Piece::Bytes(piece);
        }
        match &mut state.end {
            None => Piece::Pending,
            Some(Ended::Whole(trailers)) => Piece::End(std::mem::take(trailers)),
            Some(Ended::Cut) => Piece::Cut,
        }
    }

    pub(super) fn ask(&self) {
        self.0.state().asked = true;
        self.0.ring();
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.dropped = true;
        state.pieces.clear();
        state.bytes = 0;
        drop(state);
        self.0.ring();
    }
}

impl Inbox {
    /// Both ends.
    pub(super) fn pair(wake_queue: &Arc<WakeQueue>, id: ConnectionId) -> (Content, Arc<Self>) {
        let inbox = Arc::new(Self {
            state: Mutex::new(State {
                pieces: VecDeque::new(),
                bytes: 0,
                asked: false,
                dropped: false,
                end: None,
            }),
            wake_queue: Arc::clone(wake_queue),
            id,
        });
        (Content(Arc::clone(&inbox)), inbox)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.wake_queue.ring(self.id);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.state().asked
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.state().dropped
    }

    pub(super) fn has_room(&self) -> bool {
        self.state().bytes < HELD_BYTES
    }

    pub(super) fn push(&self, piece: Bytes) {
        let mut state = self.state();
        if !state.dropped {
            state.bytes += cost(&piece);
            state.pieces.push_back(piece);
        }
    }

    pub(super) fn end(&self, trailers: FieldLines) {
        self.state().end.get_or_insert(Ended::Whole(trailers));
    }

    pub(super) fn cut(&self) {
        self.state().end.get_or_insert(Ended::Cut);
    }
}
