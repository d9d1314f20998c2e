//! The systems of servers: they start listeners, spawn an entity for each request that no route takes,
//! deliver WebSocket messages, and despawn the entities of clients that are gone.

use bevy_app::App;
use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::{Changed, Without};
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs};
use bevy_ecs::system::{Commands, Query, ResMut};
use bevy_ecs::world::World;
use httpoll::Budget;

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
use crate::systems::owners::break_cycle;

pub(crate) fn build(app: &mut App, poll_in: InternedScheduleLabel) {
    app.add_observer(break_cycle::<ServedBy>);
    app.add_systems(
        poll_in,
        (
            start.before(HttpollSystems::Poll),
            (end, receive).chain().in_set(HttpollSystems::Dispatch),
        ),
    );
    #[cfg(feature = "websocket")]
    app.add_systems(poll_in, hear.before(end).in_set(HttpollSystems::Dispatch));
}

/// Polls the servers while the last frame waits for requests: those may be addressed to them.
pub(crate) fn serve(world: &mut World) {
    let mut servers = world.query::<&mut HttpServing>();
    for mut server in servers.iter_mut(world) {
        server.poll(&Budget::default());
    }
}

/// Starts the servers that were spawned or replaced. Tries each once.
fn start(
    http: Option<ResMut<HttpAgent>>,
    mut changed: Query<(Entity, &HttpServer, Option<&mut HttpServing>), Changed<HttpServer>>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let http = http.bypass_change_detection();
    for (entity, server, mut serving) in &mut changed {
        match server.start(&http.group, http.network(), serving.as_deref_mut()) {
            Ok(started) => {
                http.others.servers.insert(entity);
                let address = started.local_addr();
                commands.entity(entity).try_insert(started);
                commands.trigger(HttpServerStarted { entity, address });
            }
            Err(error) => {
                if serving.is_none() {
                    http.others.servers.remove(&entity);
                }
                commands.trigger(HttpServerFailed { entity, error });
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
            commands.trigger(HttpRequestReceived {
                entity: request,
                request,
            });
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
            commands.trigger(HttpRequestAborted {
                entity: request,
                request,
            });
            commands.entity(request).try_despawn();
        }
    }
    for (peer, stream) in &streams {
        if stream.0.is_closed() {
            commands.trigger(HttpPeerClosed { entity: peer, peer });
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
            commands.trigger(HttpPeerMessage {
                entity: peer,
                peer,
                message,
            });
        }
        if socket.0.is_closed() {
            commands.trigger(HttpPeerClosed { entity: peer, peer });
            commands.entity(peer).try_despawn();
        }
    }
}
