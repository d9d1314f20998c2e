//! Clients, agents and servers in one group: what they do together, and that none takes from the others
//! what it does not need.

#![cfg(all(feature = "agent", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "websocket")]
use httpoll::RequestHandle;
#[cfg(feature = "websocket")]
use httpoll::memory::Peer;
use httpoll::memory::{MemoryNetwork, MemoryStream};
use httpoll::server::{Request, Response, Server};
use httpoll::{Agent, Budget, Event, GroupMember, HttpClient, Method, PollAt, PollGroup, Status};

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

fn server_in(group: &PollGroup, address: SocketAddr) -> Server {
    let mut server = Server::builder().group(group).bind(address).unwrap();
    server
        .route("GET", "/", |_: &mut Request| Response::text("hello"))
        .unwrap();
    server
}

/// The text of the response that a client and an agent get from a server, when all three are members.
fn ask_each_other(group: &PollGroup, listen: SocketAddr) -> (String, String) {
    let mut server = server_in(group, listen);
    let address = server.local_addr();
    let mut agent = Agent::builder().group(group).build();
    let mut http = HttpClient::in_group(group);
    let asked = agent.get(format!("http://{address}/")).send().unwrap();
    let port = i32::from(address.port());
    http.connect_to_host(&address.ip().to_string(), port, None)
        .unwrap();
    let mut by_agent = None;
    let mut by_client = Vec::new();
    let mut is_requested = false;
    for _ in 0..100_000 {
        let mut members: [&mut dyn GroupMember; 3] = [&mut server, &mut agent, &mut http];
        group.poll(&Budget::default(), &mut members).unwrap();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => by_agent = Some(response.text()),
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        match http.get_status() {
            Status::Connected if !is_requested => {
                http.request(Method::Get, "/", &[], "").unwrap();
                is_requested = true;
            }
            Status::Body => by_client.extend(http.read_response_body_chunk().unwrap()),
            _ => {}
        }
        if let Some(by_agent) = &by_agent
            && is_requested
            && matches!(http.get_status(), Status::Connected)
        {
            drop(asked);
            return (by_agent.clone(), String::from_utf8(by_client).unwrap());
        }
    }
    panic!("no end: {:?} {by_agent:?}", http.get_status());
}

#[test]
fn a_client_an_agent_and_a_server_of_one_group_reach_each_other() {
    let hello = || ("hello".to_owned(), "hello".to_owned());
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    assert_eq!(ask_each_other(&PollGroup::new(), loopback), hello());
    let network = MemoryNetwork::new();
    assert_eq!(
        ask_each_other(&PollGroup::on_memory(&network), address(1)),
        hello()
    );
}

/// A group, a client in it that is connected, and the peer's end.
fn connected(
    network: &MemoryNetwork,
    group: &PollGroup,
    at: SocketAddr,
) -> (HttpClient, MemoryStream) {
    network.listen(at);
    let mut http = HttpClient::in_group(group);
    http.connect_to_host(&at.ip().to_string(), 80, None)
        .unwrap();
    while http.get_status() != Status::Connected {
        group.poll(&Budget::default(), &mut [&mut http]).unwrap();
    }
    (http, network.accept(at).unwrap())
}

#[test]
fn a_member_that_is_dropped_leaves_the_others_alone() {
    use std::io::Write;

    let network = MemoryNetwork::new();
    network.shuffle_readiness(7);
    let group = PollGroup::on_memory(&network);
    for round in 0..50 {
        let (mut first, mut first_peer) = connected(&network, &group, address(1));
        let (mut second, mut second_peer) = connected(&network, &group, address(2));
        for http in [&mut first, &mut second] {
            http.request(Method::Get, "/", &[], "").unwrap();
        }
        let mut members: [&mut dyn GroupMember; 2] = [&mut first, &mut second];
        group.poll(&Budget::default(), &mut members).unwrap();
        // Events of the first wait in the network and in its inbox when it goes.
        let _ = first_peer.write(b"HTTP/1.1 200 OK\r\n").unwrap();
        if round % 2 == 0 {
            group.poll(&Budget::default(), &mut [&mut second]).unwrap();
        }
        drop(first);
        let (third, _third_peer) = connected(&network, &group, address(1));
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(second_peer.write(response).unwrap(), response.len());
        for _ in 0..20 {
            group.poll(&Budget::default(), &mut [&mut second]).unwrap();
        }
        assert_eq!(second.get_response_code(), 200);
        assert_eq!(third.get_status(), Status::Connected, "nothing reached it");
        assert_eq!(third.get_response_code(), 0);
    }
}

#[test]
fn a_member_may_be_polled_by_itself_and_a_stranger_in_a_group() {
    let network = MemoryNetwork::new();
    let group = PollGroup::on_memory(&network);
    let mut server = server_in(&group, address(1));
    let mut stranger = HttpClient::on_memory(&network);
    let mut member = HttpClient::in_group(&group);
    for http in [&mut stranger, &mut member] {
        http.connect_to_host("10.0.0.1", 80, None).unwrap();
    }
    for _ in 0..50 {
        member.poll().unwrap();
        let mut members: [&mut dyn GroupMember; 2] = [&mut server, &mut stranger];
        group.poll(&Budget::default(), &mut members).unwrap();
    }
    for http in [&mut stranger, &mut member] {
        assert_eq!(http.get_status(), Status::Connected);
    }
}

#[test]
fn a_client_joins_whatever_it_is_doing() {
    let network = MemoryNetwork::new();
    network.add_slow_name(
        "game.example",
        &[address(1).ip()],
        Duration::from_millis(50),
    );
    network.set_latency(Duration::from_millis(3));
    let group = PollGroup::on_memory(&network);
    let mut server = server_in(&group, address(1));
    // It joins after this many frames: in each phase of the connection and of the request.
    for frames in 0..30 {
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 80, None).unwrap();
        let mut body = Vec::new();
        let mut frame = 0;
        while body != b"hello" {
            frame += 1;
            assert!(frame < 200, "{frames} {:?}", http.get_status());
            if frame > frames {
                http.join(&group);
                let mut members: [&mut dyn GroupMember; 2] = [&mut http, &mut server];
                group.poll(&Budget::default(), &mut members).unwrap();
            } else {
                http.poll().unwrap();
                server.poll().unwrap();
            }
            match http.get_status() {
                Status::Connected if http.get_response_code() == 0 => {
                    http.request(Method::Get, "/", &[], "").unwrap();
                }
                Status::Body => body.extend(http.read_response_body_chunk().unwrap()),
                _ => {}
            }
            network.advance(Duration::from_millis(4));
        }
    }
}

#[test]
fn waiting_in_a_group_sleeps_until_a_member_can_go_on() {
    let network = MemoryNetwork::new();
    network.set_latency(Duration::from_millis(30));
    let group = PollGroup::on_memory(&network);
    let mut server = server_in(&group, address(1));
    let mut agent = Agent::builder().group(&group).build();
    let asked = agent.get("http://10.0.0.1/").send().unwrap();
    let began = network.now();
    let text = loop {
        let mut members: [&mut dyn GroupMember; 2] = [&mut agent, &mut server];
        let polled = group.wait(None, &mut members).unwrap();
        assert_ne!(polled.next, PollAt::Idle);
        if let Some(Event::Done { response, .. }) = std::iter::from_fn(|| agent.next_event())
            .find(|event| matches!(event, Event::Done { .. }))
        {
            break response.text();
        }
    };
    drop(asked);
    assert_eq!(text, "hello");
    // A round trip to connect, and one for the request: nothing was waited for beyond that.
    assert_eq!(network.now() - began, Duration::from_millis(120));
}

/// What a client's or a server's calls take in the mixed load: a frame has time for about 40 of them.
#[cfg(feature = "websocket")]
const CALL: Duration = Duration::from_micros(25);

#[cfg(feature = "websocket")]
mod mixed_load {
    use super::*;
    use httpoll::agent::WebSocketOptions;
    use httpoll::server::websocket::{Options, WebSocket};
    use httpoll::websocket::WebSocketMessage;

    const SOCKETS: usize = 20;

    /// Server, its clients' WebSockets, and an agent with requests that are never answered.
    struct Load {
        network: MemoryNetwork,
        group: PollGroup,
        server: Server,
        opened: Vec<WebSocket>,
        waiting: Agent,
        _held: Vec<RequestHandle>,
        clients: Agent,
        sockets: Vec<RequestHandle>,
        echoes: usize,
    }

    impl Load {
        fn new(waiting_requests: usize) -> Self {
            let network = MemoryNetwork::new();
            network.serve(address(9), || |_: &mut Peer| {});
            let group = PollGroup::on_memory(&network);
            let mut server = Server::builder().group(&group).bind(address(1)).unwrap();
            server.pull("GET", "/").unwrap();
            let pool = || {
                let mut limits = httpoll::agent::PoolLimits::default();
                limits.total = 400;
                limits.per_host = 400;
                limits
            };
            let mut waiting = Agent::builder().pool(pool()).group(&group).build();
            let held = (0..waiting_requests)
                .map(|_| waiting.get("http://10.0.0.9/").send().unwrap())
                .collect();
            let mut clients = Agent::builder().pool(pool()).build_on_memory(&network);
            let sockets = (0..SOCKETS)
                .map(|_| {
                    clients
                        .send(
                            httpoll::Request::get("ws://10.0.0.1/")
                                .web_socket(WebSocketOptions::default()),
                        )
                        .unwrap()
                })
                .collect();
            let mut load = Self {
                network,
                group,
                server,
                opened: Vec::new(),
                waiting,
                _held: held,
                clients,
                sockets,
                echoes: 0,
            };
            while load.opened.len() < SOCKETS {
                load.frame();
            }
            for _ in 0..50 {
                load.frame();
            }
            load
        }

        /// One frame of the app with the server, and what its clients do meanwhile.
        fn frame(&mut self) {
            let mut members: [&mut dyn GroupMember; 2] = [&mut self.waiting, &mut self.server];
            let budget = Budget::default();
            self.group.poll(&budget, &mut members).unwrap();
            while let Some(mut request) = self.server.next_request() {
                let socket = request.accept_websocket(Options::default()).unwrap();
                self.opened.push(socket);
            }
            for socket in &mut self.opened {
                while let Some(message) = socket.receive() {
                    socket.send(message).unwrap();
                }
            }
            self.network.set_work(Duration::ZERO, Duration::ZERO);
            self.clients.poll_with(&Budget::unlimited());
            while let Some(event) = self.clients.next_event() {
                if let Event::WebSocketMessage { id, message } = event {
                    self.echoes += 1;
                    self.clients.send_message(id, message).unwrap();
                }
            }
            self.clients.poll_with(&Budget::unlimited());
            self.network.set_work(CALL, Duration::ZERO);
            self.network.advance(Duration::from_millis(16));
        }
    }

    fn echoes_with(waiting_requests: usize) -> usize {
        let mut load = Load::new(waiting_requests);
        for socket in &load.sockets {
            let ping = WebSocketMessage::text("ping").unwrap();
            load.clients.send_message(socket.id(), ping).unwrap();
        }
        load.echoes = 0;
        for _ in 0..200 {
            load.frame();
        }
        load.echoes
    }

    #[test]
    fn requests_that_wait_take_nothing_from_a_busy_server() {
        let alone = echoes_with(0);
        assert!(alone > 500, "{alone}");
        for waiting_requests in [50, 300] {
            let echoes = echoes_with(waiting_requests);
            assert!(
                alone.abs_diff(echoes) * 10 < alone,
                "{echoes} echoes with {waiting_requests} waiting requests, {alone} without"
            );
        }
    }
}
