//! A dedicated game server reports its matches, the last one in its last frame.
//!
//! ```text
//! cargo run -p bevy_httpoll --example headless
//! ```
//!
//! What to look for: no window, asset or time plugin is needed. The last report is sent in the frame that ends
//! the app, and still arrives: `HttpOnExit::Drain` waits for it.

#[macro_use]
mod offline;

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use bevy_app::{AppExit, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

const MATCHES: u32 = 3;

#[derive(Resource)]
struct Telemetry(String);

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "headless",
        "A dedicated game server reports its matches, the last one in its last frame.",
        &[],
    );
    let (reports, reported) = mpsc::channel();
    let server = offline::serve(move |request, stream| {
        let report = String::from_utf8_lossy(&request.body).into_owned();
        // A slow service: each report takes it 50 ms.
        std::thread::sleep(Duration::from_millis(50));
        let _ = reports.send(report);
        offline::reply(stream, 202, "text/plain", b"")
    })?;
    let exit = offline::app()
        .add_plugins(HttpollPlugin {
            on_exit: HttpOnExit::Drain(Duration::from_secs(5)),
            ..HttpollPlugin::default()
        })
        .insert_resource(Telemetry(format!("http://{server}/matches")))
        .add_systems(Update, play)
        .add_observer(|response: On<HttpResponse>| println!("reported: {}", response.status()))
        .run();
    println!("the service has:");
    for report in reported.try_iter() {
        println!("  {report}");
    }
    Ok(exit)
}

/// A match takes ten frames.
fn play(
    mut http: Http,
    telemetry: Res<Telemetry>,
    mut frame: Local<u32>,
    mut exit: MessageWriter<AppExit>,
) {
    *frame += 1;
    if !frame.is_multiple_of(10) {
        return;
    }
    let number = *frame / 10;
    let winner = if number.is_multiple_of(2) {
        "Ada"
    } else {
        "Bob"
    };
    let report = serde_json::json!({ "match": number, "winner": winner });
    http.post(telemetry.0.as_str())
        .json(&report)
        .idempotency_key(format!("match-{number}"))
        .insert(HttpRetry::default());
    if number == MATCHES {
        println!("match {number} is over, and so is the tournament");
        exit.write(AppExit::Success);
    }
}
