//! [`PatchReport`]: what a finished patch did.

use std::path::PathBuf;

/// What a finished patch did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatchReport {
    /// The folder of the visible files.
    pub folder: PathBuf,
    /// The number of the visible set; each new set has a higher one.
    pub generation: u64,
    /// Whether a new set became visible. `false`: everything was up to date.
    pub is_new: bool,
    /// The files of the manifest.
    pub files: usize,
    /// Files that were downloaded whole.
    pub downloaded: usize,
    /// Files of which only damaged or changed blocks were downloaded.
    pub repaired: usize,
    /// Files of the set before that were removed, with [`Patch::remove_others`](crate::patch::Patch::remove_others).
    pub removed: usize,
    /// Bytes of content that came over the network.
    pub received: u64,
}
