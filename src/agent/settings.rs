//! The settings of a request, as the engine reads them: the agent's defaults with the overrides that
//! [`RequestOptions`](super::RequestOptions) collected.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use http::Version;

use crate::connection::AddressFilter;
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::phase::Timeouts;
use crate::semantics::access::AccessPolicy;
use crate::semantics::auth::Credentials;
use crate::semantics::coding::CodingLimits;
use crate::semantics::netrc::Netrc;
use crate::semantics::proxy_rules::ProxySettings;
use crate::semantics::redirect::RedirectPolicy;
use crate::semantics::retry::RetryPolicy;
use crate::transport::tls::TlsOptions;

/// Which requests go first when connections or bandwidth are short, the most urgent first.
/// [`Agent::set_priority`](crate::Agent::set_priority) changes it while a request waits or runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// The player is waiting for the response.
    Gameplay,
    /// Content of menus and leaderboards. The default.
    #[default]
    Interface,
    /// Assets that are needed soon.
    Streaming,
    /// Work that can wait: telemetry, prefetching.
    Background,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [
        Self::Gameplay,
        Self::Interface,
        Self::Streaming,
        Self::Background,
    ];

    /// The place in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Gameplay => 0,
            Self::Interface => 1,
            Self::Streaming => 2,
            Self::Background => 3,
        }
    }
}

/// The limits on the bandwidth of all requests together, and of those of each priority, in bytes per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimits {
    all: Option<NonZeroU64>,
    classes: [Option<NonZeroU64>; Priority::ALL.len()],
}

impl RateLimits {
    /// Sets the limit of a priority, or of all. `None` and 0 mean no limit.
    pub(crate) fn set(&mut self, priority: Option<Priority>, bytes_per_second: Option<u64>) {
        let limit = match priority {
            Some(priority) => &mut self.classes[priority.index()],
            None => &mut self.all,
        };
        *limit = bytes_per_second.and_then(NonZeroU64::new);
    }

    pub(crate) fn all(&self) -> Option<NonZeroU64> {
        self.all
    }

    pub(crate) fn of(&self, priority: Priority) -> Option<NonZeroU64> {
        self.classes[priority.index()]
    }

    pub(crate) fn is_any(&self) -> bool {
        self.all.is_some() || self.classes.iter().any(Option::is_some)
    }
}

/// How a request uses the agent's cache (RFC 9111). The modes are those of the Fetch standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMode {
    /// A fresh response is taken from the cache; a stale one is validated. While the server allows it with
    /// `stale-while-revalidate` (RFC 5861 §3), a stale one is used at once and validated in the background; the fresh
    /// one then comes with `Event::CacheUpdated`. A request with content, or with `Cache-Control: max-age` of its
    /// own, is validated first.
    #[default]
    Default,
    /// The cache is not used, and the response is not stored. `Cache-Control: no-cache` and `Pragma: no-cache` are
    /// sent, so that no cache on the way answers either.
    NoStore,
    /// The response is always fetched, and stored. The same fields are sent as for `NoStore`.
    Reload,
    /// A stored response is always validated, even a fresh one. `Cache-Control: max-age=0` is sent, so that caches
    /// on the way validate theirs, too.
    NoCache,
    /// From the cache, however stale; from the server if the cache has none. A stale response with `no-cache`
    /// or `must-revalidate` is validated first, as HTTP demands (RFC 9111 §4.2.4).
    ForceCache,
    /// From the cache, however stale, otherwise
    /// [`RequestRefused::NotCached`](crate::error::RequestRefused::NotCached). That is also the result for a
    /// stale response with `no-cache` or `must-revalidate`, which HTTP forbids to use without validation
    /// (RFC 9111 §4.2.4).
    OnlyIfCached,
    /// As [`Default`](Self::Default), but if the server cannot be reached or responds with a 5xx status, the
    /// stored response is used, however stale (RFC 5861 §4). A response with `no-cache` or
    /// `must-revalidate` is not, which HTTP forbids (RFC 9111 §4.2.4).
    StaleIfError,
}

/// Whether a browser sends and stores the cookies and the other credentials that it keeps for a server. The modes
/// are those of the Fetch standard. Natively they do nothing: there an agent has a
/// [cookie jar](crate::agent::AgentBuilder::cookies).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsMode {
    /// To the origin of the page only. The default.
    #[default]
    SameOrigin,
    /// To every origin. The server must then send `Access-Control-Allow-Credentials: true` and name the origin of
    /// the page.
    Include,
    /// Never.
    Omit,
}

/// Which of the addresses of a host name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressFamily {
    /// IPv6 and IPv4, by Happy Eyeballs (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// The most content that is collected in memory unless the request says otherwise.
const COLLECTED_BYTES: u64 = 64 * 1024 * 1024;

/// All settings of one request; see [`RequestOptions`](super::RequestOptions) for their meaning.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) redirects: RedirectPolicy,
    pub(crate) retries: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) queue_timeout: Option<Duration>,
    pub(crate) long_lived: bool,
    pub(crate) priority: Priority,
    pub(crate) rate_limit: Option<u64>,
    pub(crate) max_body: Option<u64>,
    /// The most bytes in one event of a stream.
    pub(crate) stream_chunk: Option<usize>,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) proxies: Arc<ProxySettings>,
    pub(crate) proxy_tunnel: bool,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) netrc: Option<Arc<Netrc>>,
    pub(crate) decompress: bool,
    pub(crate) coding_limits: CodingLimits,
    pub(crate) strict_coding: bool,
    pub(crate) cookies: bool,
    pub(crate) cache: CacheMode,
    pub(crate) credentials_mode: Option<CredentialsMode>,
    pub(crate) keepalive: bool,
    pub(crate) expect_continue: Option<u64>,
    pub(crate) error_for_status: bool,
    pub(crate) report_heads: bool,
    pub(crate) access: Option<Arc<AccessPolicy>>,
    pub(crate) family: AddressFamily,
    /// The filter made from `access` and `family`. Only requests with the same filter share connections.
    pub(crate) addresses: AddressFilter,
    pub(crate) fail_over: Vec<String>,
    pub(crate) version: Version,
    pub(crate) request_target: Option<String>,
    /// Names of the caller's headers that must not be sent to another origin.
    pub(crate) secret_headers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            redirects: RedirectPolicy::default(),
            retries: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            total_timeout: None,
            queue_timeout: None,
            long_lived: false,
            priority: Priority::default(),
            rate_limit: None,
            max_body: None,
            stream_chunk: None,
            tls: None,
            proxies: Arc::default(),
            proxy_tunnel: false,
            credentials: None,
            netrc: None,
            decompress: true,
            coding_limits: CodingLimits::default(),
            strict_coding: false,
            cookies: true,
            cache: CacheMode::Default,
            credentials_mode: None,
            keepalive: false,
            expect_continue: Some(1024 * 1024),
            error_for_status: false,
            report_heads: false,
            access: None,
            family: AddressFamily::Any,
            addresses: AddressFilter::default(),
            fail_over: Vec::new(),
            version: Version::HTTP_11,
            request_target: None,
            secret_headers: Vec::new(),
        }
    }
}

/// One option that a caller set.
#[derive(Clone, Debug)]
pub(crate) enum Override {
    Redirects(RedirectPolicy),
    Retries(RetryPolicy),
    Timeouts(Timeouts),
    TotalTimeout(Option<Duration>),
    QueueTimeout(Option<Duration>),
    LongLived(bool),
    Priority(Priority),
    RateLimit(Option<u64>),
    MaxBody(u64),
    StreamChunk(usize),
    Tls(TlsOptions),
    Proxies(ProxySettings),
    ProxyTunnel(bool),
    Credentials(Option<Credentials>),
    Netrc(Arc<Netrc>),
    Decompress(bool),
    CodingLimits(CodingLimits),
    StrictCoding(bool),
    Cookies(bool),
    Cache(CacheMode),
    CredentialsMode(CredentialsMode),
    Keepalive(bool),
    ExpectContinue(Option<u64>),
    ErrorForStatus(bool),
    ReportHeads(bool),
    Access(Option<AccessPolicy>),
    FailOver(Vec<String>),
    Version(Version),
    RequestTarget(String),
    SecretHeader(String),
}

impl Settings {
    /// The most content to hold in memory; `None`: no limit.
    pub(crate) fn most_collected(&self) -> Option<u64> {
        match self.max_body {
            Some(0) => None,
            Some(most) => Some(most),
            None => Some(COLLECTED_BYTES),
        }
    }

    pub(crate) fn apply(&mut self, setting: Override) {
        match setting {
            Override::Redirects(policy) => self.redirects = policy,
            Override::Retries(policy) => self.retries = policy,
            Override::Timeouts(timeouts) => self.timeouts = timeouts,
            Override::TotalTimeout(limit) => self.total_timeout = limit,
            Override::QueueTimeout(limit) => self.queue_timeout = limit,
            Override::LongLived(long_lived) => self.long_lived = long_lived,
            Override::Priority(priority) => self.priority = priority,
            Override::RateLimit(rate) => self.rate_limit = rate,
            Override::MaxBody(bytes) => self.max_body = Some(bytes),
            Override::StreamChunk(bytes) => self.stream_chunk = Some(bytes).filter(|it| *it > 0),
            Override::Tls(options) => self.tls = Some(options),
            Override::Proxies(proxies) => self.proxies = Arc::new(proxies),
            Override::ProxyTunnel(tunnel) => self.proxy_tunnel = tunnel,
            Override::Credentials(credentials) => self.credentials = credentials,
            Override::Netrc(netrc) => self.netrc = Some(netrc),
            Override::Decompress(decompress) => self.decompress = decompress,
            Override::CodingLimits(limits) => self.coding_limits = limits,
            Override::StrictCoding(strict) => self.strict_coding = strict,
            Override::Cookies(cookies) => self.cookies = cookies,
            Override::Cache(mode) => self.cache = mode,
            Override::CredentialsMode(mode) => self.credentials_mode = Some(mode),
            Override::Keepalive(keepalive) => self.keepalive = keepalive,
            Override::ExpectContinue(at_least) => self.expect_continue = at_least,
            Override::ErrorForStatus(fail) => self.error_for_status = fail,
            Override::ReportHeads(report) => self.report_heads = report,
            Override::Access(policy) => {
                self.access = policy.map(Arc::new);
                self.addresses = address_filter(self.access.clone(), self.family);
            }
            Override::FailOver(origins) => self.fail_over = origins,
            Override::Version(version) => self.version = version,
            Override::SecretHeader(name) => self.secret_headers.push(name),
            Override::RequestTarget(target) => self.request_target = Some(target),
        }
    }
}

/// The addresses to which a request with this policy and family may connect.
pub(crate) fn address_filter(
    access: Option<Arc<AccessPolicy>>,
    family: AddressFamily,
) -> AddressFilter {
    if access.is_none() && family == AddressFamily::Any {
        return AddressFilter::default();
    }
    AddressFilter::new(move |address| {
        if let Some(access) = &access {
            access
                .check_address(address)
                .map_err(|refusal| Error::new(ErrorKind::Access(refusal)))?;
        }
        match (family, address) {
            (AddressFamily::Ipv4, IpAddr::V6(_)) | (AddressFamily::Ipv6, IpAddr::V4(_)) => {
                Err(ErrorKind::Network(NetworkFault::Unresolved).into())
            }
            _ => Ok(()),
        }
    })
}
