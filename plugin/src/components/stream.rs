//! [`HttpStream`]: the response is delivered while it arrives.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::Request;

use crate::components::framing::HttpFraming;
#[cfg(feature = "websocket")]
use crate::components::web_socket::HttpWebSocket;

/// Delivers the response while it arrives, instead of collecting it.
///
/// The head triggers [`HttpHead`](crate::HttpHead). The end is
/// [`HttpResponse`](crate::HttpResponse) with an empty body, or [`HttpError`](crate::HttpError).
#[derive(Component, Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[component(immutable)]
#[non_exhaustive]
pub enum HttpStream {
    /// In pieces, as [`HttpChunk`](crate::HttpChunk). The default. Also for entities with
    /// [`HttpClientNode`](crate::HttpClientNode).
    #[default]
    Chunks,
    /// As server-sent events (WHATWG HTML §9.2),
    /// [`HttpServerSentEvent`](crate::HttpServerSentEvent). It reconnects by itself, with
    /// `Last-Event-ID`, until it is cancelled.
    ServerSentEvents,
    /// Divided into messages, such as JSON lines: [`HttpFramedMessage`](crate::HttpFramedMessage), or with
    /// [`on_message`](crate::HttpEntityCommandsExt::on_message) values of a type,
    /// [`HttpMessage<T>`](crate::HttpMessage). A status that is not 2xx is an error.
    Messages(HttpFraming),
    /// As a WebSocket (RFC 6455): [`HttpWebSocketOpened`](crate::HttpWebSocketOpened), then
    /// [`HttpWebSocketMessage`](crate::HttpWebSocketMessage). Send with
    /// [`SendWebSocketMessage`](crate::SendWebSocketMessage). The URL may begin with `ws` or `wss`. With
    /// [`HttpReconnect`](crate::HttpReconnect) next to it, it opens again when it ends.
    #[cfg(feature = "websocket")]
    WebSocket(HttpWebSocket),
}

impl HttpStream {
    pub(crate) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Chunks => request.stream(),
            Self::ServerSentEvents => request.event_stream(),
            Self::Messages(framing) => request.messages(framing.framing()),
            #[cfg(feature = "websocket")]
            Self::WebSocket(options) => request.web_socket(options.options()),
        }
    }

    /// Whether none of the content is collected, so that the plugin's limit on content in memory does not
    /// apply.
    pub(crate) fn is_unlimited(&self) -> bool {
        matches!(self, Self::Chunks | Self::Messages(_))
    }

    /// Whether it does not end by itself.
    pub(crate) fn is_endless(&self) -> bool {
        !matches!(self, Self::Chunks | Self::Messages(_))
    }

    pub(crate) fn is_web_socket(&self) -> bool {
        match self {
            Self::Chunks | Self::ServerSentEvents | Self::Messages(_) => false,
            #[cfg(feature = "websocket")]
            Self::WebSocket(_) => true,
        }
    }
}
