//! Timeouts: of each phase, of the whole request, and gaps between polls.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Budget, ErrorKind, Phase, Request, Timeouts, proxy::ProxySettings};

use crate::support::{FRAME, address, finish, frames, pattern, run, setup, setup_with};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_phase_has_its_deadline() {
    for (phase, path) in [
        (Phase::Resolve, "http://slow-name.example/"),
        (Phase::Connect, "http://black-hole.example/"),
        (Phase::Tunnel, "http://game.example/"),
        (Phase::TlsHandshake, "https://deaf.example:80/"),
        (Phase::AwaitHead, "http://game.example/silent"),
        (Phase::ReceiveBody, "http://game.example/stall"),
        (Phase::SendBody, "http://deaf.example/"),
    ] {
        let network = MemoryNetwork::new();
        network.set_capacity(4096);
        network.add_slow_name(
            "slow-name.example",
            &[address("10.9.9.9:80").ip()],
            60 * SECOND,
        );
        network.add_name("black-hole.example", &[address("10.9.9.8:80").ip()]);
        network.refuse(address("10.9.9.8:80"), ConnectError::BlackHole);
        network.add_name("deaf.example", &[address("10.9.9.7:80").ip()]);
        network.listen(address("10.9.9.7:80"));
        let server = MockServer::on(&network, "game.example", 80);
        let proxy = MockServer::on(&network, "proxy.example", 80);
        proxy.any("**").reply(MockResponse::ok().never());
        server
            .get("/stall")
            .reply(MockResponse::ok().bytes(pattern(10_000)).stall_after(5000));
        server.any("/**").reply(MockResponse::ok().never());
        let mut agent = Agent::on_memory(&network);
        let limit = Some(2 * SECOND);
        let mut request = match phase {
            Phase::SendBody => Request::put(path)
                .body(pattern(100_000))
                .expect_continue(None),
            _ => Request::get(path),
        };
        request = request.timeouts(Timeouts::with(|it| match phase {
            Phase::Resolve => it.resolve = limit,
            Phase::Connect => it.connect = limit,
            Phase::Tunnel => it.tunnel = limit,
            Phase::TlsHandshake => it.tls_handshake = limit,
            Phase::AwaitHead => it.head = limit,
            _ => it.stall = limit,
        }));
        if phase == Phase::Tunnel {
            let proxies = ProxySettings::default()
                .with_http("http://proxy.example:80")
                .unwrap();
            request = request.proxies(proxies).proxy_tunnel(true);
        }
        let began = network.now();
        let outcome = run(&network, &mut agent, request);
        let taken = network.now() - began;
        assert_eq!(*outcome.error().kind(), ErrorKind::Timeout(phase));
        assert_eq!(outcome.error().phase(), Some(phase));
        assert!(outcome.error().is_timeout());
        assert!(
            taken >= 2 * SECOND && taken <= 2 * SECOND + 3 * FRAME,
            "{phase:?}: {taken:?}"
        );
        frames(&network, &mut agent, 1);
        if !path.contains("deaf") {
            assert_eq!(network.open_connections(), 0, "{phase:?}");
        }
    }
}

#[test]
fn a_stall_is_per_quiet_period_and_the_total_is_not() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::ok()
            .bytes(pattern(1000))
            .drip(10, Duration::from_millis(100)),
    );
    let stall = Timeouts::with(|it| it.stall = Some(Duration::from_millis(200)));
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").timeouts(stall),
    )
    .response();
    let began = network.now();
    let request = Request::get("http://game.example/").total_timeout(3 * SECOND);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::TotalTimeout(Phase::ReceiveBody)
    );
    assert!(network.now() - began <= 3 * SECOND + FRAME);
    let (_, response) = outcome.result.unwrap_err();
    let body = response.unwrap().into_body();
    assert!(
        body.len() > 200 && body == pattern(1000)[..body.len()],
        "what came is not lost"
    );
}

#[test]
fn the_total_timeout_holds_at_each_stage() {
    for (url, phase) in [
        ("http://slow-name.example/", Phase::Resolve),
        ("http://black-hole.example/", Phase::Connect),
        ("http://game.example/silent", Phase::AwaitHead),
        ("http://game.example/stall", Phase::ReceiveBody),
    ] {
        let network = MemoryNetwork::new();
        network.add_slow_name(
            "slow-name.example",
            &[address("10.9.9.9:80").ip()],
            60 * SECOND,
        );
        network.add_name("black-hole.example", &[address("10.9.9.8:80").ip()]);
        network.refuse(address("10.9.9.8:80"), ConnectError::BlackHole);
        let server = MockServer::on(&network, "game.example", 80);
        server
            .get("/stall")
            .reply(MockResponse::ok().bytes(pattern(10_000)).stall_after(5000));
        server.any("/**").reply(MockResponse::ok().never());
        let mut agent = Agent::builder()
            .defaults(RequestOptions::new().total_timeout(SECOND))
            .build_on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get(url));
        assert_eq!(*outcome.error().kind(), ErrorKind::TotalTimeout(phase));
        assert!(outcome.error().origin().is_some());
        frames(&network, &mut agent, 1);
        assert_eq!(network.open_connections(), 0);
    }
    // Zero means no timeout.
    let (network, server, mut agent) =
        setup_with(Agent::builder().defaults(RequestOptions::new().total_timeout(SECOND)));
    server.get("/").reply(MockResponse::ok().delay(2 * SECOND));
    let request = Request::get("http://game.example/").total_timeout(Duration::ZERO);
    run(&network, &mut agent, request).response();
}

#[test]
fn a_long_gap_is_not_the_peers_fault() {
    // A loading screen, a breakpoint, a laptop that slept: at any moment of a request.
    for gap in [5 * SECOND, 3600 * SECOND] {
        for at in 0..14 {
            let (network, server, mut agent) = setup();
            network.set_latency(Duration::from_millis(15));
            server.get("/").reply(
                MockResponse::ok()
                    .bytes(pattern(5_000))
                    .drip(1000, Duration::from_millis(20)),
            );
            let mut timeouts = Timeouts::default();
            for limit in [
                &mut timeouts.resolve,
                &mut timeouts.connect,
                &mut timeouts.head,
                &mut timeouts.stall,
            ] {
                *limit = Some(2 * SECOND);
            }
            let request = Request::get("http://game.example/")
                .timeouts(timeouts)
                .total_timeout(5 * SECOND);
            let handle = agent.send(request).unwrap();
            frames(&network, &mut agent, at);
            network.advance(gap);
            let outcome = finish(&network, &mut agent, &handle);
            assert!(*outcome.response().body() == pattern(5_000), "{at} {gap:?}");
            assert_eq!(outcome.response().attempts(), 1);
        }
    }
}

#[test]
fn data_in_the_kernel_is_read_before_a_deadline_is_checked() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::ok()
            .bytes(pattern(100_000))
            .delay(Duration::from_millis(900)),
    );
    let timeouts = Timeouts::with(|it| {
        it.head = Some(SECOND);
        it.stall = Some(SECOND);
    });
    let handle = agent
        .send(Request::get("http://game.example/").timeouts(timeouts))
        .unwrap();
    frames(&network, &mut agent, 3);
    // The response arrived at 900 ms; the poll comes at 1100 ms, after the deadline.
    network.advance(Duration::from_millis(1100));
    finish(&network, &mut agent, &handle).response();
}

#[test]
fn a_small_budget_is_not_the_peers_fault() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(60_000)));
    let timeouts = Timeouts::with(|it| it.stall = Some(Duration::from_millis(50)));
    let mut handles = Vec::new();
    for _ in 0..6 {
        handles.push(
            agent
                .send(Request::get("http://game.example/").timeouts(timeouts.clone()))
                .unwrap(),
        );
    }
    agent.set_budget(Budget::unlimited().with_bytes(1000));
    let ended = crate::support::finish_all(&network, &mut agent, 6);
    for (_, result) in ended {
        assert!(*result.unwrap().body() == pattern(60_000));
    }
}

#[test]
fn a_timeout_of_zero_or_for_ever_does_no_harm() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().delay(Duration::from_millis(30)));
    for limit in [
        None,
        Some(Duration::MAX),
        Some(Duration::from_secs(u64::MAX / 2)),
    ] {
        let timeouts = Timeouts::with(|it| {
            it.resolve = limit;
            it.connect = limit;
            it.head = limit;
            it.stall = limit;
        });
        let request = Request::get("http://game.example/")
            .timeouts(timeouts)
            .total_timeout(limit.unwrap_or(Duration::MAX))
            .queue_timeout(limit.unwrap_or(Duration::MAX));
        run(&network, &mut agent, request).response();
    }
    let none = Timeouts::with(|it| it.head = Some(Duration::ZERO));
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").timeouts(none),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Timeout(Phase::AwaitHead)
    );
    agent.suspend(Duration::MAX);
    frames(&network, &mut agent, 2);
}

#[test]
fn a_redirect_or_retry_that_hurries_does_not_loop_within_a_poll() {
    // Each poll ends, no matter how fast the peer responds.
    let (_network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::with_status(503));
    let mut policy = httpoll::RetryPolicy::default();
    policy.retries = 1000;
    policy.base_delay = Duration::ZERO;
    policy.jitter = false;
    let handle = agent
        .send(Request::get("http://game.example/").retries(policy))
        .unwrap();
    let before = server.requests().len();
    agent.poll();
    agent.poll();
    agent.poll();
    let sent = server.requests().len() - before;
    assert!((1..10).contains(&sent), "{sent}");
    agent.cancel(handle.id());
}

#[test]
fn a_file_that_is_whole_when_its_time_is_over_is_no_failure() {
    let mut saved = 0;
    for delay in (50..=110).step_by(10) {
        let folder = crate::support::Folder::new("whole-in-time");
        let (network, server, mut agent) = setup();
        let late = MockResponse::ok().bytes(crate::support::pattern(1000));
        server
            .get("/")
            .reply(late.delay(Duration::from_millis(delay)));
        let request = Request::get("http://game.example/")
            .total_timeout(Duration::from_millis(100))
            .download_to(folder.path("level"));
        let outcome = run(&network, &mut agent, request);
        match outcome.result {
            Ok(_) => assert_eq!(folder.names(), ["level"], "{delay}"),
            Err(_) => assert!(folder.names().is_empty(), "{delay}"),
        }
        saved += usize::from(outcome.result.is_ok());
    }
    assert!((1..7).contains(&saved), "{saved}");
}
