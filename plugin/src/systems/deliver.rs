//! How events reach their observers. Each event is a command of its own: when an observer returns an
//! error, the other events are still delivered. An event is dropped if its request was cancelled or
//! replaced before.

use std::time::Instant;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::Event;
use bevy_ecs::system::{Command, Commands};
use bevy_ecs::world::{Mut, World};

use crate::components::phase::HttpPhase;
use crate::components::repeat::HttpRepeat;
use crate::components::request::KeepRequest;
use crate::events::request::HttpPhaseChanged;
use crate::jobs::{Job, Serial, Stage};
use crate::resources::agent::HttpAgent;
use crate::resources::config::PluginConfig;

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
            let limit = world
                .get_resource::<PluginConfig>()
                .and_then(|config| config.slow_observer);
            let began = Instant::now();
            world.trigger(event);
            warn_if_slow(began, limit, std::any::type_name::<E>(), request);
        });
    }

    /// Moves the request to this phase, and triggers the change if there is one.
    pub(crate) fn enter(
        &mut self,
        to: HttpPhase,
        job: &mut Job,
        component: Option<&mut Mut<HttpPhase>>,
    ) {
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

/// Logs observers that take too much of the frame.
fn warn_if_slow(
    began: Instant,
    limit: Option<std::time::Duration>,
    event: &'static str,
    request: Entity,
) {
    let took = began.elapsed();
    if limit.is_some_and(|limit| took > limit) {
        let name = event.rsplit("::").next().unwrap_or(event);
        log::warn!("the observers of {name} for request {request} took {took:?} of the frame");
    }
}

/// See [`Outbox::finish`].
pub(crate) fn finish(request: Entity, serial: Serial) -> impl Command<Out = ()> {
    move |world: &mut World| {
        let repeat = world.get::<HttpRepeat>(request).copied();
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
        if let Some(repeat) = repeat.filter(|_| job.phase != HttpPhase::Cancelled) {
            if !is_exiting {
                let pause = repeat.pause(job.failures, random());
                let due = job.began.checked_add(pause).unwrap_or(now);
                http.jobs.schedule(request, serial, due);
            }
        } else if job.pending_jobs > 0 {
            job.is_finishing = true;
        } else if !is_kept {
            // An observer may have despawned it already.
            let _ = world.try_despawn(request);
        }
    }
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
