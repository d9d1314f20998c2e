//! How an agent is made: [`AgentBuilder`].

use std::fmt;
#[cfg(any(feature = "cache", feature = "cookies"))]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use super::agent::{Agent, Backend};
use super::config::Config;
use super::engine::Engine;
use super::engine_thread::EngineThread;
use super::options::RequestOptions;
use super::pool::PoolLimits;
use super::prepared::invalid_url;
use super::settings::{AddressFamily, Priority, RateLimits, address_filter};
use crate::budget::Budget;
use crate::clock::system_time;
use crate::error::{Error, MalformedHsts};
use crate::group::PollGroup;
use crate::limits::Limits;
use crate::proto::FieldLines;
use crate::recording::Recorder;
use crate::semantics::base_url::parse_base;
use crate::semantics::circuit::CircuitPolicy;
use crate::transport::memory::MemoryNetwork;
use crate::transport::poller::Poller;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::watcher::{Notify, Watcher};

/// Configures an [`Agent`]. What belongs to the agent as a whole (pool, budget, resolver, cookie jar, cache)
/// has a method here; what a single request may change is in [`defaults`](Self::defaults).
///
/// Invalid values are reported by the method that gets them.
#[must_use]
pub struct AgentBuilder {
    config: Config,
    resolver: Resolver,
    group: Option<Poller>,
    budget: Budget,
    family: AddressFamily,
    on_thread: bool,
    on_event: Option<Notify>,
}

impl AgentBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: Config {
                defaults: Arc::default(),
                fields: FieldLines::new(),
                base_url: None,
                user_agent: concat!("httpoll/", env!("CARGO_PKG_VERSION")).to_owned(),
                limits: Limits::default(),
                pool: PoolLimits::default(),
                rate_limits: RateLimits::default(),
                circuit: None,
                hsts: None,
                recorder: None,
                #[cfg(feature = "cookies")]
                cookies: None,
                #[cfg(feature = "cache")]
                cache: None,
            },
            resolver: Resolver::system(),
            group: None,
            budget: Budget::default(),
            family: AddressFamily::Any,
            on_thread: false,
            on_event: None,
        }
    }

    /// The URL to which relative URLs are appended: with a base of `https://h/api`, both `users` and `/users`
    /// become `https://h/api/users`. Absolute URLs stay as they are. Default: none; then relative URLs are
    /// invalid.
    ///
    /// # Errors
    /// [`Misuse::InvalidUrl`](crate::error::Misuse::InvalidUrl).
    pub fn base_url(mut self, url: &str) -> Result<Self, Error> {
        self.config.base_url = Some(parse_base(url).map_err(|fault| invalid_url(fault, url))?);
        Ok(self)
    }

    /// Adds a header that every request sends unless it has a header with the same name.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        self.config.fields.append(name, value)?;
        Ok(self)
    }

    /// The `User-Agent` of requests that do not set one (RFC 9110 §10.1.5). Default: `httpoll/` and the version.
    /// An empty name sends none.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader).
    pub fn user_agent(mut self, name: &str) -> Result<Self, Error> {
        FieldLines::new().append("User-Agent", name)?;
        name.clone_into(&mut self.config.user_agent);
        Ok(self)
    }

    /// How many connections are opened, and how long idle ones are kept. Default: [`PoolLimits::default`].
    pub fn pool(mut self, limits: PoolLimits) -> Self {
        self.config.pool = limits;
        self
    }

    /// Limits on what a server may send besides content, such as the size of heads. Default:
    /// [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// The budget of each [`poll`](Agent::poll). Default: [`Budget::default`].
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The most bytes of content per second for all requests together, counted separately for sending and
    /// receiving. `None` and 0 mean no limit, which is the default.
    pub fn global_rate_limit(mut self, bytes_per_second: Option<u64>) -> Self {
        self.config.rate_limits.set(None, bytes_per_second);
        self
    }

    /// The most bytes of content per second for all requests of one priority together, counted separately for
    /// sending and receiving, beside the [limit of all](Self::global_rate_limit). `None` and 0 mean no limit,
    /// which is the default. What a priority may not use is left to the others.
    pub fn priority_rate_limit(
        mut self,
        priority: Priority,
        bytes_per_second: Option<u64>,
    ) -> Self {
        self.config
            .rate_limits
            .set(Some(priority), bytes_per_second);
        self
    }

    /// Lets the agent be polled with others: see [`PollGroup`]. A group on an in-memory network holds
    /// agents on that network. An agent [on a thread of its own](Self::on_thread) does not join.
    pub fn group(mut self, group: &PollGroup) -> Self {
        self.group = Some(group.poller().clone());
        self
    }

    /// The resolver for host names. Default: [`Resolver::system`].
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Which of the addresses of a host name are used. Default: [`AddressFamily::Any`].
    pub fn address_family(mut self, family: AddressFamily) -> Self {
        self.family = family;
        self
    }

    /// Stops sending requests to an origin for a while after repeated failures, or when it asks for that with
    /// `Retry-After`. Default: off.
    pub fn circuit(mut self, policy: CircuitPolicy) -> Self {
        self.config.circuit = Some(policy);
        self
    }

    /// Remembers which hosts require `https` (RFC 6797) and uses it for them. Default: off.
    /// [`Agent::save_hsts`] and [`load_hsts`](Self::load_hsts) keep the list over several runs.
    pub fn hsts(mut self) -> Self {
        self.config.hsts.get_or_insert_default();
        self
    }

    /// [`hsts`](Self::hsts), starting with the list that [`Agent::save_hsts`] returned in an earlier run.
    ///
    /// # Errors
    /// [`MalformedHsts`] has the number of the line that is invalid.
    pub fn load_hsts(mut self, text: &str) -> Result<Self, MalformedHsts> {
        let store = self.config.hsts.get_or_insert_default();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.load(text, system_time())?;
        drop(store);
        Ok(self)
    }

    /// Records each exchange over the network, for replay in a test; see
    /// [`Recording`](crate::recording::Recording).
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.config.recorder = Some(recorder);
        self
    }

    /// Stores cookies in this jar and sends them from it (RFC 6265). The caller may lock it at any time, but
    /// only briefly: polls wait for the lock. Default: no cookies.
    #[cfg(feature = "cookies")]
    pub fn cookies(mut self, jar: Arc<Mutex<crate::semantics::cookies::CookieJar>>) -> Self {
        self.config.cookies = Some(jar);
        self
    }

    /// Stores responses in this cache and uses them (RFC 9111); [`RequestOptions::cache_mode`] says how. The
    /// caller may lock it at any time, but only briefly: polls wait for the lock. Default: no cache.
    #[cfg(feature = "cache")]
    pub fn cache(mut self, cache: Arc<Mutex<crate::semantics::cache::HttpCache>>) -> Self {
        self.config.cache = Some(cache);
        self
    }

    /// Sets the options of every request that does not set them itself: timeouts, retries, redirects, TLS,
    /// proxies, credentials and others. Options of earlier calls stay unless they are set again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use httpoll::agent::RequestOptions;
    /// use httpoll::{Agent, RetryPolicy};
    ///
    /// let agent = Agent::builder()
    ///     .defaults(
    ///         RequestOptions::new()
    ///             .retries(RetryPolicy::standard())
    ///             .total_timeout(Duration::from_secs(30)),
    ///     )
    ///     .build();
    /// # let _ = agent;
    /// ```
    pub fn defaults(mut self, options: RequestOptions) -> Self {
        options.apply_to(&mut self.config.defaults);
        self
    }

    /// Runs the agent on a thread of its own, so that requests make progress between polls. Events are still
    /// delivered by [`Agent::next_event`]. Budgets do not apply to the thread.
    ///
    /// It reads streamed content ahead: at first up to 4 MiB of each request. The limit doubles while more
    /// arrives between two frames and the game then pulls it at once, up to 19 MiB, which is also the limit of
    /// all requests together. It shrinks again when less arrives. A caller that pulls slowly does not make it
    /// grow. Downloads to files need no such memory.
    ///
    /// If the thread panics, for example in a reader that you gave as content,
    /// every request fails with [`RequestRefused::ThreadPanicked`](crate::error::RequestRefused::ThreadPanicked).
    /// Default: no.
    pub fn on_thread(mut self, on_thread: bool) -> Self {
        self.on_thread = on_thread;
        self
    }

    /// Sets a function that is called when a [poll](Agent::poll) is worthwhile, so that a program that draws only
    /// when something changes can sleep until then. Default: none.
    ///
    /// An agent [on a thread of its own](Self::on_thread) calls it on that thread when there are new events.
    ///
    /// For any other agent, `build` starts a thread that sleeps while nobody polls. It calls the function when a
    /// socket became ready, a name was looked up, a file was written, a deadline or a retry is due, the last poll
    /// left work undone, or a call such as [`send`](Agent::send) added some. It never reads or writes, so the poll
    /// that follows does the work, within its budget. After a call, the thread waits until a poll has ended. Time
    /// in which it sleeps counts fully towards deadlines, because nobody had to poll; after a call, a second of
    /// delay counts, as [between polls](crate::budget::PollAt). In a [group](Self::group) it sleeps for all members:
    /// poll the group when the function was called. [`Agent::wait`] may still be used. On an in-memory network,
    /// the function is never called.
    ///
    /// Pull events until [`next_event`](Agent::next_event) returns `None`: events that wait to be pulled cause
    /// no call. The function may be called when there is nothing to do, and once for several things. It must return
    /// quickly and must not panic; after a panic it is not called again. It cannot use the agent; let it wake
    /// up the thread that does: send to a channel, unpark a thread, send an event to winit's event loop.
    ///
    /// If the system refuses the thread, the agent works without: [`Agent::calls_on_event`] tells.
    ///
    /// ```no_run
    /// use std::sync::mpsc;
    ///
    /// use httpoll::Agent;
    ///
    /// let (wake, woken) = mpsc::channel();
    /// let mut agent = Agent::builder()
    ///     .on_thread(true)
    ///     .on_event(move || {
    ///         let _ = wake.send(());
    ///     })
    ///     .build();
    /// agent.get("https://game.example/news").send()?.detach();
    /// while woken.recv().is_ok() {
    ///     agent.poll();
    ///     while let Some(event) = agent.next_event() {
    ///         println!("{event:?}");
    ///     }
    /// }
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    pub fn on_event(mut self, notify: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(notify));
        self
    }

    /// Builds the agent. It opens nothing before the first request. With [`on_thread`](Self::on_thread) it starts
    /// a thread; if the system refuses one, the agent works without.
    pub fn build(self) -> Agent {
        let home = match (&self.group, &self.on_event) {
            (Some(group), _) => group.clone(),
            // A watcher needs a poller that others can use while it sleeps.
            (None, Some(_)) => Poller::group(),
            (None, None) => Poller::alone(),
        };
        let notify = self.on_event.clone();
        let poller = if self.on_thread {
            Poller::alone()
        } else {
            home.clone()
        };
        let reactor = Reactor::new(&poller, self.resolver.clone());
        let mut agent = self.build_on(reactor);
        agent.home = Some((home, notify));
        agent
    }

    /// Builds the agent on an in-memory network with a virtual clock, for tests. It never has a thread of its
    /// own.
    pub fn build_on_memory(mut self, network: &MemoryNetwork) -> Agent {
        self.on_thread = false;
        let reactor = Reactor::on_memory(self.group.as_ref(), network);
        self.build_on(reactor)
    }

    fn build_on(mut self, reactor: Reactor) -> Agent {
        let access = self.config.defaults.access.clone();
        let defaults = Arc::make_mut(&mut self.config.defaults);
        defaults.family = self.family;
        defaults.addresses = address_filter(access, self.family);
        let config = Arc::new(self.config);
        let poller = reactor.poller().clone();
        let engine = Box::new(Engine::new(reactor, Arc::clone(&config)));
        let mut watcher = None;
        let backend = if self.on_thread {
            match EngineThread::start(engine, self.on_event) {
                Ok(thread) => Backend::Threaded(thread),
                Err(engine) => Backend::Inline(engine),
            }
        } else {
            let notify = self.on_event;
            watcher = notify.and_then(|notify| Watcher::start(&poller, notify));
            Backend::Inline(engine)
        };
        let mut agent = Agent::from_parts(backend, config, self.budget);
        agent.watcher = watcher;
        agent
    }
}

impl Agent {
    /// An agent with the default options. It opens nothing before the first request.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An agent on an in-memory network with a virtual clock, for tests. Files are written inside `poll`, so
    /// that a test is repeatable.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::builder().build_on_memory(network)
    }

    /// Whether the function of [`on_event`](crate::agent::AgentBuilder::on_event) is called. It is not if there is
    /// none, on an in-memory network, or if the system refused what that needs.
    pub fn calls_on_event(&self) -> bool {
        match &self.backend {
            Backend::Inline(_) => self.watcher.is_some(),
            Backend::Threaded(thread) => thread.calls_on_event(),
        }
    }

    /// A builder with the default options.
    pub fn builder() -> AgentBuilder {
        AgentBuilder::new()
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("config", &self.config)
            .field("on_thread", &self.on_thread)
            .finish_non_exhaustive()
    }
}
