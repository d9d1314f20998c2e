//! [`HttpBudget`]: what the plugin may spend in a frame.

use bevy_ecs::resource::Resource;
use httpoll::Budget;
pub use httpoll::budget::FramePace as HttpPace;

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
