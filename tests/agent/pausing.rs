//! Requests that are paused, also while their connection dies, and agents that are suspended.

use std::time::Duration;

use httpoll::mock::{MockResponse, MockStream};
use httpoll::{
    Agent, Budget, Download, ErrorKind, Event, PollAt, Request, RetryPolicy, Timeouts,
    error::RequestRefused,
};

use crate::support::{Folder, chunks, finish, frames, pattern, run, setup, setup_with};

const URL: &str = "http://game.example/";

fn dripping(bytes: usize) -> MockResponse {
    MockResponse::resource(pattern(bytes))
        .etag("\"a\"")
        .drip(1000, Duration::from_millis(10))
}

/// No retries are needed for what a pause has broken.
fn get() -> Request {
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
        // Twice is nothing more.
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
            // The caller has the beginning of what is no more: that must not be glued to the new.
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
        // Polls, but pulls nothing: what is held stays bounded.
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    // With nothing left of the budget, pulling does not read on.
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
fn suspending_lets_what_is_quick_end() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().delay(Duration::from_millis(100)));
    let handle = agent.get(URL).send().unwrap();
    frames(&network, &mut agent, 2);
    agent.suspend(Duration::from_secs(2));
    let began = network.now();
    let mut order = Vec::new();
    while !order.iter().any(|it| matches!(it, Event::Suspended)) {
        order.extend(frames(&network, &mut agent, 1));
    }
    assert!(network.now() - began < Duration::from_millis(200));
    let done = order.iter().position(Event::is_final).unwrap();
    frames(&network, &mut agent, 1);
    assert!(
        done < order
            .iter()
            .position(|it| matches!(it, Event::Suspended))
            .unwrap()
    );
    assert_eq!(network.open_connections(), 0);
    drop(handle);
}

#[test]
fn at_the_deadline_everything_is_closed_and_continues_later() {
    let (network, server, mut agent) = setup();
    server
        .get("/slow")
        .reply(dripping(100_000))
        .then_reply(MockResponse::resource(pattern(100_000)).etag("\"a\""));
    server.post("/post").reply(MockResponse::ok().never());
    server.get("/queued").reply(MockResponse::ok());
    let slow = agent
        .send(Request::get("http://game.example/slow").decompress(false))
        .unwrap();
    let post = agent
        .send(Request::post("http://game.example/post").body("x"))
        .unwrap();
    frames(&network, &mut agent, 20);
    agent.suspend(Duration::from_millis(300));
    let queued = agent
        .send(Request::get("http://game.example/queued"))
        .unwrap();
    agent.poll();
    while agent.next_event().is_some() {}
    let PollAt::At(at) = agent.poll().next else {
        panic!("the deadline is known")
    };
    assert!(at <= network.now() + Duration::from_millis(300));
    let events = frames(&network, &mut agent, 35);
    assert!(
        events.iter().any(|it| matches!(it, Event::Suspended)),
        "{events:?}"
    );
    let Some(Event::Progress { progress, .. }) = events.last() else {
        panic!()
    };
    assert!(progress.received > 40_000, "what came is kept");
    let failed: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { id, error, .. } => Some((*id, error.kind().clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        failed,
        [(post.id(), ErrorKind::Refused(RequestRefused::Suspended))],
        "RFC 9110 §9.2.2"
    );
    assert_eq!(network.open_connections(), 0);
    // Nothing happens until it is resumed.
    assert!(frames(&network, &mut agent, 100).is_empty());
    assert_eq!(server.requests().len(), 2);
    agent.resume_all();
    let outcome = finish(&network, &mut agent, &slow);
    assert!(*outcome.response().body() == pattern(100_000));
    let again: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|it| it.path() == "/slow")
        .collect();
    assert_eq!(again[1].header("if-range"), Some("\"a\""));
    drop((post, queued));
}

#[test]
fn requests_sent_while_suspended_start_on_resume() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    agent.suspend(Duration::ZERO);
    let events = frames(&network, &mut agent, 1);
    assert!(matches!(events[..], [Event::Suspended]));
    let handle = agent.get(URL).send().unwrap();
    let held = agent.get("http://game.example/held").send().unwrap();
    agent.pause(held.id());
    frames(&network, &mut agent, 20);
    assert!(server.requests().is_empty());
    agent.resume(held.id());
    frames(&network, &mut agent, 20);
    assert!(
        server.requests().is_empty(),
        "resuming one does not wake the agent"
    );
    agent.resume_all();
    finish(&network, &mut agent, &handle).response();
    frames(&network, &mut agent, 20);
    assert_eq!(server.requests().len(), 2);
    agent.suspend(Duration::ZERO);
    agent.suspend(Duration::from_secs(9));
    assert_eq!(
        frames(&network, &mut agent, 5)
            .iter()
            .filter(|it| matches!(it, Event::Suspended))
            .count(),
        1
    );
}

#[test]
fn resuming_before_the_deadline_changes_nothing() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(dripping(50_000));
    let handle = agent.send(get()).unwrap();
    frames(&network, &mut agent, 10);
    agent.suspend(Duration::from_secs(5));
    frames(&network, &mut agent, 10);
    agent.resume_all();
    let outcome = finish(&network, &mut agent, &handle);
    assert!(*outcome.response().body() == pattern(50_000));
    assert!(
        !outcome
            .events
            .iter()
            .any(|it| matches!(it, Event::Suspended))
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_deadline_counts_gaps_between_polls() {
    // The system's patience does not care whether the game polled.
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok().never());
    let handle = agent.get(URL).send().unwrap();
    frames(&network, &mut agent, 5);
    agent.suspend(Duration::from_secs(20));
    agent.poll();
    network.advance(Duration::from_secs(20));
    let events = frames(&network, &mut agent, 1);
    assert!(matches!(events[..], [Event::Suspended]), "{events:?}");
    drop(handle);
}

#[test]
fn an_event_stream_comes_back_after_suspending() {
    let (network, server, mut agent) = setup();
    let stream = MockStream::new();
    server.get("/").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .stream(&stream),
    );
    let handle = agent.send(Request::get(URL).event_stream()).unwrap();
    frames(&network, &mut agent, 3);
    stream.send("id: 7\ndata: a\n\n");
    frames(&network, &mut agent, 3);
    agent.suspend(Duration::from_millis(50));
    frames(&network, &mut agent, 10);
    assert_eq!(network.open_connections(), 0);
    agent.resume_all();
    frames(&network, &mut agent, 5);
    assert_eq!(server.requests()[1].header("last-event-id"), Some("7"));
    drop(handle);
}

#[test]
fn after_a_long_gap_a_kept_connection_is_tried_and_replaced() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .matching(|it| it.number == 0)
        .reply(MockResponse::ok());
    server.get("/").reply(MockResponse::raw(""));
    run(&network, &mut agent, get()).response();
    network.advance(Duration::from_secs(3600));
    run(&network, &mut agent, get()).response();
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn cancelling_a_suspended_download_removes_its_part() {
    let folder = Folder::new("cancelled-while-suspended");
    let (network, server, mut agent) = setup();
    server.get("/").reply(dripping(100_000));
    let request = get().download_to(folder.path("level"));
    let handle = agent.send(request).unwrap();
    frames(&network, &mut agent, 20);
    agent.suspend(Duration::from_millis(20));
    frames(&network, &mut agent, 10);
    assert_eq!(folder.names(), ["level.part", "level.part.json"]);
    agent.cancel(handle.id());
    agent.poll();
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn a_request_that_waited_for_bandwidth_when_suspended_blocks_no_other() {
    let mut limits = httpoll::agent::PoolLimits::default();
    limits.per_host = 1;
    let builder = Agent::builder()
        .pool(limits)
        .global_rate_limit(Some(20_000));
    let (network, server, mut agent) = setup_with(builder);
    let other = httpoll::mock::MockServer::on(&network, "other.example", 80);
    for server in [&server, &other] {
        let content = MockResponse::resource(pattern(60_000)).etag("\"a\"");
        let _ = server.get("/").reply(content);
    }
    let one = agent.send(get()).unwrap();
    let two = agent
        .send(Request::get("http://other.example/").decompress(false))
        .unwrap();
    frames(&network, &mut agent, 30);
    agent.suspend(Duration::ZERO);
    frames(&network, &mut agent, 2);
    agent.resume_all();
    agent.pause(one.id());
    finish(&network, &mut agent, &two).response();
    agent.resume(one.id());
    finish(&network, &mut agent, &one).response();
}

#[test]
fn a_download_continues_after_suspending_and_a_cancelled_one_leaves_nothing() {
    for cancelled in [false, true] {
        let folder = Folder::new("suspended");
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(dripping(100_000))
            .then_reply(MockResponse::resource(pattern(100_000)).etag("\"a\""));
        let handle = agent
            .send(get().download_to(Download::to(folder.path("a"))))
            .unwrap();
        frames(&network, &mut agent, 20);
        agent.suspend(Duration::ZERO);
        frames(&network, &mut agent, 2);
        assert!(!folder.path("a").exists());
        if cancelled {
            agent.cancel(handle.id());
            assert!(folder.names().is_empty(), "{:?}", folder.names());
            continue;
        }
        agent.resume_all();
        let outcome = finish(&network, &mut agent, &handle);
        assert!(outcome.response().saved().unwrap().bytes == 100_000);
        assert!(std::fs::read(folder.path("a")).unwrap() == pattern(100_000));
        assert!(server.requests()[1].header("range").is_some());
        assert_eq!(folder.names(), ["a"]);
    }
}

#[test]
fn a_stream_that_failed_before_suspending_does_not_restart() {
    let (network, server, mut agent) = setup();
    let whole = || MockResponse::ok().etag("\"a\"").bytes(pattern(3000));
    server
        .get("/")
        .reply(whole().cut_after(1000))
        // It knows no ranges, so what was cut cannot go on; and its content takes its time.
        .then_reply(whole().drip(10, Duration::from_millis(100)))
        .then_reply(whole());
    let request = get().stream().retries(RetryPolicy::standard());
    let handle = agent.send(request).unwrap();
    let mut events = Vec::new();
    while server.requests().len() < 2 {
        events.extend(frames(&network, &mut agent, 1));
    }
    events.extend(frames(&network, &mut agent, 5));
    agent.suspend(Duration::ZERO);
    events.extend(frames(&network, &mut agent, 5));
    agent.resume_all();
    events.extend(frames(&network, &mut agent, 100));
    let streamed = chunks(&events);
    assert!(
        streamed.len() >= 1000 && streamed == pattern(3000)[..streamed.len()],
        "{} bytes",
        streamed.len()
    );
    let errors: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { error, .. } => Some(error.kind()),
            _ => None,
        })
        .collect();
    assert!(
        matches!(errors[..], [ErrorKind::Truncated { .. }]),
        "{errors:?}"
    );
    drop(handle);
}
