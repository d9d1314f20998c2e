//! Connections that are kept, and what becomes of them.

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{Agent, Request};

use crate::support::run;

/// RFC 9112 §9.3.1, row S178: the server promises to stay and closes right behind its response.
#[test]
fn s178_a_connection_found_closed_before_the_request_went_out_is_replaced() {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    network.serve("10.0.0.1:80".parse().unwrap(), || {
        |peer: &mut Peer| {
            if peer.received().ends_with(b"\r\n\r\n") {
                peer.take_received();
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                peer.close();
            }
        }
    });
    let mut agent = Agent::on_memory(&network);
    for method in ["GET", "POST"] {
        for _ in 0..3 {
            let request = Request::with_method_name(method, "http://game.example/");
            assert_eq!(run(&network, &mut agent, request).response().text(), "hi");
        }
    }
}
