//! The events of servers. They are triggered at the request or the peer and propagate to its server.

use std::net::SocketAddr;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use httpoll::Error;

use crate::components::server::ServedBy;

/// A server began to listen.
#[derive(EntityEvent, Clone, Copy, Debug)]
pub struct HttpServerStarted {
    /// The server's entity.
    pub entity: Entity,
    /// Its address, with the actual port.
    pub address: SocketAddr,
}

/// A server could not listen, or its setup failed. A server that ran on the entity before keeps running.
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpServerFailed {
    /// The server's entity. It stays: insert [`HttpServer`](crate::HttpServer) again to try again.
    pub entity: Entity,
    /// The reason.
    pub error: Error,
}

/// A request arrived that no route took.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestReceived {
    /// The entity that observes: the request's, then the server's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity, with [`HttpServerRequest`](crate::HttpServerRequest).
    pub request: Entity,
}

/// The client no longer waits for this request's response: it disconnected, or the deadline passed. The
/// entity is despawned after this event.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestAborted {
    /// The entity that observes: the request's, then the server's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
}

/// A client sent a WebSocket message.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerMessage {
    /// The entity that observes: the peer's, then the server's.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
    /// The message.
    pub message: httpoll::websocket::WebSocketMessage,
}

/// The client of an event stream or a WebSocket disconnected. The entity is despawned after this event.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerClosed {
    /// The entity that observes: the peer's, then the server's.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
}
