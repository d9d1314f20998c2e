//! How long loops wait before the next round.

use std::time::Duration;

use httpoll::clock::Instant;

/// The time `pause` after `from`. A year stands for every longer pause, so that no pause overflows the clock.
pub(crate) fn later(from: Instant, pause: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    from + pause.min(LONGEST)
}

/// `first`, doubled for each of these failures up to `longest`, and shifted at random by the fraction `jitter`.
/// `random` is from 0 to 1.
pub(crate) fn backoff(
    first: Duration,
    failures: u32,
    longest: Duration,
    jitter: f32,
    random: f32,
) -> Duration {
    let pause = first
        .saturating_mul(2_u32.saturating_pow(failures.min(31)))
        .min(longest.max(first));
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let scale = 1.0 + jitter * (2.0 * random - 1.0);
    Duration::try_from_secs_f32(pause.as_secs_f32() * scale).unwrap_or(pause)
}
