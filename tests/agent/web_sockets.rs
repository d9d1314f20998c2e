//! WebSockets that the caller ends at an unusual moment.

use std::net::SocketAddr;

use httpoll::agent::WebSocketOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::server::Server;
use httpoll::server::websocket::Options;
use httpoll::websocket::close_code;
use httpoll::{Agent, Event, Request};

use crate::support::FRAME;

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
