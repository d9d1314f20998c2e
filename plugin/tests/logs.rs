//! What the plugin logs. A separate program, because a program has only one logger.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::{MockResponse, MockServer};
use bevy_httpoll::prelude::*;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.target().starts_with("bevy_httpoll") && metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    std::mem::take(&mut LINES.lock().unwrap())
}

#[test]
fn mistakes_of_the_developer_are_logged_once() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    // Without the plugin.
    let mut app = App::new();
    for _ in 0..3 {
        let request = HttpRequest::get("http://game.example/?token=secret");
        let entity = app.world_mut().spawn(request).id();
        app.update();
        app.world_mut().despawn(entity);
    }
    let told = lines();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("HttpollPlugin was not added"), "{told:?}");

    // A slow observer.
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rule = server.get("/").reply(MockResponse::ok());
    let mut app = App::new();
    app.add_plugins(HttpollPlugin {
        network: Some(network.clone()),
        slow_observer: Some(Duration::ZERO),
        ..HttpollPlugin::default()
    });
    let entity = app
        .world_mut()
        .spawn((HttpRequest::get("http://game.example/"), KeepRequest))
        .observe(|_: On<HttpResponse>| {})
        .id();
    while app.world().get::<HttpPhase>(entity) != Some(&HttpPhase::Done) {
        app.update();
        network.advance(Duration::from_millis(16));
    }
    let told = lines();
    let slow = told.iter().find(|line| line.contains("HttpResponse"));
    assert!(slow.unwrap().contains(&entity.to_string()), "{told:?}");

    // Invalid settings.
    App::new().add_plugins(HttpollPlugin {
        base_url: Some("no url".into()),
        ..HttpollPlugin::default()
    });
    let told = lines();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("base_url"), "{told:?}");
}
