//! The logic of the example `leaderboard`, on a network in memory.

#![cfg(feature = "cache")]
#![allow(clippy::unwrap_used)]

#[path = "../../examples/leaderboard/logic.rs"]
#[allow(unreachable_pub)]
mod logic;

use std::time::Duration;

use bevy_app::Startup;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;
use bevy_state::app::{AppExtStates, StatesPlugin};
use bevy_state::prelude::*;

use crate::support::{Folder, Game, unhurried};
use logic::{Leaderboard, Score, Screen};

fn game(folder: &Folder) -> Game {
    let mut game = Game::with(HttpollPlugin {
        base_url: Some("http://game.example/".into()),
        cache: Some(HttpCacheFile::new(folder.path("http.cache"))),
        ..unhurried()
    });
    game.app
        .add_plugins(StatesPlugin)
        .init_state::<Screen>()
        .init_resource::<Leaderboard>()
        .add_systems(OnEnter(Screen::Leaderboard), logic::open);
    game
}

fn go_to(game: &mut Game, screen: Screen) {
    let mut next = game.app.world_mut().resource_mut::<NextState<Screen>>();
    next.set(screen);
    game.frame();
}

fn run(game: &mut Game, time: Duration) {
    let end = game.network.now() + time;
    while game.network.now() < end {
        game.frame();
    }
}

#[test]
fn the_leaderboard_refreshes_while_it_is_open_and_falls_back_to_the_saved_copy() {
    let folder = Folder::new("leaderboard");
    let mut game = game(&folder);
    let _rule = game
        .server
        .get("/scores")
        .reply(
            MockResponse::ok()
                .header("Cache-Control", "max-age=0")
                .text(r#"[{"player":"Ada","points":7}]"#),
        )
        .then_reply(
            MockResponse::ok()
                .header("Cache-Control", "max-age=0")
                .text(r#"[{"player":"Bob","points":9}]"#),
        )
        .then_reply(MockResponse::raw(""));
    let shown = |game: &Game| {
        let board = game.app.world().resource::<Leaderboard>();
        assert_eq!(board.problem, None);
        (board.scores[0].player.clone(), board.is_saved_copy)
    };
    go_to(&mut game, Screen::Leaderboard);
    run(&mut game, Duration::from_secs(1));
    assert_eq!(shown(&game), ("Ada".to_owned(), false));
    run(&mut game, logic::REFRESH);
    assert_eq!(shown(&game), ("Bob".to_owned(), false));
    run(&mut game, logic::REFRESH + logic::REFRESH);
    assert_eq!(shown(&game), ("Bob".to_owned(), true));

    go_to(&mut game, Screen::Match);
    let requests = game.server.requests().len();
    run(&mut game, 10 * logic::REFRESH);
    assert_eq!(game.server.requests().len(), requests, "cancelled");
}

#[test]
fn a_score_is_submitted_with_credentials_after_the_time_that_the_server_asks_for() {
    let folder = Folder::new("leaderboard-submit");
    let mut game = game(&folder);
    let _rule = game
        .server
        .post("/scores")
        .reply(MockResponse::with_status(503).header("Retry-After", "7"))
        .then_reply(MockResponse::with_status(201));
    game.app.add_systems(Startup, |mut http: Http| {
        let score = Score {
            player: "Ada".into(),
            points: 7,
        };
        logic::submit(&mut http, "token", "match-1", &score);
    });
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 201);
    let requests = game.server.requests();
    assert_eq!(requests.len(), 2);
    let delay = requests[1].at - requests[0].at;
    assert!(delay >= Duration::from_secs(7), "{delay:?}");
    for request in requests {
        assert_eq!(request.header("authorization"), Some("Bearer token"));
        assert_eq!(request.header("idempotency-key"), Some("match-1"));
        assert_eq!(request.text(), r#"{"player":"Ada","points":7}"#);
    }
}

#[test]
fn the_logic_has_at_most_thirty_lines() {
    let source = include_str!("../../examples/leaderboard/logic.rs");
    let logic = source
        .split("// logic: begin")
        .nth(1)
        .and_then(|rest| rest.split("// logic: end").next())
        .unwrap();
    let lines = logic
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"));
    assert!(lines.count() <= 30);
}
