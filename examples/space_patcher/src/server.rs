//! The embedded server, in the game's own loop: `HttpServer` listens and is polled with everything else.

use std::net::SocketAddr;
use std::time::Instant;

use bevy::prelude::*;
use bevy_httpoll::prelude::*;

use crate::faults::Faults;
use crate::service::SharedService;
use crate::site::Site;

#[derive(Resource)]
pub struct Embedded {
    pub service: SharedService,
    /// The server's entity.
    entity: Entity,
    /// Known once it listens, so that it comes back at the same port.
    address: Option<SocketAddr>,
}

/// Adds the server for a service.
pub fn plugin(service: SharedService) -> impl Fn(&mut App) {
    move |app| {
        let entity = app.world_mut().spawn_empty().id();
        app.insert_resource(Embedded {
            service: service.clone(),
            entity,
            address: None,
        })
        .add_systems(Startup, listen)
        .add_systems(Update, (obey, turn))
        .add_observer(started)
        .add_observer(|on: On<HttpServerFailed>| error!("the server: {}", on.error));
    }
}

fn listen(server: Res<Embedded>, mut commands: Commands) {
    let address = server.address.map(|address| address.to_string());
    let service = server.service.clone();
    commands.entity(server.entity).insert(
        HttpServer::bind(address.unwrap_or_else(|| "127.0.0.1:0".to_owned()))
            .with(move |server| service.register(server)),
    );
}

fn started(on: On<HttpServerStarted>, mut server: ResMut<Embedded>, mut commands: Commands) {
    if server.address.replace(on.address).is_none() {
        info!("the server listens at http://{}", on.address);
        commands.insert_resource(Site(format!("http://{}", on.address)));
    }
}

/// Passes the faults on. Offline is real here: the listener and all connections are closed.
fn obey(
    faults: Res<Faults>,
    server: Res<Embedded>,
    serving: Query<(), With<HttpServer>>,
    mut commands: Commands,
) {
    if !faults.is_changed() {
        return;
    }
    server.service.lock().set_faults(*faults);
    let is_listening = serving.contains(server.entity);
    if faults.offline && is_listening {
        commands.entity(server.entity).remove::<HttpServer>();
    } else if !faults.offline && !is_listening {
        listen(server, commands);
    }
}

fn turn(server: Res<Embedded>) {
    server.service.lock().turn(Instant::now());
}
