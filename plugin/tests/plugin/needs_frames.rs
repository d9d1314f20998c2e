//! When a reactive app must run frames, and when it may sleep: one row for each thing that can be under way.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_app::{App, Update};
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::HttpClient;
use bevy_httpoll::httpoll::mock::{MockResponse, MockStream};
use bevy_httpoll::prelude::*;

use crate::support::{Folder, Game, unhurried, until, url};

const MINUTE: Duration = Duration::from_secs(60);

/// Whether a frame is needed, at the end of a frame. Both methods and both run conditions agree.
fn needs_frames(game: &mut Game) -> bool {
    let needed = game.agent().needs_frames();
    assert_eq!(game.agent().is_idle(), !needed);
    let idle = game.app.world_mut().run_system_cached(http_idle).unwrap();
    assert_eq!(idle, !needed);
    let in_flight = game.app.world_mut().run_system_cached(http_in_flight);
    assert_eq!(in_flight.unwrap(), game.agent().in_flight() > 0);
    needed
}

fn every_minute() -> HttpRepeat {
    HttpRepeat::every(MINUTE)
}

fn despawn(world: &mut World, entity: Entity) {
    world.despawn(entity);
}

/// One thing: how it begins, whether it needs frames a few frames later, and how it ends.
struct Row {
    name: &'static str,
    begin: fn(&mut World) -> Entity,
    is_needed: bool,
    end: fn(&mut World, Entity),
}

const ROWS: &[Row] = &[
    Row {
        name: "a request that waits for its response",
        begin: |world| world.spawn(HttpRequest::get(url("/never"))).id(),
        is_needed: true,
        end: despawn,
    },
    Row {
        name: "a request that is cancelled",
        begin: |world| world.spawn(HttpRequest::get(url("/never"))).id(),
        is_needed: true,
        end: |world, entity| world.trigger(CancelHttp { request: entity }),
    },
    Row {
        name: "a request that has finished and is kept",
        begin: |world| {
            let request = HttpRequest::get(url("/"));
            world.spawn((request, KeepRequest)).id()
        },
        is_needed: false,
        end: despawn,
    },
    Row {
        name: "a loop between two rounds",
        begin: |world| {
            let request = HttpRequest::get(url("/"));
            world.spawn((request, every_minute())).id()
        },
        is_needed: true,
        end: despawn,
    },
    Row {
        name: "a loop that is cancelled between two rounds",
        begin: |world| {
            let request = HttpRequest::get(url("/"));
            world.spawn((request, every_minute())).id()
        },
        is_needed: true,
        end: |world, entity| world.trigger(CancelHttp { request: entity }),
    },
    Row {
        name: "a loop that HttpRepeat pauses",
        begin: |world| {
            let paused = HttpRepeat {
                paused: true,
                ..every_minute()
            };
            world.spawn((HttpRequest::get(url("/")), paused)).id()
        },
        is_needed: false,
        end: despawn,
    },
    Row {
        name: "a request that is paused before it is sent",
        begin: |world| world.spawn((HttpRequest::get(url("/")), HttpPaused)).id(),
        is_needed: false,
        end: |world, entity| {
            world.entity_mut(entity).remove::<HttpPaused>();
        },
    },
    Row {
        name: "a request of a disabled entity",
        begin: |world| world.spawn((HttpRequest::get(url("/")), Disabled)).id(),
        is_needed: false,
        end: despawn,
    },
    Row {
        name: "a request that waits for its retry",
        begin: |world| {
            let retry = HttpRetry {
                base_delay: MINUTE / 6,
                max_delay: MINUTE,
                jitter: false,
                ..HttpRetry::default()
            };
            world.spawn((HttpRequest::get(url("/busy")), retry)).id()
        },
        is_needed: true,
        end: despawn,
    },
    Row {
        name: "an event stream",
        begin: |world| {
            let request = HttpRequest::get(url("/events"));
            world.spawn((request, HttpStream::ServerSentEvents)).id()
        },
        is_needed: true,
        end: despawn,
    },
    Row {
        name: "a node that was never connected",
        begin: |world| world.spawn(HttpClientNode::default()).id(),
        is_needed: false,
        end: despawn,
    },
    #[cfg(feature = "server")]
    Row {
        name: "a server that listens",
        begin: |world| world.spawn(HttpServer::bind("10.0.0.7:80")).id(),
        is_needed: true,
        end: |world, entity| {
            world.entity_mut(entity).remove::<HttpServer>();
        },
    },
    #[cfg(feature = "server")]
    Row {
        name: "a server that is despawned",
        begin: |world| world.spawn(HttpServer::bind("10.0.0.7:80")).id(),
        is_needed: true,
        end: despawn,
    },
    #[cfg(feature = "server")]
    Row {
        name: "a server that could not listen",
        begin: |world| world.spawn(HttpServer::bind("no address")).id(),
        is_needed: false,
        end: despawn,
    },
];

#[test]
fn frames_are_needed_while_something_is_under_way_and_no_longer() {
    for row in ROWS {
        let mut game = Game::new();
        let events = MockStream::new();
        let _rules = [
            game.server.get("/").reply(MockResponse::ok()),
            game.server.get("/never").reply(MockResponse::ok().never()),
            game.server
                .get("/busy")
                .reply(MockResponse::with_status(503)),
            game.server.get("/events").reply(
                MockResponse::ok()
                    .header("Content-Type", "text/event-stream")
                    .stream(&events),
            ),
        ];
        game.frame();
        assert!(!needs_frames(&mut game), "{}: nothing yet", row.name);
        let entity = (row.begin)(game.app.world_mut());
        game.frames(8);
        assert_eq!(needs_frames(&mut game), row.is_needed, "{}", row.name);
        (row.end)(game.app.world_mut(), entity);
        game.frames(8);
        assert!(!needs_frames(&mut game), "{}: it is over", row.name);
    }
}

#[test]
fn what_is_spawned_needs_a_frame_at_once() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.frame();
    let entity = game.spawn(HttpRequest::get(url("/")));
    assert!(needs_frames(&mut game), "a request");
    game.app.world_mut().despawn(entity);
    assert!(!needs_frames(&mut game));
    #[cfg(feature = "server")]
    {
        let server = game.spawn(HttpServer::bind("10.0.0.7:80"));
        assert!(needs_frames(&mut game), "a server");
        game.app.world_mut().despawn(server);
        assert!(!needs_frames(&mut game));
    }
}

#[test]
fn an_error_that_is_known_at_once_needs_the_frame_that_reports_it() {
    let mut game = Game::new();
    let mut is_spawned = false;
    game.app.add_systems(Update, move |mut http: Http| {
        if !std::mem::replace(&mut is_spawned, true) {
            http.get("no url");
        }
    });
    game.frame();
    assert!(game.log().errors.is_empty());
    assert!(needs_frames(&mut game));
    game.frame();
    assert_eq!(game.log().errors.len(), 1);
    assert!(!needs_frames(&mut game));
}

#[test]
fn a_loop_that_is_paused_between_two_rounds_needs_frames_when_it_is_resumed() {
    type Change = fn(&mut EntityWorldMut, bool);
    let changes: [(&str, Change); 3] = [
        ("HttpRepeat", |entity, is_paused| {
            entity.get_mut::<HttpRepeat>().unwrap().paused = is_paused;
        }),
        ("HttpPaused", |entity, is_paused| {
            if is_paused {
                entity.insert(HttpPaused);
            } else {
                entity.remove::<HttpPaused>();
            }
        }),
        ("Disabled", |entity, is_paused| {
            if is_paused {
                entity.insert(Disabled);
            } else {
                entity.remove::<Disabled>();
            }
        }),
    ];
    for (name, change) in changes {
        let mut game = Game::new();
        let _rule = game.server.get("/").reply(MockResponse::ok());
        let entity = game.spawn((HttpRequest::get(url("/")), every_minute()));
        game.until_finished(1);
        game.frames(2);
        for is_paused in [true, false, true] {
            change(&mut game.app.world_mut().entity_mut(entity), is_paused);
            game.frame();
            assert_eq!(needs_frames(&mut game), !is_paused, "{name}");
        }
    }
}

#[test]
fn json_that_another_thread_parses_needs_the_frame_that_delivers_it() {
    #[derive(Resource, Default)]
    struct Delivered(bool);
    let mut game = Game::with(HttpollPlugin {
        json_off_frame: 0,
        ..unhurried()
    });
    let _rule = game.server.get("/").reply(MockResponse::ok().text("7"));
    game.app.init_resource::<Delivered>();
    game.app
        .world_mut()
        .spawn((HttpRequest::get(url("/")), KeepRequest))
        .on_json(|_: On<HttpJson<u32>>, mut delivered: ResMut<Delivered>| delivered.0 = true);
    while !game.app.world().resource::<Delivered>().0 {
        assert!(needs_frames(&mut game));
        game.frame();
        std::thread::yield_now();
    }
    assert!(!needs_frames(&mut game));
}

#[test]
fn a_download_needs_frames_until_its_file_is_there() {
    let folder = Folder::new("needs-frames");
    let file = folder.path("pack");
    let server = crate::support::echo();
    let mut app = App::new();
    app.add_plugins(unhurried());
    crate::support::log_events(&mut app);
    app.world_mut().spawn((
        HttpRequest::get(format!("http://{server}/content")),
        HttpDownload::to(&file),
    ));
    let path = file.clone();
    until(&mut app, move |world| {
        let is_over = !world
            .resource::<crate::support::EventLog>()
            .responses
            .is_empty();
        assert!(is_over || world.resource::<HttpAgent>().needs_frames());
        is_over && path.exists()
    });
    app.update();
    assert!(app.world().resource::<HttpAgent>().is_idle());
}

#[test]
fn a_node_needs_frames_from_connecting_to_closing() {
    let mut game = Game::new();
    let client = HttpClient::on_memory(&game.network);
    let node = game.spawn(HttpClientNode::new(client));
    let mut client = game
        .app
        .world_mut()
        .get_mut::<HttpClientNode>(node)
        .unwrap();
    client.connect_to_host("game.example", -1, None).unwrap();
    for _ in 0..5 {
        game.frame();
        assert!(needs_frames(&mut game));
    }
    let mut client = game
        .app
        .world_mut()
        .get_mut::<HttpClientNode>(node)
        .unwrap();
    assert_eq!(client.get_status(), Status::Connected);
    client.close();
    game.frame();
    assert!(!needs_frames(&mut game));
}

#[cfg(all(feature = "server", feature = "websocket"))]
#[test]
fn a_web_socket_needs_frames_while_it_is_open_and_between_two_sessions() {
    use bevy_httpoll::httpoll::server::websocket::Options;
    let mut game = Game::new();
    let server = game.spawn(HttpServer::bind("10.0.0.7:80"));
    game.app.world_mut().entity_mut(server).observe(
        |asked: On<HttpRequestReceived>, mut commands: Commands| {
            commands.accept_socket(asked.request, Options::default());
        },
    );
    let client = game.spawn((
        HttpRequest::get("ws://10.0.0.7:80/"),
        HttpStream::WebSocket(HttpWebSocket::default()),
        HttpReconnect::after(MINUTE),
    ));
    let phase = |world: &World| world.get::<HttpPhase>(client).copied();
    game.until(|world| phase(world) == Some(HttpPhase::ReceiveBody));
    game.app.world_mut().despawn(server);
    game.frame();
    assert!(needs_frames(&mut game), "it is open");
    game.until(|world| phase(world) == Some(HttpPhase::AwaitRetry));
    game.frame();
    assert!(needs_frames(&mut game), "the next session is to be opened");
    game.app.world_mut().entity_mut(client).insert(HttpPaused);
    game.frame();
    assert!(!needs_frames(&mut game));
}
