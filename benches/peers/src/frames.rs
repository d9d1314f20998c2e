//! A frame loop, and what its frames cost.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::report::Metrics;

pub const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// What happens between two frames.
#[derive(Clone, Copy, PartialEq)]
pub enum Pace {
    /// Sleep until the next 60th of a second.
    Idle,
    /// Compute until then, as games do: the processor stays awake.
    Busy,
}

pub struct Frames {
    works: Vec<Duration>,
    next_at: Instant,
    pace: Pace,
}

impl Frames {
    pub fn new(pace: Pace) -> Self {
        Self {
            works: Vec::with_capacity(1 << 16),
            next_at: Instant::now(),
            pace,
        }
    }

    /// Does the work of one frame, counts it, and answers how long it took.
    pub fn work(&mut self, work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
        let began = Instant::now();
        work()?;
        let took = began.elapsed();
        self.works.push(took);
        Ok(took)
    }

    /// Waits for the next frame.
    pub fn next(&mut self) {
        self.next_at = (self.next_at + FRAME).max(Instant::now());
        match self.pace {
            Pace::Idle => {
                std::thread::sleep(self.next_at.saturating_duration_since(Instant::now()))
            }
            Pace::Busy => while Instant::now() < self.next_at {},
        }
    }

    pub fn total(&self) -> Duration {
        self.works.iter().sum()
    }

    pub fn forget(&mut self) {
        self.works.clear();
    }

    pub fn count(&self) -> usize {
        self.works.len()
    }

    /// `work p50`, `p99` and `max`.
    pub fn tell(mut self, metrics: &mut Metrics) {
        self.works.sort_unstable();
        metrics.add("work p50", "us", micros(at(&self.works, 50)));
        metrics.add("work p99", "us", micros(at(&self.works, 99)));
        metrics.add("work max", "us", micros(at(&self.works, 100)));
    }
}

pub fn micros(it: Duration) -> f64 {
    it.as_secs_f64() * 1e6
}

/// A percentile of what is sorted.
pub fn at<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    sorted
        .get(sorted.len().saturating_sub(1) * percent / 100)
        .copied()
        .unwrap_or_default()
}
