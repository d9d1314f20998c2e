//! The queue: priorities, changed while requests wait, fairness, and waiting times.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::agent::{PoolLimits, QueueReason};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Event, Phase, Priority, Request, RequestHandle, RequestId};

use crate::support::{FRAME, finish, finish_all, frames, setup, setup_with};

fn one_at_a_time() -> httpoll::agent::AgentBuilder {
    let mut limits = PoolLimits::default();
    limits.per_host = 1;
    Agent::builder().pool(limits)
}

fn paths(server: &MockServer) -> Vec<String> {
    server
        .requests()
        .iter()
        .map(|it| it.path().to_owned())
        .collect()
}

#[test]
fn priority_first_then_age() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server
        .any("/**")
        .reply(MockResponse::ok().delay(Duration::from_millis(20)));
    let mut handles = Vec::new();
    for (path, priority) in [
        ("/b1", Priority::Background),
        ("/i1", Priority::Interface),
        ("/s1", Priority::Streaming),
        ("/g1", Priority::Gameplay),
        ("/i2", Priority::Interface),
        ("/g2", Priority::Gameplay),
    ] {
        let request = Request::get(format!("http://game.example{path}")).priority(priority);
        handles.push(agent.send(request).unwrap());
    }
    finish_all(&network, &mut agent, 6);
    assert_eq!(paths(&server), ["/g1", "/g2", "/i1", "/i2", "/s1", "/b1"]);
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn a_priority_changes_while_waiting() {
    let (network, server, mut agent) =
        setup_with(one_at_a_time().defaults(RequestOptions::new().priority(Priority::Background)));
    server
        .any("/**")
        .reply(MockResponse::ok().delay(Duration::from_millis(20)));
    let handles: Vec<_> = ["/1", "/2", "/3", "/4"]
        .map(|path| {
            agent
                .get(format!("http://game.example{path}"))
                .send()
                .unwrap()
        })
        .into();
    frames(&network, &mut agent, 1);
    agent.set_priority(handles[3].id(), Priority::Gameplay);
    agent.set_priority(handles[1].id(), Priority::Streaming);
    agent.set_priority(RequestId::clone(&handles[0].id()), Priority::Gameplay);
    finish_all(&network, &mut agent, 4);
    assert_eq!(paths(&server), ["/1", "/4", "/2", "/3"]);
}

#[test]
fn waiting_in_the_queue_is_reported_once() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server
        .any("/**")
        .reply(MockResponse::ok().delay(Duration::from_millis(20)));
    let first = agent.get("http://game.example/1").send().unwrap();
    let second = agent.get("http://game.example/2").send().unwrap();
    let mut queued = Vec::new();
    for event in frames(&network, &mut agent, 20) {
        if let Event::Queued { id } = event {
            queued.push(id);
        }
    }
    assert_eq!(queued, [second.id()], "the first did not wait");
    drop(first);
}

#[test]
fn a_busy_host_does_not_hold_up_another() {
    let network = MemoryNetwork::new();
    let (slow, fast) = (
        MockServer::on(&network, "slow.example", 80),
        MockServer::on(&network, "fast.example", 80),
    );
    slow.any("/**").reply(MockResponse::ok().never());
    fast.any("/**").reply(MockResponse::ok());
    let mut agent = Agent::on_memory(&network);
    let held: Vec<_> = (0..40)
        .map(|_| {
            agent
                .send(Request::get("http://slow.example/").priority(Priority::Gameplay))
                .unwrap()
        })
        .collect();
    let request = Request::get("http://fast.example/").priority(Priority::Background);
    let handle = agent.send(request).unwrap();
    finish(&network, &mut agent, &handle).response();
    assert_eq!(slow.connections().open, 6);
    drop(held);
}

#[test]
fn the_queue_timeout_counts_waiting_only() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server
        .get("/slow")
        .reply(MockResponse::ok().delay(Duration::from_secs(2)));
    server.get("/").reply(MockResponse::ok());
    let slow = agent
        .send(Request::get("http://game.example/slow").queue_timeout(Duration::from_millis(100)))
        .unwrap();
    let waits = agent
        .send(Request::get("http://game.example/").queue_timeout(Duration::from_millis(500)))
        .unwrap();
    let patient = agent.send(Request::get("http://game.example/")).unwrap();
    let began = network.now();
    let outcome = finish(&network, &mut agent, &waits);
    assert_eq!(*outcome.error().kind(), ErrorKind::Timeout(Phase::Queue));
    assert_eq!(outcome.error().phase(), Some(Phase::Queue));
    assert!(outcome.error().is_timeout());
    assert!((500..=520).contains(&(network.now() - began).as_millis()));
    finish(&network, &mut agent, &slow).response();
    finish(&network, &mut agent, &patient).response();
    assert!(server.requests().len() == 2);
}

#[test]
fn a_cancelled_request_leaves_the_queue() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server
        .any("/**")
        .reply(MockResponse::ok().delay(Duration::from_millis(20)));
    let handles: Vec<_> = ["/1", "/2", "/3"]
        .map(|path| {
            agent
                .get(format!("http://game.example{path}"))
                .send()
                .unwrap()
        })
        .into();
    frames(&network, &mut agent, 1);
    agent.cancel(handles[1].id());
    finish_all(&network, &mut agent, 2);
    assert_eq!(paths(&server), ["/1", "/3"]);
}

#[test]
fn a_priority_set_before_anything_began_loses_nothing() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server.any("/**").reply(MockResponse::ok());
    let handle = agent.send(Request::get("http://game.example/")).unwrap();
    agent.set_priority(handle.id(), Priority::Gameplay);
    finish(&network, &mut agent, &handle).response();
}

#[test]
fn what_is_wanted_of_requests_before_the_first_poll_is_done() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server.any("/**").reply(MockResponse::ok());
    let ask = |agent: &mut Agent, path: &str| {
        agent
            .get(format!("http://game.example{path}"))
            .send()
            .unwrap()
    };
    let first = ask(&mut agent, "/1");
    let cancelled = ask(&mut agent, "/2");
    let paused = ask(&mut agent, "/3");
    let urgent = ask(&mut agent, "/4");
    let dropped = ask(&mut agent, "/5");
    agent.cancel(cancelled.id());
    agent.pause(paused.id());
    agent.set_priority(urgent.id(), Priority::Gameplay);
    agent.set_rate_limit(first.id(), Some(1_000_000));
    drop(dropped);
    finish_all(&network, &mut agent, 2);
    assert_eq!(paths(&server), ["/4", "/1"]);
    agent.resume(paused.id());
    finish(&network, &mut agent, &paused).response();
    assert_eq!(paths(&server), ["/4", "/1", "/3"]);
    assert!(frames(&network, &mut agent, 3).is_empty());
}

/// The reports of long waits, with the time after which they came.
fn long_waits(events: Vec<Event>) -> Vec<(RequestId, Duration, QueueReason)> {
    let reports = events.into_iter().filter_map(|event| match event {
        Event::StillQueued { id, waited, reason } => Some((id, waited, reason)),
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_long_wait_is_reported_once_with_its_reason() {
    for (limits, reason) in [
        ((9, 1), QueueReason::PerHost(1)),
        ((1, 9), QueueReason::Total(1)),
    ] {
        let mut pool = PoolLimits::default();
        (pool.total, pool.per_host) = limits;
        let (network, server, mut agent) = setup_with(Agent::builder().pool(pool));
        server.any("/**").reply(MockResponse::ok().never());
        let held = agent.get("http://game.example/1").send().unwrap();
        let waits = agent.get("http://game.example/2").send().unwrap();
        let before = long_waits(frames(&network, &mut agent, 500));
        assert_eq!(before, []);
        let reported = long_waits(frames(&network, &mut agent, 1_000));
        assert_eq!(reported, [(waits.id(), Duration::from_secs(5), reason)]);
        drop(held);
    }
}

#[test]
fn a_long_frame_is_not_a_long_wait() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server.any("/**").reply(MockResponse::ok().never());
    let _held = agent.get("http://game.example/1").send().unwrap();
    let _waits = agent.get("http://game.example/2").send().unwrap();
    frames(&network, &mut agent, 1);
    network.advance(Duration::from_secs(60));
    // Of the gap, one second counts.
    assert_eq!(long_waits(frames(&network, &mut agent, 300)), []);
    assert_eq!(long_waits(frames(&network, &mut agent, 200)).len(), 1);
}

#[test]
fn each_wait_is_reported_anew() {
    let (network, server, mut agent) = setup_with(one_at_a_time());
    server
        .get("/slow")
        .reply(MockResponse::ok().delay(Duration::from_secs(6)));
    server
        .get("/away")
        .reply(MockResponse::with_status(302).header("Location", "/"));
    server.get("/").reply(MockResponse::ok());
    let mut send = |path: &str| {
        let url = format!("http://game.example{path}");
        agent.get(url).send().unwrap()
    };
    // When the second is redirected, the third has its turn first.
    let (first, redirected, third) = (send("/slow"), send("/away"), send("/slow"));
    let mut reported = Vec::new();
    for _ in 0..2_000 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            reported.extend(long_waits(vec![event]).into_iter().map(|it| it.0));
        }
        network.advance(FRAME);
    }
    assert_eq!(reported, [redirected.id(), third.id(), redirected.id()]);
    drop(first);
}

#[test]
fn event_streams_and_long_polls_do_not_hold_up_other_requests() {
    let (network, server, mut agent) = setup();
    server.get("/events").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .never(),
    );
    server.get("/poll").reply(MockResponse::ok().never());
    server.get("/").reply(MockResponse::ok());
    let streams: Vec<_> = (0..20)
        .map(|number| {
            let request = match number % 2 {
                0 => Request::get("http://game.example/events").event_stream(),
                _ => Request::get("http://game.example/poll")
                    .stream()
                    .long_lived(true),
            };
            // Even when they are more urgent.
            agent.send(request.priority(Priority::Gameplay)).unwrap()
        })
        .collect();
    frames(&network, &mut agent, 10);
    assert_eq!(server.connections().open, 20);
    let began = network.now();
    let request = Request::get("http://game.example/").priority(Priority::Background);
    let handle = agent.send(request).unwrap();
    let outcome = finish(&network, &mut agent, &handle);
    outcome.response();
    assert!(
        !outcome
            .events
            .iter()
            .any(|it| matches!(it, Event::Queued { .. }))
    );
    assert!(network.now() - began < Duration::from_millis(200));
    drop(streams);
}

#[test]
fn streams_have_a_limit_of_their_own() {
    let mut limits = PoolLimits::default();
    limits.streams_per_host = 2;
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    server.get("/poll").reply(MockResponse::ok().never());
    let streams: Vec<_> = (0..3)
        .map(|_| {
            let request = Request::get("http://game.example/poll").long_lived(true);
            agent.send(request).unwrap()
        })
        .collect();
    let reported = long_waits(frames(&network, &mut agent, 600));
    let reason = QueueReason::StreamsPerHost(2);
    assert_eq!(
        reported,
        [(streams[2].id(), Duration::from_secs(5), reason)]
    );
    assert_eq!(server.connections().open, 2);
    // A stream that ends makes room for the next.
    agent.cancel(streams[0].id());
    frames(&network, &mut agent, 2);
    assert_eq!(server.connections().opened, 3);
}

#[test]
fn gameplay_passes_downloads_and_streams_that_fill_their_limits() {
    let (network, server, mut agent) = setup();
    server.get("/poll").reply(MockResponse::ok().never());
    server.get("/pack").reply(MockResponse::ok().never());
    server.get("/move").reply(MockResponse::ok());
    let mut held = Vec::new();
    for _ in 0..40 {
        let poll = Request::get("http://game.example/poll").long_lived(true);
        held.push(agent.send(poll).unwrap());
        let pack = Request::get("http://game.example/pack").stream();
        held.push(agent.send(pack.priority(Priority::Background)).unwrap());
    }
    frames(&network, &mut agent, 10);
    assert_eq!(server.connections().open, 32 + 6);
    let began = network.now();
    let request = Request::get("http://game.example/move").priority(Priority::Gameplay);
    let handle = agent.send(request).unwrap();
    finish(&network, &mut agent, &handle).response();
    assert!(network.now() - began < Duration::from_millis(200));
    drop(held);
}

#[test]
fn a_server_cannot_turn_a_request_into_a_stream() {
    let mut limits = PoolLimits::default();
    limits.per_host = 1;
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    server.get("/").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .never(),
    );
    let first = agent.get("http://game.example/").send().unwrap();
    let second = agent.get("http://game.example/").send().unwrap();
    frames(&network, &mut agent, 100);
    // The second waits as behind any response.
    assert_eq!(server.connections().opened, 1);
    drop((first, second));
}

#[test]
fn connections_of_streams_that_end_are_kept_within_the_limit_of_others() {
    let (network, server, mut agent) = setup();
    server
        .get("/poll")
        .reply(MockResponse::ok().delay(Duration::from_millis(50)));
    for _ in 0..20 {
        let request = Request::get("http://game.example/poll").long_lived(true);
        agent.send(request).unwrap().detach();
    }
    finish_all(&network, &mut agent, 20);
    frames(&network, &mut agent, 2);
    assert_eq!(server.connections().opened, 20);
    assert_eq!(server.connections().open, 6);
}

#[cfg(feature = "websocket")]
#[test]
fn web_sockets_do_not_hold_up_other_requests() {
    use httpoll::agent::WebSocketOptions;
    use httpoll::server::websocket::Options;
    use httpoll::server::{Request as ServerRequest, Response as ServerResponse, Server};

    let network = MemoryNetwork::new();
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    let mut server = Server::builder()
        .on_memory(&network, "10.0.0.1:80".parse().unwrap())
        .unwrap();
    server.pull("GET", "/socket").unwrap();
    server
        .route("GET", "/", |_: &mut ServerRequest| {
            ServerResponse::text("hi")
        })
        .unwrap();
    let mut agent = Agent::on_memory(&network);
    let sockets: Vec<_> = (0..10)
        .map(|_| {
            let request = Request::get("ws://game.example/socket");
            let request = request.web_socket(WebSocketOptions::default());
            agent.send(request.priority(Priority::Gameplay)).unwrap()
        })
        .collect();
    let mut open = Vec::new();
    let mut text = None;
    let mut asked: Option<RequestHandle> = None;
    for _ in 0..100 {
        agent.poll();
        server.poll().unwrap();
        while let Some(mut request) = server.next_request() {
            open.push(request.accept_websocket(Options::default()).unwrap());
        }
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => text = Some(response.text()),
                // The sockets do: they connect one after another.
                Event::Queued { id } => assert!(asked.as_ref().is_none_or(|it| it.id() != id)),
                _ => {}
            }
        }
        if open.len() == 10 && asked.is_none() {
            let request = Request::get("http://game.example/").priority(Priority::Background);
            asked = Some(agent.send(request).unwrap());
        }
        network.advance(FRAME);
    }
    assert_eq!(text.as_deref(), Some("hi"));
    drop(sockets);
}
