#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::PeerMisbehaved;

fn parse(text: &str) -> Request {
    let (request, consumed) = Request::parse(text.as_bytes(), &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(consumed, text.len());
    request
}

fn get(target: &str) -> Request {
    parse(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

#[test]
fn target_path_method_and_version() {
    for (target, path, query) in [
        ("/", "/", None),
        ("/a/b?c=d?e", "/a/b", Some("c=d?e")),
        ("/a%20b?", "/a%20b", Some("")),
        ("http://x.example/a?b", "/a", Some("b")),
        ("http://x.example", "/", None),
        ("http://x.example?b", "/", Some("b")),
    ] {
        let request = get(target);
        assert_eq!((request.target(), request.path()), (target, path));
        assert_eq!(request.query_string(), query, "{target}");
    }
    let request = parse("PURGE /x HTTP/1.0\r\n\r\n");
    assert_eq!(request.method().as_str(), "PURGE");
    assert_eq!(request.version(), Version::HTTP_10);
    assert_eq!(get("/a%20%C3%A4").decoded_path(), "/a \u{e4}");
    assert_eq!(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path(), "*");
}

#[test]
fn the_host_has_no_port_and_may_be_a_literal() {
    for (host, expected) in [
        ("Example.com", "example.com"),
        ("example.com:8080", "example.com"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("127.0.0.1:1", "127.0.0.1"),
    ] {
        let request = parse(&format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil\r\n\r\n"
        ));
        assert_eq!(request.host().as_deref(), Some(expected));
    }
    assert_eq!(
        get("http://b.example:1/x").host().as_deref(),
        Some("b.example")
    );
    assert_eq!(parse("GET / HTTP/1.0\r\n\r\n").host(), None);
}

#[test]
fn cookies_leave_the_headers() {
    let request = parse(
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=x=y\r\nX: 1\r\ncookie: c=\"q\"; broken; d=\r\n\r\n",
    );
    assert!(
        request
            .cookies()
            .eq([("a", "1"), ("b", "x=y"), ("c", "q"), ("d", "")])
    );
    assert_eq!(request.cookie("b"), Some("x=y"));
    assert_eq!(request.cookie("z"), None);
    assert_eq!(request.headers().len(), 2);
    assert_eq!(request.header("x"), Some("1"));
}

/// What `on_error` hooks get to know.
fn reason(refused: &crate::server::BadRequest) -> String {
    std::error::Error::source(refused).unwrap().to_string()
}

#[test]
fn content_is_bytes_and_json_on_demand() {
    let request = parse(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    );
    assert_eq!(request.json::<serde_json::Value>().unwrap()["a"], 1);
    let typed: std::collections::BTreeMap<String, u8> = request.json().unwrap();
    assert_eq!(typed, [("a".to_owned(), 1)].into());
    let other = reason(&request.json::<Vec<u8>>().unwrap_err());
    assert!(other.contains("expected a sequence"), "{other}");
    assert_eq!(request.media_type(), "application/json");
    assert_eq!(request.text(), Ok("{\"a\":1}"));
    let request = parse("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{");
    let broken = reason(&request.json::<serde_json::Value>().unwrap_err());
    assert!(broken.contains("line 1 column 1"), "{broken}");
    assert_eq!(request.media_type(), "");
}

#[test]
fn a_request_is_parsed_without_a_socket() {
    let whole = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\nGET";
    for end in 0..whole.len() - 3 {
        assert!(
            Request::parse(&whole[..end], &Limits::default())
                .unwrap()
                .is_none()
        );
    }
    let (request, consumed) = Request::parse(whole, &Limits::default()).unwrap().unwrap();
    assert_eq!(consumed, whole.len() - 3);
    assert_eq!(request.body(), "abc");
    assert_eq!(request.trailers().get("x-sum"), Some(&b"1"[..]));
    let error = Request::parse(b"GET / HTTP/1.1\r\n\r\n", &Limits::default()).unwrap_err();
    assert_eq!(*error.kind(), PeerMisbehaved::InvalidHost.into());
}

#[test]
fn debug_shows_no_query() {
    assert!(!format!("{:?}", get("/a?token=secret")).contains("secret"));
}
