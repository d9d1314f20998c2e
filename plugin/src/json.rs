//! What entity commands gain: observers by purpose, and answers as values.

use std::sync::Arc;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use bevy_ecs::observer::On;
use bevy_ecs::system::{Commands, EntityCommands, IntoObserverSystem, ResMut};
use bevy_ecs::world::{EntityWorldMut, World};
use bevy_tasks::AsyncComputeTaskPool;
use httpoll::{Error, ErrorKind, Response};
use serde_core::de::DeserializeOwned;

use crate::agent::{Delivery, HttpAgent};
use crate::events::{HttpError, HttpResponse};

/// How a request ended, with its content as a value; see
/// [`on_json`](HttpEntityCommandsExt::on_json). It does not go on to the owner: an owner that wants
/// values calls `on_json` itself.
#[derive(EntityEvent, Debug)]
pub struct HttpJson<T: Send + Sync + 'static> {
    /// The entity that `on_json` was called for.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The value. An error when the request failed, when the status was 400 or above
    /// ([`ErrorKind::Status`]), or when the content was not such a value
    /// ([`ErrorKind::InvalidJson`]).
    pub result: Result<T, Error>,
    /// The response, if one came, also with an error: its status and content say more.
    pub response: Option<Arc<Response>>,
}

/// Observers by purpose, for [`EntityCommands`] and [`EntityWorldMut`].
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

    /// Observes how the request ends as a value: exactly once, whether it came or not. Nothing needs
    /// to be registered.
    ///
    /// Content above [`json_off_frame`](crate::HttpollPlugin::json_off_frame) is parsed by Bevy's
    /// `AsyncComputeTaskPool`, if the app has one, and told some frames later; the request's entity
    /// stays until then.
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

fn parse<T: DeserializeOwned + Send + Sync + 'static>(
    on: On<HttpResponse>,
    http: Option<ResMut<HttpAgent>>,
    mut commands: Commands,
) {
    let (entity, request) = (on.entity, on.request);
    let response = Arc::clone(&on.response);
    if let Some(mut http) = http
        && response.body().len() > http.manners.json_off_frame
        && let Some(pool) = AsyncComputeTaskPool::try_get()
    {
        let desk = http.desk.clone();
        if let Some(job) = http.latest(request) {
            job.holds += 1;
            let serial = job.serial;
            pool.spawn(async move {
                let result = value::<T>(&response);
                desk.put(Delivery {
                    request,
                    serial,
                    trigger: Box::new(move |world: &mut World| {
                        world.trigger(HttpJson {
                            entity,
                            request,
                            result,
                            response: Some(response),
                        });
                    }),
                });
            })
            .detach();
            return;
        }
    }
    commands.trigger(HttpJson {
        entity,
        request,
        result: value::<T>(&response),
        response: Some(response),
    });
}

fn value<T: DeserializeOwned>(response: &Response) -> Result<T, Error> {
    match response.status().as_u16() {
        status @ 400.. => Err(ErrorKind::Status(status).into()),
        _ => response.json(),
    }
}

fn fail<T: Send + Sync + 'static>(on: On<HttpError>, mut commands: Commands) {
    commands.trigger(HttpJson::<T> {
        entity: on.entity,
        request: on.request,
        result: Err(on.error.clone()),
        response: on.response.clone(),
    });
}
