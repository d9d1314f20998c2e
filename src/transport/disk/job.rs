//! Work on files that a module above gives to the worker, in pieces: files take turns. What the work is
//! does not belong here.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::steps::Steps;
use super::worker::{Disk, Shared, Task, Turn, lock};
use crate::error::DiskFault;

/// Work that the disk's worker does. It may wait for the disk; it must not panic.
pub(crate) trait DiskWork: Send + 'static {
    /// The result.
    type Output: Send;

    /// Does one piece, at most about a megabyte. A result ends the work.
    fn turn(&mut self, steps: &Steps<'_>) -> Option<Self::Output>;
}

/// Work given to a [`Disk`]. Dropping it stops the work after its current piece.
pub(crate) struct DiskJob<W: DiskWork> {
    shared: Arc<SharedJob<W>>,
    #[cfg_attr(not(feature = "patch"), allow(dead_code))]
    disk: Disk,
    is_detached: bool,
}

struct SharedJob<W: DiskWork> {
    /// Only the worker locks it for longer than a moment.
    work: Mutex<Option<W>>,
    state: Mutex<JobState<W::Output>>,
}

struct JobState<T> {
    is_paused: bool,
    is_dropped: bool,
    /// In the worker's queue, or being worked on.
    is_scheduled: bool,
    output: Option<T>,
}

impl<W: DiskWork> DiskJob<W> {
    /// Gives the work to the worker.
    pub(crate) fn start(disk: &Disk, work: W) -> Result<Self, DiskFault> {
        let job = Self {
            shared: Arc::new(SharedJob {
                work: Mutex::new(Some(work)),
                state: Mutex::new(JobState {
                    is_paused: false,
                    is_dropped: false,
                    is_scheduled: true,
                    output: None,
                }),
            }),
            disk: disk.clone(),
            is_detached: false,
        };
        disk.submit(job.shared.clone())?;
        Ok(job)
    }

    /// Lets the work go on without an owner.
    #[cfg(feature = "outbox")]
    pub(crate) fn detach(mut self) {
        self.is_detached = true;
    }

    /// The result, once.
    #[cfg(any(feature = "patch", test))]
    pub(crate) fn poll(&mut self) -> Option<W::Output> {
        lock(&self.shared.state).output.take()
    }

    /// Stops after the current piece, or goes on.
    #[cfg(any(feature = "patch", test))]
    pub(crate) fn set_paused(&mut self, paused: bool) -> Result<(), DiskFault> {
        let mut state = lock(&self.shared.state);
        state.is_paused = paused;
        if paused || state.is_scheduled || state.output.is_some() {
            return Ok(());
        }
        state.is_scheduled = true;
        drop(state);
        self.disk.submit(self.shared.clone())
    }
}

impl<W: DiskWork> Task for SharedJob<W> {
    fn turn(&self, shared: &Shared) -> Turn {
        let mut slot = lock(&self.work);
        {
            let mut state = lock(&self.state);
            if state.is_dropped || state.is_paused || slot.is_none() {
                state.is_scheduled = false;
                if state.is_dropped {
                    *slot = None;
                }
                return Turn::default();
            }
        }
        let output = slot.as_mut().and_then(|work| work.turn(&Steps::of(shared)));
        let is_over = output.is_some();
        if is_over {
            *slot = None;
        }
        let mut state = lock(&self.state);
        if is_over {
            state.output = output;
            state.is_scheduled = false;
        }
        Turn {
            more: !is_over,
            wake: is_over,
            again_at: None,
        }
    }
}

impl<W: DiskWork> Drop for DiskJob<W> {
    fn drop(&mut self) {
        if !self.is_detached {
            lock(&self.shared.state).is_dropped = true;
        }
    }
}

impl<W: DiskWork> fmt::Debug for DiskJob<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskJob").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(u32, Arc<Mutex<u32>>);

    impl DiskWork for Count {
        type Output = u32;

        fn turn(&mut self, _steps: &Steps<'_>) -> Option<u32> {
            let mut turns = lock(&self.1);
            *turns += 1;
            (*turns == self.0).then_some(*turns)
        }
    }

    #[test]
    fn work_is_done_in_turns_and_its_result_taken_once() {
        let mut job = DiskJob::start(&Disk::inline(), Count(5, Arc::default())).unwrap();
        assert_eq!(job.poll(), Some(5));
        assert_eq!(job.poll(), None);
    }

    #[test]
    fn work_that_is_paused_goes_on_later_and_dropped_work_ends() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let sender = Mutex::new(sender);
        let disk = Disk::new(Arc::new(move || {
            let _ = lock(&sender).send(());
        }));
        let turns = Arc::new(Mutex::new(0));
        // The worker cannot take a turn while the counter is locked.
        let held = turns.lock().unwrap();
        let mut job = DiskJob::start(&disk, Count(3, turns.clone())).unwrap();
        job.set_paused(true).unwrap();
        drop(held);
        assert!(disk.drain(std::time::Duration::from_secs(60)));
        assert!(
            *turns.lock().unwrap() <= 1,
            "at most the turn that had begun"
        );
        assert_eq!(job.poll(), None);
        job.set_paused(false).unwrap();
        receiver.recv().unwrap();
        assert_eq!(job.poll(), Some(3));

        let turns = Arc::new(Mutex::new(0));
        let held = turns.lock().unwrap();
        drop(DiskJob::start(&disk, Count(3, turns.clone())).unwrap());
        drop(held);
        assert!(disk.drain(std::time::Duration::from_secs(60)));
        assert!(*turns.lock().unwrap() <= 1);
    }
}
