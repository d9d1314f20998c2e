//! The disk worker, and the transfers that wait for it.

use std::time::Duration;

use crate::agent::id::{ById, RequestId};
use crate::error::Error;
use crate::transport::disk::Disk;
use crate::transport::reactor::Reactor;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct FileQueue {
    disk: Option<Disk>,
    /// Whether the disk has no thread.
    is_inline: bool,
    /// Transfers that wait for it, in turn.
    watched: Vec<RequestId>,
    /// Which transfers are in `watched`.
    is_watched: ById<()>,
}

impl FileQueue {
    /// The disk worker. It starts when the first file is opened.
    pub(super) fn disk(&mut self, reactor: &mut Reactor) -> Result<&Disk, Error> {
        self.is_inline = reactor.network().is_some();
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None if self.is_inline => Disk::on_clock(reactor.clock().clone()),
            None => Disk::new(reactor.wake()?),
        };
        Ok(self.disk.insert(disk))
    }

    /// Waits until the worker has finished with all files, at most for `timeout`. Returns whether it has.
    pub(super) fn drain(&self, timeout: Duration) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.drain(timeout))
    }

    /// Whether no transfer waits for a file, and nothing can be due on a disk without a thread.
    pub(super) fn is_empty(&self) -> bool {
        self.watched.is_empty() && !self.is_inline
    }

    /// Does what is due on a disk without a thread.
    pub(super) fn run_due(&self) {
        if let Some(disk) = self.disk.as_ref().filter(|_| self.is_inline) {
            disk.run_due();
        }
    }

    /// Lets each poll look at the files of a transfer.
    pub(super) fn watch(&mut self, id: RequestId) {
        if self.is_watched.insert(id, ()).is_none() {
            self.watched.push(id);
        }
    }

    pub(super) fn watched(&self, index: usize) -> Option<RequestId> {
        self.watched.get(index).copied()
    }

    pub(super) fn watched_count(&self) -> usize {
        self.watched.len()
    }

    /// Stops watching. The last transfer of the list takes the place.
    pub(super) fn unwatch(&mut self, index: usize) {
        let id = self.watched.swap_remove(index);
        self.is_watched.remove(&id);
    }

    /// Lets the next poll begin with the transfer at `index`.
    pub(super) fn begin_at(&mut self, index: usize) {
        self.watched.rotate_left(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_watched_once_until_it_is_unwatched() {
        let mut files = FileQueue::default();
        for id in [1, 2, 1, 3, 2] {
            files.watch(RequestId(id));
        }
        files.begin_at(1);
        let watched = |files: &FileQueue| files.watched.iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(watched(&files), [2, 3, 1]);
        files.unwatch(0);
        assert_eq!(watched(&files), [1, 3]);
        files.watch(RequestId(2));
        assert_eq!(watched(&files), [1, 3, 2]);
        for _ in 0..3 {
            files.unwatch(0);
        }
        assert!(files.watched.is_empty() && files.is_watched.is_empty());
    }
}
