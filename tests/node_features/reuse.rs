//! A kept connection that turns out to be closed, and which requests are sent again over a new one.

use std::io::Write;
use std::sync::{Arc, Mutex};

use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::{ErrorKind, HttpClient, Method, Status, error::NetworkFault, node::RequestBody};

use crate::support::{connected, content, get, server};
use crate::{OK, support};

/// A server that responds to the first request of each connection and closes at the second.
fn forgetful() -> (MemoryNetwork, HttpClient, support::Log) {
    let (network, mut http, log) = connected(&[OK, b"<close>"]);
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    support::transitions(&mut http);
    log.clear();
    (network, http, log)
}

#[test]
fn a_stale_connection_costs_an_idempotent_request_nothing() {
    let (network, mut http, log) = forgetful();
    http.request(Method::Put, "/x", &["X: y"], "content")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"hi");
    assert_eq!(network.connections_to(server()), 2);
    assert_eq!(http.get_connection_requests(), 1);
    assert_eq!(log.text().matches("PUT /x HTTP/1.1\r\nX: y\r\n").count(), 2);
    use Status::{Body, Connected, Requesting};
    let silent = [Connected, Requesting, Body, Connected];
    assert_eq!(support::transitions(&mut http), silent);
}

#[test]
fn the_retry_is_made_once() {
    let network = MemoryNetwork::new();
    let answered = Arc::new(Mutex::new(false));
    network.serve(server(), move || {
        let answered = answered.clone();
        move |peer: &mut httpoll::memory::Peer| {
            if peer.take_received().is_empty() {
            } else if std::mem::replace(&mut *answered.lock().unwrap(), true) {
                peer.close();
            } else {
                peer.send(OK);
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    get(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    let error = http.get_error().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
    assert!(error.is_retryable());
    assert_eq!(network.connections_to(server()), 2);
}

#[test]
fn unsafe_requests_are_not_sent_again() {
    let reader = || RequestBody::reader(&b"content"[..], Some(7));
    for (method, body, retried, retryable) in [
        (Method::Post, "content".into(), true, false),
        (Method::Put, reader(), true, true),
        (Method::Get, RequestBody::none(), false, true),
    ] {
        let (network, mut http, _) = forgetful();
        http.set_retry_stale_connections(retried);
        http.request(method, "/", &[], body).unwrap();
        support::until_head(&network, &mut http);
        let error = http.get_error().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
        assert_eq!(error.is_retryable(), retryable, "{method:?}");
        assert_eq!(network.connections_to(server()), 1, "{method:?}");
    }
}

#[test]
fn a_request_of_which_nothing_was_sent_is_sent_again_whatever_its_method() {
    let network = MemoryNetwork::new();
    network.listen(server());
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    let mut stream = network.accept(server()).unwrap();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream.write_all(OK).unwrap();
    support::until_head(&network, &mut http);
    content(&network, &mut http).unwrap();
    // It hangs up between two frames, unseen by any poll.
    drop(stream);
    support::serve(&network, server(), &[OK]);
    http.request(Method::Post, "/", &[], "content").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"hi");
}

#[test]
fn a_retry_that_cannot_connect_fails() {
    let (network, mut http, _) = forgetful();
    network.refuse(server(), ConnectError::Refused);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_status(), Status::CantConnect);
    use Status::{CantConnect, Connected, Requesting};
    assert_eq!(
        support::transitions(&mut http),
        [Connected, Requesting, CantConnect]
    );
}
