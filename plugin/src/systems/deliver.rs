//! How events reach their observers. Each event is a command of its own: when an observer returns an
//! error, the other events are still delivered. An event is dropped if its request was cancelled or
//! replaced before.

use std::time::Duration;

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::event::Event;
use bevy_ecs::relationship::Relationship;
use bevy_ecs::system::{Command, Commands};
use bevy_ecs::world::{Mut, World};
use httpoll::clock::Instant;

use crate::components::backoff::later;
use crate::components::node::HttpClientNode;
use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
#[cfg(feature = "websocket")]
use crate::components::reconnect::HttpReconnect;
use crate::components::repeat::HttpRepeat;
use crate::components::request::HttpRequest;
use crate::components::request_end::{DespawnOnFinish, KeepRequest};
use crate::events::request::{HttpError, HttpPhaseChanged};
use crate::job::{Job, Serial, Stage};
use crate::resources::agent::HttpAgent;
use crate::resources::config::PluginConfig;
use crate::resources::request_components::RequestComponents;

/// Queues the events of one request.
pub(crate) struct Outbox<'a, 'w, 's> {
    commands: &'a mut Commands<'w, 's>,
    request: Entity,
    serial: Serial,
}

impl<'a, 'w, 's> Outbox<'a, 'w, 's> {
    pub(crate) fn new(commands: &'a mut Commands<'w, 's>, request: Entity, serial: Serial) -> Self {
        Self {
            commands,
            request,
            serial,
        }
    }

    /// Triggers an event at the next sync point, unless its request was cancelled by then.
    pub(crate) fn trigger<E>(&mut self, event: E)
    where
        E: for<'t> Event<Trigger<'t>: Default> + Send + 'static,
    {
        let (request, serial) = (self.request, self.serial);
        self.commands.queue(move |world: &mut World| {
            let Some(http) = world.get_resource::<HttpAgent>() else {
                return;
            };
            if http.jobs.job(request, serial).is_none() {
                return;
            }
            trigger_timed(world, event, request);
        });
    }

    /// Triggers the failure of the request; logs it if nothing observes it.
    pub(crate) fn trigger_error(&mut self, event: HttpError, is_first: bool) {
        let (request, serial) = (self.request, self.serial);
        self.commands.queue(move |world: &mut World| {
            let is_current = world
                .get_resource::<HttpAgent>()
                .is_some_and(|http| http.jobs.job(request, serial).is_some());
            if is_current {
                report_error(world, event, is_first);
            }
        });
    }

    /// Moves the request to this phase, and triggers the change if there is one.
    pub(crate) fn enter(
        &mut self,
        to: HttpPhase,
        job: &mut Job,
        component: Option<&mut Mut<HttpPhase>>,
    ) {
        job.is_retried |= to == HttpPhase::AwaitRetry;
        let from = std::mem::replace(&mut job.phase, to);
        if let Some(component) = component {
            bevy_ecs::change_detection::DetectChangesMut::set_if_neq(component, to);
        }
        if from != to {
            self.trigger(HttpPhaseChanged {
                entity: self.request,
                request: self.request,
                from,
                to,
            });
        }
    }

    /// Ends the request's life, or schedules its next round.
    pub(crate) fn finish(&mut self) {
        self.commands.queue(finish(self.request, self.serial));
    }
}

/// Triggers an event at an entity at the next sync point, unless the observer of an event before has removed the
/// component that it is about.
pub(crate) fn trigger_at<C: Component, E>(commands: &mut Commands, entity: Entity, event: E)
where
    E: for<'t> Event<Trigger<'t>: Default> + Send + 'static,
{
    commands.queue(move |world: &mut World| {
        if world.get::<C>(entity).is_some() {
            world.trigger(event);
        }
    });
}

/// Triggers an event, and logs observers that take too much of the frame.
fn trigger_timed<E>(world: &mut World, event: E, request: Entity)
where
    E: for<'t> Event<Trigger<'t>: Default>,
{
    let limit = world
        .get_resource::<PluginConfig>()
        .and_then(|config| config.slow_observer);
    let parsing = |world: &World| {
        world
            .get_resource::<HttpAgent>()
            .map_or(Duration::ZERO, |http| http.frame.parsing)
    };
    let (parsed_before, began) = (parsing(world), Instant::now());
    world.trigger(event);
    let Some(limit) = limit else { return };
    let parsed = parsing(world).saturating_sub(parsed_before);
    let took = began.elapsed().saturating_sub(parsed);
    if parsed > limit {
        log::warn!(
            "parsing the JSON of request {request} took {parsed:?} of the frame; \
             HttpollPlugin::json_off_frame sets how large a response is parsed within a frame"
        );
    }
    if took > limit {
        let name = std::any::type_name::<E>();
        let name = name.rsplit("::").next().unwrap_or(name);
        log::warn!("the observers of {name} for request {request} took {took:?} of the frame");
    }
}

/// Triggers [`HttpError`]. One that nothing observes is logged, the first of each series of failures.
pub(crate) fn report_error(world: &mut World, event: HttpError, is_first: bool) {
    let entity = event.entity;
    if is_first && !is_observed::<HttpError, RequestedBy>(world, entity) {
        let what = match world.get::<HttpRequest>(entity) {
            Some(request) => request.to_string(),
            None => format!("the client of entity {entity}"),
        };
        log::warn!(
            "{what} failed: {}. Nothing observes HttpError here; attach an observer with on_error or \
             on_json, or a global one with App::add_observer",
            event.error
        );
    }
    trigger_timed(world, event, entity);
}

/// Whether an event of type `E` at this entity runs any observer, also a global one or that of an entity to which it
/// propagates along `R`.
pub(crate) fn is_observed<E: Event, R: Component + Relationship>(
    world: &World,
    entity: Entity,
) -> bool {
    let Some(observers) = world
        .event_key::<E>()
        .and_then(|key| world.observers().try_get_observers(key))
    else {
        return false;
    };
    if !observers.global_observers().is_empty() {
        return true;
    }
    let mut next = Some(entity);
    while let Some(entity) = next {
        if observers.entity_observers().contains_key(&entity) {
            return true;
        }
        next = world.get::<R>(entity).map(Relationship::get);
    }
    false
}

/// See [`Outbox::finish`].
pub(crate) fn finish(request: Entity, serial: Serial) -> impl Command<Out = ()> {
    move |world: &mut World| {
        let rounds = Rounds::of(world, request);
        let is_kept = world.get::<KeepRequest>(request).is_some()
            || world
                .get_resource::<PluginConfig>()
                .is_some_and(|config| !config.despawn_finished);
        let Some(mut http) = world.get_resource_mut::<HttpAgent>() else {
            return;
        };
        let (now, is_exiting) = (http.now(), http.is_exiting);
        // None if another request was inserted, or this one was cancelled.
        let Some(job) = http
            .jobs
            .job_mut(request, serial)
            .filter(|job| job.stage == Stage::Over)
        else {
            return;
        };
        match rounds.next(job, now) {
            Some(_) if is_exiting => {}
            Some(Next::Round(due)) => http.jobs.schedule(request, serial, due),
            #[cfg(feature = "websocket")]
            Some(Next::Session(due)) => {
                let from = std::mem::replace(&mut job.phase, HttpPhase::AwaitRetry);
                http.jobs.schedule(request, serial, due);
                await_retry(world, request, from);
            }
            None if job.pending_jobs > 0 => job.is_finishing = true,
            None if !is_kept => clean_up(world, request),
            None => {}
        }
    }
}

/// The components that send a request again after its end.
struct Rounds {
    repeat: Option<HttpRepeat>,
    #[cfg(feature = "websocket")]
    reconnect: Option<HttpReconnect>,
}

/// What follows the end of a request, and when.
enum Next {
    /// The next round of a loop.
    Round(Instant),
    /// The next session of a WebSocket.
    #[cfg(feature = "websocket")]
    Session(Instant),
}

impl Rounds {
    fn of(world: &World, request: Entity) -> Self {
        Self {
            repeat: world.get::<HttpRepeat>(request).copied(),
            #[cfg(feature = "websocket")]
            reconnect: world.get::<HttpReconnect>(request).copied(),
        }
    }

    fn next(&self, job: &Job, now: Instant) -> Option<Next> {
        if job.phase == HttpPhase::Cancelled {
            return None;
        }
        // Counted from now, unlike the interval of a loop.
        let asked = job.retry_after.and_then(|after| now.checked_add(after));
        let not_before = asked.unwrap_or(now);
        #[cfg(feature = "websocket")]
        if let Some(reconnect) = self.reconnect
            && job.is_web_socket
        {
            if job.is_last {
                return None;
            }
            let pause = reconnect.pause(job.failed_attempts, random())?;
            let due = later(now, pause);
            return Some(Next::Session(due.max(not_before)));
        }
        let pause = self.repeat?.pause(job.failures, random());
        let due = later(job.began, pause);
        Some(Next::Round(match job.retry_after {
            Some(_) => due.max(not_before),
            None => due,
        }))
    }
}

/// Shows that the request waits for its next session.
#[cfg(feature = "websocket")]
fn await_retry(world: &mut World, request: Entity, from: HttpPhase) {
    let to = HttpPhase::AwaitRetry;
    if let Some(mut phase) = world.get_mut::<HttpPhase>(request) {
        *phase = to;
    }
    let event = HttpPhaseChanged {
        entity: request,
        request,
        from,
        to,
    };
    trigger_timed(world, event, request);
}

/// Removes a finished request: the whole entity if it was spawned for the request, otherwise only the
/// request's components.
fn clean_up(world: &mut World, request: Entity) {
    world.resource_scope(|world, own: Mut<RequestComponents>| {
        // An observer may have despawned it already.
        let Ok(mut entity) = world.get_entity_mut(request) else {
            return;
        };
        let is_node = entity.contains::<HttpClientNode>();
        if entity.contains::<DespawnOnFinish>() || own.are_all_of(entity.archetype()) {
            entity.despawn();
        } else {
            entity.remove_by_ids(own.to_remove(is_node));
        }
    });
}

/// A task on another thread is done; the last one ends the request's life if that is due.
pub(crate) fn release(request: Entity, serial: Serial) -> impl Command<Out = ()> {
    move |world: &mut World| {
        let Some(mut http) = world.get_resource_mut::<HttpAgent>() else {
            return;
        };
        let Some(job) = http.jobs.job_mut(request, serial) else {
            return;
        };
        job.pending_jobs = job.pending_jobs.saturating_sub(1);
        if job.is_finishing && job.pending_jobs == 0 {
            finish(request, serial).apply(world);
        }
    }
}

/// A random number from 0 to 1, from the standard library's hash seed.
fn random() -> f32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish() >> 40;
    // An f32 holds 24 bits exactly.
    #[allow(clippy::cast_precision_loss)]
    {
        bits as f32 / (1_u64 << 24) as f32
    }
}
