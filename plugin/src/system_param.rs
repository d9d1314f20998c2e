//! The system parameter [`Http`], and run conditions.

use std::path::PathBuf;

use bevy_ecs::entity::Entity;
use bevy_ecs::system::{Commands, EntityCommands, Res, SystemParam};

use crate::components::download::HttpDownload;
use crate::components::owner::RequestedBy;
use crate::components::request::HttpRequest;
use crate::events::request::CancelHttp;
use crate::resources::agent::HttpAgent;

/// Sends requests from a system. Each call spawns the entity of a request and returns its commands, to
/// attach observers and further components.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn fetch(mut http: Http) {
///     http.get("https://game.example/news")
///         .on_response(|news: On<HttpResponse>| println!("{}", news.text()));
///     http.send(HttpRequest::post("https://game.example/scores").json(&[1, 2, 3]))
///         .insert(HttpRetry::times(2));
/// }
/// ```
#[derive(SystemParam)]
#[allow(missing_debug_implementations)]
pub struct Http<'w, 's> {
    commands: Commands<'w, 's>,
}

impl Http<'_, '_> {
    /// Sends this request.
    pub fn send(&mut self, request: HttpRequest) -> EntityCommands<'_> {
        self.commands.spawn(request)
    }

    /// Sends this request for `owner`: its events propagate to `owner`, and despawning `owner` cancels it.
    /// See [`RequestedBy`].
    pub fn send_for(&mut self, owner: Entity, request: HttpRequest) -> EntityCommands<'_> {
        self.commands.spawn((request, RequestedBy(owner)))
    }

    /// Sends `GET`.
    pub fn get(&mut self, url: impl Into<String>) -> EntityCommands<'_> {
        self.send(HttpRequest::get(url))
    }

    /// Sends `GET`, and writes the content to a file. See [`HttpDownload`].
    pub fn download(
        &mut self,
        url: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> EntityCommands<'_> {
        self.commands
            .spawn((HttpRequest::get(url), HttpDownload::to(path)))
    }

    /// Cancels a request; see [`CancelHttp`].
    pub fn cancel(&mut self, request: Entity) {
        self.commands.trigger(CancelHttp { request });
    }
}

/// A run condition: no request waits to be sent or is under way.
pub fn http_idle(http: Option<Res<HttpAgent>>) -> bool {
    http.is_none_or(|http| http.is_idle())
}

/// A run condition: some request waits to be sent or is under way.
pub fn http_in_flight(http: Option<Res<HttpAgent>>) -> bool {
    http.is_some_and(|http| !http.is_idle())
}
