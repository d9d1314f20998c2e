//! A request and its owner through one of Bevy's own scenes: saved as RON, and loaded into another app.

use std::time::Duration;

use bevy_app::{App, TaskPoolPlugin};
use bevy_asset::{AssetPlugin, AssetServer};
use bevy_ecs::entity::EntityHashMap;
use bevy_ecs::name::Name;
use bevy_ecs::reflect::AppTypeRegistry;
use bevy_httpoll::prelude::*;
use bevy_world_serialization::DynamicWorldBuilder;
use bevy_world_serialization::serde::WorldDeserializer;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use serde::de::DeserializeSeed;

fn app() -> (App, MemoryNetwork, MockServer) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        AssetPlugin::default(),
        HttpollPlugin {
            network: Some(network.clone()),
            ..HttpollPlugin::default()
        },
    ));
    (app, network, server)
}

#[test]
fn a_request_and_its_owner_survive_one_of_bevys_scenes() {
    // An editor: nothing is sent, because the request is paused.
    let (mut editor, ..) = app();
    let world = editor.world_mut();
    let owner = world.spawn(Name::new("leaderboard")).id();
    let request = HttpRequest::post("http://game.example/scores")
        .query("season", 7)
        .header("X-Game", "1")
        .bearer("token-of-the-player")
        .json(&[1, 2, 3])
        .timeout(Duration::from_secs(20));
    let retry = HttpRetry::times(5);
    let request = (
        request,
        retry.clone(),
        HttpPriority::Background,
        HttpRepeat::every(Duration::from_secs(60)),
        HttpPaused,
        RequestedBy(owner),
    );
    let request = world.spawn(request).id();
    let registry = world.resource::<AppTypeRegistry>().clone();
    let scene = DynamicWorldBuilder::from_world(world, &registry.read())
        .extract_entities([owner, request].into_iter())
        .build();
    let text = scene.serialize(&registry.read()).unwrap();
    assert!(text.contains("\"bevy_httpoll::HttpRequest\""), "{text}");
    assert!(text.contains("http://game.example/scores"), "{text}");
    assert!(!text.contains("token-of-the-player"), "{text}");

    // The game.
    let (mut game, network, server) = app();
    let _rule = server.post("/scores?season=7").reply(MockResponse::ok());
    let mut assets = game.world().resource::<AssetServer>().clone();
    let registry = game.world().resource::<AppTypeRegistry>().clone();
    let loaded = WorldDeserializer {
        type_registry: &registry.read(),
        load_from_path: &mut assets,
    }
    .deserialize(&mut ron::Deserializer::from_str(&text).unwrap())
    .unwrap();
    let mut entities = EntityHashMap::default();
    loaded
        .write_to_world(game.world_mut(), &mut entities)
        .unwrap();
    let (owner, request) = (entities[&owner], entities[&request]);
    let world = game.world_mut();
    assert_eq!(world.get::<RequestedBy>(request), Some(&RequestedBy(owner)));
    assert_eq!(world.get::<Requests>(owner).unwrap().entities(), [request]);
    assert_eq!(world.get::<HttpRetry>(request), Some(&retry));
    assert_eq!(
        world.get::<HttpPriority>(request),
        Some(&HttpPriority::Background)
    );
    world.entity_mut(request).remove::<HttpPaused>();
    for _ in 0..20 {
        game.update();
        network.advance(Duration::from_millis(16));
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-game"), Some("1"));
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[0].text(), "[1,2,3]");
    assert!(game.world().get::<HttpRepeat>(request).is_some());
}
