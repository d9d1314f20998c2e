//! The value that `Http` returns: the builder of a request and the commands of its entity.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use bevy_app::Startup;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, url};

#[test]
fn the_whole_request_can_be_built_on_the_value_that_http_returns() {
    let mut game = Game::new();
    let _rule = game
        .server
        .post("/scores?season=7")
        .reply(MockResponse::with_status(201).text("{\"rank\":3}"));
    let (sender, receiver) = mpsc::channel();
    game.app.add_systems(Startup, move |mut http: Http| {
        let sender = sender.clone();
        http.post(url("/scores"))
            .query("season", 7)
            .bearer("token")
            .header("X-Game", "1")
            .idempotency_key("key")
            .json(&[1, 2, 3])
            .timeout(Duration::from_secs(5))
            .insert(HttpRetry::times(2))
            .on_json(move |on: On<HttpJson<serde_json::Value>>| {
                let value = on.result.as_ref().unwrap().clone();
                sender.send(value["rank"].as_u64().unwrap()).unwrap();
            })
            .on_message(|_: On<HttpMessage<u32>>| {})
            .header("X-Last", "2");
    });
    game.until_finished(1);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [3]);
    let request = &game.server.requests()[0];
    for (name, value) in [
        ("authorization", "Bearer token"),
        ("x-game", "1"),
        ("x-last", "2"),
        ("idempotency-key", "key"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.text(), "[1,2,3]");
}

#[test]
fn observers_can_be_attached_to_the_value_that_http_returns() {
    let mut game = Game::new();
    let _rules = [
        game.server
            .get("/lines")
            .reply(MockResponse::ok().text("1\n2\n")),
        game.server
            .get("/gone")
            .reply(MockResponse::with_status(404)),
    ];
    let (sender, receiver) = mpsc::channel();
    game.app.add_systems(Startup, move |mut http: Http| {
        let note = |what: &'static str| {
            let sender = sender.clone();
            move || sender.send(what).unwrap()
        };
        let (observed, responded, failed) = (note("observed"), note("responded"), note("failed"));
        let message = note("message");
        http.get(url("/lines"))
            .insert(HttpStream::Messages(HttpFraming::default()))
            .observe(move |_: On<HttpResponse>| observed())
            .on_response(move |_: On<HttpResponse>| responded())
            .on_message(move |on: On<HttpMessage<u32>>| {
                assert!(on.result.is_ok());
                message();
            });
        http.get(url("/gone"))
            .error_for_status()
            .on_error(move |_: On<HttpError>| failed());
    });
    game.until_finished(2);
    let mut notes: Vec<_> = receiver.try_iter().collect();
    notes.sort_unstable();
    let expected = ["failed", "message", "message", "observed", "responded"];
    assert_eq!(notes, expected);
}

#[test]
fn a_secret_field_that_is_set_again_replaces_the_first() {
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok());
    let request = HttpRequest::get(url("/"))
        .secret_header("X-Key", "old")
        .secret_header("X-Other", "other")
        .secret_header("x-key", "new");
    game.spawn(request);
    game.until_finished(1);
    let fields = game.server.requests()[0].headers.clone();
    let keys: Vec<_> = fields.get_all("x-key").collect();
    assert_eq!(keys, [b"new"]);
    assert_eq!(fields.get("x-other"), Some(&b"other"[..]));
}

#[test]
fn the_entity_is_known_before_the_request_is_spawned_and_is_despawned_at_the_end() {
    #[derive(Resource)]
    struct Spawned(Vec<Entity>);
    #[derive(Component)]
    struct Tag;
    let mut game = Game::new();
    let _rule = game.server.any("/").reply(MockResponse::ok());
    game.app.insert_resource(Spawned(Vec::new())).add_systems(
        Startup,
        |mut http: Http, mut spawned: ResMut<Spawned>| {
            spawned.0.push(http.get(url("/")).id());
            spawned
                .0
                .push(http.put(url("/")).text("a").insert(Tag).id());
            spawned.0.push(http.delete(url("/")).id());
        },
    );
    game.until_finished(3);
    game.frame();
    let spawned = game.app.world().resource::<Spawned>().0.clone();
    for entity in spawned {
        assert!(!game.exists(entity));
    }
}

#[test]
fn a_retried_post_needs_an_idempotency_key() {
    for (key, requests) in [(None, 1), (Some("key"), 2)] {
        let mut game = Game::new();
        let _rule = game
            .server
            .post("/")
            .reply(MockResponse::with_status(503))
            .then_reply(MockResponse::ok());
        let request = HttpRequest::post(url("/"));
        let request = match key {
            Some(key) => request.idempotency_key(key),
            None => request,
        };
        game.spawn((request, HttpRetry::times(1)));
        game.until_finished(1);
        assert_eq!(game.server.requests().len(), requests, "{key:?}");
    }
}

#[test]
fn the_value_that_http_returns_has_every_method_of_the_builder() {
    let builder = include_str!("../../src/components/request.rs");
    let commands = include_str!("../../src/commands/request.rs");
    let methods: Vec<&str> = builder
        .split("pub fn ")
        .skip(1)
        .filter(|rest| {
            let parameters = rest.split('{').next().unwrap_or_default();
            ["(self", "mut self", "\n        self,"]
                .iter()
                .any(|by_value| parameters.contains(by_value))
        })
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    assert!(methods.contains(&"bearer"), "{methods:?}");
    for method in methods {
        let is_there = commands.contains(&format!("        {method}("))
            || commands.contains(&format!("pub fn {method}<"));
        assert!(is_there, "RequestCommands has no method {method}");
    }
}
