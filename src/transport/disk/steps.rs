//! The steps of work on the disk, for work that other modules define.

use std::io;

use super::worker::Shared;
use crate::error::{DiskFault, DiskStep};

/// Runs the steps that can fail.
pub(crate) struct Steps<'a>(&'a Shared);

impl<'a> Steps<'a> {
    pub(super) fn of(shared: &'a Shared) -> Self {
        Self(shared)
    }

    /// Runs one step. Everything that changes the disk goes through here, so that a test can make it fail
    /// or stop everything at any step.
    pub(crate) fn run<T>(
        &self,
        step: DiskStep,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskFault> {
        self.0.step(step, work)
    }
}
