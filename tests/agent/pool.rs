//! Connections: shared, limited, and given up in time.

use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, Budget, Event, Phase, Request,
    agent::{PoolLimits, Priority},
    budget::BusyPoll,
    proxy::ProxySettings,
};

use crate::support::{
    FRAME, address, finish, finish_all, frames, limits, run, script, send, setup, setup_with,
};

#[test]
fn one_connection_serves_one_after_the_other() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok().text("x"));
    for _ in 0..5 {
        run(&network, &mut agent, Request::get("http://game.example/")).response();
    }
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn six_connections_to_a_host_and_sixteen_in_all() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::on_memory(&network);
    let servers: Vec<_> = (0..4)
        .map(|at| MockServer::on(&network, &format!("h{at}.example"), 80))
        .collect();
    let mut handles = Vec::new();
    for (at, server) in servers.iter().enumerate() {
        server
            .any("/**")
            .reply(MockResponse::ok().delay(Duration::from_millis(100)));
        handles.extend(send(&mut agent, 10, &format!("http://h{at}.example/")));
    }
    frames(&network, &mut agent, 5);
    let open: Vec<_> = servers.iter().map(|it| it.connections().open).collect();
    assert_eq!(open, [6, 6, 4, 0]);
    assert_eq!(network.open_connections(), 16);
    for (_, result) in finish_all(&network, &mut agent, 40) {
        result.unwrap();
    }
    assert!(network.open_connections() <= 16);
    for server in &servers {
        assert!(server.connections().opened <= 10);
    }
}

/// Sends 64 requests; returns how many connections were opened, and how many milliseconds it took.
fn burst(limits: PoolLimits, latency: Duration) -> (usize, u128) {
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    network.set_latency(latency);
    server.any("/**").reply(MockResponse::ok().text("x"));
    let _handles = send(&mut agent, 64, "http://game.example/");
    let began = network.now();
    for (_, result) in finish_all(&network, &mut agent, 64) {
        result.unwrap();
    }
    let took = (network.now() - began).as_millis();
    (server.connections().opened, took)
}

#[test]
fn a_burst_to_a_distant_host_opens_more_connections_and_one_to_a_host_nearby_does_not() {
    let distant = Duration::from_millis(40);
    let (opened, took) = burst(PoolLimits::default(), distant);
    assert_eq!(opened, 6);
    let (opened, took_with_more) = burst(PoolLimits::burst(), distant);
    assert!((7..=32).contains(&opened), "{opened}");
    assert!(2 * took_with_more <= took, "{took_with_more} of {took} ms");
    assert_eq!(burst(PoolLimits::burst(), Duration::ZERO).0, 6);
}

/// Sends this number of requests to a server that responds at once; returns how many polls they took, and over how
/// many connections.
fn polls_of_a_queue(count: usize, budget: &Budget) -> (usize, usize) {
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .reply(MockResponse::ok().bytes(vec![1; 1024]));
    let _handles = send(&mut agent, count, "http://game.example/");
    let mut done = 0;
    for polls in 1..=count.max(10) {
        agent.poll_with(budget);
        while let Some(event) = agent.next_event() {
            assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
            done += usize::from(matches!(event, Event::Done { .. }));
        }
        if done == count {
            return (polls, server.connections().opened);
        }
        network.advance(FRAME);
    }
    panic!("{done} of {count}");
}

#[test]
fn each_connection_completes_many_requests_in_one_poll_when_the_server_is_near() {
    for count in [64, 1000] {
        // The first poll connects.
        assert_eq!(
            polls_of_a_queue(count, &Budget::default()),
            (2, 6),
            "{count}"
        );
    }
    // Without busy polling a connection completes one request per poll.
    let asks_once = Budget::default().with_busy_poll(BusyPoll::Off);
    assert_eq!(polls_of_a_queue(64, &asks_once), (13, 6));
}

#[test]
fn a_single_request_is_not_waited_for_in_its_poll_by_default() {
    assert_eq!(polls_of_a_queue(1, &Budget::default()).0, 3);
}

#[test]
fn the_next_request_is_sent_before_the_responses_of_other_connections_are_read() {
    let limits = limits(2, 2);
    let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
    server.any("/**").reply(MockResponse::ok().text("x"));
    let handles = send(&mut agent, 2, "http://game.example/");
    finish_all(&network, &mut agent, 2);
    drop(handles);
    let handles = send(&mut agent, 3, "http://game.example/");
    let asks_once = Budget::default().with_busy_poll(BusyPoll::Off);
    agent.poll_with(&asks_once);
    while agent.next_event().is_some() {}
    network.advance(FRAME);
    agent.poll_with(&asks_once);
    let mut order = Vec::new();
    while let Some(event) = agent.next_event() {
        let number = |id| handles.iter().position(|it| it.id() == id).unwrap();
        match event {
            Event::Done { id, .. } => order.push(("done", number(id))),
            Event::Phase {
                id,
                phase: Phase::SendHead,
            } => order.push(("sent", number(id))),
            _ => {}
        }
    }
    // The connection that was used last serves first, so the second request has the first response.
    assert_eq!(order, [("done", 1), ("sent", 2), ("done", 0)]);
}

#[test]
fn five_hundred_requests_over_six_connections_half_of_them_cancelled() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(
        MockResponse::ok()
            .bytes(vec![1; 3000])
            .delay(Duration::from_millis(5)),
    );
    let mut handles = send(&mut agent, 500, "http://game.example/");
    frames(&network, &mut agent, 3);
    let mut seed = 7u64;
    handles.retain(|_| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        seed >> 63 == 0
    });
    let left = handles.len();
    assert!((150..350).contains(&left));
    let mut ended = 0;
    for _ in 0..2000 {
        for event in frames(&network, &mut agent, 1) {
            match event {
                Event::Done { id, .. } => {
                    ended += usize::from(handles.iter().any(|it| it.id() == id));
                }
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        if ended >= left.saturating_sub(12) && agent.poll().next == httpoll::PollAt::Idle {
            break;
        }
        assert!(network.open_connections() <= 6);
    }
    // A few may have ended before their handles were chosen.
    assert!(ended >= left.saturating_sub(12), "{ended} of {left}");
    drop(handles);
    agent.close_idle_connections();
    frames(&network, &mut agent, 2);
    assert_eq!(network.open_connections(), 0);
    assert_eq!(agent.poll().next, httpoll::PollAt::Idle);
}

#[test]
fn an_idle_connection_makes_room_for_another_host() {
    let network = MemoryNetwork::new();
    let (a, b) = (
        MockServer::on(&network, "a.example", 80),
        MockServer::on(&network, "b.example", 80),
    );
    a.any("/**").reply(MockResponse::ok());
    b.any("/**").reply(MockResponse::ok());
    let mut agent = Agent::builder()
        .pool(limits(1, 6))
        .build_on_memory(&network);
    for _ in 0..3 {
        run(&network, &mut agent, Request::get("http://a.example/")).response();
        run(&network, &mut agent, Request::get("http://b.example/")).response();
        assert_eq!(network.open_connections(), 1);
    }
    assert_eq!((a.connections().opened, b.connections().opened), (3, 3));
}

#[test]
fn idle_connections_are_closed_in_time() {
    let mut short = limits(16, 6);
    short.idle_age = Duration::from_secs(5);
    let (network, server, mut agent) = setup_with(Agent::builder().pool(short));
    server.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    // At most a second of each gap between polls counts, so poll frame by frame.
    frames(&network, &mut agent, 490);
    assert_eq!(network.open_connections(), 1);
    frames(&network, &mut agent, 12);
    assert_eq!(network.open_connections(), 0);
    let mut none = limits(16, 6);
    none.idle_age = Duration::ZERO;
    let (network, server, mut agent) = setup_with(Agent::builder().pool(none));
    server.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    frames(&network, &mut agent, 1);
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn a_connection_beyond_its_lifetime_serves_no_more() {
    let mut short = limits(16, 6);
    short.lifetime = Duration::from_secs(2);
    let (network, server, mut agent) = setup_with(Agent::builder().pool(short));
    server.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    frames(&network, &mut agent, 190);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert_eq!(server.connections().opened, 1, "it is not that old yet");
    frames(&network, &mut agent, 20);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn cancelling_a_response_closes_its_connection() {
    let (network, server, mut agent) = setup();
    server.get("/big").reply(
        MockResponse::ok()
            .bytes(vec![0; 1_000_000])
            .drip(1000, Duration::from_millis(10)),
    );
    server.get("/").reply(MockResponse::ok().text("clean"));
    let handle = agent.get("http://game.example/big").send().unwrap();
    frames(&network, &mut agent, 5);
    drop(handle);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().text(), "clean");
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn connections_are_shared_only_by_equals() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let port = MockServer::on(&network, "game.example", 8080);
    let proxy = MockServer::on(&network, "proxy.example", 3128);
    for server in [&server, &port, &proxy] {
        server.any("/**").reply(MockResponse::ok());
    }
    let mut agent = Agent::on_memory(&network);
    let through = ProxySettings::default()
        .with_http("http://proxy.example:3128")
        .unwrap();
    let mut access = httpoll::access::AccessPolicy::default();
    access.schemes.clear();
    access.non_public_addresses = true;
    let requests = || {
        [
            Request::get("http://game.example/"),
            Request::get("http://game.example:8080/"),
            Request::get("http://game.example/").proxies(through.clone()),
            Request::get("http://game.example/").access(access.clone()),
        ]
    };
    for request in requests().into_iter().chain(requests()) {
        run(&network, &mut agent, request).response();
    }
    assert_eq!(port.connections().opened, 1);
    assert_eq!(proxy.connections().opened, 1);
    // One for requests without a policy, and one for each request with a policy of its own.
    assert_eq!(server.connections().opened, 3);
}

#[test]
fn idle_connections_can_be_closed_at_will() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert_eq!(network.open_connections(), 1);
    agent.close_idle_connections();
    agent.poll();
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn waiting_for_one_request_keeps_the_events_of_others() {
    let (_network, server, mut agent) = setup();
    server.get("/slow").reply(
        MockResponse::ok()
            .text("slow")
            .delay(Duration::from_millis(300)),
    );
    server.get("/fast").reply(MockResponse::ok().text("fast"));
    let slow = agent.get("http://game.example/slow").send().unwrap();
    let fast = agent.get("http://game.example/fast").send().unwrap();
    assert_eq!(agent.wait_for(slow).unwrap().text(), "slow");
    assert_eq!(agent.wait_for(fast).unwrap().text(), "fast");
}

#[test]
fn waiting_for_an_ended_request_does_not_wait() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let handle = agent.get("http://game.example/").send().unwrap();
    finish(&network, &mut agent, &handle);
    assert!(agent.wait_for(handle).unwrap_err().is_misuse());
    let handle = agent.get("http://game.example/").send().unwrap();
    agent.cancel(handle.id());
    assert!(agent.wait_for(handle).unwrap_err().is_misuse());
}

#[test]
fn a_redirect_is_followed_at_its_head_however_slow_its_content_is() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::on_memory(&network);
    let stalled = b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 60000\r\n\r\nmoved";
    let heard = script(
        &network,
        "game.example",
        "10.9.1.1:80",
        &[stalled, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
    );
    let began = network.now();
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().text(), "hi");
    let took = network.now() - began;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(heard.all().len(), 2);
    // The connection that waits for the rest is given up after a second.
    assert_eq!(network.open_connections(), 2);
    network.advance(Duration::from_secs(2));
    frames(&network, &mut agent, 2);
    assert_eq!(network.open_connections(), 1);
}

#[test]
fn unwanted_content_that_arrives_soon_leaves_its_connection_usable() {
    for pieces in [1, 3] {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        network.add_name("game.example", &[address("10.9.1.2:80").ip()]);
        network.serve(address("10.9.1.2:80"), move || {
            let mut turn = 0;
            move |peer: &mut Peer| {
                if !peer.received().ends_with(b"\r\n\r\n") {
                    return;
                }
                peer.take_received();
                turn += 1;
                if turn > 1 {
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                    return;
                }
                let head = format!(
                    "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: {}\r\n\r\n",
                    pieces * 4
                );
                peer.send(head.as_bytes());
                for _ in 0..pieces {
                    peer.send_after(Duration::from_millis(u64::from(pieces > 1) * 20), b"gone");
                }
            }
        });
        run(&network, &mut agent, Request::get("http://game.example/")).response();
        network.advance(Duration::from_millis(100));
        frames(&network, &mut agent, 3);
        let opened = network.connections_to(address("10.9.1.2:80"));
        assert_eq!(opened, if pieces == 1 { 1 } else { 2 });
        assert_eq!(network.open_connections(), opened, "both are idle now");
    }
}

#[test]
fn a_host_with_all_its_connections_gives_up_one_that_drains() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::builder()
        .pool(limits(1, 1))
        .build_on_memory(&network);
    let stalled = b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 60000\r\n\r\n";
    script(
        &network,
        "game.example",
        "10.9.1.3:80",
        &[stalled, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
    );
    let began = network.now();
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert!(network.now() - began < Duration::from_millis(500));
    assert_eq!(network.open_connections(), 1);
}

#[test]
fn a_gameplay_request_does_not_wait_for_background_downloads() {
    for limits in [limits(16, 6), limits(6, 6)] {
        let (network, server, mut agent) = setup_with(Agent::builder().pool(limits));
        server.get("/asset").reply(
            MockResponse::ok()
                .bytes(vec![1; 100_000])
                .drip(1000, Duration::from_millis(100)),
        );
        server.get("/move").reply(MockResponse::ok().text("ok"));
        let downloads: Vec<_> = (0..6)
            .map(|_| {
                let request = Request::get("http://game.example/asset");
                agent.send(request.priority(Priority::Background)).unwrap()
            })
            .collect();
        frames(&network, &mut agent, 5);
        let interface = agent.get("http://game.example/move").send().unwrap();
        let began = network.now();
        let request = Request::get("http://game.example/move").priority(Priority::Gameplay);
        run(&network, &mut agent, request).response();
        let took = network.now() - began;
        assert!(took < Duration::from_millis(100), "{took:?}");
        // The connection that is free now serves the others as well.
        finish(&network, &mut agent, &interface).response();
        assert!(network.now() - began < Duration::from_millis(200));
        assert_eq!(server.connections().opened, 7);
        drop(downloads);
    }
}
