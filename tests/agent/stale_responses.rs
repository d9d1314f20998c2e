//! Stored responses that are stale: validated, or used when the server fails (RFC 9111 §4.2.4, §4.3; RFC 5861).

use crate::caching::{URL, dated, setup};
use crate::support::run;
use httpoll::Request;
use httpoll::agent::CacheMode;
use httpoll::mock::MockResponse;
use std::time::Duration;

#[test]
fn what_is_stale_is_validated() {
    for (section, response, line, value) in [
        (
            "RFC 9110 §13.1.2",
            MockResponse::resource("body").etag("\"a\""),
            "if-none-match",
            "\"a\"",
        ),
        (
            "RFC 9110 §13.1.3",
            MockResponse::resource("body").last_modified("Sun, 06 Nov 1994 08:49:37 GMT"),
            "if-modified-since",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
    ] {
        let mut test = setup();
        test.server
            .get("/a")
            .reply(dated(response.header("Cache-Control", "max-age=1")));
        run(&test.network, &mut test.agent, Request::get(URL)).response();
        test.network.advance(Duration::from_secs(5));
        let second = run(&test.network, &mut test.agent, Request::get(URL));
        assert_eq!(
            second.response().status().as_u16(),
            200,
            "{section}: the 304 is between cache and server"
        );
        assert_eq!(second.response().text(), "body", "{section}");
        assert!(second.response().is_from_cache());
        assert_eq!(
            test.server.requests()[1].header(line),
            Some(value),
            "{section}"
        );
    }
}

#[test]
fn a_conditional_request_of_the_callers_own_gets_its_304() {
    // RFC 9111 §4.3.2.
    let mut test = setup();
    test.server
        .get("/a")
        .reply(MockResponse::resource("body").etag("\"a\""));
    let request = Request::get(URL).header("If-None-Match", "\"a\"");
    let outcome = run(&test.network, &mut test.agent, request);
    assert_eq!(outcome.response().status().as_u16(), 304);
}

#[test]
fn stale_if_error() {
    // RFC 5861 §4.
    for (section, control, failure, later, served) in [
        (
            "RFC 5861 §4",
            "max-age=1, stale-if-error=600",
            MockResponse::with_status(503),
            30,
            true,
        ),
        (
            "RFC 5861 §4",
            "max-age=1, stale-if-error=600",
            MockResponse::raw(""),
            30,
            true,
        ),
        (
            "RFC 5861 §4: too old",
            "max-age=1, stale-if-error=10",
            MockResponse::with_status(503),
            30,
            false,
        ),
        (
            "RFC 5861 §4: not asked for",
            "max-age=1",
            MockResponse::with_status(503),
            30,
            false,
        ),
        (
            "RFC 9111 §5.2.2.2",
            "max-age=1, stale-if-error=600, must-revalidate",
            MockResponse::with_status(503),
            30,
            false,
        ),
        (
            "RFC 5861 §4: 404 is an answer",
            "max-age=1, stale-if-error=600",
            MockResponse::with_status(404),
            30,
            false,
        ),
    ] {
        let mut test = setup();
        test.server
            .get("/a")
            .reply(dated(MockResponse::ok().header("Cache-Control", control)).bytes("old"))
            .then_reply(failure);
        run(&test.network, &mut test.agent, Request::get(URL)).response();
        test.network.advance(Duration::from_secs(later));
        let outcome = run(&test.network, &mut test.agent, Request::get(URL));
        let is_served = outcome
            .result
            .as_ref()
            .is_ok_and(|it| it.is_from_cache() && it.text() == "old");
        assert_eq!(is_served, served, "{section} {control}");
    }
}

#[test]
fn the_mode_stale_if_error_uses_any_stale_response_that_http_allows() {
    for (control, failure, status) in [
        ("max-age=1", MockResponse::with_status(503), 200),
        ("max-age=1", MockResponse::raw(""), 200),
        ("max-age=1", MockResponse::with_status(404), 404),
        (
            "max-age=1, must-revalidate",
            MockResponse::with_status(503),
            503,
        ),
        ("no-cache", MockResponse::with_status(503), 503),
    ] {
        let mut test = setup();
        test.server
            .get("/a")
            .reply(dated(MockResponse::ok().header("Cache-Control", control)).bytes("old"))
            .then_reply(failure);
        let request = || Request::get(URL).cache_mode(CacheMode::StaleIfError);
        run(&test.network, &mut test.agent, request()).response();
        // A year later.
        test.network
            .advance(Duration::from_secs(365 * 24 * 60 * 60));
        let outcome = run(&test.network, &mut test.agent, request());
        let response = outcome.response();
        assert_eq!(response.status().as_u16(), status, "{control}");
        let sent = &test.server.requests()[1];
        assert_eq!(sent.header("cache-control"), None, "it stays in the agent");
    }
}
