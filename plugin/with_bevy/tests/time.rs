//! Bevy's virtual time, which a game pauses, does not stop HTTP.

use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_time::{Time, TimePlugin, Virtual};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};

#[derive(Resource, Default)]
struct Ends {
    responses: usize,
    errors: usize,
}

#[test]
fn paused_virtual_time_stops_neither_rounds_nor_deadlines() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let _rules = [
        server.get("/").reply(MockResponse::ok()),
        server.get("/never").reply(MockResponse::ok().never()),
    ];
    let mut app = App::new();
    app.add_plugins((
        TimePlugin,
        HttpollPlugin {
            network: Some(network.clone()),
            ..HttpollPlugin::default()
        },
    ))
    .init_resource::<Ends>()
    .add_observer(|_: On<HttpResponse>, mut ends: ResMut<Ends>| ends.responses += 1)
    .add_observer(|_: On<HttpError>, mut ends: ResMut<Ends>| ends.errors += 1);
    let world = app.world_mut();
    world.resource_mut::<Time<Virtual>>().pause();
    world.spawn((
        HttpRequest::get("http://game.example/"),
        HttpRepeat::every(Duration::from_secs(1)),
    ));
    world.spawn(HttpRequest::get("http://game.example/never").timeout(Duration::from_secs(1)));
    // Three and a half seconds.
    for _ in 0..219 {
        app.update();
        network.advance(Duration::from_millis(16));
    }
    let ends = app.world().resource::<Ends>();
    assert_eq!((ends.responses, ends.errors), (4, 1));
}
