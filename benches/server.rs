//! A server to be loaded from outside, as `server.sh` does: `hello PORT` in a tight loop that sleeps
//! in the operating system, `frames PORT SECONDS` polled 60 times a second with a budget of 1 ms, or
//! `file PORT FILE` polled in the same way until one client has got the file, or `slow PORT MIB MILLIS` with a file
//! of which each 256 KiB take MILLIS milliseconds, as on a slow disk. The last three print how long their polls took.
//!
//! A poll that took long by the clock but not by the processor time of its thread was interrupted: another thread had
//! the processor. What a virtual machine's host takes, and interrupts, count as processor time; so a loop that only reads
//! the clock for the length of the budget runs in the same frames, and shows how often that happens.

#![allow(missing_docs)]

use std::error::Error;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use httpoll::server::files::{Asset, AssetContent, AssetPath, AssetRoot, Listed, StaticFiles};
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
            let folder = Path::new(&file).parent().ok_or("a file in a folder")?;
            serve_file(port, StaticFiles::serve_files("/files", folder, 0, None)?)
        }
        Some("slow") => {
            let mib: u64 = arguments.next().map_or(Ok(32), |it| it.parse())?;
            let millis = arguments.next().map_or(Ok(20), |it| it.parse())?;
            let root = SlowRoot {
                length: mib << 20,
                pause: Duration::from_millis(millis),
            };
            serve_file(port, StaticFiles::new("/files", root).precompressed(false))
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
        polls.push(measured(|| server.poll())?);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    tell(&polls, &server);
    Ok(())
}

/// Serves one file to one client. Only the polls from the request to the last byte count.
fn serve_file(port: u16, files: StaticFiles) -> Result<(), Box<dyn Error>> {
    let mut server = server(port)?;
    server.set_budget(Budget::frame(BUDGET));
    server.files(files);
    let is_sent = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_sent);
    server.on_sent(move |sent| {
        if sent.path.starts_with("/files/") {
            seen.store(true, Ordering::Relaxed);
        }
    });
    let mut next = Instant::now();
    let mut polls = Vec::new();
    let mut controls = Vec::new();
    let mut began = None;
    while !is_sent.load(Ordering::Relaxed) {
        next += FRAME;
        let begun = Instant::now();
        let poll = measured(|| server.poll())?;
        if server.metrics().requests > 0 {
            began.get_or_insert(begun);
            polls.push(poll);
            controls.push(measured(busy_loop)?);
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    if let Some(began) = began {
        let seconds = began.elapsed().as_secs_f64();
        let bytes = server.metrics().bytes_sent as f64;
        println!("{:.0} MB/s in {seconds:.1} s", bytes / seconds / 1e6);
    }
    tell(&polls, &server);
    print("a busy loop took", &controls, |control| control.wall);
    Ok(())
}

/// One poll.
struct Poll {
    /// By the clock.
    wall: Duration,
    /// The processor time of its thread.
    cpu: Duration,
    /// How long its thread was ready to run but did not. Known on Linux.
    waited: Duration,
}

/// Reads the clock for the length of the budget.
fn busy_loop() -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < BUDGET {
        std::hint::spin_loop();
    }
    Ok(())
}

fn measured<T, E>(poll: impl FnOnce() -> Result<T, E>) -> Result<Poll, E> {
    let waited = waiting_time();
    let cpu = cpu_time();
    let begun = Instant::now();
    poll()?;
    let wall = begun.elapsed();
    Ok(Poll {
        wall,
        cpu: cpu_time().saturating_sub(cpu),
        waited: waiting_time().saturating_sub(waited),
    })
}

/// The processor time of this thread.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}

/// How long this thread was ready to run but did not, since it began.
fn waiting_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').nth(1).and_then(|it| it.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// A root with one file, `slow.bin`, each read of which takes a while.
struct SlowRoot {
    length: u64,
    pause: Duration,
}

struct SlowFile(Duration);

impl Read for SlowFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        std::thread::sleep(self.0);
        into.fill(b'x');
        Ok(into.len())
    }
}

impl AssetRoot for SlowRoot {
    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        if path.as_str() != "slow.bin" {
            return Err(io::ErrorKind::NotFound.into());
        }
        std::thread::sleep(self.pause);
        Ok(Asset {
            length: self.length,
            modified: None,
            etag: None,
            content: AssetContent::Sequential(Box::new(SlowFile(self.pause))),
        })
    }

    fn is_dir(&self, _: &AssetPath) -> bool {
        false
    }

    fn list(&self, _: &AssetPath, _: usize) -> io::Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

/// Prints one line for each metric, and the longest polls.
fn tell(polls: &[Poll], server: &Server) {
    let metrics = server.metrics();
    println!(
        "{} polls, {} requests, {} responses",
        polls.len(),
        metrics.requests,
        metrics.responses[1],
    );
    print("a poll took", polls, |poll| poll.wall);
    print("of that its own processor time", polls, |poll| poll.cpu);
    print(
        "a poll without the time its thread waited for a processor",
        polls,
        |poll| poll.wall.saturating_sub(poll.waited),
    );
    let limit = BUDGET + Duration::from_micros(100);
    let over = polls.iter().filter(|poll| poll.wall > limit).count();
    let own = polls.iter().filter(|poll| poll.cpu > limit).count();
    println!(
        "over {} µs: {over} by the clock, {own} by processor time",
        limit.as_micros()
    );
    let mut longest: Vec<_> = polls.iter().enumerate().collect();
    longest.sort_by_key(|(_, poll)| std::cmp::Reverse(poll.wall));
    for (number, poll) in longest.iter().take(5) {
        println!(
            "  poll {number}: {} µs, {} µs of processor time, waited {} µs",
            poll.wall.as_micros(),
            poll.cpu.as_micros(),
            poll.waited.as_micros(),
        );
    }
}

fn print(name: &str, polls: &[Poll], time: fn(&Poll) -> Duration) {
    let mut times: Vec<_> = polls.iter().map(time).collect();
    times.sort();
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times
            .get(index.min(times.len().saturating_sub(1)))
            .map_or(0, Duration::as_micros)
    };
    println!(
        "{name}: p50 {} µs, p99 {} µs, p99.9 {} µs, at most {} µs",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}
