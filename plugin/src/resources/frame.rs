//! [`Frame`]: what the current frame may spend and has spent.

use std::time::Duration;

use httpoll::Budget;
#[cfg(feature = "diagnostics")]
use httpoll::agent::Timings;
use httpoll::budget::FrameBudget;
use httpoll::clock::Instant;

use crate::resources::budget::HttpBudget;

/// The account of one frame, kept by the pumps and by everything that they pay for. Its times are those of
/// [`HttpAgent::now`](crate::resources::agent::HttpAgent::now).
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    budget: FrameBudget,
    /// How long observers of this plugin parsed JSON in this frame.
    pub(crate) parsing: Duration,
    /// What the frame before spent.
    pub(crate) latest: Duration,
    /// Bytes of content sent since the app started.
    pub(crate) sent: u64,
    /// Bytes of content received since the app started.
    pub(crate) received: u64,
    /// The times of the requests that ended in this frame.
    #[cfg(feature = "diagnostics")]
    pub(crate) timings: Vec<Timings>,
}

impl Frame {
    /// Before the first frame.
    pub(crate) fn new(budget: &HttpBudget) -> Self {
        let mut frame = FrameBudget::new(budget.pace);
        frame.set_budget(budget.frame.clone());
        Self {
            budget: frame,
            parsing: Duration::ZERO,
            latest: Duration::ZERO,
            sent: 0,
            received: 0,
            #[cfg(feature = "diagnostics")]
            timings: Vec::new(),
        }
    }

    /// Begins a frame. Without a budget the one before stays.
    pub(crate) fn begin(&mut self, budget: Option<&HttpBudget>, now: Instant) {
        if let Some(budget) = budget {
            self.budget.set_budget(budget.frame.clone());
            self.budget.set_pace(budget.pace);
        }
        self.latest = self.spent();
        self.budget.begin_frame_at(now);
        #[cfg(feature = "diagnostics")]
        self.timings.clear();
    }

    /// What the frame may spend in all.
    pub(crate) fn granted(&self) -> &Budget {
        self.budget.granted()
    }

    pub(crate) fn spent(&self) -> Duration {
        self.budget.spent()
    }

    pub(crate) fn spend(&mut self, time: Duration) {
        self.budget.spend(time);
    }

    /// Ends the frame's work: measures how long everything else took.
    pub(crate) fn end(&mut self, now: Instant) {
        self.budget.end_frame_at(now);
    }
}
