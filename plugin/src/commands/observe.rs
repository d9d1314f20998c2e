//! [`HttpEntityCommandsExt`]: observers of responses, errors and JSON values, attached in a chain.

use bevy_ecs::system::{EntityCommands, IntoObserverSystem};
use bevy_ecs::world::EntityWorldMut;
use serde_core::de::DeserializeOwned;

use crate::events::request::{HttpError, HttpJson, HttpResponse};
use crate::systems::json::{fail, parse};

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
///             Ok(scores) => println!("{} leads", scores[0].name),
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
    /// Bevy's `AsyncComputeTaskPool`, if the app has one, parses content larger than
    /// [`json_off_frame`](crate::HttpollPlugin::json_off_frame); the event then follows some frames later,
    /// and the request's entity stays until then.
    fn on_json<T, M>(&mut self, observer: impl IntoObserverSystem<HttpJson<T>, M>) -> &mut Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
        M: 'static;
}

macro_rules! on_entity {
    ($entity:ty) => {
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
                self.observe(parse::<T>);
                self.observe(fail::<T>);
                self.observe(observer);
                self
            }
        }
    };
}

on_entity!(EntityCommands<'_>);
on_entity!(EntityWorldMut<'_>);
