//! The client's side of the simulation: what is asked for, how frames go, what the player does, and
//! what must hold all the while.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{FaultRates, MockServer};
use httpoll::{
    Agent, Budget, BusyPoll, CircuitPolicy, Credentials, Download, Error, ErrorKind, Event, Limit,
    OnHold, PollAt, Polled, PoolLimits, Priority, Progress, Request, RequestBody, RequestHandle,
    RequestId, RequestRefused, Response, RetryPolicy, Timeouts,
};

use super::servers::{KEY, event_data, serve};
use crate::seeded::{Random, content};

/// Frames in which the player acts; then all is let go to its end.
const ACTS: usize = 120;

/// More polls than any run needs to come to rest.
const MOST_POLLS: usize = 20_000;

/// More polls than can have something to do while the clock stands still.
const MOST_AT_ONCE: usize = 3000;

const PRIORITIES: [Priority; 4] = [
    Priority::Gameplay,
    Priority::Interface,
    Priority::Streaming,
    Priority::Background,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Drive {
    Frames,
    Waits,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Collected,
    Streamed,
    Saved,
    Events,
}

/// A request and what was told of it.
struct TrackedRequest {
    url: String,
    handle: Option<RequestHandle>,
    takes: Takes,
    /// What a success brings.
    content: Vec<u8>,
    /// Whether its content may be cut without a sign.
    until_close: bool,
    /// Whether an answer other than a success is to be expected.
    may_refuse: bool,
    file: Option<PathBuf>,
    keeps: bool,
    streamed: Vec<u8>,
    events: usize,
    progress: Option<Progress>,
    is_over: bool,
    is_paused: bool,
    /// It was held, so that it may begin anew without a word.
    was_held: bool,
}

struct ClientDriver {
    random: Random,
    network: MemoryNetwork,
    servers: [MockServer; 2],
    pool: PoolLimits,
    asked: BTreeMap<RequestId, TrackedRequest>,
    folder: Option<Folder>,
    /// Nothing goes wrong: nothing may fail.
    is_calm: bool,
    was_suspended: bool,
    is_suspended: bool,
    drive: Drive,
    most: usize,
    numbers: usize,
    began: Instant,
    told: Vec<String>,
}

/// One run. Answers all that was told.
pub(crate) fn run(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let is_calm = random.one_in(3);
    let network = MemoryNetwork::new();
    let servers = set_up(&network, &mut random, is_calm, seed);
    let mut pool = PoolLimits::default();
    pool.total = 1 + random.below(6);
    pool.per_host = 1 + random.below(3);
    pool.idle_age = Duration::from_millis(random.of(&[0, 500, 60_000]));
    pool.lifetime = Duration::from_millis(random.of(&[1000, 600_000]));
    let mut agent = build(&network, &mut random, is_calm, &pool);
    let mut client = ClientDriver {
        drive: random.of(&[Drive::Frames, Drive::Frames, Drive::Waits]),
        most: random.of(&[300, 3000, 3000, 20_000, 60_000]),
        folder: random.one_in(5).then(|| Folder::new(seed)),
        began: network.now(),
        random,
        network,
        servers,
        pool,
        asked: BTreeMap::new(),
        is_calm,
        was_suspended: false,
        is_suspended: false,
        numbers: 0,
        told: Vec::new(),
    };
    client.play(&mut agent);
    if client.random.one_in(8) {
        client.quit(agent);
    } else {
        client.settle(&mut agent);
        client.rest(&mut agent);
    }
    client.told
}

fn set_up(
    network: &MemoryNetwork,
    random: &mut Random,
    is_calm: bool,
    seed: u64,
) -> [MockServer; 2] {
    network.set_latency(Duration::from_millis(random.below(25) as u64));
    network.set_transfer_limit(random.one_in(2).then(|| 1 + random.below(4000)));
    network.set_capacity(500 + random.below(50_000));
    let names: [(&str, &str); 2] = [("a.example", "10.0.0.1"), ("b.example", "10.0.0.2")];
    for (name, address) in names {
        let address: IpAddr = address.parse().unwrap();
        let delay = Duration::from_millis(random.of(&[0, 0, 200]));
        network.add_slow_name(name, &[address], delay);
    }
    let servers = names.map(|(name, _)| MockServer::on(network, name, 80));
    serve(&servers[0], "b.example", seed);
    serve(&servers[1], "a.example", seed + 1);
    for (at, server) in servers.iter().enumerate() {
        if !is_calm && !random.one_in(4) {
            let mut rate = || random.of(&[0.0, 0.0, 0.05, 0.2]);
            let rates = FaultRates {
                refuse: rate(),
                unavailable: rate(),
                silence: rate() / 2.0,
                delay: rate(),
                drip: rate(),
                cut: rate(),
                reset: rate(),
                longest_delay: Duration::from_secs(6),
            };
            server.faults(seed + at as u64, rates);
        }
    }
    let dead = [
        ("refused.example", 3, ConnectError::Refused),
        ("hole.example", 4, ConnectError::BlackHole),
    ];
    for (name, last, how) in dead {
        let address = IpAddr::from([10, 0, 0, last]);
        network.add_name(name, &[address]);
        network.refuse(SocketAddr::new(address, 80), how);
    }
    network.add_slow_name("slow.example", &[], Duration::from_secs(60));
    servers
}

fn build(network: &MemoryNetwork, random: &mut Random, is_calm: bool, pool: &PoolLimits) -> Agent {
    let mut builder = Agent::builder().pool(pool.clone());
    let mut retries = RetryPolicy::default();
    retries.retries = random.below(4) as u32;
    builder = builder.retries(retries);
    if is_calm {
        builder = builder.timeouts(Timeouts {
            resolve: Some(Duration::from_secs(5)),
            ..Timeouts::default()
        });
    } else {
        builder = builder.timeouts(Timeouts {
            resolve: Some(Duration::from_secs(2)),
            connect: Some(Duration::from_secs(3)),
            head: Some(Duration::from_secs(4)),
            stall: Some(Duration::from_secs(2)),
            ..Timeouts::default()
        });
    }
    if random.one_in(4) {
        builder = builder.global_rate_limit(Some(2000 + random.below(100_000) as u64));
    }
    if !is_calm && random.one_in(3) {
        let mut policy = CircuitPolicy::default();
        policy.failures = 1 + random.below(3) as u32;
        policy.open_for = Duration::from_secs(1 + random.below(4) as u64);
        policy.on_hold = random.of(&[OnHold::Wait, OnHold::FailFast]);
        builder = builder.circuit(policy);
    }
    #[cfg(feature = "cookies")]
    if random.one_in(2) {
        builder = builder.cookies(Default::default());
    }
    #[cfg(feature = "cache")]
    if random.one_in(2) {
        builder = builder.cache(Default::default());
    }
    builder.build_on_memory(network)
}

impl ClientDriver {
    /// Frames in which things are asked for and meddled with.
    fn play(&mut self, agent: &mut Agent) {
        for _ in 0..1 + self.random.below(4) {
            self.ask(agent);
        }
        for _ in 0..ACTS {
            if self.random.one_in(12) {
                self.ask(agent);
            }
            if self.random.one_in(6) {
                self.act(agent);
            }
            self.frame(agent);
        }
    }

    fn ask(&mut self, agent: &mut Agent) {
        let (request, asked) = self.request();
        let handle = agent.send(request).unwrap();
        let id = handle.id();
        self.asked.insert(
            id,
            TrackedRequest {
                handle: Some(handle),
                ..asked
            },
        );
    }

    fn length(&mut self) -> usize {
        let most = self.random.of(&[1, 20, 300, self.most, self.most]);
        self.random.below(most + 1)
    }

    fn request(&mut self) -> (Request, TrackedRequest) {
        self.numbers += 1;
        let number = self.numbers;
        let length = self.length();
        let mut asked = TrackedRequest {
            url: String::new(),
            handle: None,
            takes: Takes::Collected,
            content: content(number, length),
            until_close: false,
            may_refuse: false,
            file: None,
            keeps: false,
            streamed: Vec::new(),
            events: 0,
            progress: None,
            is_over: false,
            is_paused: false,
            was_held: false,
        };
        let hosts = if self.is_calm {
            &["a.example", "b.example"][..]
        } else {
            &[
                "a.example",
                "a.example",
                "a.example",
                "b.example",
                "b.example",
                "b.example",
                "b.example",
                "refused.example",
                "hole.example",
                "slow.example",
                "nowhere.example",
            ][..]
        };
        let host = hosts[self.random.below(hosts.len())];
        let kind = self.random.below(14);
        let place = format!("{number}/{length}");
        let path = match kind {
            0..=2 => format!("plain/{place}"),
            3 => format!("untagged/{place}"),
            4 => format!("chunked/{place}"),
            5 => {
                asked.until_close = true;
                format!("close/{place}")
            }
            6 => format!("gzip/{place}"),
            7 => format!("echo/{number}"),
            8 => {
                let times = self.random.below(3);
                asked.may_refuse = true;
                format!("busy/{place}/{times}")
            }
            9 => format!("login/{place}"),
            10 => {
                let number = self.random.below(3);
                asked.content = content(number, number * 700);
                format!("cached/{number}/{}", number * 700)
            }
            11 => {
                asked.may_refuse = true;
                "status/404".to_owned()
            }
            12 => {
                let near = self.random.one_in(2);
                let status = self.random.of(&[301, 302, 303, 307, 308]);
                if near {
                    format!("redirect/{status}/near/plain/{place}")
                } else {
                    format!("redirect/{status}/far/stripped/{place}")
                }
            }
            _ => {
                asked.takes = Takes::Events;
                asked.events = 0;
                asked.content.clear();
                format!("events/{number}/{}", 1 + length % 20)
            }
        };
        let is_far = path.contains("/far/");
        let url = format!("http://{host}/{path}");
        let mut request = if kind == 7 {
            let method = self.random.of(&["POST", "PUT"]);
            let body = self.body(&asked.content);
            Request::with_method_name(method, &url).body(body)
        } else if self.random.one_in(15) && asked.takes == Takes::Collected {
            asked.content.clear();
            asked.until_close = false;
            Request::head(&url)
        } else {
            Request::get(&url)
        };
        if kind == 9 {
            request = request.credentials(Credentials::Basic {
                user: "ann".to_owned(),
                password: "secret".to_owned(),
            });
        }
        if is_far {
            request = request
                .secret_header(KEY, "k")
                .cookie("own", "1")
                .header("Authorization", "Bearer t");
        }
        if self.random.one_in(3) && request.method() == "GET" && asked.takes == Takes::Collected {
            asked.takes = Takes::Streamed;
            request = request.stream();
        } else if let Some(folder) = &self.folder
            && request.method() == "GET"
            && asked.takes == Takes::Collected
            && !asked.until_close
            && self.random.one_in(2)
        {
            asked.takes = Takes::Saved;
            let path = folder.0.join(format!("{number}.bin"));
            asked.keeps = self.random.one_in(3);
            let download = Download::to(&path).resume(asked.keeps);
            asked.file = Some(path);
            request = request.download_to(download);
        } else if asked.takes == Takes::Events {
            request = request.event_stream();
        }
        request = request.priority(self.random.of(&PRIORITIES));
        if self.random.one_in(6) {
            let rate = 1000 + self.random.below(50_000) as u64;
            request = request.rate_limit(Some(rate));
        }
        if !self.is_calm && self.random.one_in(8) {
            let limit = Duration::from_millis(self.random.below(4000) as u64);
            request = match self.random.below(2) {
                0 => request.total_timeout(limit),
                _ => request.queue_timeout(limit),
            };
        }
        if kind < 4 && self.random.one_in(4) {
            // They serve the same.
            request = request.fail_over(["http://b.example", "http://a.example"]);
        }
        request = request
            .decompress(self.random.one_in(2))
            .tell_heads(self.random.one_in(4));
        asked.url = url;
        (request, asked)
    }

    fn body(&mut self, content: &[u8]) -> RequestBody {
        let source = Source {
            content: content.to_vec(),
            random: self.random.clone(),
        };
        match self.random.below(3) {
            0 => content.to_vec().into(),
            1 => RequestBody::reader(source, Some(content.len() as u64)),
            _ => RequestBody::reader(source, None),
        }
    }

    /// One of those that run, if any does.
    fn someone(&mut self) -> Option<RequestId> {
        let running: Vec<_> = self
            .asked
            .iter()
            .filter(|(_, asked)| !asked.is_over)
            .map(|(id, _)| *id)
            .collect();
        (!running.is_empty()).then(|| running[self.random.below(running.len())])
    }

    /// Something that a player does.
    fn act(&mut self, agent: &mut Agent) {
        let Some(id) = self.someone() else {
            return;
        };
        match self.random.below(12) {
            0 => {
                agent.cancel(id);
                self.note_cancelled(id);
            }
            1 => {
                self.note_cancelled(id);
                self.asked.get_mut(&id).unwrap().handle = None;
            }
            2 | 3 => {
                agent.pause(id);
                let asked = self.asked.get_mut(&id).unwrap();
                asked.is_paused = true;
                asked.was_held = true;
            }
            4 | 5 => {
                let paused = self.asked.iter_mut().filter(|(_, it)| it.is_paused);
                for (id, asked) in paused {
                    agent.resume(*id);
                    asked.is_paused = false;
                }
            }
            6 | 7 => agent.set_priority(id, self.random.of(&PRIORITIES)),
            8 => {
                let rate = self.random.of(&[None, Some(500), Some(20_000)]);
                agent.set_rate_limit(id, rate);
            }
            9 => {
                let rate = self.random.of(&[None, Some(5000), Some(200_000)]);
                agent.set_global_rate_limit(rate);
            }
            10 => agent.close_idle_connections(),
            _ if self.is_suspended => {
                agent.resume_all();
                self.is_suspended = false;
            }
            _ if self.random.one_in(2) => {
                agent.suspend(Duration::from_millis(self.random.below(500) as u64));
                self.was_suspended = true;
                self.asked.values_mut().for_each(|it| it.was_held = true);
                self.is_suspended = true;
            }
            _ => {}
        }
    }

    fn note_cancelled(&mut self, id: RequestId) {
        let asked = self.asked.get_mut(&id).unwrap();
        asked.is_over = true;
        self.told.push(format!("{id} cancelled"));
    }

    /// One frame: a poll, what it told, and time.
    fn frame(&mut self, agent: &mut Agent) {
        if self.drive == Drive::Waits && !self.random.one_in(4) {
            let most = self.random.of(&[1, 20, 20, 3000]);
            agent.wait(Some(Duration::from_millis(most)));
            self.pull(agent);
            return;
        }
        let budget = self.budget();
        let polled = agent.poll_with(&budget);
        if self.random.one_in(4) {
            // The game is busy elsewhere.
        } else if self.random.one_in(6) {
            for _ in 0..self.random.below(4) {
                if let Some(event) = agent.next_event() {
                    self.hear(event);
                }
            }
        } else {
            self.pull(agent);
        }
        self.note(polled);
        let pause = match self.random.below(60) {
            0 => 90_000,
            1 => 2000,
            _ => self.random.below(40),
        };
        self.network.advance(Duration::from_millis(pause as u64));
    }

    fn budget(&mut self) -> Budget {
        let patience = Duration::from_micros(20);
        let busy_poll = self.random.of(&[
            BusyPoll::Off,
            BusyPoll::Content(patience),
            BusyPoll::Exchange(patience),
        ]);
        let most = self.random.of(&[50, 2000, 100_000, usize::MAX >> 1]);
        let budget = match self.random.below(5) {
            0 => Budget::frame(Duration::ZERO),
            _ => Budget::unlimited(),
        };
        budget
            .with_bytes(1 + self.random.below(most) as u64)
            .with_busy_poll(busy_poll)
    }

    fn pull(&mut self, agent: &mut Agent) {
        while let Some(event) = agent.next_event() {
            self.hear(event);
        }
    }

    /// What holds after every poll.
    fn note(&mut self, _polled: Polled) {
        let open = self.servers.each_ref().map(|it| it.connections().open);
        assert!(
            open.iter().all(|open| *open <= self.pool.per_host),
            "{open:?} of {} to one host",
            self.pool.per_host
        );
        let all: usize = open.iter().sum();
        assert!(all <= self.pool.total, "{all} of {}", self.pool.total);
        for asked in self.asked.values() {
            if let Some(path) = &asked.file
                && let Ok(found) = std::fs::read(path)
            {
                assert!(found == asked.content, "a partial {}", path.display());
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let id = event.id();
        let since = self.network.now().saturating_duration_since(self.began);
        self.told.push(format!("{since:?} {}", describe(&event)));
        let Some(id) = id else {
            return;
        };
        let asked = self.asked.get_mut(&id).expect("an event of nobody");
        assert!(!asked.is_over, "{id} is over, and this told: {event:?}");
        match event {
            Event::Chunk { bytes, .. } => {
                asked.streamed.extend_from_slice(&bytes);
                assert!(
                    asked.may_refuse || asked.content.starts_with(&asked.streamed) || !self.is_calm,
                    "{id} streams what nobody sent"
                );
            }
            Event::ServerSent { event, .. } => {
                asked.events += 1;
                let number = asked.url.split('/').nth(4).unwrap().parse().unwrap();
                assert_eq!(event.data, event_data(number, asked.events), "{id}");
            }
            Event::Progress { progress, .. } => asked.note_progress(progress),
            Event::Head { .. } | Event::Redirect { .. } | Event::WillRetry { .. } => {
                asked.progress = None;
            }
            Event::Done { response, .. } => {
                asked.is_over = true;
                asked.handle = None;
                if self.is_calm && asked.takes != Takes::Events {
                    let is_success = response.status().is_success();
                    assert!(is_success || asked.may_refuse, "{id} {}", response.status());
                }
                asked.check_done(id, &response);
            }
            Event::Failed {
                error, response, ..
            } => {
                asked.is_over = true;
                asked.handle = None;
                if self.is_calm {
                    let is_suspended =
                        matches!(error.kind(), ErrorKind::Refused(RequestRefused::Suspended));
                    assert!(
                        self.was_suspended && is_suspended || asked.may_refuse,
                        "{id} {} failed: {error}",
                        asked.url
                    );
                }
                asked.check_failed(id, &error, response.as_deref());
            }
            _ => {}
        }
    }

    /// Lets everything come to its end.
    fn settle(&mut self, agent: &mut Agent) {
        agent.resume_all();
        for (id, asked) in &mut self.asked {
            agent.resume(*id);
            asked.is_paused = false;
        }
        for _ in 0..MOST_POLLS {
            if self.asked.values().all(|it| it.is_over) {
                return;
            }
            let mut polled = if self.drive == Drive::Waits {
                agent.wait(None)
            } else {
                agent.poll_with(&Budget::unlimited())
            };
            self.pull(agent);
            for at_once in 0.. {
                if polled.next != PollAt::Now {
                    break;
                }
                assert!(
                    at_once < MOST_AT_ONCE,
                    "does not come to rest:\n{}",
                    self.latest()
                );
                polled = agent.poll_with(&Budget::unlimited());
                self.pull(agent);
            }
            self.note(polled);
            if self.drive == Drive::Frames {
                let pause = self.random.below(300) as u64;
                self.network.advance(Duration::from_millis(pause));
            }
        }
        let left: Vec<_> = self.asked.iter().filter(|(_, it)| !it.is_over).collect();
        let left: Vec<_> = left
            .iter()
            .map(|(id, it)| format!("{id} {} {:?}", it.url, it.progress))
            .collect();
        panic!("hang: {left:?}\n{}", self.latest());
    }

    /// What was told last.
    fn latest(&self) -> String {
        self.told[self.told.len().saturating_sub(12)..].join("\n")
    }

    /// Nothing is left when all is over.
    fn rest(&mut self, agent: &mut Agent) {
        agent.close_idle_connections();
        for _ in 0..4 {
            self.network.advance(Duration::from_millis(100));
            agent.poll_with(&Budget::unlimited());
            self.pull(agent);
        }
        let polled = agent.poll_with(&Budget::unlimited());
        assert_eq!(polled.next, PollAt::Idle);
        assert!(agent.next_event().is_none());
        assert_eq!(self.network.open_connections(), 0, "left open");
        for server in &self.servers {
            let mut posts = BTreeMap::new();
            for request in server.requests() {
                if request.method == "POST" {
                    *posts.entry(request.target.clone()).or_insert(0) += 1;
                }
            }
            assert!(posts.values().all(|count| *count == 1), "{posts:?}");
            assert!(server.unmatched().is_empty());
        }
        self.check_folder();
    }

    /// The agent is dropped in the middle of everything.
    fn quit(&mut self, agent: Agent) {
        drop(agent);
        let mut other = Agent::on_memory(&self.network);
        for _ in 0..4 {
            self.network.advance(Duration::from_millis(100));
            other.poll();
        }
        assert_eq!(self.network.open_connections(), 0, "left open by a drop");
        if self.was_suspended {
            // What was put away for a game that comes back stays for it.
            self.asked.values_mut().for_each(|it| it.keeps = true);
        }
        self.check_folder();
    }

    fn check_folder(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        for entry in std::fs::read_dir(&folder.0).unwrap() {
            let path = entry.unwrap().path();
            let asked = self.asked.values().find(|it| {
                it.file.as_ref().is_some_and(|file| {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let file = file.file_name().unwrap().to_str().unwrap();
                    name == file
                        || it.keeps
                            && (name == format!("{file}.part")
                                || name == format!("{file}.part.json"))
                })
            });
            let number = path.file_name().unwrap().to_string_lossy().into_owned();
            let id = format!("#{}", number.split('.').next().unwrap());
            let of_it: Vec<_> = self
                .told
                .iter()
                .filter(|it| it.contains(&id) || it.contains(&format!("({})", &id[1..])))
                .cloned()
                .collect();
            assert!(asked.is_some(), "{number} is left:\n{}", of_it.join("\n"));
        }
    }
}

impl TrackedRequest {
    fn note_progress(&mut self, progress: Progress) {
        if let Some(before) = self.progress {
            // What is asked for anew begins anew; within one answer nothing goes back.
            let same = before.phase == progress.phase && !self.was_held;
            assert!(
                !same || before.received <= progress.received,
                "{before:?} {progress:?}"
            );
        }
        if let Some(most) = progress.to_receive {
            assert!(progress.received <= most, "{progress:?}");
        }
        if let Some(most) = progress.to_send {
            assert!(progress.sent <= most, "{progress:?}");
        }
        self.progress = Some(progress);
    }

    fn check_done(&self, id: RequestId, response: &Response) {
        if self.takes == Takes::Events {
            assert_eq!(response.status().as_u16(), 204, "{id}");
            let count: usize = self.url.rsplit('/').next().unwrap().parse().unwrap();
            assert_eq!(self.events, count, "{id}");
            return;
        }
        if !response.status().is_success() {
            return;
        }
        let found = match self.takes {
            Takes::Streamed => self.streamed.clone(),
            Takes::Saved => std::fs::read(self.file.as_ref().unwrap()).unwrap(),
            Takes::Collected | Takes::Events => response.body().to_vec(),
        };
        let is_right = if self.until_close {
            self.content.starts_with(&found)
        } else {
            self.content == found
        };
        assert!(
            is_right,
            "{id} {}: {} bytes of {}",
            self.url,
            found.len(),
            self.content.len()
        );
    }

    fn check_failed(&self, id: RequestId, error: &Error, response: Option<&Response>) {
        let is_success = response.is_some_and(|it| it.status().is_success());
        if is_success && self.takes == Takes::Streamed {
            assert!(self.content.starts_with(&self.streamed), "{id} {error}");
        }
        if let Some(path) = &self.file {
            assert!(!path.exists(), "{id} left a file: {error}");
        }
        let is_too_large = matches!(error.kind(), ErrorKind::Limit(Limit::BodyBytes(_)));
        assert!(!is_too_large, "{id} {error}");
    }
}

/// An event in one line, without what differs from run to run.
fn describe(event: &Event) -> String {
    match event {
        Event::Done { id, response } => format!(
            "{id} done {} {} bytes, {} attempts, {} redirects, cached {}, {:?}",
            response.status(),
            response.body().len(),
            response.attempts(),
            response.redirects(),
            response.is_from_cache(),
            response.timings()
        ),
        Event::Failed { id, error, .. } => format!("{id} failed {error}"),
        Event::Chunk { id, bytes } => format!("{id} chunk {}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// Content of a request that comes in pieces, and at times not at once.
struct Source {
    content: Vec<u8>,
    random: Random,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.random.one_in(4) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = into.len().min(self.content.len());
        let count = most.min(1 + self.random.below(5000));
        into[..count].copy_from_slice(&self.content[..count]);
        self.content.drain(..count);
        Ok(count)
    }
}

/// A folder for one run, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(seed: u64) -> Self {
        let name = format!("httpoll-simulation-{}-{seed}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
