//! The queue: priorities, changed while requests wait, fairness, and waiting times.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Event, Phase, Priority, Request, RequestId, agent::PoolLimits};

use crate::support::{finish, finish_all, frames, setup_with};

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
