//! [`HttpEntityCommandsExt`]: observers of responses, errors, JSON values and
//! messages, attached in a chain.

use bevy_ecs::observer::Observer;
use bevy_ecs::system::{EntityCommands, IntoObserverSystem};
use bevy_ecs::world::EntityWorldMut;
use serde_core::de::DeserializeOwned;

use crate::components::json_observers::JsonObservers;
use crate::events::request::{HttpError, HttpJson, HttpMessage, HttpResponse};
use crate::systems::json::{fail, parse};
use crate::systems::messages;

/// Attaches observers in a chain, on [`EntityCommands`] and [`EntityWorldMut`].
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// #[derive(serde::Deserialize)]
/// struct Score { name: String, score: u64 }
///
/// fn fetch(mut http: Http) {
///     http.get("https://game.example/scores")
///         .on_json(|scores: On<HttpJson<Vec<Score>>>| match &scores.result {
///             Ok(scores) => scores.iter().for_each(|it| println!("{}: {}", it.name, it.score)),
///             Err(error) => eprintln!("no scores: {error}"),
///         });
/// }
/// ```
pub trait HttpEntityCommandsExt {
    /// Observes [`HttpResponse`].
    fn on_response<M: 'static>(
        &mut self,
        observer: impl IntoObserverSystem<HttpResponse, M>,
    ) -> &mut Self;

    /// Observes [`HttpError`].
    fn on_error<M: 'static>(
        &mut self,
        observer: impl IntoObserverSystem<HttpError, M>,
    ) -> &mut Self;

    /// Observes the end of the request as a JSON value: exactly once, whether it succeeded or not. No type
    /// needs to be registered.
    ///
    /// Several observers of one type on one entity share the value, which is parsed once. Empty content
    /// counts as `null`, so `()` and `Option` accept a 204.
    ///
    /// Content larger than [`json_off_frame`](crate::HttpollPlugin::json_off_frame) is parsed off the frame:
    /// by Bevy's `AsyncComputeTaskPool`, or by a thread if the app has none. The event then follows some
    /// frames later, and the request's entity stays until then.
    fn on_json<T, M>(&mut self, observer: impl IntoObserverSystem<HttpJson<T>, M>) -> &mut Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
        M: 'static;

    /// Observes each message of a request with a [framing](crate::HttpStream::Messages) as a JSON value. No
    /// type needs to be registered. Several observers of one type on one entity share the value, which is
    /// parsed once, within the frame's budget.
    ///
    /// ```no_run
    /// # use bevy_ecs::prelude::*;
    /// # use bevy_httpoll::prelude::*;
    /// #[derive(serde::Deserialize)]
    /// struct Move { player: String, x: i32 }
    ///
    /// fn watch(mut commands: Commands) {
    ///     commands
    ///         .spawn((
    ///             HttpRequest::get("https://game.example/replay.jsonl"),
    ///             HttpStream::Messages(HttpFraming::default()),
    ///         ))
    ///         .on_message(|next: On<HttpMessage<Move>>| match &next.result {
    ///             Ok(next) => println!("{} goes to {}", next.player, next.x),
    ///             Err(error) => eprintln!("skipped: {error}"),
    ///         });
    /// }
    /// ```
    fn on_message<T, M>(
        &mut self,
        observer: impl IntoObserverSystem<HttpMessage<T>, M>,
    ) -> &mut Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
        M: 'static;
}

macro_rules! on_entity {
    ($entity:ty, $observe_json:expr, $observe_messages:expr) => {
        impl HttpEntityCommandsExt for $entity {
            fn on_response<M: 'static>(
                &mut self,
                observer: impl IntoObserverSystem<HttpResponse, M>,
            ) -> &mut Self {
                self.observe(observer);
                self
            }

            fn on_error<M: 'static>(
                &mut self,
                observer: impl IntoObserverSystem<HttpError, M>,
            ) -> &mut Self {
                self.observe(observer);
                self
            }

            fn on_json<T, M>(
                &mut self,
                observer: impl IntoObserverSystem<HttpJson<T>, M>,
            ) -> &mut Self
            where
                T: DeserializeOwned + Send + Sync + 'static,
                M: 'static,
            {
                $observe_json(self);
                self.observe(observer);
                self
            }

            fn on_message<T, M>(
                &mut self,
                observer: impl IntoObserverSystem<HttpMessage<T>, M>,
            ) -> &mut Self
            where
                T: DeserializeOwned + Send + Sync + 'static,
                M: 'static,
            {
                $observe_messages(self);
                self.observe(observer);
                self
            }
        }
    };
}

on_entity!(
    EntityCommands<'_>,
    |entity: &mut EntityCommands<'_>| {
        entity.queue_silenced(|mut entity: EntityWorldMut| observe_json::<T>(&mut entity));
    },
    |entity: &mut EntityCommands<'_>| {
        entity.queue_silenced(|mut entity: EntityWorldMut| observe_messages::<T>(&mut entity));
    }
);
on_entity!(EntityWorldMut<'_>, observe_json::<T>, observe_messages::<T>);

/// Makes the entity parse its responses as `T`, unless it does already: several observers share one value.
fn observe_json<T: DeserializeOwned + Send + Sync + 'static>(entity: &mut EntityWorldMut) {
    if JsonObservers::contains::<T>(entity) {
        return;
    }
    let watched = entity.id();
    let observer = entity.world_scope(|world| {
        world.spawn(Observer::new(fail::<T>).with_entity(watched));
        world
            .spawn(Observer::new(parse::<T>).with_entity(watched))
            .id()
    });
    JsonObservers::insert::<T>(entity, observer);
}

/// Makes the entity parse messages as `T`, unless it does already.
fn observe_messages<T: DeserializeOwned + Send + Sync + 'static>(entity: &mut EntityWorldMut) {
    if JsonObservers::contains::<HttpMessage<T>>(entity) {
        return;
    }
    let watched = entity.id();
    let observer = Observer::new(messages::parse::<T>).with_entity(watched);
    let observer = entity.world_scope(|world| world.spawn(observer).id());
    JsonObservers::insert::<HttpMessage<T>>(entity, observer);
}
