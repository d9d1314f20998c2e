//! WebSockets of the agent: in which order they connect, how they pass a proxy, and what ends them at an unusual
//! moment.

use std::net::SocketAddr;
use std::time::Duration;

use httpoll::agent::{AgentBuilder, QueueReason, RequestOptions, WebSocketOptions};
use httpoll::error::NetworkFault;
use httpoll::memory::{ConnectError, MemoryNetwork, Peer};
use httpoll::proxy::ProxySettings;
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request as ServerRequest, Response, Server};
use httpoll::websocket::close_code;
use httpoll::{Agent, Budget, ErrorKind, Event, Phase, Request, RequestId, Timeouts};

use crate::support::{FRAME, Heard, address, frames};

#[test]
fn a_web_socket_that_is_closed_before_it_is_open_is_closed_once_it_is() {
    let network = MemoryNetwork::new();
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    let mut server = Server::builder().on_memory(&network, address).unwrap();
    let mut agent = Agent::on_memory(&network);
    let request = Request::get("ws://10.0.0.1/").web_socket(WebSocketOptions::new());
    let handle = agent.send(request).unwrap();
    agent.close_web_socket(handle.id(), close_code::GOING_AWAY, "left");
    let (mut sockets, mut events) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        network.advance(FRAME);
        agent.poll();
        events.extend(std::iter::from_fn(|| agent.next_event()));
        server.poll().unwrap();
        let asked = std::iter::from_fn(|| server.next_request());
        sockets.extend(asked.map(|mut it| it.accept_websocket(Options::default()).unwrap()));
    }
    let closed = sockets[0].close_frame().unwrap();
    assert_eq!(
        (closed.code, &*closed.reason),
        (close_code::GOING_AWAY, "left")
    );
    let events = events
        .iter()
        .filter(|event| !matches!(event, Event::Phase { .. }));
    let events: Vec<_> = events.map(|event| format!("{event:?}")).collect();
    let names: Vec<_> = events
        .iter()
        .filter_map(|it| it.split(' ').next())
        .collect();
    assert_eq!(names, ["WebSocketOpen", "WebSocketClosed", "Done"]);
}

/// A network with servers that respond to handshakes only when the test says so, and an agent.
struct Serialized {
    network: MemoryNetwork,
    servers: Vec<Server>,
    agent: Agent,
    handshakes: Vec<ServerRequest>,
    open: Vec<WebSocket>,
    events: Vec<Event>,
}

impl Serialized {
    fn new(addresses: &[&str], builder: AgentBuilder) -> Self {
        let network = MemoryNetwork::new();
        network.add_name("game.example", &[address("10.0.0.1:80").ip()]);
        let servers = addresses.iter().map(|it| {
            let server = Server::builder().on_memory(&network, address(it));
            server.unwrap()
        });
        Self {
            servers: servers.collect(),
            agent: builder.build_on_memory(&network),
            network,
            handshakes: Vec::new(),
            open: Vec::new(),
            events: Vec::new(),
        }
    }

    fn send(&mut self, url: &str) -> RequestId {
        self.send_with(url, |request| request)
    }

    fn send_with(&mut self, url: &str, change: impl FnOnce(Request) -> Request) -> RequestId {
        let request = Request::get(url).web_socket(WebSocketOptions::new());
        self.agent.send(change(request)).unwrap().detach()
    }

    fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.agent.poll();
            let events = std::iter::from_fn(|| self.agent.next_event());
            self.events.extend(events);
            for server in &mut self.servers {
                server.poll().unwrap();
                let arrived = std::iter::from_fn(|| server.next_request());
                self.handshakes.extend(arrived);
            }
            self.network.advance(FRAME);
        }
    }

    /// The targets of the handshakes that the servers have not responded to.
    fn pending(&self) -> Vec<&str> {
        self.handshakes.iter().map(|it| it.path()).collect()
    }

    fn accept(&mut self) {
        let mut handshake = self.handshakes.remove(0);
        let opened = handshake.accept_websocket(Options::default()).unwrap();
        self.open.push(opened);
        self.frames(4);
    }

    fn phase_of(&mut self, id: RequestId) -> Option<Phase> {
        let snapshot = self.agent.snapshot();
        let found = snapshot.requests.iter().find(|it| it.id == id);
        found.map(|it| it.progress.phase)
    }

    fn failure_of(&self, id: RequestId) -> Option<&ErrorKind> {
        self.events.iter().find_map(|event| match event {
            Event::Failed { id: of, error, .. } if *of == id => Some(error.kind()),
            _ => None,
        })
    }
}

#[test]
fn web_sockets_to_one_address_connect_one_after_another() {
    let mut test = Serialized::new(&["10.0.0.1:80", "10.0.0.1:81"], Agent::builder());
    let first = test.send("ws://game.example/1");
    let second = test.send("ws://game.example/2");
    let third = test.send("ws://game.example/3");
    test.send("ws://game.example:81/other");
    test.frames(10);
    // Another port is another address.
    assert_eq!(test.pending(), ["/1", "/other"]);
    assert_eq!(test.phase_of(first), Some(Phase::AwaitHead));
    assert_eq!(test.phase_of(second), Some(Phase::Queue));
    let queued = test.events.iter().filter_map(|event| match event {
        Event::Queued { id } => Some(*id),
        _ => None,
    });
    assert_eq!(queued.collect::<Vec<_>>(), [second, third]);
    // Other requests do not wait for them.
    let request = Request::get("http://game.example/plain");
    test.agent.send(request).unwrap().detach();
    test.frames(4);
    assert_eq!(test.pending(), ["/1", "/other", "/plain"]);
    test.handshakes.truncate(1);
    test.accept();
    assert_eq!(test.pending(), ["/2"]);
    assert_eq!(test.phase_of(third), Some(Phase::Queue));
    test.accept();
    assert_eq!(test.pending(), ["/3"]);
    test.accept();
    assert_eq!(test.open.len(), 3);
    assert!(test.open.iter().all(|it| !it.is_closed()));
}

#[test]
fn a_handshake_that_ends_in_any_way_lets_the_next_one_begin() {
    type End = fn(&mut Serialized, RequestId);
    let timeouts = Timeouts::with(|it| it.head = Some(Duration::from_millis(300)));
    let ends: [(&str, End); 5] = [
        ("accepted", |test, _| test.accept()),
        ("refused", |test, _| {
            test.handshakes
                .remove(0)
                .respond(Response::text("no").with_status(403));
        }),
        ("dropped", |test, _| drop(test.handshakes.remove(0))),
        ("cancelled", |test, id| {
            test.agent.cancel(id);
            test.handshakes.clear();
        }),
        ("timed out", |test, _| {
            test.frames(30);
            test.handshakes.remove(0);
        }),
    ];
    for (name, end) in ends {
        let mut test = Serialized::new(&["10.0.0.1:80"], Agent::builder());
        let with_timeouts = |request: Request| request.timeouts(timeouts.clone());
        let first = test.send_with("ws://game.example/1", with_timeouts);
        test.send("ws://game.example/2");
        test.frames(5);
        assert_eq!(test.pending(), ["/1"], "{name}");
        end(&mut test, first);
        test.frames(5);
        assert_eq!(test.pending(), ["/2"], "{name}");
    }
}

#[test]
fn an_address_that_refuses_or_does_not_respond_to_a_connect_lets_the_next_web_socket_try() {
    for (how, expected) in [
        (
            ConnectError::Refused,
            ErrorKind::Network(NetworkFault::ConnectFailed),
        ),
        (ConnectError::BlackHole, ErrorKind::Timeout(Phase::Connect)),
    ] {
        let mut test = Serialized::new(&[], Agent::builder());
        test.network.refuse(address("10.0.0.1:80"), how);
        let ids = [1, 2, 3].map(|it| test.send(&format!("ws://game.example/{it}")));
        let mut most = 0;
        for _ in 0..3_100 {
            test.frames(1);
            let phases = ids.map(|id| test.phase_of(id));
            let connecting = phases.iter().flatten().filter(|it| **it != Phase::Queue);
            most = most.max(connecting.count());
        }
        assert!(most <= 1, "{most} at once");
        for id in ids {
            assert_eq!(test.failure_of(id), Some(&expected));
        }
    }
}

#[test]
fn the_wait_for_another_handshake_counts_towards_the_limits_and_is_reported_with_its_reason() {
    let mut test = Serialized::new(&["10.0.0.1:80"], Agent::builder());
    test.send("ws://game.example/1");
    let second = Duration::from_secs(1);
    let queue = test.send_with("ws://game.example/2", |it| it.queue_timeout(second));
    let total = test.send_with("ws://game.example/3", |it| it.total_timeout(2 * second));
    let patient = test.send("ws://game.example/4");
    test.frames(90);
    assert_eq!(test.failure_of(queue), None);
    test.frames(20);
    assert_eq!(
        test.failure_of(queue),
        Some(&ErrorKind::Timeout(Phase::Queue))
    );
    test.frames(100);
    assert_eq!(
        test.failure_of(total),
        Some(&ErrorKind::TotalTimeout(Phase::Queue))
    );
    test.frames(300);
    let reasons: Vec<_> = test
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StillQueued { id, reason, .. } => Some((*id, *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [(patient, QueueReason::WebSocketConnecting)]);
    assert_eq!(
        QueueReason::WebSocketConnecting.to_string(),
        "another WebSocket to its host is connecting (RFC 6455 §4.1)"
    );
    assert_eq!(test.pending(), ["/1"]);
}

#[test]
fn a_pause_during_the_handshake_does_not_hold_up_other_web_sockets() {
    let mut test = Serialized::new(&["10.0.0.1:80"], Agent::builder());
    let first = test.send("ws://game.example/1");
    test.send("ws://game.example/2");
    test.agent.poll();
    test.agent.pause(first);
    test.frames(5);
    assert_eq!(test.pending(), ["/1"]);
    test.accept();
    assert_eq!(test.pending(), ["/2"]);
    // Its messages wait, as those of every paused WebSocket.
    test.open[0].send("hello").unwrap();
    test.frames(5);
    let is_message = |event: &Event| matches!(event, Event::WebSocketMessage { .. });
    assert!(!test.events.iter().any(is_message));
    test.agent.resume(first);
    test.frames(5);
    assert!(test.events.iter().any(is_message));
}

#[test]
fn a_web_socket_without_tls_goes_through_a_tunnel_of_its_proxy() {
    let network = MemoryNetwork::new();
    let log = Heard::default();
    let record = log.clone();
    network.serve(address("10.9.0.3:3128"), move || {
        let record = record.clone();
        move |peer: &mut Peer| {
            if peer.received().ends_with(b"\r\n\r\n") {
                record.add(&peer.take_received());
                peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n");
            }
        }
    });
    let proxies = ProxySettings::default()
        .with_all("http://10.9.0.3:3128")
        .unwrap();
    let defaults = RequestOptions::new().proxies(proxies);
    let mut agent = Agent::builder()
        .defaults(defaults)
        .build_on_memory(&network);
    let request = Request::get("ws://game.example/chat").web_socket(WebSocketOptions::new());
    agent.send(request).unwrap().detach();
    frames(&network, &mut agent, 10);
    let first: Vec<_> = log
        .all()
        .iter()
        .map(|it| it.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        first,
        ["CONNECT game.example:80 HTTP/1.1", "GET /chat HTTP/1.1"]
    );
}

#[test]
fn a_spent_budget_ends_a_poll_of_an_agent_in_the_middle_of_tiny_frames() {
    let mut test = Serialized::new(&["10.0.0.1:80"], Agent::builder());
    test.send("ws://game.example/");
    test.frames(10);
    test.accept();
    for _ in 0..8000 {
        test.open[0].send("").unwrap();
    }
    for _ in 0..20 {
        test.servers[0].poll().unwrap();
    }
    test.network.advance(FRAME);
    let mut messages = |budget: Budget| {
        test.agent.poll_with(&budget);
        let events = std::iter::from_fn(|| test.agent.next_event());
        let is_message = |it: &Event| matches!(it, Event::WebSocketMessage { .. });
        events.filter(is_message).count()
    };
    // It reads all frames of two bytes, but looks at no more than two batches of 4 KiB in any poll.
    let mut arrived = vec![messages(Budget::unlimited().with_bytes(16_000))];
    while arrived.iter().sum::<usize>() < 8000 && arrived.len() < 20 {
        arrived.push(messages(Budget::unlimited().with_bytes(0)));
    }
    assert_eq!(arrived.iter().sum::<usize>(), 8000);
    assert!(arrived.iter().all(|it| *it <= 4096), "{arrived:?}");
}
