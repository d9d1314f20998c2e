//! Transfers that wait for the disk: for a file to be opened, for room, for the end.

use std::hash::{Hash, Hasher};

use super::Engine;
use super::step::Step;
use crate::agent::download::{Downloading, Verdict, strong, validator};
use crate::agent::output::Output;
use crate::agent::transfer::response_state::{Answer, Kept, Sink, Then};
use crate::agent::transfer::{Stage, Transfer};
use crate::error::Error;
use crate::proto::ResponseHead;
use crate::transport::meter::BudgetMeter;

impl Engine {
    /// Opens the files that a transfer reads and writes. `true`: they are open.
    pub(super) fn open_files(&mut self, transfer: &mut Transfer) -> Result<bool, Error> {
        if let Output::File(plan) = &transfer.output
            && transfer.file.is_none()
        {
            let identity = identity(transfer);
            let goes_on = transfer.is_suspended_file;
            let file =
                Downloading::open(self.files.disk(&mut self.reactor)?, plan, identity, goes_on);
            transfer.file = Some(Box::new(file));
        }
        if transfer.payload.needs_file() {
            let disk = self.files.disk(&mut self.reactor)?;
            transfer.payload.open_file(disk);
        }
        self.poll_files(transfer)
    }

    fn poll_files(&mut self, transfer: &mut Transfer) -> Result<bool, Error> {
        let mut opened = true;
        if let Some(file) = &mut transfer.file {
            opened &= file.poll_opened()?;
        }
        opened &= transfer.payload.poll_opened()?;
        Ok(opened)
    }

    /// Removes the part file that was put away when the agent was suspended: nobody goes on with it.
    pub(super) fn remove_suspended(&mut self, transfer: &mut Transfer) {
        if std::mem::take(&mut transfer.is_suspended_file)
            && let Output::File(plan) = &transfer.output
            && let Ok(disk) = self.files.disk(&mut self.reactor)
        {
            Downloading::remove_suspended(disk, plan, identity(transfer));
        }
    }

    /// Looks after the transfers that wait for the disk, as far as the budget goes. Answers whether
    /// anything happened.
    pub(super) fn check_files(&mut self, meter: &mut BudgetMeter) -> bool {
        let mut moved = false;
        let mut index = 0;
        while let Some(id) = self.files.watched(index) {
            let mut waits = false;
            let step = self.with_transfer(id, |engine, transfer| {
                let step = engine.check_file(transfer);
                waits = matches!(transfer.stage, Stage::Opening | Stage::Committing)
                    || transfer.is_writing();
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
                // Those behind are the first the next time.
                self.files.begin_at(index);
                break;
            }
        }
        moved
    }

    fn check_file(&mut self, transfer: &mut Transfer) -> Step {
        match transfer.stage {
            Stage::Opening if transfer.paused => Step::WAITS,
            Stage::Opening => match self.poll_files(transfer) {
                Ok(true) => self.enqueue(transfer),
                Ok(false) => Step::WAITS,
                Err(error) => self.fail(transfer, error),
            },
            Stage::Committing => match transfer
                .file
                .as_deref_mut()
                .and_then(Downloading::poll_committed)
            {
                None => Step::WAITS,
                Some(Ok(saved)) => {
                    transfer.saved = Some(Box::new(saved));
                    self.finish(transfer)
                }
                Some(Err(error)) => self.fail(transfer, error),
            },
            Stage::Active { connection, .. } => {
                if let Some(error) = transfer
                    .file
                    .as_deref_mut()
                    .and_then(Downloading::poll_fault)
                {
                    return self.fail_on(transfer, connection, error);
                }
                if transfer.file.as_ref().is_some_and(|file| file.room() > 0) {
                    self.run_queue.schedule(connection);
                }
                Step::WAITS
            }
            Stage::Queued { .. } | Stage::Waiting { .. } | Stage::Parked => Step::WAITS,
        }
    }

    /// What the head of a response means for a download that goes on: `None` when its content is to
    /// be written.
    pub(super) fn resume_refused(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
    ) -> Option<Then> {
        let file = transfer.file.as_mut()?;
        match file.judge(head) {
            Verdict::Write => None,
            Verdict::StartAfresh => {
                file.start_afresh();
                Some(Then::Again)
            }
            Verdict::Complete => Some(Then::Commit),
        }
    }

    /// The content of this response goes to the file.
    pub(super) fn begin_file(
        &mut self,
        transfer: &mut Transfer,
        answer: &Answer,
    ) -> Result<(), Error> {
        let is_plain =
            !transfer.settings.decompress || answer.head.fields.get("content-encoding").is_none();
        if let Some(file) = &mut transfer.file {
            file.begin(&answer.head, answer.content_length, is_plain)?;
        }
        self.files.watch(transfer.id);
        Ok(())
    }
}

impl Engine {
    /// Keeps what came of a response that was cut, if the rest of it can be asked for (RFC 9110
    /// §13.1.5). Answers whether it was kept.
    pub(super) fn keep_what_came(&mut self, transfer: &mut Transfer) -> bool {
        if let Some(file) = &mut transfer.file {
            file.interrupt();
            return true;
        }
        if transfer.answer.as_ref().is_none_or(Answer::is_discarded) {
            // This attempt brought nothing: what the one before brought is all there is.
            return transfer.kept.is_some();
        }
        transfer.kept = None;
        if !self.can_continue(transfer) {
            return false;
        }
        let if_range = |answer: &Answer| validator(&answer.head.fields).as_ref().and_then(strong);
        let Some(if_range) = transfer.answer.as_ref().and_then(if_range) else {
            return false;
        };
        transfer.kept = transfer.answer.take().map(|answer| Kept {
            answer: Box::new(answer),
            if_range,
        });
        true
    }

    /// Whether the rest of a response that was cut could be asked for.
    pub(super) fn can_continue(&self, transfer: &Transfer) -> bool {
        transfer.method == http::Method::GET
            && !transfer.fields.contains("range")
            && transfer.answer.as_ref().is_some_and(|answer| {
                answer.decoder.is_none()
                    && answer.received > 0
                    && matches!(answer.sink, Sink::Collect(_) | Sink::Stream)
                    && matches!(answer.head.status.as_u16(), 200 | 206)
                    && validator(&answer.head.fields)
                        .as_ref()
                        .and_then(strong)
                        .is_some()
            })
    }
}

/// Which content a partial file is of: what was asked for, wherever redirects lead. It is written to
/// disk, so of a query, which may hold secrets, it is a digest.
fn identity(transfer: &Transfer) -> String {
    let first = transfer.history.first();
    let mut url = first.map_or(&*transfer.url, |hop| &hop.url).clone();
    url.set_fragment(None);
    if let Some(query) = url.query() {
        let mut hasher = std::hash::DefaultHasher::new();
        query.hash(&mut hasher);
        let digest = format!("{:016x}", hasher.finish());
        url.set_query(Some(&digest));
    }
    url.into()
}
