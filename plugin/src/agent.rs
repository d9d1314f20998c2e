//! The resource behind all requests: one [`Agent`] with one pool and one queue, and which request of
//! it belongs to which entity.
//!
//! Nothing is triggered from here, and nothing is sent by the hooks: they take notes, and the
//! systems in `submit` and `dispatch` do the work. What a hook must do at once is cancel.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use bevy_ecs::world::World;
use httpoll::memory::MemoryNetwork;
use httpoll::{Agent, Budget, Error, Misuse, Request, RequestId, RequestUrl};

use crate::plugin::HttpollPlugin;
use crate::state::HttpPhase;

/// All requests of an app: how many are under way, and what can be changed while they are.
///
/// Systems that only want to send or cancel need it not: they spawn, despawn, or use
/// [`Http`](crate::Http).
#[derive(Resource)]
pub struct HttpAgent {
    pub(crate) agent: Agent,
    #[cfg(feature = "cache")]
    kept: Option<crate::cache::Kept>,
    clock: Clock,
    jobs: HashMap<Entity, Job>,
    entities: HashMap<RequestId, Entity>,
    submitted: VecDeque<(Entity, Serial)>,
    /// Repeating requests that wait for their next round.
    pub(crate) sleeping: Vec<(Entity, Serial, Instant)>,
    /// Failures that were known before anything was sent.
    pub(crate) early: Vec<(Entity, Serial, Error)>,
    pub(crate) desk: Desk,
    host_headers: HashMap<String, Vec<(String, String)>>,
    base_url: String,
    next_serial: u64,
    pub(crate) frame: Frame,
    pub(crate) manners: Manners,
    /// The app ends: no round begins.
    pub(crate) is_exiting: bool,
    #[cfg(feature = "assets")]
    pub(crate) assets: crate::assets::Loads,
}

/// Which submission of an entity's request something is about.
pub(crate) type Serial = u64;

/// A request as long as its component is there.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) serial: Serial,
    pub(crate) stage: Stage,
    pub(crate) phase: HttpPhase,
    /// When its round was sent.
    pub(crate) began: Instant,
    /// Rounds that failed in a row.
    pub(crate) failures: u32,
    /// Work elsewhere, such as JSON being parsed, that will still trigger something at its entity.
    pub(crate) holds: u32,
    /// It was told to be over while held.
    pub(crate) is_finishing: bool,
    /// Whether [`HttpProgressed`](crate::HttpProgressed) is wanted.
    pub(crate) tells_progress: bool,
    /// It never ends by itself.
    pub(crate) is_endless: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its component was inserted; it is sent in the next pump.
    Submitted,
    Running(RequestId),
    /// It waits for its next round.
    Sleeping,
    Over,
}

/// What of the plugin's settings is asked for all the time.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    pub(crate) despawn_finished: bool,
    pub(crate) slow_observer: Option<Duration>,
    pub(crate) json_off_frame: usize,
    pub(crate) on_exit: crate::plugin::HttpOnExit,
}

/// What this frame may spend, and has spent.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) granted: Budget,
    pub(crate) spent: Duration,
    /// What the frame before spent.
    pub(crate) latest: Duration,
    pub(crate) began: Option<Instant>,
    /// How long the rest of the last frame worked.
    pub(crate) busy: Option<Duration>,
    /// Bytes of content moved since the app started.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// Where other threads put what they have done.
#[derive(Clone, Default)]
pub(crate) struct Desk(Arc<Mutex<Vec<Delivery>>>);

/// Something done off the frame.
pub(crate) struct Delivery {
    pub(crate) request: Entity,
    pub(crate) serial: Serial,
    pub(crate) trigger: Box<dyn FnOnce(&mut World) + Send>,
}

impl Desk {
    pub(crate) fn put(&self, delivery: Delivery) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delivery);
    }

    pub(crate) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

enum Clock {
    System,
    Virtual(MemoryNetwork),
}

impl HttpAgent {
    pub(crate) fn new(plugin: &HttpollPlugin) -> Self {
        #[cfg(feature = "cache")]
        let kept = plugin.cache.as_ref().map(crate::HttpCacheFile::load);
        Self {
            #[cfg(feature = "cache")]
            agent: plugin.agent(kept.as_ref()),
            #[cfg(feature = "cache")]
            kept,
            #[cfg(not(feature = "cache"))]
            agent: plugin.agent(),
            clock: match &plugin.network {
                Some(network) => Clock::Virtual(network.clone()),
                None => Clock::System,
            },
            jobs: HashMap::new(),
            entities: HashMap::new(),
            submitted: VecDeque::new(),
            sleeping: Vec::new(),
            early: Vec::new(),
            desk: Desk::default(),
            host_headers: HashMap::new(),
            base_url: plugin.base_url.clone().unwrap_or_default(),
            next_serial: 0,
            frame: Frame {
                granted: plugin.budget.clone(),
                spent: Duration::ZERO,
                latest: Duration::ZERO,
                began: None,
                busy: None,
                sent: 0,
                received: 0,
            },
            manners: Manners {
                despawn_finished: plugin.despawn_finished,
                slow_observer: plugin.slow_observer,
                json_off_frame: plugin.json_off_frame,
                on_exit: plugin.on_exit,
            },
            is_exiting: false,
            #[cfg(feature = "assets")]
            assets: crate::assets::Loads::new(plugin.poll_in, plugin.flush_in),
        }
    }

    /// How many requests are waiting to be sent or under way. Those that wait for their next round
    /// are not.
    pub fn in_flight(&self) -> usize {
        self.submitted.len() + self.entities.len()
    }

    /// How far the assets are that are being loaded, by their paths, without the scheme.
    #[cfg(feature = "assets")]
    pub fn load_progress(&self) -> impl Iterator<Item = (&std::path::Path, crate::HttpProgress)> {
        self.assets.progress()
    }

    /// How many assets are being loaded.
    #[cfg(feature = "assets")]
    pub fn loads(&self) -> usize {
        self.assets.count()
    }

    /// Whether no request is waiting or under way. Assets do not count.
    pub fn is_idle(&self) -> bool {
        self.in_flight() == 0
    }

    /// Whether this entity's request is waiting or under way.
    pub fn is_in_flight(&self, request: Entity) -> bool {
        self.jobs
            .get(&request)
            .is_some_and(|job| matches!(job.stage, Stage::Submitted | Stage::Running(_)))
    }

    /// Holds a request: content that comes is left with the server, and no deadline but the total
    /// one runs. Does nothing for one that is not under way.
    pub fn pause(&mut self, request: Entity) {
        if let Some(id) = self.id(request) {
            self.agent.pause(id);
        }
    }

    /// Lets a paused request go on.
    pub fn resume(&mut self, request: Entity) {
        if let Some(id) = self.id(request) {
            self.agent.resume(id);
        }
    }

    /// Changes how many bytes of content a request may move in a second; `None` is no limit.
    pub fn set_rate_limit(&mut self, request: Entity, bytes_per_second: Option<u64>) {
        if let Some(id) = self.id(request) {
            self.agent.set_rate_limit(id, bytes_per_second);
        }
    }

    /// Changes how many bytes of content all requests together may move in a second.
    pub fn set_global_rate_limit(&mut self, bytes_per_second: Option<u64>) {
        self.agent.set_global_rate_limit(bytes_per_second);
    }

    /// Replaces the lines that every request has unless it has its own, such as a token.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`]; then nothing has changed.
    pub fn set_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error> {
        self.agent.set_headers(headers).map(|_| ())
    }

    /// Replaces the lines that requests to this host have, assets included. They are secrets: a
    /// redirect to another host does not take them along. `host` is a name without a port.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`]; then nothing has changed.
    pub fn set_host_headers<N: Into<String>, V: Into<String>>(
        &mut self,
        host: &str,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error> {
        let headers: Vec<(String, String)> = headers
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut lines = httpoll::proto::FieldLines::new();
        for (name, value) in &headers {
            lines.append(name, value).map_err(|misuse: Misuse| misuse)?;
        }
        self.host_headers.insert(host.to_ascii_lowercase(), headers);
        Ok(())
    }

    /// Closes down for a while, as when a phone takes the game off the screen: what is under way may
    /// end until `deadline`, then all connections are closed. What was not over waits for
    /// [`resume_all`](Self::resume_all); what must not be sent twice fails.
    pub fn suspend(&mut self, deadline: Duration) {
        self.agent.suspend(deadline);
    }

    /// Goes on after [`suspend`](Self::suspend).
    pub fn resume_all(&mut self) {
        self.agent.resume_all();
    }

    /// Closes the connections that nobody uses.
    pub fn close_idle_connections(&mut self) {
        self.agent.close_idle_connections();
    }

    /// Bytes of content sent and received since the app started.
    pub fn transferred(&self) -> (u64, u64) {
        (self.frame.sent, self.frame.received)
    }

    /// How long the plugin worked in the latest whole frame, and what it was granted; `None` is no
    /// limit.
    pub fn spent(&self) -> (Duration, Option<Duration>) {
        (self.frame.latest, self.frame.granted.time)
    }

    /// Writes the cache to its file, on this thread: for the end of a level rather than a frame.
    /// Without [`HttpollPlugin::cache`] it does nothing. The end of the app does it, too.
    ///
    /// # Errors
    /// Those of writing; the file that was there is left as it was.
    #[cfg(feature = "cache")]
    pub fn save_cache(&self) -> std::io::Result<()> {
        self.kept.as_ref().map_or(Ok(()), crate::cache::Kept::save)
    }

    /// Whether responses are kept.
    #[cfg(feature = "assets")]
    pub(crate) fn has_cache(&self) -> bool {
        #[cfg(feature = "cache")]
        return self.kept.is_some();
        #[cfg(not(feature = "cache"))]
        false
    }

    /// Sends a message over the open WebSocket of this request.
    ///
    /// # Errors
    /// Full, closing, or no open WebSocket: nothing was sent.
    #[cfg(feature = "websocket")]
    pub fn send_message(
        &mut self,
        request: Entity,
        message: httpoll::WebSocketMessage,
    ) -> Result<(), Error> {
        match self.id(request) {
            Some(id) => self.agent.send_message(id, message),
            None => Err(httpoll::ErrorKind::WebSocket(httpoll::WebSocketFault::NotOpen).into()),
        }
    }

    /// How many polls' worth of work there is, for shares of the budget.
    pub(crate) fn weight(&self) -> usize {
        if self.agent.is_on_thread() {
            return 1;
        }
        #[cfg(feature = "assets")]
        let loads = self.loads();
        #[cfg(not(feature = "assets"))]
        let loads = 0;
        (self.in_flight() + loads).max(1)
    }

    pub(crate) fn id(&self, request: Entity) -> Option<RequestId> {
        match self.jobs.get(&request)?.stage {
            Stage::Running(id) => Some(id),
            Stage::Submitted | Stage::Sleeping | Stage::Over => None,
        }
    }

    /// The network in memory, if that is what requests go over.
    #[cfg(feature = "server")]
    pub(crate) fn network(&self) -> Option<&MemoryNetwork> {
        match &self.clock {
            Clock::System => None,
            Clock::Virtual(network) => Some(network),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.clock {
            Clock::System => Instant::now(),
            Clock::Virtual(network) => network.now(),
        }
    }

    /// A component was inserted: its request is sent in the next pump.
    pub(crate) fn submit(&mut self, entity: Entity) {
        self.discard(entity);
        self.next_serial += 1;
        let serial = self.next_serial;
        let job = Job {
            serial,
            stage: Stage::Submitted,
            phase: HttpPhase::Queued,
            began: self.now(),
            failures: 0,
            holds: 0,
            is_finishing: false,
            tells_progress: false,
            is_endless: false,
        };
        self.jobs.insert(entity, job);
        self.submitted.push_back((entity, serial));
    }

    /// A component went: its request is cancelled, and its socket closed, at once.
    pub(crate) fn discard(&mut self, entity: Entity) {
        self.end(entity);
        self.jobs.remove(&entity);
    }

    /// Cancels what the job is doing. Answers whether it was doing anything.
    pub(crate) fn end(&mut self, entity: Entity) -> bool {
        let Some(job) = self.jobs.get_mut(&entity) else {
            return false;
        };
        let stage = std::mem::replace(&mut job.stage, Stage::Over);
        match stage {
            Stage::Submitted => self.submitted.retain(|(other, _)| *other != entity),
            Stage::Running(id) => {
                self.entities.remove(&id);
                self.agent.cancel(id);
            }
            Stage::Sleeping => self.sleeping.retain(|(other, ..)| *other != entity),
            Stage::Over => return false,
        }
        true
    }

    /// Another round of a request.
    pub(crate) fn resubmit(&mut self, entity: Entity, serial: Serial) {
        if let Some(job) = self.job_mut(entity, serial) {
            job.stage = Stage::Submitted;
            self.submitted.push_back((entity, serial));
        }
    }

    pub(crate) fn next_submitted(&mut self) -> Option<(Entity, Serial)> {
        self.submitted.pop_front()
    }

    pub(crate) fn started(&mut self, entity: Entity, serial: Serial, id: RequestId) {
        if let Some(job) = self.job_mut(entity, serial) {
            job.stage = Stage::Running(id);
            self.entities.insert(id, entity);
        }
    }

    /// The entity whose request this is, and the job.
    pub(crate) fn by_id(&mut self, id: RequestId) -> Option<(Entity, &mut Job)> {
        let entity = *self.entities.get(&id)?;
        Some((entity, self.jobs.get_mut(&entity)?))
    }

    /// The request is over, one way or another.
    pub(crate) fn over(&mut self, id: RequestId) {
        if let Some(entity) = self.entities.remove(&id)
            && let Some(job) = self.jobs.get_mut(&entity)
        {
            job.stage = Stage::Over;
        }
    }

    pub(crate) fn job(&self, entity: Entity, serial: Serial) -> Option<&Job> {
        self.jobs.get(&entity).filter(|job| job.serial == serial)
    }

    pub(crate) fn job_mut(&mut self, entity: Entity, serial: Serial) -> Option<&mut Job> {
        self.jobs
            .get_mut(&entity)
            .filter(|job| job.serial == serial)
    }

    /// The job of an entity, whichever submission it is.
    pub(crate) fn latest(&mut self, entity: Entity) -> Option<&mut Job> {
        self.jobs.get_mut(&entity)
    }

    /// Ends everything that would not end by itself; with `all` the rest, too.
    pub(crate) fn abort(&mut self, all: bool) {
        let entities: Vec<Entity> = self
            .jobs
            .iter()
            .filter(|(_, job)| all || job.is_endless || job.stage == Stage::Sleeping)
            .map(|(entity, _)| *entity)
            .collect();
        for entity in entities {
            self.end(entity);
        }
    }

    /// Adds what requests to this URL's host have.
    pub(crate) fn with_host_headers(&self, url: &str, mut request: Request) -> Request {
        if self.host_headers.is_empty() {
            return request;
        }
        let url = if url.contains("://") {
            url
        } else {
            &self.base_url
        };
        let Ok(parsed) = RequestUrl::parse(url) else {
            return request;
        };
        // The node's words: the host has its scheme.
        let host = parsed.host.rsplit("://").next().unwrap_or_default();
        let host = host.to_ascii_lowercase();
        for (name, value) in self.host_headers.get(&host).into_iter().flatten() {
            request = request.secret_header(name, value);
        }
        request
    }
}

impl fmt::Debug for HttpAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAgent")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
