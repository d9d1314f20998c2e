//! The transfers under way, by the number of their request.
//!
//! A transfer is changed in one of two ways: by [`Transfers::update`], which needs the transfer alone, or by
//! [`Transfers::with`], which takes it out of its row of the table, so that the owner of the table can use both,
//! and puts it back. The row stays: taking rows out and adding them anew would cost more than many a step. Nothing else hands out a transfer that can be changed. So the table always knows how
//! many of its transfers are receiving content.

use crate::agent::id::{ById, RequestId};
use crate::agent::transfer::Transfer;

/// The outcome of working on a transfer once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Something happened.
    pub(super) moved: bool,
    /// The transfer's last event was reported.
    pub(super) is_over: bool,
}

impl Step {
    pub(super) const WAITS: Self = Self {
        moved: false,
        is_over: false,
    };
    pub(super) const MOVED: Self = Self {
        moved: true,
        is_over: false,
    };
    pub(super) const OVER: Self = Self {
        moved: true,
        is_over: true,
    };
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// A row is empty while its transfer is taken out.
    by_id: ById<Option<Box<Transfer>>>,
    /// How many of them are receiving content that is wanted soon.
    receiving: usize,
}

impl Transfers {
    /// Adds a transfer, unless its first step was also its last.
    pub(super) fn add(&mut self, transfer: Box<Transfer>, first: Step) {
        if !first.is_over {
            let id = transfer.id;
            self.receiving += usize::from(is_receiving(&transfer));
            self.by_id.insert(id, Some(transfer));
        }
    }

    /// Takes a transfer out of the table of its `owner`, lets `work` use both, and puts it back unless it
    /// is over. `None`: there is no such transfer.
    pub(super) fn with<O>(
        owner: &mut O,
        table: fn(&mut O) -> &mut Self,
        id: RequestId,
        work: impl FnOnce(&mut O, &mut Transfer) -> Step,
    ) -> Option<Step> {
        let mut transfer = table(owner).take(id)?;
        let step = work(owner, &mut transfer);
        let table = table(owner);
        if step.is_over {
            table.by_id.remove(&id);
        } else {
            table.put(id, transfer);
        }
        Some(step)
    }

    /// Changes a transfer in its place. `None`: there is no such transfer.
    pub(super) fn update<R>(
        &mut self,
        id: RequestId,
        change: impl FnOnce(&mut Transfer) -> R,
    ) -> Option<R> {
        let transfer = self.by_id.get_mut(&id)?.as_deref_mut()?;
        let before = usize::from(is_receiving(transfer));
        let result = change(transfer);
        let after = usize::from(is_receiving(transfer));
        self.receiving = (self.receiving + after).saturating_sub(before);
        Some(result)
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&Transfer> {
        self.by_id.get(&id)?.as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Transfer> {
        self.by_id.values().filter_map(Option::as_deref)
    }

    /// The numbers of all transfers, in the order of their requests.
    pub(super) fn ids(&self) -> Vec<RequestId> {
        let mut ids: Vec<_> = self.iter().map(|transfer| transfer.id).collect();
        // The order of a hash map differs in each run.
        ids.sort_unstable();
        ids
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether any transfer is receiving content that is wanted soon.
    pub(super) fn are_receiving(&self) -> bool {
        self.receiving > 0
    }

    fn take(&mut self, id: RequestId) -> Option<Box<Transfer>> {
        let transfer = self.by_id.get_mut(&id)?.take()?;
        self.receiving = self
            .receiving
            .saturating_sub(usize::from(is_receiving(&transfer)));
        Some(transfer)
    }

    fn put(&mut self, id: RequestId, transfer: Box<Transfer>) {
        if let Some(row) = self.by_id.get_mut(&id) {
            self.receiving += usize::from(is_receiving(&transfer));
            *row = Some(transfer);
        }
    }
}

/// Whether content of the response is arriving that is wanted soon.
fn is_receiving(transfer: &Transfer) -> bool {
    !transfer.paused && transfer.state.is_receiving()
}
