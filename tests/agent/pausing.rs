//! Requests that are paused, also while their connection dies, and agents that are suspended.

use std::time::Duration;

use httpoll::mock::MockResponse;
use httpoll::{Agent, Budget, Download, ErrorKind, Event, Request, RetryPolicy, Timeouts};

use crate::support::{Folder, chunks, finish, frames, pattern, run, setup, setup_with};

pub(crate) const URL: &str = "http://game.example/";

pub(crate) fn dripping(bytes: usize) -> MockResponse {
    MockResponse::resource(pattern(bytes))
        .etag("\"a\"")
        .drip(1000, Duration::from_millis(10))
}

/// No retries are needed for what a pause has broken.
pub(crate) fn get() -> Request {
    Request::get(URL).decompress(false)
}

#[test]
fn a_paused_request_stops_and_continues() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(dripping(100_000));
    let handle = agent.send(get()).unwrap();
    let before = frames(&network, &mut agent, 20);
    assert!(before.iter().any(|it| matches!(it, Event::Progress { .. })));
    agent.pause(handle.id());
    let during = frames(&network, &mut agent, 300);
    assert!(
        !during
            .iter()
            .any(|it| matches!(it, Event::Progress { .. } | Event::Done { .. })),
        "{during:?}"
    );
    agent.resume(handle.id());
    let outcome = finish(&network, &mut agent, &handle);
    assert!(*outcome.response().body() == pattern(100_000));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn no_deadline_but_the_total_one_runs_while_paused() {
    let mut timeouts = Timeouts::default();
    timeouts.stall = Some(Duration::from_millis(200));
    timeouts.head = Some(Duration::from_millis(200));
    let (network, server, mut agent) = setup();
    server.get("/").reply(dripping(50_000));
    let handle = agent.send(get().timeouts(timeouts.clone())).unwrap();
    frames(&network, &mut agent, 10);
    agent.pause(handle.id());
    frames(&network, &mut agent, 500);
    agent.resume(handle.id());
    finish(&network, &mut agent, &handle).response();
    let handle = agent
        .send(get().total_timeout(Duration::from_secs(1)))
        .unwrap();
    frames(&network, &mut agent, 10);
    agent.pause(handle.id());
    let outcome = finish(&network, &mut agent, &handle);
    assert!(matches!(outcome.error().kind(), ErrorKind::TotalTimeout(_)));
}

#[test]
fn pausing_at_each_stage() {
    for polls in 0..12 {
        let (network, server, mut agent) = setup();
        network.set_latency(Duration::from_millis(10));
        server.get("/").reply(dripping(5_000));
        let handle = agent.get(URL).send().unwrap();
        let before = frames(&network, &mut agent, polls);
        if before.iter().any(Event::is_final) {
            assert!(polls > 6);
            continue;
        }
        agent.pause(handle.id());
        agent.pause(handle.id());
        let during = frames(&network, &mut agent, 100);
        assert!(!during.iter().any(Event::is_final), "{polls}");
        agent.resume(handle.id());
        agent.resume(handle.id());
        let over = frames(&network, &mut agent, 300)
            .into_iter()
            .find(Event::is_final);
        let Some(Event::Done { response, .. }) = over else {
            panic!("{polls}: {over:?}")
        };
        assert!(*response.body() == pattern(5_000), "{polls}");
        // Resuming twice changes nothing.
        assert!(frames(&network, &mut agent, 5).is_empty());
    }
}

#[test]
fn a_paused_request_gives_its_turn_to_others() {
    let mut limits = httpoll::agent::PoolLimits::default();
    limits.per_host = 1;
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    server.any("/**").reply(MockResponse::ok());
    let held = agent.get("http://game.example/held").send().unwrap();
    agent.pause(held.id());
    let handle = agent.get("http://game.example/next").send().unwrap();
    finish(&network, &mut agent, &handle).response();
    assert_eq!(server.requests().len(), 1);
    agent.resume(held.id());
    finish(&network, &mut agent, &held).response();
}

#[test]
fn a_connection_that_dies_while_paused_is_replaced_for_the_rest() {
    // RFC 9110 §13.1.5, §14.2.
    for streamed in [false, true] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(dripping(100_000).reset_after(30_000))
            .then_reply(MockResponse::resource(pattern(100_000)).etag("\"a\""));
        let request = if streamed { get().stream() } else { get() };
        let handle = agent.send(request).unwrap();
        let mut content = chunks(&frames(&network, &mut agent, 20));
        agent.pause(handle.id());
        content.extend_from_slice(&chunks(&frames(&network, &mut agent, 200)));
        agent.resume(handle.id());
        let outcome = finish(&network, &mut agent, &handle);
        content.extend_from_slice(&chunks(&outcome.events));
        content.extend_from_slice(outcome.response().body());
        assert!(content == pattern(100_000), "{} bytes", content.len());
        let again = &server.requests()[1];
        let range = again.header("range").unwrap();
        assert!(
            range.starts_with("bytes=") && range.ends_with('-'),
            "{range}"
        );
        assert_eq!(again.header("if-range"), Some("\"a\""));
        assert!(
            !outcome
                .events
                .iter()
                .any(|it| matches!(it, Event::WillRetry { .. }))
        );
    }
}

#[test]
fn content_that_changed_while_paused_restarts_or_fails() {
    for streamed in [false, true] {
        let (network, server, mut agent) = setup();
        let changed = vec![9; 60_000];
        server
            .get("/")
            .reply(dripping(100_000).reset_after(30_000))
            .then_reply(MockResponse::resource(changed.clone()).etag("\"b\""));
        let request = if streamed { get().stream() } else { get() };
        let handle = agent.send(request).unwrap();
        let before = chunks(&frames(&network, &mut agent, 20));
        agent.pause(handle.id());
        frames(&network, &mut agent, 200);
        agent.resume(handle.id());
        let outcome = finish(&network, &mut agent, &handle);
        if streamed {
            // The caller has the beginning of the old version, which must not be joined with the new one.
            assert!(
                matches!(outcome.error().kind(), ErrorKind::Truncated { received, .. } if *received as usize >= before.len())
            );
            assert!(
                !chunks(&outcome.events).contains(&9)
                    || chunks(&outcome.events)
                        == pattern(100_000)[before.len()..][..chunks(&outcome.events).len()]
            );
        } else {
            assert!(*outcome.response().body() == changed);
        }
    }
}

#[test]
fn without_a_validator_everything_is_requested_again() {
    let (network, server, mut agent) = setup();
    let whole = MockResponse::ok().bytes(pattern(100_000));
    server
        .get("/")
        .reply(
            whole
                .clone()
                .drip(1000, Duration::from_millis(10))
                .reset_after(30_000),
        )
        .then_reply(whole);
    let handle = agent.send(get()).unwrap();
    frames(&network, &mut agent, 20);
    agent.pause(handle.id());
    frames(&network, &mut agent, 200);
    agent.resume(handle.id());
    let outcome = finish(&network, &mut agent, &handle);
    assert!(*outcome.response().body() == pattern(100_000));
    assert!(server.requests()[1].header("range").is_none());
}

#[test]
fn a_post_that_died_while_paused_is_not_sent_twice() {
    let (network, server, mut agent) = setup();
    server
        .post("/")
        .reply(dripping(100_000).reset_after(30_000));
    let handle = agent.send(Request::post(URL).body("x")).unwrap();
    frames(&network, &mut agent, 20);
    agent.pause(handle.id());
    frames(&network, &mut agent, 200);
    agent.resume(handle.id());
    finish(&network, &mut agent, &handle).error();
    assert_eq!(server.requests().len(), 1, "RFC 9110 §9.2.2");
}

#[test]
fn a_paused_download_continues_in_its_file() {
    let folder = Folder::new("paused");
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(dripping(100_000).reset_after(30_000))
        .then_reply(MockResponse::resource(pattern(100_000)).etag("\"a\""));
    let handle = agent
        .send(get().download_to(Download::to(folder.path("a"))))
        .unwrap();
    frames(&network, &mut agent, 20);
    agent.pause(handle.id());
    frames(&network, &mut agent, 200);
    assert!(!folder.path("a").exists());
    agent.resume(handle.id());
    finish(&network, &mut agent, &handle).response();
    assert!(std::fs::read(folder.path("a")).unwrap() == pattern(100_000));
    assert_eq!(folder.names(), ["a"]);
    assert!(server.requests()[1].header("range").is_some());
}

#[test]
fn pausing_a_request_that_waits_for_its_retry() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::with_status(503).header("Retry-After", "1"))
        .then_reply(MockResponse::ok());
    let handle = agent.send(get().retries(RetryPolicy::standard())).unwrap();
    frames(&network, &mut agent, 10);
    agent.pause(handle.id());
    frames(&network, &mut agent, 300);
    assert_eq!(server.requests().len(), 1);
    agent.resume(handle.id());
    finish(&network, &mut agent, &handle).response();
}

#[test]
fn a_slow_taker_holds_the_server_back_and_nothing_is_lost() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(8_000_000)));
    let handle = agent.send(get().stream()).unwrap();
    for _ in 0..200 {
        // Polls without pulling: the amount held stays bounded.
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    // Without budget left, pulling does not read more.
    agent.poll_with(&Budget::frame(Duration::ZERO));
    let mut held = 0;
    let mut content = Vec::new();
    while let Some(event) = agent.next_event() {
        if let Event::Chunk { bytes, .. } = event {
            held += bytes.len();
            content.extend_from_slice(&bytes);
        }
    }
    assert!(held <= 1_400_000, "{held}");
    let outcome = finish(&network, &mut agent, &handle);
    content.extend_from_slice(&chunks(&outcome.events));
    assert!(content == pattern(8_000_000));
}

#[test]
fn after_a_gap_a_kept_connection_is_tried_and_replaced() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .matching(|it| it.number == 0)
        .reply(MockResponse::ok());
    server.get("/").reply(MockResponse::raw(""));
    run(&network, &mut agent, get()).response();
    network.advance(Duration::from_secs(30));
    run(&network, &mut agent, get()).response();
    assert_eq!(server.connections().opened, 2);
}
