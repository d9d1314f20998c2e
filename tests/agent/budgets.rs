//! What a poll may spend, and that every request gets its share of it.

use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Budget, Event, PollAt, Request, RequestId};

use crate::support::{address, finish, frames, pattern, run, setup};

#[test]
fn a_tiny_budget_still_makes_progress_and_loses_nothing() {
    for budget in [
        Budget::unlimited().with_bytes(1),
        Budget::unlimited().with_bytes(0),
        Budget::frame(Duration::ZERO),
        Budget::frame(Duration::ZERO).with_bytes(1),
    ] {
        let (network, server, mut agent) = setup();
        server
            .any("/**")
            .reply(MockResponse::ok().bytes(pattern(300)));
        agent.set_budget(budget.clone());
        let outcome = run(
            &network,
            &mut agent,
            Request::post("http://game.example/").body(pattern(300)),
        );
        assert!(*outcome.response().body() == pattern(300), "{budget:?}");
        assert!(server.requests()[0].body == pattern(300));
    }
}

#[test]
fn requests_are_carried_out_although_new_ones_use_up_each_poll() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(300)));
    agent.set_budget(Budget::frame(Duration::ZERO));
    let mut done = 0;
    for _ in 0..200 {
        let request = Request::get("http://game.example/");
        agent.send(request).unwrap().detach();
        let events = frames(&network, &mut agent, 1);
        done += events.iter().filter(|event| event.is_final()).count();
    }
    assert!(done >= 10, "{done}");
}

#[test]
fn a_poll_that_its_budget_cut_short_reports_more_work() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(200_000)));
    let handle = agent.send(Request::get("http://game.example/")).unwrap();
    let budget = Budget::unlimited().with_bytes(10_000);
    let (mut polls, mut received) = (0, 0);
    loop {
        let polled = agent.poll_with(&budget);
        polls += 1;
        let mut is_over = false;
        while let Some(event) = agent.next_event() {
            if let Event::Progress { progress, .. } = &event {
                assert!(
                    progress.received - received <= 80_000,
                    "{}",
                    progress.received - received
                );
                received = progress.received;
            }
            is_over |= event.is_final();
        }
        if is_over {
            break;
        }
        if received > 0 {
            assert_eq!(polled.next, PollAt::Now);
        }
        network.advance(Duration::from_millis(1));
        assert!(polls < 1000);
    }
    assert!(polls > 5, "{polls}");
    drop(handle);
}

#[test]
fn all_transfers_get_their_turn() {
    let network = MemoryNetwork::new();
    let mut agent = Agent::on_memory(&network);
    let mut ids: Vec<RequestId> = Vec::new();
    for number in 0..3 {
        let server = MockServer::on(&network, &format!("h{number}.example"), 80);
        server
            .any("/**")
            .reply(MockResponse::ok().bytes(vec![0; 3_000_000]));
        for _ in 0..3 {
            ids.push(
                agent
                    .get(format!("http://h{number}.example/"))
                    .send()
                    .unwrap()
                    .detach(),
            );
        }
    }
    agent.set_budget(Budget::unlimited().with_bytes(100_000));
    let mut received = vec![0; ids.len()];
    for _ in 0..200 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if let Event::Progress { id, progress } = event {
                received[ids.iter().position(|it| *it == id).unwrap()] = progress.received;
            }
        }
        network.advance(Duration::from_millis(10));
    }
    let (least, most) = (
        received.iter().min().unwrap(),
        received.iter().max().unwrap(),
    );
    assert!(*least > 0 && most - least <= 600_000, "{received:?}");
}

#[test]
fn a_huge_response_does_not_hold_up_a_small_one() {
    let (network, server, mut agent) = setup();
    server
        .get("/huge")
        .reply(MockResponse::ok().bytes(vec![0; 20_000_000]));
    server.get("/small").reply(MockResponse::ok().text("small"));
    agent.set_budget(Budget::unlimited().with_bytes(200_000));
    let huge = agent.get("http://game.example/huge").send().unwrap();
    crate::support::frames(&network, &mut agent, 10);
    let began = network.now();
    let small = agent.get("http://game.example/small").send().unwrap();
    finish(&network, &mut agent, &small).response();
    assert!(
        network.now() - began <= Duration::from_millis(150),
        "{:?}",
        network.now() - began
    );
    drop(huge);
}

#[test]
fn a_keep_alive_get_takes_two_polls_and_a_queue_moves_on_within_one() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok().text("x"));
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    for _ in 0..3 {
        let _handle = agent.get("http://game.example/").send().unwrap().detach();
        let mut polls = 0;
        'polls: loop {
            agent.poll();
            polls += 1;
            while let Some(event) = agent.next_event() {
                if event.is_final() {
                    break 'polls;
                }
            }
            assert!(polls < 10);
        }
        assert!(polls <= 2, "{polls}");
    }
    // The next request of a queue is sent in the poll that ended the one before.
    let count = 30;
    for _ in 0..count {
        agent.get("http://game.example/").send().unwrap().detach();
    }
    let (mut polls, mut done) = (0, 0);
    while done < count {
        agent.poll();
        polls += 1;
        while let Some(event) = agent.next_event() {
            done += usize::from(event.is_final());
        }
        assert!(polls < 50);
    }
    assert!(polls <= 9, "30 requests over 6 connections: {polls} polls");
}

#[test]
fn when_the_next_poll_is_wanted() {
    let (network, server, mut agent) = setup();
    assert_eq!(agent.poll().next, PollAt::Idle);
    server.get("/").reply(MockResponse::ok().never());
    let handle = agent.get("http://game.example/").send().unwrap();
    for _ in 0..5 {
        agent.poll();
        while agent.next_event().is_some() {}
        network.advance(Duration::from_millis(10));
    }
    let PollAt::At(at) = agent.poll().next else {
        panic!("the head's deadline")
    };
    // Possibly earlier: timers are not removed.
    assert!(at > network.now() && at <= network.now() + Duration::from_secs(30));
    drop(handle);
    assert_eq!(agent.poll().next, PollAt::Idle);
}

#[test]
fn a_response_that_is_whole_does_not_fail_when_its_server_leaves_between_two_polls() {
    for (response, content) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            "hello",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    ] {
        for bytes in 1..100 {
            let network = MemoryNetwork::new();
            network.add_name("game.example", &[address("10.0.0.1:80").ip()]);
            network.serve(address("10.0.0.1:80"), move || {
                move |peer: &mut Peer| {
                    if peer.received().ends_with(b"\r\n\r\n") {
                        peer.take_received();
                        peer.send(response);
                        peer.close();
                    }
                }
            });
            let mut agent = Agent::builder()
                .budget(Budget::unlimited().with_bytes(bytes))
                .build_on_memory(&network);
            let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
            assert_eq!(outcome.response().text(), content, "{bytes}");
        }
    }
}
