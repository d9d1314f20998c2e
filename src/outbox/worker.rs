//! The commands that the owner of an outbox sends to the disk worker, and the worker's answers. The worker
//! executes one command per turn, in order, and ends when the queue is empty; the next command starts it again.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::{Batch, Store, StoreState};
use super::{BatchFormat, OutboxLimits};
use crate::error::DiskFault;
use crate::transport::disk::{DiskWork, Steps};

/// What the worker is to do.
pub(super) enum Command {
    /// Appends an event, as JSON.
    Append(Vec<u8>),
    /// Prepares a batch.
    Batch,
    /// The events up to this one were sent, or refused.
    Settle { last: u64, is_refused: bool },
}

/// Shared by both; locked only for moments.
#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) commands: VecDeque<Command>,
    /// Bytes of events in the commands.
    pub(super) queued_bytes: usize,
    /// The worker will look at the commands.
    pub(super) is_running: bool,
    /// The file, while the worker does nothing with it.
    store: Option<Store>,
    /// The result of [`Command::Batch`].
    pub(super) batch: Option<Result<Option<Batch>, DiskFault>>,
    pub(super) state: StoreState,
    /// Events that were written in this run, and those that could not be.
    pub(super) written: u64,
    pub(super) write_failed: u64,
    pub(super) fault: Option<DiskFault>,
}

pub(super) type SharedMailbox = Arc<Mutex<Mailbox>>;

pub(super) fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the file is to be.
#[derive(Clone)]
pub(super) struct StorePlan {
    pub(super) path: PathBuf,
    /// The id of a new file.
    pub(super) id: String,
    pub(super) limits: OutboxLimits,
    pub(super) format: BatchFormat,
    pub(super) gzip: bool,
}

/// See the module's documentation.
pub(super) struct OutboxWork {
    plan: StorePlan,
    mailbox: SharedMailbox,
    store: Option<Store>,
    /// Something was written and not flushed.
    is_dirty: bool,
}

impl OutboxWork {
    /// Takes the file over. The caller has set `is_running`.
    pub(super) fn new(plan: StorePlan, mailbox: SharedMailbox) -> Self {
        let store = lock(&mailbox).store.take();
        Self {
            plan,
            mailbox,
            store,
            is_dirty: false,
        }
    }

    /// Executes a command. `false`: there was none.
    fn advance(&mut self, steps: &Steps<'_>) -> bool {
        let store = match &mut self.store {
            Some(store) => store,
            slot => {
                let plan = self.plan.clone();
                match Store::open(plan.path, plan.id, plan.limits, steps) {
                    Ok(store) => slot.insert(store),
                    Err(fault) => {
                        self.fail_all(fault);
                        return false;
                    }
                }
            }
        };
        let command = {
            let mut mailbox = lock(&self.mailbox);
            mailbox.state = store.state();
            mailbox.commands.pop_front()
        };
        let Some(command) = command else {
            return false;
        };
        let is_batch = matches!(command, Command::Batch);
        let (mut appended, mut is_written) = (0, false);
        let result = match &command {
            Command::Append(json) => {
                appended = json.len();
                let written = store.append(json, steps);
                is_written = written.is_ok();
                let shrunk = written.and_then(|()| store.shrink(steps));
                shrunk.map(|()| None)
            }
            Command::Batch => store.batch(self.plan.format, self.plan.gzip, steps),
            Command::Settle { last, is_refused } => {
                store.settle(*last, *is_refused, steps).map(|()| None)
            }
        };
        self.is_dirty |= !is_batch;
        let state = store.state();
        let mut mailbox = lock(&self.mailbox);
        mailbox.state = state;
        if let Err(fault) = &result {
            mailbox.fault = Some(*fault);
        }
        if let Command::Append(_) = command {
            mailbox.queued_bytes -= appended;
            match is_written {
                true => mailbox.written += 1,
                false => mailbox.write_failed += 1,
            }
        } else if is_batch {
            mailbox.batch = Some(result);
        }
        true
    }

    /// The file cannot be opened: events are lost, and nothing can be sent.
    fn fail_all(&self, fault: DiskFault) {
        let mut mailbox = lock(&self.mailbox);
        mailbox.fault = Some(fault);
        while let Some(command) = mailbox.commands.pop_front() {
            match command {
                Command::Append(_) => mailbox.write_failed += 1,
                Command::Batch => mailbox.batch = Some(Err(fault)),
                Command::Settle { .. } => {}
            }
        }
        mailbox.queued_bytes = 0;
    }
}

impl DiskWork for OutboxWork {
    type Output = ();

    fn turn(&mut self, steps: &Steps<'_>) -> Option<()> {
        if self.advance(steps) {
            return None;
        }
        if std::mem::take(&mut self.is_dirty)
            && let Some(store) = &mut self.store
            && let Err(fault) = store.sync(steps)
        {
            lock(&self.mailbox).fault = Some(fault);
        }
        let mut mailbox = lock(&self.mailbox);
        if !mailbox.commands.is_empty() {
            return None;
        }
        mailbox.store = self.store.take();
        mailbox.is_running = false;
        Some(())
    }
}
