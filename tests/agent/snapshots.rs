//! Snapshots: what an agent says it is doing.

use std::time::{Duration, Instant};

use httpoll::agent::{AgentSnapshot, ConnectionState};
use httpoll::mock::MockResponse;
use httpoll::{Agent, Event, Phase, Priority};
use serde_json::json;

use crate::support::{FRAME, setup};

#[test]
fn a_snapshot_shows_requests_connections_and_queues() {
    let (network, server, mut agent) = setup();
    server
        .get("/large")
        .reply(MockResponse::ok().bytes(vec![7; 4_000_000]));
    assert_eq!(agent.snapshot(), AgentSnapshot::default());
    let handles: Vec<_> = (0..8)
        .map(|number| {
            agent
                .get(format!("http://game.example/large?secret={number}"))
                .header("Cookie", "secret=1")
                .priority(Priority::Background)
                .stream()
                .send()
                .unwrap()
        })
        .collect();
    let submitted = agent.snapshot();
    assert_eq!(submitted.queues.submitted, 8);
    assert!(
        submitted
            .requests
            .iter()
            .all(|it| it.progress.phase == Phase::Queue && it.attempts == 0)
    );
    for _ in 0..20 {
        agent.poll();
        network.advance(FRAME);
    }
    agent.pause(handles[1].id());
    let snapshot = agent.snapshot();
    assert!(!format!("{snapshot:?}{}", snapshot.to_json()).contains("secret"));
    // Six connections to one host; two requests wait for them.
    assert_eq!(snapshot.queues.submitted, 0);
    assert_eq!(snapshot.queues.connection, 2);
    assert_eq!(snapshot.hosts.len(), 1);
    let host = &snapshot.hosts[0];
    assert_eq!((&*host.name, host.waiting), ("http://game.example:80", 2));
    assert_eq!(host.connections.len(), 6);
    let ids: Vec<_> = snapshot.requests.iter().map(|it| it.id).collect();
    assert_eq!(ids, handles.iter().map(|it| it.id()).collect::<Vec<_>>());
    let first = &snapshot.requests[0];
    assert_eq!(first.url, "http://game.example/large?(hidden)");
    assert_eq!(first.method, "GET");
    assert_eq!(first.priority, Priority::Background);
    assert_eq!(first.progress.phase, Phase::ReceiveBody);
    assert_eq!(first.progress.to_receive, Some(4_000_000));
    // Nothing was pulled, so one window of content has arrived.
    assert!(first.unread_bytes > 0 && first.progress.received > 0);
    assert_eq!(first.age, 20 * FRAME);
    assert!(first.timings.starttransfer > Duration::ZERO && !first.is_paused);
    assert!(snapshot.requests[1].is_paused);
    let connection = &host.connections[first.connection.unwrap()];
    assert_eq!(connection.state, ConnectionState::Busy(first.id));
    assert_eq!(connection.phase, Some(Phase::ReceiveBody));
    assert_eq!(connection.requests, 1);
    assert!(connection.peer_address.is_some());
    assert_eq!(snapshot.requests[7].connection, None);
    assert!(snapshot.queues.events > 0);
    let json = snapshot.to_json();
    assert_eq!(
        json["requests"][0]["phase"],
        "receiving the response content"
    );
    assert_eq!(
        json["requests"][1]["phase"],
        "paused, receiving the response content"
    );
    assert_eq!(json["connections"][0]["state"], "busy");
    assert_eq!(
        json["totals"],
        json!({ "requests": 8, "hosts": 1, "connections": 6 })
    );
    drop(handles);
    agent.poll();
    let ended = agent.snapshot();
    assert_eq!((ended.requests.len(), ended.hosts.len()), (0, 0));
}

#[test]
fn an_idle_connection_is_shown() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok().text("hi"));
    agent.get("http://game.example/").send().unwrap().detach();
    for _ in 0..5 {
        agent.poll();
        while agent.next_event().is_some() {}
        network.advance(FRAME);
    }
    let snapshot = agent.snapshot();
    assert_eq!(snapshot.requests, []);
    assert_eq!(
        snapshot.hosts[0].connections[0].state,
        ConnectionState::Idle
    );
    assert_eq!(snapshot.hosts[0].connections[0].phase, None);
}

#[test]
fn the_time_of_polls_is_recorded_once_somebody_asks() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok().text("hi"));
    network.set_work(Duration::from_micros(100), Duration::ZERO);
    let poll = |agent: &mut Agent| {
        agent.get("http://game.example/").send().unwrap().detach();
        for _ in 0..100 {
            agent.poll();
            while agent.next_event().is_some() {}
            network.advance(FRAME);
        }
    };
    poll(&mut agent);
    assert_eq!(agent.snapshot().seconds, []);
    poll(&mut agent);
    let seconds = agent.snapshot().seconds;
    assert!((1..=2).contains(&seconds.len()), "{seconds:?}");
    assert!(seconds[0].polls > 50);
    assert_eq!(
        seconds[0].granted,
        Some(seconds[0].polls * Duration::from_millis(1))
    );
    let spent: Duration = seconds.iter().map(|second| second.spent).sum();
    assert!(spent >= Duration::from_micros(100), "{spent:?}");
    assert!(seconds[0].longest <= seconds[0].spent);
}

#[test]
fn an_agent_on_a_thread_returns_what_its_thread_saw() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut agent = Agent::builder().on_thread(true).build();
    let handle = agent.get(url).send().unwrap();
    assert_eq!(agent.snapshot().requests, []);
    let (_accepted, _) = listener.accept().unwrap();
    let began = Instant::now();
    loop {
        let snapshot = agent.snapshot();
        if let [request] = &snapshot.requests[..]
            && request.progress.phase == Phase::AwaitHead
        {
            assert_eq!(request.id, handle.id());
            assert_eq!(snapshot.hosts[0].connections.len(), 1);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{snapshot:?}");
        agent.wait(Some(Duration::from_millis(1)));
    }
    agent.cancel(handle.id());
    assert!(!matches!(agent.next_event(), Some(Event::Done { .. })));
}
