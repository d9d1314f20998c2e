//! The properties of [`HttpClient`]: Godot's, and this library's own.

use super::HttpClient;
use crate::budget::Budget;
use crate::error::{Error, Misuse};
use crate::limits::Limits;
use crate::phase::Timeouts;
use crate::proto::FieldLines;

/// Godot's bounds for [`HttpClient::set_read_chunk_size`], in bytes.
const READ_CHUNK_SIZES: std::ops::RangeInclusive<usize> = 256..=16 * 1024 * 1024;

impl HttpClient {
    /// Returns the largest size in bytes of one
    /// [`read_response_body_chunk`](Self::read_response_body_chunk) (Godot's `read_chunk_size`). Default
    /// 65,536. Unlike in Godot, it does not limit the speed.
    pub fn get_read_chunk_size(&self) -> usize {
        self.read_chunk_size
    }

    /// Sets that size, from 256 bytes to 16 MiB (Godot's `read_chunk_size`).
    ///
    /// # Errors
    /// [`Misuse::ChunkSize`] outside this range; the value is unchanged.
    pub fn set_read_chunk_size(&mut self, bytes: usize) -> Result<(), Error> {
        if !READ_CHUNK_SIZES.contains(&bytes) {
            return Err(Misuse::ChunkSize.into());
        }
        self.read_chunk_size = bytes;
        Ok(())
    }

    /// Whether calls wait for the peer (Godot's `blocking_mode_enabled`). Default false.
    pub fn is_blocking_mode_enabled(&self) -> bool {
        self.blocking_mode
    }

    /// Lets [`poll`](Self::poll) and [`read_response_body_chunk`](Self::read_response_body_chunk) wait in
    /// the operating system for the peer (Godot's `blocking_mode_enabled`). It is meant for tools and
    /// threads, not for frames. Unlike Godot's, it does not spin, and `poll` waits in every phase.
    pub fn set_blocking_mode(&mut self, enabled: bool) {
        // A page that waits gets nothing.
        self.blocking_mode = enabled && !cfg!(target_family = "wasm");
    }

    /// Returns the budget of [`poll`](Self::poll). Godot has no counterpart.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sets the budget of [`poll`](Self::poll). Default 1 ms, with busy polling while content arrives.
    /// Godot has no counterpart.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Returns the deadlines. Godot has no counterpart, except a project setting for the TCP connect
    /// timeout.
    pub fn timeouts(&self) -> &Timeouts {
        &self.connection.config.timeouts
    }

    /// Sets the deadlines, for phases that begin from now on. Godot has no counterpart, except a project
    /// setting for the TCP connect timeout.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.connection.config.timeouts = timeouts;
    }

    /// Returns the limits on what a peer may send. Godot has no counterpart.
    pub fn limits(&self) -> &Limits {
        &self.connection.config.limits
    }

    /// Sets the limits, for connections that are made from now on. Godot has no counterpart.
    pub fn set_limits(&mut self, limits: Limits) {
        self.connection.config.limits = limits;
    }

    /// Whether a request is sent again, once and silently, when its kept-alive connection had died in the
    /// meantime (RFC 9112 §9.3.1). Default true. Godot has no counterpart.
    ///
    /// The client sends it again only if no byte of a response arrived, if nothing of the request was sent or
    /// sending it twice does no harm (its method is idempotent, or it has an `Idempotency-Key`), and if the
    /// content does not come from a reader, unless nothing was read from it.
    ///
    /// The client also reconnects before it sends anything when the server has announced to close the idle
    /// connection by now (`Keep-Alive: timeout`, with a margin of up to a second). Without such an
    /// announcement it does so after 5 min, and after 4 s for requests that could not be sent twice.
    ///
    /// The status stays [`Status::Requesting`](crate::Status::Requesting) while the client reconnects. It
    /// cannot reconnect a stream from [`set_connection`](Self::set_connection).
    pub fn retries_stale_connections(&self) -> bool {
        self.connection.config.retry_stale
    }

    /// Turns that on or off, for requests from now on. Godot has no counterpart.
    pub fn set_retry_stale_connections(&mut self, enabled: bool) {
        self.connection.config.retry_stale = enabled;
    }

    /// Returns the `User-Agent` for requests that have none. Default `httpoll/` and the version. Godot adds
    /// a fixed one.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// Sets the `User-Agent`; with an empty text, no header is added. Godot adds a fixed one.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] for text that cannot be a field value.
    pub fn set_user_agent(&mut self, user_agent: &str) -> Result<(), Error> {
        FieldLines::new().append("User-Agent", user_agent)?;
        user_agent.clone_into(&mut self.user_agent);
        Ok(())
    }

    /// Sets the proxy for plain HTTP, used from the next connection on (Godot's `set_http_proxy`). Requests
    /// are sent to it in absolute-form. An empty host or port -1 removes it.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`]; nothing has changed.
    pub fn set_http_proxy(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.proxies.set_http(host, port)
    }

    /// Sets the proxy for HTTPS, used from the next connection on, through a `CONNECT` tunnel (Godot's
    /// `set_https_proxy`). An empty host or port -1 removes it.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`]; nothing has changed.
    pub fn set_https_proxy(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.proxies.set_https(host, port)
    }

    /// Sets the name and password for these two proxies, sent as Basic credentials (RFC 7617). `None`, the
    /// default, sends none. Godot has no counterpart.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] for a name with a colon or for control characters.
    pub fn set_proxy_credentials(
        &mut self,
        credentials: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        self.proxies.set_credentials(credentials)
    }

    /// Sets the SOCKS5 proxy (RFC 1928) for plain HTTP and HTTPS, used from the next connection on if the
    /// scheme has no proxy of its own. An empty host or port -1 removes it. Godot has no counterpart.
    ///
    /// `credentials` are name and password (RFC 1929). They are sent to the proxy unencrypted. With
    /// `resolves_remotely` the proxy gets the host name and resolves it (curl's `socks5h`), so that no DNS
    /// query reveals the host. Otherwise the client resolves the name first (`socks5`), and the proxy gets
    /// the host's IPv4 address, or its IPv6 address if there is no other.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`], [`Misuse::InvalidCredentials`]; nothing has
    /// changed.
    pub fn set_socks_proxy(
        &mut self,
        host: &str,
        port: i32,
        credentials: Option<(&str, &str)>,
        resolves_remotely: bool,
    ) -> Result<(), Error> {
        self.proxies
            .set_socks(host, port, credentials, resolves_remotely)
    }
}
