//! A menu is closed while its picture is still loading.
//!
//! ```text
//! cargo run -p bevy_httpoll --example cancel_on_despawn
//! ```
//!
//! What to look for: the game despawns the menu and nothing else. Its request goes with it, and the
//! server sees the connection close at once; neither a response nor an error is reported.

#[macro_use]
mod offline;

use std::error::Error;
use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

#[derive(Component)]
struct Menu;

#[derive(Resource)]
struct Server {
    url: String,
    closed: Mutex<Receiver<usize>>,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "cancel_on_despawn",
        "A menu is closed while its picture is still loading.",
        &[],
    );
    let (closes, closed) = mpsc::channel();
    let server = offline::serve(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")?;
        // A slow picture: 100 KB every 10 ms.
        for sent in 0.. {
            if let Err(error) = stream.write_all(&[0; 100_000]) {
                let _ = closes.send(sent * 100_000);
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    })?;
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Server {
            url: format!("http://{server}/picture"),
            closed: Mutex::new(closed),
        })
        .add_systems(Startup, open)
        .add_systems(Update, (close, end))
        .run())
}

fn open(mut commands: Commands, server: Res<Server>) {
    println!("the menu opens and loads its picture");
    commands
        .spawn(Menu)
        .on_response(|_: On<HttpResponse>| println!("this is never printed"))
        .on_error(|_: On<HttpError>| println!("nor is this"))
        .with_related::<RequestedBy>(HttpRequest::get(server.url.as_str()));
}

fn close(
    mut commands: Commands,
    menus: Query<Entity, With<Menu>>,
    requests: Query<&HttpProgress, Changed<HttpProgress>>,
) {
    for progress in &requests {
        if progress.received > 1_000_000 {
            println!("the player closes it after {} bytes", progress.received);
            for menu in &menus {
                commands.entity(menu).despawn();
            }
        }
    }
}

fn end(server: Res<Server>, requests: Query<&HttpRequest>, mut exit: MessageWriter<AppExit>) {
    let closed = server.closed.lock().ok().and_then(|it| it.try_recv().ok());
    if let Some(sent) = closed {
        println!("the server saw the connection close after {sent} bytes");
        println!("requests left in the world: {}", requests.iter().len());
        exit.write(AppExit::Success);
    }
}
