//! [`Agent`]: its calls, carried out by an engine on this thread or on a thread of its own.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

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
use super::snapshot::AgentSnapshot;
use super::waiting_events::WaitingEvents;
use crate::budget::{Budget, Polled};
use crate::clock::system_time;
use crate::error::{Error, Misuse};
use crate::proto::FieldLines;
use crate::transport::poller::Poller;
use crate::transport::watcher::{Notify, Watcher};

/// Sends requests and reports what becomes of them.
///
/// It reads and writes only in [`poll`](Self::poll), [`wait`](Self::wait), [`wait_for`](Self::wait_for) and
/// [`next_event`](Self::next_event), unless it runs [on a thread of its own](crate::agent::AgentBuilder::on_thread).
/// `poll` never blocks: call it once a frame, then pull events until `next_event` returns `None`.
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
    pub(super) dropped: Arc<DroppedHandles>,
    next_id: u64,
    /// Requests whose last event was not delivered yet.
    pub(super) unfinished: ById<()>,
    urls: KnownUrls,
    /// Events of other requests, which [`wait_for`](Self::wait_for) set aside.
    pub(super) set_aside: WaitingEvents,
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
            set_aside: WaitingEvents::default(),
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
    /// [`Misuse`](crate::error::Misuse), if the request is invalid: an invalid URL or header, content given twice, or
    /// something that a page cannot do. [`ErrorKind::Auth`](crate::ErrorKind::Auth), if the URL holds credentials that
    /// cannot be sent, and `ErrorKind::Form`, if a part of a form has an invalid content type. All other failures are
    /// reported by [`Event::Failed`].
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
        let event = self.set_aside.pop().or_else(|| self.pull());
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
            while let Some(event) = earlier.pop().or_else(|| self.pull()) {
                if event.id() != Some(id) {
                    self.set_aside.push(event);
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
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("requests_sent", &self.next_id)
            .finish_non_exhaustive()
    }
}
