//! Frames in which nothing happens: three servers, four nodes, and four requests whose server never responds. For
//! `strace`, which counts the system calls; see `benches/README.md`. The argument is the number of frames.

#![allow(missing_docs)]

use std::net::TcpListener;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

#[derive(Resource, Default)]
struct Addresses(Vec<std::net::SocketAddr>);

fn main() -> std::io::Result<()> {
    let frames = std::env::args().skip(1).find_map(|it| it.parse().ok());
    // What `cargo bench` runs by itself: nothing that needs another program.
    let Some(frames) = frames else { return Ok(()) };
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let mut app = App::new();
    app.add_plugins(HttpollPlugin::default())
        .init_resource::<Addresses>()
        .add_observer(
            |started: On<HttpServerStarted>, mut addresses: ResMut<Addresses>| {
                addresses.0.push(started.address);
            },
        );
    for _ in 0..3 {
        app.world_mut().spawn(HttpServer::bind("127.0.0.1:0"));
    }
    while app.world().resource::<Addresses>().0.len() < 3 {
        app.update();
    }
    for number in 0..4 {
        let address = app.world().resource::<Addresses>().0[number % 3];
        let mut node = HttpClientNode::default();
        if let Err(error) = node.connect_to_host("127.0.0.1", address.port().into(), None) {
            return Err(std::io::Error::other(error));
        }
        app.world_mut().spawn(node);
        let url = format!("http://{}/", silent.local_addr()?);
        app.world_mut().spawn(HttpRequest::get(url));
    }
    for _ in 0..frames {
        app.update();
        std::thread::sleep(std::time::Duration::from_millis(4));
    }
    println!("{frames} frames");
    Ok(())
}
