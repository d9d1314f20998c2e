//! A request lives as long as its component. Every way to remove the component cancels it at once.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Instant;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::agent::PoolLimits;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;
use bevy_state::app::{AppExtStates, StatesPlugin};
use bevy_state::prelude::{DespawnOnExit, NextState, States};

use crate::support::{Game, TIME_LIMIT, log_events, read_head, unhurried, url};

/// A game with a request to a server that never responds.
fn waiting() -> (Game, Entity) {
    let mut game = Game::new();
    let _rule = game.server.get("/never").reply(MockResponse::ok().never());
    let entity = game.spawn(HttpRequest::get(url("/never")));
    game.until(|world| world.get::<HttpPhase>(entity) == Some(&HttpPhase::AwaitHead));
    assert_eq!(game.connections(), 1);
    (game, entity)
}

fn assert_no_further_event(game: &mut Game) {
    let phases = game.log().phases.len();
    game.frames(5);
    assert!(game.log().responses.is_empty() && game.log().errors.is_empty());
    assert_eq!(game.log().phases.len(), phases);
}

#[test]
fn despawning_removing_and_cancelling_close_the_socket_at_once() {
    let cancels: [fn(&mut World, Entity); 3] = [
        |world, entity| assert!(world.despawn(entity)),
        |world, entity| {
            world.entity_mut(entity).remove::<HttpRequest>();
        },
        |world, entity| {
            world.trigger(CancelHttp { request: entity });
            world.flush();
        },
    ];
    for cancel in cancels {
        let (mut game, entity) = waiting();
        cancel(game.app.world_mut(), entity);
        assert_eq!(game.connections(), 0, "without another frame");
        assert!(game.agent().is_idle());
        assert_no_further_event(&mut game);
    }
}

#[test]
fn over_real_sockets_the_server_sees_the_close_without_another_frame() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, asks) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream).unwrap();
        asked.send(()).unwrap();
        stream.read(&mut [0; 16]).unwrap_or(0)
    });
    let mut app = App::new();
    app.add_plugins(unhurried());
    log_events(&mut app);
    let entity = app
        .world_mut()
        .spawn(HttpRequest::get(format!("http://{address}/")))
        .id();
    let start = Instant::now();
    while asks.try_recv().is_err() {
        app.update();
        assert!(start.elapsed() < TIME_LIMIT);
    }
    app.world_mut().despawn(entity);
    assert_eq!(server.join().unwrap(), 0);
}

#[test]
fn despawning_requests_under_way_frees_their_connections() {
    let mut pool = PoolLimits::default();
    (pool.total, pool.per_host) = (2, 2);
    let mut game = Game::with(HttpollPlugin {
        pool,
        ..unhurried()
    });
    let _rules = [
        game.server.get("/never").reply(MockResponse::ok().never()),
        game.server.get("/").reply(MockResponse::ok()),
    ];
    for _ in 0..5 {
        let stuck: Vec<_> = (0..5)
            .map(|_| game.spawn(HttpRequest::get(url("/never"))))
            .collect();
        game.frames(3);
        for entity in stuck {
            game.app.world_mut().despawn(entity);
        }
    }
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert_eq!(game.log().responses.len(), 1);
}

#[test]
fn despawning_the_owner_cancels_its_requests() {
    let (mut game, entity) = waiting();
    let owner = game.spawn(());
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(RequestedBy(owner));
    let requests = game.app.world().get::<Requests>(owner).unwrap();
    assert_eq!(requests.entities(), [entity]);
    game.app.world_mut().despawn(owner);
    assert_eq!(game.connections(), 0);
    assert!(!game.exists(entity));
    assert_no_further_event(&mut game);
}

#[test]
fn leaving_a_state_cancels() {
    #[derive(States, Clone, Debug, Default, PartialEq, Eq, Hash)]
    enum Screen {
        #[default]
        Menu,
        Game,
    }
    let (mut game, entity) = waiting();
    game.app.add_plugins(StatesPlugin).init_state::<Screen>();
    game.frame();
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(DespawnOnExit(Screen::Menu));
    let mut next = game.app.world_mut().resource_mut::<NextState<Screen>>();
    next.set(Screen::Game);
    game.frame();
    assert!(!game.exists(entity));
    assert_eq!(game.connections(), 0);
}

#[test]
fn cancelling_reports_only_the_phase() {
    let (mut game, entity) = waiting();
    game.app.world_mut().entity_mut(entity).insert(KeepRequest);
    game.app.world_mut().trigger(CancelHttp { request: entity });
    game.app.world_mut().flush();
    let last = game.log().phases.last();
    assert_eq!(
        last,
        Some(&(entity, HttpPhase::AwaitHead, HttpPhase::Cancelled))
    );
    assert_eq!(
        game.app.world().get::<HttpPhase>(entity),
        Some(&HttpPhase::Cancelled)
    );
    assert!(game.exists(entity), "kept");
    game.app.world_mut().trigger(CancelHttp { request: entity });
    assert_no_further_event(&mut game);
}

#[test]
fn replacing_a_request_starts_it_anew() {
    let mut game = Game::new();
    let _rules = [
        game.server.get("/old").reply(MockResponse::ok().never()),
        game.server
            .get("/new")
            .reply(MockResponse::ok().text("new")),
    ];
    let entity = game.spawn(HttpRequest::get(url("/old")));
    game.frames(3);
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(HttpRequest::get(url("/new")));
    game.until_finished(1);
    game.frames(3);
    assert_eq!(game.log().responses, [(entity, 200, "new".to_owned())]);
}

#[test]
fn an_observer_may_put_the_next_request_on_the_entity() {
    let mut game = Game::new();
    let _rules = [
        game.server.get("/1").reply(MockResponse::ok().text("1")),
        game.server.get("/2").reply(MockResponse::ok().text("2")),
    ];
    let entity = game.spawn(HttpRequest::get(url("/1")));
    game.app.world_mut().entity_mut(entity).observe(
        |on: On<HttpResponse>, mut commands: Commands| {
            if on.text() == "1" {
                commands
                    .entity(on.request)
                    .insert(HttpRequest::get(url("/2")));
            }
        },
    );
    game.until_finished(2);
    let texts: Vec<_> = game.log().responses.iter().map(|it| &it.2).collect();
    assert_eq!(texts, ["1", "2"]);
    game.frame();
    assert!(!game.exists(entity), "despawned in the end");
}

#[test]
fn a_request_with_keep_request_keeps_its_components() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn((HttpRequest::get(url("/")), KeepRequest));
    game.until_finished(1);
    game.frames(2);
    let world = game.app.world();
    assert!(world.get::<HttpRequest>(entity).is_some());
    assert_eq!(world.get::<HttpPhase>(entity), Some(&HttpPhase::Done));
}

#[test]
fn a_thousand_requests_leave_no_entity_and_no_observer() {
    let mut game = Game::new();
    let _rule = game.server.get("/**").reply(MockResponse::ok().text("hi"));
    game.frame();
    let entities = game.entities();
    for number in 0..1000 {
        game.app
            .world_mut()
            .spawn(HttpRequest::get(url(&format!("/{number}"))))
            .observe(|_: On<HttpResponse>| {})
            .on_error(|_: On<HttpError>| {})
            .on_json(|_: On<HttpJson<u32>>| {});
    }
    assert!(game.entities() > entities + 1000);
    game.until_finished(1000);
    game.frame();
    assert_eq!(game.entities(), entities);
    assert_eq!(game.log().responses.len(), 1000);
    assert!(game.agent().is_idle());
}

#[test]
fn clearing_the_world_closes_all_sockets_without_a_panic() {
    let (mut game, _) = waiting();
    // This removes Bevy's own schedules and all observers as well.
    game.app.world_mut().clear_entities();
    assert_eq!(game.connections(), 0);
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.app.world_mut().flush();
    game.app.world_mut().despawn(entity);
}

#[test]
fn dropping_the_app_closes_all_sockets() {
    let (game, _) = waiting();
    let network = game.network.clone();
    drop(game);
    bevy_httpoll::httpoll::Agent::on_memory(&network).poll();
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn a_request_that_its_observer_despawns_gets_no_further_event() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().chunked(["a", "b", "c"]));
    let (sender, receiver) = mpsc::channel();
    let entity = game.spawn((HttpRequest::get(url("/")), HttpStream::Chunks));
    game.app.world_mut().entity_mut(entity).observe(
        move |on: On<HttpHead>, mut commands: Commands| {
            sender.send("head").unwrap();
            commands.entity(on.request).despawn();
        },
    );
    let observed = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = observed.clone();
    game.app.add_observer(move |_: On<HttpChunk>| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    game.frames(10);
    assert_eq!(receiver.try_iter().count(), 1);
    assert_eq!(observed.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(game.log().responses.is_empty());
}
