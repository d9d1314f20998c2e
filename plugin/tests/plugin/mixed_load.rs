//! A server in the app is as fast with waiting requests as without. This counts echoes within the virtual
//! time that calls take: no result depends on the machine.

#![cfg(all(feature = "server", feature = "websocket"))]
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::agent::{PoolLimits, WebSocketOptions};
use bevy_httpoll::httpoll::memory::{MemoryNetwork, Peer};
use bevy_httpoll::httpoll::server::websocket::Options;
use bevy_httpoll::httpoll::websocket::WebSocketMessage;
use bevy_httpoll::httpoll::{Agent, Event, Request, RequestHandle};
use bevy_httpoll::prelude::*;

const SOCKETS: usize = 20;

/// What one call on a socket takes: a frame of 1 ms has time for 40 of them.
const CALL: Duration = Duration::from_micros(25);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

fn pool() -> PoolLimits {
    let mut limits = PoolLimits::default();
    (limits.total, limits.per_host) = (400, 400);
    limits
}

/// An app with a server that echoes, and with requests that nobody answers; and the server's clients.
struct Load {
    app: bevy_app::App,
    network: MemoryNetwork,
    clients: Agent,
    sockets: Vec<RequestHandle>,
    opened: usize,
    echoes: usize,
}

impl Load {
    fn new(waiting_requests: usize) -> Self {
        let network = MemoryNetwork::new();
        network.serve(address(9), || |_: &mut Peer| {});
        let mut app = bevy_app::App::new();
        // 1 ms, as by default.
        app.add_plugins(HttpollPlugin {
            network: Some(network.clone()),
            pool: pool(),
            ..HttpollPlugin::default()
        });
        app.world_mut()
            .spawn(HttpServer::bind(address(1).to_string()))
            .observe(|asked: On<HttpRequestReceived>, mut commands: Commands| {
                commands.accept_socket(asked.request, Options::default());
            })
            .observe(
                |said: On<HttpPeerMessage>, mut peers: Query<&mut HttpSocketPeer>| -> Result {
                    peers.get_mut(said.peer)?.send(said.message.clone())?;
                    Ok(())
                },
            );
        for _ in 0..waiting_requests {
            let url = format!("http://{}/", address(9));
            app.world_mut().spawn(HttpRequest::get(url));
        }
        let clients = Agent::builder().pool(pool()).build_on_memory(&network);
        let mut load = Self {
            app,
            network,
            clients,
            sockets: Vec::new(),
            opened: 0,
            echoes: 0,
        };
        // The server listens from the first frame on.
        load.frame();
        for _ in 0..SOCKETS {
            let url = format!("ws://{}/", address(1));
            let request = Request::get(url).web_socket(WebSocketOptions::default());
            load.sockets.push(load.clients.send(request).unwrap());
        }
        for _ in 0..200 {
            load.frame();
        }
        assert_eq!(load.opened, SOCKETS);
        let http = load.app.world().resource::<HttpAgent>();
        assert_eq!(http.in_flight(), waiting_requests);
        load
    }

    /// One frame of the app, and what the clients do meanwhile.
    fn frame(&mut self) {
        self.network.set_work(CALL, Duration::ZERO);
        self.app.update();
        self.network.set_work(Duration::ZERO, Duration::ZERO);
        self.clients.poll_with(&Budget::unlimited());
        while let Some(event) = self.clients.next_event() {
            match event {
                Event::WebSocketOpen { .. } => self.opened += 1,
                Event::WebSocketMessage { id, message } => {
                    self.echoes += 1;
                    self.clients.send_message(id, message).unwrap();
                }
                _ => {}
            }
        }
        self.clients.poll_with(&Budget::unlimited());
        self.network.advance(Duration::from_micros(16_667));
    }
}

fn echoes_with(waiting_requests: usize) -> usize {
    let mut load = Load::new(waiting_requests);
    for socket in &load.sockets {
        let ping = WebSocketMessage::text("ping").unwrap();
        load.clients.send_message(socket.id(), ping).unwrap();
    }
    load.echoes = 0;
    for _ in 0..240 {
        load.frame();
    }
    load.echoes
}

#[test]
fn waiting_requests_take_nothing_from_a_server_in_the_app() {
    let alone = echoes_with(0);
    assert!(alone > 500, "{alone}");
    for waiting_requests in [50, 300] {
        let echoes = echoes_with(waiting_requests);
        println!("{echoes} echoes with {waiting_requests} waiting requests, {alone} without");
        assert!(
            alone.abs_diff(echoes) * 10 < alone,
            "{echoes} echoes with {waiting_requests} waiting requests, {alone} without"
        );
    }
}
