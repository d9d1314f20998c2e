//! The node: Godot's `HTTPClient`, name by name, on one connection and one reactor.
//!
//! [`HttpClient`] contains no protocol code and no socket code. It maps Godot's methods, properties and
//! rules to `connection`, grants the budget, and waits where the caller asked for that. Where it differs
//! from Godot on purpose, the documentation of the method says so.
//!
//! | file | holds |
//! |---|---|
//! | `polling` | polling, waiting, reading content |
//! | `response` | the getters for the response |
//! | `settings` | the properties |
//! | `method` | Godot's `Method` |
//! | `response_code` | Godot's response codes |
//! | `godot_error` | Godot's `Error` codes, and the lossy map to them |
//! | `query` | `query_string_from_dict` |
//! | `request_head` | the request head that Godot would send |
//! | `request_url` | an absolute URL, split into host, port and target |
//! | `proxies` | which proxy a connection goes through |

mod godot_error;
mod method;
mod polling;
mod proxies;
mod query;
mod request_head;
mod request_url;
mod response;
pub mod response_code;
mod settings;

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::budget::Budget;
use crate::clock::Instant;
use crate::connection::{Config, Connection, Route, Target, parse_host};
use crate::error::{Error, Misuse};
use crate::group::PollGroup;
use crate::transport::link::TlsChoice;
use crate::transport::memory::MemoryNetwork;
use crate::transport::meter::{BudgetMeter, RemainingBudget};
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::socket::NonblockingStream;
use crate::transport::tls::{TlsInfo, TlsOptions};

pub use crate::connection::{RequestBody, Status, Transition};
pub use godot_error::GodotError;
pub use method::Method;
use proxies::Proxies;
pub use query::query_string_from_dict;
pub use request_head::verify_headers;
pub use request_url::RequestUrl;

/// Godot's default for [`HttpClient::set_read_chunk_size`], in bytes.
const READ_CHUNK_SIZE: usize = 64 * 1024;

/// A polled HTTP/1.1 client: one connection, one request at a time, driven by [`poll`](Self::poll).
///
/// It corresponds to Godot 4's `HTTPClient`: connect, poll until [`Status::Connected`], send a request,
/// poll until the response head has arrived, read the content in chunks. One client serves many requests on
/// one connection, and can connect to any number of hosts one after another.
///
/// All work happens in `poll` and in reads of content. `poll` never waits: it processes what the sockets
/// have, within its [`Budget`]. Creating a client opens nothing; dropping it closes everything at once.
///
/// ```no_run
/// # fn next_frame() {}
/// use httpoll::{HttpClient, Method, Status};
///
/// let mut http = HttpClient::new();
/// http.connect_to_host("https://example.com", -1, None)?;
/// while matches!(http.get_status(), Status::Resolving | Status::Connecting) {
///     http.poll()?;
///     next_frame();
/// }
/// http.request(Method::Get, "/leaderboard.json", &["Accept: application/json"], "")?;
/// let mut body = Vec::new();
/// while matches!(http.get_status(), Status::Requesting | Status::Body) {
///     http.poll()?;
///     while http.get_status() == Status::Body {
///         let chunk = http.read_response_body_chunk()?;
///         if chunk.is_empty() {
///             break; // nothing more for this frame
///         }
///         body.extend_from_slice(&chunk);
///     }
///     next_frame();
/// }
/// println!("{} and {} bytes", http.get_response_code(), body.len());
/// # Ok::<(), httpoll::Error>(())
/// ```
pub struct HttpClient {
    reactor: Reactor,
    connection: Connection,
    proxies: Proxies,
    user_agent: String,
    budget: Budget,
    /// When the latest request was made, and when its response ended.
    asked_at: Option<Instant>,
    ended_at: Option<Instant>,
    read_chunk_size: usize,
    blocking_mode: bool,
}

impl HttpClient {
    /// A client with Godot's defaults, and the default limits, deadlines and budget (Godot's
    /// `HTTPClient.new`). It opens nothing yet.
    pub fn new() -> Self {
        Self::with_resolver(Resolver::system())
    }

    /// A client that uses this [`Resolver`], which it may share with other clients. Godot has no counterpart.
    pub fn with_resolver(resolver: Resolver) -> Self {
        Self::on(Reactor::system(resolver))
    }

    /// A client that is polled together with others: see [`PollGroup`]. Godot has no counterpart.
    pub fn in_group(group: &PollGroup) -> Self {
        Self::on(Reactor::new(group.poller(), Resolver::system()))
    }

    /// Moves the client to a group, in any status: from now on it is polled with the members of that group.
    /// Does nothing if the client is already in that group, or if only one of the two is on an in-memory
    /// network. Godot has no counterpart.
    pub fn join(&mut self, group: &PollGroup) {
        if self.reactor.poller().is(group.poller()) {
            return;
        }
        let Some(mut reactor) = self.reactor.successor(group.poller()) else {
            return;
        };
        self.connection.move_to(&mut self.reactor, &mut reactor);
        self.reactor = reactor;
    }

    /// A client on an in-memory network with its virtual clock, for tests. Godot has no counterpart.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::on(Reactor::memory(network))
    }

    fn on(reactor: Reactor) -> Self {
        Self {
            reactor,
            connection: Connection::new(Config {
                retry_stale: true,
                ..Config::default()
            }),
            proxies: Proxies::default(),
            user_agent: concat!("httpoll/", env!("CARGO_PKG_VERSION")).to_owned(),
            budget: Budget::default(),
            asked_at: None,
            ended_at: None,
            read_chunk_size: READ_CHUNK_SIZE,
            blocking_mode: false,
        }
    }

    /// Starts to connect (Godot's `connect_to_host`). Allowed in every status; it closes the current
    /// connection first.
    ///
    /// The prefix `http://` forces plain HTTP. The prefix `https://` turns TLS on, with the default
    /// [`TlsOptions`] unless `tls_options` is given. `port` -1 means 443 with TLS and 80 without. With an
    /// IP address (IPv6 with or without brackets) the status becomes [`Status::Connecting`] at once, with a
    /// name [`Status::Resolving`].
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::PortInHost`], [`Misuse::InvalidPort`] or [`Misuse::TlsNotBuilt`];
    /// the status is then [`Status::Disconnected`]. If the operating system refuses at once, its error; the
    /// status is then the one of that failure.
    pub fn connect_to_host(
        &mut self,
        host: &str,
        port: i32,
        tls_options: Option<TlsOptions>,
    ) -> Result<(), Error> {
        self.connection.close(&mut self.reactor);
        let target = self.target(host, port, tls_options)?;
        self.connection
            .config
            .user_agent
            .clone_from(&self.user_agent);
        self.connection.config.proxy_authorization = self.proxies.authorization();
        let now = self.reactor.clock().now();
        let active_now = self.reactor.begin_poll(now);
        self.connection
            .open(&mut self.reactor, target, active_now)?;
        if self.connection.status() == Status::Connecting {
            // An address needs no lookup: the attempt starts now, and may fail now.
            let mut meter = BudgetMeter::start(self.reactor.clock(), &RemainingBudget::nothing());
            self.connection
                .drive(&mut self.reactor, active_now, &mut meter);
        }
        self.connection
            .error()
            .map_or(Ok(()), |error| Err(error.clone()))
    }

    fn target(
        &self,
        host: &str,
        port: i32,
        tls_options: Option<TlsOptions>,
    ) -> Result<Target, Error> {
        let (host, tls) = if let Some(host) = strip_prefix_ignoring_case(host, "https://") {
            let options = tls_options.map_or_else(TlsOptions::for_https, Ok)?;
            (host, Some(options))
        } else if let Some(host) = strip_prefix_ignoring_case(host, "http://") {
            (host, None)
        } else {
            (host, tls_options)
        };
        let host = parse_host(host).map_err(|misuse| match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() && parse_host(name).is_ok() => {
                Misuse::PortInHost
            }
            _ => misuse,
        })?;
        let port = match (port, &tls) {
            (-1, Some(_)) => 443,
            (-1, None) => 80,
            (port, _) => u16::try_from(port)
                .ok()
                .filter(|port| *port != 0)
                .ok_or(Misuse::InvalidPort)?,
        };
        let tls = tls.map_or(TlsChoice::Plain, TlsChoice::Tls);
        let route = self.proxies.route(matches!(tls, TlsChoice::Tls(_)));
        Ok(Target {
            host,
            port,
            tls,
            route,
        })
    }

    /// Sends a request (Godot's `request`). Allowed only in [`Status::Connected`]. The status becomes
    /// [`Status::Requesting`], and the next poll sends the request.
    ///
    /// `url` is the request target: a path that starts with `/`, with or without a query; an absolute
    /// `http` or `https` URL; `*` for `OPTIONS`; or `host:port` for `CONNECT`. Spaces and non-ASCII
    /// characters are percent-encoded, and a fragment is removed. Each of the `headers` has the form `Name:
    /// value`. The client adds `Host`, `User-Agent`, `Accept`, and `Content-Length` or `Transfer-Encoding`
    /// if they are needed and not given. `body` is text, bytes, or a [`RequestBody`]. Methods beyond
    /// Godot's nine are passed as [`http::Method`].
    ///
    /// With the header `Expect: 100-continue`, the content is held back until the server asks for it, or
    /// until [`Timeouts::continue_wait`](crate::Timeouts::continue_wait) has passed.
    ///
    /// # Errors
    /// [`Misuse`]; then nothing has changed.
    pub fn request(
        &mut self,
        method: impl Into<http::Method>,
        url: &str,
        headers: &[&str],
        body: impl Into<RequestBody>,
    ) -> Result<(), Error> {
        if self.get_status() != Status::Connected || self.is_switched() {
            return Err(Misuse::WrongStatus.into());
        }
        let Some(target) = self.connection.target() else {
            return Err(Misuse::NotConnected.into());
        };
        #[cfg(target_family = "wasm")]
        if let Some(forbidden) = headers
            .iter()
            .filter_map(|header| header.split_once(':'))
            .find_map(|(name, _)| crate::transport::fetch::forbidden_field(name.trim()))
        {
            return Err(Misuse::NotOnWeb(forbidden).into());
        }
        let forwarding = match target.route {
            Route::Forward(_) => self.proxies.authorization(),
            Route::Direct | Route::Tunnel(_) | Route::Socks(_) => None,
        };
        let head = request_head::build(
            method.into(),
            url,
            headers,
            target,
            &self.user_agent,
            forwarding.as_deref(),
        )?;
        let now = self.reactor.clock().now();
        let active_now = self.reactor.begin_poll(now);
        self.connection.request(&head, body.into(), active_now)?;
        self.connection
            .renew_if_outdated(&mut self.reactor, active_now);
        self.asked_at = Some(now);
        self.ended_at = None;
        Ok(())
    }

    /// Sends a request with bytes as content, which are sent unmodified (Godot's `request_raw`).
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn request_raw(
        &mut self,
        method: impl Into<http::Method>,
        url: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Result<(), Error> {
        self.request(method, url, headers, body)
    }

    /// Closes the connection, from any status (Godot's `close`). The status becomes
    /// [`Status::Disconnected`], and the response is dropped. The client can connect again.
    pub fn close(&mut self) {
        self.connection.close(&mut self.reactor);
        self.asked_at = None;
        self.ended_at = None;
    }

    /// Returns the status (Godot's `get_status`). It never makes progress by itself; only `poll` and reads
    /// do.
    pub fn get_status(&self) -> Status {
        self.connection.status()
    }

    /// Returns the next change of status that the caller has not seen, oldest first. One poll may cause
    /// several; the latest 64 are kept. Godot has no counterpart.
    pub fn next_transition(&mut self) -> Option<Transition> {
        self.connection.next_transition()
    }

    /// Returns the error that led to one of the four error statuses, and `None` in the others. Godot has no
    /// counterpart: there, `poll` returns a code.
    pub fn get_error(&self) -> Option<&Error> {
        self.connection.error()
    }

    /// Uses a connected stream of the caller's own (setting Godot's `connection` property). It closes the
    /// current connection, and the status becomes [`Status::Connected`]. The `Host` header is `localhost`
    /// unless a request gives another.
    ///
    /// In a browser the status becomes [`Status::CantConnect`], with
    /// [`Misuse::NotOnWeb`]: there, the browser connects.
    pub fn set_connection(&mut self, stream: impl NonblockingStream + 'static) {
        #[cfg(target_family = "wasm")]
        {
            drop(stream);
            self.connection.refuse_stream(&mut self.reactor);
        }
        #[cfg(not(target_family = "wasm"))]
        self.adopt(stream);
    }

    #[cfg(not(target_family = "wasm"))]
    fn adopt(&mut self, stream: impl NonblockingStream + 'static) {
        let target = Target {
            host: url::Host::Domain("localhost".to_owned()),
            port: 80,
            tls: TlsChoice::Plain,
            route: Route::Direct,
        };
        self.connection
            .adopt(&mut self.reactor, target, Box::new(stream));
    }

    /// Takes the raw stream out after `101 Switching Protocols` or a 2xx response to `CONNECT` (getting
    /// Godot's `connection` property), with the bytes that arrived after the response. The status becomes
    /// [`Status::Disconnected`]. Returns `None` before such a response, and for a connection with TLS.
    pub fn take_connection(&mut self) -> Option<(Box<dyn NonblockingStream>, Bytes)> {
        if self.tls_info().is_some() {
            return None;
        }
        let (link, leftover) = self.connection.take_switched(&mut self.reactor)?;
        let socket = link.into_socket()?;
        Some((socket.into_stream(&mut self.reactor), leftover))
    }

    /// The peer's address; with a proxy, the proxy's address. In Godot, `get_connected_host` of the
    /// `connection` property.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.connection.link()?.socket().peer_address()
    }

    /// The local address of the connection. In Godot, `get_local_port` of the `connection` property.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.connection.link()?.socket().local_address()
    }

    /// Facts about the TLS session of the current connection: version, cipher, certificates. Godot has no
    /// counterpart.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.connection.link()?.tls_info()
    }

    fn is_switched(&self) -> bool {
        self.connection.is_switched()
    }
}

impl fmt::Debug for HttpClient {
    /// Shows status, origin and error, but no headers and no request target.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("status", &self.get_status())
            .field("origin", &self.connection.target().map(Target::origin))
            .field("error", &self.get_error())
            .finish_non_exhaustive()
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}
