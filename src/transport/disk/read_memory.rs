//! The memory of what is read ahead: how much one reader, and all readers of a disk, may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are read at once.
pub(crate) const BLOCK: usize = 256 * 1024;

/// How many bytes one reader holds: four blocks that were read ahead, and the one that is being taken.
pub(crate) const MOST_HELD: usize = 5 * BLOCK;

/// How many bytes all readers of a disk hold together. With many readers, each may hold less.
pub(crate) const MOST_TOGETHER: usize = 16 * 1024 * 1024;

/// A reader that has nothing to take may always read one block of this size, so that none starves while
/// others hold all the memory.
pub(crate) const LEAST_BLOCK: usize = 16 * 1024;

/// Bytes, with their share of the memory of all readers.
#[derive(Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    reserved: Option<Reserved>,
}

/// Memory that counts until this is dropped.
struct Reserved {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What all readers of one disk hold.
#[derive(Default)]
pub(super) struct ReadMemory {
    held: Arc<AtomicUsize>,
    readers: AtomicUsize,
}

impl ReadMemory {
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Counts one more reader.
    pub(super) fn join(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one reader less.
    pub(super) fn leave(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many bytes each reader may hold.
    fn share(&self) -> usize {
        let readers = self.readers.load(Ordering::Relaxed).max(1);
        (MOST_TOGETHER / readers).clamp(2 * LEAST_BLOCK, MOST_HELD)
    }

    /// The block that a reader may read which is already `ahead` by this many bytes. `None`: not now.
    pub(super) fn block(&self, ahead: usize, spare: Option<Block>) -> Option<Block> {
        let share = self.share();
        let size = BLOCK.min(share / 2);
        // The other block is the one that the owner takes from.
        if ahead > 0 && ahead + 2 * size > share {
            return None;
        }
        if let Some(spare) = spare.filter(|spare| spare.size() == size) {
            return Some(spare);
        }
        if let Some(block) = self.reserve(size, MOST_TOGETHER) {
            return Some(block);
        }
        // Others hold everything: only what keeps this reader going.
        (ahead == 0)
            .then(|| self.reserve(LEAST_BLOCK.min(size), usize::MAX))
            .flatten()
    }

    fn reserve(&self, size: usize, most: usize) -> Option<Block> {
        let add = |held: usize| held.checked_add(size).filter(|held| *held <= most);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .ok()?;
        Some(Block {
            bytes: Vec::new(),
            reserved: Some(Reserved {
                held: Arc::clone(&self.held),
                bytes: size,
            }),
        })
    }
}

impl Block {
    pub(super) fn size(&self) -> usize {
        self.reserved.as_ref().map_or(0, |reserved| reserved.bytes)
    }
}
