//! The end of servers, when one is removed or replaced and in the last frame: requests that wait get status 503, event
//! streams end, and WebSockets get a close frame.

use std::time::Duration;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::query::With;
use bevy_ecs::world::{DeferredWorld, World};
use httpoll::Budget;
use httpoll::clock::Instant;
use httpoll::server::Response;

use crate::components::server::{HttpServing, Serving};
use crate::components::server_peers::HttpServerRequest;
use crate::events::server::HttpRequestAborted;
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::trigger_at;

/// What the removal of a server may cost a frame.
const REMOVAL: Duration = Duration::from_millis(5);

/// The longest sleep for one server, while others may have something to do.
const LONGEST_SLEEP: Duration = Duration::from_millis(5);

pub(crate) fn build(world: &mut World) {
    world
        .register_component_hooks::<HttpServing>()
        .on_discard(end);
}

/// Ends the server of an entity, as far as its sockets allow at once.
fn end(mut world: DeferredWorld, context: HookContext) {
    refuse_all(&mut world, context.entity);
    if let Some(mut serving) = world.get_mut::<HttpServing>(context.entity) {
        let serving = serving.bypass_change_detection();
        serving.server.shutdown(Duration::from_secs(1));
        serving.poll(&Budget::frame(REMOVAL));
    }
}

/// Polls the servers while the last frame waits for requests: those may be addressed to them.
pub(crate) fn serve(world: &mut World) {
    let mut servers = world.query::<&mut HttpServing>();
    for mut server in servers.iter_mut(world) {
        let server = server.bypass_change_detection();
        server.poll(&Budget::default());
    }
}

/// Shuts all servers down: requests that wait get status 503, event streams end, WebSockets get a close frame. Waits
/// for their clients at most this long.
pub(crate) fn shut_down(world: &mut World, limit: Duration) {
    let mut servers = world.query_filtered::<Entity, With<HttpServing>>();
    let servers: Vec<Entity> = servers.iter(world).collect();
    for server in servers {
        refuse_all(&mut DeferredWorld::from(&mut *world), server);
        if let Some(mut serving) = world.get_mut::<HttpServing>(server) {
            serving.bypass_change_detection().server.shutdown(limit);
        }
    }
    world.flush();
    // Peers on an in-memory network run in this thread: they do nothing while it waits.
    let waits = world
        .get_resource::<HttpAgent>()
        .is_some_and(|http| http.network().is_none());
    let began = Instant::now();
    loop {
        serve(world);
        let mut servers = world.query::<&mut HttpServing>();
        let mut servers = servers.iter_mut(world);
        let left = limit.saturating_sub(began.elapsed());
        let Some(mut busy) = servers.find(|serving| !serving.server.is_closed()) else {
            return;
        };
        let sleep = Some(left.min(LONGEST_SLEEP));
        let busy = &mut busy.bypass_change_detection().server;
        if left.is_zero() || !waits || busy.wait(sleep).is_err() {
            return;
        }
    }
}

/// Responds with status 503 to all requests that wait at a server.
fn refuse_all(world: &mut DeferredWorld, server: Entity) {
    let waiting = match world.get::<Serving>(server) {
        Some(serving) => serving.entities().to_vec(),
        None => return,
    };
    for request in waiting {
        let Some(mut received) = world.get_mut::<HttpServerRequest>(request) else {
            continue;
        };
        received.0.defer().respond(Response::status(503));
        let mut commands = world.commands();
        let event = HttpRequestAborted {
            entity: request,
            request,
        };
        trigger_at::<HttpServerRequest, _>(&mut commands, request, event);
        commands.entity(request).try_despawn();
    }
}
