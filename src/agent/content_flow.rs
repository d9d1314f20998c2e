//! How much of a request's content was read, and how much more may be: what progress and rates need. The content
//! itself is in `payload`.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts request content that is sent, and holds it back when a rate is set. Content that is sent in one
/// write needs none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow(Option<Arc<Gauge>>);

#[derive(Debug)]
struct Gauge {
    drawn: AtomicU64,
    remaining_budget: AtomicU64,
}

impl Flow {
    /// Content that is sent in one write is not counted.
    pub(super) fn new(is_sent_at_once: bool) -> Self {
        Self((!is_sent_at_once).then(|| {
            Arc::new(Gauge {
                drawn: AtomicU64::new(0),
                remaining_budget: AtomicU64::new(u64::MAX),
            })
        }))
    }

    /// Bytes read so far.
    pub(crate) fn drawn(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |gauge| gauge.drawn.load(Ordering::Relaxed))
    }

    fn remaining_budget(&self) -> u64 {
        self.0.as_ref().map_or(u64::MAX, |gauge| {
            gauge.remaining_budget.load(Ordering::Relaxed)
        })
    }

    /// Lets at most this many more bytes be read.
    pub(crate) fn allow(&self, bytes: u64) {
        if let Some(gauge) = &self.0 {
            gauge.remaining_budget.store(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn restart(&self) {
        if let Some(gauge) = &self.0 {
            gauge.drawn.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn note_drawn(&self, bytes: u64) {
        if let Some(gauge) = &self.0 {
            gauge.drawn.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// A reader that is counted and held back. Only the thread that polls reads from it.
pub(super) struct Metered<R> {
    pub(super) reader: R,
    pub(super) flow: Flow,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let remaining_budget = self.flow.remaining_budget();
        if remaining_budget == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = usize::try_from(remaining_budget)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.reader.read(&mut buffer[..most])?;
        self.flow.note_drawn(count as u64);
        if remaining_budget != u64::MAX {
            self.flow.allow(remaining_budget - count as u64);
        }
        Ok(count)
    }
}
