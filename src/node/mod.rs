//! The node: Godot's `HTTPClient`, name by name, on one connection and one reactor.
//!
//! [`HttpClient`] holds no protocol and no sockets of its own: it puts Godot's methods, properties
//! and rules on `connection`, grants the budget, and waits where waiting was asked for. Where it
//! differs from Godot on purpose, the method says so.
//!
//! | file | holds |
//! |---|---|
//! | `method` | Godot's `Method` |
//! | `response_code` | Godot's response codes |
//! | `godot_error` | Godot's `Error` codes, and the lossy map to them |
//! | `query` | `query_string_from_dict` |
//! | `request_head` | the request head that Godot would send |
//! | `request_url` | an absolute URL, taken apart |
//! | `proxies` | which proxy a connection goes through |

mod godot_error;
mod method;
mod proxies;
mod query;
mod request_head;
mod request_url;
pub mod response_code;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::budget::{Budget, Linger, PollAt};
use crate::connection::{
    Connection, Expects, RequestBody, Response, Route, Status, Target, Transition, parse_host,
};
use crate::error::{Error, Misuse};
use crate::limits::Limits;
use crate::phase::Timeouts;
use crate::proto::{FieldLines, ResponseHead};
use crate::transport::link::TlsChoice;
use crate::transport::memory::MemoryNetwork;
use crate::transport::meter::{Allowance, Meter};
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::socket::NonblockingStream;
use crate::transport::tls::{TlsInfo, TlsOptions};

pub use godot_error::GodotError;
pub use method::Method;
use proxies::Proxies;
pub use query::query_string_from_dict;
pub use request_head::verify_headers;
pub use request_url::RequestUrl;

/// Godot's bounds for [`HttpClient::set_read_chunk_size`], in bytes.
const READ_CHUNK_SIZES: std::ops::RangeInclusive<usize> = 256..=16 * 1024 * 1024;

/// Godot's default for [`HttpClient::set_read_chunk_size`], in bytes.
const READ_CHUNK_SIZE: usize = 64 * 1024;

/// A polled HTTP/1.1 client: one connection, one request at a time, driven by [`poll`](Self::poll).
///
/// It is Godot 4's `HTTPClient`: connect, poll until [`Status::Connected`], request, poll until the
/// head is there, read the content in chunks. One object serves many requests on one connection,
/// and any host after another.
///
/// Nothing happens without `poll` (or a read of content), and nothing ever waits in it: it takes what
/// the sockets have, as far as its [`Budget`] goes. Creating a client opens nothing; dropping it
/// closes everything at once.
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
    allowance: Allowance,
    read_chunk_size: usize,
    blocking_mode: bool,
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Whether anything moved: a transition, bytes, content to take.
    pub changed: bool,
    /// When the next poll has something to do.
    pub next: PollAt,
}

impl HttpClient {
    /// A client with Godot's defaults, and [`Limits`], [`Timeouts`] and [`Budget`] at theirs. Opens
    /// nothing yet.
    pub fn new() -> Self {
        Self::with_resolver(Resolver::system())
    }

    /// The same, with a [`Resolver`] shared with others, or one of the caller's own.
    pub fn with_resolver(resolver: Resolver) -> Self {
        Self::on(Reactor::system(resolver))
    }

    /// A client on an in-memory network with its virtual clock, for tests.
    pub fn on_memory(network: &MemoryNetwork) -> Self {
        Self::on(Reactor::memory(network))
    }

    fn on(reactor: Reactor) -> Self {
        Self {
            reactor,
            connection: Connection::default(),
            proxies: Proxies::default(),
            user_agent: concat!("httpoll/", env!("CARGO_PKG_VERSION")).to_owned(),
            budget: Budget::default(),
            allowance: Allowance::nothing(),
            read_chunk_size: READ_CHUNK_SIZE,
            blocking_mode: false,
        }
    }

    /// Starts to connect (Godot's `connect_to_host`). Legal in every status; closes first.
    ///
    /// A prefix `http://` forces plain HTTP, `https://` turns TLS on with
    /// [`TlsOptions::client`] unless `tls_options` says otherwise. `port` -1 is 443 with TLS, else
    /// 80. An IP address (IPv6 with or without brackets) goes to [`Status::Connecting`] at once, a
    /// name to [`Status::Resolving`].
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`], [`Misuse::InvalidPort`] or [`Misuse::TlsNotBuilt`], with the status
    /// [`Status::Disconnected`]; or a failure of the operating system, with the status of that
    /// failure.
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
        let counted = self.reactor.begin_poll(now);
        self.connection.open(&mut self.reactor, target, counted)?;
        if self.connection.status() == Status::Connecting {
            // An address needs no lookup: the attempt starts now, and may fail now.
            let mut meter = Meter::start(self.reactor.clock(), &Allowance::nothing());
            self.connection
                .drive(&mut self.reactor, counted, &mut meter);
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
        let host = parse_host(host)?;
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

    /// Sends a request (Godot's `request`). Only in [`Status::Connected`]; the status becomes
    /// [`Status::Requesting`], and the next poll sends it.
    ///
    /// `url` is the request target: a path with or without a query that starts with `/`, an absolute
    /// `http` or `https` URL, `*` for `OPTIONS`, or `host:port` for `CONNECT`. Spaces and non-ASCII
    /// characters are percent-encoded, a fragment is left out. `headers` are lines, `Name: value`.
    /// `Host`, `User-Agent`, `Accept` and what frames the content are added unless given. `body` is
    /// text, bytes, or a [`RequestBody`]. Methods beyond Godot's nine go as [`http::Method`].
    ///
    /// With a header `Expect: 100-continue` the content is held back until the server asks for it,
    /// or [`Timeouts::continue_wait`] is over.
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
        let forwarding = match target.route {
            Route::Forward(_) => self.proxies.authorization(),
            Route::Direct | Route::Tunnel(_) => None,
        };
        let head = request_head::build(
            method.into(),
            url,
            headers,
            target,
            &self.user_agent,
            forwarding.as_deref(),
        )?;
        let counted = self.reactor.begin_poll(self.reactor.clock().now());
        self.connection.request(&head, body.into(), counted)
    }

    /// The same with bytes (Godot's `request_raw`); they are sent unmodified.
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

    /// Goes as far as the sockets and the client's [budget](Self::set_budget) allow (Godot's
    /// `poll`). Call it once a frame.
    ///
    /// Unlike Godot's, one poll may take many steps: a whole handshake or exchange, if the peer is
    /// quick. See [`next_transition`](Self::next_transition) for what happened in between. In
    /// [blocking mode](Self::set_blocking_mode) it waits until something happens, except in
    /// [`Status::Connected`], where it is the caller who does the next thing.
    ///
    /// # Errors
    /// [`Misuse::NotConnected`] in [`Status::Disconnected`]; in the four error statuses, the error
    /// that led there.
    pub fn poll(&mut self) -> Result<Polled, Error> {
        if self.blocking_mode && self.get_status() != Status::Connected {
            return self.wait(None);
        }
        let budget = self.budget.clone();
        self.poll_at(self.reactor.clock().now(), &budget)
    }

    /// The same with the time and the budget given: the time drives all deadlines, so that a test
    /// can choose it; the budget holds until the next poll.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_at(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        self.check_active()?;
        let counted = self.reactor.begin_poll(now);
        let mut meter = Meter::start(self.reactor.clock(), &Allowance::of(budget)).with_grace();
        let looked = self.reactor.look();
        let changed = self.turn(looked, counted, &mut meter, budget.linger);
        self.allowance = meter.rest();
        self.polled(changed, meter.cut(), counted)
    }

    /// Sleeps until something can be done or `timeout` is over, then polls without a budget. For
    /// loops without frames; a game calls [`poll`](Self::poll).
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Polled, Error> {
        let budget = Budget::unlimited();
        let first = self.poll_at(self.reactor.clock().now(), &budget)?;
        let now = self.reactor.clock().now();
        let until_due = match first.next {
            PollAt::Now | PollAt::Idle => return Ok(first),
            PollAt::At(at) => Some(at.saturating_duration_since(now)),
            PollAt::Io => None,
        };
        if first.changed {
            return Ok(first);
        }
        let sleep = match (timeout, until_due) {
            (Some(timeout), Some(due)) => Some(timeout.min(due)),
            (Some(sleep), None) | (None, Some(sleep)) => Some(sleep),
            (None, None) => None,
        };
        let looked = self.reactor.wait(sleep);
        // Time slept here was waited for the peer, so all of it counts.
        let counted = self.reactor.begin_wait(self.reactor.clock().now());
        let mut meter = Meter::start(self.reactor.clock(), &Allowance::of(&budget));
        let changed = self.turn(looked, counted, &mut meter, budget.linger);
        self.allowance = meter.rest();
        self.polled(changed, meter.cut(), counted)
    }

    fn check_active(&self) -> Result<(), Error> {
        match self.connection.error() {
            Some(error) => Err(error.clone()),
            None if self.get_status() == Status::Disconnected => Err(Misuse::NotConnected.into()),
            None => Ok(()),
        }
    }

    fn polled(&self, changed: bool, cut: bool, counted: Instant) -> Result<Polled, Error> {
        if let Some(error) = self.connection.error() {
            return Err(error.clone());
        }
        let next = match self.connection.poll_at(counted) {
            PollAt::Io | PollAt::At(_) if cut => PollAt::Now,
            PollAt::At(at) => PollAt::At(self.reactor.uncounted(at)),
            other => other,
        };
        Ok(Polled { changed, next })
    }

    /// Drives the connection, lingers as far as it was told to, then judges deadlines: what had
    /// arrived in time is never called late.
    fn turn(
        &mut self,
        looked: Result<bool, Error>,
        counted: Instant,
        meter: &mut Meter,
        linger: Linger,
    ) -> bool {
        let mut looked = looked;
        let mut changed = false;
        let mut quiet_since = meter.started();
        loop {
            let anything = match looked {
                Ok(anything) => anything,
                Err(error) => {
                    self.connection.fail_system(&mut self.reactor, error);
                    return true;
                }
            };
            let progressed = self.connection.drive(&mut self.reactor, counted, meter);
            changed |= progressed;
            let Some(patience) = self.patience(linger) else {
                break;
            };
            if meter.exhausted() {
                break;
            }
            let now = meter.now();
            if anything || progressed {
                quiet_since = now;
            } else if now.saturating_duration_since(quiet_since) >= patience
                || self.reactor.network().is_some()
            {
                break;
            }
            looked = self.reactor.look();
        }
        // What the budget left in the kernel may be what the deadline is about.
        let is_left = meter.cut() && self.connection.is_readable(&mut self.reactor);
        if !is_left && self.connection.handle_timeout(&mut self.reactor, counted) {
            self.connection.drive(&mut self.reactor, counted, meter);
            changed = true;
        }
        changed
    }

    /// How long to look on without seeing anything, if at all.
    fn patience(&self, linger: Linger) -> Option<Duration> {
        match (linger, self.connection.expects()) {
            (Linger::Off, _) | (_, Expects::Nothing) | (Linger::Bodies(_), Expects::Answer) => None,
            (Linger::Bodies(patience), Expects::Content)
            | (Linger::Exchanges(patience), Expects::Content | Expects::Answer) => Some(patience),
        }
    }

    /// The next piece of response content (Godot's `read_response_body_chunk`), at most
    /// [`read_chunk_size`](Self::get_read_chunk_size) bytes. Only in [`Status::Body`].
    ///
    /// Empty means that nothing is there now, or that the content is over: the status tells. It
    /// becomes [`Status::Connected`] when the connection can serve another request, and
    /// [`Status::Disconnected`] when it cannot, as after content that ends with the connection.
    ///
    /// Like Godot's it reads from the socket when nothing is buffered, but only as far as the
    /// budget of the last poll goes. In [blocking mode](Self::set_blocking_mode) it waits until the
    /// chunk is full or the content is over. Chunks have nothing to do with the chunks of the
    /// chunked coding: pieces of any framing come as they arrive.
    ///
    /// # Errors
    /// [`Misuse::WrongStatus`] outside [`Status::Body`]; content cut short is
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated), after everything that came was taken.
    /// After a failure the status is [`Status::ConnectionError`], and the response stays readable.
    pub fn read_response_body_chunk(&mut self) -> Result<Bytes, Error> {
        if self.blocking_mode {
            return self.read_chunk_blocking();
        }
        let counted = self.reactor.begin_poll(self.reactor.clock().now());
        let mut meter = Meter::start(self.reactor.clock(), &self.allowance);
        let chunk = self.read_chunk(counted, &mut meter, self.budget.linger);
        self.allowance = meter.rest();
        chunk
    }

    fn read_chunk(
        &mut self,
        counted: Instant,
        meter: &mut Meter,
        linger: Linger,
    ) -> Result<Bytes, Error> {
        let mut quiet_since = meter.started();
        loop {
            let chunk = self.connection.read_content(
                &mut self.reactor,
                counted,
                meter,
                self.read_chunk_size,
            )?;
            if !chunk.is_empty() || self.get_status() != Status::Body || meter.exhausted() {
                return Ok(chunk);
            }
            let Some(patience) = self.patience(linger) else {
                return Ok(chunk);
            };
            let now = meter.now();
            if self.reactor.look()? {
                quiet_since = now;
            } else if now.saturating_duration_since(quiet_since) >= patience
                || self.reactor.network().is_some()
            {
                return Ok(chunk);
            }
        }
    }

    fn read_chunk_blocking(&mut self) -> Result<Bytes, Error> {
        let mut gathered = BytesMut::new();
        loop {
            let counted = self.reactor.begin_poll(self.reactor.clock().now());
            let mut meter = Meter::start(self.reactor.clock(), &Allowance::unlimited());
            let most = self.read_chunk_size - gathered.len();
            let chunk =
                self.connection
                    .read_content(&mut self.reactor, counted, &mut meter, most)?;
            let whole = chunk.len() == most;
            if gathered.is_empty() && (whole || self.get_status() != Status::Body) {
                return Ok(chunk);
            }
            gathered.extend_from_slice(&chunk);
            if whole || self.get_status() != Status::Body {
                return Ok(gathered.freeze());
            }
            if chunk.is_empty() {
                match self.wait(None) {
                    Ok(_) => {}
                    // What came before the failure is the caller's; the next call tells.
                    Err(_) if !gathered.is_empty() => return Ok(gathered.freeze()),
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Closes the connection from any status (Godot's `close`): [`Status::Disconnected`], no
    /// response. The client can connect anew.
    pub fn close(&mut self) {
        self.connection.close(&mut self.reactor);
    }

    /// The status (Godot's `get_status`). Never moves anything.
    pub fn get_status(&self) -> Status {
        self.connection.status()
    }

    /// The next change of status that the caller has not seen, oldest first. Several may happen in
    /// one poll; the latest 64 are kept.
    pub fn next_transition(&mut self) -> Option<Transition> {
        self.connection.next_transition()
    }

    /// The error that led to one of the four error statuses; `None` in the others.
    pub fn get_error(&self) -> Option<&Error> {
        self.connection.error()
    }

    /// Whether a response head has come (Godot's `has_response`). Unlike Godot's it stays true until
    /// the next request or `close`, also for a head without headers.
    pub fn has_response(&self) -> bool {
        self.connection.response().is_some()
    }

    /// The response's status code, 0 while there is none (Godot's `get_response_code`). See
    /// [`response_code`].
    pub fn get_response_code(&self) -> u16 {
        self.response().map_or(0, |it| it.head.status.as_u16())
    }

    /// The response head: version, status, reason and field lines in order, with their original
    /// case, duplicates kept. Stays readable until the next request or `close`.
    pub fn get_response_head(&self) -> Option<&ResponseHead> {
        self.response().map(|it| &it.head)
    }

    /// The response's header lines as `Name: value`, in order, with their original case, duplicates
    /// kept (Godot's `get_response_headers`). Unlike Godot's, a call does not use them up.
    pub fn get_response_headers(&self) -> Vec<String> {
        self.fields()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    }

    /// The response's headers by name (Godot's `get_response_headers_as_dictionary`). The values of
    /// a repeated name are joined by `"; "` as Godot documents; names are compared without case,
    /// and the first one's case is kept. For `Set-Cookie` use the lines.
    pub fn get_response_headers_as_dictionary(&self) -> BTreeMap<String, String> {
        let mut dictionary = BTreeMap::<String, String>::new();
        for (name, value) in self.fields() {
            let value = String::from_utf8_lossy(value);
            let present = dictionary
                .iter_mut()
                .find(|(present, _)| present.eq_ignore_ascii_case(name));
            match present {
                Some((_, joined)) => {
                    joined.push_str("; ");
                    joined.push_str(&value);
                }
                None => {
                    dictionary.insert(name.to_owned(), value.into_owned());
                }
            }
        }
        dictionary
    }

    /// The length of the response's content in bytes, -1 when it is not known in advance (Godot's
    /// `get_response_body_length`): chunked, or ended by the connection's end. 0 for a response
    /// that has no content, whatever its `Content-Length` says.
    pub fn get_response_body_length(&self) -> i64 {
        self.response()
            .and_then(|it| it.content_length)
            .and_then(|length| i64::try_from(length).ok())
            .unwrap_or(-1)
    }

    /// Whether the response's content is chunked (Godot's `is_response_chunked`).
    pub fn is_response_chunked(&self) -> bool {
        self.response().is_some_and(|it| it.is_chunked)
    }

    /// The trailer section of a chunked response (RFC 9112 §7.1.2), once its content was taken.
    pub fn get_response_trailers(&self) -> &FieldLines {
        self.connection.trailers()
    }

    /// The next interim (1xx) response that came before the final one and that the caller has not
    /// seen, such as `103 Early Hints`.
    pub fn next_interim_response(&mut self) -> Option<ResponseHead> {
        self.connection.next_interim()
    }

    fn response(&self) -> Option<&Response> {
        self.connection.response()
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.response()
            .into_iter()
            .flat_map(|it| it.head.fields.iter())
    }

    /// HTTP bytes sent for the latest request so far: for upload progress.
    pub fn get_bytes_sent(&self) -> u64 {
        self.connection.moved().0
    }

    /// HTTP bytes received for the latest request so far, head and framing included.
    pub fn get_bytes_received(&self) -> u64 {
        self.connection.moved().1
    }

    /// How many requests the present connection has carried: above 1, it was reused.
    pub fn get_connection_requests(&self) -> u32 {
        self.connection.requests()
    }

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

    /// Sets what [`poll`](Self::poll) may spend. Default 1 ms, lingering over content.
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

    /// The name and password for both proxies, sent as Basic credentials (RFC 7617). `None`, the
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

    /// Injects a connected stream of the caller's own (Godot's `connection` property): closes what
    /// there was, and is [`Status::Connected`]. The `Host` header says `localhost` unless a request
    /// names another.
    pub fn set_connection(&mut self, stream: impl NonblockingStream + 'static) {
        let target = Target {
            host: url::Host::Domain("localhost".to_owned()),
            port: 80,
            tls: TlsChoice::Plain,
            route: Route::Direct,
        };
        self.connection
            .adopt(&mut self.reactor, target, Box::new(stream));
    }

    /// After `101 Switching Protocols` or a 2xx to `CONNECT`: the raw stream, and the bytes that
    /// came behind the response. The client is [`Status::Disconnected`] then. `None` otherwise, and
    /// for a connection with TLS on it.
    pub fn take_connection(&mut self) -> Option<(Box<dyn NonblockingStream>, Bytes)> {
        if self.tls_info().is_some() {
            return None;
        }
        let (link, leftover) = self.connection.take_switched(&mut self.reactor)?;
        let socket = link.into_socket().ok()?;
        Some((socket.into_stream(&mut self.reactor), leftover))
    }

    /// The far end of the connection: the proxy's address, when there is one.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.connection.link()?.socket().peer_address()
    }

    /// This end of the connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.connection.link()?.socket().local_address()
    }

    /// Facts about the TLS session of the present connection: version, cipher, certificates.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.connection.link()?.tls_info()
    }

    fn is_switched(&self) -> bool {
        self.connection.is_switched()
    }
}

impl fmt::Debug for HttpClient {
    /// Status, origin and error; never a header or a target.
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
