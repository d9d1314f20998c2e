//! Hands requests to the agent: those that were spawned since the last pump, and the rounds of repeating
//! requests that are due.
//!
//! Sending costs time, which comes out of the frame's budget. What does not fit is sent in the next pump.
//! Each pump sends at least one.

use std::time::Instant;

use bevy_ecs::entity::Entity;
use bevy_ecs::query::{Changed, QueryData};
use bevy_ecs::system::{Commands, Query, ResMut};
use bevy_ecs::world::Mut;

use crate::components::download::HttpDownload;
use crate::components::phase::HttpPhase;
use crate::components::priority::HttpPriority;
use crate::components::progress::HttpProgress;
use crate::components::repeat::HttpRepeat;
use crate::components::request::HttpRequest;
use crate::components::retry::HttpRetry;
use crate::components::stream::HttpStream;
use crate::components::upload::HttpUpload;
use crate::jobs::Serial;
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::{Outbox, finish};

/// The components of a request.
#[derive(QueryData)]
#[query_data(mutable)]
pub(crate) struct RequestQuery {
    request: &'static HttpRequest,
    download: Option<&'static HttpDownload>,
    upload: Option<&'static HttpUpload>,
    stream: Option<&'static HttpStream>,
    retry: Option<&'static HttpRetry>,
    priority: Option<&'static HttpPriority>,
    phase: &'static mut HttpPhase,
    progress: &'static mut HttpProgress,
}

pub(crate) fn submit(
    http: Option<ResMut<HttpAgent>>,
    mut query: Query<RequestQuery>,
    repeats: Query<&HttpRepeat>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let http = &mut *http;
    let began = Instant::now();
    submit_due(http, &repeats, &mut commands);
    let limit = http
        .frame
        .granted
        .time
        .map(|granted| granted.saturating_sub(http.frame.spent) / 2);
    while let Some((entity, serial)) = http.jobs.next_submitted() {
        if let Ok(query) = query.get_mut(entity) {
            send(http, entity, serial, query, &mut commands);
        }
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            break;
        }
    }
    http.frame.spent += began.elapsed();
}

/// Sends everything, whatever the budget. For the end of the app.
pub(crate) fn submit_all(
    http: Option<ResMut<HttpAgent>>,
    mut query: Query<RequestQuery>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    while let Some((entity, serial)) = http.jobs.next_submitted() {
        if let Ok(query) = query.get_mut(entity) {
            send(&mut http, entity, serial, query, &mut commands);
        }
    }
}

fn send(
    http: &mut HttpAgent,
    entity: Entity,
    serial: Serial,
    mut query: RequestQueryItem<'_, '_>,
    commands: &mut Commands,
) {
    let now = http.now();
    // The agent collects in memory what an event stream or WebSocket gets instead, such as an error page.
    let is_streamed = query.download.is_some() || matches!(query.stream, Some(HttpStream::Chunks));
    let mut request = query.request.build(is_streamed);
    if let Some(upload) = query.upload {
        request = upload.apply(request);
    }
    // With both, the file wins over the stream.
    if let Some(download) = query.download {
        request = download.apply(request);
    } else if let Some(stream) = query.stream {
        request = stream.apply(request);
    }
    if let Some(retry) = query.retry {
        request = request.retries(retry.0.clone());
    }
    if let Some(priority) = query.priority {
        request = request.priority(priority.0);
    }
    let request = http.with_host_headers(query.request.url(), request);
    let reports_progress =
        query.download.is_some() || query.upload.is_some() || query.stream.is_some();
    let is_endless = query.download.is_none() && query.stream.is_some_and(HttpStream::is_endless);
    if let Some(job) = http.jobs.job_mut(entity, serial) {
        job.began = now;
        job.phase = *query.phase;
        job.reports_progress = reports_progress;
        job.is_endless = is_endless;
        let mut outbox = Outbox::new(commands, entity, serial);
        outbox.enter(HttpPhase::Queue, job, Some(&mut query.phase));
    }
    set_if_neq(&mut query.progress, HttpProgress::default());
    match http.agent.send(request) {
        Ok(handle) => http.jobs.started(entity, serial, handle.detach()),
        Err(error) => http.jobs.rejected.push((entity, serial, error)),
    }
}

fn set_if_neq(progress: &mut Mut<HttpProgress>, to: HttpProgress) {
    bevy_ecs::change_detection::DetectChangesMut::set_if_neq(progress, to);
}

/// Submits the rounds that are due, and ends requests that no longer repeat.
fn submit_due(http: &mut HttpAgent, repeats: &Query<&HttpRepeat>, commands: &mut Commands) {
    if http.jobs.scheduled_repeats.is_empty() || http.is_exiting {
        return;
    }
    let now = http.now();
    let mut index = 0;
    while let Some(&(entity, serial, due)) = http.jobs.scheduled_repeats.get(index) {
        match repeats.get(entity) {
            Ok(repeat) if repeat.paused || due > now => index += 1,
            Ok(_) => {
                http.jobs.scheduled_repeats.swap_remove(index);
                http.jobs.resubmit(entity, serial);
            }
            // The component was removed.
            Err(_) => {
                http.jobs.scheduled_repeats.swap_remove(index);
                http.end(entity);
                commands.queue(finish(entity, serial));
            }
        }
    }
}

/// Passes changed priorities of running requests to the agent.
pub(crate) fn prioritise(
    http: Option<ResMut<HttpAgent>>,
    changed: Query<(Entity, &HttpPriority), Changed<HttpPriority>>,
) {
    let Some(mut http) = http else { return };
    for (entity, priority) in &changed {
        if let Some(id) = http.id(entity) {
            http.agent.set_priority(id, priority.0);
        }
    }
}
