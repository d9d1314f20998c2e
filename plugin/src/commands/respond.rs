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

/// Answers to requests, as commands. For an entity that is no waiting request they do nothing.
pub trait HttpCommandsExt {
    /// Answers a request, and despawns its entity.
    fn respond(&mut self, request: Entity, response: Response);

    /// Answers a request with server-sent events: its entity becomes an [`HttpEventPeer`].
    fn stream_events(&mut self, request: Entity);

    /// Answers a request with the events of a topic, which encodes each event once for all its
    /// subscribers and never waits for a slow one. Its entity is despawned.
    fn subscribe(&mut self, request: Entity, topic: &Topic);

    /// Opens the WebSocket that a request asks for: its entity becomes an [`HttpSocketPeer`]. One that
    /// asks for none is answered with what is wrong, and despawned.
    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions);
}

impl HttpCommandsExt for Commands<'_, '_> {
    fn respond(&mut self, request: Entity, response: Response) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(asked)) = take(world, request) {
                asked.respond(response);
                let _ = world.try_despawn(request);
            }
        });
    }

    fn stream_events(&mut self, request: Entity) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut asked)) = take(world, request) {
                let stream = asked.event_stream(Response::new());
                world.entity_mut(request).insert(HttpEventPeer(stream));
            }
        });
    }

    fn subscribe(&mut self, request: Entity, topic: &Topic) {
        let topic = topic.clone();
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut asked)) = take(world, request) {
                topic.subscribe(&mut asked);
                let _ = world.try_despawn(request);
            }
        });
    }

    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions) {
        use httpoll::server::IntoResponse;
        self.queue(move |world: &mut World| {
            let Some(HttpServerRequest(mut asked)) = take(world, request) else {
                return;
            };
            match asked.accept_websocket(options) {
                Ok(socket) => {
                    world.entity_mut(request).insert(HttpSocketPeer(socket));
                }
                Err(refused) => {
                    // What cannot be said is answered by 500.
                    if let Ok(response) = refused.into_response() {
                        asked.respond(response);
                    }
                    let _ = world.try_despawn(request);
                }
            }
        });
    }
}

/// Takes a request off its entity, which is there if it had one.
fn take(world: &mut World, request: Entity) -> Option<HttpServerRequest> {
    world.get_entity_mut(request).ok()?.take()
}
