//! Agents that are suspended and resumed, as a mobile system asks for it.

use crate::pausing::{URL, dripping, get};
use crate::support::{Folder, chunks, finish, frames, pattern, setup, setup_with};
use httpoll::mock::{MockResponse, MockStream};
use httpoll::{
    Agent, Download, ErrorKind, Event, PollAt, Request, RetryPolicy, error::RequestRefused,
};
use std::time::Duration;

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
    // The system's deadline passes whether or not the game polls.
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
fn an_hour_in_the_background_loses_nothing_at_any_stage() {
    for kind in ["collected", "saved", "uploaded", "events"] {
        for at in 0..14 {
            let folder = Folder::new("suspended-hour");
            let (network, server, mut agent) = setup();
            network.set_latency(Duration::from_millis(15));
            server.get("/").reply(dripping(5_000));
            server.put("/").reply(MockResponse::ok());
            server.get("/events").reply(
                MockResponse::ok()
                    .header("Content-Type", "text/event-stream")
                    .stream(&MockStream::new()),
            );
            let request = match kind {
                "collected" => get(),
                "saved" => get().download_to(folder.path("level")),
                "uploaded" => Request::put(URL).body(pattern(5_000)),
                _ => Request::get(format!("{URL}events")).event_stream(),
            };
            let handle = agent.send(request).unwrap();
            let before = frames(&network, &mut agent, at);
            if before.iter().any(Event::is_final) {
                continue;
            }
            agent.suspend(Duration::ZERO);
            // The system may give no more than this one.
            agent.poll();
            let events: Vec<_> = std::iter::from_fn(|| agent.next_event()).collect();
            let suspended = events.iter().filter(|it| matches!(it, Event::Suspended));
            assert_eq!(suspended.count(), 1, "{kind} {at}");
            if events.iter().any(Event::is_final) {
                continue;
            }
            network.advance(Duration::from_secs(3600));
            assert_eq!(network.open_connections(), 0, "{kind} {at}");
            agent.resume_all();
            if kind == "events" {
                frames(&network, &mut agent, 20);
                assert_eq!(network.open_connections(), 1, "{at}");
                continue;
            }
            let outcome = finish(&network, &mut agent, &handle);
            let response = outcome.response();
            match kind {
                "collected" => assert!(*response.body() == pattern(5_000), "{at}"),
                "saved" => {
                    assert!(std::fs::read(folder.path("level")).unwrap() == pattern(5_000));
                    assert_eq!(folder.names(), ["level"]);
                }
                _ => assert!(server.requests().pop().unwrap().body == pattern(5_000)),
            }
        }
    }
}

#[test]
fn a_stream_that_failed_before_suspending_does_not_restart() {
    let (network, server, mut agent) = setup();
    let whole = || MockResponse::ok().etag("\"a\"").bytes(pattern(3000));
    server
        .get("/")
        .reply(whole().cut_after(1000))
        // It does not support ranges, so the stream cannot continue; and its content arrives slowly.
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
