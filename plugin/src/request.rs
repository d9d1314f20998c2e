//! One-shot requests: an entity asks, an observed event answers.

use std::fmt;

use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::world::DeferredWorld;
use httpoll::RequestUrl;

use crate::driver::Driver;

/// A GET, asked for by spawning it.
///
/// The answer comes as [`HttpResponse`](crate::HttpResponse) or [`HttpError`](crate::HttpError) at
/// this entity, which is then despawned unless it has [`KeepRequest`]. Despawning it, removing the
/// component or replacing it cancels: the socket is closed at once and nothing is triggered.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn fetch(mut commands: Commands) {
///     commands
///         .spawn(HttpRequest::get("https://game.example/leaderboard.json"))
///         .observe(|response: On<HttpResponse>| {
///             println!("{}: {} bytes", response.status(), response.body.len());
///         })
///         .observe(|failed: On<HttpError>| eprintln!("{}", failed.error));
/// }
/// ```
#[derive(Component, Clone, PartialEq, Eq)]
#[component(immutable, on_insert = submit, on_discard = cancel)]
pub struct HttpRequest {
    url: String,
    headers: Vec<String>,
}

/// Keeps the entity of a finished [`HttpRequest`] alive, with the request on it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepRequest;

impl HttpRequest {
    /// A GET of an absolute `http` or `https` URL. What is wrong with it is told by
    /// [`HttpError`](crate::HttpError).
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(format!("{name}: {value}"));
        self
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The header lines, `Name: value`.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }
}

impl fmt::Debug for HttpRequest {
    /// Shows where to, but neither path, query, credentials nor headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = RequestUrl::parse(&self.url).map(|url| url.host);
        f.debug_struct("HttpRequest")
            .field("host", &host.ok())
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

fn submit(mut world: DeferredWorld, context: HookContext) {
    let Some(request) = world.get::<HttpRequest>(context.entity).cloned() else {
        return;
    };
    match world.get_resource_mut::<Driver>() {
        Some(mut driver) => driver.submit(context.entity, &request),
        None => log::warn!(
            "an HttpRequest was spawned, but HttpPlugin was not added: it will never be answered"
        ),
    }
}

fn cancel(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut driver) = world.get_resource_mut::<Driver>() {
        driver.cancel(context.entity);
    }
}
