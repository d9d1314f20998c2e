//! Moves asset loads on, before each pump.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::system::ResMut;

use crate::resources::agent::HttpAgent;
use crate::resources::asset_loads::HttpAssetLoads;

/// Begins the loads that readers ask for, and delivers what their channels have space for.
pub(crate) fn load(http: Option<ResMut<HttpAgent>>, loads: Option<ResMut<HttpAssetLoads>>) {
    if let (Some(mut http), Some(mut loads)) = (http, loads) {
        // Loads change in almost every frame, but the agent only when a request begins or ends.
        loads.advance(http.bypass_change_detection());
    }
}
