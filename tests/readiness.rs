//! Node, agent and server on a network that behaves as Windows does: a socket is reported as ready once, until an
//! operation has failed with `WouldBlock`, and a reset discards what was not read. Code that stops reading or
//! writing before `WouldBlock`, and then waits for an event, hangs here.

#![cfg(all(
    feature = "agent",
    feature = "server",
    feature = "tls",
    feature = "websocket"
))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod readiness {
    mod before_a_reset;
}

use std::net::SocketAddr;
use std::time::Duration;

use httpoll::agent::WebSocketOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request, Response, Server, ServerTlsOptions};
use httpoll::tls::TlsOptions;
use httpoll::websocket::WebSocketMessage;
use httpoll::{Agent, Budget, Event, HttpClient, Method, Status};
use rcgen::{CertificateParams, KeyPair};

/// More than any buffer on the way holds.
const LARGE: usize = 700_000;

/// More turns than any test needs.
const MOST_TURNS: usize = 30_000;

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

fn content() -> Vec<u8> {
    (0..LARGE).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// How the network cuts what is moved, and how little each poll may do.
#[derive(Clone, Copy, Debug)]
struct Cuts {
    capacity: usize,
    transfer: Option<usize>,
    budget: u64,
    latency: Duration,
}

const CUTS: [Cuts; 4] = [
    Cuts {
        capacity: 256 * 1024,
        transfer: None,
        budget: u64::MAX,
        latency: Duration::ZERO,
    },
    // Each poll is cut short in the middle of what has arrived.
    Cuts {
        capacity: 256 * 1024,
        transfer: None,
        budget: 10_000,
        latency: Duration::ZERO,
    },
    // Writers find the network full nearly each time.
    Cuts {
        capacity: 5000,
        transfer: None,
        budget: u64::MAX,
        latency: Duration::from_millis(1),
    },
    // Reads and writes are short although more is there.
    Cuts {
        capacity: 64 * 1024,
        transfer: Some(3000),
        budget: 20_000,
        latency: Duration::ZERO,
    },
];

/// A server, what its clients need, and its open WebSockets.
struct World {
    network: MemoryNetwork,
    server: Server,
    tls: Option<TlsOptions>,
    budget: Budget,
    sockets: Vec<WebSocket>,
}

impl World {
    fn new(cuts: Cuts, is_secure: bool) -> Self {
        let network = MemoryNetwork::new();
        network.imitate_windows();
        network.set_capacity(cuts.capacity);
        network.set_transfer_limit(cuts.transfer);
        network.set_latency(cuts.latency);
        let mut builder = Server::builder();
        let mut tls = None;
        if is_secure {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["10.0.0.1".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap().pem();
            let options = ServerTlsOptions::builder()
                .certificate_pem(certificate.as_bytes(), key.serialize_pem().as_bytes());
            builder = builder.tls(options.build().unwrap());
            tls = Some(TlsOptions::client_unsafe(None).unwrap());
        }
        let mut server = builder.on_memory(&network, address()).unwrap();
        server
            .route("GET", "/large", |_: &mut Request| {
                Response::content("application/octet-stream", content())
            })
            .unwrap();
        server
            .route("POST", "/same", |request: &mut Request| {
                Response::text((*request.body() == content()).to_string())
            })
            .unwrap();
        server.pull("GET", "/socket").unwrap();
        Self {
            network,
            server,
            tls,
            budget: Budget::unlimited().with_bytes(cuts.budget),
            sockets: Vec::new(),
        }
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        let secure = if self.tls.is_some() { "s" } else { "" };
        let port = address().port();
        format!("{scheme}{secure}://10.0.0.1:{port}{path}")
    }

    /// One frame of the server, and time.
    fn frame(&mut self) {
        let now = self.network.now();
        self.server.poll_at(now, &self.budget).unwrap();
        while let Some(mut request) = self.server.next_request() {
            let socket = request.accept_websocket(Options::default()).unwrap();
            self.sockets.push(socket);
        }
        for socket in &mut self.sockets {
            while let Some(message) = socket.receive() {
                socket.send(message).unwrap();
            }
        }
        self.network.advance(Duration::from_millis(1));
    }

    /// Frames until `turn` returns something. It is polled as often as the server.
    fn until<T>(&mut self, mut turn: impl FnMut(&Budget) -> Option<T>) -> T {
        for _ in 0..MOST_TURNS {
            if let Some(over) = turn(&self.budget) {
                return over;
            }
            self.frame();
        }
        panic!("it waits for an event that never comes");
    }

    fn node(&self) -> HttpClient {
        let mut http = HttpClient::on_memory(&self.network);
        http.connect_to_host("10.0.0.1", 80, self.tls.clone())
            .unwrap();
        http
    }

    /// The content of a response to this request of a node.
    fn ask(&mut self, method: Method, path: &str, body: Vec<u8>) -> Vec<u8> {
        let mut http = self.node();
        let network = self.network.clone();
        let mut body = Some(body);
        let mut received = Vec::new();
        self.until(|budget| {
            http.poll_at(network.now(), budget).unwrap();
            if http.get_status() == Status::Connected {
                match body.take() {
                    Some(body) => http.request(method, path, &[], body).unwrap(),
                    None => return Some(()),
                }
            }
            while http.get_status() == Status::Body {
                let chunk = http.read_response_body_chunk().unwrap();
                if chunk.is_empty() {
                    break;
                }
                received.extend_from_slice(&chunk);
            }
            None
        });
        received
    }
}

fn each_world(test: impl Fn(&mut World)) {
    for cuts in CUTS {
        for is_secure in [false, true] {
            println!("{cuts:?}, TLS {is_secure}");
            test(&mut World::new(cuts, is_secure));
        }
    }
}

fn finish(world: &mut World, agent: &mut Agent, request: httpoll::Request) -> Vec<u8> {
    let request = match &world.tls {
        Some(tls) => request.tls(tls.clone()),
        None => request,
    };
    let handle = agent.send(request).unwrap();
    let mut received = Vec::new();
    world.until(|budget| {
        agent.poll_with(budget);
        while let Some(event) = agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => received.extend_from_slice(&bytes),
                Event::Done { response, .. } => {
                    received.extend_from_slice(response.body());
                    return Some(());
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        None
    });
    drop(handle);
    received
}

#[test]
fn a_node_downloads_and_uploads_with_one_event_for_each_would_block() {
    each_world(|world| {
        assert!(world.ask(Method::Get, "/large", Vec::new()) == content());
        assert_eq!(world.ask(Method::Post, "/same", content()), b"true");
    });
}

#[test]
fn an_agent_downloads_and_uploads_with_one_event_for_each_would_block() {
    each_world(|world| {
        let mut agent = Agent::on_memory(&world.network);
        // The second and the third use the connection of the first.
        let large = world.url("http", "/large");
        let collected = httpoll::Request::get(&large).max_body(LARGE as u64);
        assert!(finish(world, &mut agent, collected) == content());
        let streamed = httpoll::Request::get(&large).stream();
        assert!(finish(world, &mut agent, streamed) == content());
        let upload = httpoll::Request::post(world.url("http", "/same")).body(content());
        assert_eq!(finish(world, &mut agent, upload), b"true");
        assert_eq!(world.network.connections_to(address()), 1);
    });
}

#[test]
fn web_sockets_echo_with_one_event_for_each_would_block() {
    each_world(|world| {
        let mut agent = Agent::on_memory(&world.network);
        let mut request = httpoll::Request::get(world.url("ws", "/socket"))
            .web_socket(WebSocketOptions::default());
        if let Some(tls) = &world.tls {
            request = request.tls(tls.clone());
        }
        let handle = agent.send(request).unwrap();
        let messages: Vec<WebSocketMessage> = (1..=6_usize)
            .map(|number| vec![number as u8; number * 40_000].into())
            .collect();
        let mut echoes = Vec::new();
        world.until(|budget| {
            agent.poll_with(budget);
            while let Some(event) = agent.next_event() {
                match event {
                    Event::WebSocketOpen { id, .. } => {
                        for message in &messages {
                            agent.send_message(id, message.clone()).unwrap();
                        }
                    }
                    Event::WebSocketMessage { message, .. } => echoes.push(message),
                    Event::Failed { error, .. } => panic!("{error}"),
                    _ => {}
                }
            }
            (echoes.len() == messages.len()).then_some(())
        });
        assert!(echoes == messages);
        drop(handle);
    });
}

#[test]
fn a_server_accepts_all_that_wait_with_one_event() {
    for accepts in [1, 1000] {
        let mut world = World::new(CUTS[0], false);
        world.budget = world.budget.with_accepts(accepts);
        for round in 1..=3 {
            let mut clients: Vec<HttpClient> = (0..10).map(|_| world.node()).collect();
            world.until(|_| {
                for http in &mut clients {
                    http.poll().unwrap();
                    if http.get_status() == Status::Connected && !http.has_response() {
                        let _ = http.request(Method::Post, "/same", &[], "");
                    }
                }
                let is_over = |http: &HttpClient| http.get_response_code() == 200;
                clients.iter().all(is_over).then_some(())
            });
            assert_eq!(world.network.connections_to(address()), 10 * round);
        }
    }
}
