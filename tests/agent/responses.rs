//! What comes back: heads, content in each framing, and what is known of how it came.

use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::MockResponse;
use httpoll::{
    Agent, Bytes, ErrorKind, Event, Request, Response,
    agent::Hop,
    error::{FrameFault, Misuse, PeerMisbehaved},
};

use crate::support::{Outcome, chunks, pattern, run, script, script_closing, setup};

/// The outcome of one request to a server that sends these bytes and closes.
fn answered(answer: &[u8]) -> Outcome {
    let network = MemoryNetwork::new();
    script_closing(&network, "game.example", "10.9.0.1:80", answer);
    let mut agent = Agent::on_memory(&network);
    run(&network, &mut agent, Request::get("http://game.example/"))
}

#[test]
fn versions_statuses_and_reasons() {
    for (line, version, status, reason) in [
        ("HTTP/1.1 200 OK", http::Version::HTTP_11, 200, "OK"),
        (
            "HTTP/1.0 404 Not Found",
            http::Version::HTTP_10,
            404,
            "Not Found",
        ),
        ("HTTP/1.1 799 Odd", http::Version::HTTP_11, 799, "Odd"),
        ("HTTP/1.1 200", http::Version::HTTP_11, 200, ""),
        ("HTTP/1.1 200 ", http::Version::HTTP_11, 200, ""),
        ("HTTP/1.1 200 Ähm", http::Version::HTTP_11, 200, "Ähm"),
    ] {
        let outcome = answered(format!("{line}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        let response = outcome.response();
        assert_eq!(
            (response.version(), response.status().as_u16()),
            (version, status),
            "{line}"
        );
        assert_eq!(response.reason(), reason);
    }
}

#[test]
fn headers_in_any_case_with_order_and_duplicates() {
    let outcome =
        answered(b"HTTP/1.1 200 OK\r\nX-B: 1\r\nx-a:2\r\nX-b:  3 \r\nContent-Length: 0\r\n\r\n");
    let headers = outcome.response().headers();
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(value)))
        .collect();
    assert_eq!(lines[0], ("X-B", "1".into()));
    assert_eq!(lines[2], ("X-b", "3".into()));
    assert_eq!(headers.get_all("x-B").collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(outcome.response().header("X-A"), Some("2"));
}

#[test]
fn the_time_taken_is_by_the_monotonic_clock_and_over_redirects() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::with_status(302)
            .header("Location", "/b")
            .delay(Duration::from_millis(300)),
    );
    server
        .get("/b")
        .reply(MockResponse::ok().delay(Duration::from_millis(200)));
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    let taken = outcome.response().time_taken();
    assert!((500..=540).contains(&taken.as_millis()), "{taken:?}");
    let timings = outcome.response().timings();
    assert!(
        (300..=320).contains(&timings.redirect.as_millis()),
        "{timings:?}"
    );
    assert!(timings.redirect <= timings.starttransfer && timings.starttransfer <= timings.total);
}

#[test]
fn redirects_are_counted_and_the_responder_named() {
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(302).header("Location", "b"));
    server
        .get("/b")
        .reply(MockResponse::with_status(301).header("Location", "/c?d#e"));
    server.get("/c").reply(MockResponse::ok());
    for (path, count, responder) in [
        ("/a", 2, "http://game.example/c?d#e"),
        ("/c", 0, "http://game.example/c"),
    ] {
        let outcome = run(
            &network,
            &mut agent,
            Request::get(format!("http://game.example{path}")),
        );
        assert_eq!(outcome.response().redirects(), count);
        assert_eq!(outcome.response().url().unwrap().as_str(), responder);
    }
}

#[test]
fn content_is_binary_safe_in_each_framing_collected_and_streamed() {
    // What a careless parser takes for the end of chunks is content here.
    let mut content = b"a\0b\xff0\r\n\r\n0\r\n\r\nend\r\n\r\n".to_vec();
    content.extend_from_slice(&pattern(3000));
    let pieces: Vec<Vec<u8>> = content.chunks(7).map(<[u8]>::to_vec).collect();
    for response in [
        MockResponse::ok().bytes(content.clone()),
        MockResponse::ok().chunked(pieces),
        MockResponse::ok().until_close(content.clone()),
    ] {
        for limit in [None, Some(1), Some(13)] {
            for stream in [false, true] {
                let (network, server, mut agent) = setup();
                network.set_transfer_limit(limit);
                server.get("/").reply(response.clone());
                let mut request = Request::get("http://game.example/");
                if stream {
                    request = request.stream();
                }
                let outcome = run(&network, &mut agent, request);
                let got = if stream {
                    chunks(&outcome.events)
                } else {
                    outcome.response().body().to_vec()
                };
                assert!(got == content, "{response:?} {limit:?} {stream}");
                assert_eq!(
                    outcome.response().transferred().received,
                    content.len() as u64
                );
                if stream {
                    assert_eq!(*outcome.response().body(), Bytes::new());
                }
            }
        }
    }
}

#[test]
fn text_and_json() {
    let with = |body: &'static [u8]| Response::new(200).with_body(body);
    assert_eq!(with(b"").text(), "");
    assert_eq!(with(b"h\xff").text(), "h\u{fffd}");
    assert_eq!(
        with(b"{\"a\":[1]}").json::<serde_json::Value>().unwrap()["a"][0],
        1
    );
    for bad in [&b""[..], b"{", b"[1,]", b"\xff"] {
        let error = Response::new(200)
            .with_body(bad)
            .json::<serde_json::Value>()
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::InvalidJson);
    }
}

#[test]
fn each_set_cookie_line_is_there() {
    let outcome = answered(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n");
    let cookies: Vec<_> = outcome.response().cookies().collect();
    assert_eq!(cookies, [&b"a=1; Path=/"[..], b"b=2"]);
}

#[test]
fn responses_can_be_built_printed_and_converted_to_json() {
    let url: url::Url = "http://game.example/b".parse().unwrap();
    let hop = Hop::new(
        "http://game.example/a".parse().unwrap(),
        http::StatusCode::FOUND,
    );
    let mut timings = httpoll::agent::Timings::default();
    timings.total = Duration::from_millis(1500);
    let response = Response::new(404)
        .with_header("X-A", "1")
        .unwrap()
        .with_header("Set-Cookie", "secret=1")
        .unwrap()
        .with_body("gone")
        .with_url(url.clone(), vec![hop])
        .with_timings(timings);
    assert_eq!(
        (
            response.redirects(),
            response.url(),
            response.time_taken().as_millis()
        ),
        (1, Some(&url), 1500)
    );
    assert_eq!(
        response.to_string(),
        "HTTP/1.1 404 Not Found\nX-A: 1\n(4 bytes)"
    );
    let json = response.to_json();
    assert_eq!(
        (&json["status"], &json["body"], &json["redirects"]),
        (&404.into(), &"gone".into(), &1.into())
    );
    assert!(
        !json.to_string().contains("secret")
            && !format!("{response:?}{response}").contains("secret")
    );
    assert_eq!(
        *response.error_for_status().unwrap_err().kind(),
        ErrorKind::Status(404)
    );
    assert!(Response::new(200).error_for_status().is_ok());
    assert_eq!(Response::new(9).status().as_u16(), 500);
    let error = Response::new(200).with_header("X", "a\r\nb").unwrap_err();
    assert_eq!(*error.kind(), Misuse::InvalidHeader.into());
}

#[test]
fn trailers_and_extensions() {
    let outcome = answered(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=\"a;b\"\r\nabc\r\n00;x\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n",
    );
    assert_eq!(outcome.response().text(), "abc");
    assert_eq!(outcome.response().trailers().get("x-sum"), Some(&b"7"[..]));
    assert!(
        outcome.response().headers().get("x-sum").is_none(),
        "RFC 9110 §6.5.1"
    );
}

#[test]
fn interim_responses_are_skipped() {
    let outcome = answered(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(
        (outcome.response().text(), outcome.response().header("link")),
        ("hi".to_owned(), None)
    );
}

#[test]
fn content_cut_short_is_an_error_with_what_came() {
    for (answer, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"[..],
            Some(10),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            None,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
            None,
        ),
    ] {
        let (error, response) = answered(answer).result.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Truncated {
                received: 3,
                expected
            }
        );
        let response = response.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (200, "abc".to_owned())
        );
    }
}

#[test]
fn until_the_connection_ends() {
    let outcome = answered(b"HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_eq!(outcome.response().text(), "all of it");
    let head = outcome.events.iter().find_map(|event| match event {
        Event::Head { content_length, .. } => Some(*content_length),
        _ => None,
    });
    assert_eq!(head, Some(None));
}

#[test]
fn a_204_or_304_has_no_content_despite_its_length() {
    // A 304 may have the length of the 200 (RFC 9110 §8.6). A 204 may not: perhaps the content follows.
    for (status, reuses) in [(204, false), (304, true)] {
        let network = MemoryNetwork::new();
        let first =
            format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n");
        let second = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        script(
            &network,
            "game.example",
            "10.9.0.1:80",
            &[first.as_bytes(), second],
        );
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(outcome.response().body(), "", "{status}");
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(outcome.response().body(), "hi");
        let reused = outcome.response().connection().unwrap().reused;
        assert_eq!(reused, reuses, "{status}");
    }
}

#[test]
fn chunked_wins_over_a_length() {
    let outcome = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(outcome.response().text(), "hello");
    let outcome =
        answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Peer(PeerMisbehaved::ConflictingContentLength)
    );
}

#[test]
fn facts_about_the_connection() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let first = run(&network, &mut agent, Request::get("http://game.example/"));
    let second = run(&network, &mut agent, Request::get("http://game.example/"));
    let info = first.response().connection().unwrap();
    assert_eq!(info.peer_address, Some(server.addresses()[0]));
    assert_eq!((info.reused, info.opened), (false, 1));
    assert!(info.tls.is_none());
    let info = second.response().connection().unwrap();
    assert_eq!((info.reused, info.opened), (true, 0));
}

#[test]
fn a_byte_order_mark_before_text_and_json_is_ignored() {
    let json = Response::new(200).with_body("\u{feff}{\"a\": 1}");
    let value: serde_json::Value = json.json().unwrap();
    assert_eq!(value["a"], 1);
    assert_eq!(Response::new(200).with_body("\u{feff}hi").text(), "hi");
    // Only one, and only at the beginning.
    let text = Response::new(200)
        .with_body("\u{feff}\u{feff}a\u{feff}")
        .text();
    assert_eq!(text, "\u{feff}a\u{feff}");
    assert_eq!(
        Response::new(200).with_body(&b"\xef\xbb"[..]).text(),
        "\u{fffd}"
    );
    let mut lines = httpoll::frames::JsonLines::new();
    lines.push("\u{feff}{\"a\": 1}\n\u{feff}{}\n".as_bytes());
    assert_eq!(lines.next_value().unwrap().unwrap()["a"], 1);
    assert_eq!(lines.next_value(), Err(FrameFault::NotJson { column: 1 }));
}
