//! Godot's `HTTPClient` on an entity, driven by its own transitions.
//!
//! ```text
//! cargo run -p bevy_httpoll --example bevy_node
//! ```
//!
//! What to look for: every status is an event, in order. The observer that sees `STATUS_CONNECTED` sends the
//! request. Content arrives in chunks.

#[macro_use]
mod offline;

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

#[derive(Resource)]
struct Server(std::net::SocketAddr);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "bevy_node",
        "Godot's `HTTPClient` on an entity, driven by its own transitions.",
        &[],
    );
    let server = offline::serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for line in ["the quick brown fox", "jumps over", "the lazy dog"] {
            write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
            std::thread::sleep(Duration::from_millis(50));
        }
        stream.write_all(b"0\r\n\r\n")
    })?;
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Server(server))
        .add_systems(Startup, connect)
        .run())
}

fn connect(mut commands: Commands, server: Res<Server>) -> Result {
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", server.0.port().into(), None)?;
    commands
        .spawn((node, HttpStream::Chunks))
        .observe(
            |changed: On<HttpStatusChanged>,
             mut nodes: Query<&mut HttpClientNode>,
             mut exit: MessageWriter<AppExit>|
             -> Result {
                println!("{} -> {}", changed.from, changed.to);
                match (changed.from, changed.to) {
                    (Status::Connecting, Status::Connected) => nodes
                        .get_mut(changed.entity)?
                        .request(Method::Get, "/fox", &["Accept: text/plain"], "")?,
                    (Status::Body, Status::Connected) => {
                        exit.write(AppExit::Success);
                    }
                    _ => {}
                }
                Ok(())
            },
        )
        .observe(|chunk: On<HttpChunk>| println!("  {}", String::from_utf8_lossy(&chunk.bytes)))
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
    Ok(())
}
