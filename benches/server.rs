//! A server to be loaded from outside, as `server.sh` does: `hello PORT` in a tight loop that sleeps
//! in the operating system, `frames PORT SECONDS` polled 60 times a second with a budget of 1 ms, or
//! `file PORT FILE` polled in the same way until one client has got the file. The last two tell how long
//! their polls took.

#![allow(missing_docs)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use httpoll::server::files::StaticFiles;
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
        Some("file") => {
            let file = arguments.next().ok_or("file PORT FILE")?;
            serve_file(port, Path::new(&file))
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
    tell(polls, &server);
    Ok(())
}

/// Serves one file to one client. Only the polls from the request to the last byte count.
fn serve_file(port: u16, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut server = server(port)?;
    server.set_budget(Budget::frame(BUDGET));
    let folder = file.parent().ok_or("a file in a folder")?;
    server.files(StaticFiles::serve_files("/files", folder, 0, None)?);
    let is_sent = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_sent);
    server.on_sent(move |sent| {
        if sent.path.starts_with("/files/") {
            seen.store(true, Ordering::Relaxed);
        }
    });
    let mut next = Instant::now();
    let mut polls = Vec::new();
    let mut began = None;
    while !is_sent.load(Ordering::Relaxed) {
        next += FRAME;
        let begun = Instant::now();
        server.poll()?;
        let took = begun.elapsed();
        if server.metrics().requests > 0 {
            began.get_or_insert(begun);
            polls.push(took);
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    if let Some(began) = began {
        let seconds = began.elapsed().as_secs_f64();
        let bytes = server.metrics().bytes_sent as f64;
        println!("{:.0} MB/s in {seconds:.1} s", bytes / seconds / 1e6);
    }
    tell(polls, &server);
    Ok(())
}

fn tell(mut polls: Vec<Duration>, server: &Server) {
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
}
