//! The options of one request: [`Request::with_options`], and a short form of each option. What an option
//! means is documented at [`RequestOptions`].

use std::sync::Arc;
use std::time::Duration;

use http::Version;

use super::Request;
use crate::agent::options::RequestOptions;
use crate::agent::settings::{CacheMode, CredentialsMode, Priority};
use crate::phase::Timeouts;
use crate::semantics::access::AccessPolicy;
use crate::semantics::auth::Credentials;
use crate::semantics::coding::CodingLimits;
use crate::semantics::netrc::Netrc;
use crate::semantics::proxy_rules::ProxySettings;
use crate::semantics::redirect::RedirectPolicy;
use crate::semantics::retry::RetryPolicy;
use crate::transport::tls::TlsOptions;

impl<S> Request<S> {
    /// Sets all of these options. They win over those that were set before.
    pub fn with_options(mut self, options: RequestOptions) -> Self {
        self.parts.options.extend(options);
        self
    }

    /// Changes the options.
    pub(super) fn set(mut self, change: impl FnOnce(RequestOptions) -> RequestOptions) -> Self {
        self.parts.options = change(self.parts.options);
        self
    }

    /// Sets the redirect policy; see [`RequestOptions::redirects`].
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.set(|options| options.redirects(policy))
    }

    /// Sets the retry policy; see [`RequestOptions::retries`].
    pub fn retries(self, policy: RetryPolicy) -> Self {
        self.set(|options| options.retries(policy))
    }

    /// Limits each phase; see [`RequestOptions::timeouts`].
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.set(|options| options.timeouts(timeouts))
    }

    /// Limits the whole request; see [`RequestOptions::total_timeout`].
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.set(|options| options.total_timeout(limit))
    }

    /// Limits the wait for a connection; see [`RequestOptions::queue_timeout`].
    pub fn queue_timeout(self, limit: Duration) -> Self {
        self.set(|options| options.queue_timeout(limit))
    }

    /// Counts the request as a stream; see [`RequestOptions::long_lived`].
    pub fn long_lived(self, long_lived: bool) -> Self {
        self.set(|options| options.long_lived(long_lived))
    }

    /// Sets the priority; see [`RequestOptions::priority`].
    pub fn priority(self, priority: Priority) -> Self {
        self.set(|options| options.priority(priority))
    }

    /// Limits the bandwidth; see [`RequestOptions::rate_limit`].
    pub fn rate_limit(self, bytes_per_second: Option<u64>) -> Self {
        self.set(|options| options.rate_limit(bytes_per_second))
    }

    /// Limits the size of the response; see [`RequestOptions::max_body`].
    pub fn max_body(self, bytes: u64) -> Self {
        self.set(|options| options.max_body(bytes))
    }

    /// Limits the size of a streamed piece; see [`RequestOptions::stream_chunk`].
    pub fn stream_chunk(self, bytes: usize) -> Self {
        self.set(|options| options.stream_chunk(bytes))
    }

    /// Sets the TLS options; see [`RequestOptions::tls`].
    pub fn tls(self, tls: TlsOptions) -> Self {
        self.set(|options| options.tls(tls))
    }

    /// Sets the proxies; see [`RequestOptions::proxies`].
    pub fn proxies(self, proxies: ProxySettings) -> Self {
        self.set(|options| options.proxies(proxies))
    }

    /// Uses a proxy tunnel for plain HTTP, too; see [`RequestOptions::proxy_tunnel`].
    pub fn proxy_tunnel(self, tunnel: bool) -> Self {
        self.set(|options| options.proxy_tunnel(tunnel))
    }

    /// Sets the credentials; see [`RequestOptions::credentials`].
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.set(|options| options.credentials(credentials))
    }

    /// Sends a bearer token (RFC 6750): [`credentials`](Self::credentials) of the kind [`Credentials::Bearer`].
    pub fn bearer(self, token: impl Into<String>) -> Self {
        self.credentials(Credentials::Bearer(token.into()))
    }

    /// Sends a name and a password (RFC 7617): [`credentials`](Self::credentials) of the kind
    /// [`Credentials::Basic`].
    pub fn basic(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials(Credentials::Basic {
            user: user.into(),
            password: password.into(),
        })
    }

    /// Sets credentials by host; see [`RequestOptions::netrc`].
    pub fn netrc(self, netrc: impl Into<Arc<Netrc>>) -> Self {
        self.set(|options| options.netrc(netrc))
    }

    /// Turns content codings on or off; see [`RequestOptions::decompress`].
    pub fn decompress(self, decompress: bool) -> Self {
        self.set(|options| options.decompress(decompress))
    }

    /// Limits how far content may grow when it is decoded; see [`RequestOptions::coding_limits`].
    pub fn coding_limits(self, limits: CodingLimits) -> Self {
        self.set(|options| options.coding_limits(limits))
    }

    /// Makes every unknown content coding an error; see [`RequestOptions::strict_coding`].
    pub fn strict_coding(self, strict: bool) -> Self {
        self.set(|options| options.strict_coding(strict))
    }

    /// Turns the cookie jar on or off; see [`RequestOptions::use_cookies`].
    pub fn use_cookies(self, cookies: bool) -> Self {
        self.set(|options| options.use_cookies(cookies))
    }

    /// Sets how the cache is used; see [`RequestOptions::cache_mode`].
    pub fn cache_mode(self, mode: CacheMode) -> Self {
        self.set(|options| options.cache_mode(mode))
    }

    /// Sets whether a browser sends its cookies; see [`RequestOptions::credentials_mode`].
    pub fn credentials_mode(self, mode: CredentialsMode) -> Self {
        self.set(|options| options.credentials_mode(mode))
    }

    /// Lets a browser finish the request when the page is left; see [`RequestOptions::keepalive`].
    pub fn keepalive(self, keepalive: bool) -> Self {
        self.set(|options| options.keepalive(keepalive))
    }

    /// Sets when `100 Continue` is awaited; see [`RequestOptions::expect_continue`].
    pub fn expect_continue(self, at_least: Option<u64>) -> Self {
        self.set(|options| options.expect_continue(at_least))
    }

    /// Reports every head; see [`RequestOptions::report_heads`].
    pub fn report_heads(self, report: bool) -> Self {
        self.set(|options| options.report_heads(report))
    }

    /// Turns a status of 400 or above into an error; see [`RequestOptions::error_for_status`].
    pub fn error_for_status(self, fail: bool) -> Self {
        self.set(|options| options.error_for_status(fail))
    }

    /// Restricts which hosts and addresses may be reached; see [`RequestOptions::access`].
    pub fn access(self, policy: AccessPolicy) -> Self {
        self.set(|options| options.access(policy))
    }

    /// Sets other origins to try; see [`RequestOptions::fail_over`].
    pub fn fail_over(self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.set(|options| options.fail_over(origins))
    }

    /// Sets the HTTP version; see [`RequestOptions::version`].
    pub fn version(self, version: Version) -> Self {
        self.set(|options| options.version(version))
    }

    /// Sets the request target; see [`RequestOptions::request_target`].
    pub fn request_target(self, target: impl Into<String>) -> Self {
        self.set(|options| options.request_target(target))
    }
}
