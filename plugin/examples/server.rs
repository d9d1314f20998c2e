//! A game that other programs can query: who plays, and what happens.
//!
//! ```text
//! cargo run -p bevy_httpoll --features server --example server
//! ```
//!
//! What to look for: each request is an entity that a command responds to, here three frames after it
//! arrived. A viewer of the event stream is an entity, too. Server and client share one app, one frame and one
//! budget.

#[macro_use]
mod offline;

use std::error::Error;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::event_stream::ServerSentEvent;
use bevy_httpoll::httpoll::server::Response;
use bevy_httpoll::prelude::*;
use serde_json::json;

#[derive(Component)]
struct Player(&'static str);

/// A request whose response takes the game some frames.
#[derive(Component)]
struct Thinking(u32);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "server",
        "A game that other programs can query: who plays, and what happens.",
        &[],
    );
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .add_systems(Startup, listen)
        .add_systems(Update, (respond, play))
        .add_observer(visit)
        .run())
}

fn listen(mut commands: Commands) {
    commands.spawn(Player("Ada"));
    commands.spawn(Player("Bob"));
    commands
        .spawn(HttpServer::bind("127.0.0.1:0"))
        .observe(
            |received: On<HttpRequestReceived>,
             requests: Query<&HttpServerRequest>,
             mut commands: Commands|
             -> Result {
                let request = requests.get(received.request)?;
                println!("received {} {}", request.method(), request.path());
                match request.path() {
                    "/players" => {
                        commands.entity(received.request).insert(Thinking(3));
                    }
                    "/events" => commands.stream_events(received.request),
                    _ => commands.respond(received.request, Response::status(404)),
                }
                Ok(())
            },
        )
        .observe(|failed: On<HttpServerFailed>| eprintln!("{}", failed.error));
}

/// Responds to the requests that have waited long enough.
fn respond(
    mut thoughts: Query<(Entity, &mut Thinking)>,
    players: Query<&Player>,
    mut commands: Commands,
) {
    for (request, mut thinking) in &mut thoughts {
        thinking.0 -= 1;
        if thinking.0 == 0 {
            let names: Vec<_> = players.iter().map(|player| player.0).collect();
            commands.respond(request, Response::json(&json!(names)));
        }
    }
}

/// Something happens every tenth frame.
fn play(mut viewers: Query<&mut HttpEventPeer>, mut frame: Local<u32>) {
    *frame += 1;
    if frame.is_multiple_of(10) {
        for mut viewer in &mut viewers {
            // A viewer that is too slow misses the event.
            let _ = viewer.send(&ServerSentEvent::new(format!("frame {}", *frame)));
        }
    }
}

/// The other side: a companion app.
fn visit(started: On<HttpServerStarted>, mut http: Http) {
    println!("listening on a free port of this machine");
    let address = started.address;
    http.get(format!("http://{address}/players")).on_response(
        move |players: On<HttpResponse>, mut http: Http| {
            println!("players: {}", players.text());
            http.get(format!("http://{address}/events"))
                .insert(HttpStream::ServerSentEvents)
                .observe(
                    |event: On<HttpServerSentEvent>,
                     mut count: Local<u32>,
                     mut exit: MessageWriter<AppExit>| {
                        println!("event: {}", event.event.data);
                        *count += 1;
                        if *count == 3 {
                            exit.write(AppExit::Success);
                        }
                    },
                );
        },
    );
}
