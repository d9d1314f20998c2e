//! [`HttpServer`] and [`HttpServing`]: a listener on an entity, before and after it listens.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::world::DeferredWorld;
use httpoll::PollGroup;
use httpoll::clock::Instant;
use httpoll::error::Misuse;
use httpoll::memory::MemoryNetwork;
use httpoll::server::{Client, NotFoundPolicy, Server, ServerBuilder, ServerFault};
use httpoll::{Budget, Error};

use crate::resources::agent::HttpAgent;

/// A server. Spawn it, and it listens from the next [`HttpollSystems::Poll`] on.
///
/// The plugin then inserts [`HttpServing`] and triggers [`HttpServerStarted`], or triggers
/// [`HttpServerFailed`]. Replacing it starts the new server in place of the old one, on the same listener if
/// the address is the same, so that no client is refused in between; if the new one fails, the old one keeps
/// running. Removing it, or despawning the entity, closes the listener and all connections at once. Requests that wait
/// get status 503 and WebSockets a close frame, as far as the sockets take them.
///
/// [`HttpollSystems::Poll`]: crate::HttpollSystems::Poll
/// [`HttpServerStarted`]: crate::HttpServerStarted
/// [`HttpServerFailed`]: crate::HttpServerFailed
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// use bevy_httpoll::httpoll::server::Response;
///
/// fn listen(mut commands: Commands) {
///     commands.spawn(HttpServer::bind("127.0.0.1:8080")).observe(
///         |received: On<HttpRequestReceived>,
///          requests: Query<&HttpServerRequest>,
///          mut commands: Commands| {
///             if let Ok(request) = requests.get(received.request) {
///                 let response = Response::text(format!("you asked for {}", request.path()));
///                 commands.respond(received.request, response);
///             }
///         },
///     );
/// }
/// ```
#[derive(Component, Clone)]
#[component(immutable, on_insert = announce, on_remove = stop)]
pub struct HttpServer {
    address: String,
    builder: Option<Configure>,
    server: Option<SetUpServer>,
}

type Configure = Arc<dyn Fn(ServerBuilder) -> ServerBuilder + Send + Sync>;

type SetUpServer = Arc<dyn Fn(&mut Server) -> Result<(), Error> + Send + Sync>;

impl HttpServer {
    /// Listens at this IP address and port, such as `127.0.0.1:0` for a free port that only this machine
    /// can reach. Not a host name: its lookup would block the frame.
    pub fn bind(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            builder: None,
            server: None,
        }
    }

    /// Sets limits, deadlines, the guard and TLS before the server listens.
    #[must_use]
    pub fn configure(
        mut self,
        configure: impl Fn(ServerBuilder) -> ServerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.builder = Some(Arc::new(configure));
        self
    }

    /// Adds routes, files and hooks as soon as the server listens. Requests that none of them takes
    /// become entities, and wait for a response from the app: without one, the client gets status 504 at
    /// the server's deadline, or 404 after 250 ms if nothing observes
    /// [`HttpRequestReceived`](crate::HttpRequestReceived). For an immediate 404 instead, also call
    /// `.configure(|builder| builder.not_found(NotFoundPolicy::Answer))`. The log names handlers that take longer than
    /// [`slow_handler`](ServerBuilder::slow_handler), and the errors of handlers.
    ///
    /// An [inspector page](Server::inspect) shows the plugin's agent, too:
    ///
    /// ```
    /// # use bevy_httpoll::prelude::*;
    /// let server = HttpServer::bind("127.0.0.1:8080").with(|server| {
    ///     server.inspect("/debug")?;
    ///     Ok(())
    /// });
    /// # let _ = server;
    /// ```
    #[must_use]
    pub fn with(
        mut self,
        set_up: impl Fn(&mut Server) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.server = Some(Arc::new(set_up));
        self
    }

    /// Starts to listen. `old` is the server that runs on the entity already.
    pub(crate) fn start(
        &self,
        group: &PollGroup,
        network: Option<&MemoryNetwork>,
        old: Option<&mut HttpServing>,
    ) -> Result<HttpServing, Error> {
        let old = old.filter(|old| old.listens_at(&self.address));
        let builder = Server::builder()
            .group(group)
            .not_found(NotFoundPolicy::Pull);
        let builder = match &self.builder {
            Some(configure) => configure(builder),
            None => builder,
        };
        let mut server = match (network, old) {
            (None, Some(old)) => match old.server.duplicate_listener()? {
                Some(listener) => builder.from_listener(listener)?,
                None => builder.bind(self.address.as_str())?,
            },
            (None, None) => builder.bind(self.address.as_str())?,
            (Some(network), old) => {
                let address = match &old {
                    Some(old) => old.server.local_addr(),
                    None => self
                        .address
                        .parse()
                        .map_err(|_| Error::from(Misuse::InvalidHost))?,
                };
                // In memory an address has one listener.
                if let Some(old) = old {
                    old.server.shutdown(Duration::from_secs(1));
                }
                builder.on_memory(network, address)?
            }
        };
        server.on_error(log_faults());
        if let Some(set_up) = &self.server {
            set_up(&mut server)?;
        }
        Ok(HttpServing {
            server,
            requested: self.address.clone(),
        })
    }
}

/// The next pump starts the server.
fn announce(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        let http = http.bypass_change_detection();
        http.others.announce(context.entity);
    }
}

/// Logs what a developer should know: slow handlers at most once a second, and handlers that failed.
fn log_faults() -> impl FnMut(&ServerFault, Option<&Client>) + Send + 'static {
    let mut logged_slow: Option<Instant> = None;
    move |fault, _| match fault {
        ServerFault::SlowHandler { .. } => {
            if logged_slow.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
                logged_slow = Some(Instant::now());
                log::warn!("{fault}");
            }
        }
        ServerFault::Handler(_) | ServerFault::Panicked(_) => log::error!("{fault}"),
        _ => log::debug!("{fault}"),
    }
}

/// Stops the server, whose component was removed.
fn stop(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>() {
        let http = http.bypass_change_detection();
        http.others.servers.remove(&context.entity);
    }
    world
        .commands()
        .entity(context.entity)
        .try_remove::<HttpServing>();
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A listening server. Dereferences to [`Server`], for routes, files and metrics. Do not poll it: the
/// plugin does.
#[derive(Component, Debug)]
pub struct HttpServing {
    pub(crate) server: Server,
    /// The address as [`HttpServer`] has it.
    requested: String,
}

impl HttpServing {
    /// Whether this address means the one that the server listens at.
    fn listens_at(&self, address: &str) -> bool {
        self.requested == address
            || address
                .parse()
                .is_ok_and(|address: SocketAddr| address == self.server.local_addr())
    }

    pub(crate) fn poll(&mut self, budget: &Budget) {
        self.server.set_budget(budget.clone());
        if let Err(error) = self.server.poll() {
            log::warn!(
                "the server at {} could not be polled: {error}",
                self.server.local_addr()
            );
        }
    }
}

impl std::ops::Deref for HttpServing {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl std::ops::DerefMut for HttpServing {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// On a request or a peer: its server. Despawning the server despawns its requests and peers, and their
/// events propagate to the server.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = Serving)]
pub struct ServedBy(pub Entity);

/// On a server: its requests and peers. Bevy maintains it from [`ServedBy`].
#[derive(Component, Debug, Default)]
#[relationship_target(relationship = ServedBy, linked_spawn)]
pub struct Serving(Vec<Entity>);

impl Serving {
    /// The entities of the requests and peers.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}
