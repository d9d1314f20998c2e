//! Requests and responses as handlers see them: fields, content, status codes.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod serving;

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use httpoll::ErrorKind;
use httpoll::error::Misuse;
use httpoll::server::{BadRequest, Content, Piece, Request, Responder, Response};
use serde_json::json;
use serving::{DATE, Notes, answers, body, header, status, test_server};

#[test]
fn what_a_request_tells() {
    let mut test = test_server();
    test.server
        .route("POST", "/a/:b", |request: &mut Request| {
            json!({
                "target": request.target(), "path": request.path(), "b": request.param("b"),
                "method": request.method().as_str(), "host": request.host(),
                "ip": request.ip().to_string(), "v6": request.ipv6().is_some(),
                "query": request.query().iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
                "cookies": request.cookies().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
                "cookie_header": request.header("cookie"), "secure": request.is_secure(),
            })
        })
        .unwrap();
    let response = test.ask(
        "POST /a/x%20y?k=1&k=2&z HTTP/1.1\r\nHost: Ex.example:80\r\nCookie: s=1; t=x=y\r\nContent-Length: 0\r\n\r\n",
    );
    let described: serde_json::Value = serde_json::from_str(body(&response)).unwrap();
    assert_eq!(
        described,
        json!({
            "target": "/a/x%20y?k=1&k=2&z", "path": "/a/x%20y", "b": "x y", "method": "POST",
            "host": "ex.example", "ip": "127.0.0.1", "v6": false,
            "query": [["k", "1"], ["k", "2"], ["z", null]],
            "cookies": [["s", "1"], ["t", "x=y"]], "cookie_header": null, "secure": false,
        })
    );
}

#[test]
fn invalid_json_is_400() {
    let mut test = test_server();
    test.server
        .route(
            "POST",
            "/",
            |request: &mut Request| -> Result<Response, BadRequest> {
                Ok(Response::json(&request.json::<serde_json::Value>()?))
            },
        )
        .unwrap();
    let post = |text: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    };
    assert_eq!(body(&test.ask(post("{\"a\": 1}"))), "{\"a\":1}");
    assert_eq!(status(&test.ask(post("{"))), 400);
    assert_eq!(status(&test.ask(post(""))), 400);
}

#[test]
fn content_is_collected_as_bytes_in_both_framings_and_capped() {
    let mut test = test_server();
    test.server
        .route("POST", "/", |request: &mut Request| {
            Response::content("application/octet-stream", request.body().clone())
        })
        .unwrap()
        .max_body(8);
    let binary = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\xff\x00\xfe\r";
    let mut client = test.connect();
    test.send(&mut client, binary);
    assert!(client.received.ends_with(b"\r\n\r\n\xff\x00\xfe\r"));
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n";
    for end in 0..chunked.len() {
        let mut client = test.connect();
        test.send(&mut client, &chunked[..end]);
        assert_eq!(body(&test.send(&mut client, &chunked[end..])), "abcdefgh");
    }
    for too_large in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabcdefghi\r\n",
    ] {
        let mut client = test.connect();
        let response = test.send(&mut client, too_large);
        assert_eq!(status(&response), 413, "{too_large}");
    }
}

#[test]
fn what_a_response_gets() {
    let mut test = test_server();
    test.server
        .handle("GET", "/", |_: &mut Request, response: &mut Response| {
            response.write("hi");
        })
        .unwrap();
    assert_eq!(
        test.get("/"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{DATE}Content-Length: 2\r\n\r\nhi"
        )
    );
}

#[test]
fn what_a_handler_can_make_of_a_response() {
    let mut test = test_server();
    test.server
        .handle(
            "GET",
            "/",
            |request: &mut Request, response: &mut Response| match request
                .query_string()
                .unwrap_or_default()
            {
                "json" => drop(response.set_json(&json!({"a": 1}))),
                "redirect" => drop(response.write("gone").set_redirect("/there", 302)),
                "type" => drop(response.write("x").set_content_type("text/css")),
                "write" => drop(response.write("a").write(b"b").write("c")),
                "reader" => *response = Response::reader(&b"from a reader"[..], Some(13)),
                "chunks" => *response = Response::reader(&b"from a reader"[..], None),
                _ => {}
            },
        )
        .unwrap();
    let response = test.get("/?json");
    assert_eq!(
        (header(&response, "content-type"), body(&response)),
        (Some("application/json"), "{\"a\":1}")
    );
    let response = test.get("/?redirect");
    assert_eq!(
        (
            status(&response),
            header(&response, "location"),
            body(&response)
        ),
        (302, Some("/there"), "")
    );
    assert_eq!(
        header(&test.get("/?type"), "content-type"),
        Some("text/css")
    );
    assert_eq!(body(&test.get("/?write")), "abc");
    assert_eq!(body(&test.get("/?reader")), "from a reader");
    assert_eq!(
        body(&test.get("/?chunks")),
        "d\r\nfrom a reader\r\n0\r\n\r\n"
    );
}

#[test]
fn a_reader_that_panics_or_counts_wrongly_ends_only_its_own_response() {
    struct Counts;
    impl Read for Counts {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            Ok(into.len() + 1)
        }
    }
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("no such level")
        }
    }
    let mut test = test_server();
    test.server
        .route("GET", "/:reader/:length", |request: &mut Request| {
            let length = request.param("length").unwrap().parse().ok();
            match request.param("reader").unwrap() {
                "counts" => Response::reader(Counts, length),
                _ => Response::reader(Panics, length),
            }
        })
        .unwrap();
    test.server.route("GET", "/", answers("works")).unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    let panicked = "a handler panicked: no such level";
    let counted = "a response cannot be sent: a reader returned a length beyond its buffer";
    for (path, error) in [
        ("/panics/5", panicked),
        ("/panics/unknown", panicked),
        ("/counts/5", counted),
        ("/counts/unknown", counted),
    ] {
        let mut client = test.connect();
        let response = test.send(
            &mut client,
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!((status(&response), body(&response)), (200, ""), "{path}");
        assert!(client.closed, "{path}");
        assert_eq!(notes.take(), [error], "{path}");
        assert_eq!(body(&test.get("/")), "works");
    }
}

#[test]
fn unknown_status_codes_are_sent() {
    let mut test = test_server();
    test.server
        .route("GET", "/:code", |request: &mut Request| {
            Response::status(request.param("code").unwrap().parse().unwrap())
        })
        .unwrap();
    for code in [200, 218, 299, 444, 499, 599, 799, 999] {
        let response = test.get(&format!("/{code}"));
        assert_eq!(status(&response), code);
    }
    assert!(test.get("/218").starts_with("HTTP/1.1 218 \r\n"));
    assert_eq!(header(&test.get("/204"), "content-length"), None);
    assert_eq!(header(&test.get("/304"), "content-length"), None);
}

#[test]
fn codes_go_out_with_the_phrases_of_the_registry() {
    let mut test = test_server();
    test.server
        .route("GET", "/:code", |request: &mut Request| {
            Response::status(request.param("code").unwrap().parse().unwrap())
        })
        .unwrap();
    let finals = [
        200..=208,
        226..=226,
        300..=305,
        307..=308,
        400..=418,
        421..=424,
    ];
    let more = [
        426..=426,
        428..=429,
        431..=431,
        451..=451,
        500..=508,
        510..=511,
    ];
    for code in finals.into_iter().chain(more).flatten() {
        let phrase = http::StatusCode::from_u16(code).unwrap();
        let phrase = phrase.canonical_reason().unwrap_or_default();
        let line = format!("HTTP/1.1 {code} {phrase}\r\n");
        let answer = test.get(&format!("/{code}"));
        assert!(answer.starts_with(&line), "{answer}");
    }
}

#[test]
fn nothing_can_be_injected_into_a_response() {
    let mut response = Response::new();
    for (name, value) in [
        ("X", "a\r\nb: c"),
        ("X", "a\nb"),
        ("X", "a\0"),
        ("X\r\n", "a"),
        ("X:", "a"),
        ("", "a"),
    ] {
        for result in [
            response.set_header(name, value).map(drop),
            response.append_header(name, value).map(drop),
        ] {
            let error = result.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Misuse(Misuse::InvalidHeader));
        }
    }
    assert!(response.headers().is_empty());
    response.append_header("X", "  two  words ").unwrap();
    assert_eq!(response.headers().get("x"), Some(&b"two  words"[..]));
}

#[test]
fn content_that_nobody_takes_stops_its_sender() {
    let mut test = test_server();
    test.network.set_capacity(64 * 1024);
    let kept: Arc<Mutex<Option<(Content, Responder)>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "PUT",
            "/",
            move |request: &mut Request, _: &mut Response| {
                let content = request.take_content().unwrap();
                *keep.lock().unwrap() = Some((content, request.defer()));
            },
        )
        .unwrap()
        .at_head();
    let mut client = test.connect();
    let length = 8 * 1024 * 1024;
    test.send(
        &mut client,
        format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"),
    );
    let mut sent = 0;
    for _ in 0..200 {
        sent += client.write(&vec![7; (length - sent).min(100_000)]);
        test.poll();
    }
    assert!(sent < 2 * 1024 * 1024, "{sent}");
    let (mut content, responder) = kept.lock().unwrap().take().unwrap();
    let mut taken = 0;
    loop {
        match content.next() {
            Piece::Bytes(bytes) => taken += bytes.len(),
            Piece::Pending => {
                sent += client.write(&vec![7; (length - sent).min(100_000)]);
                test.poll();
            }
            Piece::End(_) => break,
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(taken, length);
    responder.respond(Response::status(204));
    assert_eq!(status(&test.settle(&mut client)), 204);
}

#[test]
fn trailers_arrive() {
    let mut test = test_server();
    test.server
        .route("POST", "/", |request: &mut Request| {
            String::from_utf8_lossy(request.trailers().get("x-sum").unwrap_or_default())
                .into_owned()
        })
        .unwrap();
    let response = test.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 42\r\n\r\n");
    assert_eq!(body(&response), "42");
}

#[test]
fn a_reader_that_ends_early_cuts_its_response_and_the_fault_says_so() {
    let mut test = test_server();
    test.server
        .route("GET", "/:length", |request: &mut Request| {
            let length = request.param("length").unwrap().parse().ok();
            Response::reader(io::Cursor::new(b"12345"), length)
        })
        .unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    for (path, content, error) in [
        ("/unknown", "5\r\n12345\r\n0\r\n\r\n", None),
        ("/4", "1234", None),
        ("/5", "12345", None),
        (
            "/6",
            "12345",
            Some("a response cannot be sent: the content ended too early"),
        ),
    ] {
        let mut client = test.connect();
        let response = test.send(
            &mut client,
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!((status(&response), body(&response)), (200, content));
        assert_eq!(client.closed, error.is_some(), "{path}");
        let errors = notes.take();
        assert_eq!(errors.first().map(String::as_str), error, "{path}");
    }
}
