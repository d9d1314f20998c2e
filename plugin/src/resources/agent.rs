//! [`HttpAgent`]: the resource behind all requests. It owns one [`Agent`] with one pool and one queue.
//!
//! Nothing is triggered from here. The hooks of [`HttpRequest`](crate::HttpRequest) only record that a
//! request was submitted or removed; removal cancels at once. The systems in `submit` and `dispatch` do
//! the rest.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use httpoll::clock::Instant;
use httpoll::memory::MemoryNetwork;
use httpoll::{Agent, Error, PollGroup, Request, RequestId, error::Misuse, node::RequestUrl};

use crate::components::phase::HttpPhase;
use crate::jobs::{Ended, Jobs};
use crate::mailbox::Mailbox;
use crate::resources::frame::Frame;
use crate::resources::others::Others;

/// All requests of an app: how many are in flight, and what can be changed while they are.
///
/// Systems that only send or cancel do not need it: they spawn, despawn, or use
/// [`Http`](crate::Http).
#[derive(Resource)]
pub struct HttpAgent {
    pub(crate) agent: Agent,
    /// What the agent, the nodes and the servers are polled in.
    pub(crate) group: PollGroup,
    pub(crate) jobs: Jobs,
    pub(crate) mailbox: Mailbox,
    pub(crate) frame: Frame,
    pub(crate) others: Others,
    /// The app ends: no further round begins.
    pub(crate) is_exiting: bool,
    #[cfg(feature = "cache")]
    cache: Option<crate::resources::cache_file::CacheHandle>,
    /// The network in memory, whose virtual clock then replaces the system's.
    network: Option<MemoryNetwork>,
    host_headers: HashMap<String, Vec<(String, String)>>,
    base_url: String,
}

impl HttpAgent {
    pub(crate) fn new(
        agent: Agent,
        group: PollGroup,
        network: Option<MemoryNetwork>,
        base_url: String,
        frame: Frame,
        #[cfg(feature = "cache")] cache: Option<crate::resources::cache_file::CacheHandle>,
    ) -> Self {
        Self {
            agent,
            group,
            jobs: Jobs::default(),
            mailbox: Mailbox::default(),
            frame,
            others: Others::default(),
            is_exiting: false,
            #[cfg(feature = "cache")]
            cache,
            network,
            host_headers: HashMap::new(),
            base_url,
        }
    }

    /// The number of requests that wait to be sent or are under way. Requests that wait for their next
    /// round do not count.
    pub fn in_flight(&self) -> usize {
        self.jobs.in_flight()
    }

    /// Whether nothing [needs frames](Self::needs_frames).
    pub fn is_idle(&self) -> bool {
        !self.needs_frames()
    }

    /// Whether the app must run frames for HTTP. That is so while a request or a file is under way, a WebSocket or
    /// an event stream is open, a loop waits for its next round, JSON is parsed on another thread, an asset
    /// loads, a server listens, or a node is connected. It is not so for requests and loops that are paused
    /// or whose entity is disabled.
    ///
    /// Ask at the end of a frame, after [`HttpollSystems::Flush`](crate::HttpollSystems::Flush): what systems did to
    /// nodes, and loops that they paused, count from then on. For [reactive
    /// apps](https://docs.rs/bevy_httpoll/latest/bevy_httpoll/guide/reactive_apps/).
    pub fn needs_frames(&self) -> bool {
        self.jobs.need_frames() || self.others.need_frames()
    }

    /// Whether this entity's request waits to be sent or is under way.
    pub fn is_in_flight(&self, request: Entity) -> bool {
        self.jobs.is_in_flight(request)
    }

    /// Limits the bytes of content per second of all requests together; `None` removes the limit.
    pub fn set_global_rate_limit(&mut self, bytes_per_second: Option<u64>) {
        self.agent.set_global_rate_limit(bytes_per_second);
    }

    /// Replaces the header fields, such as a token, of every request that does not set the same field
    /// itself.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`]. The fields are then unchanged.
    pub fn set_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error> {
        self.agent.set_headers(headers).map(|_| ())
    }

    /// Replaces the header fields of all requests to this host, including assets. They count as secrets: a
    /// redirect to another host drops them. `host` is a name without a port.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`]. The fields are then unchanged.
    pub fn set_host_headers<N: Into<String>, V: Into<String>>(
        &mut self,
        host: &str,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error> {
        let headers: Vec<(String, String)> = headers
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut fields = httpoll::proto::FieldLines::new();
        for (name, value) in &headers {
            fields
                .append(name, value)
                .map_err(|misuse: Misuse| misuse)?;
        }
        self.host_headers.insert(host.to_ascii_lowercase(), headers);
        Ok(())
    }

    /// Whether a thread drives the requests, also between frames; see
    /// [`HttpollPlugin::on_thread`](crate::HttpollPlugin::on_thread).
    pub fn is_on_thread(&self) -> bool {
        self.agent.is_on_thread()
    }

    /// Moves the requests to a thread, or back into the frame: for a switch in the game's settings. Requests that are
    /// under way continue. Returns whether they now run as wanted; see
    /// [`Agent::set_on_thread`](httpoll::Agent::set_on_thread).
    pub fn set_on_thread(&mut self, on_thread: bool) -> bool {
        self.agent.set_on_thread(on_thread)
    }

    /// Suspends all requests, for instance when a phone sends the game to the background. Running requests
    /// may finish until `deadline`; then all connections close. Unfinished requests wait for
    /// [`resume_all`](Self::resume_all); those that must not be sent twice fail.
    pub fn suspend(&mut self, deadline: Duration) {
        self.agent.suspend(deadline);
    }

    /// Resumes after [`suspend`](Self::suspend).
    pub fn resume_all(&mut self) {
        self.agent.resume_all();
    }

    /// Closes the connections that no request uses.
    pub fn close_idle_connections(&mut self) {
        self.agent.close_idle_connections();
    }

    /// Bytes of content sent and received since the app started.
    pub fn transferred(&self) -> (u64, u64) {
        (self.frame.sent, self.frame.received)
    }

    /// How long the plugin worked in the last complete frame, and the time granted to this frame; `None`
    /// means no limit.
    pub fn spent(&self) -> (Duration, Option<Duration>) {
        (self.frame.latest, self.frame.granted().time)
    }

    /// Writes the cache to its file, and blocks until that is done: for the end of a level. Does nothing
    /// without [`HttpollPlugin::cache`](crate::HttpollPlugin::cache). The end of the app does the same.
    ///
    /// # Errors
    /// The file could not be written; an existing file is unchanged.
    #[cfg(feature = "cache")]
    pub fn save_cache(&self) -> std::io::Result<()> {
        self.cache
            .as_ref()
            .map_or(Ok(()), crate::resources::cache_file::CacheHandle::save)
    }

    /// The cache and its file, if there is one.
    #[cfg(feature = "cache")]
    pub(crate) fn cache(&self) -> Option<&crate::resources::cache_file::CacheHandle> {
        self.cache.as_ref()
    }

    /// Whether there is a cache.
    #[cfg(feature = "assets")]
    pub(crate) fn has_cache(&self) -> bool {
        #[cfg(feature = "cache")]
        return self.cache.is_some();
        #[cfg(not(feature = "cache"))]
        false
    }

    /// Sends a message over the open WebSocket of this request.
    ///
    /// # Errors
    /// The WebSocket is not open, is closing, or its send buffer is full. Nothing was sent.
    #[cfg(feature = "websocket")]
    pub fn send_message(
        &mut self,
        request: Entity,
        message: httpoll::websocket::WebSocketMessage,
    ) -> Result<(), Error> {
        use crate::job::Stage;
        use httpoll::error::WebSocketFault;
        use httpoll::websocket::{WebSocketMessage, close_code};
        let not_open = || httpoll::ErrorKind::WebSocket(WebSocketFault::NotOpen).into();
        let id = self.id(request);
        let Some(job) = self.jobs.latest(request) else {
            return Err(not_open());
        };
        match (id, message) {
            // An agent on a thread would fail the request of a WebSocket that is not open yet.
            (Some(id), message) if job.is_established => {
                let closes = matches!(message, WebSocketMessage::Close(_));
                self.agent.send_message(id, message)?;
                job.is_last |= closes;
            }
            (Some(id), WebSocketMessage::Close(frame)) if job.is_web_socket => {
                let (code, reason) = frame
                    .map_or((close_code::NORMAL_CLOSURE, String::new()), |frame| {
                        (frame.code, frame.reason)
                    });
                self.agent.close_web_socket(id, code, &reason);
                job.is_last = true;
            }
            // Between two sessions. The next pump ends the request.
            (None, WebSocketMessage::Close(_))
                if job.is_web_socket && job.stage == Stage::Scheduled =>
            {
                job.is_last = true;
            }
            _ => return Err(not_open()),
        }
        Ok(())
    }

    pub(crate) fn id(&self, request: Entity) -> Option<RequestId> {
        self.jobs.id(request)
    }

    /// The network in memory, if requests go over one.
    #[cfg(feature = "server")]
    pub(crate) fn network(&self) -> Option<&MemoryNetwork> {
        self.network.as_ref()
    }

    /// The time now: the network's virtual time, or the system's.
    pub(crate) fn now(&self) -> Instant {
        self.network
            .as_ref()
            .map_or_else(Instant::now, MemoryNetwork::now)
    }

    /// A component was inserted: the next pump sends its request.
    pub(crate) fn submit(&mut self, entity: Entity, phase: HttpPhase) {
        self.discard(entity);
        self.jobs.submit(entity, phase, self.now());
    }

    /// A component was removed: its request is cancelled and its socket closed at once.
    pub(crate) fn discard(&mut self, entity: Entity) {
        self.end(entity);
        self.jobs.remove(entity);
    }

    /// Cancels this entity's request. Returns whether it was waiting or under way.
    pub(crate) fn end(&mut self, entity: Entity) -> bool {
        match self.jobs.end(entity) {
            Ended::Nothing => return false,
            Ended::Waiting => {}
            Ended::Running(id) => {
                self.agent.cancel(id);
            }
        }
        true
    }

    /// Cancels the requests that do not end by themselves; with `all`, every request.
    pub(crate) fn abort(&mut self, all: bool) {
        for entity in self.jobs.endless(all) {
            self.end(entity);
        }
    }

    /// Adds the header fields for this URL's host.
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
        // The node's URL parser leaves the scheme in front of the host.
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
