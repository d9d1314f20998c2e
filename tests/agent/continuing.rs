//! Responses that were cut short: continued where they stopped, or restarted (RFC 9110 §13.1.5, §14.2).

use crate::retries::policy;
use crate::support::{run, setup};
use http::StatusCode;
use httpoll::mock::MockResponse;
use httpoll::{ErrorKind, Request};

#[test]
fn a_response_that_was_cut_short_continues_where_it_stopped() {
    // RFC 9110 §13.1.5, §14.2: with a strong validator only the rest is requested.
    let (network, server, mut agent) = setup();
    let content = crate::support::pattern(50_000);
    let whole = MockResponse::resource(content.clone()).etag("\"a\"");
    server
        .get("/")
        .reply(whole.clone().cut_after(20_000))
        .then_reply(whole);
    let request = Request::get("http://game.example/")
        .retries(policy())
        .decompress(false);
    let outcome = run(&network, &mut agent, request);
    assert!(*outcome.response().body() == content);
    assert_eq!(
        outcome.response().status().as_u16(),
        200,
        "to the caller it is one response"
    );
    assert_eq!(outcome.response().header("content-length"), Some("50000"));
    let again = &server.requests()[1];
    assert_eq!(again.header("range"), Some("bytes=20000-"));
    assert_eq!(again.header("if-range"), Some("\"a\""));
}

#[test]
fn a_response_that_cannot_be_continued_restarts() {
    let first = crate::support::pattern(50_000);
    let second = vec![7; 30_000];
    let changed = |etag| MockResponse::resource(second.clone()).etag(etag);
    // A server that knows nothing of If-Range, and sends what is there, under another tag.
    let careless = MockResponse::with_status(206)
        .etag("\"b\"")
        .header("Content-Range", "bytes 20000-29999/30000")
        .bytes(second[20_000..].to_vec());
    let elsewhere = MockResponse::with_status(206)
        .etag("\"a\"")
        .header("Content-Range", "bytes 10000-29999/30000")
        .bytes(second[10_000..].to_vec());
    let beyond = MockResponse::with_status(416).header("Content-Range", "bytes */30000");
    for (section, middle) in [
        ("RFC 9110 §13.1.5: 200", changed("\"b\"")),
        ("RFC 9110 §15.3.7.3: the tag differs", careless),
        ("RFC 9110 §15.3.7: another part", elsewhere),
        ("RFC 9110 §15.5.17", beyond),
    ] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(
                MockResponse::resource(first.clone())
                    .etag("\"a\"")
                    .cut_after(20_000),
            )
            .then_reply(middle)
            .then_reply(changed("\"b\""));
        let request = Request::get("http://game.example/")
            .retries(policy())
            .decompress(false);
        let outcome = run(&network, &mut agent, request);
        assert_eq!(outcome.response().status().as_u16(), 200, "{section}");
        assert!(*outcome.response().body() == second, "{section}");
    }
}

#[test]
fn an_attempt_without_content_does_not_lose_received_content() {
    let (network, server, mut agent) = setup();
    let content = crate::support::pattern(50_000);
    let whole = MockResponse::resource(content.clone()).etag("\"a\"");
    server
        .get("/")
        .reply(whole.clone().cut_after(20_000))
        .then_reply(MockResponse::raw(""))
        .then_reply(MockResponse::with_status(503))
        .then_reply(whole);
    let request = Request::get("http://game.example/")
        .retries(policy())
        .decompress(false)
        .stream();
    let outcome = run(&network, &mut agent, request);
    assert!(crate::support::chunks(&outcome.events) == content);
    assert_eq!(outcome.response().attempts(), 4);
}

#[test]
fn a_stream_that_was_cut_twice_brings_each_byte_once() {
    // The second attempt brings nothing; the third must still continue after the first.
    let content = crate::support::pattern(50_000);
    let whole = MockResponse::resource(content.clone()).etag("\"a\"");
    for middle in [
        MockResponse::raw(""),
        MockResponse::with_status(503),
        MockResponse::with_status(503)
            .bytes(vec![0; 500])
            .reset_after(100),
    ] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(whole.clone().cut_after(20_000))
            .then_reply(middle)
            .then_reply(whole.clone());
        let request = Request::get("http://game.example/")
            .stream()
            .retries(policy())
            .decompress(false);
        let outcome = run(&network, &mut agent, request);
        outcome.response();
        assert!(crate::support::chunks(&outcome.events) == content);
        let again = &server.requests()[2];
        assert_eq!(again.header("range"), Some("bytes=20000-"));
    }
}

#[test]
fn a_stream_that_was_cut_short_does_not_restart_elsewhere() {
    let (network, server, mut agent) = setup();
    let content = crate::support::pattern(50_000);
    server
        .get("/")
        .reply(
            MockResponse::resource(content.clone())
                .etag("\"a\"")
                .cut_after(20_000),
        )
        .then_reply(MockResponse::with_status(302).header("Location", "/other"));
    server
        .get("/other")
        .reply(MockResponse::resource(vec![7; 50_000]));
    let request = Request::get("http://game.example/")
        .stream()
        .retries(policy())
        .decompress(false);
    let outcome = run(&network, &mut agent, request);
    assert!(
        matches!(outcome.error().kind(), ErrorKind::Status(302)),
        "{}",
        outcome.error()
    );
    assert!(crate::support::chunks(&outcome.events) == content[..20_000]);
}

#[test]
fn content_that_was_complete_when_the_connection_broke_is_the_response() {
    // RFC 9110 §15.5.17: nothing follows the end. The caller sees the head that was reported first.
    let content = crate::support::pattern(20_000);
    let whole = MockResponse::resource(content.clone()).etag("\"a\"");
    for streams in [false, true] {
        let (network, server, mut agent) = setup();
        let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nX-Seen: 1\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n";
        let cut = [cut.as_bytes(), &content, b"\r\n"].concat();
        server
            .get("/")
            .reply(MockResponse::raw(cut))
            .then_reply(whole.clone());
        let mut request = Request::get("http://game.example/")
            .retries(policy())
            .decompress(false);
        if streams {
            request = request.stream();
        }
        let outcome = run(&network, &mut agent, request);
        let response = outcome.response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.header("x-seen"), Some("1"));
        let streamed = crate::support::chunks(&outcome.events);
        assert!(if streams {
            streamed == content
        } else {
            *response.body() == content
        });
        assert_eq!(server.requests().len(), 2);
    }
}
