//! Circuit breakers: origins that failed get no requests for a while.

use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Request, RequestHandle,
    circuit::{CircuitPolicy, OpenCircuitPolicy},
    error::RequestRefused,
};

use crate::support::{FRAME, finish, frames, run, setup_with};

fn policy(when_open: OpenCircuitPolicy) -> CircuitPolicy {
    let mut policy = CircuitPolicy::default();
    policy.failures = 3;
    policy.open_for = Duration::from_secs(10);
    policy.when_open = when_open;
    policy
}

const OPEN: ErrorKind = ErrorKind::Refused(RequestRefused::CircuitOpen);

fn get() -> Request {
    Request::get("http://game.example/")
}

/// An agent whose circuit has just opened: its server failed three times.
fn opened(policy: CircuitPolicy) -> (MemoryNetwork, MockServer, Agent) {
    let (network, server, mut agent) = setup_with(Agent::builder().circuit(policy));
    server
        .get("/")
        .times(3)
        .reply(MockResponse::with_status(500));
    for _ in 0..3 {
        assert_eq!(status(&network, &mut agent, get()), 500);
    }
    (network, server, agent)
}

/// An agent whose probe gets no response, and two requests that wait for it.
fn probing() -> (MemoryNetwork, Agent, RequestHandle, [RequestHandle; 2]) {
    let (network, server, mut agent) = opened(policy(OpenCircuitPolicy::Wait));
    server.get("/").times(1).reply(MockResponse::ok().never());
    server.get("/").reply(MockResponse::ok());
    network.advance(Duration::from_secs(10));
    let probe = agent.send(get()).unwrap();
    let waiting = [agent.send(get()).unwrap(), agent.send(get()).unwrap()];
    frames(&network, &mut agent, 3);
    assert_eq!(server.requests().len(), 4);
    (network, agent, probe, waiting)
}

fn status(network: &MemoryNetwork, agent: &mut Agent, request: Request) -> u16 {
    run(network, agent, request).response().status().as_u16()
}

#[test]
fn an_origin_that_fails_is_left_alone_and_probed() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().circuit(policy(OpenCircuitPolicy::FailFast)));
    let healthy = MockServer::on(&network, "healthy.example", 80);
    healthy.any("/**").reply(MockResponse::ok());
    server
        .get("/")
        .reply(MockResponse::with_status(500))
        .then_reply(MockResponse::with_status(500))
        .then_reply(MockResponse::with_status(503))
        .then_reply(MockResponse::with_status(500))
        .then_reply(MockResponse::ok());
    for _ in 0..3 {
        run(&network, &mut agent, get()).response();
    }
    let outcome = run(&network, &mut agent, get());
    assert_eq!(*outcome.error().kind(), OPEN);
    assert_eq!(outcome.error().origin(), Some("http://game.example"));
    run(
        &network,
        &mut agent,
        Request::get("http://healthy.example/"),
    )
    .response();
    assert_eq!(server.requests().len(), 3);
    network.advance(Duration::from_secs(10));
    // One probe, which fails; the others are refused at once.
    let probe = agent.send(get()).unwrap();
    let other = agent.send(get()).unwrap();
    assert_eq!(*finish(&network, &mut agent, &other).error().kind(), OPEN);
    frames(&network, &mut agent, 3);
    drop(probe);
    assert_eq!(*run(&network, &mut agent, get()).error().kind(), OPEN);
    network.advance(Duration::from_secs(11));
    assert_eq!(status(&network, &mut agent, get()), 200);
    assert_eq!(status(&network, &mut agent, get()), 200);
}

#[test]
fn a_probe_that_was_cancelled_lets_the_next_one_probe() {
    let (network, server, mut agent) = opened(policy(OpenCircuitPolicy::FailFast));
    server.get("/").times(1).reply(MockResponse::ok().never());
    server.get("/").reply(MockResponse::ok());
    network.advance(Duration::from_secs(10));
    let probe = agent.send(get()).unwrap();
    frames(&network, &mut agent, 3);
    assert_eq!(server.requests().len(), 4);
    agent.cancel(probe.id());
    assert_eq!(status(&network, &mut agent, get()), 200);
}

#[test]
fn requests_wait_for_an_open_circuit_when_configured() {
    let (network, server, mut agent) = opened(policy(OpenCircuitPolicy::Wait));
    server.get("/").reply(MockResponse::ok());
    let began = network.now();
    assert_eq!(status(&network, &mut agent, get()), 200);
    let waited = network.now() - began;
    assert!(
        waited >= Duration::from_millis(9900) && waited <= Duration::from_secs(10) + 2 * FRAME,
        "{waited:?}"
    );
}

#[test]
fn all_that_wait_for_a_circuit_are_sent_as_soon_as_its_probe_succeeds() {
    let (network, server, mut agent) = opened(policy(OpenCircuitPolicy::Wait));
    server.get("/").reply(MockResponse::ok());
    let began = network.now();
    let waiting: Vec<_> = (0..5).map(|_| agent.send(get()).unwrap()).collect();
    for handle in &waiting {
        let outcome = finish(&network, &mut agent, handle);
        assert_eq!(outcome.response().status().as_u16(), 200);
    }
    let waited = network.now() - began;
    assert!(waited <= Duration::from_secs(10) + 5 * FRAME, "{waited:?}");
}

#[test]
fn when_a_probe_is_cancelled_one_that_waits_probes_at_once() {
    let (network, mut agent, probe, waiting) = probing();
    let cancelled = network.now();
    agent.cancel(probe.id());
    for handle in &waiting {
        let outcome = finish(&network, &mut agent, handle);
        assert_eq!(outcome.response().status().as_u16(), 200);
    }
    assert!(network.now() - cancelled <= 5 * FRAME);
}

#[test]
fn when_a_probe_is_suspended_and_does_not_return_one_that_waits_probes_at_once() {
    let (network, mut agent, probe, waiting) = probing();
    agent.suspend(Duration::ZERO);
    frames(&network, &mut agent, 3);
    agent.cancel(probe.id());
    agent.resume_all();
    let resumed = network.now();
    for handle in &waiting {
        let outcome = finish(&network, &mut agent, handle);
        assert_eq!(outcome.response().status().as_u16(), 200);
    }
    assert!(network.now() - resumed <= 8 * FRAME);
}

#[test]
fn a_circuit_that_is_to_stay_open_for_ever_stays_open() {
    let mut forever = policy(OpenCircuitPolicy::FailFast);
    forever.open_for = Duration::MAX;
    let (network, server, mut agent) = opened(forever);
    server.get("/").reply(MockResponse::ok());
    network.advance(Duration::from_secs(3600));
    assert_eq!(*run(&network, &mut agent, get()).error().kind(), OPEN);
}

#[test]
fn retry_after_holds_for_the_whole_origin() {
    // RFC 9110 §10.2.3.
    let (network, server, mut agent) =
        setup_with(Agent::builder().circuit(policy(OpenCircuitPolicy::FailFast)));
    server
        .get("/")
        .times(1)
        .reply(MockResponse::with_status(429).header("Retry-After", "4"));
    server.get("/**").reply(MockResponse::ok());
    assert_eq!(status(&network, &mut agent, get()), 429);
    assert_eq!(
        *run(&network, &mut agent, Request::get("http://game.example/b"))
            .error()
            .kind(),
        OPEN
    );
    network.advance(Duration::from_secs(4));
    run(&network, &mut agent, Request::get("http://game.example/b")).response();
}

#[test]
fn an_open_circuit_sends_to_the_next_host() {
    let (network, server, mut agent) = opened(policy(OpenCircuitPolicy::FailFast));
    let second = MockServer::on(&network, "b.example", 80);
    second.any("/**").reply(MockResponse::ok());
    let request = get().fail_over(["http://b.example"]);
    assert_eq!(status(&network, &mut agent, request), 200);
    assert_eq!((server.requests().len(), second.requests().len()), (3, 1));
}

#[test]
fn client_errors_are_no_failures() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().circuit(policy(OpenCircuitPolicy::FailFast)));
    server.get("/").reply(MockResponse::with_status(404));
    for _ in 0..8 {
        assert_eq!(status(&network, &mut agent, get()), 404);
    }
}
