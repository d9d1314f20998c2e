//! What RFC 9110 demands of an origin server whatever the handlers do, and requests that ask for something else than
//! they seem to. Framing and smuggling are in `server_wire`.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use httpoll::server::{Request, Response};
use serving::{Notes, TestServer, answers, body, header, status, test_server};

/// A server with one route for `GET` and `POST`, and what reached it.
fn noting() -> (TestServer, Notes) {
    let mut test = test_server();
    let notes = Notes::default();
    for method in ["GET", "POST"] {
        let seen = notes.clone();
        test.server
            .handle(
                method,
                "/*",
                move |request: &mut Request, response: &mut Response| {
                    seen.add(format!("{} {}", request.method(), request.target()));
                    for name in ["authorization", "content-type", "x-sum"] {
                        if request.header(name).is_some() {
                            seen.add(format!("field {name}"));
                        }
                    }
                    for (name, _) in request.trailers().iter() {
                        seen.add(format!("trailer {}", name.to_lowercase()));
                    }
                    response.write(request.body());
                },
            )
            .unwrap();
    }
    (test, notes)
}

#[test]
fn every_response_has_a_date() {
    // RFC 9110 §6.6.1: all but 1xx and 5xx must, where there is a clock.
    let large = format!("X: {}\r\n", "x".repeat(9000));
    for (request, expected) in [
        ("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204),
        ("PUT /x HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /x HTTP/1.1\r\n\r\n", 400),
        ("GET /x HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("not HTTP\r\n\r\n", 400),
        (
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n",
            413,
        ),
        (
            "POST /x HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n",
            417,
        ),
        (&*format!("GET /x HTTP/1.1\r\nHost: a\r\n{large}\r\n"), 431),
    ] {
        let (mut test, _) = noting();
        let response = test.ask(request);
        assert_eq!(status(&response), expected, "{request:.40}");
        let dates = serving::headers(&response, "date");
        assert_eq!(dates, ["Thu, 01 Jan 2026 00:00:00 GMT"], "{request:.40}");
    }
}

#[test]
fn a_head_gets_the_fields_of_a_get_and_no_content() {
    // RFC 9110 §9.3.2.
    let (mut test, _) = noting();
    test.server
        .route("GET", "/text", answers("some text"))
        .unwrap();
    let mut client = test.connect();
    for path in ["/text", "/other", "/text?q"] {
        let response = test.send(
            &mut client,
            format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!(status(&response), 200, "{path}");
        assert_eq!(body(&response), "", "{path}");
    }
    let response = test.send(&mut client, "HEAD /text HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(header(&response, "content-length"), Some("9"));
    // An error has none either, although it would have an explanation.
    let mut plain = test_server();
    plain.server.route("GET", "/", answers("x")).unwrap();
    let mut client = plain.connect();
    let response = plain.send(&mut client, "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((status(&response), body(&response)), (404, ""));
    let next = plain.send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((status(&next), body(&next)), (200, "x"));
}

#[test]
fn nothing_after_connection_close_is_read_as_a_request() {
    // RFC 9112 §9.6.
    for close in [
        "close",
        "Close",
        "keep-alive, close",
        "x\r\nConnection: close",
    ] {
        let (mut test, notes) = noting();
        let mut client = test.connect();
        let response = test.send(
            &mut client,
            format!(
                "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: {close}\r\n\r\n\
                 GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
        );
        assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{close}");
        assert_eq!(header(&response, "connection"), Some("close"), "{close}");
        assert!(client.closed, "{close}");
        assert_eq!(notes.take(), ["GET /1"], "{close}");
    }
}

#[test]
fn a_coding_in_http_1_0_is_refused() {
    // RFC 9112 §6.1: an HTTP/1.0 proxy in between would not have understood it.
    let (mut test, notes) = noting();
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        "POST /1 HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(status(&response), 400);
    assert_eq!(response.matches("HTTP/1.1 ").count(), 1);
    assert!(client.closed);
    assert_eq!(notes.take(), Vec::<String>::new());
}

#[test]
fn trailers_of_a_request_change_nothing_of_its_head() {
    // RFC 9110 §6.5.1.
    let (mut test, notes) = noting();
    let mut client = test.connect();
    let response = test.send(
        &mut client,
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         2\r\nhi\r\n0\r\nHost: b\r\nAuthorization: Basic eA==\r\nContent-Length: 99\r\n\
         Transfer-Encoding: chunked\r\nContent-Type: text/html\r\nX-Sum: 7\r\n\r\n\
         GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 2, "{response}");
    assert_eq!(notes.take(), ["POST /1", "trailer x-sum", "GET /2"]);
}

#[test]
fn chunk_extensions_of_a_request_are_bounded() {
    let (mut test, notes) = noting();
    let mut client = test.connect();
    let chunks = format!("1;{}\r\nx\r\n", "e".repeat(4000)).repeat(5);
    let response = test.send(
        &mut client,
        format!("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
    );
    assert_eq!(status(&response), 400);
    assert!(client.closed);
    assert_eq!(notes.take(), Vec::<String>::new());
}

#[test]
fn an_upgrade_that_is_not_offered_is_ignored() {
    // RFC 9110 §7.8: the server may stay with HTTP/1.1. In HTTP/1.0 it must.
    for (version, upgrade) in [
        ("1.1", "h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
        ("1.1", "TLS/1.0"),
        ("1.1", "websocket"),
        (
            "1.0",
            "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
    ] {
        let (mut test, notes) = noting();
        let response = test.ask(format!(
            "GET /1 HTTP/{version}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
        ));
        assert_eq!(status(&response), 200, "{upgrade}");
        assert_eq!(header(&response, "upgrade"), None, "{upgrade}");
        assert_eq!(notes.take(), ["GET /1"], "{upgrade}");
    }
}

#[test]
fn a_trace_is_not_sent_back() {
    // RFC 9110 §9.3.8: what it would show may be secret.
    let (mut test, notes) = noting();
    let response = test.ask("TRACE /1 HTTP/1.1\r\nHost: a\r\nCookie: a=secret\r\n\r\n");
    assert_eq!(status(&response), 405);
    assert!(!response.contains("secret"), "{response}");
    assert_eq!(notes.take(), Vec::<String>::new());
}
