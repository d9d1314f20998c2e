//! The server against raw bytes: smuggling, protocol violations, exceeded limits, pipelining, half-closed
//! connections, and unwanted content.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::sync::{Arc, Mutex};

use httpoll::server::{Content, Piece, Request, Responder, Response, Server, ServerLimits};
use httpoll::{Budget, server::NotFoundPolicy};
use serving::{Notes, answers, body, header, status, test_server, test_server_with};

/// A server that echoes each request, and records every request that reached a handler.
fn echoing() -> (serving::TestServer, Notes) {
    let mut test = test_server();
    let notes = Notes::default();
    let seen = notes.clone();
    test.server
        .handle(
            "*",
            "/*",
            move |request: &mut Request, response: &mut Response| {
                seen.add(format!("{} {}", request.method(), request.target()));
                response.write(request.body());
            },
        )
        .unwrap();
    (test, notes)
}

#[test]
fn nothing_can_be_smuggled() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (head, expected) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", 400),
        ("Content-Length: 4\r\nContent-Length: 5", 400),
        ("Content-Length: 4, 5", 400),
        ("Content-Length: +4", 400),
        ("Content-Length: -4", 400),
        ("Content-Length: 4 4", 400),
        ("Content-Length: 0x4", 400),
        ("Content-Length:", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: chunked, identity", 400),
        ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: \"chunked\"", 501),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding:\x0bchunked", 400),
        ("Transfer-Encoding: chunked\r\n foo", 400),
        ("X: y\r\n folded: z", 400),
        ("Transfer-Encoding: chunked\nX: y", 400),
        ("X: y\rTransfer-Encoding: chunked", 400),
        ("X\0: y", 400),
        ("X: a\0b", 400),
        (": y", 400),
        ("X y", 400),
        // What another parser may read as the plain form.
        ("Transfer-Encoding: chunked,", 400),
        ("Transfer-Encoding: ,chunked", 400),
        ("Transfer-Encoding:", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            400,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            400,
        ),
        (
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            501,
        ),
        ("Transfer-Encoding: chunked;q=1", 501),
        ("Transfer-Encoding: chunked chunked", 501),
        ("Transfer-Encoding: chunked\x0b", 400),
        ("Transfer-Encoding\t: chunked", 400),
        ("Content-Length : 4", 400),
        ("Content-Length: 4,", 400),
        ("Content-Length: 4\r\n 5", 400),
        ("Content-Length: 4;5", 400),
        ("Content-Length: 1e1", 400),
        ("Content-Length: \u{ff14}", 400),
        ("Content-Length: 4\r\nContent-Length:", 400),
    ] {
        let (mut test, notes) = echoing();
        let mut client = test.connect();
        let response = test.send(
            &mut client,
            format!("POST /outer HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n0\r\n\r\n{smuggled}"),
        );
        assert_eq!(status(&response), expected, "{head:?}");
        assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{head:?}");
        assert_eq!(header(&response, "connection"), Some("close"));
        assert!(client.closed && !client.reset, "{head:?}");
        assert_eq!(notes.take(), Vec::<String>::new(), "{head:?}");
    }
}

#[test]
fn one_coding_in_other_letters_is_still_one() {
    let (mut test, _) = echoing();
    for coding in ["chunked", "CHUNKED", "Chunked", " chunked "] {
        let response = test.ask(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        ));
        assert_eq!(body(&response), "x", "{coding}");
    }
    // The same length twice counts as one length (RFC 9112 §6.3).
    let response =
        test.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(body(&response), "x");
}

#[test]
fn chunks_are_read_strictly() {
    for chunks in [
        "1\nx\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1 \r\nxy\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "g\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "\r\n1\r\nx\r\n0\r\n\r\n",
    ] {
        let (mut test, notes) = echoing();
        let mut client = test.connect();
        let response = test.send(
            &mut client,
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
        );
        assert_eq!(status(&response), 400, "{chunks:?}");
        assert!(client.closed, "{chunks:?}");
        assert_eq!(notes.take(), Vec::<String>::new());
    }
}

#[test]
fn hosts_and_targets() {
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.0\r\n", 200),
        ("GET http://a/x HTTP/1.1\r\nHost: b\r\n", 200),
        ("GET https://a/x HTTP/1.1\r\nHost: a\r\n", 421),
        ("GET ftp://a/x HTTP/1.1\r\nHost: b\r\n", 400),
        ("GET a HTTP/1.1\r\nHost: b\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: b\r\n", 400),
        ("GET /a#b HTTP/1.1\r\nHost: b\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: b\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: b\r\n", 204),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n", 404),
        ("GET / HTTP/2.0\r\nHost: b\r\n", 505),
        ("GET / HTTP/1.2\r\nHost: b\r\n", 505),
        ("GET /\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: b\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: b\r\n", 400),
        ("G\x01T / HTTP/1.1\r\nHost: b\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00", 400),
        (
            "POST / HTTP/1.1\r\nHost: b\r\nExpect: tea\r\nContent-Length: 1\r\n",
            417,
        ),
    ] {
        let (mut test, _) = echoing();
        let response = test.ask(format!("{head}\r\n"));
        assert_eq!(status(&response), expected, "{head:?}");
    }
}

#[test]
fn limits_of_a_head_have_their_statuses() {
    let limits = ServerLimits::default();
    assert_eq!(
        (
            limits.message.head_bytes,
            limits.message.header_count,
            limits.message.line_bytes
        ),
        (32 * 1024, 100, 8 * 1024)
    );
    assert_eq!(
        (limits.body_bytes, limits.connections),
        (2 * 1024 * 1024, 256)
    );
    let long = "x".repeat(9000);
    let many = "A: b\r\n".repeat(101);
    let large = format!("A: {}\r\n", "x".repeat(7000)).repeat(5);
    for (request, expected) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET /{long}"), 414),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\n\r\n"),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"), 431),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2097153\r\n\r\n".to_owned(),
            413,
        ),
    ] {
        let (mut test, notes) = echoing();
        let mut client = test.connect();
        let response = test.send(&mut client, &request);
        assert_eq!(status(&response), expected, "{:.60}", request);
        assert_eq!(header(&response, "connection"), Some("close"));
        assert_eq!(notes.take(), Vec::<String>::new());
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let requests = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
    for cut in 0..requests.len() {
        let (mut test, notes) = echoing();
        let mut client = test.connect();
        let mut responses = test.send(&mut client, &requests[..cut]);
        responses += &test.send(&mut client, &requests[cut..]);
        assert_eq!(notes.take(), ["GET /1", "POST /2", "GET /3"], "{cut}");
        assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), 3);
    }
}

#[test]
fn a_deferred_answer_holds_back_the_ones_behind_it() {
    let (mut test, _) = echoing();
    let kept: Arc<Mutex<Option<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/slow",
            move |request: &mut Request, _: &mut Response| {
                *keep.lock().unwrap() = Some(request.defer());
            },
        )
        .unwrap();
    test.server.route("GET", "/fast", answers("fast")).unwrap();
    let mut client = test.connect();
    let both = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(test.send(&mut client, both), "");
    kept.lock()
        .unwrap()
        .take()
        .unwrap()
        .respond(Response::text("slow"));
    let responses = test.settle(&mut client);
    assert!(responses.find("slow").unwrap() < responses.find("fast").unwrap());
}

#[test]
fn what_a_client_sends_ahead_is_bounded() {
    let (mut test, _) = echoing();
    let kept: Arc<Mutex<Vec<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/slow",
            move |request: &mut Request, _: &mut Response| {
                keep.lock().unwrap().push(request.defer());
            },
        )
        .unwrap();
    test.network.set_capacity(64 * 1024);
    let mut client = test.connect();
    test.send(&mut client, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut sent = 0;
    for _ in 0..100 {
        sent += client.write(&b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
        test.poll();
    }
    assert!(sent < 512 * 1024, "{sent}");
}

#[test]
fn http_1_0() {
    let (mut test, _) = echoing();
    test.server
        .route("GET", "/stream", |_: &mut Request| {
            Response::reader(&b"streamed"[..], None)
        })
        .unwrap();
    let mut client = test.connect();
    let response = test.send(&mut client, "GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        (status(&response), header(&response, "connection")),
        (200, Some("close"))
    );
    assert!(client.closed);
    let mut client = test.connect();
    let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!(
        header(&test.send(&mut client, request), "connection"),
        Some("keep-alive")
    );
    assert!(!client.closed);
    // Not chunked: the content ends with the connection.
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    assert_eq!(
        (body(&response), header(&response, "transfer-encoding")),
        ("streamed", None)
    );
    assert!(client.closed);
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answer() {
    let (mut test, notes) = echoing();
    let mut client = test.connect();
    client.write(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    let responses = test.settle(&mut client);
    assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(notes.take(), ["POST /1", "GET /2"]);
    assert!(client.closed && !client.reset);
    // The same for a deferred response.
    let mut test = test_server_with(Server::builder().not_found(NotFoundPolicy::Pull));
    let mut client = test.connect();
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    test.settle(&mut client);
    let mut request = test.server.next_request().unwrap();
    let responder = request.defer();
    assert!(responder.is_aborted());
    responder.respond(Response::text("still"));
    assert_eq!(body(&test.settle(&mut client)), "still");
    assert!(client.closed);
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_client_that_ends_in_the_middle_is_let_go() {
    for part in [
        "",
        "GET /",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
    ] {
        let (mut test, notes) = echoing();
        let mut client = test.connect();
        test.send(&mut client, part);
        client.half_close();
        assert_eq!(test.settle(&mut client), "");
        assert!(client.closed);
        assert_eq!(notes.take(), Vec::<String>::new());
        assert_eq!(test.server.metrics().open, 0);
    }
}

#[test]
fn one_hundred_continue_is_sent_when_the_content_is_wanted() {
    let (mut test, _) = echoing();
    test.server.route("GET", "/get", answers("got")).unwrap();
    let expecting = |path: &str, length: u64| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = test.connect();
    assert_eq!(
        test.send(&mut client, expecting("/", 2)),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    assert_eq!(body(&test.send(&mut client, "hi")), "hi");
    // A client that sends the content without waiting needs no `100`.
    let response = test.send(&mut client, expecting("/", 2) + "ho");
    assert!(response.ends_with("ho"), "{response}");
    // Too large: refused by the head alone.
    let response = test.ask(expecting("/", 3_000_000));
    assert_eq!(status(&response), 413);

    // A route that is called at the head of the request.
    let kept: Arc<Mutex<Option<(Content, Responder)>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "POST",
            "/head",
            move |request: &mut Request, response: &mut Response| {
                if request.header("x-refuse").is_some() {
                    response.set_status(403);
                } else if let Some(content) = request.take_content() {
                    *keep.lock().unwrap() = Some((content, request.defer()));
                }
            },
        )
        .unwrap()
        .at_head();
    let mut client = test.connect();
    assert_eq!(
        test.send(&mut client, expecting("/head", 6)),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    test.send(&mut client, "abc");
    let (mut content, responder) = kept.lock().unwrap().take().unwrap();
    assert!(matches!(content.next(), Piece::Bytes(bytes) if bytes == "abc"));
    assert!(matches!(content.next(), Piece::Pending));
    test.send(&mut client, "def");
    assert!(matches!(content.next(), Piece::Bytes(bytes) if bytes == "def"));
    assert!(matches!(content.next(), Piece::End(_)));
    responder.respond(Response::text("all"));
    assert_eq!(body(&test.settle(&mut client)), "all");
    let mut client = test.connect();
    let refused = expecting("/head", 6).replace("Host: a", "Host: a\r\nX-Refuse: 1");
    let response = test.send(&mut client, refused);
    assert_eq!(
        (status(&response), header(&response, "connection")),
        (403, Some("close"))
    );
    assert!(client.closed);
}

#[test]
fn an_early_answer_keeps_the_connection_if_little_is_left_and_else_closes_it_gently() {
    let (mut test, _) = echoing();
    test.server
        .handle("POST", "/no", |_: &mut Request, response: &mut Response| {
            response.set_status(403);
        })
        .unwrap()
        .at_head();
    // Short: the rest is read and dropped.
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab",
    );
    assert_eq!(status(&response), 403);
    let next = "cdGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(status(&test.send(&mut client, next)), 200);
    // Long: the response arrives although the client is still sending.
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    );
    assert_eq!(
        (status(&response), header(&response, "connection")),
        (403, Some("close"))
    );
    client.write(&[0; 5000]);
    test.poll();
    client.read();
    assert!(client.closed && !client.reset);
}

#[test]
fn however_the_network_cuts_it_the_conversation_is_the_same() {
    let requests = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\nPOST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nHEAD /large HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut expected = None;
    for transfer in [None, Some(1), Some(2), Some(7), Some(61), Some(1000)] {
        for bytes in [None, Some(3), Some(200)] {
            let (mut test, _) = echoing();
            test.server
                .route("GET", "/large", |_: &mut Request| {
                    Response::content("text/plain", "large ".repeat(500))
                })
                .unwrap();
            test.network.set_transfer_limit(transfer);
            if let Some(bytes) = bytes {
                test.budget = Budget::unlimited().with_bytes(bytes);
            }
            let mut client = test.connect();
            let mut unsent = requests.as_bytes();
            let mut polls = 0;
            while !client.closed {
                unsent = &unsent[client.write(unsent)..];
                test.poll();
                client.read();
                polls += 1;
                assert!(polls < 20_000, "{transfer:?} {bytes:?}: {}", client.text());
            }
            let text = client.text();
            assert!(text.ends_with("large "), "{transfer:?} {bytes:?}");
            assert_eq!(expected.get_or_insert_with(|| text.clone()), &text);
        }
    }
}
