//! [`HttpBudget`]: what the plugin may spend in a frame.

use std::time::Duration;

use bevy_ecs::resource::Resource;
use httpoll::Budget;

/// What the plugin may spend per frame on requests, nodes, assets and servers together. Systems may change
/// it at any time, for instance when a loading screen appears.
///
/// ```
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn loading_begins(mut budget: ResMut<HttpBudget>) {
///     budget.pace = HttpPace::loading();
/// }
/// fn loading_ends(mut budget: ResMut<HttpBudget>) {
///     budget.pace = HttpPace::adaptive(60);
/// }
/// ```
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct HttpBudget {
    /// The budget of a frame. Default 1 ms and any number of bytes.
    pub frame: Budget,
    /// How the time of [`frame`](Self::frame) is adapted. Its byte limit always applies.
    pub pace: HttpPace,
}

/// How the time of the budget follows the frame's load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum HttpPace {
    /// The same time in each frame.
    #[default]
    Steady,
    /// More in light frames, less in heavy ones: half of the time that the last frame left of `frame`,
    /// within `least` and `most`.
    Adaptive {
        /// The target length of a frame, such as 16.7 ms.
        frame: Duration,
        /// The least time per frame.
        least: Duration,
        /// The most time per frame.
        most: Duration,
    },
    /// This time in each frame. For loading screens, where a long frame does not matter.
    Loading(Duration),
}

impl HttpPace {
    /// [`Adaptive`](Self::Adaptive) for this frame rate, from 0.2 ms to half a frame.
    pub fn adaptive(frames_per_second: u32) -> Self {
        let frame = Duration::from_secs(1) / frames_per_second.max(1);
        Self::Adaptive {
            frame,
            least: Duration::from_micros(200),
            most: frame / 2,
        }
    }

    /// [`Loading`](Self::Loading) with 14 ms: most of a frame at 60 fps, so that a progress bar still
    /// moves.
    pub fn loading() -> Self {
        Self::Loading(Duration::from_millis(14))
    }
}

impl HttpBudget {
    /// The budget of the next frame. `busy` is how long everything else in the last frame took, if known.
    pub fn granted(&self, busy: Option<Duration>) -> Budget {
        let mut granted = self.frame.clone();
        match self.pace {
            HttpPace::Steady => {}
            HttpPace::Adaptive { frame, least, most } => {
                if let Some(busy) = busy {
                    let idle = frame.saturating_sub(busy);
                    granted.time = Some((idle / 2).min(most).max(least));
                }
            }
            HttpPace::Loading(time) => granted.time = Some(time),
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn light_frames_get_more_time_and_loading_screens_a_fixed_time() {
        let adaptive = HttpPace::Adaptive {
            frame: 16 * MS,
            least: MS / 5,
            most: 6 * MS,
        };
        for (pace, busy, granted) in [
            (HttpPace::Steady, Some(15 * MS), MS),
            (adaptive, None, MS),
            (adaptive, Some(Duration::ZERO), 6 * MS),
            (adaptive, Some(8 * MS), 4 * MS),
            (adaptive, Some(14 * MS), MS),
            (adaptive, Some(40 * MS), MS / 5),
            (HttpPace::Loading(12 * MS), Some(40 * MS), 12 * MS),
        ] {
            let budget = HttpBudget {
                frame: Budget::frame(MS).with_bytes(100),
                pace,
            };
            let given = budget.granted(busy);
            assert_eq!(given.time, Some(granted), "{pace:?} {busy:?}");
            assert_eq!(given.bytes, Some(100), "the byte limit always applies");
        }
    }

    #[test]
    fn adaptive_limits_in_the_wrong_order_do_not_panic() {
        let budget = HttpBudget {
            frame: Budget::default(),
            pace: HttpPace::Adaptive {
                frame: MS,
                least: 5 * MS,
                most: MS,
            },
        };
        assert_eq!(budget.granted(Some(MS)).time, Some(5 * MS));
    }
}
