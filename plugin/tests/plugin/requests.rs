//! A single request: what is sent, what is received, and that its end is reported once.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use bevy_app::Last;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::httpoll::{
    ErrorKind,
    error::{Misuse, NetworkFault},
    limits::Limit,
};
use bevy_httpoll::prelude::*;

use crate::support::{EventLog, Game, unhurried, url};

#[test]
fn a_request_gets_one_response_and_its_entity_is_despawned() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/scores?top=3")
        .reply(MockResponse::ok().text("hi"));
    let entity = game.spawn(HttpRequest::get(url("/scores#part")).query("top", 3));
    game.until_finished(1);
    game.frames(3);
    assert_eq!(game.log().responses, [(entity, 200, "hi".to_owned())]);
    assert!(game.log().errors.is_empty());
    assert!(!game.exists(entity), "despawned");
    assert!(game.agent().is_idle());
}

#[test]
fn each_phase_is_an_event_in_order_on_a_new_connection_and_on_a_kept_one() {
    use HttpPhase::{AwaitHead, Connect, Done, Queue, ReceiveBody, Resolve, SendHead};
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("hi"));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    let phases: Vec<_> = game.log().phases.iter().map(|(_, a, b)| (*a, *b)).collect();
    assert_eq!(
        phases,
        [
            (Queue, Resolve),
            (Resolve, Connect),
            (Connect, SendHead),
            (SendHead, AwaitHead),
            (AwaitHead, ReceiveBody),
            (ReceiveBody, Done),
        ]
    );
    game.app
        .world_mut()
        .resource_mut::<EventLog>()
        .phases
        .clear();
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(2);
    let phases: Vec<_> = game.log().phases.iter().map(|(_, a, b)| (*a, *b)).collect();
    assert_eq!(
        phases,
        [
            (Queue, SendHead),
            (SendHead, AwaitHead),
            (AwaitHead, ReceiveBody),
            (ReceiveBody, Done)
        ]
    );
}

#[test]
fn phase_and_progress_are_written_only_when_they_change() {
    #[derive(Resource, Default)]
    struct Changes {
        phases: usize,
        progress: usize,
    }
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(
        MockResponse::ok()
            .bytes(vec![7; 30])
            .drip(10, std::time::Duration::from_millis(100)),
    );
    game.app.init_resource::<Changes>().add_systems(
        bevy_app::Update,
        |phases: Query<Ref<HttpPhase>>,
         progress: Query<Ref<HttpProgress>>,
         mut changes: ResMut<Changes>| {
            changes.phases += phases.iter().filter(|it| it.is_changed()).count();
            changes.progress += progress.iter().filter(|it| it.is_changed()).count();
        },
    );
    let entity = game.spawn((HttpRequest::get(url("/")), KeepRequest));
    game.until_finished(1);
    game.frames(10);
    let world = game.app.world();
    assert_eq!(world.get::<HttpPhase>(entity), Some(&HttpPhase::Done));
    let progress = world.get::<HttpProgress>(entity).unwrap();
    assert_eq!((progress.received, progress.to_receive), (30, Some(30)));
    assert_eq!(progress.fraction(), Some(1.0));
    let changes = world.resource::<Changes>();
    assert!(changes.phases <= 5, "{}", changes.phases);
    assert!((3..=6).contains(&changes.progress), "{}", changes.progress);
}

#[test]
fn headers_defaults_and_content_are_sent() {
    let mut game = Game::with(HttpollPlugin {
        user_agent: "tests/1".into(),
        headers: vec![
            ("X-Default".into(), "d".into()),
            ("X-Own".into(), "d".into()),
        ],
        base_url: Some("http://game.example/api/".into()),
        ..unhurried()
    });
    let _rule = game.server.post("/api/scores").reply(MockResponse::ok());
    game.spawn(
        HttpRequest::post("scores")
            .header("X-Own", "o")
            .bearer("secret")
            .json(&[1, 2]),
    );
    game.until_finished(1);
    let asked = &game.server.requests()[0];
    for (name, value) in [
        ("user-agent", "tests/1"),
        ("x-default", "d"),
        ("x-own", "o"),
        ("authorization", "Bearer secret"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}");
    }
    assert_eq!(asked.text(), "[1,2]");
}

#[test]
fn every_kind_of_content_is_sent_again_when_the_request_is_cloned() {
    for (request, content) in [
        (HttpRequest::put(url("/")).body("raw"), "raw"),
        (HttpRequest::put(url("/")).text("text"), "text"),
        (HttpRequest::put(url("/")).json("json"), "\"json\""),
        (HttpRequest::put(url("/")).form([("a", "b c")]), "a=b+c"),
        (
            HttpRequest::put(url("/")).with(|request| request.body("with")),
            "with",
        ),
    ] {
        let mut game = Game::new();
        let _rule = game.server.put("/").reply(MockResponse::ok());
        game.spawn(request.clone());
        game.spawn(request);
        game.until_finished(2);
        for asked in game.server.requests() {
            assert_eq!(asked.text(), content);
        }
    }
}

#[test]
fn host_headers_are_sent_to_their_host_only() {
    let mut game = Game::new();
    let other = bevy_httpoll::httpoll::mock::MockServer::on(&game.network, "other.example", 80);
    let _rules = [
        game.server.get("/").reply(MockResponse::ok()),
        other.get("/").reply(MockResponse::ok()),
    ];
    let mut http = game.app.world_mut().resource_mut::<HttpAgent>();
    http.set_host_headers("GAME.example", [("X-Key", "k")])
        .unwrap();
    let invalid = http.set_host_headers("game.example", [("X", "a\r\nb")]);
    assert_eq!(
        *invalid.unwrap_err().kind(),
        ErrorKind::Misuse(Misuse::InvalidHeader)
    );
    http.set_headers([("X-All", "a")]).unwrap();
    game.spawn(HttpRequest::get(url("/")));
    game.spawn(HttpRequest::get("http://other.example/"));
    game.until_finished(2);
    let asked = &game.server.requests()[0];
    assert_eq!(asked.header("x-key"), Some("k"));
    assert_eq!(asked.header("x-all"), Some("a"));
    assert_eq!(other.requests()[0].header("x-key"), None);
}

#[test]
fn status_404_is_a_response_unless_error_for_status_is_set() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::with_status(404).text("gone"));
    game.spawn(HttpRequest::get(url("/")));
    game.spawn(HttpRequest::get(url("/")).error_for_status());
    game.until_finished(2);
    let seen = game.log();
    assert_eq!(seen.responses[0].1, 404);
    assert_eq!(seen.errors[0].1, ErrorKind::Status(404));
}

#[test]
fn errors_known_at_the_spawn_reach_the_observer_attached_after_it() {
    for (request, is_kind) in [
        (HttpRequest::get("no url"), Misuse::InvalidUrl),
        (HttpRequest::default(), Misuse::InvalidUrl),
        (HttpRequest::get("ftp://game.example/"), Misuse::InvalidUrl),
        (
            HttpRequest::get(url("/")).header("X", "a\r\nY: b"),
            Misuse::InvalidHeader,
        ),
        (HttpRequest::new("a b", url("/")), Misuse::InvalidMethod),
        (
            HttpRequest::post(url("/")).json(&std::collections::HashMap::from([((1, 2), 3)])),
            Misuse::InvalidContent,
        ),
        (
            HttpRequest::post(url("/")).text("a").body("b"),
            Misuse::ConflictingContent,
        ),
    ] {
        let mut game = Game::new();
        let (sender, receiver) = mpsc::channel();
        game.app
            .world_mut()
            .spawn(request)
            .observe(move |on: On<HttpError>| {
                sender.send(on.error.kind().clone()).unwrap();
            });
        game.frames(3);
        let observed: Vec<_> = receiver.try_iter().collect();
        assert_eq!(observed.len(), 1, "{is_kind:?}: {observed:?}");
        assert!(
            matches!(&observed[0], ErrorKind::Misuse(misuse) if *misuse == is_kind),
            "{is_kind:?}: {observed:?}"
        );
    }
}

#[test]
fn a_refused_connection_is_an_error() {
    let mut game = Game::new();
    game.network
        .add_name("closed.example", &["10.9.9.9".parse().unwrap()]);
    let entity = game.spawn(HttpRequest::get("http://closed.example/"));
    game.until_finished(1);
    let kind = ErrorKind::Network(NetworkFault::ConnectFailed);
    assert_eq!(game.log().errors, [(entity, kind)]);
    assert!(!game.exists(entity), "despawned");
}

#[test]
fn content_over_the_limit_is_an_error() {
    let mut game = Game::with(HttpollPlugin {
        max_body_bytes: 999,
        ..unhurried()
    });
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::ok().bytes(vec![b'x'; 1000]));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert_eq!(
        game.log().errors[0].1,
        ErrorKind::Limit(Limit::BodyBytes(999))
    );
}

#[test]
fn http_finished_is_written_once_per_request_with_its_owner() {
    /// Read in each frame, since a message lives for two frames.
    #[derive(Resource, Default)]
    struct Observed(Vec<HttpFinished>);

    let mut game = Game::new();
    game.app.init_resource::<Observed>().add_systems(
        Last,
        |mut ends: MessageReader<HttpFinished>, mut observed: ResMut<Observed>| {
            observed.0.extend(ends.read().cloned());
        },
    );
    let _rule = game.server.get("/").reply(MockResponse::ok().text("hi"));
    let owner = game.spawn(());
    let asked = game.spawn((HttpRequest::get(url("/")), RequestedBy(owner)));
    let failed = game.spawn(HttpRequest::get("no url"));
    game.until_finished(2);
    game.frames(3);
    let mut observed = std::mem::take(&mut game.app.world_mut().resource_mut::<Observed>().0);
    observed.sort_by_key(|it| it.outcome.error().is_some());
    assert_eq!(observed.len(), 2);
    assert_eq!(
        (observed[0].request, observed[0].owner),
        (asked, Some(owner))
    );
    assert_eq!(observed[0].outcome.response().unwrap().text(), "hi");
    assert_eq!((observed[1].request, observed[1].owner), (failed, None));
    assert_eq!(
        *observed[1].outcome.error().unwrap().kind(),
        ErrorKind::Misuse(Misuse::InvalidUrl)
    );
}

#[test]
fn unread_messages_are_limited_while_no_fixed_step_runs() {
    use bevy_ecs::message::{MessageRegistry, Messages, ShouldUpdateMessages};
    let kept = |game: &Game| game.app.world().resource::<Messages<HttpFinished>>().len();
    let mut game = Game::new();
    let _rules = [
        game.server.get("/").reply(MockResponse::ok()),
        game.server
            .get("/large")
            .reply(MockResponse::ok().bytes(vec![0; 33 << 20])),
    ];
    // As the plugin for time does while its fixed steps stand still.
    let mut registry = game.app.world_mut().resource_mut::<MessageRegistry>();
    registry.should_update = ShouldUpdateMessages::Waiting;
    for round in 1..=6 {
        for _ in 0..400 {
            game.spawn(HttpRequest::get(url("/")));
        }
        game.until_finished(round * 400);
        game.frame();
    }
    assert_eq!(kept(&game), 1_200);
    for round in 1..=2 {
        game.spawn(HttpRequest::get(url("/large")));
        game.until_finished(2_400 + round);
        game.frame();
    }
    assert_eq!(kept(&game), 1);
}

#[test]
fn invalid_settings_of_the_plugin_are_left_out() {
    let mut game = Game::with(HttpollPlugin {
        user_agent: "a\r\nb".into(),
        ..unhurried()
    });
    let _rule = game.server.get("/").reply(MockResponse::ok());
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert_eq!(game.log().responses.len(), 1);
}

#[test]
fn requests_and_events_are_plain_values_without_secrets_in_debug() {
    // A backend over `fetch` could offer the same types.
    fn is_value<T: Clone + Send + Sync + 'static>() {}
    is_value::<HttpRequest>();
    is_value::<HttpStream>();
    is_value::<HttpRetry>();
    is_value::<HttpResponse>();
    is_value::<HttpError>();
    is_value::<HttpPhaseChanged>();
    is_value::<HttpFinished>();
    let debug = format!(
        "{:?}",
        HttpRequest::get("http://user:pass@game.example/a?token=1").bearer("t")
    );
    assert!(debug.contains("game.example"), "{debug}");
    for secret in ["pass", "token", "Bearer"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[test]
fn a_response_tells_success_from_errors() {
    let mut game = Game::new();
    let statuses = [200, 299, 304, 399, 400, 404, 503];
    let (sender, receiver) = std::sync::mpsc::channel();
    game.app.add_observer(move |on: On<HttpResponse>| {
        let error = on.error_for_status().err().map(|it| it.kind().clone());
        sender.send((on.status(), on.is_success(), error)).unwrap();
    });
    let _rules = statuses.map(|status| {
        let path = format!("/{status}");
        let rule = game.server.get(&path);
        rule.reply(MockResponse::with_status(status))
    });
    for (finished, status) in statuses.into_iter().enumerate() {
        game.spawn(HttpRequest::get(url(&format!("/{status}"))));
        game.until_finished(finished + 1);
    }
    let told: Vec<_> = receiver.try_iter().collect();
    let expected: Vec<_> = statuses
        .into_iter()
        .map(|status| {
            let error = (status >= 400).then_some(ErrorKind::Status(status));
            (status, status < 300, error)
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn fields_of_a_host_are_sent_with_urls_that_are_relative_to_it() {
    let mut game = Game::with(HttpollPlugin {
        base_url: Some("http://game.example/api/".to_owned()),
        ..unhurried()
    });
    let _rule = game.server.get("/**").reply(MockResponse::ok());
    let mut http = game.app.world_mut().resource_mut::<HttpAgent>();
    http.set_host_headers("Game.example", [("X-Key", "k")])
        .unwrap();
    game.spawn(HttpRequest::get("scores"));
    game.spawn(HttpRequest::get("scores?next=http%3A%2F%2Felse.example"));
    game.until_finished(2);
    for request in game.server.requests() {
        assert_eq!(request.path(), "/api/scores");
        assert_eq!(request.header("x-key"), Some("k"));
    }
}
