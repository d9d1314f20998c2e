//! How often a frame asks the system what is ready, and that nothing is delayed by asking less.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use bevy_app::Update;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::server::Response;
use bevy_httpoll::prelude::*;

use crate::support::{FRAME, Game};

/// An app with three servers, four nodes and four requests, each of which waits for its peer.
fn waiting_game() -> Game {
    let mut game = Game::new();
    game.app
        .add_observer(|_: On<HttpRequestReceived>| { /* responds later */ });
    for last in 7..10 {
        game.spawn(HttpServer::bind(format!("10.0.0.{last}:80")));
    }
    game.frame();
    for _ in 0..4 {
        let mut node = HttpClientNode::default();
        node.connect_to_host("10.0.0.7", 80, None).unwrap();
        game.spawn(node);
        game.spawn(HttpRequest::get("http://10.0.0.8/waits"));
    }
    // The requests are never responded to.
    game.frames(10);
    game
}

/// How often a frame asks what is ready; on sockets each time is a system call.
fn polls_of_a_frame(game: &mut Game) -> u64 {
    let before = game.network.polls();
    game.app.update();
    game.network.polls() - before
}

#[test]
fn a_frame_in_which_nothing_happens_asks_the_system_once() {
    let mut game = waiting_game();
    for _ in 0..10 {
        assert_eq!(polls_of_a_frame(&mut game), 1);
        game.network.advance(FRAME);
    }
}

#[test]
fn what_a_frame_does_leaves_in_the_same_frame() {
    let mut game = waiting_game();
    // A request is spawned.
    let request = game.spawn(HttpRequest::get("http://10.0.0.9/"));
    game.app.update();
    assert_eq!(
        game.network.connections_to("10.0.0.9:80".parse().unwrap()),
        1
    );
    game.frames(3);
    // It is responded to by a system.
    let world = game.app.world_mut();
    let asked = world
        .query::<(Entity, &HttpServerRequest)>()
        .iter(world)
        .find_map(|(entity, asked)| (asked.path() == "/").then_some(entity))
        .unwrap();
    let mut is_done = false;
    game.app.add_systems(Update, move |mut commands: Commands| {
        if !std::mem::replace(&mut is_done, true) {
            commands.respond(asked, Response::text("hello"));
        }
    });
    assert!(polls_of_a_frame(&mut game) > 1);
    game.app.update();
    assert_eq!(game.log().responses.len(), 1, "delivered in the next frame");
    assert!(!game.exists(request));
    // A request is cancelled.
    let open = game.network.open_connections();
    let world = game.app.world_mut();
    let waiting = world
        .query_filtered::<Entity, With<HttpRequest>>()
        .iter(world)
        .next()
        .unwrap();
    game.app.world_mut().despawn(waiting);
    game.app.update();
    game.app.update();
    assert_eq!(game.network.open_connections(), open - 1);
}
