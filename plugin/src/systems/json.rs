//! The observers behind [`on_json`](crate::HttpEntityCommandsExt::on_json): they turn a response into
//! a value, off the frame when it is large.

use std::sync::Arc;

use bevy_ecs::observer::On;
use bevy_ecs::system::{Commands, Res, ResMut};
use bevy_ecs::world::World;
use bevy_tasks::AsyncComputeTaskPool;
use httpoll::{Error, ErrorKind, Response};
use serde_core::de::DeserializeOwned;

use crate::events::request::{HttpError, HttpJson, HttpResponse};
use crate::mailbox::Delivery;
use crate::resources::agent::HttpAgent;
use crate::resources::config::PluginConfig;

pub(crate) fn parse<T: DeserializeOwned + Send + Sync + 'static>(
    on: On<HttpResponse>,
    http: Option<ResMut<HttpAgent>>,
    config: Option<Res<PluginConfig>>,
    mut commands: Commands,
) {
    let (entity, request) = (on.entity, on.request);
    let response = Arc::clone(&on.response);
    if let (Some(mut http), Some(config)) = (http, config)
        && response.body().len() > config.json_off_frame
        && let Some(pool) = AsyncComputeTaskPool::try_get()
    {
        let mailbox = http.mailbox.clone();
        if let Some(job) = http.jobs.latest(request) {
            job.pending_jobs += 1;
            let serial = job.serial;
            pool.spawn(async move {
                let result = value::<T>(&response);
                mailbox.put(Delivery {
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

pub(crate) fn fail<T: Send + Sync + 'static>(on: On<HttpError>, mut commands: Commands) {
    commands.trigger(HttpJson::<T> {
        entity: on.entity,
        request: on.request,
        result: Err(on.error.clone()),
        response: on.response.clone(),
    });
}
