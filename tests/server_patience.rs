//! Who is too slow, and what becomes of them: trickling heads and contents, slow readers, idle
//! connections, graceful ends; and what budgets bound.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Budget;
use httpoll::server::{
    Refused, Request, Responder, Response, ResponseStream, Server, ServerLimits, ServerTimeouts,
};
use httpoll::{PollAt, server::Fault};
use serving::{Notes, answers, body, header, house, house_of, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_head_that_trickles_has_one_deadline_not_one_for_each_byte() {
    let mut house = house();
    let mut client = house.connect();
    let mut frames = 0;
    while !client.closed && frames < 5000 {
        if frames % 50 == 0 {
            client.write(if frames == 0 {
                b"GET / HTTP/1.1\r\nX: "
            } else {
                b"y"
            });
        }
        house.frame();
        client.read();
        frames += 1;
    }
    assert_eq!(status(&client.text()), 408);
    assert!((1000..1010).contains(&frames), "{frames}");
}

#[test]
fn content_must_come_at_a_least_rate() {
    for (bytes, every, survives) in [(20, 10, true), (1, 10, false), (4000, 900, true)] {
        let mut house = house();
        house.server.route("POST", "/", answers("done")).unwrap();
        let mut client = house.connect();
        house.send(
            &mut client,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
        );
        let (mut sent, mut frame) = (0, 0);
        while sent < 60_000 && !client.closed {
            if frame % every == 0 {
                sent += client.write(&vec![b'x'; bytes.min(60_000 - sent)]);
            }
            house.frame();
            client.read();
            frame += 1;
        }
        house.settle(&mut client);
        assert_eq!(
            status(&client.text()),
            if survives { 200 } else { 408 },
            "{bytes} every {every}"
        );
    }
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let mut house = house();
    house.network.set_capacity(16 * 1024);
    house
        .server
        .route("GET", "/", |_: &mut Request| {
            Response::content("text/plain", vec![b'x'; 1 << 20])
        })
        .unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    house
        .server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    let sent = notes.clone();
    house
        .server
        .on_sent(move |it| sent.add(format!("complete {}", it.complete)));
    let mut client = house.connect();
    client.write(GET.as_bytes());
    house.pass(Duration::from_millis(9_900));
    assert_eq!(house.server.metrics().open, 1);
    house.pass(Duration::from_millis(300));
    assert_eq!(house.server.metrics().open, 0);
    assert_eq!(
        notes.take(),
        ["the client reads too slowly", "complete false"]
    );
    // One who reads slowly but steadily gets it all.
    let mut client = house.connect();
    client.write(GET.as_bytes());
    while client.received.len() <= 1 << 20 && !client.closed {
        house.pass(Duration::from_millis(500));
        client.read();
    }
    assert!(client.received.len() > 1 << 20);
}

#[test]
fn idle_connections_are_closed_quietly() {
    let mut house = house();
    house.server.route("GET", "/", answers("ok")).unwrap();
    let mut silent = house.connect();
    let mut idle = house.connect();
    assert_eq!(body(&house.send(&mut idle, GET)), "ok");
    house.pass(seconds(29));
    assert_eq!(body(&house.send(&mut idle, GET)), "ok");
    house.pass(Duration::from_millis(1100));
    assert_eq!(house.settle(&mut silent), "");
    assert!(silent.closed && !idle.closed);
    house.pass(seconds(30));
    assert_eq!(house.settle(&mut idle), "");
    assert!(idle.closed);
}

#[test]
fn deadlines_can_be_chosen() {
    let mut timeouts = ServerTimeouts::default();
    timeouts.head = Some(seconds(2));
    timeouts.idle = Some(seconds(1));
    timeouts.respond = Some(seconds(3));
    let mut house = house_of(Server::builder().timeouts(timeouts));
    let mut half = house.connect();
    house.send(&mut half, "GET");
    let mut idle = house.connect();
    let mut waiting = house.connect();
    house.send(&mut waiting, GET);
    let request = house.server.next_request().unwrap();
    house.pass(Duration::from_millis(1100));
    idle.read();
    assert!(idle.closed);
    house.pass(seconds(1));
    assert_eq!(status(&house.settle(&mut half)), 408);
    house.pass(seconds(1));
    assert_eq!(status(&house.settle(&mut waiting)), 504);
    drop(request);
}

#[test]
fn a_graceful_end_answers_what_is_under_way_and_closes_the_rest() {
    let mut house = house();
    let kept: Arc<Mutex<Option<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    house
        .server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                *keep.lock().unwrap() = Some(request.defer());
            },
        )
        .unwrap();
    let mut idle = house.connect();
    let mut busy = house.connect();
    house.send(&mut busy, GET);
    house.server.shutdown(seconds(5));
    house.settle(&mut idle);
    assert!(idle.closed && !house.server.is_listening() && !house.server.is_closed());
    let mut late = house.network.connect(serving::address()).unwrap();
    house.poll();
    assert!(std::io::Read::read(&mut late, &mut [0; 1]).is_err());
    kept.lock()
        .unwrap()
        .take()
        .unwrap()
        .respond(Response::text("last"));
    let response = house.settle(&mut busy);
    assert_eq!(
        (body(&response), header(&response, "connection")),
        ("last", Some("close"))
    );
    assert!(busy.closed && house.server.is_closed());
}

#[test]
fn a_graceful_end_has_a_deadline() {
    let mut house = house();
    let mut client = house.connect();
    house.send(&mut client, GET);
    let request = house.server.next_request().unwrap();
    house.server.shutdown(seconds(5));
    house.pass(Duration::from_millis(4_900));
    assert!(!house.server.is_closed());
    house.pass(Duration::from_millis(200));
    assert!(house.server.is_closed());
    client.read();
    assert!(client.closed);
    drop(request);
    let polled = house.server.poll().unwrap();
    assert_eq!(polled.next, PollAt::Idle);
}

#[test]
fn a_stream_takes_what_fits_and_says_so() {
    let mut limits = ServerLimits::default();
    limits.queued_bytes = 10_000;
    let mut house = house_of(Server::builder().limits(limits));
    house.network.set_capacity(4096);
    let kept: Arc<Mutex<Option<ResponseStream>>> = Arc::default();
    let keep = Arc::clone(&kept);
    house
        .server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                let stream = request.defer().stream(Response::content("text/plain", ""));
                *keep.lock().unwrap() = Some(stream);
            },
        )
        .unwrap();
    let mut client = house.connect();
    client.write(GET.as_bytes());
    house.poll();
    let mut stream = kept.lock().unwrap().take().unwrap();
    let mut written = 0;
    loop {
        match stream.write(vec![b'y'; 1000]) {
            Ok(()) => written += 1000,
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                break;
            }
        }
        house.poll();
        assert!(written < 1_000_000);
    }
    assert_eq!(stream.room(), 0);
    assert!(stream.queued() > 9_000);
    while stream.queued() > 0 {
        house.settle(&mut client);
    }
    stream.write("end").unwrap();
    stream.finish();
    house.settle(&mut client);
    let text = client.text();
    assert_eq!(header(&text, "transfer-encoding"), Some("chunked"));
    assert!(text.ends_with("3\r\nend\r\n0\r\n\r\n"));
    assert_eq!(body(&text).matches('y').count(), written);

    // Dropped without its end, it is cut, and the client can tell.
    client.write(GET.as_bytes());
    house.poll();
    drop(kept.lock().unwrap().take());
    house.settle(&mut client);
    assert!(client.closed && !client.text().ends_with("0\r\n\r\n"));

    // Gone, and the writer is told.
    let mut client = house.connect();
    client.write(GET.as_bytes());
    house.poll();
    let mut stream = kept.lock().unwrap().take().unwrap();
    client.reset();
    house.poll();
    assert!(stream.is_closed());
    assert_eq!(stream.write("x"), Err(Refused::Closed));
}

#[test]
fn handler_calls_accepts_and_bytes_are_bounded_and_nobody_starves() {
    let mut house = house();
    let notes = Notes::default();
    let seen = notes.clone();
    house
        .server
        .route("GET", "/:who", move |request: &mut Request| {
            seen.add(request.param("who").unwrap());
            Response::new()
        })
        .unwrap();
    let mut clients: Vec<_> = (0..4).map(|_| house.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        for _ in 0..3 {
            client.write(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        }
    }
    house.budget = Budget::unlimited().with_handler_calls(1);
    let mut order = Vec::new();
    for _ in 0..12 {
        house.poll();
        let calls = notes.take();
        assert!(calls.len() <= 1);
        order.extend(calls);
    }
    assert_eq!(order.len(), 12);
    // Nobody is served a second time before all were served once.
    for round in order.chunks(4) {
        let mut round = round.to_vec();
        round.sort();
        assert_eq!(round, ["0", "1", "2", "3"]);
    }

    house.budget = Budget::unlimited().with_accepts(2);
    let waiting: Vec<_> = (0..5)
        .map(|_| house.network.connect(serving::address()).unwrap())
        .collect();
    for expected in [6, 8, 9] {
        house.poll();
        assert_eq!(house.server.metrics().open, expected);
    }
    drop(waiting);
}

#[test]
fn a_budget_of_bytes_slows_and_loses_nothing() {
    let mut house = house();
    house
        .server
        .route("POST", "/", |request: &mut Request| {
            Response::content("text/plain", request.body().clone())
        })
        .unwrap();
    house.budget = Budget::unlimited().with_bytes(100);
    let mut client = house.connect();
    let content = "z".repeat(5000);
    client.write(
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{content}").as_bytes(),
    );
    let mut polls = 0;
    while !client.text().ends_with(&content) {
        let before = house.server.metrics();
        house.poll();
        let after = house.server.metrics();
        let moved =
            after.bytes_received + after.bytes_sent - before.bytes_received - before.bytes_sent;
        assert!(moved <= 101, "{moved}");
        client.read();
        polls += 1;
        assert!(polls < 1000);
    }
    assert!(polls >= 100);
}

#[test]
fn a_wait_sleeps_until_the_next_deadline_only() {
    let mut house = house();
    let mut client = house.connect();
    house.send(&mut client, "GET / ");
    let begun = house.network.now();
    let polled = house.server.wait(None).unwrap();
    assert_eq!(house.network.now() - begun, seconds(10));
    assert!(polled.changed);
    assert_eq!(status(&house.settle(&mut client)), 408);
}

#[test]
fn faults_name_the_client() {
    let mut house = house();
    let notes = Notes::default();
    let errors = notes.clone();
    house.server.on_error(move |fault, client| {
        let is_request = matches!(fault, Fault::Request(_));
        errors.add(format!("{is_request} {}", client.unwrap().peer_addr().ip()));
    });
    house.ask("\0\r\n\r\n");
    assert_eq!(notes.take(), ["true 127.0.0.1"]);
}

#[test]
fn a_client_that_never_stops_holds_up_neither_others_nor_the_loop() {
    let mut house = house();
    house.server.route("GET", "/", answers("hello")).unwrap();
    house
        .server
        .route("GET", "/endless", |_: &mut Request| {
            Response::reader(std::io::repeat(b'e'), None)
        })
        .unwrap();
    let mut endless = house.connect();
    endless.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut other = house.connect();
    for round in 1..=20 {
        other.write(GET.as_bytes());
        for _ in 0..2 {
            house.server.wait(Some(Duration::from_millis(1))).unwrap();
            endless.read();
            other.read();
        }
        assert_eq!(other.text().matches("hello").count(), round);
    }
    assert!(endless.received.len() > 1_000_000);
}
