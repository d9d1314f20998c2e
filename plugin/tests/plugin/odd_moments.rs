//! Components and resources that come and go at unusual moments, and several worlds in one process.

#![allow(clippy::unwrap_used)]

use bevy_app::{App, AppLabel, FixedPostUpdate, FixedUpdate, SubApp};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleLabel;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::{MockResponse, MockServer};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, FRAME, Game, log_events, unhurried, url};

#[test]
fn a_request_whose_own_components_are_removed_ends_once() {
    type Change = fn(&mut EntityWorldMut);
    let changes: [(&str, Change); 7] = [
        ("phase", |entity| {
            entity.remove::<HttpPhase>();
        }),
        ("progress", |entity| {
            entity.remove::<HttpProgress>();
        }),
        ("name", |entity| {
            entity.remove::<Name>();
        }),
        ("stream", |entity| {
            entity.remove::<HttpStream>();
        }),
        ("retry", |entity| {
            entity.remove::<HttpRetry>();
        }),
        ("a file for what is a stream", |entity| {
            entity.insert(HttpDownload::to("nowhere/file"));
        }),
        ("all", |entity| {
            entity.remove::<(HttpPhase, HttpProgress, Name, HttpStream, HttpRetry)>();
        }),
    ];
    for (name, change) in changes {
        let mut game = Game::new();
        let drip = MockResponse::ok()
            .bytes(vec![b'x'; 1000])
            .drip(100, 2 * FRAME);
        let _rule = game.server.get("/").reply(drip);
        let request = HttpRequest::get(url("/"));
        let entity = game.spawn((request, HttpStream::Chunks, HttpRetry::times(1)));
        game.frames(6);
        change(&mut game.app.world_mut().entity_mut(entity));
        game.until_finished(1);
        game.frames(10);
        let log = game.log();
        assert_eq!((log.responses.len(), log.errors.len()), (1, 0), "{name}");
        assert!(game.agent().is_idle(), "{name}");
    }
}

#[test]
fn an_app_without_its_agent_has_no_requests_and_does_not_panic() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().never());
    let entity = game.spawn((HttpRequest::get(url("/")), KeepRequest));
    game.frames(4);
    assert_eq!(game.network.open_connections(), 1);
    game.app.world_mut().remove_resource::<HttpAgent>();
    game.frames(2);
    assert_eq!(game.network.open_connections(), 0);
    let world = game.app.world_mut();
    world.trigger(CancelHttp { request: entity });
    world.entity_mut(entity).insert(HttpRequest::get(url("/")));
    world.spawn(HttpRequest::get(url("/")));
    world.despawn(entity);
    game.frames(2);
    assert!(game.log().responses.is_empty() && game.log().errors.is_empty());
}

#[derive(AppLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Simulation;

#[test]
fn an_app_and_its_sub_app_have_an_agent_each() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.get("/**").reply(MockResponse::ok());
    let plugin = || HttpollPlugin {
        network: Some(network.clone()),
        ..unhurried()
    };
    let mut app = App::new();
    app.add_plugins(plugin());
    log_events(&mut app);
    let mut inner = App::new();
    inner.add_plugins(plugin());
    log_events(&mut inner);
    let inner: SubApp = std::mem::take(inner.main_mut());
    app.insert_sub_app(Simulation, inner);
    app.world_mut().spawn(HttpRequest::get(url("/outer")));
    let world = app.sub_app_mut(Simulation).world_mut();
    world.spawn(HttpRequest::get(url("/inner")));
    for _ in 0..10 {
        app.update();
        network.advance(FRAME);
    }
    let outer = app.world().resource::<EventLog>().responses.len();
    let inner = app.sub_app(Simulation).world().resource::<EventLog>();
    assert_eq!((outer, inner.responses.len()), (1, 1));
    drop(app);
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn the_systems_may_run_in_the_fixed_schedule() {
    let mut game = Game::with(HttpollPlugin {
        poll_in: FixedUpdate.intern(),
        flush_in: FixedPostUpdate.intern(),
        ..unhurried()
    });
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.spawn(HttpRequest::get(url("/")));
    // Some frames have no fixed step, others several.
    for steps in [0, 2, 0, 3, 1, 0, 2, 2] {
        for _ in 0..steps {
            game.app.world_mut().run_schedule(FixedUpdate);
            game.app.world_mut().run_schedule(FixedPostUpdate);
        }
        game.frame();
    }
    assert_eq!(game.log().responses.len(), 1);
    assert!(game.agent().is_idle());
}
