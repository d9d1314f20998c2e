//! Processes that are killed while they push and send events, over real sockets and with the real worker for
//! files: every event that was written arrives, and none twice, because the server remembers keys.
//!
//! The test starts itself as the process to be killed. That process writes a line for each frame: how many of its
//! events are in the file. The kill comes after a number of lines that a seed chooses.

#![allow(clippy::unwrap_used, clippy::panic)]

mod killed;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Agent;
use httpoll::outbox::{Outbox, OutboxLimits};
use httpoll::server::{Request, Response, Server};
use killed::ServerThread;

/// Under Wine each process takes seconds.
const KILLS: u64 = if cfg!(windows) { 6 } else { 60 };

/// How many events a process pushes, one in a frame.
const EVENTS: u64 = 40;

/// What the process to be killed is to do: its number, the URL, and the file.
const JOB: &str = "HTTPOLL_OUTBOX_JOB";

fn open(agent: &mut Agent, url: &str, file: &Path) -> Outbox {
    let mut limits = OutboxLimits::default();
    limits.batch_events = 5;
    Outbox::open(agent, file, url)
        .unwrap()
        .limits(limits)
        .interval(Duration::ZERO)
        .backoff(Duration::from_millis(1), Duration::from_millis(5))
}

/// Pushes events, one in a frame. `each_frame` gets the number of those that are in the file.
fn run(number: u64, url: &str, file: &Path, mut each_frame: impl FnMut(u64)) {
    let mut agent = Agent::new();
    let mut outbox = open(&mut agent, url, file);
    for event in 0..EVENTS {
        outbox.push(&(number * 1000 + event)).unwrap();
        agent.poll();
        let state = outbox.poll(&mut agent);
        each_frame(state.written);
        agent.wait(Some(Duration::from_millis(1)));
    }
    assert!(
        outbox.flush(&mut agent, Duration::from_secs(30)),
        "{outbox:?}"
    );
    each_frame(outbox.state().written);
}

#[derive(Default)]
struct Taken {
    keys: BTreeSet<String>,
    events: BTreeMap<u64, u32>,
    requests: u64,
}

/// A server on a thread, which fails now and then before or after it took a batch.
struct Origin {
    url: String,
    taken: Arc<Mutex<Taken>>,
    server: ServerThread,
}

impl Origin {
    fn start(name: &str) -> Self {
        let folder = killed::empty_folder(name);
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", server.local_addr());
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let log = taken.clone();
        server
            .route("POST", "/events", move |request: &mut Request| {
                let mut taken = log.lock().unwrap();
                taken.requests += 1;
                if taken.requests.is_multiple_of(7) {
                    return Response::status(503);
                }
                let key = request.header("idempotency-key").unwrap().to_owned();
                if taken.keys.insert(key) {
                    let events: Vec<u64> = serde_json::from_slice(request.body()).unwrap();
                    for event in events {
                        *taken.events.entry(event).or_default() += 1;
                    }
                }
                // The batch was taken, and the client does not learn it.
                let is_lost = taken.requests.is_multiple_of(5);
                Response::status(if is_lost { 500 } else { 204 })
            })
            .unwrap();
        Self {
            url,
            taken,
            server: ServerThread::start(server, folder),
        }
    }
}

#[test]
fn events_over_real_sockets_arrive_once() {
    if let Ok(job) = std::env::var(JOB) {
        let mut parts = job.splitn(3, ' ');
        let number = parts.next().unwrap().parse().unwrap();
        let (url, file) = (parts.next().unwrap(), parts.next().unwrap());
        let mut output = std::io::stdout();
        run(number, url, Path::new(file), |written| {
            writeln!(output, "written {written}")
                .and_then(|()| output.flush())
                .unwrap();
        });
        return;
    }
    let origin = Origin::start("outbox-real");
    run(
        1,
        &origin.url,
        &origin.server.folder().join("telemetry.outbox"),
        |_| {},
    );
    let taken = origin.taken.lock().unwrap();
    let expected: BTreeMap<u64, u32> = (1000..1000 + EVENTS).map(|event| (event, 1)).collect();
    assert_eq!(taken.events, expected);
}

/// Runs a process that is killed after this many frames. Returns how many events it had written for certain,
/// and whether it was killed.
fn run_and_kill(number: u64, origin: &Origin, file: &Path, frames: u64) -> (u64, bool) {
    let mut written = 0;
    let was_killed = killed::run_and_kill(
        "events_over_real_sockets_arrive_once",
        (JOB, format!("{number} {} {}", origin.url, file.display())),
        frames,
        |line| match line.strip_prefix("written ") {
            Some(count) => {
                written = count.parse().unwrap();
                true
            }
            None => false,
        },
    );
    (written, was_killed)
}

#[test]
fn processes_killed_at_random_moments_lose_no_written_event_and_send_none_twice() {
    let origin = Origin::start("outbox-kills");
    let file = origin.server.folder().join("telemetry.outbox");
    let mut expected = BTreeSet::new();
    let (mut kills, mut number) = (0, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while kills < KILLS {
        number += 1;
        assert!(
            number < KILLS * 10,
            "only {kills} processes were killed before they ended"
        );
        let frames = killed::random_below(&mut random, EVENTS + 2);
        let (written, was_killed) = run_and_kill(number, &origin, &file, frames);
        expected.extend((0..written).map(|event| number * 1000 + event));
        kills += u64::from(was_killed);
    }
    // A last run that nobody kills sends what is left.
    run(number + 1, &origin.url, &file, |_| {});
    let taken = origin.taken.lock().unwrap();
    let missing: Vec<&u64> = expected
        .iter()
        .filter(|event| !taken.events.contains_key(event))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let twice: Vec<_> = taken
        .events
        .iter()
        .filter(|(_, times)| **times > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
}
