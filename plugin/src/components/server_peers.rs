//! The clients of a server, as entities: requests that wait for their response, event streams and
//! WebSockets.

use bevy_ecs::component::Component;
use httpoll::server::Request;
use httpoll::server::event_stream::EventStream;
#[cfg(feature = "websocket")]
use httpoll::server::websocket::WebSocket;

/// A request that waits for its answer: derefs to [`Request`]. Answer it in any later frame by
/// [`HttpCommandsExt`]. Despawned without an answer, its client gets a 500; left for longer than the
/// server's deadline, a 504.
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

/// A client that listens to server-sent events; made by
/// [`stream_events`](HttpCommandsExt::stream_events). Derefs to [`EventStream`]. Despawning it ends
/// the stream.
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

/// A client with an open WebSocket; made by [`accept_socket`](HttpCommandsExt::accept_socket). Derefs
/// to [`WebSocket`], to send by. Despawning it closes the socket.
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
