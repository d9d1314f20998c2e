//! A chat over server-sent events, whose server hangs up in the middle.
//!
//! ```text
//! cargo run -p bevy_httpoll --example sse
//! ```
//!
//! What to look for: each server-sent event triggers an event. When the server hangs up, the request
//! reconnects by itself and sends the last id that it saw; nothing is lost and nothing arrives twice.

#[macro_use]
mod offline;

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use bevy_app::{AppExit, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

const LINES: [&str; 6] = [
    "Ada joins",
    "Ada: hello?",
    "Bob joins",
    "Bob: hi",
    "Ada: a game?",
    "Bob: sure",
];

#[derive(Resource)]
struct Server(String);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "sse",
        "A chat over server-sent events, whose server hangs up in the middle.",
        &[],
    );
    let server = offline::serve(|request, stream| {
        let seen = request
            .field("last-event-id")
            .and_then(|id| id.parse().ok());
        let next = seen.map_or(0, |id: usize| id + 1);
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 200\n\n",
        )?;
        for (id, line) in LINES.iter().enumerate().skip(next) {
            write!(stream, "id: {id}\ndata: {line}\n\n")?;
            std::thread::sleep(Duration::from_millis(100));
            if id == 2 && next == 0 {
                return Err(io::Error::other("the server hangs up"));
            }
        }
        Ok(())
    })?;
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Server(format!("http://{server}/chat")))
        .add_systems(Startup, begin)
        .run())
}

fn begin(mut http: Http, server: Res<Server>) {
    http.event_stream(server.0.as_str())
        .observe(|phase: On<HttpPhaseChanged>| {
            if phase.to == HttpPhase::AwaitRetry {
                println!("(the server hung up; reconnecting)");
            }
        })
        .observe(
            |line: On<HttpServerSentEvent>, mut exit: MessageWriter<AppExit>| {
                let id = line.event.id.as_deref().unwrap_or("-");
                println!("{id}: {}", line.event.data);
                if line.event.data == LINES[LINES.len() - 1] {
                    exit.write(AppExit::Success);
                }
            },
        )
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
}
