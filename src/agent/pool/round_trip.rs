//! How long a host takes to respond.

use std::time::Duration;

/// A host that takes longer is distant. It is longer than a frame at 30 frames per second, because a poll sees a
/// response at most once a frame.
const DISTANT: Duration = Duration::from_millis(50);

/// The time from a request to the head of its response, averaged over the latest responses.
#[derive(Debug, Default)]
pub(super) struct RoundTrip(Option<Duration>);

impl RoundTrip {
    pub(super) fn learn(&mut self, took: Duration) {
        self.0 = Some(self.0.map_or(took, |average| (3 * average + took) / 4));
    }

    pub(super) fn is_distant(&self) -> bool {
        self.0.is_some_and(|average| average >= DISTANT)
    }
}
