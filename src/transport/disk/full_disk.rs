//! What happens when the disk is full: the largest part file gives its space up, so that smaller ones finish.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::worker::{Holder, Shared, Space, lock};
use crate::error::{DiskFault, DiskStep};

impl Shared {
    /// As [`step`](Self::step), for a file that will have `size` bytes: when the disk is full and a larger one is
    /// being written, that one is given up, and the step is tried again. `work` gets `true` from the second attempt on.
    pub(super) fn step_with_room<T>(
        &self,
        step: DiskStep,
        size: u64,
        mut work: impl FnMut(bool) -> io::Result<T>,
    ) -> Result<T, DiskFault> {
        let mut is_again = false;
        loop {
            match self.step(step, || work(is_again)) {
                Err(fault) if fault.is_storage_full() && self.make_room(size, fault) => {
                    is_again = true;
                }
                done => return done,
            }
        }
    }

    /// Gives up the largest part file, if it is larger than `size`. Returns whether there was one.
    fn make_room(&self, size: u64, fault: DiskFault) -> bool {
        let larger = self
            .holders()
            .filter(|(space, _)| space.held > 0 && space.in_the_end > size);
        let Some((_, holder)) = larger.max_by_key(|(space, _)| space.in_the_end) else {
            return false;
        };
        holder.give_up(fault, self);
        if let Some(wake) = &self.wake {
            // A waker that panics must not end this thread.
            let _ = catch_unwind(AssertUnwindSafe(|| wake()));
        }
        true
    }

    /// The part files that are being written, except the one whose turn it is.
    fn holders(&self) -> impl Iterator<Item = (Space, Arc<dyn Holder>)> {
        // The lock is not held while they are asked.
        let holders = lock(&self.holders).alive();
        holders
            .into_iter()
            .filter_map(|holder| Some((holder.space()?, holder)))
    }

    /// Fails when a test says that the disk is full.
    #[cfg(test)]
    pub(super) fn check_capacity(&self, bytes: u64) -> io::Result<()> {
        let Some(capacity) = *lock(&self.capacity) else {
            return Ok(());
        };
        let others: u64 = self.holders().map(|(space, _)| space.held).sum();
        if others + bytes > capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}
