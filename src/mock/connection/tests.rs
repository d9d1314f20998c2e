use std::io::{self, Read as _, Write as _};

use std::time::Duration;

use super::playback::split;
use super::*;
use crate::error::PeerMisbehaved;
use crate::mock::response::Drip;
use crate::mock::{MockServer, MockStream};
use crate::transport::memory::{MemoryNetwork, MemoryStream};

#[test]
fn content_is_split_by_pieces_drip_and_end() {
    let drip = |bytes| {
        let every = Duration::ZERO;
        Some(Drip { bytes, every })
    };
    for (pieces, most, drip, expected) in [
        (&["abc", "de"][..], usize::MAX, None, &["abc", "de"][..]),
        (&["abc", "", "de"], 4, None, &["abc", "d"]),
        (&["abc", "de"], 3, None, &["abc"]),
        (&["abc"], 0, None, &[]),
        (&["abc", "de"], usize::MAX, drip(2), &["ab", "c", "de"]),
        (&["abc", "de"], 4, drip(9), &["abc", "d"]),
        (&[""], usize::MAX, drip(1), &[]),
    ] {
        let pieces = pieces.iter().map(|it| Bytes::from_static(it.as_bytes()));
        assert_eq!(split(pieces.collect(), most, drip), expected);
    }
}

/// A raw client.
struct Client {
    network: MemoryNetwork,
    stream: MemoryStream,
    queue: usize,
}

impl Client {
    fn new(network: &MemoryNetwork, server: &MockServer) -> Self {
        let stream = network.connect(server.addresses()[0]).unwrap();
        let queue = network.open_queue();
        let mut client = Self {
            network: network.clone(),
            stream,
            queue,
        };
        client.look();
        client
    }

    fn look(&mut self) {
        self.network.poll_events(self.queue, |_| {});
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
        self.look();
    }

    /// What has arrived, and how it ended: `None` if it goes on.
    fn received(&mut self) -> (String, Option<io::ErrorKind>) {
        self.look();
        let mut all = Vec::new();
        let mut some = [0; 1000];
        loop {
            match self.stream.read(&mut some) {
                Ok(0) => return (text(&all), Some(io::ErrorKind::UnexpectedEof)),
                Ok(count) => all.extend_from_slice(&some[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (text(&all), None);
                }
                Err(error) => return (text(&all), Some(error.kind())),
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mock() -> (MemoryNetwork, MockServer) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    (network, server)
}

const CLOSED: Option<io::ErrorKind> = Some(io::ErrorKind::UnexpectedEof);
const RESET: Option<io::ErrorKind> = Some(io::ErrorKind::ConnectionReset);

const PIPELINE: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\
    POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n\
    HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n\
    GET /a HTTP/1.0\r\n\r\n";

const ANSWERS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA\
    HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nB\r\n1\r\nB\r\n0\r\n\r\n\
    HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\
    HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nA";

#[test]
fn pipelined_requests_whole_bytewise_and_cut_at_every_position() {
    let cuts = (1..PIPELINE.len()).map(|at| vec![&PIPELINE[..at], &PIPELINE[at..]]);
    let bytewise = (0..PIPELINE.len()).map(|at| &PIPELINE[at..=at]).collect();
    for parts in cuts.chain([vec![PIPELINE], bytewise]) {
        let (network, server) = mock();
        server.get("/a").reply(MockResponse::ok().bytes("A"));
        server
            .post("/b")
            .body("abc")
            .reply(MockResponse::with_status(201).chunked(["B", "B"]));
        let mut client = Client::new(&network, &server);
        for part in parts {
            client.send(part);
        }
        assert_eq!(client.received(), (ANSWERS.to_owned(), CLOSED));
        let requests = server.requests();
        let seen: Vec<_> = requests
            .iter()
            .map(|it| (it.connection, it.number))
            .collect();
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (0, 3)]);
        assert_eq!(requests[1].trailers.get("x-sum"), Some(&b"1"[..]));
    }
}

#[test]
fn a_late_response_delays_the_next_one() {
    let (network, server) = mock();
    let second = Duration::from_secs(1);
    server
        .get("/a")
        .reply(MockResponse::ok().bytes("A").delay(second));
    let mut client = Client::new(&network, &server);
    let request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(&request.repeat(2));
    for expected in [0, 1, 1, 0] {
        let (received, end) = client.received();
        assert_eq!(received.matches("200 OK").count(), expected);
        assert_eq!(end, None);
        network.advance(second);
    }
    assert_eq!(server.requests()[1].at - server.requests()[0].at, second);
}

#[test]
fn clients_that_wait_get_100_continue() {
    const HEAD: &str =
        "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let (network, server) = mock();
    server.put("/a").reply(MockResponse::with_status(204));
    let mut client = Client::new(&network, &server);
    client.send(HEAD);
    assert_eq!(client.received().0, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    assert_eq!(client.received().0, "HTTP/1.1 204 No Content\r\n\r\n");

    server.set_continues(false);
    client.send(HEAD);
    assert_eq!(client.received().0, "");
    client.send("hi");
    assert_eq!(client.received().0, "HTTP/1.1 204 No Content\r\n\r\n");

    // Content that comes along needs no invitation, but has none refused either.
    server.set_continues(true);
    server
        .put("/a")
        .early()
        .reply(MockResponse::with_status(417));
    client.send(HEAD);
    let refusal =
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(client.received(), (refusal.to_owned(), CLOSED));
    assert_eq!(server.connections().open, 0);
}

#[test]
fn an_early_response_lets_the_content_arrive() {
    let (network, server) = mock();
    let rule = server
        .post("/a")
        .early()
        .reply(MockResponse::with_status(413));
    let mut client = Client::new(&network, &server);
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n");
    assert!(client.received().0.starts_with("HTTP/1.1 413"));
    client.send("ab");
    assert_eq!(server.requests()[0].body, "");
    client.send("cdPOST /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.received().0.starts_with("HTTP/1.1 413"));
    assert_eq!(server.requests()[0].body, "abcd");
    assert_eq!(rule.hits(), 2);
}

#[test]
fn invalid_requests_get_a_400_and_are_logged() {
    for (request, fault) in [
        ("nonsense\r\n\r\n", PeerMisbehaved::NotHttp),
        ("GET / HTTP/1.1\r\n\r\n", PeerMisbehaved::InvalidHost),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            PeerMisbehaved::InvalidChunkSize,
        ),
    ] {
        let (network, server) = mock();
        let mut client = Client::new(&network, &server);
        client.send(request);
        let (received, end) = client.received();
        assert!(received.starts_with("HTTP/1.1 400 "), "{received}");
        assert!(received.contains("Connection: close"), "{received}");
        assert_eq!(end, CLOSED);
        assert_eq!(server.errors(), [ErrorKind::Peer(fault)]);
        assert!(server.requests().is_empty());
        client.send("more");
        assert_eq!(server.errors().len(), 1);
    }
}

#[test]
fn a_client_that_closes_gets_the_response_or_nothing() {
    for (request, answer, errors) in [
        ("", "", 0),
        ("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", 0),
        ("GET /a HTTP/1.1\r\nHost", "", 1),
        (
            "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
            "",
            1,
        ),
    ] {
        let (network, server) = mock();
        server.any("/a").reply(MockResponse::ok());
        let mut client = Client::new(&network, &server);
        client.stream.write_all(request.as_bytes()).unwrap();
        client.stream.shutdown_write();
        let (received, end) = client.received();
        assert!(received.starts_with(answer), "{received}");
        assert_eq!(received.is_empty(), answer.is_empty(), "{received}");
        assert_eq!((end, server.errors().len()), (CLOSED, errors), "{request}");
        assert_eq!(
            (server.connections().opened, server.connections().open),
            (1, 0)
        );
    }
}

#[test]
fn a_delayed_response_reaches_a_client_that_closed_its_side() {
    let (network, server) = mock();
    let second = Duration::from_secs(1);
    server.any("/a").reply(MockResponse::ok().delay(second));
    let mut client = Client::new(&network, &server);
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    client.stream.shutdown_write();
    assert_eq!(client.received(), (String::new(), None));
    network.advance(second);
    let (received, end) = client.received();
    assert!(
        received.starts_with("HTTP/1.1 200") && end == CLOSED,
        "{received} {end:?}"
    );
}

#[test]
fn endings_on_the_wire() {
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
    let whole = MockResponse::ok().bytes("abcd");
    let chunks = MockResponse::ok().chunked(["ab", "cd"]);
    for (response, expected, end) in [
        (
            whole.clone().cut_after(3),
            ok("Content-Length: 4\r\n\r\nabc"),
            CLOSED,
        ),
        (
            whole.clone().cut_after(9),
            ok("Content-Length: 4\r\n\r\nabcd"),
            CLOSED,
        ),
        (
            whole.clone().reset_after(0),
            ok("Content-Length: 4\r\n\r\n"),
            RESET,
        ),
        (
            whole.clone().stall_after(1),
            ok("Content-Length: 4\r\n\r\na"),
            None,
        ),
        (whole.clone().never(), String::new(), None),
        (
            chunks.clone().cut_after(3),
            ok("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n"),
            CLOSED,
        ),
        (
            MockResponse::ok().until_close("abc"),
            "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc".to_owned(),
            CLOSED,
        ),
        (
            MockResponse::raw("HTTP/1.1 2"),
            "HTTP/1.1 2".to_owned(),
            CLOSED,
        ),
        (
            whole.header("Connection", "close"),
            ok("Connection: close\r\nContent-Length: 4\r\n\r\nabcd"),
            CLOSED,
        ),
    ] {
        let (network, server) = mock();
        server.get("/").reply(response);
        let mut client = Client::new(&network, &server);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.received(), (expected, end));
        // Nothing more is answered.
        if end.is_none() {
            client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(client.received(), (String::new(), None));
            assert_eq!(server.connections().open, 1);
        }
        drop(client);
        network.poll_events(network.open_queue(), |_| {});
        assert_eq!(server.connections().open, 0);
        assert_eq!(network.open_connections(), 0);
    }
}

#[test]
fn a_response_that_cannot_be_sent_says_why() {
    for (response, why) in [
        (MockResponse::ok().header("A b", "c"), "header \"A b\""),
        (MockResponse::ok().header("A", "b\r\nC: d"), "header \"A\""),
        (MockResponse::with_status(42), "42 is not a status code"),
        (MockResponse::ok().status(1000), "1000 is not a status code"),
        (
            MockResponse::ok()
                .header("Content-Length", "9")
                .bytes("abc"),
            "framing header",
        ),
        (MockResponse::with_status(205).bytes("abc"), "more content"),
        (MockResponse::with_status(101), "order"),
    ] {
        let (network, server) = mock();
        server.get("/").reply(response);
        let mut client = Client::new(&network, &server);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let (received, end) = client.received();
        assert!(received.starts_with("HTTP/1.1 500"), "{received}");
        assert!(received.contains(why), "{received}");
        assert_eq!(end, None);
    }
}

#[test]
fn a_switched_connection_falls_silent() {
    let (network, server) = mock();
    server
        .get("/")
        .reply(MockResponse::with_status(101).header("Upgrade", "x"));
    let mut client = Client::new(&network, &server);
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert!(client.received().0.starts_with("HTTP/1.1 101"));
    client.send("\x01\x02");
    assert_eq!(client.received(), (String::new(), None));
}

#[test]
fn streams_without_content_and_for_an_http_1_0_client() {
    let stream = MockStream::new();
    let (network, server) = mock();
    server.get("/").reply(MockResponse::ok().stream(&stream));
    let mut client = Client::new(&network, &server);
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        client.received(),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), None)
    );
    assert_eq!(stream.receivers(), 0);

    client.send("GET / HTTP/1.0\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    assert_eq!(client.received(), (head.to_owned(), None));
    stream.send("abc");
    stream.close();
    assert_eq!(client.received(), ("abc".to_owned(), CLOSED));
    assert_eq!(stream.receivers(), 0);
}
