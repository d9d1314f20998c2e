//! What the plugin shows of itself: the snapshot resource, and the agent on the inspector pages of servers.

use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::Phase;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Game, url};

#[test]
fn the_snapshot_resource_shows_the_agent_and_is_updated_in_intervals() {
    #[derive(Resource, Default)]
    struct Changes(usize);
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().never());
    game.app
        .init_resource::<HttpSnapshot>()
        .init_resource::<Changes>()
        .add_systems(
            bevy_app::First,
            (|mut changes: ResMut<Changes>| changes.0 += 1)
                .run_if(resource_changed::<HttpSnapshot>),
        );
    game.spawn(HttpRequest::get(url("/?token=secret")));
    let began = game.network.now();
    game.frames(60);
    let took = game.network.now() - began;
    let changes = game.app.world().resource::<Changes>().0;
    let intervals = (took.as_millis() / 250) as usize;
    assert!((intervals..=intervals + 2).contains(&changes), "{changes}");
    let shown = game.app.world().resource::<HttpSnapshot>();
    let [request] = &shown.agent.requests[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(request.progress.phase, Phase::AwaitHead);
    assert!(!format!("{shown:?}").contains("secret"));
    assert_eq!(shown.agent.hosts[0].connections.len(), 1);
    assert!(!shown.agent.seconds.is_empty());
    let mut shown = game.app.world_mut().resource_mut::<HttpSnapshot>();
    shown.interval = Duration::ZERO;
    game.frames(2);
    let after = game.app.world().resource::<Changes>().0;
    assert_eq!(after, changes + 2, "each frame");
}

#[cfg(feature = "server")]
#[test]
fn the_snapshot_resource_shows_each_server_by_its_entity() {
    let mut game = Game::new();
    game.app.init_resource::<HttpSnapshot>();
    let server = game.spawn(HttpServer::bind("10.0.0.7:80"));
    game.until(|world| world.get::<HttpServing>(server).is_some());
    game.spawn(HttpRequest::get("http://10.0.0.7/later"));
    game.frames(40);
    let shown = game.app.world().resource::<HttpSnapshot>();
    let [(entity, snapshot)] = &shown.servers[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(*entity, server);
    assert_eq!(snapshot.connections.len(), 1);
    assert_eq!(snapshot.metrics.requests, 1);
}

#[cfg(feature = "server")]
#[test]
fn the_inspector_page_of_a_server_shows_the_agent() {
    #[derive(Resource, Default)]
    struct States(Vec<serde_json::Value>);
    let mut game = Game::new();
    let inspected = HttpServer::bind("10.0.0.7:80").with(|server| {
        server.inspect("/debug")?;
        Ok(())
    });
    let server = game.spawn(inspected);
    game.until(|world| world.get::<HttpServing>(server).is_some());
    game.app.init_resource::<States>().add_observer(
        |on: On<HttpServerSentEvent>, mut states: ResMut<States>| {
            states.0.push(serde_json::from_str(&on.event.data).unwrap());
        },
    );
    game.spawn((
        HttpRequest::get("http://10.0.0.7/debug/events"),
        HttpStream::ServerSentEvents,
    ));
    game.frames(150);
    let states = &game.app.world().resource::<States>().0;
    assert!(states.len() > 3, "{}", states.len());
    let last = states.last().unwrap();
    let request = &last["sections"]["agent"]["requests"][0];
    assert_eq!(request["url"], "http://10.0.0.7/debug/events");
    assert_eq!(request["phase"], "receiving the response content");
    // It was made in the frame before the update.
    let age = request["age_ms"].as_f64().unwrap();
    let of_server = last["server"]["connections"][0]["request_ms"].as_f64();
    assert!(of_server.unwrap() - age < 50.0, "{age} {of_server:?}");
    assert_eq!(last["server"]["connections"][0]["phase"], "event stream");
}
