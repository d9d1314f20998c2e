//! The options of a patch: where its files are, how many to fetch at once, what to leave out.

use std::path::PathBuf;

use super::manifest::ManifestLimits;
use super::patch::Patch;
use crate::agent::RequestOptions;

impl Patch {
    /// Sets the absolute URL below which the files are. Default: the folder of the manifest's URL.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets how many files are fetched at once, at least 1. The agent's
    /// [pool](crate::agent::PoolLimits) may allow fewer. Default 4.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Limits the bytes per second of all files together. `None` and 0 mean no limit, which is the default.
    pub fn rate_limit(mut self, bytes_per_second: Option<u64>) -> Self {
        self.rate_limit = bytes_per_second;
        self
    }

    /// Whether the new set leaves out files of the set before that the manifest does not have. Otherwise they
    /// are taken over. Files outside of the set, also elsewhere in the root, are never removed. Default `false`.
    pub fn remove_others(mut self, remove: bool) -> Self {
        self.remove_others = remove;
        self
    }

    /// A folder with files that came with the game. Those that the manifest asks for are linked or copied
    /// instead of downloaded. The folder itself is never changed. Default: none.
    pub fn shipped(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shipped = Some(folder.into());
        self
    }

    /// Sets how much the manifest may ask for.
    pub fn limits(mut self, limits: ManifestLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets options of each request, such as credentials or another retry policy. Default:
    /// [`RetryPolicy::standard`](crate::RetryPolicy::standard).
    pub fn request_options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }
}
