//! The systems of servers: they start listeners, spawn an entity for each request that no route takes,
//! deliver WebSocket messages, and despawn the entities of clients that are gone.

use bevy_app::App;
use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::query::{Allow, Has, With, Without};
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs};
use bevy_ecs::system::{Commands, Query, ResMut};
use bevy_ecs::world::World;

use crate::components::server::{HttpServer, HttpServing, ServedBy};
#[cfg(feature = "websocket")]
use crate::components::server_peers::HttpSocketPeer;
use crate::components::server_peers::{HttpEventPeer, HttpServerRequest};
#[cfg(feature = "websocket")]
use crate::events::server::HttpPeerMessage;
use crate::events::server::{
    HttpPeerClosed, HttpRequestAborted, HttpRequestReceived, HttpServerFailed, HttpServerStarted,
};
use crate::resources::agent::HttpAgent;
use crate::schedule::HttpollSystems;
use crate::systems::deliver::trigger_at;
use crate::systems::owners::break_cycle;
use crate::systems::server_shutdown;
use crate::systems::unclaimed::refuse_unclaimed;

pub(crate) fn build(app: &mut App, poll_in: InternedScheduleLabel) {
    server_shutdown::build(app.world_mut());
    announce_early(app.world_mut());
    app.add_observer(break_cycle::<ServedBy>);
    app.add_systems(
        poll_in,
        (
            start.before(HttpollSystems::Poll),
            (end, receive, refuse_unclaimed)
                .chain()
                .in_set(HttpollSystems::Dispatch),
        ),
    );
    #[cfg(feature = "websocket")]
    app.add_systems(poll_in, hear.before(end).in_set(HttpollSystems::Dispatch));
}

/// Announces the servers that were spawned before the plugin was added.
fn announce_early(world: &mut World) {
    let mut servers = world.query_filtered::<Entity, (With<HttpServer>, Allow<Disabled>)>();
    let servers: Vec<Entity> = servers.iter(world).collect();
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        for server in servers {
            http.others.announce(server);
        }
    }
}

/// Starts the servers that were spawned or replaced. Tries each once, when its entity is not disabled.
fn start(
    http: Option<ResMut<HttpAgent>>,
    mut servers: Query<(&HttpServer, Option<&mut HttpServing>, Has<Disabled>)>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let http = http.bypass_change_detection();
    for entity in std::mem::take(&mut http.others.announced) {
        let Ok((server, mut serving, is_disabled)) = servers.get_mut(entity) else {
            continue;
        };
        if is_disabled {
            http.others.announced.push(entity);
            continue;
        }
        match server.start(&http.group, http.network(), serving.as_deref_mut()) {
            Ok(started) => {
                http.others.servers.insert(entity);
                let address = started.local_addr();
                commands.entity(entity).try_insert(started);
                let event = HttpServerStarted { entity, address };
                trigger_at::<HttpServing, _>(&mut commands, entity, event);
            }
            Err(error) => {
                if serving.is_none() {
                    http.others.servers.remove(&entity);
                }
                let event = HttpServerFailed { entity, error };
                trigger_at::<HttpServer, _>(&mut commands, entity, event);
            }
        }
    }
}

/// Spawns an entity for each request that arrived.
fn receive(mut servers: Query<(Entity, &mut HttpServing)>, mut commands: Commands) {
    for (server, mut serving) in &mut servers {
        while let Some(request) = serving.bypass_change_detection().server.next_request() {
            serving.set_changed();
            let request = commands
                .spawn((HttpServerRequest(request), ServedBy(server)))
                .id();
            let event = HttpRequestReceived {
                entity: request,
                request,
            };
            trigger_at::<HttpServerRequest, _>(&mut commands, request, event);
        }
    }
}

/// Despawns requests whose client stopped waiting, and streams whose client is gone.
fn end(
    requests: Query<(Entity, &HttpServerRequest)>,
    streams: Query<(Entity, &HttpEventPeer), Without<HttpServerRequest>>,
    mut commands: Commands,
) {
    for (request, received) in &requests {
        if received.0.is_aborted() {
            let event = HttpRequestAborted {
                entity: request,
                request,
            };
            trigger_at::<HttpServerRequest, _>(&mut commands, request, event);
            commands.entity(request).try_despawn();
        }
    }
    for (peer, stream) in &streams {
        if stream.0.is_closed() {
            let event = HttpPeerClosed { entity: peer, peer };
            trigger_at::<HttpEventPeer, _>(&mut commands, peer, event);
            commands.entity(peer).try_despawn();
        }
    }
}

/// Delivers the messages of WebSockets, and despawns those that closed.
#[cfg(feature = "websocket")]
fn hear(mut sockets: Query<(Entity, &mut HttpSocketPeer)>, mut commands: Commands) {
    for (peer, mut socket) in &mut sockets {
        while let Some(message) = socket.bypass_change_detection().0.receive() {
            socket.set_changed();
            let event = HttpPeerMessage {
                entity: peer,
                peer,
                message,
            };
            trigger_at::<HttpSocketPeer, _>(&mut commands, peer, event);
        }
        if socket.0.is_closed() {
            let event = HttpPeerClosed { entity: peer, peer };
            trigger_at::<HttpSocketPeer, _>(&mut commands, peer, event);
            commands.entity(peer).try_despawn();
        }
    }
}
