//! Shows what the plugin is doing: in the resource [`HttpSnapshot`], and on the inspector pages of servers.

use bevy_app::{App, Last};
use bevy_ecs::change_detection::{DetectChanges, DetectChangesMut};
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::system::{Local, ResMut};
#[cfg(feature = "server")]
use bevy_ecs::{entity::Entity, system::Query};
use httpoll::clock::Instant;

#[cfg(feature = "server")]
use crate::components::server::HttpServing;
use crate::resources::agent::HttpAgent;
use crate::resources::snapshot::HttpSnapshot;
use crate::schedule::HttpollSystems;

pub(crate) fn build(app: &mut App) {
    app.add_systems(Last, update.after(HttpollSystems::Flush));
    #[cfg(feature = "server")]
    app.add_systems(Last, show_agent.after(HttpollSystems::Flush));
}

/// Updates the resource, if there is one and it is due.
fn update(
    http: Option<ResMut<HttpAgent>>,
    snapshot: Option<ResMut<HttpSnapshot>>,
    mut updated: Local<Option<Instant>>,
    #[cfg(feature = "server")] mut servers: Query<(Entity, &mut HttpServing)>,
) {
    let (Some(mut http), Some(mut snapshot)) = (http, snapshot) else {
        return;
    };
    let now = http.now();
    let interval = snapshot.interval;
    let is_recent = |at| now.saturating_duration_since(at) < interval;
    if updated.is_some_and(is_recent) && !snapshot.is_added() {
        return;
    }
    *updated = Some(now);
    snapshot.agent = http.bypass_change_detection().agent.snapshot();
    #[cfg(feature = "server")]
    {
        snapshot.servers = servers
            .iter_mut()
            .map(|(entity, mut serving)| {
                let serving = serving.bypass_change_detection();
                (entity, serving.server.snapshot())
            })
            .collect();
    }
}

/// Adds the agent to the inspector pages that are open.
#[cfg(feature = "server")]
fn show_agent(http: Option<ResMut<HttpAgent>>, servers: Query<&HttpServing>) {
    let Some(mut http) = http else { return };
    for serving in &servers {
        if let Some(inspector) = serving.server.inspector() {
            let agent = &mut http.bypass_change_detection().agent;
            inspector.show("agent", || agent.snapshot().to_json());
        }
    }
}
