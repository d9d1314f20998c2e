//! [`HttpServer`] and [`HttpServing`]: a listener on an entity, before and after it listens.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use httpoll::memory::MemoryNetwork;
use httpoll::server::{NotFoundPolicy, Server, ServerBuilder};
use httpoll::{Budget, Error};

/// A server to be, by spawning it: it listens in the next [`HttpollSystems::Poll`].
///
/// Then [`HttpServing`] is beside it and [`HttpServerStarted`] is told, or [`HttpServerFailed`].
/// Despawning the entity closes everything at once.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// use bevy_httpoll::httpoll::server::Response;
///
/// fn listen(mut commands: Commands) {
///     commands.spawn(HttpServer::bind("127.0.0.1:8080")).observe(
///         |asked: On<HttpRequestReceived>,
///          requests: Query<&HttpServerRequest>,
///          mut commands: Commands| {
///             if let Ok(request) = requests.get(asked.request) {
///                 let answer = Response::text(format!("you asked for {}", request.path()));
///                 commands.respond(asked.request, answer);
///             }
///         },
///     );
/// }
/// ```
#[derive(Component, Clone)]
#[component(immutable)]
pub struct HttpServer {
    address: String,
    builder: Option<Configure>,
    server: Option<SetUpServer>,
}

type Configure = Arc<dyn Fn(ServerBuilder) -> ServerBuilder + Send + Sync>;

type SetUpServer = Arc<dyn Fn(&mut Server) -> Result<(), Error> + Send + Sync>;

impl HttpServer {
    /// At this address, such as `127.0.0.1:0` for a free port of this machine alone. An IP address: a
    /// name would be looked up in the frame.
    pub fn bind(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            builder: None,
            server: None,
        }
    }

    /// Decides about limits, deadlines, the guard and TLS before it listens.
    #[must_use]
    pub fn configure(
        mut self,
        configure: impl Fn(ServerBuilder) -> ServerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.builder = Some(Arc::new(configure));
        self
    }

    /// Adds routes, files and hooks as soon as it listens. Requests that nothing of it takes become
    /// entities.
    #[must_use]
    pub fn with(
        mut self,
        set_up: impl Fn(&mut Server) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.server = Some(Arc::new(set_up));
        self
    }

    pub(crate) fn start(&self, network: Option<&MemoryNetwork>) -> Result<Server, Error> {
        let builder = Server::builder().not_found(NotFoundPolicy::Pull);
        let builder = match &self.builder {
            Some(configure) => configure(builder),
            None => builder,
        };
        let mut server = match (network, self.address.parse::<SocketAddr>()) {
            (Some(network), Ok(address)) => builder.on_memory(network, address)?,
            _ => builder.bind(self.address.as_str())?,
        };
        if let Some(set_up) = &self.server {
            set_up(&mut server)?;
        }
        Ok(server)
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A server that listens. It derefs to [`Server`], for routes, files and metrics. Do not poll it.
#[derive(Component, Debug)]
pub struct HttpServing(pub(crate) Server);

impl HttpServing {
    pub(crate) fn poll(&mut self, budget: &Budget) {
        self.0.set_budget(budget.clone());
        if let Err(error) = self.0.poll() {
            log::warn!(
                "the server at {} could not be polled: {error}",
                self.0.local_addr()
            );
        }
    }
}

impl std::ops::Deref for HttpServing {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl std::ops::DerefMut for HttpServing {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

/// On a request or a peer: its server. Despawning that despawns these, too, and the events of these
/// go on to it.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = Serving)]
pub struct ServedBy(pub Entity);

/// On a server: its requests and peers. Maintained by [`ServedBy`].
#[derive(Component, Debug, Default)]
#[relationship_target(relationship = ServedBy, linked_spawn)]
pub struct Serving(Vec<Entity>);

impl Serving {
    /// The entities of requests and peers.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}
