//! Listening: a server is an entity, and so is each request that waits for its answer and each peer
//! of an event stream or a WebSocket.
//!
//! The server is polled with everything else, within the frame's budget. Routes, files and guards are
//! those of [`httpoll::server::Server`], reached through [`HttpServing`]; what no route takes becomes
//! an entity here, and may be answered from any later system.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bevy_app::App;
use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use bevy_ecs::query::Without;
use bevy_ecs::schedule::{InternedScheduleLabel, IntoScheduleConfigs};
use bevy_ecs::system::{Commands, Query, Res};
use bevy_ecs::world::World;
use httpoll::server::event_stream::EventStream;
use httpoll::server::topic::Topic;
#[cfg(feature = "websocket")]
use httpoll::server::websocket::{Options as WebSocketOptions, WebSocket};
use httpoll::server::{NotFoundPolicy, Request, Response, Server, ServerBuilder};
use httpoll::{Budget, Error};

use crate::agent::HttpAgent;
use crate::plugin::HttpollSystems;

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
    server: Option<Furnish>,
}

type Configure = Arc<dyn Fn(ServerBuilder) -> ServerBuilder + Send + Sync>;
type Furnish = Arc<dyn Fn(&mut Server) -> Result<(), Error> + Send + Sync>;

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
        furnish: impl Fn(&mut Server) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.server = Some(Arc::new(furnish));
        self
    }

    fn start(&self, http: &HttpAgent) -> Result<Server, Error> {
        let builder = Server::builder().not_found(NotFoundPolicy::Pull);
        let builder = match &self.builder {
            Some(configure) => configure(builder),
            None => builder,
        };
        let mut server = match (http.network(), self.address.parse::<SocketAddr>()) {
            (Some(network), Ok(address)) => builder.on_memory(network, address)?,
            _ => builder.bind(self.address.as_str())?,
        };
        if let Some(furnish) = &self.server {
            furnish(&mut server)?;
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
pub struct HttpServing(Server);

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

/// A request that waits for its answer: derefs to [`Request`]. Answer it in any later frame by
/// [`HttpCommandsExt`]. Despawned without an answer, its client gets a 500; left for longer than the
/// server's deadline, a 504.
#[derive(Component, Debug)]
pub struct HttpServerRequest(Request);

impl std::ops::Deref for HttpServerRequest {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.0
    }
}

impl std::ops::DerefMut for HttpServerRequest {
    fn deref_mut(&mut self) -> &mut Request {
        &mut self.0
    }
}

/// A client that listens to server-sent events; made by
/// [`stream_events`](HttpCommandsExt::stream_events). Derefs to [`EventStream`]. Despawning it ends
/// the stream.
#[derive(Component, Debug)]
pub struct HttpEventPeer(EventStream);

impl std::ops::Deref for HttpEventPeer {
    type Target = EventStream;

    fn deref(&self) -> &EventStream {
        &self.0
    }
}

impl std::ops::DerefMut for HttpEventPeer {
    fn deref_mut(&mut self) -> &mut EventStream {
        &mut self.0
    }
}

/// A client with an open WebSocket; made by [`accept_socket`](HttpCommandsExt::accept_socket). Derefs
/// to [`WebSocket`], to send by. Despawning it closes the socket.
#[cfg(feature = "websocket")]
#[derive(Component, Debug)]
pub struct HttpSocketPeer(WebSocket);

#[cfg(feature = "websocket")]
impl std::ops::Deref for HttpSocketPeer {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        &self.0
    }
}

#[cfg(feature = "websocket")]
impl std::ops::DerefMut for HttpSocketPeer {
    fn deref_mut(&mut self) -> &mut WebSocket {
        &mut self.0
    }
}

/// A server listens.
#[derive(EntityEvent, Clone, Copy, Debug)]
pub struct HttpServerStarted {
    /// The server's entity.
    pub entity: Entity,
    /// Where, with the real port.
    pub address: SocketAddr,
}

/// A server could not listen.
#[derive(EntityEvent, Clone, Debug)]
pub struct HttpServerFailed {
    /// The server's entity. It stays: insert another [`HttpServer`] to try again.
    pub entity: Entity,
    /// Why.
    pub error: Error,
}

/// A request came that no route took.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestReceived {
    /// Who is told: the request's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The request's entity, with [`HttpServerRequest`].
    pub request: Entity,
}

/// Nobody waits for this request's answer any more: its client has gone, or the deadline is over. Its
/// entity is despawned behind this.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpRequestAborted {
    /// Who is told: the request's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
}

/// A message of a WebSocket's client.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerMessage {
    /// Who is told: the peer's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
    /// What it said.
    pub message: httpoll::WebSocketMessage,
}

/// The client of an event stream or a WebSocket has gone. Its entity is despawned behind this.
#[derive(EntityEvent, Clone, Copy, Debug)]
#[entity_event(propagate = &'static ServedBy, auto_propagate)]
pub struct HttpPeerClosed {
    /// Who is told: the peer's entity, then its server.
    #[event_target]
    pub entity: Entity,
    /// The peer's entity.
    pub peer: Entity,
}

/// Answers to requests, as commands. For an entity that is no waiting request they do nothing.
pub trait HttpCommandsExt {
    /// Answers a request, and despawns its entity.
    fn respond(&mut self, request: Entity, response: Response);

    /// Answers a request with server-sent events: its entity becomes an [`HttpEventPeer`].
    fn stream_events(&mut self, request: Entity);

    /// Answers a request with the events of a topic, which encodes each event once for all its
    /// subscribers and never waits for a slow one. Its entity is despawned.
    fn subscribe(&mut self, request: Entity, topic: &Topic);

    /// Opens the WebSocket that a request asks for: its entity becomes an [`HttpSocketPeer`]. One that
    /// asks for none is answered with what is wrong, and despawned.
    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions);
}

impl HttpCommandsExt for Commands<'_, '_> {
    fn respond(&mut self, request: Entity, response: Response) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(asked)) = take(world, request) {
                asked.respond(response);
                let _ = world.try_despawn(request);
            }
        });
    }

    fn stream_events(&mut self, request: Entity) {
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut asked)) = take(world, request) {
                let stream = asked.event_stream(Response::new());
                world.entity_mut(request).insert(HttpEventPeer(stream));
            }
        });
    }

    fn subscribe(&mut self, request: Entity, topic: &Topic) {
        let topic = topic.clone();
        self.queue(move |world: &mut World| {
            if let Some(HttpServerRequest(mut asked)) = take(world, request) {
                topic.subscribe(&mut asked);
                let _ = world.try_despawn(request);
            }
        });
    }

    #[cfg(feature = "websocket")]
    fn accept_socket(&mut self, request: Entity, options: WebSocketOptions) {
        use httpoll::server::IntoResponse;
        self.queue(move |world: &mut World| {
            let Some(HttpServerRequest(mut asked)) = take(world, request) else {
                return;
            };
            match asked.accept_websocket(options) {
                Ok(socket) => {
                    world.entity_mut(request).insert(HttpSocketPeer(socket));
                }
                Err(refused) => {
                    // What cannot be said is answered by 500.
                    if let Ok(response) = refused.into_response() {
                        asked.respond(response);
                    }
                    let _ = world.try_despawn(request);
                }
            }
        });
    }
}

/// Takes a request off its entity, which is there if it had one.
fn take(world: &mut World, request: Entity) -> Option<HttpServerRequest> {
    world.get_entity_mut(request).ok()?.take()
}

pub(crate) fn build(app: &mut App, poll_in: InternedScheduleLabel) {
    app.add_systems(
        poll_in,
        (
            start.before(HttpollSystems::Poll),
            (end, receive).chain().in_set(HttpollSystems::Dispatch),
        ),
    );
    #[cfg(feature = "websocket")]
    app.add_systems(poll_in, hear.before(end).in_set(HttpollSystems::Dispatch));
}

/// Lets servers answer while the end of the app waits for requests, which may be to them.
pub(crate) fn serve(world: &mut World) {
    let mut servers = world.query::<&mut HttpServing>();
    for mut server in servers.iter_mut(world) {
        server.poll(&Budget::default());
    }
}

/// Starts the servers that were spawned; tries each once.
fn start(
    http: Option<Res<HttpAgent>>,
    changed: Query<(Entity, &HttpServer), bevy_ecs::query::Changed<HttpServer>>,
    mut commands: Commands,
) {
    let Some(http) = http else { return };
    for (entity, server) in &changed {
        match server.start(&http) {
            Ok(server) => {
                let address = server.local_addr();
                commands.entity(entity).try_insert(HttpServing(server));
                commands.trigger(HttpServerStarted { entity, address });
            }
            Err(error) => {
                commands.entity(entity).try_remove::<HttpServing>();
                commands.trigger(HttpServerFailed { entity, error });
            }
        }
    }
}

/// Spawns what came.
fn receive(mut servers: Query<(Entity, &mut HttpServing)>, mut commands: Commands) {
    for (server, mut serving) in &mut servers {
        while let Some(request) = serving.0.next_request() {
            let request = commands
                .spawn((HttpServerRequest(request), ServedBy(server)))
                .id();
            commands.trigger(HttpRequestReceived {
                entity: request,
                request,
            });
        }
    }
}

/// Despawns what nobody waits for.
fn end(
    requests: Query<(Entity, &HttpServerRequest)>,
    streams: Query<(Entity, &HttpEventPeer), Without<HttpServerRequest>>,
    mut commands: Commands,
) {
    for (request, asked) in &requests {
        if asked.0.is_aborted() {
            commands.trigger(HttpRequestAborted {
                entity: request,
                request,
            });
            commands.entity(request).try_despawn();
        }
    }
    for (peer, stream) in &streams {
        if stream.0.is_closed() {
            commands.trigger(HttpPeerClosed { entity: peer, peer });
            commands.entity(peer).try_despawn();
        }
    }
}

/// Tells what WebSockets said.
#[cfg(feature = "websocket")]
fn hear(mut sockets: Query<(Entity, &mut HttpSocketPeer)>, mut commands: Commands) {
    for (peer, mut socket) in &mut sockets {
        while let Some(message) = socket.0.receive() {
            commands.trigger(HttpPeerMessage {
                entity: peer,
                peer,
                message,
            });
        }
        if socket.0.is_closed() {
            commands.trigger(HttpPeerClosed { entity: peer, peer });
            commands.entity(peer).try_despawn();
        }
    }
}
