//! [`Jobs`]: which request of the agent belongs to which entity, and what each entity's request is
//! doing.
//!
//! This is bookkeeping only. It sends nothing and triggers nothing: [`HttpAgent`] cancels what `end`
//! returns, and the systems do the rest.
//!
//! [`HttpAgent`]: crate::resources::agent::HttpAgent

use std::collections::{HashMap, VecDeque};

use bevy_ecs::entity::Entity;
use httpoll::clock::Instant;
use httpoll::{Error, RequestId};

use crate::components::phase::HttpPhase;
use crate::job::{Job, Serial, Stage};

/// What [`Jobs::end`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing: the entity had no request, or the request was over.
    Nothing,
    /// A request that the agent did not have.
    Waiting,
    /// A request that the agent has: cancel it there.
    Running(RequestId),
}

/// All requests of the app.
///
/// A request that ends stays in its list until a pump comes across it, so that a screen with thousands of requests
/// closes in one pass. An entry counts only while the stage of its job says so.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: HashMap<Entity, Job>,
    entities: HashMap<RequestId, Entity>,
    submitted: VecDeque<(Entity, Serial)>,
    held: VecDeque<(Entity, Serial)>,
    /// Requests that wait for their next round, with the time at which it is due.
    scheduled: VecDeque<(Entity, Serial, Instant)>,
    /// How many jobs are in the stage `Submitted`.
    submitted_jobs: usize,
    /// How many jobs are in the stage `Scheduled`.
    scheduled_jobs: usize,
    /// How many of these are paused, as of the last pump.
    pub(crate) paused_rounds: usize,
    /// Requests that the agent refused to send; the next dispatch reports why.
    rejected: Vec<(Entity, Serial, Error)>,
    last_serial: Serial,
}

/// What becomes of a request that waits for its next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// It is not due.
    Waits,
    /// It begins no round for now.
    Paused,
    /// It is due: the next pump sends it.
    Begins,
    /// None follows.
    Ended,
}

impl Jobs {
    /// The number of requests that wait to be sent, that the agent has, or whose refusal is not reported yet.
    /// Those that are held back do not count.
    pub(crate) fn in_flight(&self) -> usize {
        self.submitted_jobs + self.entities.len() + self.rejected.len()
    }

    /// Whether anything needs frames: a request in flight, a round that will be due, or a task on another
    /// thread whose result is to be delivered.
    pub(crate) fn need_frames(&self) -> bool {
        self.in_flight() > 0 || self.scheduled_jobs > self.paused_rounds || self.has_pending_tasks()
    }

    /// How many requests that wait to be sent, or that the agent has, are in this phase.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn in_phase(&self, phase: HttpPhase) -> usize {
        let jobs = self.jobs.values();
        let under_way = |job: &&Job| job.stage.is_under_way();
        jobs.filter(under_way)
            .filter(|job| job.phase == phase)
            .count()
    }

    /// Whether this entity's request waits to be sent or is at the agent.
    pub(crate) fn is_in_flight(&self, entity: Entity) -> bool {
        self.jobs
            .get(&entity)
            .is_some_and(|job| job.stage.is_under_way())
    }

    /// The agent's name for this entity's request, while the agent has it.
    pub(crate) fn id(&self, entity: Entity) -> Option<RequestId> {
        match self.jobs.get(&entity)?.stage {
            Stage::Running(id) => Some(id),
            _ => None,
        }
    }

    /// Records a new request of this entity, which is in `phase` until it is sent. End the one before first.
    pub(crate) fn submit(&mut self, entity: Entity, phase: HttpPhase, now: Instant) {
        self.last_serial += 1;
        let serial = self.last_serial;
        let job = Job {
            serial,
            stage: Stage::Submitted,
            phase,
            began: now,
            failures: 0,
            failed_attempts: 0,
            is_web_socket: false,
            is_established: false,
            is_last: false,
            pending_jobs: 0,
            is_finishing: false,
            retry_after: None,
            is_retried: false,
            reports_progress: false,
            is_endless: false,
        };
        self.jobs.insert(entity, job);
        self.queue(entity, serial);
    }

    fn queue(&mut self, entity: Entity, serial: Serial) {
        self.submitted_jobs += 1;
        // Ended requests take no more room than those that wait.
        if self.submitted.len() > 2 * self.submitted_jobs + 64 {
            let jobs = &self.jobs;
            self.submitted.retain(|(entity, serial)| {
                let job = jobs.get(entity).filter(|job| job.serial == *serial);
                job.is_some_and(|job| job.stage == Stage::Submitted)
            });
        }
        self.submitted.push_back((entity, serial));
    }

    /// Forgets this entity's request. End it first.
    pub(crate) fn remove(&mut self, entity: Entity) {
        self.jobs.remove(&entity);
    }

    /// Ends this entity's request.
    pub(crate) fn end(&mut self, entity: Entity) -> Ended {
        let Some(job) = self.jobs.get_mut(&entity) else {
            return Ended::Nothing;
        };
        match std::mem::replace(&mut job.stage, Stage::Over) {
            Stage::Submitted => self.submitted_jobs -= 1,
            Stage::Scheduled => self.scheduled_jobs -= 1,
            Stage::Leaving | Stage::Held => {}
            Stage::Running(id) => {
                self.entities.remove(&id);
                return Ended::Running(id);
            }
            Stage::Over => return Ended::Nothing,
        }
        Ended::Waiting
    }

    /// The entities whose requests do not end by themselves; with `all`, every entity.
    pub(crate) fn endless(&self, all: bool) -> Vec<Entity> {
        self.jobs
            .iter()
            .filter(|(_, job)| {
                all || job.is_endless || matches!(job.stage, Stage::Held | Stage::Scheduled)
            })
            .map(|(entity, _)| *entity)
            .collect()
    }

    /// Schedules the next round of a request.
    pub(crate) fn schedule(&mut self, entity: Entity, serial: Serial, due: Instant) {
        if let Some(job) = self.job_mut(entity, serial) {
            job.stage = Stage::Scheduled;
            self.scheduled_jobs += 1;
            self.scheduled.push_back((entity, serial, due));
        }
    }

    /// Whether a request waits for its next round. Also `true` for one that has ended and was not come across yet.
    pub(crate) fn has_scheduled(&self) -> bool {
        !self.scheduled.is_empty()
    }

    /// Asks about each request that waits for its next round, and queues those whose round begins. Returns those that
    /// ended.
    pub(crate) fn begin_rounds(
        &mut self,
        mut ask: impl FnMut(Entity, &Job, Instant) -> Round,
    ) -> Vec<(Entity, Serial)> {
        self.paused_rounds = 0;
        let mut ended = Vec::new();
        for _ in 0..self.scheduled.len() {
            let Some((entity, serial, due)) = self.scheduled.pop_front() else {
                break;
            };
            let Some(job) = self.job_mut(entity, serial) else {
                continue;
            };
            if job.stage != Stage::Scheduled {
                continue;
            }
            let round = ask(entity, job, due);
            match round {
                Round::Waits | Round::Paused => {
                    self.paused_rounds += usize::from(round == Round::Paused);
                    self.scheduled.push_back((entity, serial, due));
                }
                Round::Begins => {
                    job.stage = Stage::Submitted;
                    self.scheduled_jobs -= 1;
                    self.queue(entity, serial);
                }
                Round::Ended => ended.push((entity, serial)),
            }
        }
        ended
    }

    /// Holds a request back that `next_submitted` returned.
    pub(crate) fn hold(&mut self, entity: Entity, serial: Serial) {
        if let Some(job) = self.job_mut(entity, serial) {
            job.stage = Stage::Held;
            self.held.push_back((entity, serial));
        }
    }

    /// Submits the requests that are held back and need not be any longer, in their order.
    pub(crate) fn release_held(&mut self, mut is_free: impl FnMut(Entity) -> bool) {
        for _ in 0..self.held.len() {
            let Some((entity, serial)) = self.held.pop_front() else {
                break;
            };
            let Some(job) = self.job_mut(entity, serial) else {
                continue;
            };
            if job.stage != Stage::Held {
                continue;
            }
            if is_free(entity) {
                job.stage = Stage::Submitted;
                self.queue(entity, serial);
            } else {
                self.held.push_back((entity, serial));
            }
        }
    }

    /// Whether a request waits to be sent.
    pub(crate) fn has_submitted(&self) -> bool {
        self.submitted_jobs > 0
    }

    /// Takes the request that has waited longest to be sent.
    pub(crate) fn next_submitted(&mut self) -> Option<(Entity, Serial)> {
        loop {
            let (entity, serial) = self.submitted.pop_front()?;
            if let Some(job) = self.job_mut(entity, serial)
                && job.stage == Stage::Submitted
            {
                job.stage = Stage::Leaving;
                self.submitted_jobs -= 1;
                return Some((entity, serial));
            }
        }
    }

    /// Records that the agent refused the request.
    pub(crate) fn reject(&mut self, entity: Entity, serial: Serial, error: Error) {
        self.rejected.push((entity, serial, error));
    }

    /// The requests that the agent refused and that were not cancelled since.
    pub(crate) fn take_rejected(&mut self) -> Vec<(Entity, Serial, Error)> {
        let mut rejected = std::mem::take(&mut self.rejected);
        rejected.retain(|(entity, serial, _)| {
            self.job(*entity, *serial)
                .is_some_and(|job| job.stage == Stage::Leaving)
        });
        rejected
    }

    /// Records that the agent has the request.
    pub(crate) fn started(&mut self, entity: Entity, serial: Serial, id: RequestId) {
        if let Some(job) = self.job_mut(entity, serial) {
            job.stage = Stage::Running(id);
            self.entities.insert(id, entity);
        }
    }

    /// Records that the agent has finished the request.
    pub(crate) fn over(&mut self, id: RequestId) {
        if let Some(entity) = self.entities.remove(&id)
            && let Some(job) = self.jobs.get_mut(&entity)
        {
            job.stage = Stage::Over;
        }
    }

    /// The entity and job of one of the agent's requests.
    pub(crate) fn by_id(&mut self, id: RequestId) -> Option<(Entity, &mut Job)> {
        let entity = *self.entities.get(&id)?;
        Some((entity, self.jobs.get_mut(&entity)?))
    }

    /// Whether a request was refused whose `HttpError` is not triggered yet.
    pub(crate) fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Whether a task on another thread will still trigger an event.
    pub(crate) fn has_pending_tasks(&self) -> bool {
        self.jobs.values().any(|job| job.pending_jobs > 0)
    }

    /// The job of one submission; `None` if the entity's request was removed or replaced since.
    pub(crate) fn job(&self, entity: Entity, serial: Serial) -> Option<&Job> {
        self.jobs.get(&entity).filter(|job| job.serial == serial)
    }

    /// As [`job`](Self::job), to change it.
    pub(crate) fn job_mut(&mut self, entity: Entity, serial: Serial) -> Option<&mut Job> {
        self.jobs
            .get_mut(&entity)
            .filter(|job| job.serial == serial)
    }

    /// The job of an entity, whichever submission it belongs to.
    pub(crate) fn latest(&mut self, entity: Entity) -> Option<&mut Job> {
        self.jobs.get_mut(&entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(number: u32) -> Entity {
        Entity::from_raw_u32(number).unwrap_or(Entity::PLACEHOLDER)
    }

    #[test]
    fn requests_that_ended_before_they_were_sent_take_no_room_and_do_not_count() {
        let mut jobs = Jobs::default();
        let now = Instant::now();
        for number in 0..10_000 {
            jobs.submit(entity(number), HttpPhase::default(), now);
            if number % 100 != 0 {
                assert_eq!(jobs.end(entity(number)), Ended::Waiting);
                jobs.remove(entity(number));
            }
        }
        assert_eq!(jobs.in_flight(), 100);
        assert!(jobs.submitted.len() < 500, "{}", jobs.submitted.len());
        let sent: Vec<Entity> = std::iter::from_fn(|| jobs.next_submitted())
            .map(|(entity, _)| entity)
            .collect();
        let expected: Vec<Entity> = (0..100).map(|number| entity(100 * number)).collect();
        assert_eq!(sent, expected);
        assert_eq!((jobs.in_flight(), jobs.submitted.len()), (0, 0));
    }

    #[test]
    fn a_request_that_is_inserted_again_and_again_takes_the_room_of_one() {
        let mut jobs = Jobs::default();
        let now = Instant::now();
        for _ in 0..10_000 {
            jobs.end(entity(0));
            jobs.submit(entity(0), HttpPhase::default(), now);
        }
        assert!(jobs.submitted.len() < 500, "{}", jobs.submitted.len());
        // Those that were cancelled and keep their components.
        for number in 1..10_000 {
            jobs.submit(entity(number), HttpPhase::default(), now);
            jobs.end(entity(number));
        }
        assert!(jobs.submitted.len() < 500, "{}", jobs.submitted.len());
        assert_eq!(jobs.in_flight(), 1);
    }

    #[test]
    fn a_request_that_ends_while_it_waits_for_its_round_begins_none() {
        let mut jobs = Jobs::default();
        let now = Instant::now();
        let mut serials = Vec::new();
        for number in 0..3 {
            jobs.submit(entity(number), HttpPhase::default(), now);
            serials.extend(jobs.next_submitted());
        }
        for (entity, serial) in serials {
            jobs.schedule(entity, serial, now);
        }
        assert!(jobs.need_frames());
        assert_eq!(jobs.end(entity(1)), Ended::Waiting);
        assert_eq!(jobs.begin_rounds(|_, _, _| Round::Begins), []);
        let began = std::iter::from_fn(|| jobs.next_submitted());
        let began: Vec<Entity> = began.map(|(entity, _)| entity).collect();
        assert_eq!(began, [entity(0), entity(2)]);
        assert!(!jobs.has_scheduled());
    }

    #[test]
    fn a_request_that_ends_or_is_replaced_while_it_is_held_back_is_not_sent() {
        let mut jobs = Jobs::default();
        let now = Instant::now();
        for number in 0..3 {
            jobs.submit(entity(number), HttpPhase::default(), now);
            if let Some((entity, serial)) = jobs.next_submitted() {
                jobs.hold(entity, serial);
            }
        }
        assert_eq!((jobs.in_flight(), jobs.need_frames()), (0, false));
        assert_eq!(jobs.end(entity(0)), Ended::Waiting);
        assert_eq!(jobs.end(entity(1)), Ended::Waiting);
        jobs.submit(entity(1), HttpPhase::default(), now);
        jobs.release_held(|_| true);
        let sent = std::iter::from_fn(|| jobs.next_submitted());
        let sent: Vec<(Entity, Serial)> = sent.collect();
        assert_eq!(sent, [(entity(1), 4), (entity(2), 3)]);
        assert_eq!(jobs.in_flight(), 0);
    }
}
