//! [`HttpBudget`]: what the plugin may spend in a frame.

use std::time::Duration;

use bevy_ecs::resource::Resource;
use httpoll::Budget;

/// What the plugin may spend in a frame, on requests, nodes and assets together. A system may change
/// it at any time, such as when a loading screen begins.
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
    /// The budget of a frame: 1 ms and any number of bytes by default.
    pub frame: Budget,
    /// How far the time of [`frame`](Self::frame) may be exceeded, and when. Its bytes hold always.
    pub pace: HttpPace,
}

/// How the time of a frame's budget goes with the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum HttpPace {
    /// The same in each frame.
    #[default]
    Steady,
    /// More when the game is idle, less when it is not: half of what the last frame left of
    /// `frame`, within `least` and `most`.
    Adaptive {
        /// How long a frame may take in all, as in 16.7 ms.
        frame: Duration,
        /// Never less than this.
        least: Duration,
        /// Never more than this.
        most: Duration,
    },
    /// So much in each frame, for loading screens, where nobody minds.
    Loading(Duration),
}

impl HttpPace {
    /// [`Adaptive`](Self::Adaptive) to so many frames a second, from 0.2 ms to half a frame.
    pub fn adaptive(frames_per_second: u32) -> Self {
        let frame = Duration::from_secs(1) / frames_per_second.max(1);
        Self::Adaptive {
            frame,
            least: Duration::from_micros(200),
            most: frame / 2,
        }
    }

    /// [`Loading`](Self::Loading) with 14 ms: nearly all of a frame at 60 frames a second, so that a
    /// progress bar still moves.
    pub fn loading() -> Self {
        Self::Loading(Duration::from_millis(14))
    }
}

impl HttpBudget {
    /// What the next frame gets, when the last one was busy for so long with other things; `None`
    /// when that is not known.
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
    fn idle_frames_give_more_heavy_ones_less_and_loading_all() {
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
            assert_eq!(given.bytes, Some(100), "bytes hold always");
        }
    }

    #[test]
    fn adaptive_limits_in_the_wrong_order_do_no_harm() {
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
