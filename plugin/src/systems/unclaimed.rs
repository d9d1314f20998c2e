//! Requests that nothing in the app will respond to get status 404, long before the server's deadline.
//!
//! Nobody can know which systems look for [`HttpServerRequest`]. So a request that no observer sees is left to them for
//! a moment. A system that responds later shows that by changing the request or inserting a component on its entity.

use std::collections::VecDeque;
use std::sync::Once;
use std::time::Duration;

use bevy_ecs::change_detection::DetectChanges;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::Added;
use bevy_ecs::system::{Commands, Local, Query, Res};
use bevy_ecs::world::World;
use httpoll::clock::Instant;
use httpoll::server::Response;

use crate::components::server::ServedBy;
use crate::components::server_peers::HttpServerRequest;
use crate::events::server::HttpRequestReceived;
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::is_observed;

/// How long systems have to respond to a request that no observer sees.
const PATIENCE: Duration = Duration::from_millis(250);

/// In how many frames they have it, however long these are.
const FRAMES: u32 = 3;

/// A request that arrived a short time ago.
pub(crate) struct Arrived {
    request: Entity,
    at: Instant,
    frames: u32,
}

pub(crate) fn refuse_unclaimed(
    http: Option<Res<HttpAgent>>,
    added: Query<Entity, Added<HttpServerRequest>>,
    mut waiting: Local<VecDeque<Arrived>>,
    mut commands: Commands,
) {
    let Some(http) = http else { return };
    if added.is_empty() && waiting.is_empty() {
        return;
    }
    let now = http.now();
    for arrived in &mut *waiting {
        arrived.frames += 1;
    }
    while let Some(arrived) = waiting.pop_front_if(|arrived| {
        arrived.frames >= FRAMES && now.saturating_duration_since(arrived.at) >= PATIENCE
    }) {
        commands.queue(move |world: &mut World| refuse(world, arrived.request));
    }
    waiting.extend(added.iter().map(|request| Arrived {
        request,
        at: now,
        frames: 0,
    }));
}

/// Responds with status 404, unless something claims the request.
fn refuse(world: &mut World, entity: Entity) {
    if is_observed::<HttpRequestReceived, ServedBy>(world, entity) {
        return;
    }
    let own = [
        world.register_component::<HttpServerRequest>(),
        world.register_component::<ServedBy>(),
    ];
    let Ok(mut request) = world.get_entity_mut(entity) else {
        return;
    };
    let has_more = |id| !own.contains(id);
    if request.archetype().components().iter().any(has_more) {
        return;
    }
    let is_changed = request
        .get_ref::<HttpServerRequest>()
        .is_none_or(|request| request.last_changed() != request.added());
    if is_changed {
        return;
    }
    let Some(HttpServerRequest(received)) = request.take() else {
        return;
    };
    request.despawn();
    static EXPLAINED: Once = Once::new();
    EXPLAINED.call_once(|| {
        log::warn!(
            "{} {} got status 404: no route takes it, nothing observes HttpRequestReceived, and no system has \
             responded to its HttpServerRequest within {PATIENCE:?}. A system that responds later must insert a \
             component on the entity of the request",
            received.method(),
            received.path()
        );
    });
    received.respond(Response::text("404 - Not Found.").with_status(404));
}
