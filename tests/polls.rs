//! How many polls things take, what an idle poll costs, and that a small budget loses nothing.

#![allow(clippy::unwrap_used, clippy::panic, unsafe_code)]

mod counting_allocator;
mod support;

use std::net::TcpListener;
use std::time::Duration;

use counting_allocator::allocations_of;
use httpoll::memory::MemoryNetwork;
use httpoll::{Budget, HttpClient, Method, PollAt, Status, budget::BusyPoll};
use support::{connected, server};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Polls until the whole response was read; returns the number of polls.
fn polls_of(http: &mut HttpClient, budget: &Budget, network: &MemoryNetwork) -> usize {
    for polls in 1..100 {
        http.poll_at(network.now(), budget).unwrap();
        if http.get_status() == Status::Connected && !http.has_response() {
            http.request(Method::Get, "/", &[], "").unwrap();
        }
        while http.get_status() == Status::Body {
            if http.read_response_body_chunk().unwrap().is_empty() {
                break;
            }
        }
        if http.get_status() == Status::Connected && http.has_response() {
            return polls;
        }
        network.advance(support::FRAME);
    }
    panic!("no end");
}

fn looks_once() -> Budget {
    Budget::default().with_busy_poll(BusyPoll::Off)
}

fn busy_polls() -> Budget {
    Budget::default().with_busy_poll(BusyPoll::Exchange(Duration::from_micros(500)))
}

#[test]
fn a_keep_alive_get_takes_two_polls() {
    let (network, mut http, _) = connected(&[OK]);
    for _ in 0..3 {
        http.request(Method::Get, "/", &[], "").unwrap();
        assert_eq!(polls_of(&mut http, &looks_once(), &network), 2);
        // The next round sends a new request.
        assert_eq!(http.get_status(), Status::Connected);
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    assert_eq!(polls_of(&mut http, &busy_polls(), &network), 1);
}

#[test]
fn a_fresh_plain_get_takes_three_polls() {
    let network = MemoryNetwork::new();
    support::serve(&network, server(), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    assert_eq!(polls_of(&mut http, &looks_once(), &network), 3);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    assert_eq!(polls_of(&mut http, &busy_polls(), &network), 2);
}

#[test]
fn an_idle_poll_allocates_nothing_in_memory() {
    let (network, mut http, _) = connected(&[OK]);
    support::get(&network, &mut http);
    let budget = Budget::default();
    http.poll_at(network.now(), &budget).unwrap();
    let allocated = allocations_of(|| {
        for _ in 0..100 {
            http.poll_at(network.now(), &budget).unwrap();
        }
    });
    assert_eq!(allocated, 0);
}

#[test]
fn an_idle_poll_allocates_nothing_over_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    let (_server, _) = listener.accept().unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    let idle = |http: &mut HttpClient| {
        http.poll().unwrap();
        allocations_of(|| {
            for _ in 0..100 {
                http.poll().unwrap();
            }
        })
    };
    assert_eq!(idle(&mut http), 0, "connected");
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    assert_eq!(idle(&mut http), 0, "waiting for a head");
    http.close();
    let allocated = allocations_of(|| assert!(http.get_status() == Status::Disconnected));
    assert_eq!(allocated, 0, "disconnected");
}

#[test]
fn a_client_that_was_never_used_allocates_next_to_nothing() {
    let allocated = allocations_of(|| {
        let http = HttpClient::new();
        assert_eq!(http.get_status(), Status::Disconnected);
        assert!(!http.has_response());
    });
    assert!(allocated <= 8, "{allocated} allocations");
}

/// 1 MiB is there at once, a poll may move 64 KiB: no further readiness event comes, and nothing is
/// lost.
#[test]
fn a_connection_cut_short_by_the_budget_goes_on_without_a_new_event() {
    const SIZE: usize = 1 << 20;
    let network = MemoryNetwork::new();
    network.set_capacity(2 * SIZE);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    let content: Vec<u8> = (0..SIZE).map(|i| (i / 7) as u8).collect();
    let response = [head.as_bytes(), &content].concat();
    support::serve(&network, server(), &[&response]);
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();

    let budget = Budget::unlimited().with_bytes(64 * 1024);
    let mut received = Vec::new();
    let mut polls = 0;
    while http.get_status() != Status::Connected {
        let polled = http.poll_at(network.now(), &budget).unwrap();
        polls += 1;
        let before = received.len();
        while http.get_status() == Status::Body {
            let chunk = http.read_response_body_chunk().unwrap();
            if chunk.is_empty() {
                break;
            }
            received.extend_from_slice(&chunk);
        }
        assert!(received.len() - before <= 64 * 1024, "over the budget");
        if received.len() < SIZE {
            assert_eq!(
                polled.next,
                PollAt::Now,
                "the poll knows that it was cut short"
            );
        }
        assert!(polls < 100, "lost the readiness");
    }
    assert!(received == content);
    assert!((16..=18).contains(&polls), "{polls} polls");
}

#[test]
fn a_budget_without_time_still_moves_something() {
    let (network, mut http, _) = connected(&[OK]);
    http.request(Method::Get, "/", &[], "").unwrap();
    let tiny = Budget::unlimited().with_bytes(1);
    for _ in 0..1000 {
        http.poll_at(network.now(), &tiny).unwrap();
        if http.get_status() == Status::Body {
            let _ = http.read_response_body_chunk().unwrap();
        }
        if http.get_status() == Status::Connected {
            return;
        }
    }
    panic!("starved in {}", http.get_status());
}

#[test]
fn no_event_is_lost_however_small_reads_and_writes_are() {
    for limit in [1, 2, 3, 7, 64] {
        let network = MemoryNetwork::new();
        network.set_transfer_limit(Some(limit));
        network.set_latency(Duration::from_millis(3));
        support::serve(&network, server(), &[OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"]);
        let mut http = HttpClient::on_memory(&network);
        support::connect(&network, &mut http);
        assert_eq!(support::get(&network, &mut http), (200, b"hi".to_vec()));
        assert_eq!(support::get(&network, &mut http), (200, b"abc".to_vec()));
        assert_eq!(http.get_response_trailers().get("t"), Some(&b"x"[..]));
    }
}

#[cfg(all(feature = "agent", feature = "test-util"))]
#[test]
fn an_idle_poll_of_an_agent_allocates_nothing() {
    use httpoll::mock::{MockResponse, MockServer, MockStream};
    use httpoll::{Agent, Request};

    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let stream = MockStream::new();
    server.get("/events").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .stream(&stream),
    );
    server.get("/silent").reply(MockResponse::ok().never());
    server.any("/**").reply(MockResponse::ok());
    let mut agent = Agent::on_memory(&network);
    // Connections that are idle, that wait for a head, that wait for events; requests that wait.
    let mut held = Vec::new();
    for _ in 0..3 {
        agent.get("http://game.example/").send().unwrap().detach();
    }
    for number in 0..10 {
        let path = if number == 0 { "events" } else { "silent" };
        let request = Request::get(format!("http://game.example/{path}"));
        let request = if number == 0 {
            request.event_stream()
        } else {
            request
        };
        held.push(agent.send(request).unwrap());
    }
    for _ in 0..20 {
        agent.poll();
        while agent.next_event().is_some() {}
        network.advance(support::FRAME);
    }
    let allocated = allocations_of(|| {
        for _ in 0..100 {
            agent.poll();
            assert!(agent.next_event().is_none());
        }
    });
    assert_eq!(allocated, 0);
}
