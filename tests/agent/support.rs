//! What the tests of the agent share: mock servers on the in-memory network, and frames of virtual
//! time.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, Error, Event, Request, RequestHandle, RequestId, Response,
    agent::{AgentBuilder, PoolLimits},
};

/// The length of a frame of virtual time.
pub const FRAME: Duration = Duration::from_millis(10);

/// More frames than any test needs.
const MOST_FRAMES: usize = 50_000;

/// A network with one server, `game.example`, and an agent on it.
pub fn setup() -> (MemoryNetwork, MockServer, Agent) {
    setup_with(Agent::builder())
}

pub fn setup_with(builder: AgentBuilder) -> (MemoryNetwork, MockServer, Agent) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let agent = builder.build_on_memory(&network);
    (network, server, agent)
}

/// How a request ended, and all events before that.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Event>,
    pub result: Result<Response, (Error, Option<Box<Response>>)>,
}

impl Outcome {
    pub fn response(&self) -> &Response {
        match &self.result {
            Ok(response) => response,
            Err((error, _)) => panic!("failed: {error}"),
        }
    }

    pub fn error(&self) -> &Error {
        match &self.result {
            Ok(response) => panic!("succeeded: {response:?}"),
            Err((error, _)) => error,
        }
    }
}

/// Sends a request and runs frames until it is over.
pub fn run(network: &MemoryNetwork, agent: &mut Agent, request: Request) -> Outcome {
    let handle = agent.send(request).unwrap();
    finish(network, agent, &handle)
}

/// Runs frames until this request is over; events of others are dropped.
pub fn finish(network: &MemoryNetwork, agent: &mut Agent, handle: &RequestHandle) -> Outcome {
    let mut events = Vec::new();
    for _ in 0..MOST_FRAMES {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if event.id() != Some(handle.id()) {
                continue;
            }
            match event {
                Event::Done { response, .. } => {
                    return Outcome {
                        events,
                        result: Ok(*response),
                    };
                }
                Event::Failed {
                    error, response, ..
                } => {
                    return Outcome {
                        events,
                        result: Err((error, response)),
                    };
                }
                event => events.push(event),
            }
        }
        network.advance(FRAME);
    }
    panic!("not over after {MOST_FRAMES} frames: {events:?}");
}

/// Runs frames until all requests are over. Returns them in the order in which they ended, with their results.
pub fn finish_all(
    network: &MemoryNetwork,
    agent: &mut Agent,
    count: usize,
) -> Vec<(RequestId, Result<Response, Error>)> {
    let mut ended = Vec::new();
    for _ in 0..MOST_FRAMES {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { id, response } => ended.push((id, Ok(*response))),
                Event::Failed { id, error, .. } => ended.push((id, Err(error))),
                _ => {}
            }
        }
        if ended.len() >= count {
            return ended;
        }
        network.advance(FRAME);
    }
    panic!("{} of {count} over after {MOST_FRAMES} frames", ended.len());
}

/// Polls and advances this number of frames, and returns the events.
pub fn frames(network: &MemoryNetwork, agent: &mut Agent, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..count {
        agent.poll();
        while let Some(event) = agent.next_event() {
            events.push(event);
        }
        network.advance(FRAME);
    }
    events
}

/// What a scripted peer heard, one entry for each time that it answered.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub fn add(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.lock().unwrap().push(text);
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn last(&self) -> String {
        self.all().pop().unwrap()
    }
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Serves `name` at this address with a peer that responds to request heads, one after the
/// other and over all its connections, with these bytes, the last of them for ever.
pub fn script(network: &MemoryNetwork, name: &str, at: &str, answers: &[&[u8]]) -> Heard {
    let heard = Heard::default();
    let log = heard.clone();
    let answers: Vec<Vec<u8>> = answers.iter().map(|it| it.to_vec()).collect();
    let turn = Arc::new(Mutex::new(0));
    network.add_name(name, &[address(at).ip()]);
    network.serve(address(at), move || {
        let (log, answers, turn) = (log.clone(), answers.clone(), turn.clone());
        move |peer: &mut Peer| {
            if !peer.received().windows(4).any(|it| it == b"\r\n\r\n") {
                return;
            }
            log.add(&peer.take_received());
            let mut turn = turn.lock().unwrap();
            peer.send(&answers[(*turn).min(answers.len() - 1)]);
            *turn += 1;
        }
    });
    heard
}

/// The same, but each connection ends after its first response.
pub fn script_closing(network: &MemoryNetwork, name: &str, at: &str, answer: &[u8]) -> Heard {
    let heard = Heard::default();
    let log = heard.clone();
    let answer = answer.to_vec();
    network.add_name(name, &[address(at).ip()]);
    network.serve(address(at), move || {
        let (log, answer) = (log.clone(), answer.clone());
        move |peer: &mut Peer| {
            if peer.received().windows(4).any(|it| it == b"\r\n\r\n") {
                log.add(&peer.take_received());
                peer.send(&answer);
                peer.close();
            }
        }
    });
    heard
}

/// Bytes that tell where they are.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251 + at % 251) as u8).collect()
}

/// The pieces of content among these events, joined.
pub fn chunks(events: &[Event]) -> Vec<u8> {
    let mut content = Vec::new();
    for event in events {
        if let Event::Chunk { bytes, .. } = event {
            content.extend_from_slice(bytes);
        }
    }
    content
}

/// A folder for one test, removed with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        // Tests of one process may use the same name at the same time.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("httpoll-{}-{count}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all files and folders below, with slashes on each system.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&self.0).unwrap();
                let name = name.to_string_lossy().into_owned();
                names.push(if cfg!(windows) {
                    name.replace('\\', "/")
                } else {
                    name
                });
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Limits of the pool: connections in all, and to one host.
pub fn limits(total: usize, per_host: usize) -> PoolLimits {
    let mut limits = PoolLimits::default();
    limits.total = total;
    limits.per_host = per_host;
    limits
}

/// Sends equal requests.
pub fn send(agent: &mut Agent, count: usize, url: &str) -> Vec<RequestHandle> {
    (0..count).map(|_| agent.get(url).send().unwrap()).collect()
}

/// A server that responds to `/a` with this status and `Location`, and to everything else with 200.
pub fn redirecting(server: &MockServer, status: u16, location: &str) {
    server.any("/a").reply(
        MockResponse::with_status(status)
            .header("Location", location)
            .text("moved"),
    );
    server.any("/**").reply(MockResponse::ok());
}
