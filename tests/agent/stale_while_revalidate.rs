//! Stale responses that are delivered at once while the agent validates them (RFC 5861 §3).

use std::time::Duration;

use httpoll::agent::CacheMode;
use httpoll::mock::MockResponse;
use httpoll::{Event, Request, RequestHandle, Response};

use crate::caching::{Setup, URL, dated, setup};
use crate::support::{FRAME, run};

const CONTROL: &str = "max-age=1, stale-while-revalidate=60";

fn polled(text: &str) -> MockResponse {
    MockResponse::ok()
        .header("Cache-Control", CONTROL)
        .text(text)
}

/// Runs frames, and returns the events of the cache. Each other event must belong to one of the requests.
fn updates(test: &mut Setup, frames: usize, known: &[&RequestHandle]) -> Vec<Event> {
    let mut updates = Vec::new();
    for _ in 0..frames {
        test.agent.poll();
        while let Some(event) = test.agent.next_event() {
            match event {
                Event::CacheUpdated { .. } => {
                    assert!(event.id().is_none() && !event.is_final());
                    updates.push(event);
                }
                Event::Suspended => {}
                event => assert!(
                    known.iter().any(|it| event.id() == Some(it.id())),
                    "{event:?}"
                ),
            }
        }
        test.network.advance(FRAME);
    }
    updates
}

/// The URL and the response of the only update.
fn only(updates: Vec<Event>) -> (String, Response) {
    let mut updates = updates.into_iter();
    let Some(Event::CacheUpdated { url, response, .. }) = updates.next() else {
        panic!("the cache was not updated")
    };
    assert!(updates.next().is_none());
    (url.to_string(), *response)
}

/// Lets the cache get this response, and time pass until it is stale.
fn with_stale(test: &mut Setup) {
    let first = run(&test.network, &mut test.agent, Request::get(URL));
    assert!(!first.response().is_from_cache());
    test.network.advance(Duration::from_secs(10));
}

#[test]
fn a_stale_response_is_delivered_at_once_and_the_fresh_one_as_an_event() {
    for (second, text, confirms) in [
        (dated(polled("new")), "new", false),
        (
            MockResponse::with_status(304)
                .header("ETag", "\"1\"")
                .header("Cache-Control", CONTROL),
            "old",
            true,
        ),
    ] {
        let mut test = setup();
        test.server
            .get("/a")
            .reply(polled("old").header("ETag", "\"1\""))
            .then_reply(second);
        with_stale(&mut test);
        let handle = test.agent.send(Request::get(URL)).unwrap();
        // The first poll delivers, before the server could answer.
        test.agent.poll();
        let mut done = None;
        while let Some(event) = test.agent.next_event() {
            assert_eq!(event.id(), Some(handle.id()));
            if let Event::Done { response, .. } = event {
                done = Some(response);
            }
        }
        let done = done.unwrap();
        assert_eq!((done.text().as_str(), done.is_from_cache()), ("old", true));
        assert_eq!(done.header("age"), Some("10"));
        let updates = updates(&mut test, 50, &[]);
        let Some(Event::CacheUpdated { served, .. }) = updates.first() else {
            panic!("{updates:?}")
        };
        assert_eq!(*served, handle.id());
        let (url, response) = only(updates);
        assert_eq!(
            (
                url.as_str(),
                response.text().as_str(),
                response.status().as_u16()
            ),
            (URL, text, 200)
        );
        assert_eq!(response.is_from_cache(), confirms);
        let requests = test.server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].header("if-none-match"), Some("\"1\""));
        // The cache has the new one.
        if confirms {
            let again = run(&test.network, &mut test.agent, Request::get(URL));
            assert!(again.response().is_from_cache());
            assert_eq!(test.server.requests().len(), 2);
        }
    }
}

#[test]
fn what_must_be_validated_first_is() {
    let get = || Request::get(URL);
    for (control, later, request, is_served) in [
        (CONTROL, 60, get(), true),
        (CONTROL, 63, get(), false),
        ("max-age=1", 5, get(), false),
        ("max-age=1, stale-while-revalidate", 5, get(), false),
        ("max-age=1, stale-while-revalidate=x", 5, get(), false),
        (
            "max-age=1, stale-while-revalidate=60, must-revalidate",
            5,
            get(),
            false,
        ),
        ("no-cache, stale-while-revalidate=60", 5, get(), false),
        (CONTROL, 5, get().cache_mode(CacheMode::StaleIfError), true),
        (CONTROL, 5, get().cache_mode(CacheMode::NoCache), false),
        (CONTROL, 5, get().cache_mode(CacheMode::Reload), false),
        (CONTROL, 5, get().cache_mode(CacheMode::NoStore), false),
        (CONTROL, 5, get().header("Cache-Control", "no-cache"), false),
        (
            CONTROL,
            5,
            get().header("Cache-Control", "max-age=2"),
            false,
        ),
        (CONTROL, 5, get().header("Pragma", "no-cache"), false),
        (CONTROL, 5, get().body("x"), false),
    ] {
        let mut test = setup();
        test.server
            .get("/a")
            .reply(
                MockResponse::ok()
                    .header("Cache-Control", control)
                    .text("old"),
            )
            .then_reply(polled("new"));
        run(&test.network, &mut test.agent, get()).response();
        test.network.advance(Duration::from_secs(later));
        let what = format!("{control} after {later}: {request:?}");
        let handle = test.agent.send(request).unwrap();
        let outcome = crate::support::finish(&test.network, &mut test.agent, &handle);
        assert_eq!(outcome.response().is_from_cache(), is_served, "{what}");
        let updates = updates(&mut test, 20, &[&handle]);
        assert_eq!(updates.len(), usize::from(is_served), "{what}");
        assert_eq!(test.server.requests().len(), 2, "{what}");
    }
}

#[test]
fn each_url_is_validated_once_at_a_time() {
    let mut test = setup();
    test.server
        .get("/a")
        .reply(polled("old"))
        .then_reply(polled("new").delay(Duration::from_millis(500)));
    with_stale(&mut test);
    let mut handles = Vec::new();
    for fragment in ["", "#one", "#two"] {
        let request = Request::get(format!("{URL}{fragment}"));
        let handle = test.agent.send(request).unwrap();
        let outcome = crate::support::finish(&test.network, &mut test.agent, &handle);
        assert_eq!(outcome.response().text(), "old");
        handles.push(handle);
    }
    let known: Vec<_> = handles.iter().collect();
    let (_, response) = only(updates(&mut test, 100, &known));
    assert_eq!(response.text(), "new");
    assert_eq!(test.server.requests().len(), 2);
}

#[test]
fn at_most_32_urls_are_validated_in_the_background() {
    let mut test = setup();
    test.server.get("/**").reply_with(|request| {
        let is_first = request.header("x-first").is_some();
        let delay = Duration::from_secs(if is_first { 0 } else { 20 });
        polled(if is_first { "old" } else { "new" }).delay(delay)
    });
    let urls: Vec<_> = (0..33)
        .map(|number| format!("http://game.example/{number}"))
        .collect();
    for url in &urls {
        let request = Request::get(url).header("X-First", "1");
        run(&test.network, &mut test.agent, request).response();
    }
    test.network.advance(Duration::from_secs(10));
    let served = urls.iter().map(|url| {
        let outcome = run(&test.network, &mut test.agent, Request::get(url));
        outcome.response().is_from_cache()
    });
    let served: Vec<_> = served.collect();
    assert!(served[..32].iter().all(|it| *it));
    assert!(!served[32]);
}

#[test]
fn a_validation_that_fails_changes_and_reports_nothing() {
    for (failure, attempts) in [
        (MockResponse::with_status(503), 1),
        (MockResponse::with_status(500), 1),
        (MockResponse::with_status(401), 1),
        // A connection that was kept and ends without a byte is replaced once.
        (MockResponse::raw(""), 2),
        (MockResponse::raw("not HTTP\r\n\r\n"), 1),
    ] {
        let mut test = setup();
        let control = format!("{CONTROL}, stale-if-error=60");
        let old = MockResponse::ok().header("Cache-Control", control);
        let mut rule = test.server.get("/a").reply(old.text("old"));
        for _ in 0..attempts {
            rule = rule.then_reply(failure.clone());
        }
        let _rule = rule.then_reply(polled("new"));
        with_stale(&mut test);
        let second = run(&test.network, &mut test.agent, Request::get(URL));
        assert_eq!(second.response().text(), "old");
        assert!(updates(&mut test, 50, &[]).is_empty());
        // The next request gets it again, and another validation.
        let third = run(&test.network, &mut test.agent, Request::get(URL));
        assert_eq!(third.response().text(), "old");
        let (_, response) = only(updates(&mut test, 50, &[]));
        assert_eq!(response.text(), "new");
        assert_eq!(test.server.requests().len(), 2 + attempts);
    }
}

#[test]
fn a_fresh_response_that_is_not_stored_ends_the_stale_one() {
    let mut test = setup();
    test.server.get("/a").reply(polled("old")).then_reply(
        MockResponse::ok()
            .header("Cache-Control", "no-store")
            .text("new"),
    );
    with_stale(&mut test);
    run(&test.network, &mut test.agent, Request::get(URL)).response();
    let (_, response) = only(updates(&mut test, 50, &[]));
    assert_eq!(response.text(), "new");
    let next = run(&test.network, &mut test.agent, Request::get(URL));
    assert!(!next.response().is_from_cache());
}

#[test]
fn a_redirect_is_followed_and_ends_the_stale_response() {
    let mut test = setup();
    test.server
        .get("/a")
        .reply(polled("old"))
        .then_reply(MockResponse::with_status(302).header("Location", "/b"));
    test.server.get("/b").reply(polled("new"));
    with_stale(&mut test);
    run(&test.network, &mut test.agent, Request::get(URL)).response();
    let (url, response) = only(updates(&mut test, 50, &[]));
    assert_eq!((url.as_str(), response.text().as_str()), (URL, "new"));
    assert_eq!(response.url().unwrap().path(), "/b");
    let next = run(&test.network, &mut test.agent, Request::get(URL));
    assert_eq!(next.response().text(), "new");
}

#[test]
fn cancelling_the_request_that_was_served_does_not_end_the_validation() {
    let mut test = setup();
    test.server
        .get("/a")
        .reply(polled("old"))
        .then_reply(polled("new"));
    with_stale(&mut test);
    let handle = test.agent.send(Request::get(URL)).unwrap();
    test.agent.poll();
    // Its events wait to be pulled, and are dropped.
    test.agent.cancel(handle.id());
    let (_, response) = only(updates(&mut test, 50, &[]));
    assert_eq!(response.text(), "new");
}

#[test]
fn suspending_holds_the_validation_back() {
    let mut test = setup();
    test.server
        .get("/a")
        .reply(polled("old"))
        .then_reply(polled("new").delay(Duration::from_millis(500)))
        .then_reply(polled("newer"));
    with_stale(&mut test);
    run(&test.network, &mut test.agent, Request::get(URL)).response();
    assert!(updates(&mut test, 10, &[]).is_empty());
    test.agent.suspend(Duration::ZERO);
    assert!(updates(&mut test, 100, &[]).is_empty());
    assert_eq!(test.network.open_connections(), 0);
    test.agent.resume_all();
    let (_, response) = only(updates(&mut test, 100, &[]));
    assert_eq!(response.text(), "newer");
}

#[test]
fn the_validation_sends_what_the_request_sent() {
    let mut test = setup();
    test.server
        .get("/a")
        .reply(polled("old"))
        .then_reply(polled("new"));
    let request = || {
        Request::get(URL)
            .header("X-Game", "1")
            .credentials(httpoll::auth::Credentials::Bearer("key".to_owned()))
            .report_heads(true)
    };
    run(&test.network, &mut test.agent, request()).response();
    test.network.advance(Duration::from_secs(10));
    let served = run(&test.network, &mut test.agent, request());
    assert!(served.response().is_from_cache());
    only(updates(&mut test, 50, &[]));
    let requests = test.server.requests();
    for name in ["x-game", "authorization", "accept-encoding", "user-agent"] {
        assert!(requests[0].header(name).is_some());
        assert_eq!(requests[0].header(name), requests[1].header(name), "{name}");
    }
}

#[test]
fn a_fresh_response_of_any_status_takes_the_place_of_the_stale_one() {
    for status in [200, 410] {
        let mut test = setup();
        test.server.get("/a").reply(polled("old")).then_reply(
            MockResponse::with_status(status)
                .header("Cache-Control", "max-age=60")
                .text("new"),
        );
        with_stale(&mut test);
        run(&test.network, &mut test.agent, Request::get(URL)).response();
        let (_, response) = only(updates(&mut test, 50, &[]));
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.text(), "new");
        let next = run(&test.network, &mut test.agent, Request::get(URL));
        let next = next.response();
        assert!(next.is_from_cache(), "{status}");
        assert_eq!(
            (next.status().as_u16(), next.text().as_str()),
            (status, "new")
        );
        assert_eq!(test.server.requests().len(), 2);
    }
}

#[test]
fn a_validation_in_the_background_waits_for_all_other_requests() {
    let mut test = setup();
    test.server.get("/a").reply(polled("old"));
    test.server
        .get("/held")
        .reply(MockResponse::ok().delay(10 * FRAME));
    test.server.get("/other").reply(MockResponse::ok());
    with_stale(&mut test);
    let get = |path| Request::get(format!("http://game.example{path}"));
    let held: Vec<_> = (0..6)
        .map(|_| test.agent.send(get("/held")).unwrap())
        .collect();
    updates(&mut test, 3, &held.iter().collect::<Vec<_>>());
    let stale = test.agent.send(Request::get(URL)).unwrap();
    let other = test.agent.send(get("/other")).unwrap();
    let mut known: Vec<_> = held.iter().collect();
    known.extend([&stale, &other]);
    only(updates(&mut test, 60, &known));
    let requests = test.server.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path()).collect();
    assert_eq!(paths[7..], ["/other", "/a"], "{paths:?}");
}
