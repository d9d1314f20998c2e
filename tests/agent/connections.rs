//! Connections that are kept, and what becomes of them.

use std::sync::{Arc, Mutex};

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{Agent, Request};

use crate::support::{frames, run};

/// RFC 9112 §9.3.1: the server promises to keep the connection and closes it right after its response.
#[test]
fn a_connection_found_closed_before_the_request_went_out_is_replaced() {
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

/// RFC 9110 §10.1.1: a final response in place of `100 Continue` makes the content needless. Whether
/// the server would have read it nobody knows, so the connection serves no other request.
#[test]
fn content_that_was_refused_before_it_went_out_stays_here() {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    let received = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&received);
    network.serve("10.0.0.1:80".parse().unwrap(), move || {
        let log = Arc::clone(&log);
        move |peer: &mut Peer| {
            let bytes = peer.take_received();
            if bytes.ends_with(b"\r\n\r\n") {
                peer.send(b"HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno");
            }
            log.lock().unwrap().extend_from_slice(&bytes);
        }
    });
    let mut agent = Agent::on_memory(&network);
    let request = || {
        Request::put("http://game.example/")
            .body("the content")
            .expect_continue(Some(1))
    };
    for opened in 1..=2 {
        let outcome = run(&network, &mut agent, request());
        assert_eq!(outcome.response().status().as_u16(), 413);
        frames(&network, &mut agent, 5);
        let received = received.lock().unwrap();
        let text = String::from_utf8_lossy(&received);
        assert_eq!(text.matches("PUT / HTTP/1.1").count(), opened);
        assert!(!text.contains("the content"), "{text}");
        assert!(!outcome.response().connection().unwrap().reused);
    }
}
