//! How an agent is made: [`AgentBuilder`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::config::Config;
use super::engine::Engine;
use super::engine_thread::EngineThread;
use super::id::ById;
use super::pool::PoolLimits;
use super::prepared::{KnownUrls, invalid_url};
use super::settings::{AddressFamily, Override, address_filter};
use super::{Agent, Backend, CacheMode, Mailbox, Priority};
use crate::budget::Budget;
use crate::error::{Error, MalformedHsts};
use crate::group::PollGroup;
use crate::limits::Limits;
use crate::phase::Timeouts;
use crate::proto::FieldLines;
use crate::recording::Recorder;
use crate::semantics::access::AccessPolicy;
use crate::semantics::auth::Credentials;
use crate::semantics::base_url::parse_base;
use crate::semantics::circuit::CircuitPolicy;
use crate::semantics::netrc::Netrc;
use crate::semantics::proxy_rules::ProxySettings;
use crate::semantics::redirect::RedirectPolicy;
use crate::semantics::retry::RetryPolicy;
use crate::transport::memory::MemoryNetwork;
use crate::transport::poller::Poller;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::tls::TlsOptions;

/// Decides about an [`Agent`] one by one. Mistakes are reported where they are made.
#[must_use]
#[derive(Debug)]
pub struct AgentBuilder {
    config: Config,
    resolver: Resolver,
    group: Option<Poller>,
    budget: Budget,
    family: AddressFamily,
    on_thread: bool,
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
                rate_limit: None,
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
        }
    }

    /// What relative URLs are below of: `users` or `/users` with a base of `https://h/api` is
    /// `https://h/api/users`. Absolute URLs are taken as they are.
    ///
    /// # Errors
    /// [`Misuse::InvalidUrl`](crate::error::Misuse::InvalidUrl).
    pub fn base_url(mut self, url: &str) -> Result<Self, Error> {
        self.config.base_url = Some(parse_base(url).map_err(invalid_url)?);
        Ok(self)
    }

    /// A line to send with every request, unless the request has others of this name.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        self.config.fields.append(name, value)?;
        Ok(self)
    }

    /// The `User-Agent`, unless a request has one; empty for none. Default `httpoll/` and the
    /// version.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader).
    pub fn user_agent(mut self, name: &str) -> Result<Self, Error> {
        FieldLines::new().append("User-Agent", name)?;
        name.clone_into(&mut self.config.user_agent);
        Ok(self)
    }

    /// How connections are shared and kept.
    pub fn pool(mut self, limits: PoolLimits) -> Self {
        self.config.pool = limits;
        self
    }

    /// Caps on what a peer may send; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// What one poll may spend.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// At most so many bytes of content a second, each way, for all requests together.
    pub fn global_rate_limit(mut self, bytes_per_second: Option<u64>) -> Self {
        self.config.rate_limit = bytes_per_second;
        self
    }

    /// Lets the agent be polled with others: see [`PollGroup`]. A group on an in-memory network holds
    /// agents on that network. An agent [on a thread of its own](Self::on_thread) does not join.
    pub fn group(mut self, group: &PollGroup) -> Self {
        self.group = Some(group.poller().clone());
        self
    }

    /// Names are looked up by this resolver.
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Which of a name's addresses are used.
    pub fn address_family(mut self, family: AddressFamily) -> Self {
        self.family = family;
        self
    }

    /// Leaves origins alone that fail again and again, or that asked for it by `Retry-After`. Default
    /// off.
    pub fn circuit(mut self, policy: CircuitPolicy) -> Self {
        self.config.circuit = Some(policy);
        self
    }

    /// Remembers which hosts want `https` (RFC 6797), and goes to them by it. Default off; see
    /// [`load_hsts`](Self::load_hsts) for keeping it over runs.
    pub fn hsts(mut self) -> Self {
        self.config.hsts.get_or_insert_default();
        self
    }

    /// The same, beginning with what [`Agent::save_hsts`] once gave (curl's file format).
    ///
    /// # Errors
    /// [`MalformedHsts`] names the line.
    pub fn load_hsts(mut self, text: &str) -> Result<Self, MalformedHsts> {
        let store = self.config.hsts.get_or_insert_default();
        let mut store = store
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        store.load(text, SystemTime::now())?;
        drop(store);
        Ok(self)
    }

    /// Tells this recorder each exchange over the network, for a replay in a test; see
    /// [`Recording`](crate::recording::Recording).
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.config.recorder = Some(recorder);
        self
    }

    /// Keeps cookies in this jar, which the caller may look into at any time. Default: no cookies.
    #[cfg(feature = "cookies")]
    pub fn cookies(mut self, jar: Arc<Mutex<crate::semantics::cookies::CookieJar>>) -> Self {
        self.config.cookies = Some(jar);
        self
    }

    /// Keeps responses in this cache (RFC 9111), which the caller may save. Default: no cache.
    #[cfg(feature = "cache")]
    pub fn cache(mut self, cache: Arc<Mutex<crate::semantics::cache::HttpCache>>) -> Self {
        self.config.cache = Some(cache);
        self
    }

    /// Redirects: whether, how many, how.
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.with(Override::Redirects(policy))
    }

    /// Retries; [`RetryPolicy::standard`] is a good choice. By default none.
    pub fn retries(self, policy: RetryPolicy) -> Self {
        self.with(Override::Retries(policy))
    }

    /// How long each phase may take.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(Override::Timeouts(timeouts))
    }

    /// How long a whole request may take. Zero is no limit, and so is the default.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.with(Override::TotalTimeout(
            Some(limit).filter(|it| !it.is_zero()),
        ))
    }

    /// The priority of requests that have none of their own.
    pub fn priority(self, priority: Priority) -> Self {
        self.with(Override::Priority(priority))
    }

    /// The most content to hold in memory for one response. Default 64 MiB; 0 is no limit.
    pub fn max_body(self, bytes: u64) -> Self {
        self.with(Override::MaxBody(bytes))
    }

    /// How to speak TLS.
    pub fn tls(self, options: TlsOptions) -> Self {
        self.with(Override::Tls(options))
    }

    /// Which proxies to use. Default none, whatever the environment says: for that, give
    /// [`ProxySettings::from_environment`].
    pub fn proxies(self, proxies: ProxySettings) -> Self {
        self.with(Override::Proxies(proxies))
    }

    /// Credentials for every request, whatever its origin: for agents that speak to one server.
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.with(Override::Credentials(Some(credentials)))
    }

    /// Credentials by host, for requests that have none of their own: asked at each hop, so that a
    /// redirect to another host finds that host's.
    pub fn netrc(self, netrc: impl Into<Arc<Netrc>>) -> Self {
        self.with(Override::Netrc(netrc.into()))
    }

    /// How requests use the cache.
    pub fn cache_mode(self, mode: CacheMode) -> Self {
        self.with(Override::Cache(mode))
    }

    /// What requests may reach.
    pub fn access(self, policy: AccessPolicy) -> Self {
        self.with(Override::Access(Some(policy)))
    }

    /// Whether a status of 400 or above is an error. Default no.
    pub fn error_for_status(self, fail: bool) -> Self {
        self.with(Override::ErrorForStatus(fail))
    }

    /// Drives requests on a thread of their own, also between polls. What is told is still told in
    /// [`Agent::poll`]. Budgets do not apply there; content that is streamed is read ahead, 4 MiB of each
    /// request. Should that thread panic, because a reader of yours does, every request fails
    /// ([`RequestRefused::ThreadPanicked`](crate::error::RequestRefused::ThreadPanicked)). Default no.
    pub fn on_thread(mut self, on_thread: bool) -> Self {
        self.on_thread = on_thread;
        self
    }

    /// The agent. It opens nothing yet; only with [`on_thread`](Self::on_thread) a thread is started,
    /// and if the system refuses one the agent works without.
    pub fn build(self) -> Agent {
        let group = self.group.as_ref().filter(|_| !self.on_thread);
        let reactor = Reactor::on(group, self.resolver.clone());
        self.build_on(reactor)
    }

    /// The agent on an in-memory network with its virtual clock, for tests.
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
        let engine = Box::new(Engine::new(reactor, Arc::clone(&config)));
        let backend = if self.on_thread {
            match EngineThread::start(engine) {
                Ok(thread) => Backend::Threaded(thread),
                Err(engine) => Backend::Inline(engine),
            }
        } else {
            Backend::Inline(engine)
        };
        Agent {
            backend,
            mailbox: Arc::new(Mailbox::default()),
            config,
            budget: self.budget,
            next_id: 0,
            under_way: ById::default(),
            urls: KnownUrls::default(),
            passed: VecDeque::new(),
        }
    }

    fn with(mut self, setting: Override) -> Self {
        Arc::make_mut(&mut self.config.defaults).apply(setting);
        self
    }
}
