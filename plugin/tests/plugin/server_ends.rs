//! The end of servers, of their requests and of their peers, and requests that nothing responds to.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bevy_app::{App, AppExit, Update};
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::server::Response;
use bevy_httpoll::prelude::*;

use crate::support::{FRAME, Game, log_events, unhurried, until};

const ADDRESS: &str = "10.0.0.7:80";

fn url(path: &str) -> String {
    format!("http://{ADDRESS}{path}")
}

/// A game with a listening server.
fn serving() -> (Game, Entity) {
    let mut game = Game::new();
    let entity = game.spawn(HttpServer::bind(ADDRESS));
    game.until(|world| world.get::<HttpServing>(entity).is_some());
    (game, entity)
}

/// Asks the server of the game, and returns the status and after how many frames it came.
fn ask(game: &mut Game, path: &str) -> (u16, usize) {
    let before = game.log().responses.len();
    game.spawn(HttpRequest::get(url(path)));
    let frames = game.until(|world| {
        let log = world.resource::<crate::support::EventLog>();
        log.responses.len() > before
    });
    (game.log().responses[before].1, frames)
}

const QUARTER: usize = 250 / FRAME.as_millis() as usize;

#[test]
fn a_server_on_a_disabled_entity_starts_when_it_is_enabled() {
    let mut game = Game::new();
    let server = game.spawn((HttpServer::bind(ADDRESS), Disabled));
    game.frames(3);
    assert!(game.app.world().get::<HttpServing>(server).is_none());
    game.app.world_mut().entity_mut(server).remove::<Disabled>();
    game.frames(2);
    assert!(game.app.world().get::<HttpServing>(server).is_some());
}

#[test]
fn a_server_that_was_spawned_before_the_plugin_starts() {
    let mut app = App::new();
    let server = app.world_mut().spawn(HttpServer::bind("127.0.0.1:0")).id();
    app.add_plugins(unhurried());
    log_events(&mut app);
    assert!(app.world().resource::<HttpAgent>().needs_frames());
    until(&mut app, |world| world.get::<HttpServing>(server).is_some());
}

#[test]
fn a_request_that_nothing_sees_gets_404_after_a_moment() {
    let (mut game, _) = serving();
    game.frame();
    let entities = game.entities();
    let (status, frames) = ask(&mut game, "/favicon.ico");
    assert_eq!(status, 404);
    assert!((QUARTER..QUARTER + 8).contains(&frames), "{frames}");
    game.frame();
    assert_eq!(game.entities(), entities);
}

#[test]
fn a_request_is_left_to_the_systems_for_three_frames_however_long_these_are() {
    let (mut game, server) = serving();
    game.spawn(HttpRequest::get(url("/")));
    game.until(|world| world.get::<Serving>(server).is_some());
    let request = game.app.world().get::<Serving>(server).unwrap().entities()[0];
    for _ in 0..2 {
        game.network.advance(Duration::from_secs(1));
        game.app.update();
        assert!(game.exists(request));
    }
    game.network.advance(Duration::from_secs(1));
    game.app.update();
    assert!(!game.exists(request));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 404);
}

#[test]
fn a_system_without_observers_may_respond_at_once() {
    let (mut game, _) = serving();
    game.app.add_systems(
        Update,
        |requests: Query<Entity, With<HttpServerRequest>>, mut commands: Commands| {
            for request in &requests {
                commands.respond(request, Response::text("from a system"));
            }
        },
    );
    let (status, frames) = ask(&mut game, "/");
    assert_eq!(status, 200);
    assert!(frames < 8, "{frames}");
}

/// Asks, does this to the request's entity, and responds two seconds later.
fn responds_late(claim: impl FnOnce(&mut World, Entity)) {
    let (mut game, server) = serving();
    game.spawn(HttpRequest::get(url("/late")));
    game.until(|world| world.get::<Serving>(server).is_some());
    let request = game.app.world().get::<Serving>(server).unwrap().entities()[0];
    claim(game.app.world_mut(), request);
    game.frames(2 * 8 * QUARTER);
    assert!(game.log().responses.is_empty(), "{:?}", game.log());
    let world = game.app.world_mut();
    let received = world.get_entity_mut(request).unwrap();
    assert!(received.contains::<HttpServerRequest>());
    world.commands().respond(request, Response::text("late"));
    world.flush();
    game.until_finished(1);
    assert_eq!(game.log().responses[0].2, "late");
}

#[derive(Component)]
struct BeingLookedUp;

#[test]
fn a_request_that_something_claims_is_left_to_it() {
    responds_late(|world, request| {
        world.entity_mut(request).insert(BeingLookedUp);
    });
    responds_late(|world, request| {
        world
            .get_mut::<HttpServerRequest>(request)
            .unwrap()
            .set_changed();
    });
    responds_late(|world, request| {
        let server = world.get::<ServedBy>(request).unwrap().0;
        let mut server = world.entity_mut(server);
        server.observe(|_: On<HttpRequestReceived>| {});
    });
    responds_late(|world, _| {
        world.add_observer(|_: On<HttpRequestReceived>| {});
    });
}

#[derive(Resource, Default)]
struct Aborted(Vec<Entity>);

#[test]
fn removing_a_server_refuses_the_requests_that_wait() {
    let ends: [fn(&mut World, Entity); 3] = [
        |world, server| {
            world.despawn(server);
        },
        |world, server| {
            world.entity_mut(server).remove::<HttpServer>();
        },
        |world, server| {
            let other = HttpServer::bind(ADDRESS);
            world.entity_mut(server).insert(other);
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (mut game, server) = serving();
        game.app
            .init_resource::<Aborted>()
            .add_observer(|on: On<HttpRequestAborted>, mut aborted: ResMut<Aborted>| {
                if on.entity == on.request {
                    aborted.0.push(on.request);
                }
            })
            .add_observer(|_: On<HttpRequestReceived>| {});
        game.frame();
        let entities = game.entities();
        game.spawn(HttpRequest::get(url("/")));
        game.until(|world| world.get::<Serving>(server).is_some());
        end(game.app.world_mut(), server);
        game.until_finished(1);
        game.frames(3);
        let log = game.log();
        assert_eq!((log.responses[0].1, log.errors.len()), (503, 0), "{number}");
        let aborted = &game.app.world().resource::<Aborted>().0;
        // Requests are despawned with the entity of their server.
        assert_eq!(aborted.len(), usize::from(number != 0), "{number}");
        let gone = u32::from(number == 0);
        assert_eq!(game.entities(), entities - gone, "{number}");
    }
}

/// A connection to the server of an app, and the request that was sent over it.
fn connect(address: SocketAddr, fields: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_last_frame_tells_every_client_of_a_server() {
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        // The second pump of the last frame does nothing.
        budget: Budget::frame(Duration::ZERO),
        ..unhurried()
    });
    log_events(&mut app);
    app.add_observer(
        |on: On<HttpRequestReceived>,
         requests: Query<&HttpServerRequest>,
         mut commands: Commands|
         -> Result {
            match requests.get(on.request)?.path() {
                "/events" => commands.stream_events(on.request),
                #[cfg(feature = "websocket")]
                "/socket" => commands.accept_socket(on.request, <_>::default()),
                _ => {}
            }
            Ok(())
        },
    );
    let server = app.world_mut().spawn(HttpServer::bind("127.0.0.1:0")).id();
    until(&mut app, |world| world.get::<HttpServing>(server).is_some());
    let address = app.world().get::<HttpServing>(server).unwrap().local_addr();
    let responded = connect(address, "", "/responded");
    let waiting = connect(address, "", "/waiting");
    let events = connect(address, "", "/events");
    #[cfg(feature = "websocket")]
    let socket = connect(
        address,
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "/socket",
    );
    #[cfg(not(feature = "websocket"))]
    let _ = connect(address, "", "/nothing");
    until(&mut app, |world| {
        let serving = world.get::<Serving>(server);
        let is_streamed = |peer: &Entity| world.get::<HttpEventPeer>(*peer).is_some();
        serving.is_some_and(|it| it.entities().len() == 4 && it.entities().iter().any(is_streamed))
    });
    let world = app.world_mut();
    let mut requests = world.query::<(Entity, &HttpServerRequest)>();
    let (request, _) = requests
        .iter(world)
        .find(|(_, request)| request.path() == "/responded")
        .unwrap();
    world.commands().respond(request, Response::text("bye"));
    world.write_message(AppExit::Success);
    app.update();
    drop(app);
    let text = |stream| String::from_utf8(rest(stream)).unwrap();
    let responded = text(responded);
    assert!(responded.ends_with("\r\n\r\nbye"), "{responded}");
    let waiting = text(waiting);
    assert!(waiting.starts_with("HTTP/1.1 503 "), "{waiting}");
    let events = text(events);
    assert!(events.ends_with("\r\n0\r\n\r\n"), "{events}");
    #[cfg(feature = "websocket")]
    {
        let socket = rest(socket);
        // A close frame with code 1001.
        assert!(socket.ends_with(b"\r\n\r\n\x88\x02\x03\xe9"), "{socket:?}");
    }
}

#[test]
fn the_last_frame_ends_although_a_client_never_sends_the_rest_of_its_request() {
    let mut app = App::new();
    app.add_plugins(unhurried());
    log_events(&mut app);
    let server = app.world_mut().spawn(HttpServer::bind("127.0.0.1:0")).id();
    until(&mut app, |world| world.get::<HttpServing>(server).is_some());
    let address = app.world().get::<HttpServing>(server).unwrap().local_addr();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf")
        .unwrap();
    until(&mut app, |world| {
        let serving = world.get::<HttpServing>(server).unwrap();
        serving.metrics().bytes_received > 0
    });
    app.world_mut().write_message(AppExit::Success);
    let began = std::time::Instant::now();
    app.update();
    assert!(began.elapsed() < crate::support::TIME_LIMIT / 2);
}

#[cfg(feature = "websocket")]
mod sockets {
    use bevy_httpoll::httpoll::server::websocket::Options;
    use bevy_httpoll::httpoll::server::{NotFoundPolicy, Server};

    use super::*;

    fn client(game: &mut Game) -> Entity {
        let stream = HttpStream::WebSocket(HttpWebSocket::default());
        game.spawn((HttpRequest::get(format!("ws://{ADDRESS}/")), stream))
    }

    #[test]
    fn a_peer_that_its_observer_despawns_gets_no_further_event() {
        #[derive(Resource, Default)]
        struct Heard(Vec<String>);
        let (mut game, _) = serving();
        game.app
            .init_resource::<Heard>()
            .add_observer(|on: On<HttpRequestReceived>, mut commands: Commands| {
                commands.accept_socket(on.request, Options::default());
            })
            .add_observer(
                |on: On<HttpPeerMessage>,
                 peers: Query<&HttpSocketPeer>,
                 mut heard: ResMut<Heard>,
                 mut commands: Commands|
                 -> Result {
                    peers.get(on.peer)?;
                    if on.entity == on.peer {
                        heard.0.push(format!("{:?}", on.message));
                        commands.entity(on.peer).despawn();
                    }
                    Ok(())
                },
            )
            .add_observer(|on: On<HttpPeerClosed>, mut heard: ResMut<Heard>| {
                heard.0.push(format!("closed {}", on.peer));
            })
            .add_observer(
                |on: On<HttpWebSocketOpened>, mut http: ResMut<HttpAgent>| -> Result {
                    for text in ["first", "second", "third"] {
                        http.send_message(on.request, text.into())?;
                    }
                    Ok(())
                },
            );
        client(&mut game);
        game.until_finished(1);
        game.frames(3);
        let heard = &game.app.world().resource::<Heard>().0;
        assert_eq!(heard, &[r#"Text("first")"#]);
    }

    #[test]
    fn a_server_learns_that_the_game_left_its_web_socket() {
        let leave: [fn(&mut Game, Entity); 3] = [
            |game, client| {
                game.app.world_mut().despawn(client);
            },
            |game, client| game.app.world_mut().trigger(CancelHttp { request: client }),
            |game, _| {
                game.app.world_mut().write_message(AppExit::Success);
                game.app.update();
            },
        ];
        for (number, leave) in leave.into_iter().enumerate() {
            let mut game = Game::new();
            let server = Server::builder().not_found(NotFoundPolicy::Pull);
            let address = ADDRESS.parse().unwrap();
            let mut server = server.on_memory(&game.network, address).unwrap();
            let client = client(&mut game);
            let mut socket = None;
            while socket.is_none() {
                game.frame();
                server.poll().unwrap();
                let request = server.next_request();
                socket = request.map(|mut it| it.accept_websocket(Options::default()).unwrap());
            }
            game.frames(2);
            server.poll().unwrap();
            game.frames(2);
            leave(&mut game, client);
            server.poll().unwrap();
            let frame = socket.unwrap().close_frame().unwrap();
            assert_eq!(frame.code, 1001, "{number}");
        }
    }
}
