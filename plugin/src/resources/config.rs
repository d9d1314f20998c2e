//! [`PluginConfig`]: the plugin's settings that its systems read.

use std::time::Duration;

use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::InternedScheduleLabel;

use crate::schedule::HttpOnExit;

/// A copy of those fields of [`HttpollPlugin`](crate::HttpollPlugin) that systems read after the plugin
/// was built.
#[derive(Resource, Clone, Debug)]
pub(crate) struct PluginConfig {
    pub(crate) despawn_finished: bool,
    pub(crate) slow_observer: Option<Duration>,
    pub(crate) json_off_frame: usize,
    pub(crate) on_exit: HttpOnExit,
    /// The schedules of the first and the second pump.
    #[cfg_attr(not(feature = "assets"), allow(dead_code))]
    pub(crate) schedules: (InternedScheduleLabel, InternedScheduleLabel),
}
