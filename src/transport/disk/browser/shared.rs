//! What the owner of a download and its task share.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use super::part::Content;
use crate::clock::Instant;
use crate::error::DiskFault;
use crate::transport::disk::plan::{Committed, Resumable};

/// What the owner and the task share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) commands: VecDeque<Command>,
    /// How many bytes the commands hold, with those being written.
    pub(super) queued: usize,
    pub(super) state: State,
    pub(super) opened: Option<Resumable>,
    pub(super) is_present: bool,
    pub(super) committed: Option<Committed>,
    /// When the task is to be woken to sync what is written.
    pub(super) checkpoint_at: Option<Instant>,
    /// Wakes the task.
    pub(super) task: Option<Waker>,
}

#[derive(Default)]
pub(super) enum State {
    #[default]
    Active,
    /// The owner is gone, and nothing more is to be written.
    Abandoned,
    /// The owner is gone, and a later download is to resume this one.
    Suspended,
    Failed(DiskFault),
    Closed,
}

pub(super) enum Command {
    Begin(Content),
    Write(Bytes),
    Commit,
}

impl Shared {
    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    pub(super) fn fail(&mut self, fault: DiskFault) {
        self.state = State::Failed(fault);
        self.commands.clear();
        self.queued = 0;
    }
}
