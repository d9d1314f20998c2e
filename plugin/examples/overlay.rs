//! A game that draws what the network does with its own means: the data of the inspector page, as a resource.
//!
//! ```text
//! cargo run -p bevy_httpoll --example overlay
//! ```
//!
//! What to look for: the overlay is text here, because this app has no window. A download and two slow
//! requests come and go. The game only reads `HttpSnapshot`.

#[macro_use]
mod offline;

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

/// How often the overlay is drawn before the example ends.
const DRAWINGS: u32 = 8;

#[derive(Resource)]
struct Server(String);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "overlay",
        "A game that draws what the network does: the data of the inspector page, as a resource.",
        &[],
    );
    let server = offline::serve(|request, stream| {
        match request.target.as_str() {
            "/pack" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")?;
                for _ in 0..20 {
                    stream.write_all(&[7; 100_000])?;
                    std::thread::sleep(Duration::from_millis(80));
                }
            }
            _ => {
                std::thread::sleep(Duration::from_millis(600));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            }
        }
        Ok(())
    })?;
    let snapshot = HttpSnapshot {
        interval: Duration::from_millis(200),
        ..HttpSnapshot::default()
    };
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(snapshot)
        .insert_resource(Server(format!("http://{server}")))
        .add_systems(Startup, begin)
        .add_systems(Update, draw.run_if(resource_changed::<HttpSnapshot>))
        .run())
}

fn begin(mut http: Http, server: Res<Server>) {
    http.get(format!("{}/pack", server.0))
        .insert(HttpPriority::Streaming);
    http.get(format!("{}/scores?player=ada", server.0));
    http.get(format!("{}/news", server.0));
}

/// Draws the overlay, as text.
fn draw(http: Res<HttpSnapshot>, mut drawn: Local<u32>, mut exit: MessageWriter<AppExit>) {
    let agent = &http.agent;
    let connections: usize = agent.hosts.iter().map(|host| host.connections.len()).sum();
    println!(
        "-- {} requests, {connections} connections, {} events wait",
        agent.requests.len(),
        agent.queues.events
    );
    for request in &agent.requests {
        let progress = request.progress;
        let bar = "#".repeat((progress.fraction().unwrap_or(0.0) * 20.0) as usize);
        println!(
            "   {} {} [{bar:<20}] {} bytes, {}, {:.1} s",
            request.method,
            request.url,
            progress.received,
            progress.phase,
            request.age.as_secs_f32()
        );
    }
    if let Some(second) = agent.seconds.last() {
        println!(
            "   the longest poll of this second took {:.2} ms",
            second.longest.as_secs_f64() * 1000.0
        );
    }
    *drawn += 1;
    if *drawn == DRAWINGS {
        exit.write(AppExit::Success);
    }
}
