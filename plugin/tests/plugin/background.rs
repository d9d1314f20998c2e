//! A game that the system moves to the background: with and without suspending its requests.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_app::PreUpdate;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Folder, Game, url};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// What Bevy's windows say, in its order.
#[derive(Message, Clone, Copy)]
enum AppLifecycle {
    Suspended,
    Running,
}

fn follow(mut changes: MessageReader<AppLifecycle>, mut agent: ResMut<HttpAgent>) {
    for change in changes.read() {
        match change {
            AppLifecycle::Suspended => agent.suspend(Duration::ZERO),
            AppLifecycle::Running => agent.resume_all(),
        }
    }
}

fn game() -> Game {
    let mut game = Game::new();
    game.app
        .add_message::<AppLifecycle>()
        .add_systems(PreUpdate, follow.before(HttpollSystems::Poll));
    game
}

/// An hour in the background. Bevy runs one frame before, and none until the return.
fn leave(game: &mut Game) {
    let world = game.app.world_mut();
    world.write_message(AppLifecycle::Suspended);
    game.app.update();
    assert_eq!(game.connections(), 0, "one frame must do");
    game.network.advance(HOUR);
    game.app.world_mut().write_message(AppLifecycle::Running);
}

#[test]
fn a_loop_runs_one_round_after_an_hour_and_not_those_that_it_missed() {
    for is_suspended in [false, true] {
        let mut game = game();
        let _rule = game.server.get("/").reply(MockResponse::ok());
        let every = HttpRepeat {
            jitter: 0.0,
            ..HttpRepeat::every(SECOND)
        };
        game.spawn((HttpRequest::get(url("/")), every));
        game.until_finished(1);
        if is_suspended {
            leave(&mut game);
        } else {
            game.network.advance(HOUR);
        }
        game.frames(10);
        assert_eq!(game.server.requests().len(), 2, "{is_suspended}");
        game.frames(64);
        assert_eq!(game.server.requests().len(), 3, "{is_suspended}");
        assert!(game.log().errors.is_empty());
    }
}

#[test]
fn a_download_continues_on_the_disk_after_an_hour_whatever_became_of_its_connection() {
    for is_suspended in [false, true] {
        let folder = Folder::new("background");
        let mut game = game();
        let whole = MockResponse::resource(vec![7; 100_000]).etag("\"a\"");
        let first = whole.clone().drip(1_000, Duration::from_millis(16));
        let _rule = game
            .server
            .get("/")
            .reply(first.reset_after(50_000))
            .then_reply(whole);
        game.spawn((
            HttpRequest::get(url("/")),
            HttpDownload::to(folder.path("level")),
            HttpRetry::default(),
        ));
        game.frames(20);
        if is_suspended {
            leave(&mut game);
            assert_eq!(folder.names(), ["level.part", "level.part.json"]);
        } else {
            game.network.advance(HOUR);
        }
        game.until_finished(1);
        assert!(game.log().errors.is_empty(), "{:?}", game.log());
        assert!(std::fs::read(folder.path("level")).unwrap() == [7; 100_000]);
        let again = &game.server.requests()[1];
        assert!(again.header("range").is_some(), "{is_suspended}");
    }
}

#[test]
fn what_is_spawned_in_the_last_frame_is_sent_after_the_return() {
    let mut game = game();
    let _rule = game.server.any("/**").reply(MockResponse::ok());
    game.spawn(HttpRequest::get(url("/before")));
    game.frames(5);
    game.app.add_systems(
        bevy_app::Update,
        |mut http: Http, mut is_sent: Local<bool>| {
            if !std::mem::replace(&mut *is_sent, true) {
                http.get(url("/last"));
            }
        },
    );
    leave(&mut game);
    assert_eq!(game.server.requests().len(), 1);
    game.until_finished(2);
    assert_eq!(game.server.requests()[1].path(), "/last");
}

#[test]
fn an_hour_between_two_frames_does_not_change_the_budget_for_the_worse() {
    let mut game = Game::with(HttpollPlugin {
        pace: HttpPace::adaptive(60),
        ..HttpollPlugin::default()
    });
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.frames(5);
    let before = game.agent().spent().1;
    game.network.advance(HOUR);
    game.frames(1);
    assert_eq!(game.agent().spent().1, before);
}
