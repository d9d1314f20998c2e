//! Transfers that wait for the disk: until a file is open, has free space, or is finished.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Engine;
use super::transfers::Step;
use crate::agent::downloading::Downloading;
use crate::agent::output::Output;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::{ResponseState, State};
use crate::error::Error;
use crate::proto::{FieldLines, ResponseHead};
use crate::transport::meter::BudgetMeter;

impl Engine {
    /// Opens the files that a transfer reads and writes. `true`: they are open.
    pub(super) fn open_files(&mut self, transfer: &mut Transfer) -> Result<bool, Error> {
        if let Output::File(plan) = &transfer.request.output
            && transfer.file.download.is_none()
        {
            let identity = identity(transfer);
            let goes_on = transfer.file.is_suspended;
            let file =
                Downloading::open(self.files.disk(&mut self.reactor)?, plan, identity, goes_on);
            transfer.file.download = Some(Box::new(file));
        }
        if transfer.request.payload.needs_file() {
            let disk = self.files.disk(&mut self.reactor)?;
            transfer.request.payload.open_file(disk);
        }
        self.poll_files(transfer)
    }

    /// The files are open: the request goes into the queue, unless the target of the download is there already.
    pub(super) fn go_on_with_files(&mut self, transfer: &mut Transfer) -> Step {
        let file = transfer.file.download.as_deref_mut();
        let Some(file) = file.filter(|file| file.is_present()) else {
            return self.enqueue(transfer);
        };
        match file.poll_committed() {
            Some(Ok(saved)) => transfer.file.saved = Some(Box::new(saved)),
            Some(Err(error)) => return self.fail(transfer, error),
            None => return self.fail(transfer, Error::internal("a present file was lost")),
        }
        let head = Arc::new(ResponseHead {
            version: http::Version::HTTP_11,
            status: http::StatusCode::OK,
            reason: "OK".into(),
            fields: FieldLines::new(),
        });
        let response = ResponseState::new(head, NextAction::Deliver);
        transfer.state = State::Received { response };
        self.finish(transfer)
    }

    fn poll_files(&mut self, transfer: &mut Transfer) -> Result<bool, Error> {
        let mut opened = true;
        if let Some(file) = &mut transfer.file.download {
            opened &= file.poll_opened()?;
        }
        opened &= transfer.request.payload.poll_opened()?;
        Ok(opened)
    }

    /// Removes the part file that was put away when the agent was suspended: nothing will continue it.
    pub(super) fn remove_suspended(&mut self, transfer: &mut Transfer) {
        if std::mem::take(&mut transfer.file.is_suspended)
            && let Output::File(plan) = &transfer.request.output
            && let Ok(disk) = self.files.disk(&mut self.reactor)
        {
            Downloading::remove_suspended(disk, plan, identity(transfer));
        }
    }

    /// Checks the transfers that wait for the disk, as far as the budget goes. Returns whether anything
    /// happened.
    pub(super) fn check_files(&mut self, meter: &mut BudgetMeter) -> bool {
        let mut moved = false;
        let mut index = 0;
        self.files.run_due();
        while let Some(id) = self.files.watched(index) {
            let mut waits = false;
            let step = self.with_transfer(id, |engine, transfer| {
                let step = engine.check_file(transfer);
                waits = matches!(transfer.state, State::Opening | State::Committing { .. })
                    || transfer.state.is_writing();
                step
            });
            let Some(step) = step else {
                self.files.unwatch(index);
                continue;
            };
            moved |= step.moved;
            if step.is_over || !waits {
                self.files.unwatch(index);
            } else {
                index += 1;
            }
            if step.moved {
                meter.note_work();
            }
            if meter.exhausted() {
                // The next poll begins with those that were not checked.
                self.files.begin_at(index);
                break;
            }
        }
        moved
    }

    fn check_file(&mut self, transfer: &mut Transfer) -> Step {
        match &transfer.state {
            State::Opening if transfer.paused => Step::WAITS,
            State::Opening => match self.poll_files(transfer) {
                Ok(true) => self.go_on_with_files(transfer),
                Ok(false) => Step::WAITS,
                Err(error) => self.fail(transfer, error),
            },
            State::Committing { .. } => {
                let file = transfer.file.download.as_deref_mut();
                match file.and_then(Downloading::poll_committed) {
                    None => Step::WAITS,
                    Some(Ok(saved)) => {
                        transfer.file.saved = Some(Box::new(saved));
                        self.finish(transfer)
                    }
                    Some(Err(error)) => self.fail(transfer, error),
                }
            }
            state => {
                if let Some(connection) = state.connection()
                    && let Some(file) = transfer.file.download.as_deref_mut()
                {
                    if let Some(error) = file.poll_fault() {
                        return self.fail_on(transfer, connection, error);
                    }
                    if file.room() > 0 {
                        self.run_queue.schedule(connection);
                    }
                }
                Step::WAITS
            }
        }
    }

    /// The content of this response goes to the file.
    pub(super) fn begin_file(
        &mut self,
        transfer: &mut Transfer,
        response: &ResponseState,
    ) -> Result<(), Error> {
        let is_plain =
            !transfer.settings.decompress || !response.fields().contains("content-encoding");
        if let Some(file) = &mut transfer.file.download {
            file.begin(&response.result.head, response.content_length, is_plain)?;
        }
        self.files.watch(transfer.id);
        Ok(())
    }
}

/// Names the content of a part file: the URL that was requested, wherever redirects lead. The name is
/// written to disk, so it holds only a digest of the query, which may be secret.
fn identity(transfer: &Transfer) -> String {
    let first = transfer.attempts.history.first();
    let mut url = first.map_or(&*transfer.request.url, |hop| &hop.url).clone();
    url.set_fragment(None);
    if let Some(query) = url.query() {
        let mut hasher = std::hash::DefaultHasher::new();
        query.hash(&mut hasher);
        let digest = format!("{:016x}", hasher.finish());
        url.set_query(Some(&digest));
    }
    url.into()
}

#[cfg(all(test, feature = "multipart", feature = "server"))]
mod tests;
