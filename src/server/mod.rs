//! The HTTP/1.1 server: polled in the same loop as everything else, and safe by default (RFC 9110, RFC 9112).
//!
//! [`Server`] owns a reactor, a listener and the connections that it accepted. A poll accepts connections,
//! reads requests, calls handlers and hooks on the caller's thread, and writes responses, as far as its
//! budget allows. A poll visits only connections that have something to do.
//!
//! This module exports what every server needs. Optional parts are in public modules:
//!
//! | module | holds |
//! |---|---|
//! | [`access_log`] | records of requests and their responses |
//! | [`cookies`] | the `Set-Cookie` field |
//! | [`event_stream`] | server-sent events to one client |
//! | [`files`] | static files: safe paths, roots, ranges, validators |
//! | [`forwarded`] | clients behind trusted proxies |
//! | [`guard`] | checks of `Host` and `Origin`, CORS, tokens, credentials, request rates |
//! | [`host`] | the `Host` field |
//! | [`inspector`] | a page that shows what the server does |
//! | [`multipart`] | forms with files, parsed while they arrive |
//! | `oauth` | login in the browser through a loopback port |
//! | [`port_file`] | which ports to try, and a file that tells tools the bound port |
//! | [`redirect`] | checked `Location` fields |
//! | `templates` | pages from template files |
//! | [`topic`] | one publisher, many subscribers |
//! | `websocket` | WebSockets |
//!
//! Internal modules:
//!
//! | module | holds |
//! |---|---|
//! | `accepting`, `connections` | new connections, and the set of open ones |
//! | `polling`, `timers`, `wake_queue` | which connections have something to do, and when |
//! | `connection` | one accepted connection |
//! | `app` | what happens to a request: hooks, handlers, files, the queue of pulled requests |
//! | `admission` | what a request's head decides: guard, route, limit of its content |
//! | `served` | the decisions of `admission` and `app` |
//! | `serving_files` | how files reach `app`: from memory, or through the worker |
//! | `registering` | adds handlers, routes, files and hooks to the server |
//! | `router`, `hooks`, `into_response` | the caller's functions |
//! | `request`, `content` | a received request |
//! | `response`, `responder`, `pipe`, `stream` | a response and its content |
//! | `settings`, `builder` | settings that are chosen before the server listens |
//! | `local_tool` | a server for the tools of one user on one machine, in one call |
//! | `shutdown` | immediate and graceful shutdown |
//! | `target`, `fixdate`, `date` | the parts of a request target; the date format of HTTP |

mod accepting;
pub mod access_log;
mod admission;
mod app;
mod builder;
mod client;
mod connection;
mod connections;
mod content;
pub mod cookies;
mod date;
pub mod event_stream;
mod fault;
pub mod files;
mod fixdate;
pub mod forwarded;
pub mod guard;
mod hooks;
pub mod host;
pub mod inspector;
mod into_response;
mod local_tool;
mod metrics;
pub mod multipart;
#[cfg(feature = "oauth")]
pub mod oauth;
mod pipe;
mod polling;
pub mod port_file;
pub mod redirect;
mod registering;
mod request;
mod responder;
mod response;
mod router;
mod served;
mod serving_files;
mod settings;
mod shutdown;
mod stream;
mod target;
#[cfg(feature = "templates")]
pub mod templates;
mod timers;
pub mod topic;
mod wake_queue;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::budget::{Budget, PollHistory};
use crate::clock::Instant;
use crate::error::Error;
use crate::transport::listener::Listener;
use crate::transport::reactor::{Key, Reactor};
pub use crate::transport::tls::ServerTlsOptions;
use access_log::AccessLog;
use app::App;
use connections::Connections;
use guard::Guard;
use inspector::Inspection;
use shutdown::Shutdown;
use timers::Timers;
use wake_queue::ConnectionId;

#[cfg(feature = "tls")]
pub use crate::transport::tls::{ClientCertificates, ServerTlsOptionsBuilder};
pub use builder::ServerBuilder;
pub use client::Client;
pub use content::{Content, Piece};
pub use fault::{BadRequest, HandlerError, NotAForm, ServerFault, TimeoutKind};
pub use hooks::Sent;
pub use into_response::{IntoResponse, Outcome};
pub use local_tool::LocalTool;
pub use metrics::Metrics;
pub use pipe::SendError;
pub use request::{QueryPairs, Request};
pub use responder::Responder;
pub use response::Response;
#[cfg(all(fuzzing, feature = "full"))]
pub use router::route_params;
pub use router::{Route, Routes};
pub use settings::{NotFoundPolicy, ServerLimits, ServerTimeouts};
pub use stream::ResponseStream;
#[cfg(all(fuzzing, feature = "full"))]
pub(crate) use target::{path_of, query_of};

/// An HTTP/1.1 server, driven by [`poll`](Self::poll).
///
/// Nothing happens without `poll` (or [`wait`](Self::wait)), and `poll` never waits. Handlers and hooks run
/// inside `poll`, on the caller's thread, and should be quick. A handler that needs longer takes a
/// [`Responder`] by [`Request::defer`] and responds in a later frame or from another thread. Requests can
/// also be pulled by [`next_request`](Self::next_request).
///
/// ```no_run
/// # fn draw_frame() {}
/// use httpoll::server::{Request, Response, Server};
///
/// let mut server = Server::bind("127.0.0.1:0")?;
/// println!("http://{}/", server.local_addr());
/// server.route("GET", "/hello/:name", |request: &mut Request| {
///     Response::text(format!("Hello, {}!", request.param("name").unwrap_or("you")))
/// })?;
/// loop {
///     server.poll()?;
///     draw_frame();
/// }
/// # #[expect(unreachable_code)]
/// # Ok::<(), httpoll::Error>(())
/// ```
pub struct Server {
    reactor: Reactor,
    listener: Option<Listener>,
    address: SocketAddr,
    connections: Connections,
    timers: Timers,
    app: App,
    budget: Budget,
    /// How many connections have been accepted so far; numbers the connections.
    numbers: u64,
    /// How many connections may still be accepted, and how many handlers called, in the present poll.
    accepts_left: usize,
    /// Whether clients wait that another turn of this poll accepts.
    accepts_more: bool,
    calls_left: usize,
    /// How many connections something is arriving on.
    receiving: usize,
    /// Reused from poll to poll: the connections that were rung, and those that are ready.
    calls: Vec<ConnectionId>,
    ready: Vec<Key>,
    /// Reused as well: the connections that wait for a handler call.
    held: Vec<usize>,
    /// The system ran out of sockets: accept no connection before this time.
    accept_again: Option<Instant>,
    shutdown: Option<Shutdown>,
    tls: Option<ServerTlsOptions>,
    inspection: Option<Inspection>,
    /// How long polls took.
    history: PollHistory,
}

impl Server {
    /// A server at `address` with the defaults. Use a loopback address, such as `127.0.0.1:0`, unless other
    /// machines have to reach the server.
    ///
    /// # Errors
    /// As [`ServerBuilder::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<Self, Error> {
        Self::builder().bind(address)
    }

    /// A builder with the defaults.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    fn assemble(reactor: Reactor, listener: Listener, app: App) -> Self {
        Self {
            reactor,
            address: listener.address(),
            listener: Some(listener),
            connections: Connections::default(),
            timers: Timers::default(),
            app,
            budget: Budget::default(),
            numbers: 0,
            accepts_left: 0,
            accepts_more: false,
            calls_left: 0,
            receiving: 0,
            calls: Vec::new(),
            ready: Vec::new(),
            held: Vec::new(),
            accept_again: None,
            shutdown: None,
            tls: None,
            inspection: None,
            history: PollHistory::default(),
        }
    }

    /// The address at which it listens, with the actual port. After it stopped listening, the last address.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A second handle of the listening socket, for a server that takes over the address with
    /// [`ServerBuilder::from_listener`]. This server may then be dropped, and no client is refused. `None` for a
    /// server that no longer listens or that listens on an in-memory network.
    ///
    /// # Errors
    /// [`NetworkFault::System`](crate::error::NetworkFault::System): the operating system refused a handle.
    pub fn duplicate_listener(&self) -> Result<Option<std::net::TcpListener>, Error> {
        match &self.listener {
            Some(listener) => listener.duplicate(),
            None => Ok(None),
        }
    }

    /// Whether it accepts connections.
    pub fn is_listening(&self) -> bool {
        self.listener.is_some()
    }

    /// What [`poll`](Self::poll) may spend. Default [`Budget::default`].
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Replaces the guard, for example when [`local_addr`](Self::local_addr) is known.
    pub fn set_guard(&mut self, guard: Guard) {
        self.app.guard = guard;
    }

    /// Uses TLS with these certificates for clients that connect from now on. This also renews certificates:
    /// open connections continue unchanged.
    #[cfg(feature = "tls")]
    pub fn set_tls(&mut self, options: ServerTlsOptions) {
        self.tls = Some(options);
    }

    /// The latest responses, if they are [recorded](ServerBuilder::access_log).
    pub fn access_log(&mut self) -> &mut AccessLog {
        &mut self.app.log
    }

    /// The next request to be pulled: a request of a route made by [`pull`](Self::pull), or one that no route
    /// takes, if the server was [built so](ServerBuilder::not_found) or nothing is registered at all.
    pub fn next_request(&mut self) -> Option<Request> {
        self.app.pulled.pop_front()
    }

    /// Counters of what the server has done so far.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.app.metrics;
        metrics.open = self.connections.open();
        metrics
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close_now();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("connections", &self.connections.open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send_and_sync<T: Send + Sync>() {}

    #[test]
    fn a_server_can_be_a_resource_of_a_game() {
        is_send_and_sync::<Server>();
        is_send_and_sync::<Responder>();
        is_send_and_sync::<ResponseStream>();
        is_send_and_sync::<Request>();
        is_send_and_sync::<Response>();
    }
}
