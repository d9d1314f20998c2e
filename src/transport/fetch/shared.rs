//! What the task, which has the objects of the browser, and the owner of the exchange share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use super::response::FetchHead;
use crate::error::Error;
use crate::transport::system::ReadySignal;

/// Content that may lie ready and untaken.
pub(super) const WINDOW_BYTES: usize = 1024 * 1024;

/// What the task and the owner of the exchange share.
pub(super) struct Shared {
    pub(super) signal: ReadySignal,
    pub(super) head: Option<FetchHead>,
    pub(super) pieces: VecDeque<Bytes>,
    /// The bytes in `pieces`.
    pub(super) held: usize,
    pub(super) end: Option<Result<(), Error>>,
    pub(super) is_aborted: bool,
    /// Wakes the task.
    pub(super) task: Option<Waker>,
}

impl Shared {
    /// Wakes the task.
    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

pub(super) fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
