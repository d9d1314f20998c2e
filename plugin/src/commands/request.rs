//! [`RequestCommands`]: the commands of a request's own entity, with the builder of the request.

use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use bevy_ecs::bundle::Bundle;
use bevy_ecs::entity::Entity;
use bevy_ecs::observer::IntoEntityObserver;
use bevy_ecs::system::{EntityCommands, IntoObserverSystem};
use bevy_ecs::world::EntityWorldMut;
use httpoll::Timeouts;
use httpoll::{Bytes, Request};
use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use crate::commands::observe::HttpEntityCommandsExt;
use crate::components::owner::{AwaitsOwner, RequestedBy};
use crate::components::request::HttpRequest;
use crate::events::request::{HttpError, HttpJson, HttpMessage, HttpResponse};

/// A request that [`Http`](crate::Http) is about to send, and the commands of its entity.
///
/// The methods of [`HttpRequest`] add to the request; `insert`, `observe`, `on_json` and the like add to
/// the entity. The request is spawned when this value is dropped, which in a chain is the end of the
/// statement. It dereferences to [`EntityCommands`], for everything else.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn submit_score(mut http: Http) {
///     http.post("https://game.example/scores")
///         .bearer("token")
///         .json(&[1, 2, 3])
///         .insert(HttpRetry::times(2))
///         .on_response(|on: On<HttpResponse>| println!("{}", on.status()));
/// }
/// ```
#[allow(missing_debug_implementations)]
pub struct RequestCommands<'a> {
    entity: EntityCommands<'a>,
    owner: Option<Entity>,
    request: Option<HttpRequest>,
}

macro_rules! of_the_request {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            $(#[$doc])*
            pub fn $name(self, $($argument: $kind),*) -> Self {
                self.change(|request| request.$name($($argument),*))
            }
        )*
    };
}

impl<'a> RequestCommands<'a> {
    pub(crate) fn new(
        entity: EntityCommands<'a>,
        owner: Option<Entity>,
        request: HttpRequest,
    ) -> Self {
        Self {
            entity,
            owner,
            request: Some(request),
        }
    }

    fn change(mut self, change: impl FnOnce(HttpRequest) -> HttpRequest) -> Self {
        self.request = self.request.take().map(change);
        self
    }

    of_the_request! {
        /// See [`HttpRequest::query`].
        query(name: impl Into<String>, value: impl Display);
        /// See [`HttpRequest::header`].
        header(name: impl Into<String>, value: impl AsRef<[u8]>);
        /// See [`HttpRequest::secret_header`].
        secret_header(name: impl Into<String>, value: impl AsRef<[u8]>);
        /// See [`HttpRequest::bearer`].
        bearer(token: impl Display);
        /// See [`HttpRequest::idempotency_key`].
        idempotency_key(key: impl Into<String>);
        /// See [`HttpRequest::body`].
        body(body: impl Into<Bytes>);
        /// See [`HttpRequest::text`].
        text(text: impl Into<String>);
        /// See [`HttpRequest::json`].
        json(value: &(impl Serialize + ?Sized));
        /// See [`HttpRequest::timeout`].
        timeout(limit: Duration);
        /// See [`HttpRequest::timeouts`].
        timeouts(timeouts: Timeouts);
        /// See [`HttpRequest::max_body`].
        max_body(bytes: u64);
        /// See [`HttpRequest::error_for_status`].
        error_for_status();
        /// See [`HttpRequest::stale_if_error`].
        stale_if_error();
        /// See [`HttpRequest::with`].
        with(step: impl Fn(Request) -> Request + Send + Sync + 'static);
    }

    /// See [`HttpRequest::form`].
    pub fn form<N: Into<String>, V: Into<String>>(
        self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.change(|request| request.form(pairs))
    }

    /// Inserts components, such as [`HttpRetry`](crate::HttpRetry).
    pub fn insert(mut self, bundle: impl Bundle) -> Self {
        self.entity.insert(bundle);
        self
    }

    /// Observes an event of this request.
    pub fn observe<M>(mut self, observer: impl IntoEntityObserver<M>) -> Self {
        self.entity.observe(observer);
        self
    }

    /// See [`HttpEntityCommandsExt::on_response`].
    pub fn on_response<M: 'static>(
        mut self,
        observer: impl IntoObserverSystem<HttpResponse, M>,
    ) -> Self {
        self.entity.on_response(observer);
        self
    }

    /// See [`HttpEntityCommandsExt::on_error`].
    pub fn on_error<M: 'static>(mut self, observer: impl IntoObserverSystem<HttpError, M>) -> Self {
        self.entity.on_error(observer);
        self
    }

    /// See [`HttpEntityCommandsExt::on_json`].
    pub fn on_json<T, M>(mut self, observer: impl IntoObserverSystem<HttpJson<T>, M>) -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
        M: 'static,
    {
        self.entity.on_json(observer);
        self
    }

    /// See [`HttpEntityCommandsExt::on_message`].
    pub fn on_message<T, M>(mut self, observer: impl IntoObserverSystem<HttpMessage<T>, M>) -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
        M: 'static,
    {
        self.entity.on_message(observer);
        self
    }
}

/// Inserts a request with its owner, or despawns the entity if the owner was despawned.
fn insert_for(mut entity: EntityWorldMut, owner: Entity, request: HttpRequest) {
    match entity.world().entities().get(owner) {
        Ok(Some(_)) => {
            entity.insert((RequestedBy(owner), request));
        }
        // Commands of another parameter will spawn it.
        Ok(None) => {
            entity.insert((AwaitsOwner(owner), request));
        }
        Err(_) => entity.despawn(),
    }
}

impl<'a> Deref for RequestCommands<'a> {
    type Target = EntityCommands<'a>;

    fn deref(&self) -> &EntityCommands<'a> {
        &self.entity
    }
}

impl<'a> DerefMut for RequestCommands<'a> {
    fn deref_mut(&mut self) -> &mut EntityCommands<'a> {
        &mut self.entity
    }
}

impl Drop for RequestCommands<'_> {
    /// Spawns the request.
    fn drop(&mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        match self.owner {
            Some(owner) => self
                .entity
                .queue_silenced(move |entity: EntityWorldMut| insert_for(entity, owner, request)),
            None => self.entity.try_insert(request),
        };
    }
}
