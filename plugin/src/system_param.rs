//! The system parameter [`Http`], and run conditions.

use std::path::PathBuf;

use bevy_ecs::entity::Entity;
use bevy_ecs::system::{Commands, Res, SystemParam};

use crate::commands::request::RequestCommands;
use crate::components::download::HttpDownload;
use crate::components::request::HttpRequest;
use crate::components::request_end::DespawnOnFinish;
use crate::components::stream::HttpStream;
use crate::events::request::CancelHttp;
use crate::resources::agent::HttpAgent;

/// Sends requests from a system. Each call spawns an entity for the request, which is despawned when the
/// request has finished, and returns [`RequestCommands`]: the builder of the request and the commands of
/// its entity.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn fetch(mut http: Http) {
///     http.get("https://game.example/news")
///         .on_response(|news: On<HttpResponse>| println!("{}", news.text()));
///     http.post("https://game.example/scores")
///         .json(&[1, 2, 3])
///         .idempotency_key("score-4711")
///         .insert(HttpRetry::times(2));
/// }
/// ```
#[derive(SystemParam)]
#[allow(missing_debug_implementations)]
pub struct Http<'w, 's> {
    commands: Commands<'w, 's>,
}

impl Http<'_, '_> {
    /// Sends this request, from an entity of its own.
    pub fn send(&mut self, request: HttpRequest) -> RequestCommands<'_> {
        let entity = self.commands.spawn(DespawnOnFinish);
        RequestCommands::new(entity, None, request)
    }

    /// Sends this request for `owner`: its events propagate to `owner`, and despawning `owner` cancels it.
    /// See [`RequestedBy`](crate::RequestedBy). `owner` may be spawned by a command of the same frame. If it does not exist any more, the
    /// request is not sent.
    pub fn send_for(&mut self, owner: Entity, request: HttpRequest) -> RequestCommands<'_> {
        let entity = self.commands.spawn(DespawnOnFinish);
        RequestCommands::new(entity, Some(owner), request)
    }

    /// Sends `GET`.
    pub fn get(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::get(url))
    }

    /// Sends `HEAD`.
    pub fn head(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::head(url))
    }

    /// Sends `POST`.
    pub fn post(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::post(url))
    }

    /// Sends `PUT`.
    pub fn put(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::put(url))
    }

    /// Sends `PATCH`.
    pub fn patch(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::patch(url))
    }

    /// Sends `DELETE`.
    pub fn delete(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.send(HttpRequest::delete(url))
    }

    /// Sends `GET`, and writes the content to a file. See [`HttpDownload`].
    pub fn download(
        &mut self,
        url: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> RequestCommands<'_> {
        self.get(url).insert(HttpDownload::to(path))
    }

    /// Sends `GET`, and delivers the server-sent events of the response; see
    /// [`HttpStream::ServerSentEvents`].
    pub fn event_stream(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        self.get(url).insert(HttpStream::ServerSentEvents)
    }

    /// Opens a WebSocket with the default options; see [`HttpStream::WebSocket`].
    #[cfg(feature = "websocket")]
    pub fn web_socket(&mut self, url: impl Into<String>) -> RequestCommands<'_> {
        let options = crate::components::web_socket::HttpWebSocket::default();
        self.get(url).insert(HttpStream::WebSocket(options))
    }

    /// Cancels a request; see [`CancelHttp`].
    pub fn cancel(&mut self, request: Entity) {
        self.commands.trigger(CancelHttp { request });
    }
}

/// A run condition: nothing needs frames; see [`HttpAgent::is_idle`]. With a loop or a server an app is never idle:
/// `not(http_in_flight)` asks about requests only.
pub fn http_idle(http: Option<Res<HttpAgent>>) -> bool {
    http.is_none_or(|http| http.is_idle())
}

/// A run condition: some request waits to be sent or is under way.
pub fn http_in_flight(http: Option<Res<HttpAgent>>) -> bool {
    http.is_some_and(|http| http.in_flight() > 0)
}
