//! [`Claims`]: no two downloads of one disk write to the same target.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::DiskFault;

/// The targets that are being written, by their canonical paths.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<PathBuf>>>);

/// One target, claimed until this is dropped.
pub(super) struct Claim {
    claims: Claims,
    target: PathBuf,
}

impl Claims {
    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claim(&self, target: PathBuf) -> Result<Claim, DiskFault> {
        if !self.lock().insert(target.clone()) {
            return Err(DiskFault::AlreadyInUse);
        }
        Ok(Claim {
            claims: self.clone(),
            target,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.target);
    }
}
