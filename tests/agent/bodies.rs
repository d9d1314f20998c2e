//! Request content: how it is encoded, framed, held back and sent again.

use std::io::{self, Read};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::MockResponse;
use httpoll::{
    Agent, ErrorKind, Event, Request, RetryPolicy,
    agent::Progress,
    error::{Misuse, RequestRefused},
    node::RequestBody,
};
use serde_json::json;

use crate::support::{Folder, Heard, address, pattern, run, setup};

#[test]
fn how_content_is_encoded() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let post = || Request::post("http://game.example/");
    let pairs = [("a", "1"), ("b", "x y&"), ("c", ""), ("a", "2")];
    let cases: Vec<(&str, Request, Option<&str>, &str)> = vec![
        (
            "a form",
            post().form(pairs),
            Some("application/x-www-form-urlencoded"),
            "a=1&b=x+y%26&c=&a=2",
        ),
        (
            "two forms",
            post().form([("a", "1")]).form([("b", "2")]),
            Some("application/x-www-form-urlencoded"),
            "a=1&b=2",
        ),
        (
            "a form as JSON",
            post()
                .header("Content-Type", "application/json; charset=utf-8")
                .form([("a", "1")]),
            Some("application/json; charset=utf-8"),
            r#"{"a":"1"}"#,
        ),
        ("bytes", post().body("a=1"), None, "a=1"),
        (
            "JSON",
            post().json(&json!({"a": [1, null]})),
            Some("application/json"),
            r#"{"a":[1,null]}"#,
        ),
        (
            "JSON of another type",
            post()
                .header("Content-Type", "application/ld+json")
                .json(&1),
            Some("application/ld+json"),
            "1",
        ),
        (
            "PATCH",
            Request::patch("http://game.example/").json(&"x"),
            Some("application/json"),
            "\"x\"",
        ),
        (
            "DELETE",
            Request::delete("http://game.example/").json(&1),
            Some("application/json"),
            "1",
        ),
        (
            "text",
            post().text("h\u{e4}"),
            Some("text/plain; charset=utf-8"),
            "h\u{e4}",
        ),
        (
            "an empty form",
            post().form(Vec::<(String, String)>::new()),
            Some("application/x-www-form-urlencoded"),
            "",
        ),
    ];
    for (case, request, content_type, body) in cases {
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.header("content-type"), content_type, "{case}");
        assert_eq!(
            sent.headers.get_all("content-type").count(),
            usize::from(content_type.is_some())
        );
        assert_eq!(sent.text(), body, "{case}");
    }
}

#[test]
fn content_given_twice_is_refused_before_anything_is_opened() {
    let (network, server, mut agent) = setup();
    let post = || Request::post("http://game.example/");
    for request in [
        post().json(&1).form([("a", "1")]),
        post().form([("a", "1")]).json(&1),
        post().body("a").text("b"),
        post().form([("a", "1")]).file("x"),
        post().file("x").body("y"),
    ] {
        let error = agent.send(request).unwrap_err();
        assert_eq!(*error.kind(), Misuse::ConflictingContent.into());
    }
    let _ = crate::support::frames(&network, &mut agent, 2);
    assert_eq!(server.connections().opened, 0);
}

#[test]
fn values_that_json_cannot_express_are_refused() {
    let (_network, _server, mut agent) = setup();
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = agent
        .send(Request::post("http://game.example/").json(&map))
        .unwrap_err();
    assert_eq!(*error.kind(), Misuse::InvalidContent.into());
}

/// Gives at most 512 bytes at a time.
struct Blocks {
    left: usize,
    total: usize,
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.total - self.left;
        let count = self.left.min(512).min(buffer.len());
        buffer[..count].copy_from_slice(&pattern(at + count)[at..]);
        self.left -= count;
        Ok(count)
    }
}

#[test]
fn readers_are_streamed_with_and_without_a_length() {
    for length in [Some(5000), None] {
        let (network, server, mut agent) = setup();
        server.any("/**").reply(MockResponse::ok());
        let body = RequestBody::reader(
            Blocks {
                left: 5000,
                total: 5000,
            },
            length,
        );
        run(
            &network,
            &mut agent,
            Request::put("http://game.example/").body(body),
        )
        .response();
        let sent = &server.requests()[0];
        assert_eq!(sent.body, pattern(5000));
        match length {
            Some(_) => assert_eq!(sent.header("content-length"), Some("5000")),
            None => assert_eq!(sent.header("transfer-encoding"), Some("chunked")),
        }
    }
}

#[test]
fn a_reader_that_lies_about_its_length_fails_and_the_connection_ends() {
    for (has, says) in [(100, 200), (0, 1)] {
        let (network, server, mut agent) = setup();
        server.any("/**").reply(MockResponse::ok());
        let body = RequestBody::reader(
            Blocks {
                left: has,
                total: has,
            },
            Some(says),
        );
        let outcome = run(
            &network,
            &mut agent,
            Request::put("http://game.example/").body(body),
        );
        assert_eq!(*outcome.error().kind(), ErrorKind::RequestBody);
        crate::support::frames(&network, &mut agent, 2);
        assert_eq!(network.open_connections(), 0);
        assert!(server.requests().is_empty());
    }
}

/// Fails after some bytes.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("disk on fire"));
        }
        let count = self.0.min(buffer.len());
        self.0 -= count;
        Ok(count)
    }
}

#[test]
fn a_reader_that_fails_is_an_error_with_its_cause() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let body = RequestBody::reader(Broken(10), Some(100));
    let outcome = run(
        &network,
        &mut agent,
        Request::put("http://game.example/").body(body),
    );
    assert_eq!(*outcome.error().kind(), ErrorKind::RequestBody);
    assert!(
        outcome.error().to_string().contains("disk on fire"),
        "{}",
        outcome.error()
    );
}

#[test]
fn files_are_uploaded() {
    let folder = Folder::new("upload");
    let content = pattern(300_000);
    std::fs::write(folder.path("a.bin"), &content).unwrap();
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for (request, content_type) in [
        (
            Request::post("http://game.example/"),
            "application/octet-stream",
        ),
        (
            Request::put("http://game.example/").header("Content-Type", "image/png"),
            "image/png",
        ),
    ] {
        let outcome = run(&network, &mut agent, request.file(folder.path("a.bin")));
        assert_eq!(outcome.response().transferred().sent, 300_000);
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.header("content-type"), Some(content_type));
        assert_eq!(sent.header("content-length"), Some("300000"));
        assert!(sent.body == content);
    }
    let missing = Request::post("http://game.example/").file(folder.path("missing"));
    let outcome = run(&network, &mut agent, missing);
    assert!(
        matches!(outcome.error().kind(), ErrorKind::File(_)),
        "{}",
        outcome.error()
    );
    assert_eq!(outcome.error().path(), Some(&*folder.path("missing")));
    assert!(!outcome.error().is_retryable());
    let empty = folder.path("empty");
    std::fs::write(&empty, "").unwrap();
    run(
        &network,
        &mut agent,
        Request::put("http://game.example/").file(empty),
    )
    .response();
    assert_eq!(
        server.requests().pop().unwrap().header("content-length"),
        Some("0")
    );
}

#[test]
fn a_file_is_sent_again_by_a_retry() {
    let folder = Folder::new("upload-again");
    std::fs::write(folder.path("a.bin"), pattern(100_000)).unwrap();
    let (network, server, mut agent) = setup();
    server
        .put("/")
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .file(folder.path("a.bin"))
        .expect_continue(None)
        .retries(RetryPolicy::standard());
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().attempts(), 2);
    for sent in server.requests() {
        assert!(sent.body == pattern(100_000));
    }
}

#[test]
fn upload_progress_is_reported() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    network.set_capacity(8 * 1024);
    network.set_latency(Duration::from_millis(20));
    let request = Request::put("http://game.example/")
        .body(pattern(1_000_000))
        .expect_continue(None);
    let outcome = run(&network, &mut agent, request);
    let progress: Vec<Progress> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { progress, .. } => Some(*progress),
            _ => None,
        })
        .collect();
    assert!(progress.len() > 3, "{progress:?}");
    assert!(progress.iter().all(|it| it.to_send == Some(1_000_000)));
    assert!(progress.windows(2).all(|pair| pair[0].sent <= pair[1].sent));
    assert!(progress[1].sent < 1_000_000);
    assert!(
        progress
            .iter()
            .any(|it| it.phase == httpoll::Phase::SendBody),
        "{progress:?}"
    );
}

#[test]
fn content_of_a_reader_is_not_sent_twice() {
    let (network, server, mut agent) = setup();
    server
        .put("/")
        .reply(MockResponse::with_status(307).header("Location", "/b"));
    server.put("/b").reply(MockResponse::ok());
    let body = RequestBody::reader(
        Blocks {
            left: 10,
            total: 10,
        },
        Some(10),
    );
    let outcome = run(
        &network,
        &mut agent,
        Request::put("http://game.example/").body(body),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Refused(RequestRefused::ContentSpent)
    );
    let (_, response) = outcome.result.unwrap_err();
    assert_eq!(response.unwrap().status().as_u16(), 307);
}

#[test]
fn a_server_that_answers_early_and_stops_reading_is_heard() {
    // It resets the connection because it does not want the content; its response came first.
    let network = MemoryNetwork::new();
    let heard = Heard::default();
    network.add_name("game.example", &[address("10.0.0.1:80").ip()]);
    network.set_capacity(4096);
    network.serve(address("10.0.0.1:80"), || {
        let mut answered = false;
        move |peer: &mut Peer| {
            if !answered && peer.received().len() > 1000 {
                answered = true;
                peer.send(
                    b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
                );
                peer.close();
            }
        }
    });
    let mut agent = Agent::on_memory(&network);
    let request = Request::put("http://game.example/")
        .body(pattern(500_000))
        .expect_continue(None);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().status().as_u16(), 413);
    assert_eq!(outcome.response().text(), "big");
    drop(heard);
}

#[test]
fn content_that_does_not_arrive_keeps_no_thread_awake() {
    let (network, server, mut agent) = setup();
    network.set_latency(Duration::from_millis(100));
    server
        .any("/")
        .reply(MockResponse::with_status(503).reset_after(0))
        .then_reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body(pattern(50_000))
        .retries(RetryPolicy::standard());
    let handle = agent.send(request).unwrap();
    for _ in 0..1000 {
        for at_once in 0.. {
            let polled = agent.poll_with(&httpoll::Budget::unlimited());
            while let Some(event) = agent.next_event() {
                if let Event::Done { id, .. } = event {
                    assert_eq!(id, handle.id());
                    return;
                }
            }
            if polled.next != httpoll::PollAt::Now {
                break;
            }
            assert!(at_once < 20, "nothing moves, and it wants to be polled");
        }
        network.advance(Duration::from_millis(10));
    }
    panic!("not over");
}

#[test]
fn a_file_is_sent_again_over_a_new_connection() {
    let folder = Folder::new("stale-upload");
    let path = folder.path("save.bin");
    std::fs::write(&path, pattern(30_000)).unwrap();
    let network = MemoryNetwork::new();
    let first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    network.add_name("game.example", &[address("10.0.0.1:80").ip()]);
    network.serve(address("10.0.0.1:80"), move || {
        let is_first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
        let mut heads = 0;
        move |peer: &mut Peer| {
            let has_head = peer.received().windows(4).any(|it| it == b"\r\n\r\n");
            if !has_head {
                return;
            }
            if heads == 1 && is_first {
                // It had decided to close when the request came.
                peer.reset();
                return;
            }
            let length = if heads == 0 && is_first { 0 } else { 30_000 };
            if peer.received().len() < length {
                return;
            }
            heads += 1;
            peer.take_received();
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let mut agent = Agent::on_memory(&network);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    let request = Request::put("http://game.example/").file(&path);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().status().as_u16(), 200);
}

#[test]
fn content_of_unknown_length_is_not_sent_chunked_to_http_1_0() {
    // RFC 9112 §6.1.
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let put = || Request::put("http://game.example/").version(http::Version::HTTP_10);
    let outcome = run(&network, &mut agent, put().body("abc"));
    assert_eq!(outcome.response().status().as_u16(), 200);
    let body = RequestBody::reader(&b"abc"[..], None);
    let outcome = run(&network, &mut agent, put().body(body));
    assert_eq!(*outcome.error().kind(), Misuse::FramingHeader.into());
    assert_eq!(server.requests().len(), 1);
}
