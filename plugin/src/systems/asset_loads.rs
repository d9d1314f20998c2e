//! Moves asset loads on, before each pump.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::system::ResMut;

use crate::resources::agent::HttpAgent;
use crate::resources::asset_loads::HttpAssetLoads;

/// Begins the loads that readers ask for, and delivers what their channels have space for.
pub(crate) fn load(http: Option<ResMut<HttpAgent>>, loads: Option<ResMut<HttpAssetLoads>>) {
    let Some(mut loads) = loads else { return };
    let is_changed = match http {
        // The agent changes only when a request begins or ends.
        Some(mut http) => loads
            .bypass_change_detection()
            .advance(http.bypass_change_detection()),
        None => loads.bypass_change_detection().abandon(),
    };
    if is_changed {
        loads.set_changed();
    }
}
