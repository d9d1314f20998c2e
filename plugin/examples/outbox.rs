//! Telemetry that arrives although the service is down and the game is closed in between.
//!
//! ```text
//! cargo run -p bevy_httpoll --features outbox --example bevy_outbox
//! ```
//!
//! What to look for: the game pushes events and never waits for a response. In its first run the service refuses
//! everything, so the events stay in a file. The second run sends them with its own, the last ones in its last frame.
//! The example checks that each event arrived once and in order, and fails otherwise.

#[macro_use]
mod offline;

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use serde_json::{Value, json};

/// The events of a run, one in each frame.
const EVENTS: u64 = 30;

#[derive(Resource)]
struct Telemetry {
    url: String,
    file: PathBuf,
    /// The number of the next event.
    next: u64,
    /// The app ends with this one.
    end: u64,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "bevy_outbox",
        "Telemetry that arrives although the service is down and the game is closed in between.",
        &[],
    );
    let is_down = Arc::new(AtomicBool::new(true));
    let received = Arc::new(Mutex::new(Vec::new()));
    let (down, events) = (is_down.clone(), received.clone());
    let server = offline::serve(move |request, stream| {
        if down.load(Ordering::Relaxed) {
            return offline::reply(stream, 503, "text/plain", b"");
        }
        let batch: Vec<Value> = serde_json::from_slice(&request.body)?;
        println!(
            "  the service received {} events, key {}",
            batch.len(),
            request.field("idempotency-key").unwrap_or("none"),
        );
        if let Ok(mut events) = events.lock() {
            events.extend(batch.iter().filter_map(|event| event["number"].as_u64()));
        }
        offline::reply(stream, 202, "text/plain", b"")
    })?;
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-outbox-{}", std::process::id()));
    for run in 0..2 {
        println!("run {}:", run + 1);
        is_down.store(run == 0, Ordering::Relaxed);
        let exit = offline::app()
            .add_plugins(HttpollPlugin::default())
            .insert_resource(Telemetry {
                url: format!("http://{server}/events"),
                file: folder.join("telemetry.outbox"),
                next: run * EVENTS,
                end: (run + 1) * EVENTS,
            })
            .add_systems(Startup, open)
            .add_systems(Update, play)
            .run();
        if exit.is_error() {
            return Ok(exit);
        }
        let count = received.lock().map_or(0, |events| events.len());
        println!("  closed; the service has {count} events");
    }
    std::fs::remove_dir_all(folder)?;
    let is_complete = received
        .lock()
        .is_ok_and(|events| events.iter().copied().eq(0..2 * EVENTS));
    if is_complete {
        println!("each event arrived once, in order");
        Ok(AppExit::Success)
    } else {
        eprintln!("events were lost or repeated: {received:?}");
        Ok(AppExit::error())
    }
}

fn open(mut http: ResMut<HttpAgent>, telemetry: Res<Telemetry>, mut commands: Commands) -> Result {
    let outbox = HttpOutbox::with(&mut http, &telemetry.file, &telemetry.url, |outbox| {
        outbox
            .interval(Duration::from_millis(200))
            .backoff(Duration::from_millis(100), Duration::from_secs(1))
    })?;
    // How long the last frame may take to send what waits.
    commands.insert_resource(outbox.exit_deadline(Duration::from_secs(1)));
    Ok(())
}

fn play(
    mut outbox: ResMut<HttpOutbox>,
    mut telemetry: ResMut<Telemetry>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    outbox.push(&json!({ "event": "frame", "number": telemetry.next }))?;
    telemetry.next += 1;
    if telemetry.next.is_multiple_of(10) {
        let state = outbox.state();
        let error = outbox.last_error().map(ToString::to_string);
        println!(
            "  after event {}: {} wait, {} were sent; last error: {}",
            telemetry.next,
            state.waiting,
            state.sent,
            error.as_deref().unwrap_or("none"),
        );
    }
    if telemetry.next == telemetry.end {
        exit.write(AppExit::Success);
    }
    Ok(())
}
