//! Repeating requests.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, url};

const SECOND: Duration = Duration::from_secs(1);

fn every_second() -> HttpRepeat {
    HttpRepeat {
        jitter: 0.0,
        ..HttpRepeat::every(SECOND)
    }
}

/// When each request reached the server, in milliseconds after the first.
fn asked(game: &Game) -> Vec<u128> {
    let requests = game.server.requests();
    requests
        .iter()
        .map(|it| (it.at - requests[0].at).as_millis())
        .collect()
}

fn run(game: &mut Game, time: Duration) {
    let end = game.network.now() + time;
    while game.network.now() < end {
        game.frame();
    }
}

#[test]
fn rounds_follow_each_other_in_real_time_and_each_is_reported() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn((HttpRequest::get(url("/")), every_second()));
    run(&mut game, 3 * SECOND + SECOND / 2);
    let asked = asked(&game);
    assert_eq!(asked.len(), 4, "{asked:?}");
    for (round, at) in asked.iter().enumerate() {
        // To the frame, and the first had to connect.
        let due = round as u128 * 1000;
        assert!((due.saturating_sub(60)..due + 60).contains(at), "{asked:?}");
    }
    assert_eq!(game.log().responses.len(), 4);
    assert!(game.exists(entity), "it stays");
    assert_eq!(game.agent().in_flight(), 0, "it waits for its next round");
    assert!(game.agent().needs_frames());
    game.app.world_mut().despawn(entity);
    run(&mut game, 3 * SECOND);
    assert_eq!(game.log().responses.len(), 4);
}

#[test]
fn an_interval_beyond_the_clock_is_one_round() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let never = HttpRepeat::every(Duration::MAX);
    game.spawn((HttpRequest::get(url("/")), never));
    run(&mut game, 3 * SECOND);
    assert_eq!(asked(&game).len(), 1);
}

#[test]
fn a_round_never_begins_while_one_is_under_way() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().delay(SECOND * 5 / 2));
    game.spawn((HttpRequest::get(url("/")), every_second()));
    run(&mut game, 6 * SECOND);
    let asked = asked(&game);
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(game.server.connections().opened, 1);
}

#[test]
fn failures_are_reported_and_slow_the_rounds_down_until_one_succeeds() {
    let mut game = Game::new();
    let mut rule = game.server.get("/").reply(MockResponse::with_status(500));
    rule = rule
        .then_reply(MockResponse::ok().text("0123456789").cut_after(5))
        .then_reply(MockResponse::ok());
    let _rule = rule;
    game.spawn((HttpRequest::get(url("/")), every_second()));
    run(&mut game, 8 * SECOND + SECOND / 2);
    let seconds: Vec<_> = asked(&game).iter().map(|ms| (ms + 500) / 1000).collect();
    assert_eq!(
        seconds[..4],
        [0, 2, 6, 7],
        "{:?} {:?}",
        asked(&game),
        game.log()
    );
    assert_eq!(game.log().errors.len(), 1);
}

#[test]
fn a_paused_loop_begins_no_round_until_it_is_resumed() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn((HttpRequest::get(url("/")), every_second()));
    game.until_finished(1);
    let set = |game: &mut Game, paused| {
        game.app
            .world_mut()
            .get_mut::<HttpRepeat>(entity)
            .unwrap()
            .paused = paused;
    };
    set(&mut game, true);
    run(&mut game, 5 * SECOND);
    assert_eq!(game.log().responses.len(), 1);
    set(&mut game, false);
    game.frames(3);
    assert_eq!(game.log().responses.len(), 2);
}

#[test]
fn removing_the_component_or_cancelling_ends_a_loop() {
    for cancel in [true, false] {
        let mut game = Game::new();
        let _rule = game.server.get("/").reply(MockResponse::ok());
        let entity = game.spawn((HttpRequest::get(url("/")), every_second()));
        game.until_finished(1);
        game.frame();
        if cancel {
            game.app.world_mut().trigger(CancelHttp { request: entity });
        } else {
            game.app
                .world_mut()
                .entity_mut(entity)
                .remove::<HttpRepeat>();
        }
        run(&mut game, 3 * SECOND);
        assert_eq!(game.log().responses.len(), 1);
        assert!(!game.exists(entity));
    }
}

#[test]
fn its_own_observer_can_cancel_a_loop() {
    use bevy_ecs::prelude::*;
    for keep in [true, false] {
        let mut game = Game::new();
        let _rule = game.server.get("/").reply(MockResponse::ok().text("1"));
        let entity = game.spawn((HttpRequest::get(url("/")), every_second()));
        let mut request = game.app.world_mut().entity_mut(entity);
        if keep {
            request.insert(KeepRequest);
        }
        request.on_json(|on: On<HttpJson<u32>>, mut http: Http| http.cancel(on.request));
        run(&mut game, 3 * SECOND);
        assert_eq!(game.log().responses.len(), 1);
        assert_eq!(game.exists(entity), keep);
        let last = game.log().phases.last().unwrap();
        assert_eq!((last.1, last.2), (HttpPhase::Done, HttpPhase::Cancelled));
    }
}

#[test]
fn a_loop_waits_as_long_as_retry_after_asks() {
    for status in [200, 429, 503] {
        let mut game = Game::new();
        let _rule = game
            .server
            .get("/")
            .reply(MockResponse::with_status(status).header("Retry-After", "7"))
            .then_reply(MockResponse::ok());
        game.spawn((HttpRequest::get(url("/")), every_second()));
        run(&mut game, 9 * SECOND + SECOND / 2);
        let asked = asked(&game);
        assert!((7_000..7_100).contains(&asked[1]), "{status}: {asked:?}");
        assert!((8_000..8_100).contains(&asked[2]), "{status}: {asked:?}");
    }
}

#[test]
fn a_loop_waits_as_long_as_retry_after_asks_also_when_the_status_is_an_error() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::with_status(503).header("Retry-After", "7"))
        .then_reply(MockResponse::ok());
    game.spawn((
        HttpRequest::get(url("/")).error_for_status(),
        every_second(),
    ));
    run(&mut game, 8 * SECOND + SECOND / 2);
    let asked = asked(&game);
    assert!((7_000..7_100).contains(&asked[1]), "{asked:?}");
}
