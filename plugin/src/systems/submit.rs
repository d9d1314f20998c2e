//! Hands requests to the agent: those that were spawned since the last pump, and the rounds of repeating
//! requests that are due.
//!
//! Sending costs time, which comes out of the frame's budget. What does not fit is sent in the next pump.
//! Each pump sends at least one.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::name::Name;
use bevy_ecs::query::{Allow, Has, QueryData, With};
use bevy_ecs::system::{Commands, Query, ResMut};

use crate::components::download::HttpDownload;
use crate::components::owner::{AwaitsOwner, RequestedBy};
use crate::components::paused::HttpPaused;
use crate::components::phase::HttpPhase;
use crate::components::priority::HttpPriority;
use crate::components::progress::HttpProgress;
use crate::components::rate_limit::HttpRateLimit;
#[cfg(feature = "websocket")]
use crate::components::reconnect::HttpReconnect;
use crate::components::repeat::HttpRepeat;
use crate::components::request::HttpRequest;
use crate::components::retry::HttpRetry;
use crate::components::stream::HttpStream;
use crate::components::upload::HttpUpload;
use crate::job::Serial;
use crate::jobs::Round;
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
    rate_limit: Option<&'static HttpRateLimit>,
    phase: Option<&'static mut HttpPhase>,
    progress: Option<&'static mut HttpProgress>,
    awaits_owner: Option<&'static AwaitsOwner>,
    is_named: Has<Name>,
    is_disabled: Has<Disabled>,
    is_paused: Has<HttpPaused>,
}

impl RequestQueryItem<'_, '_> {
    fn is_held(&self) -> bool {
        self.is_disabled || self.is_paused
    }
}

/// All entities, to know which exist.
type Entities<'w, 's> = Query<'w, 's, (), Allow<Disabled>>;

/// The components that decide about the next round of a request.
#[derive(QueryData)]
pub(crate) struct RoundsQuery {
    repeat: Option<&'static HttpRepeat>,
    #[cfg(feature = "websocket")]
    reconnects: Has<HttpReconnect>,
    is_disabled: Has<Disabled>,
    is_paused: Has<HttpPaused>,
}

impl RoundsQueryItem<'_, '_> {
    fn is_held(&self) -> bool {
        self.is_disabled || self.is_paused
    }

    fn begins_no_round(&self) -> bool {
        self.is_held() || self.repeat.is_some_and(|repeat| repeat.paused)
    }

    fn goes_on(&self) -> bool {
        #[cfg(feature = "websocket")]
        if self.reconnects {
            return true;
        }
        self.repeat.is_some()
    }
}

type Rounds<'w, 's> = Query<'w, 's, RoundsQuery, With<HttpRequest>>;

pub(crate) fn submit(
    http: Option<ResMut<HttpAgent>>,
    mut query: Query<RequestQuery>,
    rounds: Rounds,
    entities: Entities,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    if http.jobs.has_submitted() {
        http.set_changed();
    }
    let http = http.bypass_change_detection();
    let began = http.now();
    submit_due(http, &rounds, &mut commands);
    http.jobs
        .release_held(|entity| rounds.get(entity).is_ok_and(|rounds| !rounds.is_held()));
    let limit = http
        .frame
        .granted()
        .time
        .map(|granted| granted.saturating_sub(http.frame.spent()) / 2);
    while let Some((entity, serial)) = http.jobs.next_submitted() {
        if let Ok(query) = query.get_mut(entity) {
            take_up(http, entity, serial, query, &entities, &mut commands);
        }
        if limit.is_some_and(|limit| http.now().saturating_duration_since(began) >= limit) {
            break;
        }
    }
    http.frame
        .spend(http.now().saturating_duration_since(began));
}

/// Sends everything that is not held back, whatever the budget. For the end of the app.
pub(crate) fn submit_all(
    http: Option<ResMut<HttpAgent>>,
    mut query: Query<RequestQuery>,
    entities: Entities,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    while let Some((entity, serial)) = http.jobs.next_submitted() {
        if let Ok(query) = query.get_mut(entity) {
            take_up(&mut http, entity, serial, query, &entities, &mut commands);
        }
    }
}

/// Sends a request, or holds it back.
fn take_up(
    http: &mut HttpAgent,
    entity: Entity,
    serial: Serial,
    query: RequestQueryItem<'_, '_>,
    entities: &Entities,
    commands: &mut Commands,
) {
    if let Some(AwaitsOwner(owner)) = query.awaits_owner {
        if !entities.contains(*owner) {
            commands.entity(entity).try_despawn();
            return;
        }
        let mut commands = commands.entity(entity);
        commands.try_insert(RequestedBy(*owner));
        commands.try_remove::<AwaitsOwner>();
    }
    if !query.is_named {
        // Without the query, which may be secret. The end of the request removes the name.
        let name = Name::new(query.request.to_string());
        commands.entity(entity).try_insert_if_new(name);
    }
    if query.is_held() {
        http.jobs.hold(entity, serial);
    } else {
        send(http, entity, serial, query, commands);
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
    let is_streamed =
        query.download.is_some() || query.stream.is_some_and(HttpStream::is_unlimited);
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
        request = request.retries(retry.policy());
    }
    if let Some(priority) = query.priority {
        request = request.priority((*priority).into());
    }
    if let Some(limit) = query.rate_limit {
        request = request.rate_limit(Some(limit.0));
    }
    let request = http.with_host_headers(query.request.url(), request);
    let reports_progress =
        query.download.is_some() || query.upload.is_some() || query.stream.is_some();
    let is_endless = query.download.is_none() && query.stream.is_some_and(HttpStream::is_endless);
    let is_web_socket =
        query.download.is_none() && query.stream.is_some_and(HttpStream::is_web_socket);
    if let Some(job) = http.jobs.job_mut(entity, serial) {
        job.began = now;
        job.retry_after = None;
        job.is_retried = false;
        job.is_established = false;
        job.is_web_socket = is_web_socket;
        job.reports_progress = reports_progress;
        job.is_endless = is_endless;
        let mut outbox = Outbox::new(commands, entity, serial);
        outbox.enter(HttpPhase::Queue, job, query.phase.as_mut());
    }
    if let Some(progress) = &mut query.progress {
        progress.set_if_neq(HttpProgress::default());
    }
    match http.agent.send(request) {
        Ok(handle) => http.jobs.started(entity, serial, handle.detach()),
        Err(error) => http.jobs.reject(entity, serial, error),
    }
}

/// Submits the rounds that are due, and ends requests that no longer have any.
fn submit_due(http: &mut HttpAgent, rounds: &Rounds, commands: &mut Commands) {
    if !http.jobs.has_scheduled() || http.is_exiting {
        http.jobs.paused_rounds = 0;
        return;
    }
    let now = http.now();
    let ended = http.jobs.begin_rounds(|entity, job, due| {
        // Otherwise the component was removed, or the game closed the WebSocket.
        let Some(round) = rounds
            .get(entity)
            .ok()
            .filter(|round| !job.is_last && round.goes_on())
        else {
            return Round::Ended;
        };
        match due > now {
            _ if round.begins_no_round() => Round::Paused,
            true => Round::Waits,
            false => Round::Begins,
        }
    });
    for (entity, serial) in ended {
        http.end(entity);
        commands.queue(finish(entity, serial));
    }
}
