//! What the end of a request leaves, and relationships that cannot be.

#![allow(clippy::unwrap_used)]

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::{MockResponse, MockServer};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, FRAME, Game, log_events, unhurried, url};

#[derive(Component)]
struct Player;

#[test]
fn a_request_on_a_game_entity_leaves_the_entity_and_its_children() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let player = game.spawn((Player, HttpRequest::get(url("/")), HttpRetry::times(1)));
    let child = game.spawn(ChildOf(player));
    game.until_finished(1);
    game.frames(2);
    let player = game.app.world().entity(player);
    assert!(player.contains::<Player>());
    assert!(game.exists(child));
    assert!(!player.contains::<HttpRequest>());
    assert!(!player.contains::<HttpPhase>());
    assert!(!player.contains::<HttpProgress>());
    assert!(!player.contains::<HttpRetry>());
}

#[test]
fn a_request_with_despawn_on_finish_takes_its_entity_and_children_along() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn((Player, DespawnOnFinish, HttpRequest::get(url("/"))));
    let child = game.spawn(ChildOf(entity));
    game.until_finished(1);
    game.frame();
    assert!(!game.exists(entity) && !game.exists(child));
}

#[test]
fn cancelling_on_a_game_entity_leaves_it() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().never());
    let player = game.spawn((Player, HttpRequest::get(url("/"))));
    game.frames(3);
    game.app.world_mut().trigger(CancelHttp { request: player });
    game.frame();
    assert!(game.exists(player));
    assert!(!game.app.world().entity(player).contains::<HttpRequest>());
}

#[test]
fn a_cycle_of_owners_is_broken_and_no_event_hangs() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let (first, second) = (game.spawn(Player), game.spawn(Player));
    for (entity, owner) in [(first, second), (second, first)] {
        game.app
            .world_mut()
            .entity_mut(entity)
            .insert(RequestedBy(owner));
    }
    game.spawn((HttpRequest::get(url("/")), RequestedBy(first)));
    game.until_finished(1);
    let world = game.app.world();
    assert!(world.get::<RequestedBy>(first).is_some());
    assert!(
        world.get::<RequestedBy>(second).is_none(),
        "it closed the cycle"
    );
}

#[test]
fn requests_that_were_spawned_before_the_plugin_was_added_are_sent() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.get("/").reply(MockResponse::ok());
    let mut app = App::new();
    let entity = app.world_mut().spawn(HttpRequest::get(url("/"))).id();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        ..unhurried()
    });
    log_events(&mut app);
    for _ in 0..20 {
        app.update();
        network.advance(FRAME);
    }
    let log = app.world().resource::<EventLog>();
    assert_eq!(log.responses, [(entity, 200, String::new())]);
}

#[test]
fn cancelling_writes_http_finished() {
    #[derive(Resource, Default)]
    struct Cancelled(Vec<(Entity, Option<Entity>)>);
    let mut game = Game::new();
    game.app.init_resource::<Cancelled>().add_systems(
        bevy_app::Last,
        |mut messages: MessageReader<HttpFinished>, mut cancelled: ResMut<Cancelled>| {
            for message in messages.read() {
                if matches!(message.outcome, HttpOutcome::Cancelled) {
                    cancelled.0.push((message.request, message.owner));
                }
            }
        },
    );
    let _rule = game.server.get("/").reply(MockResponse::ok().never());
    let owner = game.spawn(());
    let running = game.spawn((HttpRequest::get(url("/")), RequestedBy(owner)));
    game.frames(3);
    for _ in 0..2 {
        game.app
            .world_mut()
            .trigger(CancelHttp { request: running });
    }
    game.frames(3);
    // Between two rounds.
    let _rule = game.server.get("/round").reply(MockResponse::ok());
    let repeat = HttpRepeat::every(std::time::Duration::from_secs(60));
    let between = game.spawn((HttpRequest::get(url("/round")), repeat, KeepRequest));
    game.until_finished(1);
    game.frame();
    for _ in 0..2 {
        game.app
            .world_mut()
            .trigger(CancelHttp { request: between });
        game.frames(3);
    }
    assert_eq!(
        game.app.world().resource::<Cancelled>().0,
        [(running, Some(owner)), (between, None)]
    );
}

#[test]
fn a_request_takes_its_stream_along_but_leaves_that_of_a_node() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("hi"));
    let request = || (HttpRequest::get(url("/")), HttpStream::Chunks);
    let player = game.spawn((Player, request()));
    let node = game.spawn((HttpClientNode::default(), request()));
    game.until_finished(2);
    game.frames(2);
    let has_stream = |entity: Entity| {
        let entity = game.app.world().entity(entity);
        assert!(!entity.contains::<HttpRequest>());
        entity.contains::<HttpStream>()
    };
    assert!(!has_stream(player));
    assert!(has_stream(node));
}

#[test]
fn a_request_that_is_despawned_when_its_phase_fails_reports_no_error() {
    let mut game = Game::new();
    game.app
        .add_observer(|on: On<HttpPhaseChanged>, mut commands: Commands| {
            if on.to == HttpPhase::Failed {
                commands.entity(on.request).despawn();
            }
        });
    let request = game.spawn(HttpRequest::get("http://nowhere.example/"));
    game.until(|world| world.get_entity(request).is_err());
    game.frames(3);
    assert!(game.log().errors.is_empty(), "{:?}", game.log());
}
