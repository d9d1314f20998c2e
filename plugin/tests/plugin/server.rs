//! Servers as entities, on the same network in memory as the app's own requests.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::event_stream::ServerSentEvent;
use bevy_httpoll::httpoll::server::topic::Topic;
use bevy_httpoll::httpoll::server::{Response, ServerTimeouts};
use bevy_httpoll::prelude::*;

use crate::support::{Game, unhurried};

const ADDRESS: &str = "10.0.0.7:80";

fn url(path: &str) -> String {
    format!("http://{ADDRESS}{path}")
}

/// A game with a listening server.
fn serving(server: HttpServer) -> (Game, Entity) {
    let mut game = Game::new();
    let entity = game.spawn(server);
    game.until(|world| world.get::<HttpServing>(entity).is_some());
    (game, entity)
}

fn waiting(game: &mut Game) -> Vec<Entity> {
    let world = game.app.world_mut();
    let mut requests = world.query_filtered::<Entity, With<HttpServerRequest>>();
    requests.iter(world).collect()
}

#[test]
fn a_request_to_a_server_is_an_entity_that_a_command_responds_to() {
    let (mut game, server) = serving(HttpServer::bind(ADDRESS));
    game.app.world_mut().entity_mut(server).observe(
        |asked: On<HttpRequestReceived>,
         requests: Query<&HttpServerRequest>,
         mut commands: Commands|
         -> Result {
            let request = requests.get(asked.request)?;
            let answer = format!("{} {}", request.method(), request.path());
            commands.respond(asked.request, Response::text(answer));
            Ok(())
        },
    );
    game.frame();
    let entities = game.entities();
    game.spawn(HttpRequest::put(url("/scores")).text("7"));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].2, "PUT /scores");
    game.frame();
    assert_eq!(game.entities(), entities, "nothing is left");
}

#[test]
fn a_response_may_follow_in_any_later_frame_and_routes_come_first() {
    let (mut game, _) = serving(HttpServer::bind(ADDRESS).with(|server| {
        server.route(
            "GET",
            "/routed",
            |_: &mut bevy_httpoll::httpoll::server::Request| Response::text("routed"),
        )?;
        Ok(())
    }));
    game.spawn(HttpRequest::get(url("/routed")));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].2, "routed");
    game.app
        .add_observer(|_: On<HttpRequestReceived>| { /* looks something up */ });
    game.spawn(HttpRequest::get(url("/later")));
    game.frames(100);
    let waiting = waiting(&mut game);
    assert_eq!(waiting.len(), 1);
    game.app
        .world_mut()
        .commands()
        .respond(waiting[0], Response::text("late"));
    game.app.world_mut().flush();
    game.until_finished(2);
    assert_eq!(game.log().responses[1].2, "late");
}

#[test]
fn every_client_gets_a_response_or_its_request_is_aborted() {
    let (mut game, server) = serving(HttpServer::bind(ADDRESS).configure(|builder| {
        let mut timeouts = ServerTimeouts::default();
        timeouts.respond = Some(Duration::from_secs(2));
        builder.timeouts(timeouts)
    }));
    #[derive(Resource, Default)]
    struct Aborted(usize);
    game.app.init_resource::<Aborted>();
    game.app
        .world_mut()
        .entity_mut(server)
        .observe(|_: On<HttpRequestReceived>| {})
        .observe(|_: On<HttpRequestAborted>, mut aborted: ResMut<Aborted>| aborted.0 += 1);
    // No system responds, so the server's deadline does.
    game.spawn(HttpRequest::get(url("/slow")));
    let began = game.network.now();
    game.until_finished(1);
    let waited = game.network.now() - began;
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert_eq!(game.log().responses[0].1, 504);
    game.frames(3);
    assert!(waiting(&mut game).is_empty());
    // Its entity is despawned.
    game.spawn(HttpRequest::get(url("/despawned")));
    game.until(|world| {
        world
            .get::<Serving>(server)
            .is_some_and(|it| !it.entities().is_empty())
    });
    let request = waiting(&mut game)[0];
    game.app.world_mut().despawn(request);
    game.until_finished(2);
    assert_eq!(game.log().responses[1].1, 500);
    // The client disconnects.
    let gone = game.spawn(HttpRequest::get(url("/gone")));
    game.until(|world| {
        world
            .get::<Serving>(server)
            .is_some_and(|it| !it.entities().is_empty())
    });
    game.app.world_mut().despawn(gone);
    game.frames(5);
    assert!(waiting(&mut game).is_empty());
    assert_eq!(game.app.world().resource::<Aborted>().0, 2);
}

#[test]
fn a_server_that_cannot_listen_reports_why_and_despawning_closes_everything() {
    #[derive(Resource, Default)]
    struct Observed(usize);
    let mut game = Game::new();
    game.app
        .init_resource::<Observed>()
        .add_observer(|_: On<HttpServerFailed>, mut observed: ResMut<Observed>| observed.0 += 1);
    let failed = game.spawn(HttpServer::bind("no address"));
    game.frames(5);
    assert_eq!(game.app.world().resource::<Observed>().0, 1, "tried once");
    assert!(game.app.world().get::<HttpServing>(failed).is_none());
    game.app
        .world_mut()
        .entity_mut(failed)
        .insert(HttpServer::bind(ADDRESS));
    game.frame();
    assert!(game.app.world().get::<HttpServing>(failed).is_some());
    game.spawn(HttpRequest::get(url("/")));
    game.frames(3);
    assert_eq!(waiting(&mut game).len(), 1);
    game.app.world_mut().despawn(failed);
    assert!(waiting(&mut game).is_empty(), "requests go with it");
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 503);
    assert_eq!(game.connections(), 0);
}

#[test]
fn peers_of_event_streams_are_entities_and_topics_are_for_many() {
    #[derive(Resource, Default)]
    struct ReceivedMessages(Vec<String>);
    let (mut game, server) = serving(HttpServer::bind(ADDRESS));
    let topic = Topic::new();
    let subject = topic.clone();
    game.app.init_resource::<ReceivedMessages>();
    game.app.add_observer(
        |on: On<HttpServerSentEvent>, mut received: ResMut<ReceivedMessages>| {
            received.0.push(on.event.data.clone());
        },
    );
    game.app.world_mut().entity_mut(server).observe(
        move |asked: On<HttpRequestReceived>,
              requests: Query<&HttpServerRequest>,
              mut commands: Commands|
              -> Result {
            match requests.get(asked.request)?.path() {
                "/own" => commands.stream_events(asked.request),
                _ => commands.subscribe(asked.request, &subject),
            }
            Ok(())
        },
    );
    let own = game.spawn((HttpRequest::get(url("/own")), HttpStream::ServerSentEvents));
    for _ in 0..3 {
        game.spawn((HttpRequest::get(url("/all")), HttpStream::ServerSentEvents));
    }
    #[derive(Resource, Default)]
    struct Closed(Vec<Entity>);
    game.app.init_resource::<Closed>().add_observer(
        |on: On<HttpPeerClosed>, mut closed: ResMut<Closed>| {
            if on.entity == on.peer {
                closed.0.push(on.peer);
            }
        },
    );
    game.frames(10);
    assert_eq!(topic.subscribers(), 3);
    let serving = game.app.world().get::<Serving>(server).unwrap();
    let own_peers = serving.entities().to_vec();
    assert_eq!(own_peers.len(), 1, "a topic needs no entities");
    topic.publish(ServerSentEvent::new("to all")).unwrap();
    let world = game.app.world_mut();
    let mut peers = world.query::<&mut HttpEventPeer>();
    for mut peer in peers.iter_mut(world) {
        peer.send(&ServerSentEvent::new("to one")).unwrap();
    }
    game.frames(5);
    let mut received = game.app.world().resource::<ReceivedMessages>().0.clone();
    received.sort();
    assert_eq!(received, ["to all", "to all", "to all", "to one"]);
    game.app.world_mut().despawn(own);
    game.frames(5);
    let world = game.app.world_mut();
    assert_eq!(world.query::<&HttpEventPeer>().iter(world).len(), 0);
    assert_eq!(world.resource::<Closed>().0, own_peers);
}

#[cfg(feature = "websocket")]
#[test]
fn a_web_socket_of_a_client_is_an_entity() {
    use bevy_httpoll::httpoll::server::websocket::Options as Accept;
    use bevy_httpoll::httpoll::websocket::WebSocketMessage;
    #[derive(Resource, Default)]
    struct ReceivedMessages(Vec<WebSocketMessage>);
    let (mut game, server) = serving(HttpServer::bind(ADDRESS));
    game.app.init_resource::<ReceivedMessages>();
    game.app
        .world_mut()
        .entity_mut(server)
        .observe(|asked: On<HttpRequestReceived>, mut commands: Commands| {
            commands.accept_socket(asked.request, Accept::default());
        })
        .observe(
            |said: On<HttpPeerMessage>, mut peers: Query<&mut HttpSocketPeer>| -> Result {
                peers.get_mut(said.peer)?.send(said.message.clone())?;
                Ok(())
            },
        );
    game.app.add_observer(
        |on: On<HttpWebSocketMessage>, mut received: ResMut<ReceivedMessages>| {
            received.0.push(on.message.clone());
        },
    );
    let client = game.spawn((
        HttpRequest::get(url("/")),
        HttpStream::WebSocket(HttpWebSocket::default()),
    ));
    game.app.world_mut().entity_mut(client).observe(
        |open: On<HttpWebSocketOpened>, mut commands: Commands| {
            commands.trigger(SendWebSocketMessage {
                request: open.request,
                message: WebSocketMessage::Text("echo".into()),
            });
        },
    );
    game.until(|world| !world.resource::<ReceivedMessages>().0.is_empty());
    assert_eq!(
        game.app.world().resource::<ReceivedMessages>().0,
        [WebSocketMessage::Text("echo".into())]
    );
    #[derive(Resource, Default)]
    struct Closed(Vec<Entity>);
    game.app.init_resource::<Closed>().add_observer(
        |on: On<HttpPeerClosed>, mut closed: ResMut<Closed>| {
            if on.entity == on.peer {
                closed.0.push(on.peer);
            }
        },
    );
    let peers = game.app.world().get::<Serving>(server).unwrap();
    let peers = peers.entities().to_vec();
    game.app.world_mut().despawn(client);
    game.frames(5);
    let world = game.app.world_mut();
    assert_eq!(world.query::<&HttpSocketPeer>().iter(world).len(), 0);
    assert_eq!(world.resource::<Closed>().0, peers);
    // A request that is not a WebSocket handshake gets an error status.
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    let status = game.log().responses[0].1;
    assert!((400..500).contains(&status), "{status}");
    let serving = game.app.world().get::<Serving>(server);
    assert!(serving.is_none_or(|it| it.entities().is_empty()));
}

#[test]
fn an_app_that_drains_responds_to_its_own_requests() {
    use bevy_app::{App, AppExit};
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        on_exit: HttpOnExit::Drain(crate::support::TIME_LIMIT),
        ..unhurried()
    });
    crate::support::log_events(&mut app);
    app.world_mut()
        .spawn(HttpServer::bind("127.0.0.1:0").with(|server| {
            server.route(
                "GET",
                "/",
                |_: &mut bevy_httpoll::httpoll::server::Request| Response::text("hi"),
            )?;
            Ok(())
        }))
        .observe(|started: On<HttpServerStarted>, mut http: Http| {
            let url = format!("http://{}/", started.address);
            // The last frame sends the second.
            http.get(&url)
                .on_response(move |_: On<HttpResponse>, mut http: Http| {
                    http.get(&url);
                });
        });
    app.world_mut().write_message(AppExit::Success);
    app.update();
    let seen = app.world().resource::<crate::support::EventLog>();
    assert_eq!(seen.responses.len(), 2, "{seen:?}");
}

/// An app on loopback with a server whose route `/` responds with this text.
fn app_with_server(server: HttpServer) -> (bevy_app::App, Entity) {
    let mut app = bevy_app::App::new();
    app.add_plugins(unhurried());
    crate::support::log_events(&mut app);
    let entity = app.world_mut().spawn(server).id();
    app.update();
    (app, entity)
}

fn server_with_text(address: impl Into<String>, text: &'static str) -> HttpServer {
    HttpServer::bind(address).with(move |server| {
        server.route(
            "GET",
            "/",
            move |_: &mut bevy_httpoll::httpoll::server::Request| Response::text(text),
        )?;
        Ok(())
    })
}

fn address(app: &bevy_app::App, entity: Entity) -> std::net::SocketAddr {
    app.world().get::<HttpServing>(entity).unwrap().local_addr()
}

fn fetch(app: &mut bevy_app::App, address: std::net::SocketAddr) -> String {
    let request = HttpRequest::get(format!("http://{address}/"));
    let entity = app.world_mut().spawn(request).id();
    let mut text = None;
    while text.is_none() {
        crate::support::until(app, |world| {
            let log = world.resource::<crate::support::EventLog>();
            log.responses.iter().any(|it| it.0 == entity) || !log.errors.is_empty()
        });
        let log = app.world().resource::<crate::support::EventLog>();
        assert!(log.errors.is_empty(), "{log:?}");
        text = log.responses.iter().find(|it| it.0 == entity).cloned();
    }
    text.unwrap().2
}

#[test]
fn replacing_a_server_at_the_same_address_keeps_its_listener() {
    let (mut app, entity) = app_with_server(server_with_text("127.0.0.1:0", "old"));
    let listening = address(&app, entity);
    assert_eq!(fetch(&mut app, listening), "old");
    // The address as it was given, and as it turned out to be.
    for (address_given, text) in [
        ("127.0.0.1:0".to_owned(), "new"),
        (listening.to_string(), "newer"),
    ] {
        // A client that connects while nothing accepts is served by the new server.
        let waiting = std::net::TcpStream::connect(listening).unwrap();
        app.world_mut()
            .entity_mut(entity)
            .insert(server_with_text(address_given, text));
        app.update();
        assert_eq!(address(&app, entity), listening);
        assert_eq!(fetch(&mut app, listening), text);
        assert_eq!(waiting.take_error().unwrap().map(|it| it.to_string()), None);
    }
}

#[test]
fn a_replacement_that_fails_leaves_the_old_server_running() {
    #[derive(Resource, Default)]
    struct Failures(usize);
    let (mut app, entity) = app_with_server(server_with_text("127.0.0.1:0", "old"));
    app.init_resource::<Failures>()
        .add_observer(|_: On<HttpServerFailed>, mut failures: ResMut<Failures>| failures.0 += 1);
    let listening = address(&app, entity);
    for replacement in [
        HttpServer::bind("not an address"),
        HttpServer::bind("127.0.0.1:0").with(|server| {
            // An invalid pattern.
            server.route(
                "GET",
                "no slash",
                |_: &mut bevy_httpoll::httpoll::server::Request| Response::text("new"),
            )?;
            Ok(())
        }),
    ] {
        app.world_mut().entity_mut(entity).insert(replacement);
        app.update();
        assert_eq!(fetch(&mut app, listening), "old");
        assert!(app.world().resource::<HttpAgent>().needs_frames());
    }
    assert_eq!(app.world().resource::<Failures>().0, 2);
}

#[test]
fn removing_the_component_stops_the_server() {
    let (mut app, entity) = app_with_server(server_with_text("127.0.0.1:0", "old"));
    let listening = address(&app, entity);
    app.world_mut().entity_mut(entity).remove::<HttpServer>();
    assert!(app.world().get::<HttpServing>(entity).is_none());
    let refused = std::net::TcpStream::connect(listening).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // In memory, too, where replacing it works the same way.
    let (mut game, entity) = serving(server_with_text(ADDRESS, "old"));
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(server_with_text(ADDRESS, "new"));
    game.frame();
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].2, "new");
    // At another address it does not keep the first.
    let elsewhere = "10.0.0.8:80";
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(server_with_text(elsewhere, "elsewhere"));
    game.frame();
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(2);
    assert_eq!(game.log().errors.len(), 1);
    game.spawn(HttpRequest::get(format!("http://{elsewhere}/")));
    game.until_finished(3);
    assert_eq!(game.log().responses[1].2, "elsewhere");
    game.app
        .world_mut()
        .entity_mut(entity)
        .remove::<HttpServer>();
    game.spawn(HttpRequest::get(format!("http://{elsewhere}/")));
    game.until_finished(4);
    assert_eq!(game.log().errors.len(), 2);
}
