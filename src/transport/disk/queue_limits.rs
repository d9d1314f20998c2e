//! How many bytes may wait in memory to be written to the disk.

/// Limits of queues that share the memory: with many of them, each may hold less.
pub(super) struct QueueLimits {
    /// For one queue.
    pub(super) each: usize,
    /// For all queues together.
    pub(super) together: usize,
    /// For one queue, however many there are.
    pub(super) least: usize,
}

impl QueueLimits {
    /// How many bytes one of this many queues may hold.
    pub(super) fn capacity(&self, queues: usize) -> usize {
        (self.together / queues.max(1)).clamp(self.least, self.each)
    }
}

/// The limits of downloads. The least is one receive buffer.
#[cfg(feature = "agent")]
pub(super) const DOWNLOADS: QueueLimits = QueueLimits {
    each: 4 * 1024 * 1024,
    together: 64 * 1024 * 1024,
    least: 256 * 1024,
};

/// How many bytes a queued piece of a download counts in addition to its own, so that a peer that sends single
/// bytes does not fill the memory with bookkeeping.
#[cfg(feature = "agent")]
pub(super) const PIECE_COST: usize = 64;
