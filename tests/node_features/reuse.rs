//! A kept connection that turns out to be closed, and which requests are sent again over a new one.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{ConnectError, MemoryNetwork, MemoryStream};
use httpoll::{
    Budget, ErrorKind, HttpClient, Method, PollGroup, Status, error::NetworkFault,
    node::RequestBody,
};

use crate::support::{address, connected, content, get, server};
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

#[test]
fn an_announced_keep_alive_is_respected_with_a_margin() {
    // Seconds announced, milliseconds idle, method, whether the connection serves again.
    for (keep_alive, idle, method, is_reused) in [
        ("Keep-Alive: timeout=5\r\n", 3_900, Method::Get, true),
        ("Keep-Alive: timeout=5\r\n", 4_100, Method::Get, false),
        ("Keep-Alive: timeout=1\r\n", 400, Method::Post, true),
        ("Keep-Alive: timeout=1\r\n", 600, Method::Post, false),
        ("Keep-Alive: timeout=60\r\n", 9_000, Method::Post, true),
        ("Keep-Alive: max=9\r\n", 9_000, Method::Get, true),
        ("Keep-Alive: timeout=900\r\n", 400_000, Method::Get, true),
        ("", 9_000, Method::Get, true),
        ("", 299_000, Method::Get, true),
        ("", 301_000, Method::Get, false),
        ("", 3_900, Method::Post, true),
        ("", 4_100, Method::Post, false),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{keep_alive}Content-Length: 2\r\n\r\nhi");
        let (network, mut http, log) = connected(&[response.as_bytes()]);
        get(&network, &mut http);
        support::transitions(&mut http);
        network.advance(Duration::from_millis(idle));
        let what = format!("{keep_alive} {idle} {method:?}");
        let reader = RequestBody::reader(&b"content"[..], Some(7));
        let body = if method == Method::Get {
            RequestBody::none()
        } else {
            reader
        };
        log.clear();
        http.request(method, "/", &[], body).unwrap();
        assert_eq!(http.get_status(), Status::Requesting, "{what}");
        support::until_head(&network, &mut http);
        assert_eq!(content(&network, &mut http).unwrap(), b"hi", "{what}");
        let opened = network.connections_to(server());
        assert_eq!(opened, if is_reused { 1 } else { 2 }, "{what}");
        assert_eq!(log.text().matches(" / HTTP/1.1\r\n").count(), 1, "{what}");
        assert_eq!(
            http.get_connection_requests(),
            if is_reused { 2 } else { 1 }
        );
        use Status::{Body, Connected, Requesting};
        let silent = [Connected, Requesting, Body, Connected];
        assert_eq!(support::transitions(&mut http), silent, "{what}");
    }
}

#[test]
fn a_connection_is_not_replaced_where_that_is_turned_off() {
    let response = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi";
    let (network, mut http, _) = connected(&[response]);
    http.set_retry_stale_connections(false);
    get(&network, &mut http);
    network.advance(Duration::from_secs(5));
    assert_eq!(get(&network, &mut http).0, 200);
    assert_eq!(network.connections_to(server()), 1);
}

/// Ends a connection when its content is read, which is in the middle of a poll.
struct Meanwhile(Option<MemoryStream>, bool);

impl Read for Meanwhile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(stream) if self.1 => stream.reset(),
            stream => drop(stream),
        }
        (&b"x"[..]).read(into)
    }
}

#[test]
fn a_post_notices_the_end_of_its_connection_between_the_poll_and_the_request() {
    // Only a read notices that: the sockets were polled before.
    for (resets, reads_content) in [(false, false), (true, false), (false, true), (true, true)] {
        let network = MemoryNetwork::new();
        let group = PollGroup::on_memory(&network);
        let mut clients = [HttpClient::in_group(&group), HttpClient::in_group(&group)];
        let addresses = [address("10.0.0.1:80"), address("10.0.0.2:80")];
        let budget = Budget::unlimited();
        let mut polls = 0;
        let mut poll = |clients: &mut [HttpClient; 2]| {
            let [one, other] = clients;
            group.poll(&budget, &mut [one, other]).unwrap();
            network.advance(support::FRAME);
            polls += 1;
            polls % 2 == 0
        };
        for (at, http) in addresses.iter().zip(&mut clients) {
            network.listen(*at);
            http.connect_to_host(&at.ip().to_string(), 80, None)
                .unwrap();
        }
        let respond = |stream: &mut MemoryStream| {
            let mut request = [0; 1000];
            let count = stream.read(&mut request).unwrap_or_default();
            if count > 0 {
                stream.write_all(OK).unwrap();
            }
        };
        poll(&mut clients);
        let mut streams = addresses.map(|at| network.accept(at).unwrap());
        for http in &mut clients {
            http.request(Method::Get, "/", &[], "").unwrap();
        }
        for _ in 0..4 {
            poll(&mut clients);
            streams.iter_mut().for_each(respond);
            for http in &mut clients {
                let _ = http.read_response_body_chunk();
            }
        }
        // The first member has the first turn in every second poll.
        while !poll(&mut clients) {}
        let [_one, other] = streams;
        let [ends, posts] = &mut clients;
        let meanwhile = Meanwhile(Some(other), resets);
        let content = RequestBody::reader(meanwhile, Some(1));
        ends.request(Method::Put, "/", &[], content).unwrap();
        let body = if reads_content {
            RequestBody::reader(&b"once"[..], Some(4))
        } else {
            "1".into()
        };
        posts.request(Method::Post, "/", &[], body).unwrap();
        let what = format!("resets: {resets}, a reader: {reads_content}");
        let mut anew = None;
        for _ in 0..10 {
            poll(&mut clients);
            anew = anew.or_else(|| network.accept(addresses[1]));
            if let Some(stream) = &mut anew {
                respond(stream);
            }
        }
        let [_, posts] = &clients;
        assert_eq!(posts.get_error(), None, "{what}");
        assert_eq!(posts.get_response_code(), 200, "{what}");
        assert_eq!(network.connections_to(addresses[1]), 2, "{what}");
    }
}
