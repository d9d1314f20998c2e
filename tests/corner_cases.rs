//! Cases in which a poll could hang, exceed its budget, or blame the peer: each was a bug once.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use httpoll::{
    Budget, ErrorKind, HttpClient, Limits, Method, Phase, PollAt, Status, Timeouts,
    error::NetworkFault, node::RequestBody,
};
use support::{FRAME, connected, listening, until};

const HOUR: Duration = Duration::from_secs(3600);

/// A stream of the caller: accepts this number of bytes, and gives its own bytes once it accepted some.
struct Scripted {
    gives: Vec<u8>,
    takes: usize,
    asked: bool,
    looks: usize,
}

impl Scripted {
    fn new(gives: &[u8], takes: usize) -> Self {
        Self {
            gives: gives.to_vec(),
            takes,
            asked: false,
            looks: 0,
        }
    }
}

impl Read for Scripted {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        if self.gives.is_empty() || !self.asked {
            self.looks += 1;
            // A poll that would never end fails instead.
            let endless = self.looks > 1_000_000;
            assert!(!endless, "a poll looked a million times");
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = dst.len().min(self.gives.len());
        dst[..count].copy_from_slice(&self.gives[..count]);
        self.gives.drain(..count);
        Ok(count)
    }
}

impl Write for Scripted {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        self.asked = true;
        if self.takes == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = src.len().min(self.takes);
        self.takes -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Content that has nothing more for now, ever.
struct Hesitates(&'static [u8]);

impl Read for Hesitates {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        match self.0.read(dst) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        }
    }
}

/// The phase whose deadline ended it, and after how long.
fn time_to_failure(
    network: &httpoll::memory::MemoryNetwork,
    http: &mut HttpClient,
) -> (Phase, Duration) {
    let start = network.now();
    until(network, http, |_| false);
    match http.get_error().unwrap().kind() {
        ErrorKind::Timeout(phase) => (*phase, network.now() - start),
        other => panic!("{other:?}"),
    }
}

#[test]
fn busy_polling_a_stream_that_reports_no_readiness_ends() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let mut http = HttpClient::new();
    http.set_budget(Budget::unlimited());
    http.set_connection(Scripted::new(half, usize::MAX));
    http.poll().unwrap();
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.poll().unwrap();
    }
    assert_eq!(http.read_response_body_chunk().unwrap(), "half");
    assert_eq!(http.read_response_body_chunk().unwrap(), "");
    http.poll().unwrap();
    assert_eq!(http.get_status(), Status::Body);
}

#[test]
fn a_connection_whose_sending_failed_is_not_used_again() {
    let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
    let mut http = HttpClient::new();
    http.set_connection(Scripted::new(answer, 300));
    http.poll().unwrap();
    http.request(Method::Post, "/", &[], vec![b'x'; 1000])
        .unwrap();
    while http.get_status() == Status::Requesting {
        http.poll().unwrap();
    }
    assert_eq!(http.get_response_code(), 413);
    assert_eq!(http.read_response_body_chunk().unwrap(), "no");
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn a_failure_is_a_transition_from_where_it_happened() {
    let (network, mut http, stream) = listening();
    support::transitions(&mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    stream.reset();
    until(&network, &mut http, |_| false);
    let seen = support::transitions(&mut http);
    let failed = [
        Status::Connected,
        Status::Requesting,
        Status::ConnectionError,
    ];
    assert_eq!(seen, failed);
}

#[test]
fn a_request_to_a_peer_that_hung_up_before_it_is_not_sent() {
    let (network, mut http, stream) = listening();
    drop(stream);
    http.request(Method::Post, "/", &[], "content").unwrap();
    until(&network, &mut http, |_| false);
    let error = http.get_error().unwrap();
    assert_eq!(error.bytes_sent(), 0);
    assert!(error.is_retryable(), "{error}");
}

#[test]
fn time_in_which_nobody_polled_before_a_request_adds_nothing_to_its_deadline() {
    let (network, mut http, _stream) = listening();
    network.advance(HOUR);
    http.request(Method::Get, "/", &[], "").unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::AwaitHead);
    assert!(elapsed <= Duration::from_secs(31), "{elapsed:?}");
}

#[test]
fn time_in_which_nobody_polled_before_a_read_adds_nothing_to_its_deadline() {
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"]);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    network.advance(HOUR);
    assert_eq!(http.read_response_body_chunk().unwrap(), "half");
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::ReceiveBody);
    assert!(elapsed <= Duration::from_secs(31), "{elapsed:?}");
}

#[test]
fn the_longest_limits_are_no_limits() {
    let longest = Some(Duration::MAX);
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    http.close();
    http.set_timeouts(Timeouts::with(|it| {
        it.resolve = longest;
        it.connect = longest;
        it.tunnel = longest;
        it.tls_handshake = longest;
        it.continue_wait = longest;
        it.head = longest;
        it.stall = longest;
    }));
    http.set_budget(Budget::frame(Duration::MAX));
    support::connect(&network, &mut http);
    assert_eq!(support::get(&network, &mut http).0, 200);
    http.wait(longest).unwrap();
}

#[test]
fn an_upload_keeps_to_the_budget_of_bytes() {
    let (network, mut http, _stream) = listening();
    http.request(Method::Post, "/", &[], vec![b'x'; 100_000])
        .unwrap();
    let budget = Budget::unlimited().with_bytes(1000);
    for polls in 1..=20 {
        let polled = http.poll_at(network.now(), &budget).unwrap();
        assert_eq!(http.get_bytes_sent(), 1000 * polls);
        assert_eq!(polled.next, PollAt::Now);
    }
}

#[test]
fn an_end_that_waits_to_be_taken_is_not_waited_for() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let (network, mut http, _) = connected(&[answer]);
        http.request(Method::Get, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(http.get_status(), Status::Body);
        // Waiting for a socket here would be waiting for ever.
        assert_eq!(http.poll().unwrap().next, PollAt::Now);
        assert_eq!(http.read_response_body_chunk().unwrap(), "");
        assert_eq!(http.get_status(), Status::Connected);
    }
}

#[test]
fn a_source_that_has_given_all_it_announced_is_not_waited_for() {
    let (network, mut http, _stream) = listening();
    let body = RequestBody::reader(Hesitates(b"data"), Some(4));
    http.request(Method::Post, "/", &[], body).unwrap();
    let (phase, elapsed) = time_to_failure(&network, &mut http);
    assert_eq!(phase, Phase::AwaitHead);
    assert!(elapsed <= Duration::from_secs(31), "{elapsed:?}");
}

#[test]
fn a_source_that_has_nothing_yet_is_not_the_peers_stall() {
    let (network, mut http, mut stream) = listening();
    let body = RequestBody::reader(Hesitates(b"data"), None);
    http.request(Method::Post, "/", &[], body).unwrap();
    http.poll().unwrap();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head).unwrap();
    for _ in 0..4000 {
        http.poll().unwrap();
        network.advance(FRAME);
    }
}

#[test]
fn a_response_to_no_request_is_not_taken_for_the_answer() {
    let (_network, mut http, mut stream) = listening();
    let early = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    stream.write_all(early).unwrap();
    http.request(Method::Get, "/", &[], "").unwrap();
    let _ = (http.poll(), http.poll());
    assert_eq!(http.get_response_code(), 0);
}

#[test]
fn a_source_that_has_nothing_yet_is_asked_again_without_a_socket() {
    let (network, mut http, _stream) = listening();
    let body = RequestBody::reader(Hesitates(b"data"), None);
    http.request(Method::Post, "/", &[], body).unwrap();
    http.poll().unwrap();
    let next = http.poll().unwrap().next;
    assert!(
        matches!(next, PollAt::At(at) if at <= network.now() + FRAME) || next == PollAt::Now,
        "{next:?}"
    );
}

#[test]
fn a_name_known_at_once_is_known_at_once_after_a_gap() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().into();
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port, None).unwrap();
    let now = Instant::now();
    http.poll_at(now, &Budget::default()).unwrap();
    http.poll_at(now + HOUR, &Budget::default()).unwrap();
    http.connect_to_host("localhost", port, None).unwrap();
    http.poll().unwrap();
    assert_ne!(http.get_status(), Status::Resolving);
}

#[test]
fn a_budget_that_is_spent_before_the_poll_still_moves_something() {
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    http.set_budget(Budget::frame(Duration::ZERO));
    http.request(Method::Get, "/", &[], "").unwrap();
    until(&network, &mut http, |http| {
        http.get_status() != Status::Requesting
    });
    assert_eq!(http.get_response_code(), 200);
}

#[test]
fn a_head_as_large_as_the_limits_allow_is_read() {
    let mut head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_vec();
    for line in 0..400 {
        head.extend_from_slice(format!("X-{line}: {}\r\n", "x".repeat(1000)).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    let (network, mut http, _) = connected(&[&head]);
    http.close();
    let mut limits = Limits::default();
    limits.head_bytes = 1 << 20;
    limits.header_count = 1000;
    http.set_limits(limits);
    support::connect(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_code(), 200);
}

/// The TLS close_notify came with the response, so no readiness event reports it again.
#[cfg(feature = "tls")]
#[test]
fn a_close_notify_without_the_end_of_the_stream_is_seen() {
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().into();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        let mut request = [0; 1024];
        let _ = rustls::Stream::new(&mut session, &mut socket).read(&mut request);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        session.writer().write_all(answer).unwrap();
        session.send_close_notify();
        let mut records = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut records).unwrap();
        }
        socket.write_all(&records).unwrap();
        // The stream stays open until the client ends it.
        let _ = io::copy(&mut socket, &mut io::sink());
    });
    let options = httpoll::tls::TlsOptions::client_unsafe(None).unwrap();
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port, Some(options))
        .unwrap();
    while http.get_status() == Status::Connecting {
        http.wait(None).unwrap();
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.wait(None).unwrap();
    }
    assert_eq!(http.read_response_body_chunk().unwrap(), "hi");
    assert!((0..10).any(|_| http.poll().is_err()), "still connected");
    drop(http);
    thread.join().unwrap();
}

#[test]
fn a_source_that_fails_after_an_early_response_does_not_lose_the_response() {
    struct FailsLater(u32);
    impl Read for FailsLater {
        fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => {
                    dst[0] = b'x';
                    Ok(1)
                }
                2..=5 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Err(io::Error::other("the disk is gone")),
            }
        }
    }
    let (network, mut http, mut stream) = support::listening();
    let body = RequestBody::reader(FailsLater(0), Some(10));
    http.request(Method::Put, "/", &[], body).unwrap();
    http.poll().unwrap();
    stream
        .write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 8\r\n\r\nconflict")
        .unwrap();
    support::until_head(&network, &mut http);
    for _ in 0..10 {
        http.poll().unwrap();
        network.advance(support::FRAME);
    }
    assert_eq!(http.get_response_code(), 409);
    assert_eq!(support::content(&network, &mut http).unwrap(), b"conflict");
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn a_source_that_gave_all_it_announced_is_not_read_again() {
    struct Once(bool);
    impl Read for Once {
        fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0, "a pipe would wait here for ever");
            self.0 = true;
            dst[..5].copy_from_slice(b"whole");
            Ok(5)
        }
    }
    let (network, mut http, log) =
        support::connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    let body = RequestBody::reader(Once(false), Some(5));
    http.request(Method::Post, "/", &[], body).unwrap();
    support::until_head(&network, &mut http);
    assert!(log.text().contains("Content-Length: 5\r\n"));
    assert_eq!(http.get_response_code(), 200);
}

#[test]
fn a_source_that_counts_wrongly_is_an_error() {
    struct Counts;
    impl Read for Counts {
        fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
            Ok(dst.len() + 1)
        }
    }
    for length in [Some(10), None] {
        let (network, mut http, _) = support::connected(&[b""]);
        let body = RequestBody::reader(Counts, length);
        http.request(Method::Put, "/", &[], body).unwrap();
        let mut frames = (0..10).map(|_| {
            network.advance(FRAME);
            http.poll()
        });
        let error = frames.find_map(Result::err).unwrap();
        assert_eq!(*error.kind(), ErrorKind::RequestBody, "{length:?}");
    }
}

#[test]
fn a_stream_of_the_caller_that_counts_wrongly_is_an_error() {
    struct Counts(bool);
    impl Read for Counts {
        fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
            // After a write that failed, a response that came early is still read.
            let end = self.0;
            Ok(if end { 0 } else { dst.len() + 1 })
        }
    }
    impl Write for Counts {
        fn write(&mut self, src: &[u8]) -> io::Result<usize> {
            Ok(src.len() + usize::from(self.0))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for (writes_too_much, fault) in [(true, NetworkFault::Closed), (false, NetworkFault::Broken)] {
        let mut http = HttpClient::new();
        http.set_connection(Counts(writes_too_much));
        http.request(Method::Get, "/", &[], "").unwrap();
        let error = (0..10).find_map(|_| http.poll().err());
        let error = error.expect("no error");
        assert_eq!(*error.kind(), ErrorKind::Network(fault), "{error}");
    }
}
