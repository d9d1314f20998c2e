//! Components that control a request at any time: pausing, rate limits, and disabled entities.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Game, unhurried, url};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_request_of_a_disabled_entity_waits_and_is_sent_when_it_is_enabled() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("hi"));
    let entity = game.spawn((HttpRequest::get(url("/")), Disabled));
    game.frames(10);
    assert!(game.server.requests().is_empty());
    assert!(game.agent().is_idle(), "nothing is under way");
    game.app.world_mut().entity_mut(entity).remove::<Disabled>();
    game.until_finished(1);
    assert_eq!(game.log().responses, [(entity, 200, "hi".to_owned())]);
}

#[test]
fn a_loop_of_a_disabled_entity_pauses_between_rounds_and_continues() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn((HttpRequest::get(url("/")), HttpRepeat::every(SECOND)));
    game.until_finished(1);
    game.app.world_mut().entity_mut(entity).insert(Disabled);
    game.frames(200);
    assert_eq!(game.log().responses.len(), 1);
    assert!(game.exists(entity));
    game.app.world_mut().entity_mut(entity).remove::<Disabled>();
    game.until_finished(2);
}

#[test]
fn a_request_that_is_under_way_finishes_on_a_disabled_entity() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().delay(SECOND));
    let owner = game.spawn(());
    let entity = game.spawn((HttpRequest::get(url("/")), RequestedBy(owner), KeepRequest));
    game.frames(5);
    game.app.world_mut().entity_mut(entity).insert(Disabled);
    game.until_finished(1);
    game.frames(2);
    assert_eq!(
        game.app.world().get::<HttpPhase>(entity),
        Some(&HttpPhase::Done)
    );
}

#[test]
fn at_the_end_of_the_app_a_disabled_request_is_not_waited_for() {
    use bevy_app::AppExit;
    let mut game = Game::with(HttpollPlugin {
        on_exit: HttpOnExit::Drain(crate::support::TIME_LIMIT),
        ..unhurried()
    });
    game.spawn((HttpRequest::get(url("/")), Disabled));
    game.spawn((HttpRequest::get(url("/")), HttpPaused));
    game.frame();
    game.app.world_mut().write_message(AppExit::Success);
    let start = std::time::Instant::now();
    game.app.update();
    assert!(start.elapsed() < crate::support::TIME_LIMIT / 2);
    assert!(game.server.requests().is_empty());
}

#[test]
fn a_request_that_is_paused_in_the_frame_of_its_spawn_is_not_sent_before_it_is_resumed() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.app.world_mut().entity_mut(entity).insert(HttpPaused);
    game.frames(10);
    assert!(game.server.requests().is_empty());
    game.app
        .world_mut()
        .entity_mut(entity)
        .remove::<HttpPaused>();
    game.until_finished(1);
    assert_eq!(game.log().responses.len(), 1);
}

/// How long 2,000 bytes take with a rate limit of 1,000 bytes per second that `insert` inserts.
fn time_of_limited_request(frames_before: usize, change: impl Fn(&mut EntityWorldMut)) -> Duration {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(
        MockResponse::ok()
            .bytes(vec![7; 2_000])
            .drip(100, Duration::from_millis(10)),
    );
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.frames(frames_before);
    change(&mut game.app.world_mut().entity_mut(entity));
    let began = game.network.now();
    game.until_finished(1);
    game.network.now() - began
}

#[test]
fn a_rate_limit_applies_from_the_frame_of_the_spawn_on() {
    let unlimited = time_of_limited_request(0, |_| ());
    assert!(unlimited < SECOND / 2, "{unlimited:?}");
    for frames_before in [0, 3] {
        let limited = time_of_limited_request(frames_before, |entity| {
            entity.insert(HttpRateLimit(1_000));
        });
        assert!(limited > SECOND / 2, "{frames_before}: {limited:?}");
    }
    let unlimited_again = time_of_limited_request(0, |entity| {
        entity
            .insert(HttpRateLimit(1_000))
            .remove::<HttpRateLimit>();
    });
    assert!(unlimited_again < SECOND / 2, "{unlimited_again:?}");
}

#[test]
fn a_request_that_loses_its_rate_limit_goes_on_at_full_speed() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![7; 5_000]));
    let request = game.spawn((HttpRequest::get(url("/")), HttpRateLimit(100)));
    game.frames(60);
    assert!(game.log().responses.is_empty());
    let mut request = game.app.world_mut().entity_mut(request);
    request.remove::<HttpRateLimit>();
    assert!(game.until(|world| !world.resource::<EventLog>().responses.is_empty()) < 30);
}

#[test]
fn a_request_is_in_flight_until_it_ends_and_while_it_is_between_two_rounds_it_is_not() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let kept = game.spawn((HttpRequest::get(url("/")), KeepRequest));
    let repeated = game.spawn((HttpRequest::get(url("/")), HttpRepeat::every(60 * SECOND)));
    let paused = game.spawn((HttpRequest::get(url("/")), HttpPaused));
    let plain = game.spawn(());
    let in_flight = |game: &Game| [kept, repeated].map(|it| game.agent().is_in_flight(it));
    assert_eq!(in_flight(&game), [true, true]);
    game.until_finished(2);
    game.frame();
    assert_eq!(in_flight(&game), [false, false]);
    assert!(!game.agent().is_in_flight(paused));
    assert!(!game.agent().is_in_flight(plain));
}

/// How long 3,000 bytes of the game and 3,000 bytes in the background take with these limits.
fn times_of_limited_agent(limit: impl Fn(&mut HttpAgent)) -> (Duration, Duration) {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![7; 3_000]));
    limit(&mut game.app.world_mut().resource_mut::<HttpAgent>());
    let began = game.network.now();
    let front = game.spawn(HttpRequest::get(url("/")));
    let back = game.spawn((HttpRequest::get(url("/")), HttpPriority::Background));
    let end = |game: &mut Game, request| {
        game.until(|world| {
            let log = world.resource::<EventLog>();
            log.responses.iter().any(|response| response.0 == request)
        });
        game.network.now() - began
    };
    (end(&mut game, front), end(&mut game, back))
}

#[test]
fn the_rate_of_all_requests_and_that_of_a_priority_are_limited_until_the_limit_is_removed() {
    let (front, back) = times_of_limited_agent(|_| ());
    assert!(back < SECOND / 2, "{front:?} {back:?}");
    let (front, back) = times_of_limited_agent(|http| http.set_global_rate_limit(Some(1_000)));
    assert!(back > 4 * SECOND, "{front:?} {back:?}");
    let (front, back) = times_of_limited_agent(|http| {
        http.set_priority_rate_limit(HttpPriority::Background, Some(1_000));
    });
    assert!(
        front < SECOND / 2 && back > 2 * SECOND,
        "{front:?} {back:?}"
    );
    let (front, back) = times_of_limited_agent(|http| {
        http.set_global_rate_limit(Some(1_000));
        http.set_global_rate_limit(None);
        http.set_priority_rate_limit(HttpPriority::Background, Some(1_000));
        http.set_priority_rate_limit(HttpPriority::Background, None);
    });
    assert!(back < SECOND / 2, "{front:?} {back:?}");
}

#[test]
fn idle_connections_close_when_the_game_asks_for_it() {
    let mut game = Game::new();
    let _rules = [
        game.server.get("/").reply(MockResponse::ok()),
        game.server.get("/never").reply(MockResponse::ok().never()),
    ];
    game.spawn(HttpRequest::get(url("/never")));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert_eq!(game.connections(), 2);
    let mut http = game.app.world_mut().resource_mut::<HttpAgent>();
    http.close_idle_connections();
    game.frame();
    assert_eq!(game.connections(), 1, "that of the other request stays");
}

#[test]
fn a_cloned_request_starts_with_its_own_phase_and_progress() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![7; 30]).drip(10, SECOND));
    let entity = game.spawn(HttpRequest::get(url("/")));
    game.until(|world| {
        world
            .get::<HttpProgress>(entity)
            .is_some_and(|it| it.received > 0)
    });
    let clone = game.app.world_mut().entity_mut(entity).clone_and_spawn();
    let world = game.app.world();
    assert_eq!(world.get::<HttpPhase>(clone), Some(&HttpPhase::Queue));
    assert_eq!(
        world.get::<HttpProgress>(clone),
        Some(&HttpProgress::default())
    );
    game.until_finished(2);
}

#[test]
fn a_kept_request_that_is_inserted_again_is_queued_at_once() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("hi"));
    let entity = game.spawn((HttpRequest::get(url("/")), KeepRequest));
    game.until_finished(1);
    game.frame();
    game.app
        .world_mut()
        .entity_mut(entity)
        .insert(HttpRequest::get(url("/")));
    let world = game.app.world();
    assert_eq!(world.get::<HttpPhase>(entity), Some(&HttpPhase::Queue));
    assert_eq!(
        world.get::<HttpProgress>(entity),
        Some(&HttpProgress::default())
    );
    game.until_finished(2);
    let changes = &game.log().phases;
    assert!(changes.contains(&(entity, HttpPhase::Done, HttpPhase::Queue)));
}

#[test]
fn requests_that_are_resumed_together_are_sent_in_the_order_of_their_spawn() {
    use bevy_httpoll::httpoll::agent::PoolLimits;
    let mut pool = PoolLimits::default();
    (pool.total, pool.per_host) = (1, 1);
    let mut game = Game::with(HttpollPlugin {
        pool,
        ..unhurried()
    });
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    let paths: Vec<String> = (0..8).map(|number| format!("/{number}")).collect();
    let requests: Vec<Entity> = paths
        .iter()
        .map(|path| game.spawn((HttpRequest::get(url(path)), HttpPaused)))
        .collect();
    game.frames(2);
    assert!(game.server.requests().is_empty());
    for request in requests {
        let mut request = game.app.world_mut().entity_mut(request);
        request.remove::<HttpPaused>();
    }
    game.until_finished(8);
    let sent = game.server.requests();
    let sent: Vec<&str> = sent.iter().map(|request| request.path()).collect();
    assert_eq!(sent, paths);
}

#[test]
fn a_refused_request_that_is_cancelled_before_the_next_frame_ends_once() {
    #[derive(Resource, Default)]
    struct Outcomes(Vec<String>);
    let mut game = Game::new();
    game.app.init_resource::<Outcomes>().add_systems(
        bevy_app::Update,
        |mut messages: MessageReader<HttpFinished>, mut outcomes: ResMut<Outcomes>| {
            let read = messages.read().map(|it| format!("{:?}", it.outcome));
            outcomes.0.extend(read);
        },
    );
    // The last pump of the frame sends it, and the next frame reports the refusal.
    let request = game.spawn(KeepRequest);
    let send = move |mut commands: Commands, mut is_sent: Local<bool>| {
        if !std::mem::replace(&mut *is_sent, true) {
            let invalid = HttpRequest::get("no URL");
            commands.entity(request).insert(invalid);
        }
    };
    game.app.add_systems(bevy_app::Update, send);
    game.frame();
    assert!(game.agent().is_in_flight(request));
    game.app.world_mut().trigger(CancelHttp { request });
    game.frames(3);
    assert_eq!(game.app.world().resource::<Outcomes>().0, ["Cancelled"]);
    assert!(game.log().errors.is_empty());
    assert!(game.agent().is_idle());
}
