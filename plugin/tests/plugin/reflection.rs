//! Components in scenes and inspectors. Bevy's scenes save each component with `ReflectSerializer` and
//! insert it with `ReflectComponent`; so do these tests, without the crates that scenes would
//! add. `plugin/with_bevy` has a test with those crates.

#![cfg(feature = "reflect")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::field_reassign_with_default
)]

use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_ecs::reflect::{AppTypeRegistry, ReflectComponent};
use bevy_httpoll::httpoll::Timeouts;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;
use bevy_reflect::serde::{ReflectDeserializer, ReflectSerializer};
use bevy_reflect::{FromReflect, PartialReflect, Reflect, ReflectRef, TypeRegistry};
use serde::de::DeserializeSeed;

use crate::support::{Folder, Game, url};

/// The saved components of an entity, as JSON.
fn save(world: &World, entity: Entity) -> Vec<String> {
    let registry = world.resource::<AppTypeRegistry>().read();
    let mut saved = Vec::new();
    for registration in registry.iter() {
        let Some(component) = registration.data::<ReflectComponent>() else {
            continue;
        };
        if let Some(value) = component.reflect(world.entity(entity)) {
            let serializer = ReflectSerializer::new(value.as_partial_reflect(), &registry);
            saved.push(serde_json::to_string(&serializer).unwrap());
        }
    }
    saved
}

/// Spawns an entity with saved components.
fn load(world: &mut World, saved: &[String]) -> Entity {
    let registry = world.resource::<AppTypeRegistry>().clone();
    let registry = registry.read();
    let entity = world.spawn_empty().id();
    for text in saved {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = ReflectDeserializer::new(&registry)
            .deserialize(&mut deserializer)
            .unwrap();
        let info = value.get_represented_type_info().unwrap();
        let component = registry.get_type_data::<ReflectComponent>(info.type_id());
        component
            .unwrap()
            .insert(&mut world.entity_mut(entity), &*value, &registry);
    }
    entity
}

fn whole_request() -> HttpRequest {
    let mut timeouts = Timeouts::default();
    timeouts.head = Some(Duration::from_secs(7));
    HttpRequest::post(url("/scores"))
        .query("season", 7)
        .header("X-Game", "1")
        .idempotency_key("key")
        .json(&[1, 2, 3])
        .timeout(Duration::from_secs(60))
        .timeouts(timeouts)
        .max_body(1_000)
        .error_for_status()
        .stale_if_error()
        .bearer("token-of-the-player")
}

#[test]
fn a_saved_request_is_sent_like_the_original_but_for_credentials() {
    let mut game = Game::new();
    let _rule = game
        .server
        .post("/scores?season=7")
        .reply(MockResponse::ok());
    let original = game.spawn((whole_request(), HttpPaused));
    let mut saved = save(game.app.world(), original);
    let text = saved.join("\n");
    assert!(text.contains("bevy_httpoll::HttpRequest"), "{text}");
    assert!(!text.contains("token-of-the-player"), "{text}");
    saved.retain(|component| !component.contains("HttpPaused"));
    load(game.app.world_mut(), &saved);
    game.app
        .world_mut()
        .entity_mut(original)
        .remove::<HttpPaused>();
    game.until_finished(2);
    let requests = game.server.requests();
    let authorized = |name| {
        let all = requests.iter();
        all.filter(|request| request.header(name).is_some()).count()
    };
    assert_eq!(authorized("authorization"), 1);
    assert_eq!(authorized("idempotency-key"), 2);
    for request in &requests {
        assert_eq!(request.target, "/scores?season=7");
        assert_eq!(request.header("x-game"), Some("1"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.text(), "[1,2,3]");
    }
}

#[test]
fn every_kind_of_content_survives_a_scene() {
    for (request, content) in [
        (
            HttpRequest::put(url("/")).body(&b"a\xff\x00"[..]),
            &b"a\xff\x00"[..],
        ),
        (HttpRequest::put(url("/")).text("text"), b"text"),
        (HttpRequest::put(url("/")).json("json"), b"\"json\""),
        (HttpRequest::put(url("/")).form([("a", "b c")]), b"a=b+c"),
    ] {
        let mut game = Game::new();
        let _rule = game.server.put("/").reply(MockResponse::ok());
        let original = game.spawn(request);
        let saved = save(game.app.world(), original);
        game.app.world_mut().despawn(original);
        load(game.app.world_mut(), &saved);
        game.until_finished(1);
        assert_eq!(game.server.requests()[0].body, content);
    }
}

#[test]
fn the_components_next_to_a_request_survive_a_scene() {
    let folder = Folder::new("scene");
    let mut game = Game::new();
    let download = HttpDownload::to(folder.path("pack"))
        .resume(true)
        .expected_size(5)
        .sha256([7; 32])
        .max_size(99);
    let retry = HttpRetry {
        statuses: vec![418],
        ..HttpRetry::times(5)
    };
    let repeat = HttpRepeat::every(Duration::from_secs(3));
    let original = game.spawn((
        download.clone(),
        retry.clone(),
        repeat,
        HttpPriority::Background,
        HttpRateLimit(123),
        HttpPaused,
        KeepRequest,
        DespawnOnFinish,
        HttpUpload::file("replay"),
        HttpStream::ServerSentEvents,
    ));
    let saved = save(game.app.world(), original);
    let copy = load(game.app.world_mut(), &saved);
    let copy = game.app.world().entity(copy);
    assert_eq!(copy.get::<HttpDownload>(), Some(&download));
    assert_eq!(copy.get::<HttpRetry>(), Some(&retry));
    assert_eq!(copy.get::<HttpRepeat>(), Some(&repeat));
    assert_eq!(copy.get::<HttpPriority>(), Some(&HttpPriority::Background));
    assert_eq!(copy.get::<HttpRateLimit>(), Some(&HttpRateLimit(123)));
    assert_eq!(copy.get::<HttpUpload>(), Some(&HttpUpload::file("replay")));
    assert_eq!(
        copy.get::<HttpStream>(),
        Some(&HttpStream::ServerSentEvents)
    );
    assert!(copy.contains::<HttpPaused>());
    assert!(copy.contains::<KeepRequest>() && copy.contains::<DespawnOnFinish>());
}

#[test]
fn a_framing_survives_a_scene() {
    let mut game = Game::new();
    let stream = HttpStream::Messages(HttpFraming {
        max_queued: 7,
        ..HttpFraming::new(HttpFrameFormat::U16LittleEndian)
    });
    let original = game.spawn(stream.clone());
    let saved = save(game.app.world(), original);
    let copy = load(game.app.world_mut(), &saved);
    assert_eq!(game.app.world().get::<HttpStream>(copy), Some(&stream));
}

#[cfg(feature = "websocket")]
#[test]
fn a_web_socket_survives_a_scene() {
    let mut game = Game::new();
    let stream = HttpStream::WebSocket(HttpWebSocket {
        subprotocols: vec!["chat".into()],
        ping_interval: None,
        ..HttpWebSocket::default()
    });
    let original = game.spawn(stream.clone());
    let saved = save(game.app.world(), original);
    let copy = load(game.app.world_mut(), &saved);
    assert_eq!(game.app.world().get::<HttpStream>(copy), Some(&stream));
}

#[cfg(feature = "multipart")]
#[test]
fn a_form_survives_a_scene() {
    let mut game = Game::new();
    let upload = HttpUpload::form()
        .form_text("player", "Ada")
        .form_file("replay", "replay.bin")
        .form_bytes("shot", "shot.png", &b"\xffpng"[..]);
    let original = game.spawn(upload.clone());
    let saved = save(game.app.world(), original);
    let copy = load(game.app.world_mut(), &saved);
    assert_eq!(game.app.world().get::<HttpUpload>(copy), Some(&upload));
}

/// The names of the fields that an inspector shows.
fn fields(value: &dyn Reflect) -> Vec<String> {
    match value.reflect_ref() {
        ReflectRef::Struct(value) => (0..value.field_len())
            .filter_map(|index| value.name_at(index).map(str::to_owned))
            .collect(),
        _ => panic!("an opaque type shows nothing"),
    }
}

#[test]
fn an_inspector_shows_the_fields_and_no_credentials() {
    let shown = fields(&whole_request());
    for name in ["method", "url", "query", "headers", "content", "timeout"] {
        assert!(shown.iter().any(|field| field == name), "{name}: {shown:?}");
    }
    assert!(!shown.iter().any(|field| field == "secrets"), "{shown:?}");
    let shown = fields(&HttpDownload::to("pack"));
    assert!(shown.iter().any(|field| field == "path"), "{shown:?}");
    let shown = fields(&HttpRetry::default());
    assert!(shown.iter().any(|field| field == "retries"), "{shown:?}");
    let patched = HttpRetry::from_reflect(HttpRetry::times(2).as_partial_reflect());
    assert_eq!(patched, Some(HttpRetry::times(2)));
}

#[test]
fn components_are_registered_under_the_name_of_the_crate() {
    let game = Game::new();
    let registry = game.app.world().resource::<AppTypeRegistry>().read();
    let registered = |registry: &TypeRegistry, name: &str| {
        registry
            .get_with_type_path(&format!("bevy_httpoll::{name}"))
            .is_some_and(|it| it.data::<ReflectComponent>().is_some())
    };
    for name in [
        "HttpRequest",
        "KeepRequest",
        "DespawnOnFinish",
        "HttpDownload",
        "HttpUpload",
        "HttpStream",
        "HttpRepeat",
        "HttpRetry",
        "HttpPriority",
        "HttpPaused",
        "HttpRateLimit",
        "HttpPhase",
        "HttpProgress",
        "RequestedBy",
        "Requests",
    ] {
        assert!(registered(&registry, name), "{name}");
    }
}
