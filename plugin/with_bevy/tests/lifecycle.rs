//! Bevy's own message that a phone moves the app to the background: the cookbook's recipe closes everything in the one
//! frame that Bevy runs after it.

#![cfg(feature = "window")]

use std::time::Duration;

use bevy_app::prelude::*;
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::mock::{MockResponse, MockServer};
use bevy_httpoll::prelude::*;
use bevy_window::{AppLifecycle, WindowPlugin};

fn follow(mut changes: MessageReader<AppLifecycle>, mut agent: ResMut<HttpAgent>) {
    for change in changes.read() {
        match change {
            AppLifecycle::WillSuspend | AppLifecycle::Suspended => agent.suspend(Duration::ZERO),
            AppLifecycle::WillResume | AppLifecycle::Running => agent.resume_all(),
            AppLifecycle::Idle => {}
        }
    }
}

#[derive(Resource, Default)]
struct Got(usize);

#[test]
fn the_message_of_bevys_windows_suspends_and_resumes_all_requests() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let content = MockResponse::resource(vec![7u8; 10_000]);
    server
        .get("/pack")
        .reply(content.drip(100, Duration::from_millis(50)));
    let mut app = App::new();
    app.add_plugins((
        WindowPlugin::default(),
        HttpollPlugin {
            network: Some(network.clone()),
            ..HttpollPlugin::default()
        },
    ))
    .init_resource::<Got>()
    .add_systems(PreUpdate, follow.before(HttpollSystems::Poll))
    .add_systems(Startup, |mut http: Http| {
        http.get("http://game.example/pack")
            .on_response(|on: On<HttpResponse>, mut got: ResMut<Got>| got.0 = on.body.len());
    });
    let frames = |app: &mut App, count| {
        for _ in 0..count {
            app.update();
            network.advance(Duration::from_millis(16));
        }
    };
    frames(&mut app, 20);
    assert_eq!(network.open_connections(), 1);
    app.world_mut().write_message(AppLifecycle::Suspended);
    frames(&mut app, 1);
    assert_eq!(network.open_connections(), 0);
    network.advance(Duration::from_secs(3600));
    app.world_mut().write_message(AppLifecycle::Running);
    frames(&mut app, 500);
    assert_eq!(app.world().resource::<Got>().0, 10_000);
}
