//! [`Frame`]: what the current frame may spend and has spent.

use std::time::Duration;

use httpoll::Budget;
use httpoll::clock::Instant;

/// The account of one frame, kept by the pumps and by everything that they pay for. Its times are those of
/// [`HttpAgent::now`](crate::resources::agent::HttpAgent::now).
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) granted: Budget,
    pub(crate) spent: Duration,
    /// How long observers of this plugin parsed JSON in this frame.
    pub(crate) parsing: Duration,
    /// What the frame before spent.
    pub(crate) latest: Duration,
    pub(crate) began: Option<Instant>,
    /// How long everything else in the last frame took.
    pub(crate) busy: Option<Duration>,
    /// Bytes of content sent since the app started.
    pub(crate) sent: u64,
    /// Bytes of content received since the app started.
    pub(crate) received: u64,
}

impl Frame {
    /// Before the first frame.
    pub(crate) fn new(granted: Budget) -> Self {
        Self {
            granted,
            spent: Duration::ZERO,
            parsing: Duration::ZERO,
            latest: Duration::ZERO,
            began: None,
            busy: None,
            sent: 0,
            received: 0,
        }
    }

    /// Begins a frame that may spend this.
    pub(crate) fn begin(&mut self, granted: Option<Budget>, now: Instant) {
        if let Some(granted) = granted {
            self.granted = granted;
        }
        self.latest = self.spent;
        self.spent = Duration::ZERO;
        self.began = Some(now);
    }

    /// Ends the frame's work: measures how long everything else took.
    pub(crate) fn end(&mut self, now: Instant) {
        let spent = self.spent;
        self.busy = self
            .began
            .map(|began| now.saturating_duration_since(began).saturating_sub(spent));
    }
}
