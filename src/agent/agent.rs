//! [`Agent`]: its calls, carried out by an engine on this thread or on a thread of its own.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::Method;

#[cfg(any(feature = "outbox", feature = "patch"))]
use super::claims::Claims;
use super::config::Config;
use super::engine::Engine;
use super::engine::command::Command;
use super::engine_thread::EngineThread;
use super::event::Event;
use super::handle::{DroppedHandles, RequestHandle};
use super::id::{ById, RequestId};
use super::prepared::{KnownUrls, Prepared};
use super::request::Request;
use super::response::Response;
use super::settings::Priority;
use super::snapshot::AgentSnapshot;
use crate::budget::{Budget, Polled};
use crate::clock::system_time;
use crate::error::{Error, Misuse};
use crate::proto::FieldLines;
#[cfg(feature = "websocket")]
use crate::semantics::websocket::WebSocketMessage;
use crate::transport::poller::Poller;
use crate::transport::watcher::{Notify, Watcher};

/// Sends requests and reports what becomes of them.
///
/// Nothing happens outside [`poll`](Self::poll) and [`wait`](Self::wait), unless the agent runs
/// [on a thread of its own](crate::agent::AgentBuilder::on_thread). `poll` never blocks: call it once a frame, then
/// pull events until [`next_event`](Self::next_event) returns `None`.
///
/// ```
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::{Agent, Event};
///
/// let network = MemoryNetwork::new();
/// network.add_name("game.example", &["10.0.0.1".parse()?]);
/// network.serve("10.0.0.1:80".parse()?, || {
///     |peer: &mut httpoll::memory::Peer| {
///         if peer.received().ends_with(b"\r\n\r\n") {
///             peer.take_received();
///             peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
///         }
///     }
/// });
///
/// let mut agent = Agent::on_memory(&network);
/// let scores = agent.get("http://game.example/scores").query("season", 7).send()?;
/// let text = 'frames: loop {
///     agent.poll(); // once a frame
///     while let Some(event) = agent.next_event() {
///         match event {
///             Event::Done { id, response } if id == scores.id() => break 'frames response.text(),
///             Event::Failed { error, .. } => return Err(error.into()),
///             _ => {}
///         }
///     }
/// };
/// assert_eq!(text, "hi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Agent {
    pub(super) backend: Backend,
    pub(super) config: Arc<Config>,
    budget: Budget,
    dropped: Arc<DroppedHandles>,
    next_id: u64,
    /// Requests whose last event was not delivered yet.
    pub(super) unfinished: ById<()>,
    urls: KnownUrls,
    /// Events of other requests, which [`wait_for`](Self::wait_for) set aside.
    set_aside: VecDeque<Event>,
    /// Calls the function of [`on_event`](crate::agent::AgentBuilder::on_event), if the engine has no thread.
    pub(super) watcher: Option<Watcher>,
    /// The poller of an engine without a thread, and the function of
    /// [`on_event`](crate::agent::AgentBuilder::on_event); see `thread_switch`.
    pub(super) home: Option<(Poller, Option<Notify>)>,
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) claims: Claims,
}

/// Where the engine runs.
pub(super) enum Backend {
    /// In the caller's calls.
    Inline(Box<Engine>),
    /// On a thread of its own; the caller's calls exchange commands and events with it.
    Threaded(EngineThread),
}

/// The verbs return a request that [`send`](Request::send) hands to this agent:
///
/// ```no_run
/// # use std::time::Duration;
/// # let mut agent = httpoll::Agent::new();
/// let scores = agent.get("https://game.example/scores").send()?;
/// let posted = agent
///     .post("https://game.example/scores")
///     .json(&[1, 2, 3])
///     .total_timeout(Duration::from_secs(20))
///     .send()?;
/// # Ok::<(), httpoll::Error>(())
/// ```
impl Agent {
    /// A `GET` request (RFC 9110 §9.3.1).
    pub fn get(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::GET, url)
    }

    /// A `HEAD` request (RFC 9110 §9.3.2): the response has the head of a `GET` and no content.
    pub fn head(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::HEAD, url)
    }

    /// A `POST` request (RFC 9110 §9.3.3).
    pub fn post(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::POST, url)
    }

    /// A `PUT` request (RFC 9110 §9.3.4).
    pub fn put(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request (RFC 5789).
    pub fn patch(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request (RFC 9110 §9.3.5).
    pub fn delete(&mut self, url: impl Into<String>) -> Request<&mut Self> {
        self.request(Method::DELETE, url)
    }

    /// A request with any method.
    pub fn request(&mut self, method: Method, url: impl Into<String>) -> Request<&mut Self> {
        Request::with_sender(self, method, url.into())
    }
}

impl Request<&mut Agent> {
    /// Gives the request to its agent; see [`Agent::send`].
    ///
    /// # Errors
    /// Those of [`Agent::send`].
    pub fn send(self) -> Result<RequestHandle, Error> {
        self.sender.send(Request {
            parts: self.parts,
            sender: (),
        })
    }
}

impl Agent {
    pub(super) fn from_parts(backend: Backend, config: Arc<Config>, budget: Budget) -> Self {
        Self {
            backend,
            config,
            budget,
            dropped: Arc::default(),
            next_id: 0,
            unfinished: ById::default(),
            urls: KnownUrls::default(),
            set_aside: VecDeque::new(),
            watcher: None,
            home: None,
            #[cfg(any(feature = "outbox", feature = "patch"))]
            claims: Claims::default(),
        }
    }

    /// Accepts a request. Nothing is sent before the next poll; the time that this call takes is subtracted
    /// from that poll's budget.
    ///
    /// # Errors
    /// [`Misuse`](crate::error::Misuse), if the request is invalid: an invalid URL or header, content given twice.
    /// All other failures are reported by [`Event::Failed`].
    pub fn send(&mut self, request: Request) -> Result<RequestHandle, Error> {
        self.cancel_dropped();
        let id = RequestId(self.next_id + 1);
        match &mut self.backend {
            Backend::Inline(engine) => {
                let began = engine.now();
                let prepared = Prepared::of(request, &self.config, &mut self.urls)?;
                engine.submit(id, prepared, began);
                engine.note_submit_time(began);
                engine.tell_watcher();
            }
            Backend::Threaded(thread) => {
                let prepared = Prepared::of(request, &self.config, &mut self.urls)?;
                thread.command(Command::Submit(id, Box::new(prepared)));
            }
        }
        self.next_id += 1;
        self.unfinished.insert(id, ());
        Ok(RequestHandle::new(id, &self.dropped))
    }

    /// Drives all requests as far as sockets, files and the agent's [budget](Self::set_budget) allow, without
    /// waiting. Call it once a frame, then pull the events. The result says whether anything happened and when
    /// the next poll is useful.
    pub fn poll(&mut self) -> Polled {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.poll(&self.budget),
            Backend::Threaded(thread) => thread.poll(self.unfinished.keys()),
        }
    }

    /// [`poll`](Self::poll) with a budget for this call only.
    pub fn poll_with(&mut self, budget: &Budget) -> Polled {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.poll(budget),
            Backend::Threaded(thread) => thread.poll(self.unfinished.keys()),
        }
    }

    /// Sleeps until something happened or `timeout` is over (`None`: no limit), without a budget. Returns at once
    /// while no request is under way: then nothing can happen, and a loop must wait by other means. For tools
    /// and loading screens; in a frame use [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Polled {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.wait(timeout, &Budget::unlimited()),
            Backend::Threaded(thread) => thread.wait(timeout, self.unfinished.keys()),
        }
    }

    /// The next event, oldest first; `None` when the queue is empty until the next poll. A
    /// [`Progress`](Event::Progress) event has the values of now, not of when it was queued.
    ///
    /// Pulling streamed content makes space for more, which this call reads as far as the budget of the last
    /// poll still allows.
    pub fn next_event(&mut self) -> Option<Event> {
        self.cancel_dropped();
        let event = self.set_aside.pop_front().or_else(|| self.pull());
        if event.is_none()
            && let Backend::Inline(engine) = &mut self.backend
        {
            // What was pulled made room, and nothing else tells that there is more to read.
            engine.tell_watcher();
        }
        event
    }

    #[cfg(any(feature = "outbox", feature = "patch"))]
    fn pull(&mut self) -> Option<Event> {
        loop {
            let event = self.pull_any()?;
            self.note_pulled(&event);
            if let Some(event) = self.claims.keep(event) {
                return Some(event);
            }
        }
    }

    #[cfg(not(any(feature = "outbox", feature = "patch")))]
    fn pull(&mut self) -> Option<Event> {
        let event = self.pull_any()?;
        self.note_pulled(&event);
        Some(event)
    }

    pub(super) fn note_pulled(&mut self, event: &Event) {
        if let (Some(id), true) = (event.id(), event.is_final()) {
            self.unfinished.remove(&id);
        }
    }

    fn pull_any(&mut self) -> Option<Event> {
        match &mut self.backend {
            Backend::Inline(engine) => {
                let event = engine.next_event()?;
                let pulled = event.unpulled();
                if let (Some(id), 1..) = (event.id(), pulled.bytes) {
                    engine.execute(Command::Pulled(id, pulled));
                }
                Some(event)
            }
            Backend::Threaded(thread) => thread.next_event(),
        }
    }

    /// Waits until this request has ended and returns its response. For tools; it takes as long as the
    /// request, and does not return while the request is paused. Events of other requests stay for
    /// [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// The error of the request; [`Misuse::UnknownRequest`] if its last event was pulled before, or if it was
    /// cancelled. In a browser [`Misuse::NotOnWeb`], unless the response is there already.
    pub fn wait_for(&mut self, handle: RequestHandle) -> Result<Response, Error> {
        let id = handle.id();
        let mut handle = Some(handle);
        let mut earlier = std::mem::take(&mut self.set_aside);
        loop {
            while let Some(event) = earlier.pop_front().or_else(|| self.pull()) {
                if event.id() != Some(id) {
                    self.set_aside.push_back(event);
                    continue;
                }
                let result = match event {
                    Event::Done { response, .. } => Ok(*response),
                    Event::Failed { error, .. } => Err(error),
                    _ => continue,
                };
                handle.take().map(RequestHandle::detach);
                self.set_aside.append(&mut earlier);
                return result;
            }
            if !self.unfinished.contains_key(&id) {
                return Err(Misuse::UnknownRequest.into());
            }
            if cfg!(target_family = "wasm") {
                // Nothing arrives before this call returns to the browser.
                return Err(Misuse::NotOnWeb("waiting for a response").into());
            }
            self.wait(None);
        }
    }

    /// Ends a request at once, in any state: its connection is closed, its file is removed, and it causes no
    /// more events. Does nothing if the request has ended or is unknown.
    pub fn cancel(&mut self, id: RequestId) {
        if let Some(command) = self.cancellation(vec![id]) {
            self.command(command);
        }
    }

    /// Pauses a request: if it waits, it is not started; if it runs, no more content is read, so the server
    /// waits. Only the total timeout continues to run.
    pub fn pause(&mut self, id: RequestId) {
        self.command(Command::Pause(id));
    }

    /// Continues a paused request. If its connection was lost meanwhile, the rest is requested with `Range` and
    /// `If-Range` (RFC 9110 §13.1.5), or everything if the server does not support that.
    pub fn resume(&mut self, id: RequestId) {
        self.command(Command::Resume(id));
    }

    /// Changes the [priority](crate::agent::RequestOptions::priority) of a request.
    pub fn set_priority(&mut self, id: RequestId, priority: Priority) {
        self.command(Command::SetPriority(id, priority));
    }

    /// Changes how many bytes of content per second a request may send, and receive; `None` and 0 mean no
    /// limit.
    pub fn set_rate_limit(&mut self, id: RequestId, bytes_per_second: Option<u64>) {
        self.command(Command::SetRateLimit(id, bytes_per_second));
    }

    /// Sets the budget of each [`poll`](Self::poll). Default: [`Budget::default`].
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// The budget of each [`poll`](Self::poll).
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Replaces the default headers, which every later request sends unless it has a header with the same name.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader); then nothing has changed.
    pub fn set_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<&mut Self, Error> {
        let mut fields = FieldLines::new();
        for (name, value) in headers {
            fields.append(name.as_ref(), value)?;
        }
        let mut config = Config::clone(&self.config);
        config.fields = fields;
        self.config = Arc::new(config);
        Ok(self)
    }

    /// The hosts that require `https` (RFC 6797), in curl's file format, for
    /// [`load_hsts`](crate::agent::AgentBuilder::load_hsts) in a later run. `None` if the agent does not remember
    /// them; see [`hsts`](crate::agent::AgentBuilder::hsts).
    pub fn save_hsts(&self) -> Option<String> {
        let store = self.config.hsts.as_ref()?;
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        Some(store.save(system_time()))
    }

    /// What the agent is doing now: requests, connections, queues, and how long polls took in the last seconds.
    /// For inspectors and debug overlays. It costs a few allocations per request and nothing while it is not
    /// called.
    ///
    /// An agent [on a thread of its own](crate::agent::AgentBuilder::on_thread) returns what its thread saw after
    /// the call before, and something empty the first time: the call never waits.
    ///
    /// ```
    /// # use httpoll::memory::MemoryNetwork;
    /// # use httpoll::Agent;
    /// # let mut agent = Agent::on_memory(&MemoryNetwork::new());
    /// let scores = agent.get("http://game.example/scores?token=1").send()?;
    /// let snapshot = agent.snapshot();
    /// assert_eq!(snapshot.requests[0].id, scores.id());
    /// assert_eq!(snapshot.requests[0].url, "http://game.example/scores?(hidden)");
    /// assert_eq!(snapshot.to_json()["totals"]["requests"], 1);
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    pub fn snapshot(&mut self) -> AgentSnapshot {
        self.cancel_dropped();
        let mut snapshot = match &mut self.backend {
            Backend::Inline(engine) => engine.snapshot(),
            Backend::Threaded(thread) => thread.snapshot(),
        };
        snapshot.queues.events += self.set_aside.len();
        snapshot
    }

    /// Sends a message over an open WebSocket.
    ///
    /// # Errors
    /// The request is not an open WebSocket, or its queue of outgoing messages is full; then nothing was sent.
    /// An agent [on a thread of its own](crate::agent::AgentBuilder::on_thread) reports that by [`Event::Failed`]
    /// instead.
    #[cfg(feature = "websocket")]
    pub fn send_message(&mut self, id: RequestId, message: WebSocketMessage) -> Result<(), Error> {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => {
                engine.send_message(id, &message)?;
                engine.tell_watcher();
                Ok(())
            }
            Backend::Threaded(thread) => thread.send_message(id, message),
        }
    }

    /// Starts the closing handshake of a WebSocket (RFC 6455 §7.1.2). [`Event::Done`] follows when it is closed. A
    /// WebSocket that is not open yet is closed as soon as it is; [`cancel`](Self::cancel) ends it at once.
    #[cfg(feature = "websocket")]
    pub fn close_web_socket(&mut self, id: RequestId, code: u16, reason: &str) {
        self.command(Command::CloseWebSocket(id, code, reason.to_owned()));
    }

    pub(super) fn command(&mut self, command: Command) {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => {
                engine.execute(command);
                engine.tell_watcher();
            }
            Backend::Threaded(thread) => thread.command(command),
        }
    }

    /// Forgets these requests. The command ends those that have not ended.
    fn cancellation(&mut self, mut ids: Vec<RequestId>) -> Option<Command> {
        ids.sort_unstable();
        #[cfg(any(feature = "outbox", feature = "patch"))]
        self.claims.forget(&ids);
        self.set_aside.retain(|event| !event.is_of(&ids));
        ids.retain(|id| self.unfinished.remove(id).is_some());
        (!ids.is_empty()).then_some(Command::Cancel(ids))
    }

    #[inline]
    pub(super) fn cancel_dropped(&mut self) {
        if !self.dropped.is_empty() {
            self.cancel_all_dropped();
        }
    }

    #[cold]
    fn cancel_all_dropped(&mut self) {
        let ids = self.dropped.take();
        let Some(command) = self.cancellation(ids) else {
            return;
        };
        match &mut self.backend {
            Backend::Inline(engine) => engine.execute(command),
            Backend::Threaded(thread) => thread.command(command),
        }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("requests_sent", &self.next_id)
            .finish_non_exhaustive()
    }
}
