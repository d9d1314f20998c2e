//! Polls the patches and reports what they did.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::Has;
use bevy_ecs::system::{Commands, Query, ResMut};

use crate::components::patch::HttpPatch;
use crate::components::paused::HttpPaused;
use crate::components::rate_limit::HttpRateLimit;
use crate::events::patch::{HttpPatchFailed, HttpPatchFinished, HttpPatchProgressed};
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::trigger_at;

pub(crate) fn poll_patches(
    http: Option<ResMut<HttpAgent>>,
    mut patches: Query<(
        Entity,
        &mut HttpPatch,
        Has<HttpPaused>,
        Option<&HttpRateLimit>,
    )>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let began = http.now();
    let http = http.bypass_change_detection();
    for (entity, mut patch, is_paused, limit) in &mut patches {
        if patch.is_over() {
            continue;
        }
        let limit = limit.map(|limit| limit.0);
        let advanced = patch
            .bypass_change_detection()
            .advance(&mut http.agent, is_paused, limit);
        let (progress, outcome) = advanced;
        if let Some(progress) = progress {
            patch.set_changed();
            let event = HttpPatchProgressed { entity, progress };
            trigger_at::<HttpPatch, _>(&mut commands, entity, event);
        }
        match outcome {
            Some(Ok(report)) => {
                let event = HttpPatchFinished { entity, report };
                trigger_at::<HttpPatch, _>(&mut commands, entity, event);
            }
            Some(Err(error)) => {
                let event = HttpPatchFailed { entity, error };
                trigger_at::<HttpPatch, _>(&mut commands, entity, event);
            }
            None => {}
        }
    }
    let spent = http.now().saturating_duration_since(began);
    http.frame.spend(spent);
}
