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
    /// The most bytes of one [`read_response_body_chunk`](Self::read_response_body_chunk). Default
    /// 65,536 (Godot's `read_chunk_size`). Unlike Godot's it does not set the speed.
    pub fn get_read_chunk_size(&self) -> usize {
        self.read_chunk_size
    }

    /// Sets it, from 256 bytes to 16 MiB.
    ///
    /// # Errors
    /// [`Misuse::ChunkSize`] outside these; the value is unchanged.
    pub fn set_read_chunk_size(&mut self, bytes: usize) -> Result<(), Error> {
        if !READ_CHUNK_SIZES.contains(&bytes) {
            return Err(Misuse::ChunkSize.into());
        }
        self.read_chunk_size = bytes;
        Ok(())
    }

    /// Whether calls wait (Godot's `blocking_mode_enabled`). Default false.
    pub fn is_blocking_mode_enabled(&self) -> bool {
        self.blocking_mode
    }

    /// Lets [`poll`](Self::poll) and [`read_response_body_chunk`](Self::read_response_body_chunk)
    /// wait in the operating system for the peer: for tools and threads, not for frames. Unlike
    /// Godot's it does not spin, and `poll` waits in every phase.
    pub fn set_blocking_mode(&mut self, enabled: bool) {
        self.blocking_mode = enabled;
    }

    /// What [`poll`](Self::poll) may spend.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sets what [`poll`](Self::poll) may spend. Default 1 ms, busy polling over content.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// The deadlines.
    pub fn timeouts(&self) -> &Timeouts {
        &self.connection.config.timeouts
    }

    /// Sets the deadlines, for phases that begin from now on.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.connection.config.timeouts = timeouts;
    }

    /// The caps on what a peer may send.
    pub fn limits(&self) -> &Limits {
        &self.connection.config.limits
    }

    /// Sets the caps, for connections made from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.connection.config.limits = limits;
    }

    /// Whether a request is sent again, once and silently, when the kept-alive connection that it was
    /// sent over had died meanwhile (RFC 9112 §9.3.1). Default true.
    ///
    /// It is done only if no byte of a response came, if the method is idempotent or nothing of the
    /// request was sent, and if the content is no reader. The status stays
    /// [`Status::Requesting`](crate::Status::Requesting) while the client connects anew. An injected
    /// stream cannot be connected anew.
    pub fn retries_stale_connections(&self) -> bool {
        self.connection.config.retry_stale
    }

    /// Sets it, for requests from now on.
    pub fn set_retry_stale_connections(&mut self, enabled: bool) {
        self.connection.config.retry_stale = enabled;
    }

    /// The `User-Agent` added to requests that have none. Default `httpoll/` and the version.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// Sets it; an empty text adds no header.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] for text that no header can hold.
    pub fn set_user_agent(&mut self, user_agent: &str) -> Result<(), Error> {
        FieldLines::new().append("User-Agent", user_agent)?;
        user_agent.clone_into(&mut self.user_agent);
        Ok(())
    }

    /// The proxy for plain HTTP (Godot's `set_http_proxy`), used from the next connect on: requests
    /// go to it in absolute-form. An empty host or port -1 unsets it.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`]; nothing has changed.
    pub fn set_http_proxy(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.proxies.set_http(host, port)
    }

    /// The proxy for HTTPS (Godot's `set_https_proxy`), used from the next connect on, by a
    /// `CONNECT` tunnel. An empty host or port -1 unsets it.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`]; nothing has changed.
    pub fn set_https_proxy(&mut self, host: &str, port: i32) -> Result<(), Error> {
        self.proxies.set_https(host, port)
    }

    /// The name and password for these two proxies, sent as Basic credentials (RFC 7617). `None`, the
    /// default, sends none.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`] for a name with a colon or for control characters.
    pub fn set_proxy_credentials(
        &mut self,
        credentials: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        self.proxies.set_credentials(credentials)
    }

    /// The SOCKS5 proxy (RFC 1928) for plain HTTP and HTTPS, used from the next connect on, where no
    /// proxy of their own is set. An empty host or port -1 unsets it. Godot has none.
    ///
    /// `credentials` are name and password (RFC 1929); they go to the proxy as they are, unencrypted.
    /// With `resolves_remotely` the proxy gets the host's name and resolves it (curl's `socks5h`), so
    /// that no lookup tells where this client goes. Otherwise the name is resolved on this side first
    /// (`socks5`), and the proxy gets the host's IPv4 address, or its IPv6 address if there is no
    /// other.
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
