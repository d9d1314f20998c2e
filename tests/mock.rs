//! Mock rules, faults, streams, and recordings on the in-memory network, end to end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method as HttpMethod;
use httpoll::memory::{ConnectError, MemoryNetwork, Peer, PeerWaker};
use httpoll::mock::{MockResponse, MockServer, MockStream};
use httpoll::{ErrorKind, HttpClient, Method, Status, error::NetworkFault};
use serde_json::json;
use support::{FRAME, address, content, until, until_head};

#[path = "mock/faults.rs"]
mod faults;
#[path = "mock/recordings.rs"]
mod recordings;

const SECOND: Duration = Duration::from_secs(1);

fn mock() -> (MemoryNetwork, MockServer, HttpClient) {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    (network, server, http)
}

fn connect(network: &MemoryNetwork, http: &mut HttpClient) {
    http.connect_to_host("game.example", 80, None).unwrap();
    until(network, http, |http| {
        !matches!(http.get_status(), Status::Resolving | Status::Connecting)
    });
}

/// A whole exchange: status, content.
fn ask(
    network: &MemoryNetwork,
    http: &mut HttpClient,
    (method, target): (Method, &str),
    headers: &[&str],
    body: &str,
) -> (u16, String) {
    if http.get_status() != Status::Connected {
        connect(network, http);
    }
    http.request(method, target, headers, body).unwrap();
    until_head(network, http);
    if let Some(error) = http.get_error() {
        panic!("{error}");
    }
    let code = http.get_response_code();
    let content = content(network, http).unwrap();
    (code, String::from_utf8(content).unwrap())
}

fn get(network: &MemoryNetwork, http: &mut HttpClient, target: &str) -> (u16, String) {
    ask(network, http, (Method::Get, target), &[], "")
}

fn has_line(http: &HttpClient, line: &str) -> bool {
    http.get_response_headers().iter().any(|it| it == line)
}

#[test]
fn the_first_rule_that_fits_answers() {
    let (network, server, mut http) = mock();
    let name = |name: &str| MockResponse::ok().text(name);
    server
        .get("/a?page=2")
        .query("sort", "up")
        .reply(name("query"));
    server
        .get("/a")
        .header("x-team", "red")
        .reply(name("header"));
    server.post("/a").body("raw").reply(name("body"));
    server
        .post("/a")
        .json(&json!({"a": 1, "b": [2]}))
        .reply(name("json"));
    server
        .any("/a")
        .matching(|it| it.number == 4)
        .reply(name("closure"));
    server.when(HttpMethod::PATCH, "/**").reply(name("patch"));
    server.put("/users/*/name").reply(name("path"));
    server.delete("/a").reply(name("delete"));
    server.get("/a").reply(name("rest"));
    for ((method, target), headers, body, expected) in [
        ((Method::Get, "/a?sort=up&page=2"), &[][..], "", "query"),
        ((Method::Get, "/a?page=2"), &["X-Team: red"], "", "header"),
        ((Method::Post, "/a"), &[], "raw", "body"),
        ((Method::Post, "/a"), &[], "{ \"b\":[2], \"a\": 1 }", "json"),
        ((Method::Get, "/a"), &[], "", "closure"),
        ((Method::Patch, "/any/where"), &[], "", "patch"),
        ((Method::Put, "/users/7/name"), &[], "", "path"),
        ((Method::Delete, "/a"), &[], "", "delete"),
        ((Method::Get, "/a?page=3"), &["X-Team: blue"], "", "rest"),
    ] {
        let answer = ask(&network, &mut http, (method, target), headers, body);
        assert_eq!(answer, (200, expected.to_owned()));
    }
    assert!(server.unmatched().is_empty() && server.unused().is_empty());
    let rules: Vec<_> = server
        .requests()
        .iter()
        .map(|it| it.rule.unwrap())
        .collect();
    assert_eq!(rules, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(server.connections().opened, 1, "kept alive");
}

#[test]
fn a_request_without_a_rule_gets_the_reason() {
    let (network, server, mut http) = mock();
    let (code, text) = get(&network, &mut http, "/scores?page=3");
    assert_eq!(code, 404);
    assert!(
        text.contains("GET /scores?page=3 (0 bytes of content)"),
        "{text}"
    );
    assert!(text.contains("It has no rules."), "{text}");

    server.get("/scores?page=2").reply(MockResponse::ok());
    server.post("/scores").reply(MockResponse::ok());
    server
        .get("/scores")
        .header("Authorization", "Bearer secret")
        .reply(MockResponse::ok());
    server.get("/*/").reply(MockResponse::ok());
    let used = server.get("/scores").times(1).reply(MockResponse::ok());
    let _silent = server.get("/scores");
    assert_eq!(get(&network, &mut http, "/scores?page=3").0, 200);
    let (_, text) = get(&network, &mut http, "/scores?page=3");
    for line in [
        "  1. GET /scores?page=2 (no: another query)\n",
        "  2. POST /scores (no: another method)\n",
        "  3. GET /scores, with a certain Authorization (no: another header)\n",
        "  4. GET /*/ (no: another path)\n",
        "  5. GET /scores, 1 of 1 times (no: used up)\n",
        "  6. GET /scores (no: it has no reply)\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("secret"));
    assert_eq!((server.unmatched().len(), used.hits()), (2, 1));
    assert_eq!(server.unused().len(), 5);
    assert!(server.unused()[0].starts_with("1. GET /scores"));
}

#[test]
fn replies_come_in_sequence_and_by_closure() {
    let (network, server, mut http) = mock();
    server
        .get("/a")
        .times(3)
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::ok().text("second"))
        .then_reply(MockResponse::ok().text("third"));
    let asked = server.clone();
    let mut count = 0;
    server.get("/*").reply_with(move |request| {
        count += 1;
        let seen = asked.requests().len();
        MockResponse::ok().json(&json!([request.path(), count, seen]))
    });
    let answers: Vec<_> = ["/a", "/a", "/a", "/a", "/b"]
        .iter()
        .map(|target| get(&network, &mut http, target))
        .collect();
    let text = |text: &str| (200, text.to_owned());
    assert_eq!(answers[0].0, 503);
    assert_eq!(answers[1..3], [text("second"), text("third")]);
    assert_eq!(answers[3..], [text("[\"/a\",1,4]"), text("[\"/b\",2,5]")]);
    // The last of a sequence repeats.
    server
        .post("/")
        .reply(MockResponse::ok())
        .then_reply(MockResponse::with_status(202));
    for expected in [200, 202, 202] {
        let answer = ask(&network, &mut http, (Method::Post, "/"), &[], "");
        assert_eq!(answer.0, expected);
    }
}

#[test]
fn requests_are_remembered() {
    let (network, server, mut http) = mock();
    server.any("/**").reply(MockResponse::ok());
    ask(
        &network,
        &mut http,
        (Method::Post, "/a?b=c%20d"),
        &["X-A: 1"],
        "{\"e\": 5}",
    );
    http.close();
    network.advance(SECOND);
    get(&network, &mut http, "/later");
    let requests = server.requests();
    let [first, second] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(first.method, HttpMethod::POST);
    assert_eq!((first.target.as_str(), first.path()), ("/a?b=c%20d", "/a"));
    assert_eq!(first.query_value("b").as_deref(), Some("c d"));
    assert_eq!(
        (first.header("x-a"), first.header("host")),
        (Some("1"), Some("game.example"))
    );
    assert_eq!(first.json::<serde_json::Value>().unwrap(), json!({"e": 5}));
    assert_eq!(first.text(), "{\"e\": 5}");
    assert_eq!((first.connection, second.connection), (0, 1));
    assert!(second.at - first.at >= SECOND);
    assert_eq!(
        (server.connections().opened, server.connections().open),
        (2, 1)
    );
}

#[test]
fn head_is_answered_like_get() {
    let (network, server, mut http) = mock();
    server.get("/").reply(MockResponse::ok().text("hello"));
    let answer = ask(&network, &mut http, (Method::Head, "/"), &[], "");
    assert_eq!(answer, (200, String::new()));
    assert!(has_line(&http, "Content-Length: 5"));
    assert_eq!(get(&network, &mut http, "/").1, "hello");
}

/// Takes what has come of the content.
fn take(network: &MemoryNetwork, http: &mut HttpClient) -> String {
    let mut all = Vec::new();
    for _ in 0..3 {
        let _ = http.poll();
        while http.get_status() == Status::Body {
            match http.read_response_body_chunk() {
                Ok(chunk) if !chunk.is_empty() => all.extend_from_slice(&chunk),
                _ => break,
            }
        }
        network.advance(FRAME);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn the_test_sends_a_stream_piece_by_piece() {
    let (network, server, mut http) = mock();
    let events = MockStream::new();
    server.get("/events").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .stream(&events),
    );
    events.send("data: early\n\n");
    for round in 0..2 {
        assert_eq!(events.receivers(), 0);
        http.request(Method::Get, "/events", &[], "").unwrap();
        until_head(&network, &mut http);
        assert_eq!(events.receivers(), 1);
        let early = if round == 0 { "data: early\n\n" } else { "" };
        assert_eq!(take(&network, &mut http), early);
        events.send("data: 1\n\n");
        assert_eq!(take(&network, &mut http), "data: 1\n\n");
        network.advance(100 * SECOND);
        assert_eq!(take(&network, &mut http), "");
        assert_eq!(http.get_status(), Status::Body);
        events.send("data: 2\n");
        events.send("\n");
        events.close();
        assert_eq!(take(&network, &mut http), "data: 2\n\n");
        assert_eq!(http.get_status(), Status::Connected);
    }
    http.request(Method::Get, "/events", &[], "").unwrap();
    until_head(&network, &mut http);
    events.send("da");
    events.reset();
    let (part, error) = content(&network, &mut http).unwrap_err();
    assert_eq!(part, b"da");
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Broken));

    connect(&network, &mut http);
    http.request(Method::Get, "/events", &[], "").unwrap();
    until_head(&network, &mut http);
    http.close();
    network.advance(FRAME);
    let _ = http.wait(Some(FRAME));
    drop(http);
    let mut other = HttpClient::on_memory(&network);
    connect(&network, &mut other);
    assert_eq!((events.receivers(), server.connections().open), (0, 1));
}

#[test]
fn servers_find_their_addresses() {
    let network = MemoryNetwork::new();
    network.add_name(
        "two.example",
        &[address("10.0.0.1:0").ip(), address("10.0.0.2:0").ip()],
    );
    let two = MockServer::on(&network, "two.example", 80);
    assert_eq!(
        two.addresses(),
        [address("10.0.0.1:80"), address("10.0.0.2:80")]
    );
    let literal = MockServer::on(&network, "10.9.9.9", 81);
    assert_eq!(literal.addresses(), [address("10.9.9.9:81")]);
    let six = MockServer::on(&network, "[::1]", 81);
    assert_eq!(six.addresses(), [address("[::1]:81")]);
    let named = MockServer::on(&network, "game.example", 80);
    let same = MockServer::on(&network, "GAME.example", 8080);
    let other = MockServer::on(&network, "other.example", 80);
    let ip = |server: &MockServer| server.addresses()[0].ip();
    assert_eq!(ip(&named), ip(&same));
    assert_ne!(ip(&named), ip(&other));

    // The server responds at each address.
    two.get("/").reply(MockResponse::ok().text("two"));
    network.refuse(address("10.0.0.1:80"), ConnectError::Refused);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("two.example", 80, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::Connected
    });
    assert_eq!(get(&network, &mut http, "/"), (200, "two".to_owned()));
}

#[test]
fn a_peer_is_called_when_it_asked_and_when_the_test_calls() {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &[address("10.0.0.1:0").ip()]);
    let waker: Arc<Mutex<Option<PeerWaker>>> = Arc::default();
    let out = waker.clone();
    network.serve(address("10.0.0.1:80"), move || {
        let out = out.clone();
        let mut calls = 0;
        move |peer: &mut Peer| {
            calls += 1;
            match calls {
                // It opened.
                1 => *out.lock().unwrap() = Some(peer.waker()),
                // A request came.
                2 => {
                    peer.take_received();
                    peer.wake_after(SECOND);
                    peer.wake_after(Duration::ZERO);
                }
                3 => peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
                4 => peer.send(b"ab"),
                5 => peer.send(b"cd"),
                _ => peer.reset_after(SECOND),
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    let start = network.now();
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.wait(None).unwrap();
    }
    assert!(network.now() - start < SECOND);
    assert_eq!(http.read_response_body_chunk().unwrap(), "");
    http.wait(None).unwrap();
    assert_eq!(network.now() - start, SECOND);
    assert_eq!(http.read_response_body_chunk().unwrap(), "ab");
    let waker = waker.lock().unwrap().take().unwrap();
    waker.wake();
    http.wait(None).unwrap();
    assert_eq!(network.now() - start, SECOND);
    assert_eq!(http.read_response_body_chunk().unwrap(), "cd");
    waker.wake();
    let error = loop {
        if let Err(error) = http.wait(None) {
            break error;
        }
        let _ = http.read_response_body_chunk();
        if let Some(error) = http.get_error() {
            break error.clone();
        }
    };
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Broken));
    assert_eq!(network.now() - start, 2 * SECOND);
    waker.wake();
}
