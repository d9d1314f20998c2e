//! [`HttpCommandsExt`]: commands that respond to the requests of a server.

use bevy_ecs::entity::Entity;
use bevy_ecs::system::Commands;
use bevy_ecs::world::World;
use httpoll::server::Response;
use httpoll::server::topic::Topic;
#[cfg(feature = "websocket")]
use httpoll::server::websocket::Options as WebSocketOptions;

#[cfg(feature = "websocket")]
use crate::components::server_peers::HttpSocketPeer;
use crate::components::server_peers::{HttpEventPeer, HttpServerRequest};

/// Commands that respond to the requests of a server. They do nothing for an entity without
/// [`HttpServerRequest`].
pub trait HttpCommandsExt {
    /// Sends a response, and despawns the request's entity.
    fn respond(&mut self, request: Entity, response: Response);

    /// Responds with server-sent events: [`HttpEventPeer`] replaces the request on the entity.
    fn stream_events(&mut self, request: Entity);

    /// Responds with the events of a topic, and despawns the request's entity. A topic encodes each event
    /// once for all subscribers and never waits for a slow one.
    fn subscribe(&mut self, request: Entity, topic: &Topic);

    /// Accepts the WebSocket that a request asks for: [`HttpSocketPeer`] replaces the request on the
    /// entity. A request that is not a WebSocket handshake gets an error response and is despawned.
    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions);
}

impl HttpCommandsExt for Commands<'_, '_> {
    fn respond(&mut self, request: Entity, response: Response) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(received)) = take(world, request) {
                received.respond(response);
                let _ = world.try_despawn(request);
            }
        });
    }

    fn stream_events(&mut self, request: Entity) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut received)) = take(world, request) {
                let stream = received.event_stream(Response::new());
                world.entity_mut(request).insert(HttpEventPeer(stream));
            }
        });
    }

    fn subscribe(&mut self, request: Entity, topic: &Topic) {
        let topic = topic.clone();
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut received)) = take(world, request) {
                topic.subscribe(&mut received);
                let _ = world.try_despawn(request);
            }
        });
    }

    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions) {
        use httpoll::server::IntoResponse;
        self.queue(move |world: &mut World| {
            let Some(HttpServerRequest(mut received)) = take(world, request) else {
                return;
            };
            match received.accept_websocket(options) {
                Ok(socket) => {
                    world.entity_mut(request).insert(HttpSocketPeer(socket));
                }
                Err(refused) => {
                    // Without a response the client gets status 500.
                    if let Ok(response) = refused.into_response() {
                        received.respond(response);
                    }
                    let _ = world.try_despawn(request);
                }
            }
        });
    }
}

/// Removes the request from its entity. `Some` implies that the entity exists.
fn take(world: &mut World, request: Entity) -> Option<HttpServerRequest> {
    world.get_entity_mut(request).ok()?.take()
}
