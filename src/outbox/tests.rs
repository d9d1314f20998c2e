//! The outbox on the in-memory network with a real file, stopped at any step on the disk as by a kill.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::error::{DiskFault, DiskStep};
use crate::mock::{MockRequest, MockResponse, MockServer};
use crate::transport::memory::MemoryNetwork;
use crate::{Agent, ErrorKind};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("httpoll-{}-outbox-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("telemetry.outbox")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a server took: events by id, with how often, and the keys that it remembers.
#[derive(Default)]
struct Taken {
    events: BTreeMap<u64, u32>,
    keys: BTreeMap<String, Vec<u8>>,
    bodies: Vec<String>,
}

struct World {
    network: MemoryNetwork,
    server: MockServer,
    agent: Agent,
    taken: Arc<Mutex<Taken>>,
}

impl World {
    /// Responds to the first requests with these statuses, and takes the others.
    fn new(statuses: &[u16]) -> Self {
        Self::with(statuses, Arc::default())
    }

    fn with(statuses: &[u16], taken: Arc<Mutex<Taken>>) -> Self {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, "game.example", 80);
        let agent = Agent::on_memory(&network);
        let mut statuses = Vec::from(statuses).into_iter();
        let log = taken.clone();
        server.post("/events").reply_with(move |request| {
            if let Some(status) = statuses.next() {
                let response = MockResponse::with_status(status);
                return match status {
                    204 | 400 => response.delay(Duration::from_millis(100)),
                    429 => response.header("Retry-After", "120"),
                    502 => response.header("Retry-After", "1"),
                    _ => response,
                };
            }
            take(&mut log.lock().unwrap(), request);
            MockResponse::with_status(204)
        });
        Self {
            network,
            server,
            agent,
            taken,
        }
    }

    fn open(&mut self, folder: &Folder) -> Outbox {
        Outbox::open(&mut self.agent, folder.file(), "http://game.example/events").unwrap()
    }

    fn frames(&mut self, outbox: &mut Outbox, count: usize) {
        for _ in 0..count {
            self.agent.poll();
            outbox.poll(&mut self.agent);
            self.network.advance(Duration::from_millis(20));
        }
    }

    /// Runs frames until nothing waits. Returns the time that took.
    fn until_sent(&mut self, outbox: &mut Outbox) -> Duration {
        let began = self.network.now();
        for _ in 0..100_000 {
            self.frames(outbox, 1);
            let state = outbox.state();
            if state.waiting == 0 && !state.is_sending {
                return self.network.now() - began;
            }
        }
        panic!("{outbox:?}: {:?}", outbox.last_error());
    }
}

fn take(taken: &mut Taken, request: &MockRequest) {
    let key = request.header("idempotency-key").unwrap().to_owned();
    let body = request.body.to_vec();
    if let Some(before) = taken.keys.insert(key, body.clone()) {
        assert!(before == body, "a key stands for the same events");
        return;
    }
    taken
        .bodies
        .push(String::from_utf8_lossy(&body).into_owned());
    for event in serde_json::from_slice::<Vec<Value>>(&body).unwrap_or_default() {
        *taken
            .events
            .entry(event["n"].as_u64().unwrap())
            .or_default() += 1;
    }
}

fn event(number: u64) -> Value {
    json!({ "n": number })
}

#[test]
fn events_are_sent_in_batches_after_the_interval_and_a_full_batch_at_once() {
    let folder = Folder::new("batches");
    let mut world = World::new(&[]);
    let limits = OutboxLimits {
        batch_events: 3,
        ..OutboxLimits::default()
    };
    let mut outbox = world.open(&folder).limits(limits);
    for number in 0..4 {
        outbox.push(&event(number)).unwrap();
    }
    world.frames(&mut outbox, 10);
    assert_eq!(
        world.taken.lock().unwrap().bodies,
        [r#"[{"n":0},{"n":1},{"n":2}]"#]
    );
    assert_eq!((outbox.state().waiting, outbox.state().sent), (1, 3));
    let took = world.until_sent(&mut outbox);
    assert!((9..12).contains(&took.as_secs()), "{took:?}");
    let taken = world.taken.lock().unwrap();
    assert_eq!(taken.bodies[1], r#"[{"n":3}]"#);
    let requests = world.server.requests();
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(outbox.state().losses, Losses::default());
}

#[test]
fn lines_and_gzip() {
    let folder = Folder::new("lines");
    let mut world = World::new(&[]);
    let outbox = world.open(&folder).format(BatchFormat::JsonLines);
    #[cfg(feature = "gzip")]
    let outbox = outbox.gzip(true);
    let mut outbox = outbox;
    outbox.push(&event(1)).unwrap();
    outbox.push("text").unwrap();
    world.until_sent(&mut outbox);
    let request = &world.server.requests()[0];
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    #[cfg(feature = "gzip")]
    {
        use std::io::Read;
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&request.body[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "{\"n\":1}\n\"text\"\n");
    }
}

#[test]
fn failures_back_off_and_the_same_batch_is_sent_again() {
    let folder = Folder::new("backoff");
    let mut world = World::new(&[500, 503, 401, 502]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    outbox.push(&event(1)).unwrap();
    world.until_sent(&mut outbox);
    let requests = world.server.requests();
    assert_eq!(requests.len(), 5);
    let keys: Vec<_> = requests
        .iter()
        .map(|it| it.header("idempotency-key"))
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0] && key.is_some()));
    for (index, pair) in requests.windows(2).enumerate() {
        let wait = (pair[1].at - pair[0].at).as_secs_f64();
        let longest = f64::from(1 << index);
        assert!(
            (longest / 2.0..longest + 0.2).contains(&wait),
            "{index}: {wait}"
        );
    }
    assert_eq!(world.taken.lock().unwrap().events, BTreeMap::from([(1, 1)]));
}

#[test]
fn retry_after_is_kept() {
    let folder = Folder::new("retry-after");
    let mut world = World::new(&[429]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    outbox.push(&event(1)).unwrap();
    let took = world.until_sent(&mut outbox);
    assert!((120..122).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_short_retry_after_does_not_shorten_the_wait() {
    let folder = Folder::new("retry-after-short");
    let mut world = World::new(&[502]);
    let wait = Duration::from_secs(100);
    let outbox = world.open(&folder).interval(Duration::ZERO);
    let mut outbox = outbox.backoff(wait, wait);
    outbox.push(&event(1)).unwrap();
    let took = world.until_sent(&mut outbox);
    assert!((50..101).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn the_wait_after_a_success_begins_anew() {
    let folder = Folder::new("anew");
    let mut world = World::new(&[500, 500, 500, 204, 500]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    for number in [1, 2] {
        outbox.push(&event(number)).unwrap();
        world.until_sent(&mut outbox);
    }
    let requests = world.server.requests();
    assert_eq!(requests.len(), 6);
    let wait = (requests[5].at - requests[4].at).as_secs_f64();
    assert!((0.5..1.2).contains(&wait), "{wait}");
}

#[test]
fn flushing_does_not_cut_the_wait_short_that_the_server_asked_for() {
    let folder = Folder::new("flush-asked");
    let mut world = World::new(&[429]);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    outbox.push(&event(1)).unwrap();
    while outbox.last_error().is_none() {
        world.frames(&mut outbox, 1);
    }
    assert!(!outbox.flush(&mut world.agent, Duration::from_millis(50)));
    assert_eq!(world.server.requests().len(), 1);
    assert_eq!(outbox.state().waiting, 1);
}

#[test]
fn an_open_circuit_holds_batches_back() {
    let folder = Folder::new("circuit");
    let mut world = World::new(&[500, 500, 500]);
    let policy = crate::circuit::CircuitPolicy {
        failures: 2,
        open_for: Duration::from_secs(60),
        ..crate::circuit::CircuitPolicy::default()
    };
    world.agent = Agent::builder()
        .circuit(policy)
        .build_on_memory(&world.network);
    let mut outbox = world.open(&folder).interval(Duration::ZERO);
    outbox.push(&event(1)).unwrap();
    world.until_sent(&mut outbox);
    let requests = world.server.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(60));
    assert!(requests[3].at - requests[2].at >= Duration::from_secs(60));
}

#[test]
fn a_batch_that_the_server_refuses_is_given_up_and_counted() {
    let folder = Folder::new("refused");
    let mut world = World::new(&[400]);
    let limits = OutboxLimits {
        batch_events: 2,
        ..OutboxLimits::default()
    };
    let mut outbox = world.open(&folder).limits(limits).interval(Duration::ZERO);
    for number in 0..3 {
        outbox.push(&event(number)).unwrap();
    }
    world.until_sent(&mut outbox);
    let state = outbox.state();
    assert_eq!(
        (state.losses.refused, state.losses.total(), state.sent),
        (2, 2, 1)
    );
    assert_eq!(*outbox.last_error().unwrap().kind(), ErrorKind::Status(400));
    assert_eq!(world.taken.lock().unwrap().events, BTreeMap::from([(2, 1)]));
}

#[test]
fn one_batch_is_under_way_at_a_time() {
    let folder = Folder::new("one");
    let mut world = World::new(&[]);
    let limits = OutboxLimits {
        batch_events: 1,
        ..OutboxLimits::default()
    };
    let mut outbox = world.open(&folder).limits(limits);
    for number in 0..10 {
        outbox.push(&event(number)).unwrap();
    }
    let mut most = 0;
    while outbox.state().waiting > 0 {
        world.frames(&mut outbox, 1);
        most = most.max(world.server.connections().open);
    }
    assert_eq!((most, world.server.requests().len()), (1, 10));
}

#[test]
fn size_and_age_are_limited_and_losses_counted_by_reason() {
    let folder = Folder::new("limits");
    let mut world = World::new(&[500; 1000]);
    let limits = OutboxLimits {
        bytes: 1000,
        event_bytes: 100,
        ..OutboxLimits::default()
    };
    let mut outbox = world.open(&folder).limits(limits.clone());
    for number in 100_000..101_000 {
        outbox.push(&event(number)).unwrap();
    }
    let state = outbox.state();
    assert!(state.bytes <= 1000, "{state:?}");
    assert_eq!(state.losses.over_limit + state.waiting as u64, 1000);
    let error = outbox.push(&"x".repeat(100)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
    assert_eq!(outbox.state().losses.too_large, 1);
    // The file does not grow without bounds.
    let length = std::fs::metadata(folder.file()).unwrap().len();
    assert!(length < 200_000, "{length}");
    drop(outbox);
    // Of an old file nothing that is too old is sent.
    let text = format!(
        "httpoll-outbox 1 {} 1\n+1 1000 {{\"n\":1}}\n+2 {} {{\"n\":2}}\n",
        "ab".repeat(16),
        system_seconds()
    );
    std::fs::write(folder.file(), text).unwrap();
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder);
    world.frames(&mut outbox, 5);
    world.until_sent(&mut outbox);
    assert_eq!(outbox.state().losses.too_old, 1);
    assert_eq!(world.taken.lock().unwrap().events, BTreeMap::from([(2, 1)]));
}

fn system_seconds() -> u64 {
    let now = crate::clock::system_time();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn torn_and_damaged_lines_cost_only_themselves() {
    let folder = Folder::new("damaged");
    std::fs::create_dir_all(&folder.0).unwrap();
    let now = system_seconds();
    let mut text = format!(
        "httpoll-outbox 1 {} 1\n+1 {now} {{\"n\":1}}\n+2 {now} {{\"n\"\n+3 {now} {{\"n\":3}}\n",
        "ab".repeat(16)
    )
    .into_bytes();
    text.extend_from_slice(&[0; 50]);
    text.extend_from_slice(format!("\n+4 {now} {{\"n\":4}}\n+5 {now} {{\"n\":").as_bytes());
    std::fs::write(folder.file(), text).unwrap();
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder);
    outbox.push(&event(6)).unwrap();
    world.until_sent(&mut outbox);
    assert_eq!(
        world.taken.lock().unwrap().events,
        BTreeMap::from([(1, 1), (3, 1), (4, 1), (6, 1)])
    );
    assert_eq!(outbox.state().losses.damaged, 3);
}

#[test]
fn events_of_an_earlier_run_are_sent_and_two_outboxes_do_not_share_a_file() {
    let folder = Folder::new("earlier");
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder);
    for number in 0..5 {
        outbox.push(&event(number)).unwrap();
    }
    let mut second = world.open(&folder);
    second.push(&event(9)).unwrap();
    world.frames(&mut second, 1);
    assert_eq!(second.state().losses.write_failed, 1);
    drop((outbox, second));
    let mut world = World::with(&[], world.taken);
    let mut outbox = world.open(&folder);
    world.frames(&mut outbox, 5);
    world.until_sent(&mut outbox);
    let taken = world.taken.lock().unwrap();
    assert_eq!(
        taken.events.keys().copied().collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
}

#[test]
fn a_kill_at_any_step_loses_no_written_event_and_sends_none_twice() {
    let mut kills = 0;
    for steps in 0.. {
        let folder = Folder::new("kills");
        let taken = Arc::new(Mutex::new(Taken::default()));
        let limits = OutboxLimits {
            batch_events: 4,
            ..OutboxLimits::default()
        };
        let mut written = Vec::new();
        let mut was_killed = false;
        // Three runs, of which the second is killed; the server fails now and then.
        for run in 0..3_u64 {
            let mut world = World::with(&[503], taken.clone());
            let disk = world.agent.disk().unwrap();
            if run == 1 {
                disk.allow_steps(Some(steps));
            }
            let mut outbox = world
                .open(&folder)
                .limits(limits.clone())
                .interval(Duration::ZERO);
            for number in 0..12 {
                let before = outbox.state().written;
                outbox.push(&event(run * 100 + number)).unwrap();
                if outbox.state().written > before {
                    written.push(run * 100 + number);
                }
                world.frames(&mut outbox, 3);
            }
            match run {
                2 => drop(world.until_sent(&mut outbox)),
                _ => world.frames(&mut outbox, 60),
            }
            if run == 1 {
                was_killed = disk.steps_left() == Some(0);
            }
        }
        let taken = taken.lock().unwrap();
        for number in &written {
            assert_eq!(
                taken.events.get(number),
                Some(&1),
                "{number} after {steps} steps"
            );
        }
        assert!(
            taken.events.values().all(|times| *times == 1),
            "after {steps} steps"
        );
        if !was_killed {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 50, "{kills}");
}

mod disks;
mod earlier_lines;
mod extremes;
#[cfg(windows)]
mod windows;
