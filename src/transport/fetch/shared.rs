//! What the task, which has the objects of the browser, and the owner of the exchange share.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::response::FetchHead;
use crate::error::Error;
use crate::transport::system::ReadySignal;

/// Content that may lie ready and untaken.
pub(super) const WINDOW_BYTES: usize = 1024 * 1024;

/// What the task and the owner of the exchange share.
pub(super) struct Shared {
    pub(super) signal: ReadySignal,
    /// Bytes of the request's content that were sent. If the browser does not tell, those that it was given.
    pub(super) sent: u64,
    /// Whether the browser tells that it has not sent all of the request yet.
    pub(super) is_sending: bool,
    pub(super) head: Option<FetchHead>,
    /// Bytes of content that the browser has received and does not hand over before it has all of them.
    pub(super) received: u64,
    pub(super) pieces: VecDeque<Bytes>,
    /// The bytes in `pieces`.
    pub(super) held: usize,
    pub(super) end: Option<Result<(), Error>>,
    pub(super) is_aborted: bool,
    /// Wakes the task.
    pub(super) task: Option<Waker>,
}

impl Shared {
    pub(super) fn new(signal: ReadySignal) -> Self {
        Self {
            signal,
            sent: 0,
            is_sending: false,
            head: None,
            received: 0,
            pieces: VecDeque::new(),
            held: 0,
            end: None,
            is_aborted: false,
            task: None,
        }
    }

    /// Wakes the task.
    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Hands a piece of content to the owner.
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.held += piece.len();
            self.pieces.push_back(piece);
            self.signal.set();
        }
    }
}

pub(super) fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The output of `future`, or `None` once the exchange is dropped.
pub(super) async fn unless_aborted<T>(
    shared: &Mutex<Shared>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        {
            let mut shared = lock(shared);
            if shared.is_aborted {
                return Poll::Ready(None);
            }
            shared.task = Some(context.waker().clone());
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}
