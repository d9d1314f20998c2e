//! The observers behind [`on_json`](crate::HttpEntityCommandsExt::on_json): they turn a response into
//! a value, off the frame when it is large.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::observer::On;
use bevy_ecs::system::{Commands, Res, ResMut};
use bevy_ecs::world::World;
use httpoll::clock::Instant;
use httpoll::{Error, ErrorKind, Response};
use serde_core::de::DeserializeOwned;

use crate::events::request::{HttpError, HttpJson, HttpResponse};
use crate::mailbox::Delivery;
use crate::resources::agent::HttpAgent;
use crate::resources::config::PluginConfig;

pub(crate) fn parse<T: DeserializeOwned + Send + Sync + 'static>(
    on: On<HttpResponse>,
    mut http: Option<ResMut<HttpAgent>>,
    config: Option<Res<PluginConfig>>,
    mut commands: Commands,
) {
    let (entity, request) = (on.entity, on.request);
    let response = Arc::clone(&on.response);
    if let (Some(http), Some(config)) = (&mut http, config)
        && response.body().len() > config.json_off_frame
        && parse_off_frame::<T>(http, entity, request, &response)
    {
        return;
    }
    let began = Instant::now();
    let result = value::<T>(&response);
    if let Some(http) = &mut http {
        http.bypass_change_detection().frame.parsing += began.elapsed();
    }
    commands.trigger(HttpJson {
        entity,
        request,
        result,
        response: Some(response),
    });
}

/// Parses on another thread, and keeps the request's entity until then. Returns whether that is possible.
fn parse_off_frame<T: DeserializeOwned + Send + Sync + 'static>(
    http: &mut HttpAgent,
    entity: Entity,
    request: Entity,
    response: &Arc<Response>,
) -> bool {
    let mailbox = http.mailbox.clone();
    let Some(job) = http.jobs.latest(request) else {
        return false;
    };
    let serial = job.serial;
    let response = Arc::clone(response);
    let work = move || {
        // The type's `Deserialize` may panic. Bevy's error handler gets that as if it had been parsed in the frame.
        let parsed = catch_unwind(AssertUnwindSafe(|| value::<T>(&response)));
        mailbox.put(Delivery {
            request,
            serial,
            trigger: Box::new(move |world: &mut World| match parsed {
                Ok(result) => world.trigger(HttpJson {
                    entity,
                    request,
                    result,
                    response: Some(response),
                }),
                Err(panic) => resume_unwind(panic),
            }),
        });
    };
    let is_started = start(work);
    if is_started {
        job.pending_jobs += 1;
    }
    is_started
}

/// Starts work on another thread. Returns whether that is possible.
fn start(work: impl FnOnce() + Send + 'static) -> bool {
    // Without Bevy's feature `multi_threaded` its pools have no threads: `spawn` does the work at once.
    bevy_tasks::cfg::multi_threaded! {
        if {
            if let Some(pool) = bevy_tasks::AsyncComputeTaskPool::try_get() {
                pool.spawn(async move { work() }).detach();
                return true;
            }
        } else {}
    }
    std::thread::Builder::new()
        .name("httpoll-json".to_owned())
        .spawn(work)
        .is_ok()
}

/// The content as a value; empty content counts as `null`.
pub(crate) fn value<T: DeserializeOwned>(response: &Response) -> Result<T, Error> {
    match response.status().as_u16() {
        status @ 400.. => Err(ErrorKind::Status(status).into()),
        _ if response.body().is_empty() => {
            serde_json::from_str("null").or_else(|_| response.json())
        }
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
