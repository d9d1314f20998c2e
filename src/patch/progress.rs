//! How far a patch is: numbers of the whole set, its rate and the time that is left.

use std::time::Duration;

use crate::clock::Instant;

/// What a patch is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatchPhase {
    /// It fetches the manifest.
    #[default]
    Manifest,
    /// It compares the manifest with the disk.
    Check,
    /// It downloads and repairs files.
    Download,
    /// It builds the new set and makes it visible.
    Install,
    /// The set is visible, see [`Patch::result`](crate::patch::Patch::result).
    Finished,
    /// It failed or was cancelled. The set from before is visible.
    Failed,
}

impl PatchPhase {
    /// Whether the patch has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }
}

/// How far a patch is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PatchProgress {
    /// What it is doing.
    pub phase: PatchPhase,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The files of the manifest; 0 before it is known.
    pub files: usize,
    /// Files that are on the disk with the right content.
    pub files_done: usize,
    /// The bytes of all files together.
    pub bytes: u64,
    /// Bytes that are on the disk. While files are compared, the bytes that were compared.
    pub bytes_done: u64,
    /// Bytes of content that came over the network in this run.
    pub received: u64,
    /// Bytes per second over the network, of the last seconds.
    pub rate: f64,
    /// The time until all bytes are there at this rate. `None` if nothing arrives.
    pub time_left: Option<Duration>,
}

impl PatchProgress {
    /// The part that is done, from 0 to 1. A set without bytes is done when the patch is.
    pub fn fraction(&self) -> f32 {
        match (self.phase, self.bytes) {
            (PatchPhase::Finished, _) => 1.0,
            (_, 0) => 0.0,
            // Precision is lost above 16 million bytes, where it is not visible.
            #[allow(clippy::cast_precision_loss)]
            (_, bytes) => (self.bytes_done as f32 / bytes as f32).min(1.0),
        }
    }
}

/// Measures a rate over the last seconds.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    last: Option<(Instant, u64)>,
    rate: Option<f64>,
}

/// After this time an old rate counts for a third.
const WINDOW: f64 = 3.0;

/// The rate is measured over at least this time.
const SHORTEST: Duration = Duration::from_millis(250);

impl RateMeter {
    /// Takes the bytes that had arrived at a time.
    pub(super) fn update(&mut self, now: Instant, bytes: u64) {
        let Some((at, before)) = self.last else {
            self.last = Some((now, bytes));
            return;
        };
        let time = now.saturating_duration_since(at);
        if time < SHORTEST {
            return;
        }
        let seconds = time.as_secs_f64();
        // Precision is lost above 2^53 bytes, where it is not visible.
        #[allow(clippy::cast_precision_loss)]
        let latest = bytes.saturating_sub(before) as f64 / seconds;
        let old = (-seconds / WINDOW).exp();
        self.rate = Some(match self.rate {
            Some(rate) => rate * old + latest * (1.0 - old),
            None => latest,
        });
        self.last = Some((now, bytes));
    }

    /// Forgets the rate: nothing arrives while the patch is paused.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate.unwrap_or(0.0)
    }

    /// The time for these bytes.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        let rate = self.rate.filter(|rate| *rate >= 1.0)?;
        #[allow(clippy::cast_precision_loss)]
        Duration::try_from_secs_f64(bytes as f64 / rate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_measured_and_a_change_comes_through() {
        let mut meter = RateMeter::default();
        let begin = Instant::now();
        let at = |tenths: u64| begin + Duration::from_millis(tenths * 100);
        meter.update(at(0), 5000);
        assert_eq!((meter.rate(), meter.time_for(100)), (0.0, None));
        for tenths in 1..=100 {
            meter.update(at(tenths), 5000 + tenths * 100);
        }
        assert!((meter.rate() - 1000.0).abs() < 1.0, "{}", meter.rate());
        let left = meter.time_for(10_000).unwrap().as_secs_f64();
        assert!((left - 10.0).abs() < 0.1, "{left}");
        for tenths in 101..=200 {
            meter.update(at(tenths), 15_000);
        }
        assert!(meter.rate() < 50.0, "{}", meter.rate());
        meter.reset();
        assert_eq!(meter.rate(), 0.0);
    }

    #[test]
    fn fractions_are_from_0_to_1() {
        let mut progress = PatchProgress::default();
        assert_eq!(progress.fraction(), 0.0);
        (progress.bytes, progress.bytes_done) = (4, 1);
        assert_eq!(progress.fraction(), 0.25);
        progress.bytes_done = 9;
        assert_eq!(progress.fraction(), 1.0);
        progress.bytes = 0;
        progress.phase = PatchPhase::Finished;
        assert_eq!(progress.fraction(), 1.0);
    }
}
