//! The clients of a server, as entities: requests that wait for their response, event streams and
//! WebSockets.

use bevy_ecs::component::Component;
use httpoll::server::Request;
use httpoll::server::event_stream::EventStream;
#[cfg(feature = "websocket")]
use httpoll::server::websocket::WebSocket;

/// A request that waits for its response. Dereferences to [`Request`]. Respond in this or any later frame
/// with [`HttpCommandsExt`](crate::HttpCommandsExt). If the entity is despawned without a response, the
/// client gets status 500; after the server's deadline it gets 504.
///
/// If no observer sees [`HttpRequestReceived`](crate::HttpRequestReceived), systems have 250 ms. A system that needs
/// longer inserts a component on the entity, or changes this one. Otherwise the client gets status 404.
#[derive(Component, Debug)]
pub struct HttpServerRequest(pub(crate) Request);

impl std::ops::Deref for HttpServerRequest {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.0
    }
}

impl std::ops::DerefMut for HttpServerRequest {
    fn deref_mut(&mut self) -> &mut Request {
        &mut self.0
    }
}

/// A client that receives server-sent events, from
/// [`stream_events`](crate::HttpCommandsExt::stream_events). Dereferences to [`EventStream`]. Despawning
/// the entity ends the stream.
#[derive(Component, Debug)]
pub struct HttpEventPeer(pub(crate) EventStream);

impl std::ops::Deref for HttpEventPeer {
    type Target = EventStream;

    fn deref(&self) -> &EventStream {
        &self.0
    }
}

impl std::ops::DerefMut for HttpEventPeer {
    fn deref_mut(&mut self) -> &mut EventStream {
        &mut self.0
    }
}

/// A client with an open WebSocket, from [`accept_socket`](crate::HttpCommandsExt::accept_socket).
/// Dereferences to [`WebSocket`], which sends. Despawning the entity closes the socket.
#[cfg(feature = "websocket")]
#[derive(Component, Debug)]
pub struct HttpSocketPeer(pub(crate) WebSocket);

#[cfg(feature = "websocket")]
impl std::ops::Deref for HttpSocketPeer {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        &self.0
    }
}

#[cfg(feature = "websocket")]
impl std::ops::DerefMut for HttpSocketPeer {
    fn deref_mut(&mut self) -> &mut WebSocket {
        &mut self.0
    }
}
