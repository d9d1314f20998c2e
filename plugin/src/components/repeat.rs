//! [`HttpRepeat`]: the request is sent again and again.

use std::time::Duration;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;

use crate::components::backoff::backoff;

/// Sends the request again and again: a polling loop.
///
/// Each round ends with its own [`HttpResponse`](crate::HttpResponse) or
/// [`HttpError`](crate::HttpError). A round begins [`every`](Self::every) after the round before it
/// began, in real time, and never while that one is still under way; missed rounds are skipped.
/// Failures, and statuses 429 and 5xx, double the time up to [`longest`](Self::longest); the first success
/// restores it.
///
/// The entity stays until it is despawned, this component is removed, or
/// [`CancelHttp`](crate::CancelHttp).
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
pub struct HttpRepeat {
    /// The time from the start of one round to the start of the next. Default 5 s.
    pub every: Duration,
    /// The fraction of the time, from 0 to 1, by which rounds start earlier or later at random, so that
    /// not all players send at the same moment. Default 0.1.
    pub jitter: f32,
    /// The longest time between rounds after failures. Default 5 min. If it is less than `every`,
    /// failures change nothing.
    pub longest: Duration,
    /// Begins no new round while this is set. Default `false`.
    pub paused: bool,
}

impl HttpRepeat {
    /// Rounds at this interval, otherwise the defaults.
    pub fn every(every: Duration) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    /// The time from the start of a round to the start of the next. `random` is from 0 to 1.
    pub(crate) fn pause(&self, failures: u32, random: f32) -> Duration {
        backoff(self.every, failures, self.longest, self.jitter, random)
    }
}

impl Default for HttpRepeat {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5),
            jitter: 0.1,
            longest: Duration::from_secs(300),
            paused: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_back_off_after_failures_and_never_beyond_the_longest() {
        let repeat = HttpRepeat {
            every: Duration::from_secs(2),
            jitter: 0.5,
            longest: Duration::from_secs(10),
            paused: false,
        };
        for (failures, random, seconds) in [
            (0, 0.5, 2.0),
            (1, 0.5, 4.0),
            (2, 0.5, 8.0),
            (3, 0.5, 10.0),
            (u32::MAX, 0.5, 10.0),
            (0, 0.0, 1.0),
            (0, 1.0, 3.0),
        ] {
            let pause = repeat.pause(failures, random).as_secs_f32();
            assert!((pause - seconds).abs() < 1e-3, "{failures} {random}");
        }
    }

    #[test]
    fn extreme_values_do_not_panic() {
        for (every, jitter) in [
            (Duration::MAX, 0.1),
            (Duration::MAX, f32::NAN),
            (Duration::ZERO, f32::INFINITY),
            (Duration::from_secs(1), -7.0),
        ] {
            let repeat = HttpRepeat {
                every,
                jitter,
                ..HttpRepeat::default()
            };
            let _ = repeat.pause(40, 1.0);
        }
    }
}
