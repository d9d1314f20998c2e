//! The events of servers. They are triggered at the request or the peer and propagate to its server.

use std::net::SocketAddr;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use httpoll::Error;

use crate::components::server::ServedBy;

/// A server listens.
#[derive(EntityEvent, Clone, Copy, Debug)]
pub struct HttpServerStarted {
    /// The server's entity.
    pub entity: Entity,
    /// Where, with the real port.
    pub address: SocketAddr,
}

/// A server could not listen.
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpServerFailed {
    /// The server's entity. It stays: insert another [`HttpServer`] to try again.
    pub entity: Entity,
    /// Why.
    pub error: Error,
}

/// A request came that no route took.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestReceived {
    /// Who is told: the request's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The request's entity, with [`HttpServerRequest`].
    pub request: Entity,
}

/// Nobody waits for this request's answer any more: its client has gone, or the deadline is over. Its
/// entity is despawned behind this.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestAborted {
    /// Who is told: the request's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
}

/// A message of a WebSocket's client.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerMessage {
    /// Who is told: the peer's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
    /// What it said.
    pub message: httpoll::websocket::WebSocketMessage,
}

/// The client of an event stream or a WebSocket has gone. Its entity is despawned behind this.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerClosed {
    /// Who is told: the peer's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
}
