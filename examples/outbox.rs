//! Telemetry that survives: events are queued in a file and sent in batches.
//!
//! ```sh
//! cargo run --release --features outbox,server --example outbox
//! ```
//!
//! It runs offline. A server on a thread of this process fails at first. The example pushes events for two
//! seconds, shows what becomes of them, and flushes the rest at the end.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use httpoll::Agent;
use httpoll::outbox::{Outbox, OutboxLimits};
use httpoll::server::{Request, Response, Server};
use serde_json::{Value, json};

#[macro_use]
mod offline;

const ABOUT: &str = "Telemetry that survives: events are queued in a file and sent in batches.";

fn main() -> ExitCode {
    offline::command_line("outbox", ABOUT, "");
    offline::exit_code("outbox", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let received = Arc::new(AtomicU64::new(0));
    let mut server = Server::bind("127.0.0.1:0")?;
    let url = format!("http://{}/events", server.local_addr());
    let (counted, mut failures) = (Arc::clone(&received), 2);
    server.route("POST", "/events", move |request: &mut Request| {
        if failures > 0 {
            failures -= 1;
            return Response::status(503);
        }
        let events: Vec<Value> = serde_json::from_slice(request.body()).unwrap_or_default();
        counted.fetch_add(events.len() as u64, Ordering::Relaxed);
        Response::status(204)
    })?;
    let server = offline::Embedded::start(server);

    let folder = std::env::temp_dir().join(format!("httpoll-outbox-{}", std::process::id()));
    let mut agent = Agent::new();
    let mut limits = OutboxLimits::default();
    limits.batch_events = 20;
    let mut outbox = Outbox::open(&mut agent, folder.join("telemetry.outbox"), url)?
        .limits(limits)
        .interval(Duration::from_millis(500))
        .backoff(Duration::from_millis(200), Duration::from_secs(5));
    for frame in 0..120 {
        let began = Instant::now();
        outbox.push(&json!({ "event": "frame", "number": frame }))?;
        agent.poll();
        let state = outbox.poll(&mut agent);
        if frame % 30 == 0 {
            let error = outbox.last_error().map(ToString::to_string);
            println!(
                "frame {frame}: {} events wait, {} sent, last error: {}",
                state.waiting,
                state.sent,
                error.unwrap_or_else(|| "none".to_owned())
            );
        }
        // A game draws its frame here.
        offline::end_frame(began);
    }
    let before_flush = outbox.state().sent;
    let is_sent = outbox.flush(&mut agent, Duration::from_secs(10));
    let state = outbox.state();
    println!(
        "at the end: everything sent: {is_sent}; {} events sent, {before_flush} of them before the end, {} received, {} lost",
        state.sent,
        received.load(Ordering::Relaxed),
        state.losses.total()
    );
    drop((server, outbox));
    std::fs::remove_dir_all(folder)?;
    if is_sent && received.load(Ordering::Relaxed) == 120 {
        Ok(())
    } else {
        Err("not all events arrived".into())
    }
}
