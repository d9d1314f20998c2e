//! [`HttpStream`]: the response is delivered while it arrives.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::Request;

/// Hands the response over while it comes, instead of collecting it.
///
/// The head comes first, as [`HttpHead`](crate::HttpHead); the end is
/// [`HttpResponse`](crate::HttpResponse) with an empty body, or
/// [`HttpError`](crate::HttpError).
#[derive(Component, Clone, Debug, Default)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
#[component(immutable)]
#[non_exhaustive]
pub enum HttpStream {
    /// Piece by piece, as [`HttpChunk`](crate::HttpChunk). The default. On an entity with
    /// [`HttpClientNode`](crate::HttpClientNode), too.
    #[default]
    Chunks,
    /// As server-sent events (WHATWG HTML §9.2),
    /// [`HttpServerSentEvent`](crate::HttpServerSentEvent). It reconnects by itself, with
    /// `Last-Event-ID`, until it is cancelled.
    ServerSentEvents,
    /// As a WebSocket (RFC 6455): [`HttpWebSocketOpened`](crate::HttpWebSocketOpened), then
    /// [`HttpWebSocketMessage`](crate::HttpWebSocketMessage). Send by
    /// [`SendWebSocketMessage`](crate::SendWebSocketMessage). The URL may begin with `ws` or `wss`.
    #[cfg(feature = "websocket")]
    WebSocket(httpoll::agent::WebSocketOptions),
}

impl HttpStream {
    pub(crate) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Chunks => request.stream(),
            Self::ServerSentEvents => request.event_stream(),
            #[cfg(feature = "websocket")]
            Self::WebSocket(options) => request.web_socket(options.clone()),
        }
    }

    /// Whether it goes on until somebody ends it.
    pub(crate) fn is_endless(&self) -> bool {
        !matches!(self, Self::Chunks)
    }
}
