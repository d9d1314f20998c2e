//! Many requests, one polled object.
//!
//! [`Agent`] is what a game wants from HTTP: hand it a [`Request`], poll it once a frame, pull
//! [`Event`]s. Around one reactor and a pool of connections it follows redirects, keeps cookies,
//! retries, caches, writes downloads to disk, and shares the frame's budget among all of it.
//!
//! | file | holds |
//! |---|---|
//! | `request`, `settings`, `content`, `output`, `download` | what is asked for |
//! | `builder`, `prepared`, `request_head` | defaults applied; what goes on the wire |
//! | `event`, `response` | what is told |
//! | `transfer`, `answer` | one logical request over hops and retries; the response of its present hop |
//! | `pool`, `timers` | connections and who waits for them; what is due |
//! | `core` | the machine that moves all this |
//! | `polling` | the agent as a member of a group |
//! | `engine_thread` | the same machine on a thread of its own |
//! | `web_socket` | messages instead of a response |
//!
//! ```text
//!  send ─► Opening ─► Queued ─► Active ──────────────────────────► Done | Failed
//!          files       ▲  │      │ head: redirect, 401, retry, …
//!                      │  ▼      ▼
//!                      └─ Waiting (retry)        pause, suspend ─► Parked ─► Queued
//! ```

mod builder;
mod config;
mod content;
mod download;
mod engine;
mod engine_thread;
mod event;
mod id;
mod output;
mod polling;
mod pool;
mod prepared;
mod request;
mod request_head;
mod response;
mod settings;
mod timers;
mod transfer;
#[cfg(feature = "websocket")]
mod web_socket;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::budget::{Budget, Polled};
use crate::error::{Error, Misuse};
use crate::transport::memory::MemoryNetwork;

use self::engine::Engine;
use self::engine::command::Command;
pub use builder::AgentBuilder;
use config::Config;
pub use download::Download;
use engine_thread::EngineThread;
pub use event::{Event, Progress, RetryCause};
use id::ById;
pub use id::RequestId;
pub use pool::PoolLimits;
use prepared::{KnownUrls, Prepared};
pub use request::Request;
pub use response::{ConnectionInfo, Hop, Response, SavedFile, Timings, Transferred};
pub use settings::{AddressFamily, CacheMode, Priority};
#[cfg(feature = "websocket")]
pub use web_socket::WebSocketOptions;

/// Sends requests and tells how they fare. See the module's documentation.
///
/// Nothing happens without [`poll`](Self::poll) (or [`wait`](Self::wait)), and nothing waits in it.
///
/// ```
/// use httpoll::memory::MemoryNetwork;
/// use httpoll::{Agent, Event, Request};
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
/// let scores = agent.send(Request::get("http://game.example/scores"))?;
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
    backend: Backend,
    mailbox: Arc<Mailbox>,
    config: Arc<Config>,
    budget: Budget,
    next_id: u64,
    /// Requests whose end was not told yet.
    under_way: ById<()>,
    urls: KnownUrls,
    /// Events that a call which waited for one of them passed over.
    passed: VecDeque<Event>,
}

/// Where the machine runs.
enum Backend {
    /// In `poll`, on the caller's thread.
    Inline(Box<Engine>),
    /// On a thread of its own; `poll` hands over what it did.
    Threaded(EngineThread),
}

/// Requests whose handle was dropped, since the last call.
#[derive(Debug, Default)]
struct Mailbox(Mutex<Vec<RequestId>>);

impl Mailbox {
    fn take(&self) -> Vec<RequestId> {
        match self.0.lock() {
            Ok(mut dropped) => std::mem::take(&mut dropped),
            Err(poisoned) => std::mem::take(&mut poisoned.into_inner()),
        }
    }

    fn put(&self, id: RequestId) {
        match self.0.lock() {
            Ok(mut dropped) => dropped.push(id),
            Err(poisoned) => poisoned.into_inner().push(id),
        }
    }
}

/// Holds a request. Dropping it cancels the request at the agent's next call; for at once, or for
/// a request that nobody holds, there are [`Agent::cancel`] and [`detach`](Self::detach).
#[derive(Debug)]
#[must_use = "dropping a handle cancels its request; detach() lets it run on"]
pub struct RequestHandle {
    id: RequestId,
    mailbox: Option<Arc<Mailbox>>,
}

impl RequestHandle {
    /// Which request it is.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Lets the request run on without a handle.
    pub fn detach(mut self) -> RequestId {
        self.mailbox = None;
        self.id
    }
}

impl Drop for RequestHandle {
    fn drop(&mut self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.put(self.id);
        }
    }
}

impl Agent {
    /// An agent with the defaults. Opens nothing yet.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An agent on an in-memory network with its virtual clock, for tests. Files are written at once,
    /// inside of `poll`, so that a test is repeatable.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::builder().build_on_memory(network)
    }

    /// Everything that can be decided, starting at the defaults.
    pub fn builder() -> AgentBuilder {
        AgentBuilder::new()
    }

    /// Takes a request. It begins in the next poll, which has as much less time as this took.
    ///
    /// # Errors
    /// [`Misuse`](crate::error::Misuse), when the request is not one: a URL that is none, a header that cannot be sent,
    /// content given twice. Everything else that can fail is told by [`Event::Failed`].
    pub fn send(&mut self, request: Request) -> Result<RequestHandle, Error> {
        self.cancel_dropped();
        let id = RequestId(self.next_id + 1);
        match &mut self.backend {
            Backend::Inline(engine) => {
                let began = engine.now();
                let prepared = Prepared::of(request, &self.config, &mut self.urls)?;
                engine.submit(id, prepared, began);
                engine.note_submit_time(began);
            }
            Backend::Threaded(thread) => {
                let prepared = Prepared::of(request, &self.config, &mut self.urls)?;
                thread.command(Command::Submit(id, Box::new(prepared)));
            }
        }
        self.next_id += 1;
        self.under_way.insert(id, ());
        Ok(RequestHandle {
            id,
            mailbox: Some(Arc::clone(&self.mailbox)),
        })
    }

    /// Sends `GET` to this URL.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn get(&mut self, url: &str) -> Result<RequestHandle, Error> {
        self.send(Request::get(url))
    }

    /// Goes as far as sockets, files and the agent's [budget](Self::set_budget) allow. Call it once
    /// a frame, and pull the events behind it.
    pub fn poll(&mut self) -> Polled {
        let budget = self.budget.clone();
        self.poll_with(&budget)
    }

    /// The same with a budget for this frame.
    pub fn poll_with(&mut self, budget: &Budget) -> Polled {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.poll(budget),
            Backend::Threaded(thread) => thread.poll(self.under_way.keys()),
        }
    }

    /// Sleeps until something happened or `timeout` is over, without a budget. For tools and loading
    /// screens without frames.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Polled {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.wait(timeout, &Budget::unlimited()),
            Backend::Threaded(thread) => thread.wait(timeout, self.under_way.keys()),
        }
    }

    /// The next event, oldest first; `None` until the next poll. What is told of a request's progress
    /// is what is so now.
    ///
    /// Streamed content that was pulled makes room for more, which is read on with what the poll left of
    /// its budget.
    pub fn next_event(&mut self) -> Option<Event> {
        self.cancel_dropped();
        self.passed.pop_front().or_else(|| self.pull())
    }

    fn pull(&mut self) -> Option<Event> {
        let event = self.pull_any()?;
        if let (Some(id), true) = (event.id(), event.is_final()) {
            self.under_way.remove(&id);
        }
        Some(event)
    }

    fn pull_any(&mut self) -> Option<Event> {
        match &mut self.backend {
            Backend::Inline(engine) => {
                let event = engine.next_event()?;
                if let (Some(id), 1..) = (event.id(), event.unpulled()) {
                    engine.execute(Command::Pulled(id, event.unpulled()));
                }
                Some(event)
            }
            Backend::Threaded(thread) => thread.next_event(),
        }
    }

    /// Waits for one request, for tools, however long it takes (one that is paused: for ever), and answers
    /// with its response or its error. Events of other requests stay for [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// The request's own; [`Misuse::UnknownRequest`] when its end was told before, or it was cancelled.
    pub fn wait_for(&mut self, handle: RequestHandle) -> Result<Response, Error> {
        let id = handle.id;
        let mut handle = Some(handle);
        let mut passed = std::mem::take(&mut self.passed);
        loop {
            while let Some(event) = passed.pop_front().or_else(|| self.pull()) {
                if event.id() != Some(id) {
                    self.passed.push_back(event);
                    continue;
                }
                let result = match event {
                    Event::Done { response, .. } => Ok(*response),
                    Event::Failed { error, .. } => Err(error),
                    _ => continue,
                };
                handle.take().map(RequestHandle::detach);
                self.passed.append(&mut passed);
                return result;
            }
            if !self.under_way.contains_key(&id) {
                return Err(Misuse::UnknownRequest.into());
            }
            self.wait(None);
        }
    }

    /// Ends a request at once, whatever it is doing: its connection is closed, its file removed, and
    /// nothing more is told of it. A request that is over or unknown is none.
    pub fn cancel(&mut self, id: RequestId) {
        self.forget(id);
        self.command(Command::Cancel(id));
    }

    /// Holds a request: one that waits is not begun, one that runs takes no more content, so that
    /// the server waits. No deadline but the total one runs meanwhile.
    pub fn pause(&mut self, id: RequestId) {
        self.command(Command::Pause(id));
    }

    /// Lets a paused request go on. If its connection died meanwhile, it is asked for the rest
    /// (`Range` and `If-Range`, RFC 9110 §13.1.5), or for the whole when the server cannot.
    pub fn resume(&mut self, id: RequestId) {
        self.command(Command::Resume(id));
    }

    /// Changes whose turn comes first.
    pub fn set_priority(&mut self, id: RequestId, priority: Priority) {
        self.command(Command::SetPriority(id, priority));
    }

    /// Changes how many bytes of content a request may move in a second; `None` and 0 are no limit.
    pub fn set_rate_limit(&mut self, id: RequestId, bytes_per_second: Option<u64>) {
        self.command(Command::SetRateLimit(id, bytes_per_second));
    }

    /// Changes how many bytes of content all requests together may move in a second; `None` and 0 are
    /// no limit.
    pub fn set_global_rate_limit(&mut self, bytes_per_second: Option<u64>) {
        self.command(Command::SetGlobalRateLimit(bytes_per_second));
    }

    /// Closes down for a while, as when a console or phone takes the game off the screen: nothing new
    /// begins, what is under way may end until `deadline`, then all connections are closed and
    /// [`Event::Suspended`] is told. Keep polling until then. What was not over waits for
    /// [`resume_all`](Self::resume_all); what must not be sent twice, and open WebSockets, fail.
    pub fn suspend(&mut self, deadline: Duration) {
        self.command(Command::Suspend(deadline));
    }

    /// Goes on after [`suspend`](Self::suspend).
    pub fn resume_all(&mut self) {
        self.command(Command::ResumeAll);
    }

    /// Closes the connections that nobody uses.
    pub fn close_idle_connections(&mut self) {
        self.command(Command::CloseIdle);
    }

    /// Waits until files are closed, renamed or removed, at most for `timeout`, and answers whether
    /// they are. For the end of a program: what is abandoned there would lie about. Not for frames.
    pub fn finish_files(&mut self, timeout: Duration) -> bool {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.drain_files(timeout),
            Backend::Threaded(thread) => thread.finish_files(timeout),
        }
    }

    /// Whether requests are driven on a thread of their own: it was
    /// [asked for](AgentBuilder::on_thread), and the system gave one.
    pub fn is_on_thread(&self) -> bool {
        matches!(self.backend, Backend::Threaded(_))
    }

    /// What a [`poll`](Self::poll) may spend; the default is [`Budget::default`].
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// The budget of a [`poll`](Self::poll).
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Replaces the lines that are sent with every request unless it has others, and answers the
    /// agent itself (`set_headers` of the source documents).
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader); then nothing has changed.
    pub fn set_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<&mut Self, Error> {
        let mut fields = crate::proto::FieldLines::new();
        for (name, value) in headers {
            fields.append(name.as_ref(), value)?;
        }
        let mut config = Config::clone(&self.config);
        config.fields = fields;
        self.config = Arc::new(config);
        Ok(self)
    }

    /// The hosts that want `https`, for [`load_hsts`](AgentBuilder::load_hsts) of another run (curl's
    /// file format); `None` when they are not remembered.
    pub fn save_hsts(&self) -> Option<String> {
        let store = self.config.hsts.as_ref()?;
        let store = store
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Some(store.save(std::time::SystemTime::now()))
    }

    /// Sends a message over an open WebSocket.
    ///
    /// # Errors
    /// Full, closing or no WebSocket: nothing was sent. An agent
    /// [on a thread of its own](AgentBuilder::on_thread) cannot know that here: there the WebSocket
    /// fails.
    #[cfg(feature = "websocket")]
    pub fn send_message(
        &mut self,
        id: RequestId,
        message: crate::semantics::websocket::WebSocketMessage,
    ) -> Result<(), Error> {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.send_message(id, &message),
            Backend::Threaded(thread) => thread.send_message(id, message),
        }
    }

    /// Closes a WebSocket in good order (RFC 6455 §7); [`Event::Done`] tells when it is closed.
    #[cfg(feature = "websocket")]
    pub fn close_web_socket(&mut self, id: RequestId, code: u16, reason: &str) {
        self.command(Command::CloseWebSocket(id, code, reason.to_owned()));
    }

    fn command(&mut self, command: Command) {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.execute(command),
            Backend::Threaded(thread) => thread.command(command),
        }
    }

    fn forget(&mut self, id: RequestId) {
        self.under_way.remove(&id);
        self.passed.retain(|event| event.id() != Some(id));
    }

    fn cancel_dropped(&mut self) {
        for id in self.mailbox.take() {
            self.forget(id);
            match &mut self.backend {
                Backend::Inline(engine) => engine.execute(Command::Cancel(id)),
                Backend::Threaded(thread) => thread.command(Command::Cancel(id)),
            }
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("requests_sent", &self.next_id)
            .finish_non_exhaustive()
    }
}
