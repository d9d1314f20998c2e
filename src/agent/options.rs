//! [`RequestOptions`]: everything that can be decided about how a request is carried out. The same type
//! serves an agent's [defaults](crate::agent::AgentBuilder::defaults) and a single request.
//!
//! What is sent (URL, headers, content) and where the response goes are in `request`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Version;

use super::settings::{CacheMode, CredentialsMode, Override, Priority, Settings};
use crate::phase::Timeouts;
use crate::semantics::access::AccessPolicy;
use crate::semantics::auth::Credentials;
use crate::semantics::coding::CodingLimits;
use crate::semantics::netrc::Netrc;
use crate::semantics::proxy_rules::ProxySettings;
use crate::semantics::redirect::RedirectPolicy;
use crate::semantics::retry::RetryPolicy;
use crate::transport::tls::TlsOptions;

/// How requests are carried out: limits in time and size, redirects, retries, priority, credentials,
/// connections, caching.
///
/// Give them to [`AgentBuilder::defaults`](crate::agent::AgentBuilder::defaults) for every request of an agent, or to
/// [`Request::with_options`](crate::Request::with_options) for one request. An option that is not set keeps
/// its value: the agent's default for a request, the default stated below for an agent. An option that is set
/// twice has the later value.
///
/// ```
/// use std::time::Duration;
///
/// use httpoll::agent::RequestOptions;
/// use httpoll::{Agent, Priority, Request, RetryPolicy};
///
/// let patient = RequestOptions::new()
///     .retries(RetryPolicy::standard())
///     .total_timeout(Duration::from_secs(60));
/// let agent = Agent::builder().defaults(patient.clone()).build();
///
/// let telemetry = patient.priority(Priority::Background);
/// let request = Request::post("https://game.example/events").with_options(telemetry);
/// # let _ = (agent, request);
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until a request or an agent gets them"]
pub struct RequestOptions {
    overrides: Vec<Override>,
}

impl RequestOptions {
    /// No option set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether redirects are followed, how many, and with what (RFC 9110 §15.4). Default:
    /// [`RedirectPolicy::default`].
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.with(Override::Redirects(policy))
    }

    /// Which failures and statuses are tried again, how often, and after how long. Default: none;
    /// [`RetryPolicy::standard`] suits most games.
    pub fn retries(self, policy: RetryPolicy) -> Self {
        self.with(Override::Retries(policy))
    }

    /// How long each phase of an attempt may take. Default: [`Timeouts::default`].
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(Override::Timeouts(timeouts))
    }

    /// How long the whole request may take, from [`Agent::send`](crate::Agent::send) to the last byte, with
    /// all redirects and retries. Zero means no limit, which is the default.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.with(Override::TotalTimeout(
            Some(limit).filter(|it| !it.is_zero()),
        ))
    }

    /// How long the request may wait for a free connection, and a WebSocket for the handshakes of others to its host
    /// and port (RFC 6455 §4.1). Zero means no limit, which is the default.
    pub fn queue_timeout(self, limit: Duration) -> Self {
        self.with(Override::QueueTimeout(
            Some(limit).filter(|it| !it.is_zero()),
        ))
    }

    /// Whether the response is not expected to end soon: a long poll, or a stream of records. Its connection counts
    /// against the limits of streams, [`PoolLimits::streams_per_host`](crate::agent::PoolLimits::streams_per_host)
    /// and [`PoolLimits::streams`](crate::agent::PoolLimits::streams), so that other requests to the host do not
    /// wait for it. Default: no, but event streams and WebSockets always are.
    pub fn long_lived(self, long_lived: bool) -> Self {
        self.with(Override::LongLived(long_lived))
    }

    /// Which request goes first when connections or bandwidth are short. Default:
    /// [`Priority::Interface`]. [`Agent::set_priority`](crate::Agent::set_priority) changes it later.
    pub fn priority(self, priority: Priority) -> Self {
        self.with(Override::Priority(priority))
    }

    /// The most bytes of content per second for this request, counted separately for sending and
    /// receiving. `None` and 0 mean no limit besides the agent's, which is the default.
    pub fn rate_limit(self, bytes_per_second: Option<u64>) -> Self {
        self.with(Override::RateLimit(bytes_per_second))
    }

    /// The most bytes of response content to accept, after content codings are undone. More fails with
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit). Default: 64 MiB for content that is collected
    /// in memory, no limit for streams; a download has [its own limit](crate::Download::max_size). 0 means
    /// no limit. While content is collected it takes at most twice its length, in chunks of any size.
    pub fn max_body(self, bytes: u64) -> Self {
        self.with(Override::MaxBody(bytes))
    }

    /// The most bytes of content in one [`Event::Chunk`](crate::Event::Chunk); longer pieces are split.
    /// 0 means that pieces are delivered as they arrive, which is the default.
    pub fn stream_chunk(self, bytes: usize) -> Self {
        self.with(Override::StreamChunk(bytes))
    }

    /// The TLS options: roots, client certificate, versions. Default: Mozilla's roots, no client
    /// certificate. Requests with different options do not share connections.
    pub fn tls(self, options: TlsOptions) -> Self {
        self.with(Override::Tls(options))
    }

    /// Which proxies to use. Default: none, whatever the environment says;
    /// [`ProxySettings::from_environment`] reads it.
    pub fn proxies(self, proxies: ProxySettings) -> Self {
        self.with(Override::Proxies(proxies))
    }

    /// Whether plain HTTP, too, goes through a `CONNECT` tunnel of an HTTP proxy (RFC 9110 §9.3.6; curl's
    /// `--proxytunnel`). Default: no, the proxy forwards it.
    pub fn proxy_tunnel(self, tunnel: bool) -> Self {
        self.with(Override::ProxyTunnel(tunnel))
    }

    /// The credentials for the origin of the request's URL (RFC 9110 §11). They are not sent to another
    /// origin after a redirect. Default: those in the URL. As an agent's default they go to the origin of
    /// every request: only for agents that talk to one server.
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.with(Override::Credentials(Some(credentials)))
    }

    /// Credentials by host, for requests without credentials of their own. They are looked up at each hop:
    /// a redirect to another host uses the credentials of that host. Default: none.
    pub fn netrc(self, netrc: impl Into<Arc<Netrc>>) -> Self {
        self.with(Override::Netrc(netrc.into()))
    }

    /// Whether content codings are asked for and undone (RFC 9110 §8.4). Default: yes, for the codings
    /// whose features (`gzip`, `brotli`, `zstd`) are enabled.
    pub fn decompress(self, decompress: bool) -> Self {
        self.with(Override::Decompress(decompress))
    }

    /// How far content may grow when content codings are undone. Default: [`CodingLimits::default`].
    pub fn coding_limits(self, limits: CodingLimits) -> Self {
        self.with(Override::CodingLimits(limits))
    }

    /// Whether every `Content-Encoding` that cannot be undone fails the request with
    /// [`ErrorKind::Coding`](crate::ErrorKind::Coding). Default: no. Then `utf-8`, `utf8` and `none`, which
    /// servers send by mistake, are ignored, and the content of a response with a status of 400 or above is
    /// delivered in its coding. An unknown coding of another response is an error either way.
    pub fn strict_coding(self, strict: bool) -> Self {
        self.with(Override::StrictCoding(strict))
    }

    /// Whether cookies are sent from the [agent's jar](crate::agent::AgentBuilder::cookies) and stored in it
    /// (RFC 6265). Default: yes, if the agent has a jar.
    pub fn use_cookies(self, cookies: bool) -> Self {
        self.with(Override::Cookies(cookies))
    }

    /// How the [agent's cache](crate::agent::AgentBuilder::cache) is used (RFC 9111). Default:
    /// [`CacheMode::Default`]. No effect on an agent without a cache.
    pub fn cache_mode(self, mode: CacheMode) -> Self {
        self.with(Override::Cache(mode))
    }

    /// In a browser: whether it sends and stores the cookies that it keeps for the server. Default:
    /// [`CredentialsMode::SameOrigin`]. Natively it does nothing.
    pub fn credentials_mode(self, mode: CredentialsMode) -> Self {
        self.with(Override::CredentialsMode(mode))
    }

    /// In a browser: whether the request goes on when the page is left, for a last report. Then its content may
    /// have at most 64 KiB. Default: no. Natively it does nothing.
    pub fn keepalive(self, keepalive: bool) -> Self {
        self.with(Override::Keepalive(keepalive))
    }

    /// From how many bytes on content is held back until the server sends `100 Continue`, at most for
    /// [`Timeouts::continue_wait`] (RFC 9110 §10.1.1). `None`: never. Default: 1 MiB, and always for forms
    /// with files.
    pub fn expect_continue(self, at_least: Option<u64>) -> Self {
        self.with(Override::ExpectContinue(at_least))
    }

    /// Whether every head that is sent or received, of every hop, is reported by
    /// [`Event::HeadSent`](crate::Event::HeadSent) and
    /// [`Event::HeadReceived`](crate::Event::HeadReceived). Default: no.
    pub fn report_heads(self, report: bool) -> Self {
        self.with(Override::ReportHeads(report))
    }

    /// Whether a final status of 400 or above fails the request with
    /// [`ErrorKind::Status`](crate::ErrorKind::Status). Default: no.
    pub fn error_for_status(self, fail: bool) -> Self {
        self.with(Override::ErrorForStatus(fail))
    }

    /// Which hosts and addresses may be reached, for URLs that come from outside the game. It is checked
    /// again after each redirect and each name lookup. Default: all.
    pub fn access(self, policy: AccessPolicy) -> Self {
        self.with(Override::Access(Some(policy)))
    }

    /// Origins that serve the same content, such as `https://b.example`, to try in turn when one fails. The
    /// URL's own origin is tried first until another one has worked. Credentials and cookies of the request
    /// are sent to all of them. Default: none.
    ///
    /// An invalid origin is reported by [`Agent::send`](crate::Agent::send).
    pub fn fail_over(self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(Override::FailOver(
            origins.into_iter().map(Into::into).collect(),
        ))
    }

    /// The version in the request line: `HTTP/1.0` or `HTTP/1.1`, the default.
    pub fn version(self, version: Version) -> Self {
        self.with(Override::Version(version))
    }

    /// The request target to send instead of the path and query of the URL, as given: dot segments stay,
    /// nothing is encoded (RFC 9112 §3.2). A forwarding proxy gets the origin before a path. A redirect uses
    /// the target of its own URL. Default: from the URL.
    pub fn request_target(self, target: impl Into<String>) -> Self {
        self.with(Override::RequestTarget(target.into()))
    }

    /// See [`Request::secret_header`](crate::Request::secret_header).
    pub(super) fn secret_header(self, name: String) -> Self {
        self.with(Override::SecretHeader(name))
    }

    /// Adds what `others` sets; it wins over what was set before.
    pub(super) fn extend(&mut self, others: Self) {
        self.overrides.extend(others.overrides);
    }

    /// The settings with these options; copied only if there is an option.
    pub(super) fn apply_to(self, settings: &mut Arc<Settings>) {
        for setting in self.overrides {
            Arc::make_mut(settings).apply(setting);
        }
    }

    /// Names of headers that must not be sent to another origin, nor shown.
    pub(super) fn secret_headers(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().filter_map(|setting| match setting {
            Override::SecretHeader(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn with(mut self, setting: Override) -> Self {
        self.overrides.push(setting);
        self
    }
}

impl fmt::Debug for RequestOptions {
    /// The number of options: their values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestOptions")
            .field("set", &self.overrides.len())
            .finish_non_exhaustive()
    }
}
