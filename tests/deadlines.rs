//! Every deadline, on the virtual clock: it falls when it should, names its phase, and never falls
//! on a peer that was in time.

#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg_attr(not(feature = "tls"), allow(unused_imports))]

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use httpoll::memory::{ConnectError, MemoryNetwork, Peer};
use httpoll::{ErrorKind, HttpClient, Method, Phase, PollAt, Status, Timeouts, node::RequestBody};
use support::{FRAME, address, connected, listening, server, until};

/// Polls frame by frame until the client fails. Returns the phase and how long that took.
fn time_to_failure(network: &MemoryNetwork, http: &mut HttpClient) -> (Phase, Duration) {
    let start = network.now();
    until(network, http, |_| false);
    let error = http.get_error().unwrap();
    let ErrorKind::Timeout(phase) = error.kind() else {
        panic!("{error}")
    };
    assert!(error.is_timeout());
    assert_eq!(error.phase(), Some(*phase));
    (*phase, network.now() - start)
}

/// At the limit, give or take one poll.
fn assert_due(elapsed: Duration, limit: Duration) {
    let range = limit..=limit + 2 * FRAME;
    assert!(range.contains(&elapsed), "{elapsed:?} is not {limit:?}");
}

#[test]
fn a_name_that_is_never_answered() {
    let network = MemoryNetwork::new();
    network.add_slow_name("slow.example", &[server().ip()], Duration::from_secs(3600));
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("slow.example", 80, None).unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(
        (phase, http.get_status()),
        (Phase::Resolve, Status::CantResolve)
    );
    assert_due(elapsed, Duration::from_secs(10));
}

#[test]
fn a_connection_that_is_never_answered() {
    let network = MemoryNetwork::new();
    network.refuse(server(), ConnectError::BlackHole);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(
        (phase, http.get_status()),
        (Phase::Connect, Status::CantConnect)
    );
    assert_due(elapsed, Duration::from_secs(10));
}

#[cfg(feature = "tls")]
#[test]
fn a_silent_proxy_times_out() {
    let network = MemoryNetwork::new();
    network.listen(address("10.0.0.5:3128"));
    let mut http = HttpClient::on_memory(&network);
    http.set_https_proxy("10.0.0.5", 3128).unwrap();
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(
        (phase, http.get_status()),
        (Phase::Tunnel, Status::CantConnect)
    );
    assert_due(elapsed, Duration::from_secs(10));
}

#[cfg(feature = "tls")]
#[test]
fn a_tls_server_that_is_silent() {
    let network = MemoryNetwork::new();
    network.listen(address("10.0.0.1:443"));
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("https://10.0.0.1", -1, None).unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::TlsHandshake);
    assert_eq!(http.get_status(), Status::TlsHandshakeError);
    assert_due(elapsed, Duration::from_secs(10));
}

#[test]
fn a_head_that_never_comes() {
    let (network, mut http, _stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(
        (phase, http.get_status()),
        (Phase::AwaitHead, Status::ConnectionError)
    );
    assert_due(elapsed, Duration::from_secs(30));
    assert!(
        http.get_error().unwrap().is_retryable(),
        "a GET is idempotent"
    );
}

#[test]
fn a_head_that_drips_gets_no_new_time_for_each_byte() {
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").unwrap();
    let start = network.now();
    for _ in 0..100_000 {
        if http.poll().is_err() {
            break;
        }
        stream.write_all(b"x").unwrap();
        network.advance(FRAME);
    }
    assert_eq!(
        http.get_error().unwrap().kind(),
        &ErrorKind::Timeout(Phase::AwaitHead)
    );
    assert_due(network.now() - start, Duration::from_secs(30));
}

#[test]
fn content_that_stalls() {
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"]);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.read_response_body_chunk().unwrap(), "half");
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::ReceiveBody);
    assert_due(elapsed, Duration::from_secs(30));
    assert_eq!(http.get_response_code(), 200, "what came stays readable");
}

#[test]
fn content_that_drips_never_stalls() {
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        .unwrap();
    let mut received = Vec::new();
    for byte in b"dripdr" {
        for _ in 0..2900 {
            network.advance(FRAME);
            http.poll().unwrap();
        }
        stream.write_all(&[*byte]).unwrap();
        http.poll().unwrap();
        received.extend_from_slice(&http.read_response_body_chunk().unwrap());
    }
    assert_eq!(received, b"dripdr");
    assert_eq!(http.get_status(), Status::Connected);
}

#[test]
fn content_that_the_caller_leaves_never_stalls() {
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"]);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    for _ in 0..6000 {
        network.advance(FRAME);
        http.poll().unwrap();
    }
    assert_eq!(http.read_response_body_chunk().unwrap(), "half");
}

#[test]
fn a_peer_that_takes_nothing() {
    let (network, mut http, _stream) = listening();
    let body = RequestBody::reader(std::io::repeat(7).take(1 << 30), Some(1 << 30));
    http.request(Method::Put, "/", &[], body).unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::SendBody);
    assert_due(elapsed, Duration::from_secs(30));
    let sent = http.get_error().unwrap().bytes_sent();
    assert!((100_000..1_000_000).contains(&sent), "{sent}");
}

#[test]
fn content_is_sent_after_a_second_without_100_continue() {
    let (network, mut http, mut stream) = listening();
    let start = network.now();
    http.request(Method::Post, "/", &["Expect: 100-continue"], "content")
        .unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"content") {
        http.poll().unwrap();
        let mut buffer = [0; 1024];
        if let Ok(count) = stream.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
        }
        network.advance(FRAME);
    }
    assert_due(network.now() - start, Duration::from_secs(1) + FRAME);
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_code(), 204);
}

#[test]
fn each_limit_can_be_changed_and_taken_away() {
    let (network, mut http, _stream) = listening();
    http.set_timeouts(Timeouts::with(|it| {
        it.head = Some(Duration::from_secs(2));
    }));
    http.request(Method::Get, "/", &[], "").unwrap();
    let (_, elapsed) = time_to_failure(&network, &mut http);
    assert_due(elapsed, Duration::from_secs(2));

    let (network, mut http, _stream) = listening();
    http.set_timeouts(Timeouts::with(|it| {
        it.head = None;
    }));
    http.request(Method::Get, "/", &[], "").unwrap();
    for _ in 0..10_000 {
        network.advance(FRAME * 10);
        http.poll().unwrap();
    }
}

#[test]
fn a_long_gap_between_polls_is_not_the_peers_fault() {
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    // A loading screen of an hour; the response arrived during it.
    network.advance(Duration::from_secs(3600));
    http.poll().unwrap();
    assert_eq!(http.read_response_body_chunk().unwrap(), "hi");
}

#[test]
fn deadlines_go_on_after_a_gap_with_the_time_they_had_left() {
    let (network, mut http, _stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    network.advance(Duration::from_secs(3600));
    http.poll().unwrap();
    // One second of the gap counted, so 29 are left.
    let (_, elapsed) = time_to_failure(&network, &mut http);
    assert_due(elapsed + FRAME, Duration::from_secs(29));
}

#[test]
fn a_poll_says_when_the_next_deadline_is() {
    let (network, mut http, _stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    let polled = http.poll().unwrap();
    assert_eq!(
        polled.next,
        PollAt::At(network.now() + Duration::from_secs(30))
    );
}

#[test]
fn waiting_sleeps_until_the_deadline_and_no_longer() {
    let (network, mut http, _stream) = listening();
    let start = network.now();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.set_blocking_mode(true);
    while http.poll().is_ok() {}
    assert_eq!(
        http.get_error().unwrap().kind(),
        &ErrorKind::Timeout(Phase::AwaitHead)
    );
    assert_eq!(network.now() - start, Duration::from_secs(30));
}

#[test]
fn data_that_arrived_in_time_is_read_before_a_timeout() {
    let network = MemoryNetwork::new();
    network.serve(server(), || {
        |peer: &mut Peer| {
            if !peer.take_received().is_empty() {
                // It sees the request with the second poll, a second after the first.
                let last_moment = Duration::from_secs(29);
                peer.send_after(last_moment, b"HTTP/1.1 204 No Content\r\n\r\n");
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    for _ in 0..30 {
        http.poll().unwrap();
        network.advance(Duration::from_secs(1));
    }
    http.poll().unwrap();
    assert_eq!(http.get_response_code(), 204);
}
