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

/// Fails if the path names a folder, a pipe or a device. A caller asks before it opens a file that need not exist:
/// opening a pipe may wait for its other end, and reading a device may never end.
#[cfg(any(feature = "outbox", feature = "patch"))]
pub(crate) fn check_file(path: &std::path::Path, steps: &Steps<'_>) -> Result<(), DiskFault> {
    // If nothing is known of it, opening says why.
    let is_other = || Ok(std::fs::metadata(path).is_ok_and(|it| !it.is_file()));
    match steps.run(DiskStep::Open, is_other)? {
        true => Err(DiskFault::NotAFile),
        false => Ok(()),
    }
}
