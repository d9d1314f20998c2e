//! WebSockets that open again, with a virtual clock.

#![cfg(all(feature = "server", feature = "websocket"))]
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::ErrorKind;
use bevy_httpoll::httpoll::error::WebSocketFault;
use bevy_httpoll::httpoll::server::websocket::{Options, WebSocket};
use bevy_httpoll::httpoll::server::{NotFoundPolicy, Request, Response, Server};
use bevy_httpoll::httpoll::websocket::{WebSocketMessage, close_code};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Game};

const SECOND: Duration = Duration::from_secs(1);

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 7], 80))
}

fn stream() -> HttpStream {
    HttpStream::WebSocket(HttpWebSocket::default())
}

fn regular() -> HttpReconnect {
    HttpReconnect {
        delay: SECOND,
        longest: 8 * SECOND,
        jitter: 0.0,
        attempts: None,
    }
}

/// A game with one WebSocket to a server that can go away and return.
struct Lobby {
    game: Game,
    server: Option<Server>,
    sockets: Vec<WebSocket>,
    client: Entity,
    /// When each attempt after the first began.
    attempts: Arc<Mutex<Vec<Instant>>>,
    opened: Arc<Mutex<usize>>,
}

impl Lobby {
    fn new(components: impl Bundle) -> Self {
        let mut game = Game::new();
        let (attempts, opened) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<_>>::default());
        let (begun, count) = (Arc::clone(&attempts), Arc::clone(&opened));
        let network = game.network.clone();
        let client = game.spawn((HttpRequest::get(format!("ws://{}/", address())), components));
        game.app
            .world_mut()
            .entity_mut(client)
            .observe(move |on: On<HttpPhaseChanged>| {
                if (on.from, on.to) == (HttpPhase::AwaitRetry, HttpPhase::Queue) {
                    begun.lock().unwrap().push(network.now());
                }
            })
            .observe(move |_: On<HttpWebSocketOpened>| *count.lock().unwrap() += 1);
        let mut lobby = Self {
            game,
            server: None,
            sockets: Vec::new(),
            client,
            attempts,
            opened,
        };
        lobby.start_server();
        lobby
    }

    fn start_server(&mut self) {
        let builder = Server::builder().not_found(NotFoundPolicy::Pull);
        let server = builder.on_memory(&self.game.network, address()).unwrap();
        self.server = Some(server);
    }

    fn stop_server(&mut self) {
        self.sockets.clear();
        self.server = None;
    }

    fn frame(&mut self) {
        self.game.frame();
        if let Some(server) = &mut self.server {
            server.poll().unwrap();
            while let Some(mut request) = server.next_request() {
                let socket = request.accept_websocket(Options::default()).unwrap();
                self.sockets.push(socket);
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.game.network.now() + time;
        while self.game.network.now() < end {
            self.frame();
        }
    }

    fn until_opened(&mut self, sessions: usize) {
        for _ in 0..5_000 {
            if *self.opened.lock().unwrap() == sessions {
                return;
            }
            self.frame();
        }
        unreachable!("{:?}", self.game.log());
    }

    /// The attempts since `start`, in whole seconds after it.
    fn attempts_since(&self, start: Instant) -> Vec<u64> {
        let attempts = self.attempts.lock().unwrap();
        let since = attempts
            .iter()
            .filter_map(|at| at.checked_duration_since(start));
        // An attempt begins with the next frame.
        since
            .map(|time| time.as_secs_f32().round() as u64)
            .collect()
    }

    fn phase(&self) -> Option<HttpPhase> {
        self.game.app.world().get::<HttpPhase>(self.client).copied()
    }
}

#[test]
fn a_web_socket_reconnects_and_a_session_resets_the_backoff() {
    let mut lobby = Lobby::new((stream(), regular()));
    lobby.until_opened(1);
    let lost = lobby.game.network.now();
    lobby.stop_server();
    lobby
        .game
        .app
        .world_mut()
        .resource_mut::<EventLog>()
        .phases
        .clear();
    lobby.run(20 * SECOND);
    assert_eq!(lobby.attempts_since(lost), [1, 2, 4, 8, 16]);
    assert_eq!(lobby.phase(), Some(HttpPhase::AwaitRetry));
    let entered = lobby.game.log().phases.iter();
    let entered = entered.filter(|(_, _, to)| *to == HttpPhase::AwaitRetry);
    assert_eq!(entered.count(), 6, "after the session and each attempt");
    let errors = lobby.game.log().errors.len();
    assert_eq!(
        errors,
        6,
        "the session and each attempt: {:?}",
        lobby.game.log()
    );

    lobby.start_server();
    lobby.until_opened(2);
    let lost = lobby.game.network.now();
    lobby.stop_server();
    lobby.run(5 * SECOND);
    assert_eq!(lobby.attempts_since(lost), [1, 2, 4]);
}

#[test]
fn a_session_that_the_server_closes_is_followed_by_the_next() {
    let mut lobby = Lobby::new((stream(), regular()));
    for session in 1..4 {
        lobby.until_opened(session);
        lobby.frame();
        let mut socket = lobby.sockets.pop().unwrap();
        socket.close(close_code::GOING_AWAY, "restart");
        lobby.run(SECOND / 2);
        assert_eq!(lobby.phase(), Some(HttpPhase::AwaitRetry));
        assert_eq!(lobby.game.log().responses.len(), session);
    }
    assert!(lobby.game.log().errors.is_empty());
}

#[test]
fn messages_go_to_the_session_that_is_open() {
    let mut lobby = Lobby::new((stream(), regular()));
    lobby.until_opened(1);
    lobby.stop_server();
    lobby.run(SECOND / 2);
    let client = lobby.client;
    let hello = || WebSocketMessage::Text("hello".into());
    let mut http = lobby.game.app.world_mut().resource_mut::<HttpAgent>();
    let closed = http.send_message(client, hello()).unwrap_err();
    assert_eq!(
        *closed.kind(),
        ErrorKind::WebSocket(WebSocketFault::NotOpen)
    );
    lobby.start_server();
    lobby.until_opened(2);
    let mut http = lobby.game.app.world_mut().resource_mut::<HttpAgent>();
    http.send_message(client, hello()).unwrap();
    lobby.run(SECOND / 2);
    assert_eq!(lobby.sockets[0].receive(), Some(hello()));
}

#[test]
fn the_game_ends_it_by_closing_cancelling_or_removing() {
    type End = fn(&mut World, Entity);
    let ends: [(&str, End); 4] = [
        ("closing", |world, client| {
            world.trigger(SendWebSocketMessage {
                request: client,
                message: WebSocketMessage::Close(None),
            });
        }),
        ("cancelling", |world, client| {
            world.trigger(CancelHttp { request: client });
        }),
        ("removing", |world, client| {
            world.entity_mut(client).remove::<HttpReconnect>();
        }),
        ("despawning", |world, client| {
            world.despawn(client);
        }),
    ];
    for (name, end) in ends {
        let mut lobby = Lobby::new((stream(), regular()));
        lobby.until_opened(1);
        end(lobby.game.app.world_mut(), lobby.client);
        lobby.run(SECOND / 2);
        if name == "removing" {
            lobby.stop_server();
        }
        lobby.run(20 * SECOND);
        assert_eq!(*lobby.opened.lock().unwrap(), 1, "{name}");
        assert!(!lobby.game.exists(lobby.client), "{name}");
        assert!(lobby.game.agent().is_idle(), "{name}");
    }
}

#[test]
fn between_two_sessions_it_can_be_cancelled_removed_and_paused() {
    for name in ["cancel", "remove", "pause", "close"] {
        let mut lobby = Lobby::new((stream(), regular()));
        lobby.until_opened(1);
        lobby.stop_server();
        lobby.run(SECOND / 2);
        lobby.start_server();
        let client = lobby.client;
        let world = lobby.game.app.world_mut();
        match name {
            "cancel" => world.trigger(CancelHttp { request: client }),
            "remove" => {
                world.entity_mut(client).remove::<HttpReconnect>();
            }
            "close" => world.trigger(SendWebSocketMessage {
                request: client,
                message: WebSocketMessage::Close(None),
            }),
            _ => {
                world.entity_mut(client).insert(HttpPaused);
            }
        }
        lobby.run(20 * SECOND);
        assert_eq!(*lobby.opened.lock().unwrap(), 1, "{name}");
        assert_eq!(lobby.game.exists(client), name == "pause", "{name}");
        if name == "pause" {
            let world = lobby.game.app.world_mut();
            world.entity_mut(client).remove::<HttpPaused>();
            lobby.until_opened(2);
        }
    }
}

#[test]
fn while_a_session_is_being_opened_it_can_be_closed_and_nothing_else_is_sent() {
    let mut lobby = Lobby::new((stream(), regular()));
    let client = lobby.client;
    lobby.game.frame();
    let mut http = lobby.game.app.world_mut().resource_mut::<HttpAgent>();
    let early = http.send_message(client, WebSocketMessage::Text("early".into()));
    assert_eq!(
        *early.unwrap_err().kind(),
        ErrorKind::WebSocket(WebSocketFault::NotOpen)
    );
    let close = WebSocketMessage::Close(None);
    http.send_message(client, close).unwrap();
    lobby.run(20 * SECOND);
    assert_eq!(*lobby.opened.lock().unwrap(), 1);
    assert!(!lobby.game.exists(client), "{:?}", lobby.game.log());
    assert!(lobby.game.agent().is_idle());
}

#[test]
fn it_gives_up_after_the_attempts_that_it_may_make() {
    let limited = HttpReconnect {
        attempts: Some(3),
        ..regular()
    };
    let mut lobby = Lobby::new((stream(), limited));
    lobby.until_opened(1);
    lobby.stop_server();
    lobby.run(60 * SECOND);
    assert!(!lobby.game.exists(lobby.client));
    assert_eq!(lobby.game.log().errors.len(), 1 + 3);
}

#[test]
fn an_invalid_request_is_not_repeated() {
    let mut game = Game::new();
    let client = game.spawn((HttpRequest::get("no url"), stream(), regular()));
    game.frames(500);
    assert_eq!(game.log().errors.len(), 1);
    assert!(!game.exists(client));
}

#[test]
fn a_server_that_refuses_is_left_alone_as_long_as_it_asks() {
    let mut lobby = Lobby::new((stream(), regular()));
    let server = lobby.server.as_mut().unwrap();
    server
        .route("GET", "/", |_: &mut Request| {
            Response::status(503).with_header("Retry-After", "7")
        })
        .unwrap();
    let start = lobby.game.network.now();
    lobby.run(10 * SECOND);
    assert_eq!(lobby.attempts_since(start), [7]);
    assert_eq!(*lobby.opened.lock().unwrap(), 0);
}

#[test]
fn without_the_component_a_web_socket_ends() {
    let mut lobby = Lobby::new(stream());
    lobby.until_opened(1);
    lobby.stop_server();
    lobby.run(5 * SECOND);
    assert!(!lobby.game.exists(lobby.client));
}

#[test]
fn other_requests_ignore_it() {
    use bevy_httpoll::httpoll::mock::MockResponse;
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let request = HttpRequest::get(crate::support::url("/"));
    let entity = game.spawn((request, regular()));
    game.until_finished(1);
    game.frames(200);
    assert!(!game.exists(entity));
    assert_eq!(game.log().responses.len(), 1);
}

#[test]
fn a_web_socket_opens_again_after_an_hour_in_the_background() {
    for is_suspended in [false, true] {
        let mut lobby = Lobby::new((stream(), regular()));
        lobby.until_opened(1);
        if is_suspended {
            let world = lobby.game.app.world_mut();
            world.resource_mut::<HttpAgent>().suspend(Duration::ZERO);
            lobby.frame();
        }
        // Its server gives it up meanwhile.
        lobby.stop_server();
        lobby.game.network.advance(SECOND * 3600);
        lobby.start_server();
        let back = lobby.game.network.now();
        lobby
            .game
            .app
            .world_mut()
            .resource_mut::<HttpAgent>()
            .resume_all();
        lobby.until_opened(2);
        let after = lobby.game.network.now() - back;
        assert!(after < SECOND * 3 / 2, "{is_suspended} {after:?}");
        assert_eq!(lobby.game.log().errors.len(), 1, "{:?}", lobby.game.log());
        lobby.run(5 * SECOND);
        assert_eq!(*lobby.opened.lock().unwrap(), 2);
    }
}

#[test]
fn a_close_frame_for_what_is_no_open_web_socket_is_an_error_and_ends_nothing() {
    let mut game = Game::new();
    let slow = bevy_httpoll::httpoll::mock::MockResponse::ok().delay(SECOND);
    let _rules = [game.server.get("/slow").reply(slow)];
    let request = || HttpRequest::get("http://game.example/slow");
    let running = game.spawn((request(), KeepRequest));
    let repeated = game.spawn((request(), HttpRepeat::every(2 * SECOND)));
    let close = |game: &mut Game, request| {
        let mut http = game.app.world_mut().resource_mut::<HttpAgent>();
        let sent = http.send_message(request, WebSocketMessage::Close(None));
        let not_open = ErrorKind::WebSocket(WebSocketFault::NotOpen);
        assert_eq!(*sent.unwrap_err().kind(), not_open);
    };
    game.frames(3);
    close(&mut game, running);
    game.until_finished(2);
    game.frame();
    close(&mut game, running);
    close(&mut game, repeated);
    game.until_finished(3);
    assert_eq!(game.log().responses.len(), 3);
    let nothing = game.spawn(());
    close(&mut game, nothing);
}
