//! [`FrameBudget`]: a budget that follows the load of the frames.
//!
//! It knows nothing of what is polled. Its caller tells it when a frame begins and ends.

use std::time::Duration;

use super::Budget;
use crate::clock::Instant;

/// How the time of a budget follows the frame's load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramePace {
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

impl FramePace {
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

    /// The budget of the next frame. `busy` is how long everything except polls took in the last frame, if
    /// known. Only the time of `budget` is changed.
    pub fn grant(&self, budget: &Budget, busy: Option<Duration>) -> Budget {
        let mut granted = budget.clone();
        match *self {
            Self::Steady => {}
            Self::Adaptive { frame, least, most } => {
                if let Some(busy) = busy {
                    let idle = frame.saturating_sub(busy);
                    granted.time = Some((idle / 2).min(most).max(least));
                }
            }
            Self::Loading(time) => granted.time = Some(time),
        }
        granted
    }
}

/// The budget of a loop of frames, shared by everything that the loop polls: agents, servers, clients, groups.
/// It grants each frame as much time as the last frame left free; see [`FramePace`].
///
/// Call [`begin_frame`](Self::begin_frame) first in a frame, poll with [`poll`](Self::poll), and call
/// [`end_frame`](Self::end_frame) before the loop waits for the display. What lies between, without the polls,
/// is the frame's load.
///
#[cfg_attr(feature = "agent", doc = "```")]
#[cfg_attr(not(feature = "agent"), doc = "```ignore")]
/// # use httpoll::memory::MemoryNetwork;
/// # fn update_and_draw() {}
/// # fn wait_for_the_display() {}
/// use httpoll::Agent;
/// use httpoll::budget::{FrameBudget, FramePace};
///
/// # let mut agent = Agent::on_memory(&MemoryNetwork::new());
/// # /*
/// let mut agent = Agent::new();
/// # */
/// let mut frame = FrameBudget::new(FramePace::adaptive(60));
/// # for _ in 0..3 {
/// # /*
/// loop {
/// # */
///     frame.begin_frame();
///     frame.poll(|budget| agent.poll_with(budget));
///     update_and_draw();
///     frame.end_frame();
///     wait_for_the_display();
/// }
/// assert!(frame.granted().time.unwrap().as_millis() <= 9);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FrameBudget {
    budget: Budget,
    pace: FramePace,
    granted: Budget,
    began: Option<Instant>,
    spent: Duration,
    busy: Option<Duration>,
}

impl FrameBudget {
    /// A budget with this pace. An adaptive pace grants the budget unchanged until the first frame has ended.
    pub fn new(pace: FramePace) -> Self {
        let budget = Budget::default();
        Self {
            granted: pace.grant(&budget, None),
            budget,
            pace,
            ..Self::default()
        }
    }

    /// Replaces the budget whose time is adapted, from the next frame on. Its other limits always apply.
    /// Default [`Budget::default`].
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        if self.began.is_none() {
            self.granted = self.pace.grant(&self.budget, None);
        }
    }

    /// Replaces the pace, from the next frame on. For instance when a loading screen appears.
    pub fn set_pace(&mut self, pace: FramePace) {
        self.pace = pace;
    }

    /// A frame begins now.
    pub fn begin_frame(&mut self) {
        self.begin_frame_at(Instant::now());
    }

    /// [`begin_frame`](Self::begin_frame) with the time given, so that a test can choose it.
    pub fn begin_frame_at(&mut self, now: Instant) {
        self.granted = self.pace.grant(&self.budget, self.busy);
        self.spent = Duration::ZERO;
        self.began = Some(now);
    }

    /// What this frame may spend in all.
    pub fn granted(&self) -> &Budget {
        &self.granted
    }

    /// What is left of the frame's time.
    pub fn remaining(&self) -> Budget {
        let mut left = self.granted.clone();
        left.time = left.time.map(|time| time.saturating_sub(self.spent));
        left
    }

    /// Calls a function that polls with what is left of the frame's budget, and measures it. Several polls in
    /// one frame share the time. The limits on bytes, accepted connections and handler calls apply to each.
    pub fn poll<R>(&mut self, poll: impl FnOnce(&Budget) -> R) -> R {
        let began = Instant::now();
        let result = poll(&self.remaining());
        self.spend(began.elapsed());
        result
    }

    /// Notes time that was spent on polls in this frame, if it was not measured by [`poll`](Self::poll).
    pub fn spend(&mut self, time: Duration) {
        self.spent = self.spent.saturating_add(time);
    }

    /// How much time the polls of this frame took.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// The frame's work is done.
    pub fn end_frame(&mut self) {
        self.end_frame_at(Instant::now());
    }

    /// [`end_frame`](Self::end_frame) with the time given, so that a test can choose it.
    pub fn end_frame_at(&mut self, now: Instant) {
        self.busy = self.began.map(|began| {
            now.saturating_duration_since(began)
                .saturating_sub(self.spent)
        });
    }

    /// How long everything except polls took in the last frame that ended.
    pub fn busy(&self) -> Option<Duration> {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn light_frames_get_more_time_and_loading_screens_a_fixed_time() {
        let adaptive = FramePace::Adaptive {
            frame: 16 * MS,
            least: MS / 5,
            most: 6 * MS,
        };
        for (pace, busy, granted) in [
            (FramePace::Steady, Some(15 * MS), MS),
            (adaptive, None, MS),
            (adaptive, Some(Duration::ZERO), 6 * MS),
            (adaptive, Some(8 * MS), 4 * MS),
            (adaptive, Some(14 * MS), MS),
            (adaptive, Some(40 * MS), MS / 5),
            (FramePace::Loading(12 * MS), Some(40 * MS), 12 * MS),
        ] {
            let budget = Budget::frame(MS).with_bytes(100);
            let given = pace.grant(&budget, busy);
            assert_eq!(given.time, Some(granted), "{pace:?} {busy:?}");
            assert_eq!(given.bytes, Some(100), "the byte limit always applies");
        }
    }

    #[test]
    fn a_frame_gets_half_of_what_the_one_before_left_free() {
        let mut frame = FrameBudget::new(FramePace::Adaptive {
            frame: 16 * MS,
            least: MS / 5,
            most: 8 * MS,
        });
        let mut now = Instant::now();
        let mut granted = Vec::new();
        for busy in [14 * MS, 4 * MS, 40 * MS, 4 * MS] {
            frame.begin_frame_at(now);
            granted.push(frame.granted().time.unwrap());
            // The polls' own time is no load.
            frame.spend(MS / 2);
            now += busy + MS / 2;
            frame.end_frame_at(now);
            assert_eq!(frame.busy(), Some(busy));
            // Waiting for the display is no load either.
            now += 2 * MS;
        }
        assert_eq!(granted, [MS, MS, 6 * MS, MS / 5]);
    }

    #[test]
    fn polls_of_one_frame_share_its_time() {
        let mut frame = FrameBudget::new(FramePace::Loading(10 * MS));
        frame.begin_frame_at(Instant::now());
        frame.spend(4 * MS);
        assert_eq!(frame.remaining().time, Some(6 * MS));
        frame.spend(40 * MS);
        assert_eq!(frame.remaining().time, Some(Duration::ZERO));
        assert_eq!(frame.spent(), 44 * MS);
        frame.spend(Duration::MAX);
        assert_eq!(frame.remaining().time, Some(Duration::ZERO));
        frame.set_pace(FramePace::Steady);
        frame.begin_frame_at(Instant::now());
        assert_eq!(frame.remaining(), Budget::default());
    }
}
