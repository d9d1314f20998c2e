//! Connections that ended, or brought something, while no request used them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Event, Phase, Request, Timeouts, error::NetworkFault};

use crate::support::{Heard, address, finish, finish_all, frames, limits, run, script, send};

#[test]
fn a_stale_connection_is_silently_replaced() {
    // RFC 9112 §9.3.1. The server closes each connection when the second request comes.
    for (method, closes, repeated) in [
        ("GET", true, true),
        ("PUT", true, true),
        ("POST", true, false),
        ("GET", false, true),
    ] {
        let network = MemoryNetwork::new();
        let heard = Heard::default();
        let log = heard.clone();
        network.add_name("game.example", &[address("10.9.0.1:80").ip()]);
        network.serve(address("10.9.0.1:80"), move || {
            let log = log.clone();
            let mut served = 0;
            move |peer: &mut Peer| {
                if !peer.received().ends_with(b"\r\n\r\n") && !peer.received().ends_with(b"x") {
                    return;
                }
                log.add(&peer.take_received());
                served += 1;
                if served == 1 {
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                } else if closes {
                    peer.close();
                } else {
                    peer.reset();
                }
            }
        });
        let mut agent = Agent::on_memory(&network);
        run(&network, &mut agent, Request::get("http://game.example/")).response();
        let request = Request::with_method_name(method, "http://game.example/").body("x");
        let outcome = run(&network, &mut agent, request);
        assert_eq!(outcome.result.is_ok(), repeated, "{method}");
        if repeated {
            assert_eq!(outcome.response().attempts(), 2);
            assert!(
                !outcome
                    .events
                    .iter()
                    .any(|it| matches!(it, Event::WillRetry { .. })),
                "silent"
            );
        } else {
            assert_eq!(
                *outcome.error().kind(),
                ErrorKind::Network(NetworkFault::Closed)
            );
            assert!(!outcome.error().is_retryable());
        }
        assert_eq!(heard.all().len(), if repeated { 3 } else { 2 });
    }
}

#[test]
fn all_connections_of_a_restarted_server_are_replaced() {
    // A server that restarts many times while several connections are idle: the pool's counts must stay right.
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let others: Vec<_> = (0..3)
        .map(|at| MockServer::on(&network, &format!("h{at}.example"), 80))
        .collect();
    for other in &others {
        other.any("/**").reply(MockResponse::ok());
    }
    server
        .any("/slow")
        .reply(MockResponse::ok().delay(Duration::from_millis(50)));
    server
        .any("/x")
        .matching(|request| request.number > 0)
        .reply(MockResponse::raw(""));
    server.any("/x").reply(MockResponse::ok());
    let mut agent = Agent::builder()
        .pool(limits(4, 2))
        .build_on_memory(&network);
    for round in 0..6 {
        let handles = send(&mut agent, 2, "http://game.example/slow");
        for (_, result) in finish_all(&network, &mut agent, 2) {
            result.unwrap();
        }
        drop(handles);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/x"));
        assert_eq!(outcome.response().status().as_u16(), 200, "{round}");
        for at in 0..3 {
            let url = format!("http://h{}.example/", (at + round) % 3);
            run(&network, &mut agent, Request::get(url)).response();
        }
        assert!(network.open_connections() <= 4);
    }
    agent.close_idle_connections();
    frames(&network, &mut agent, 2);
    assert_eq!(network.open_connections(), 0);
    // The limits still hold.
    let handles = send(&mut agent, 5, "http://game.example/slow");
    frames(&network, &mut agent, 2);
    assert_eq!(server.connections().open, 2);
    drop(handles);
}

/// The network changed: what is sent over a connection from before is lost, and nobody says so.
#[test]
fn of_kept_connections_that_the_network_forgot_only_one_costs_a_wait() {
    for is_total in [false, true] {
        let network = MemoryNetwork::new();
        network.add_name("game.example", &[address("10.9.0.1:80").ip()]);
        let network_age = Arc::new(AtomicU32::new(0));
        let age_now = Arc::clone(&network_age);
        network.serve(address("10.9.0.1:80"), move || {
            let age_now = Arc::clone(&age_now);
            let opened_at = age_now.load(Ordering::Relaxed);
            move |peer: &mut Peer| {
                if peer.received().ends_with(b"\r\n\r\n") {
                    peer.take_received();
                    if opened_at == age_now.load(Ordering::Relaxed) {
                        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                    }
                }
            }
        });
        let mut agent = Agent::builder()
            .pool(limits(4, 4))
            .build_on_memory(&network);
        let handles = send(&mut agent, 4, "http://game.example/");
        for (_, result) in finish_all(&network, &mut agent, 4) {
            result.unwrap();
        }
        drop(handles);
        let get = || {
            let get = Request::get("http://game.example/");
            match is_total {
                true => get.total_timeout(Duration::from_secs(2)),
                false => get.timeouts(Timeouts::with(|it| it.head = Some(Duration::from_secs(2)))),
            }
        };
        assert_eq!(network.connections_to(address("10.9.0.1:80")), 4);
        network_age.fetch_add(1, Ordering::Relaxed);
        let outcome = run(&network, &mut agent, get());
        let expected = match is_total {
            true => ErrorKind::TotalTimeout(Phase::AwaitHead),
            false => ErrorKind::Timeout(Phase::AwaitHead),
        };
        assert_eq!(*outcome.error().kind(), expected);
        assert_eq!(network.open_connections(), 0);
        let outcome = run(&network, &mut agent, get());
        assert_eq!(outcome.response().body(), "hi");
    }
}

#[test]
fn an_idle_connection_that_brought_a_response_meanwhile_stays_when_another_is_silent() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    server.any("/").reply(MockResponse::ok());
    server
        .any("/slow")
        .reply(MockResponse::ok().delay(Duration::from_secs(60)));
    let mut agent = Agent::builder()
        .pool(limits(4, 4))
        .build_on_memory(&network);
    let handles = send(&mut agent, 2, "http://game.example/");
    for (_, result) in finish_all(&network, &mut agent, 2) {
        result.unwrap();
    }
    drop(handles);
    let opened = network.open_connections();
    let timeouts = Timeouts::with(|it| it.head = Some(Duration::from_secs(2)));
    let slow = agent
        .send(Request::get("http://game.example/slow").timeouts(timeouts))
        .unwrap();
    frames(&network, &mut agent, 10);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    let outcome = finish(&network, &mut agent, &slow);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Timeout(Phase::AwaitHead)
    );
    assert_eq!((opened, network.open_connections()), (2, 1));
}

#[test]
fn connections_with_leftover_bytes_are_not_reused() {
    // RFC 9112 §9.6, §6.3: bytes after a response belong to no response.
    for (what, answer) in [
        ("RFC 9112 §9.6: close", &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"[..]),
        ("RFC 9112 §9.3: 1.0 without keep-alive", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        ("RFC 9112 §6.1: length and coding", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        ("response smuggling", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    ] {
        let network = MemoryNetwork::new();
        script(&network, "game.example", "10.9.0.1:80", &[answer]);
        let mut agent = Agent::on_memory(&network);
        for round in 1..4 {
            let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
            assert_eq!(outcome.response().body(), "hi", "{what}");
            assert_eq!(network.connections_to(address("10.9.0.1:80")), round, "{what}");
        }
    }
}

#[test]
fn data_on_an_idle_connection_is_not_the_next_response() {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &[address("10.9.0.1:80").ip()]);
    network.serve(address("10.9.0.1:80"), || {
        |peer: &mut Peer| {
            if peer.received().ends_with(b"\r\n\r\n") {
                peer.take_received();
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                peer.send_after(
                    Duration::from_millis(50),
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                );
            }
        }
    });
    let mut agent = Agent::on_memory(&network);
    for _ in 0..3 {
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(outcome.response().body(), "hi");
        network.advance(Duration::from_millis(100));
    }
    assert_eq!(network.connections_to(address("10.9.0.1:80")), 3);
}

#[test]
fn a_connection_that_ended_while_idle_serves_nobody() {
    // RFC 9112 §9.3.1: not even a POST was sent then.
    for how in ["close", "reset"] {
        let network = MemoryNetwork::new();
        network.add_name("game.example", &[address("10.9.0.1:80").ip()]);
        network.serve(address("10.9.0.1:80"), move || {
            move |peer: &mut Peer| {
                if !peer.received().is_empty() {
                    peer.take_received();
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                    match how {
                        "close" => peer.close_after(Duration::from_millis(50)),
                        _ => peer.reset_after(Duration::from_millis(50)),
                    }
                }
            }
        });
        let mut agent = Agent::on_memory(&network);
        for _ in 0..3 {
            let request = Request::post("http://game.example/");
            let outcome = run(&network, &mut agent, request);
            assert_eq!(
                (outcome.response().text(), outcome.response().attempts()),
                ("hi".to_owned(), 1)
            );
            network.advance(Duration::from_millis(100));
        }
    }
}

#[test]
fn an_announced_keep_alive_is_respected_with_a_margin() {
    // Seconds announced, milliseconds idle, connections opened.
    for (keep_alive, idle, opened) in [
        ("timeout=1", 400, 1),
        ("timeout=1", 600, 2),
        ("max=9, Timeout=10", 8_900, 1),
        ("timeout=10, max=9", 9_100, 2),
        ("timeout=0", 0, 2),
        ("max=9", 9_100, 1),
    ] {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        let head =
            format!("HTTP/1.1 200 OK\r\nKeep-Alive: {keep_alive}\r\nContent-Length: 0\r\n\r\n");
        script(&network, "game.example", "10.9.1.4:80", &[head.as_bytes()]);
        run(&network, &mut agent, Request::get("http://game.example/")).response();
        network.advance(Duration::from_millis(idle));
        run(&network, &mut agent, Request::get("http://game.example/")).response();
        let connections = network.connections_to(address("10.9.1.4:80"));
        assert_eq!(connections, opened, "{keep_alive} {idle}");
    }
}

#[test]
fn a_post_takes_no_connection_that_was_idle_for_long() {
    for (idle, keep_alive, opened) in [
        (3_900, "", 1),
        (4_100, "", 2),
        (4_100, "Keep-Alive: timeout=60\r\n", 1),
    ] {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        let head = format!("HTTP/1.1 200 OK\r\n{keep_alive}Content-Length: 0\r\n\r\n");
        script(&network, "game.example", "10.9.1.5:80", &[head.as_bytes()]);
        run(&network, &mut agent, Request::get("http://game.example/")).response();
        network.advance(Duration::from_millis(idle));
        let post = Request::post("http://game.example/").text("1");
        run(&network, &mut agent, post).response();
        let connections = network.connections_to(address("10.9.1.5:80"));
        assert_eq!(connections, opened, "{keep_alive} {idle}");
    }
}

#[test]
fn content_after_a_response_without_content_does_not_reach_the_next_request() {
    let coding = "Transfer-Encoding: chunked";
    let length = "Content-Length: 41";
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    for (status, framing, later) in [
        ("204 No Content", coding, "0\r\n\r\n"),
        ("304 Not Modified", coding, "0\r\n\r\n"),
        ("204 No Content", length, forged),
    ] {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        network.add_name("game.example", &[address("10.9.1.6:80").ip()]);
        network.serve(address("10.9.1.6:80"), move || {
            move |peer: &mut Peer| {
                if peer.received().ends_with(b"\r\n\r\n") {
                    peer.take_received();
                    let head = format!("HTTP/1.1 {status}\r\n{framing}\r\n\r\n");
                    peer.send(head.as_bytes());
                    peer.send_after(Duration::from_millis(20), later.as_bytes());
                }
            }
        });
        for _ in 0..3 {
            let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
            let got = outcome.response().status();
            assert!(
                status.starts_with(got.as_str()),
                "{status} {framing}: {got}"
            );
        }
        assert_eq!(
            network.connections_to(address("10.9.1.6:80")),
            3,
            "{status} {framing}"
        );
    }
}
