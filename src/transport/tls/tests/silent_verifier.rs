//! A verifier that never answers: the handshake ends by its timeout with an error that names the step, and a
//! request that is cancelled or a node that is closed meanwhile leaves nothing open. Time is virtual; only the verifier runs on a thread.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::waiting::{Verdict, waiting_options};
use super::*;
use crate::memory::MemoryNetwork;
use crate::phase::{Phase, Timeouts};
use crate::server::{Request, Server};
use crate::{Agent, Event, HttpClient, Method, Polled, Status};

const FRAME: Duration = Duration::from_millis(100);

/// How long a handshake may take here.
const LIMIT: Duration = Duration::from_secs(3);

const WHY: &str = "could not establish TLS with https://10.0.0.1: timed out (Timeouts::tls_handshake) \
                   (the verifier of certificates has not answered)";

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 443))
}

fn timeouts() -> Timeouts {
    Timeouts {
        tls_handshake: Some(LIMIT),
        ..Timeouts::default()
    }
}

/// A server with TLS on an in-memory network, and options whose verifier waits for the test.
struct World {
    network: MemoryNetwork,
    server: Server,
    options: TlsOptions,
    entered: Receiver<String>,
    verdicts: Sender<Verdict>,
}

impl World {
    fn new(version: TlsVersion) -> Self {
        let network = MemoryNetwork::new();
        let leaf = Authority::new().issue("10.0.0.1");
        let served = ServerTlsOptions::builder()
            .certificate_pem(leaf.pem().as_bytes(), leaf.key_pem().as_bytes())
            .build()
            .unwrap();
        let builder = Server::builder().tls(served);
        let mut server = builder.on_memory(&network, address()).unwrap();
        server.route("GET", "/", |_: &mut Request| "hello").unwrap();
        let (options, entered, verdicts) = waiting_options(version);
        Self {
            network,
            server,
            options,
            entered,
            verdicts,
        }
    }

    fn node(&self) -> HttpClient {
        let mut http = HttpClient::on_memory(&self.network);
        http.set_timeouts(timeouts());
        self.connect(&mut http);
        http
    }

    fn connect(&self, http: &mut HttpClient) {
        http.connect_to_host("10.0.0.1", 443, Some(self.options.clone()))
            .unwrap();
    }

    fn request(&self) -> crate::Request {
        crate::Request::get("https://10.0.0.1/")
            .tls(self.options.clone())
            .timeouts(timeouts())
    }

    /// Polls, while no time passes, until the verifier was asked.
    fn until_asked(&mut self, mut poll: impl FnMut() -> Polled) {
        loop {
            let _ = poll();
            self.server.poll().unwrap();
            if self.entered.try_recv().is_ok() {
                return;
            }
            thread::yield_now();
        }
    }

    /// Frames until this returns something. Returns it and the time that it took.
    fn until<T>(&mut self, mut poll: impl FnMut() -> Option<T>) -> (T, Duration) {
        let began = self.network.now();
        loop {
            if let Some(found) = poll() {
                return (found, self.network.now() - began);
            }
            self.server.poll().unwrap();
            self.network.advance(FRAME);
            let passed = self.network.now() - began;
            assert!(passed < 10 * LIMIT, "it waits for ever");
        }
    }

    fn assert_nothing_is_open(&mut self) {
        for _ in 0..3 {
            self.server.poll().unwrap();
            self.network.advance(FRAME);
        }
        assert_eq!(self.server.metrics().open, 0, "the server saw the end");
        assert_eq!(self.network.open_connections(), 0);
    }
}

#[test]
fn the_handshake_of_a_node_ends_by_its_timeout() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut world = World::new(version);
        let mut http = world.node();
        world.until_asked(|| http.poll().unwrap());
        let (status, took) = world.until(|| {
            let _ = http.poll();
            let status = http.get_status();
            (status != Status::Connecting).then_some(status)
        });
        assert_eq!(status, Status::TlsHandshakeError);
        assert!((LIMIT..LIMIT + 2 * FRAME).contains(&took), "{took:?}");
        let error = http.get_error().unwrap().clone();
        assert_eq!(*error.kind(), ErrorKind::Timeout(Phase::TlsHandshake));
        assert_eq!(error.phase(), Some(Phase::TlsHandshake));
        assert_eq!(error.to_string(), WHY);
        world.assert_nothing_is_open();
        // A verdict that comes too late changes nothing, and the node can be used again.
        world.verdicts.send(Some(Ok(()))).unwrap();
        world.verdicts.send(Some(Ok(()))).unwrap();
        assert_eq!(http.get_error().unwrap().to_string(), WHY);
        world.connect(&mut http);
        world.until_asked(|| http.poll().unwrap());
        while http.get_status() != Status::Connected {
            http.poll().unwrap();
            world.server.poll().unwrap();
        }
        http.request(Method::Get, "/", &[], "").unwrap();
        let (code, _) = world.until(|| {
            http.poll().unwrap();
            let code = http.get_response_code();
            (code != 0).then_some(code)
        });
        assert_eq!(code, 200);
    }
}

#[test]
fn the_request_of_an_agent_ends_by_its_timeout() {
    let mut world = World::new(TlsVersion::Tls13);
    let mut agent = Agent::on_memory(&world.network);
    let handle = agent.send(world.request()).unwrap();
    world.until_asked(|| agent.poll());
    let (error, took) = world.until(|| {
        agent.poll();
        std::iter::from_fn(|| agent.next_event()).find_map(|event| match event {
            Event::Failed { error, .. } => Some(error),
            _ => None,
        })
    });
    assert!((LIMIT..LIMIT + 2 * FRAME).contains(&took), "{took:?}");
    assert_eq!(*error.kind(), ErrorKind::Timeout(Phase::TlsHandshake));
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), WHY);
    drop(handle);
    world.assert_nothing_is_open();
}

#[test]
fn a_request_can_be_cancelled_and_a_node_closed_while_the_verifier_is_silent() {
    let mut world = World::new(TlsVersion::Tls13);
    let mut agent = Agent::on_memory(&world.network);
    let handle = agent.send(world.request()).unwrap();
    world.until_asked(|| agent.poll());
    agent.cancel(handle.id());
    agent.poll();
    assert!(std::iter::from_fn(|| agent.next_event()).all(|event| !event.is_final()));
    world.assert_nothing_is_open();

    // The total timeout ends it, too.
    let short = world.request().total_timeout(Duration::from_secs(1));
    let handle = agent.send(short).unwrap();
    world.until_asked(|| agent.poll());
    let (kind, _) = world.until(|| {
        agent.poll();
        std::iter::from_fn(|| agent.next_event()).find_map(|event| match event {
            Event::Failed { error, .. } => Some(error.kind().clone()),
            _ => None,
        })
    });
    assert_eq!(kind, ErrorKind::TotalTimeout(Phase::TlsHandshake));
    drop(handle);
    world.assert_nothing_is_open();

    for is_dropped in [false, true] {
        let mut http = world.node();
        world.until_asked(|| http.poll().unwrap());
        if is_dropped {
            drop(http);
        } else {
            http.close();
            assert_eq!(http.get_status(), Status::Disconnected);
        }
        world.assert_nothing_is_open();
    }

    let handle = agent.send(world.request()).unwrap();
    world.until_asked(|| agent.poll());
    drop((handle, agent));
    world.assert_nothing_is_open();
}

#[test]
fn handshakes_that_find_no_thread_end_by_their_timeout_as_well() {
    let mut world = World::new(TlsVersion::Tls13);
    let mut nodes: Vec<HttpClient> = (0..12).map(|_| world.node()).collect();
    let (errors, took) = world.until(|| {
        for http in &mut nodes {
            let _ = http.poll();
        }
        let errors = nodes.iter().map(|http| http.get_error().cloned());
        errors.collect::<Option<Vec<_>>>()
    });
    assert!(took < LIMIT + 10 * FRAME, "{took:?}");
    for error in errors {
        assert_eq!(error.to_string(), WHY);
    }
    world.assert_nothing_is_open();
}
