//! A server to be loaded from outside, as `server.sh` does: `hello PORT` in a tight loop that sleeps
//! in the operating system, or `frames PORT SECONDS` polled 60 times a second with a budget of 1 ms,
//! which then tells how long its polls took.

#![allow(missing_docs)]

use std::error::Error;
use std::time::{Duration, Instant};

use httpoll::server::{Request, Response, Server, ServerLimits};
use httpoll::{Budget, Bytes};

const FRAME: Duration = Duration::from_micros(16_667);
const BUDGET: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|it| !it.starts_with("--"));
    let mode = arguments.next();
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    match mode.as_deref() {
        Some("hello") => hello(port),
        Some("frames") => {
            let seconds = arguments.next().map_or(Ok(5), |it| it.parse())?;
            frames(port, Duration::from_secs(seconds))
        }
        // What `cargo bench` runs by itself: nothing that needs a client.
        _ => Ok(()),
    }
}

fn server(port: u16) -> Result<Server, httpoll::Error> {
    let mut limits = ServerLimits::default();
    limits.connections = 4096;
    limits.connections_per_ip = 4096;
    let mut server = Server::builder().limits(limits).bind_local(port)?;
    server.route("GET", "/", |_: &mut Request| {
        Response::content("text/plain", Bytes::from_static(b"Hello, World!"))
    })?;
    Ok(server)
}

fn hello(port: u16) -> Result<(), Box<dyn Error>> {
    let mut server = server(port)?;
    loop {
        server.wait(None)?;
    }
}

fn frames(port: u16, time: Duration) -> Result<(), Box<dyn Error>> {
    let mut server = server(port)?;
    server.set_budget(Budget::frame(BUDGET));
    let until = Instant::now() + time;
    let mut next = Instant::now();
    let mut polls = Vec::new();
    while Instant::now() < until {
        next += FRAME;
        let begun = Instant::now();
        server.poll()?;
        polls.push(begun.elapsed());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    polls.sort();
    let at = |part: f64| {
        let index = (polls.len() as f64 * part) as usize;
        polls[index.min(polls.len() - 1)].as_micros()
    };
    let metrics = server.metrics();
    println!(
        "{} polls, {} requests, {} responses; a poll took p50 {} µs, p99 {} µs, p99.9 {} µs, at most {} µs",
        polls.len(),
        metrics.requests,
        metrics.responses[1],
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
    Ok(())
}
