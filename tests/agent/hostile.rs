//! Servers that lie, never end, or send more than they may. Each limit has its own error.

use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::MockResponse;
use httpoll::{
    Agent, Download, ErrorKind, Event, Limits, Phase, Request,
    error::{DiskFault, PeerMisbehaved},
    limits::Limit,
};

use crate::support::{Folder, address, pattern, run, script_closing, setup};

/// Answers with a beginning, and then with these bytes for ever.
fn endless(network: &MemoryNetwork, beginning: &'static [u8], more: &'static [u8]) {
    network.add_name("evil.example", &[address("10.9.0.6:80").ip()]);
    network.serve(address("10.9.0.6:80"), move || {
        let mut begun = false;
        move |peer: &mut Peer| {
            if !begun {
                if !peer.received().ends_with(b"\r\n\r\n") {
                    return;
                }
                peer.send(beginning);
                begun = true;
            }
            for _ in 0..200 {
                peer.send(more);
            }
            peer.wake_after(Duration::from_millis(5));
        }
    });
}

#[test]
fn each_limit_is_an_error_of_its_own() {
    let defaults = Limits::default();
    for (beginning, more, limit) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], &b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"[..], Limit::HeaderCount(defaults.header_count)),
        (b"HTTP/1.1 200 OK\r\nX: ", b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", Limit::LineBytes(defaults.line_bytes)),
        (b"HTTP/1.1 200 ", b"reasonreasonreasonreasonreasonreasonreasonreasonreasonreasonreasonreasonreasonrea", Limit::LineBytes(defaults.line_bytes)),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", Limit::InterimResponses(defaults.interim_responses)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
            Limit::ChunkExtensionBytes(defaults.chunk_extension_bytes),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\nx\r\n",
            Limit::ChunkExtensionBytes(defaults.chunk_extension_bytes),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"T: x\r\n",
            Limit::TrailerCount(defaults.trailer_count),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: ",
            b"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt",
            Limit::TrailerBytes(defaults.trailer_bytes),
        ),
    ] {
        let network = MemoryNetwork::new();
        endless(&network, beginning, more);
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://evil.example/"));
        assert_eq!(*outcome.error().kind(), ErrorKind::Limit(limit), "{}", beginning.escape_ascii());
        assert!(!outcome.error().is_retryable());
    }
}

#[test]
fn limits_can_be_set() {
    let (network, server, _) = setup();
    server.get("/").reply(
        MockResponse::ok()
            .header("X-Long", "y".repeat(500))
            .header("X-B", "1"),
    );
    for (change, limit) in [
        (
            (|it: &mut Limits| it.line_bytes = 400) as fn(&mut Limits),
            Limit::LineBytes(400),
        ),
        (|it| it.header_count = 2, Limit::HeaderCount(2)),
        (|it| it.head_bytes = 450, Limit::HeadBytes(450)),
    ] {
        let mut limits = Limits::default();
        change(&mut limits);
        let mut agent = Agent::builder().limits(limits).build_on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(*outcome.error().kind(), ErrorKind::Limit(limit));
    }
}

#[test]
fn the_largest_limits_mean_no_limit() {
    let (network, server, _) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().header("X-Long", "y".repeat(100_000)));
    let mut limits = Limits::default();
    limits.head_bytes = usize::MAX;
    limits.header_count = usize::MAX;
    limits.line_bytes = usize::MAX;
    limits.chunk_extension_bytes = usize::MAX;
    limits.trailer_bytes = usize::MAX;
    limits.trailer_count = usize::MAX;
    limits.interim_responses = usize::MAX;
    let mut agent = Agent::builder().limits(limits).build_on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(
        outcome.response().header("X-Long").map(str::len),
        Some(100_000)
    );
}

#[test]
fn content_has_a_cap() {
    let (network, server, mut agent) = setup();
    server
        .get("/length")
        .reply(MockResponse::ok().bytes(pattern(1001)));
    server
        .get("/chunked")
        .reply(MockResponse::ok().chunked([pattern(1001)]));
    server
        .get("/close")
        .reply(MockResponse::ok().until_close(pattern(1001)));
    server
        .get("/fits")
        .reply(MockResponse::ok().bytes(pattern(1000)));
    for path in ["/length", "/chunked", "/close"] {
        let request = Request::get(format!("http://game.example{path}")).max_body(1000);
        let outcome = run(&network, &mut agent, request);
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Limit(Limit::BodyBytes(1000)),
            "{path}"
        );
    }
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/fits").max_body(1000),
    )
    .response();
    // A response that announces more than the default is refused before it comes.
    let network = MemoryNetwork::new();
    script_closing(
        &network,
        "game.example",
        "10.9.0.1:80",
        b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\nx",
    );
    let mut agent = Agent::on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::BodyBytes(64 * 1024 * 1024))
    );
    let outcome = run(&network, &mut agent, Request::head("http://game.example/"));
    assert!(outcome.result.is_ok(), "a length is no content");
}

#[test]
fn lies_about_framing() {
    use PeerMisbehaved::*;
    for (section, answer, fault) in [
        (
            "RFC 9112 §6.3",
            &b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"[..],
            InvalidContentLength,
        ),
        (
            "RFC 9112 §6.3",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            InvalidContentLength,
        ),
        (
            "RFC 9112 §6.3",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            ConflictingContentLength,
        ),
        (
            "RFC 9112 §7.1",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            InvalidChunkSize,
        ),
        (
            "RFC 9112 §7.1",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            InvalidChunkSize,
        ),
        (
            "RFC 9112 §7.1",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz",
            InvalidChunk,
        ),
        (
            "RFC 9110 §15.2.2",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
            UnexpectedUpgrade,
        ),
        (
            "RFC 9112 §2.3",
            b"HTTP/2.0 200 OK\r\n\r\n",
            UnsupportedVersion,
        ),
        ("RFC 9112 §4", b"HTTP/1.1 20 OK\r\n\r\n", InvalidStatus),
    ] {
        let network = MemoryNetwork::new();
        script_closing(&network, "evil.example", "10.9.0.1:80", answer);
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://evil.example/"));
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Peer(fault),
            "{section} {}",
            answer.escape_ascii()
        );
    }
}

#[test]
fn a_trickle_does_not_hold_a_request_for_ever() {
    // A byte of a header line every second: the head's deadline is for all of it.
    let network = MemoryNetwork::new();
    network.add_name("evil.example", &[address("10.9.0.6:80").ip()]);
    network.serve(address("10.9.0.6:80"), || {
        let mut begun = false;
        move |peer: &mut Peer| {
            if begun {
                peer.send(b"y");
                peer.wake_after(Duration::from_secs(1));
            } else if peer.received().ends_with(b"\r\n\r\n") {
                begun = true;
                peer.send(b"HTTP/1.1 200 OK\r\nX: ");
                peer.wake_after(Duration::from_secs(1));
            }
        }
    });
    let mut agent = Agent::on_memory(&network);
    let began = network.now();
    let outcome = run(&network, &mut agent, Request::get("http://evil.example/"));
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Timeout(Phase::AwaitHead)
    );
    assert!(network.now() - began < Duration::from_secs(31));
}

#[test]
fn an_endless_unwanted_response_is_not_read() {
    let network = MemoryNetwork::new();
    endless(
        &network,
        b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n",
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    );
    let mut agent = Agent::on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://evil.example/"));
    assert!(matches!(outcome.error().kind(), ErrorKind::Redirect(_)));
    assert_eq!(network.connections_to(address("10.9.0.6:80")), 11);
}

#[test]
fn streamed_content_that_announces_too_much_is_refused_before_it_comes() {
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .reply(MockResponse::ok().bytes(vec![0; 1001]));
    for (most, is_refused) in [(1000, true), (1001, false), (0, false)] {
        let request = Request::get("http://game.example/").stream().max_body(most);
        let outcome = run(&network, &mut agent, request);
        let chunks = outcome
            .events
            .iter()
            .filter(|event| matches!(event, Event::Chunk { .. }));
        assert_eq!(chunks.count() == 0, is_refused, "{most}");
        let error = outcome.result.err().map(|(error, _)| error.kind().clone());
        let limit = ErrorKind::Limit(Limit::BodyBytes(1000));
        assert_eq!(error, is_refused.then_some(limit), "{most}");
    }
}

#[test]
fn a_flood_of_tiny_pieces_does_not_fill_the_memory() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().chunked(vec![b"x"; 300_000]));
    let handle = agent
        .send(Request::get("http://game.example/").stream())
        .unwrap();
    // Polled, and never pulled.
    for _ in 0..100 {
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    let mut pieces = 0;
    while let Some(event) = agent.next_event() {
        pieces += usize::from(matches!(event, httpoll::Event::Chunk { .. }));
    }
    assert!((1..20_000).contains(&pieces), "{pieces}");
    drop(handle);
}

#[test]
fn a_transfer_coding_that_is_not_known_is_not_taken_for_content() {
    // RFC 9112 §6.1.
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::raw(
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n\x1f\x8b"[..],
    ));
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(
        *outcome.error().kind(),
        PeerMisbehaved::UnsupportedTransferCoding.into()
    );
}

#[test]
fn a_part_near_the_largest_offset_is_an_error() {
    let folder = Folder::new("largest-offset");
    for head in [
        &b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 18446744073709551600-18446744073709551614/*\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Range: bytes 18446744073709551600-18446744073709551614/*\r\n",
    ] {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        let answer = [head, b"Content-Length: 100\r\n\r\n", &[b'x'; 100]].concat();
        script_closing(&network, "evil.example", "10.9.0.6:80", &answer);
        let download = Download::to(folder.path("a")).max_size(0);
        let request = Request::get("http://evil.example/").download_to(download);
        let outcome = run(&network, &mut agent, request);
        let gap = DiskFault::Gap {
            held: 0,
            offset: 18_446_744_073_709_551_600,
        };
        assert_eq!(*outcome.error().kind(), ErrorKind::File(gap));
        assert_eq!(folder.names(), [] as [&str; 0]);
    }
}
