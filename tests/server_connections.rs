//! How many connections there may be, and which one is closed for a new one.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Limits;
use httpoll::server::forwarded::{ForwardedBy, TrustedProxies};
use httpoll::server::{Request, Responder, Server, ServerLimits};
use serving::{answers, body, header, status, test_server_with};

#[test]
fn numbers_of_connections_and_requests_are_limited() {
    let mut limits = ServerLimits::default();
    limits.connections = 3;
    limits.connections_per_ip = 2;
    limits.requests_per_connection = Some(2);
    let mut test = test_server_with(Server::builder().limits(limits));
    test.network.set_client_address([192, 0, 2, 1].into());
    test.server.route("GET", "/", answers("ok")).unwrap();
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut first = test.connect();
    let mut second = test.connect();
    for client in [&mut first, &mut second] {
        client.write(&get.as_bytes()[..10]);
    }
    test.poll();
    let mut third = test.connect();
    test.settle(&mut third);
    assert!(third.closed);
    assert_eq!(test.server.metrics().refused, 1);
    assert_eq!(status(&test.send(&mut first, &get.as_bytes()[10..])), 200);
    // An idle connection of the same address is closed for it.
    let mut fourth = test.connect();
    assert_eq!(status(&test.send(&mut fourth, get)), 200);
    first.read();
    assert!(first.closed && !second.closed);
    let mut first = fourth;
    assert_eq!(
        header(&test.send(&mut first, get), "connection"),
        Some("close")
    );
    assert!(first.closed);
}

#[test]
fn this_machine_and_trusted_proxies_have_the_total_limit() {
    let proxy: std::net::IpAddr = [192, 0, 2, 1].into();
    for address in [[127, 0, 0, 1].into(), proxy] {
        let mut limits = ServerLimits::default();
        limits.connections_per_ip = 2;
        let proxies =
            TrustedProxies::new(["192.0.2.0/24".parse().unwrap()], ForwardedBy::XForwarded);
        let builder = Server::builder().limits(limits).trusted_proxies(proxies);
        let mut test = test_server_with(builder);
        test.network.set_client_address(address);
        let clients: Vec<_> = (0..20).map(|_| test.connect()).collect();
        for _ in &clients {
            test.poll();
        }
        let metrics = test.server.metrics();
        assert_eq!((metrics.open, metrics.refused), (20, 0), "{address}");
    }
}

#[test]
fn a_request_that_was_not_read_yet_is_not_idle() {
    let mut limits = ServerLimits::default();
    limits.connections = 256;
    let mut test = test_server_with(Server::builder().limits(limits));
    let streams: Arc<Mutex<Vec<Responder>>> = Arc::default();
    let held = Arc::clone(&streams);
    test.server
        .route("GET", "/stream", move |request: &mut Request| {
            held.lock().unwrap().push(request.defer());
        })
        .unwrap();
    test.server.route("GET", "/", answers("ok")).unwrap();
    let _held: Vec<_> = (0..240)
        .map(|_| {
            let mut client = test.connect();
            client.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
            test.poll();
            client
        })
        .collect();
    // In one long frame all clients have connected and sent before the server polls.
    let mut clients: Vec<_> = (0..60).map(|_| test.begin_connect()).collect();
    let mut asked = [false; 60];
    for _ in 0..10 {
        for (client, asked) in clients.iter_mut().zip(&mut asked) {
            *asked = *asked || client.try_write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        test.poll();
    }
    for client in &mut clients {
        client.read();
        assert!(!client.reset);
        assert_eq!(status(&client.text()), 200);
    }
}

/// The socket is asked, because bytes may arrive after the system reported what is ready.
#[test]
fn a_connection_whose_bytes_arrive_while_others_are_accepted_is_not_idle() {
    let mut limits = ServerLimits::default();
    limits.connections = 2;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.server.route("GET", "/", answers("ok")).unwrap();
    let first = Arc::new(Mutex::new(test.connect()));
    test.poll();
    let late = Arc::clone(&first);
    test.server.on_connect(move |_| {
        let mut late = late.lock().unwrap();
        late.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    // Both are accepted in one poll, if there is room.
    let _others = (test.begin_connect(), test.begin_connect());
    for _ in 0..5 {
        test.poll();
    }
    let mut first = first.lock().unwrap();
    first.read();
    assert!(!first.reset);
    assert_eq!(status(&first.text()), 200);
}

#[test]
fn the_connection_that_is_idle_for_the_longest_time_makes_room() {
    let mut limits = ServerLimits::default();
    limits.connections = 2;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.server.route("GET", "/", answers("ok")).unwrap();
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut first, mut second) = (test.connect(), test.connect());
    test.send(&mut second, get);
    test.pass(Duration::from_secs(1));
    test.send(&mut first, get);
    let mut third = test.connect();
    test.send(&mut third, get);
    first.read();
    second.read();
    assert!(second.closed && !first.closed && !third.closed);
}

#[test]
fn an_idle_connection_makes_room_for_another() {
    let mut limits = ServerLimits::default();
    limits.connections = 1;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.server.route("GET", "/", answers("ok")).unwrap();
    let mut first = test.connect();
    let mut second = test.connect();
    test.settle(&mut first);
    assert!(first.closed);
    assert_eq!(
        body(&test.send(&mut second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        "ok"
    );
}

#[test]
fn tiny_limits_of_the_caller_hold() {
    let mut limits = ServerLimits::default();
    limits.message = Limits::default();
    limits.message.line_bytes = 64;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.server.route("GET", "/", answers("")).unwrap();
    assert_eq!(status(&test.get(&format!("/{}", "x".repeat(64)))), 414);
}
