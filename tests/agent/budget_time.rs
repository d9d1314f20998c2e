//! The time that a frame takes, on a network where every call of the client takes virtual time.

use std::time::Duration;

use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::MockResponse;
use httpoll::{Agent, Budget, Event, Request, agent::PoolLimits};

use crate::support::{FRAME, address, pattern, setup, setup_with};

/// What a frame may take beyond its budget: the smallest read, on the slowest of these machines.
const GRACE: Duration = Duration::from_micros(60);

const CALL: Duration = Duration::from_micros(10);

/// Polls and pulls until `count` requests are over; returns how long each frame took, and how much
/// content was pulled.
fn run_frames(network: &MemoryNetwork, agent: &mut Agent, count: usize) -> (Vec<Duration>, usize) {
    let (mut over, mut pulled) = (0, 0);
    let mut took = Vec::new();
    while over < count {
        assert!(took.len() < 10_000, "{over} of {count} over");
        let began = network.now();
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Chunk { bytes, .. } => pulled += bytes.len(),
                Event::Done { .. } => over += 1,
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        took.push(network.now() - began);
        network.advance(FRAME);
    }
    (took, pulled)
}

fn longest(took: &[Duration]) -> Duration {
    took.iter().copied().max().unwrap()
}

#[test]
fn downloads_keep_to_the_budget_on_machines_of_any_speed() {
    for nanos_per_kib in [100, 500, 2000] {
        for millis in [1, 2, 4] {
            let budget = Duration::from_millis(millis);
            let builder = Agent::builder().budget(Budget::frame(budget));
            let (network, server, mut agent) = setup_with(builder);
            network.set_capacity(4 * 1024 * 1024);
            network.set_work(CALL, Duration::from_nanos(nanos_per_kib));
            server
                .get("/")
                .reply(MockResponse::ok().bytes(pattern(8_000_000)));
            for _ in 0..3 {
                let request = Request::get("http://game.example/").stream();
                agent.send(request).unwrap().detach();
            }
            let (took, pulled) = run_frames(&network, &mut agent, 3);
            assert_eq!(pulled, 24_000_000);
            let longest = longest(&took);
            assert!(
                longest <= budget + GRACE,
                "{longest:?} of {millis} ms, {nanos_per_kib} ns"
            );
        }
    }
}

#[test]
fn a_thousand_requests_asked_in_one_frame_keep_to_the_budget() {
    for connections in [6, 1000] {
        let mut limits = PoolLimits::default();
        (limits.total, limits.per_host) = (connections, connections);
        let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
        network.set_work(CALL, Duration::from_nanos(500));
        server
            .get("/")
            .reply(MockResponse::ok().bytes(pattern(1000)));
        for _ in 0..1000 {
            let request = Request::get("http://game.example/");
            agent.send(request).unwrap().detach();
        }
        let (took, _) = run_frames(&network, &mut agent, 1000);
        let longest = longest(&took);
        // A step of one connection: it connects, writes and reads.
        assert!(
            longest <= Duration::from_millis(1) + 4 * CALL,
            "{longest:?}"
        );
    }
}

#[test]
fn pulling_reads_on_with_the_rest_of_the_budget() {
    let (network, server, mut agent) = setup();
    network.set_capacity(16 * 1024 * 1024);
    network.set_work(Duration::ZERO, Duration::from_nanos(100));
    agent.set_budget(Budget::frame(Duration::from_millis(5)));
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(8_000_000)));
    let request = Request::get("http://game.example/").stream();
    agent.send(request).unwrap().detach();
    let (took, pulled) = run_frames(&network, &mut agent, 1);
    assert_eq!(pulled, 8_000_000);
    // Not one window in each frame.
    assert!(took.len() <= 4, "{}", took.len());
    assert!(longest(&took) <= Duration::from_millis(5));
}

#[test]
fn a_fast_download_comes_in_whole_buffers() {
    const BUFFER: usize = 256 * 1024;
    let (network, server, mut agent) = setup();
    network.set_capacity(16 * 1024 * 1024);
    agent.set_budget(Budget::unlimited());
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(16 * BUFFER)));
    let request = Request::get("http://game.example/").stream();
    agent.send(request).unwrap().detach();
    let mut pieces = Vec::new();
    for _ in 0..10 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if let Event::Chunk { bytes, .. } = event {
                pieces.push(bytes.len());
            }
        }
        network.advance(FRAME);
    }
    // The head is in the first buffer, so that the last piece is as long as the head.
    assert_eq!(pieces.iter().sum::<usize>(), 16 * BUFFER);
    assert_eq!(pieces.len(), 17, "{pieces:?}");
    assert!(
        pieces[1..16].iter().all(|bytes| *bytes == BUFFER),
        "{pieces:?}"
    );
}

#[test]
fn deadlines_that_are_due_together_are_handled_within_the_budget() {
    let network = MemoryNetwork::new();
    network.refuse(address("10.0.0.1:80"), ConnectError::BlackHole);
    let mut agent = Agent::on_memory(&network);
    let url = "http://10.0.0.1/";
    for _ in 0..100 {
        let request = Request::get(url).total_timeout(Duration::from_secs(1));
        agent.send(request).unwrap().detach();
    }
    agent.poll();
    network.advance(Duration::from_secs(1));
    let nothing = Budget::frame(Duration::ZERO);
    let mut reported = Vec::new();
    for _ in 0..200 {
        agent.poll_with(&nothing);
        let mut failed = 0;
        while let Some(event) = agent.next_event() {
            failed += usize::from(event.is_final());
        }
        reported.push(failed);
    }
    assert_eq!(reported.iter().sum::<usize>(), 100);
    assert!(reported.iter().all(|failed| *failed <= 8), "{reported:?}");
}
