//! Which clients are too slow, and what happens to them: heads and contents that arrive slowly, slow readers,
//! idle connections, graceful shutdown; and what budgets limit.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod serving;
mod server_timeouts {
    mod floods;
    mod spent_budgets;

    use super::seconds;
}

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Budget;
use httpoll::server::{
    Request, Responder, Response, ResponseStream, SendError, Server, ServerLimits, ServerTimeouts,
};
use httpoll::{PollAt, server::ServerFault};
use serving::{Notes, answers, body, header, status, test_server, test_server_with};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_head_that_trickles_has_one_deadline_not_one_for_each_byte() {
    let mut test = test_server();
    let mut client = test.connect();
    let mut frames = 0;
    while !client.closed && frames < 5000 {
        if frames % 50 == 0 {
            client.write(if frames == 0 {
                b"GET / HTTP/1.1\r\nX: "
            } else {
                b"y"
            });
        }
        test.frame();
        client.read();
        frames += 1;
    }
    assert_eq!(status(&client.text()), 408);
    assert!((1000..1010).contains(&frames), "{frames}");
}

#[test]
fn content_must_arrive_at_the_minimum_rate() {
    for (bytes, every, survives) in [(20, 10, true), (1, 10, false), (4000, 900, true)] {
        let mut test = test_server();
        test.server.route("POST", "/", answers("done")).unwrap();
        let mut client = test.connect();
        test.send(
            &mut client,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
        );
        let (mut sent, mut frame) = (0, 0);
        while sent < 60_000 && !client.closed {
            if frame % every == 0 {
                sent += client.write(&vec![b'x'; bytes.min(60_000 - sent)]);
            }
            test.frame();
            client.read();
            frame += 1;
        }
        test.settle(&mut client);
        assert_eq!(
            status(&client.text()),
            if survives { 200 } else { 408 },
            "{bytes} every {every}"
        );
    }
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let mut test = test_server();
    test.network.set_capacity(16 * 1024);
    test.server
        .route("GET", "/", |_: &mut Request| {
            Response::content("text/plain", vec![b'x'; 1 << 20])
        })
        .unwrap();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    let sent = notes.clone();
    test.server
        .on_sent(move |it| sent.add(format!("complete {}", it.complete)));
    let mut client = test.connect();
    client.write(GET.as_bytes());
    test.pass(Duration::from_millis(59_900));
    assert_eq!(test.server.metrics().open, 1);
    test.pass(Duration::from_millis(300));
    assert_eq!(test.server.metrics().open, 0);
    assert_eq!(
        notes.take(),
        ["the client reads too slowly", "complete false"]
    );
    // A client that reads slowly but steadily gets everything.
    let mut client = test.connect();
    client.write(GET.as_bytes());
    while client.received.len() <= 1 << 20 && !client.closed {
        test.pass(Duration::from_millis(500));
        client.read();
    }
    assert!(client.received.len() > 1 << 20);
}

#[test]
fn idle_connections_are_closed_quietly() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("ok")).unwrap();
    let mut silent = test.connect();
    let mut idle = test.connect();
    assert_eq!(body(&test.send(&mut idle, GET)), "ok");
    test.pass(seconds(29));
    assert_eq!(body(&test.send(&mut idle, GET)), "ok");
    test.pass(Duration::from_millis(1100));
    assert_eq!(test.settle(&mut silent), "");
    assert!(silent.closed && !idle.closed);
    test.pass(seconds(30));
    assert_eq!(test.settle(&mut idle), "");
    assert!(idle.closed);
}

#[test]
fn deadlines_can_be_chosen() {
    let mut timeouts = ServerTimeouts::default();
    timeouts.head = Some(seconds(2));
    timeouts.idle = Some(seconds(1));
    timeouts.respond = Some(seconds(3));
    let mut test = test_server_with(Server::builder().timeouts(timeouts));
    let mut half = test.connect();
    test.send(&mut half, "GET");
    let mut idle = test.connect();
    let mut waiting = test.connect();
    test.send(&mut waiting, GET);
    let request = test.server.next_request().unwrap();
    test.pass(Duration::from_millis(1100));
    idle.read();
    assert!(idle.closed);
    test.pass(seconds(1));
    assert_eq!(status(&test.settle(&mut half)), 408);
    test.pass(seconds(1));
    assert_eq!(status(&test.settle(&mut waiting)), 504);
    drop(request);
}

#[test]
fn a_graceful_end_answers_what_is_under_way_and_closes_the_rest() {
    let mut test = test_server();
    let kept: Arc<Mutex<Option<Responder>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                *keep.lock().unwrap() = Some(request.defer());
            },
        )
        .unwrap();
    let mut idle = test.connect();
    let mut busy = test.connect();
    test.send(&mut busy, GET);
    test.server.shutdown(seconds(5));
    test.settle(&mut idle);
    assert!(idle.closed && !test.server.is_listening() && !test.server.is_closed());
    let mut late = test.network.connect(serving::address()).unwrap();
    test.poll();
    let refused = std::io::Read::read(&mut late, &mut [0; 1]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::NotConnected);
    kept.lock()
        .unwrap()
        .take()
        .unwrap()
        .respond(Response::text("last"));
    let response = test.settle(&mut busy);
    assert_eq!(
        (body(&response), header(&response, "connection")),
        ("last", Some("close"))
    );
    assert!(busy.closed && test.server.is_closed());
}

#[test]
fn a_graceful_end_has_a_deadline() {
    let mut test = test_server();
    let mut client = test.connect();
    test.send(&mut client, GET);
    let request = test.server.next_request().unwrap();
    test.server.shutdown(seconds(5));
    test.pass(Duration::from_millis(4_900));
    assert!(!test.server.is_closed());
    test.pass(Duration::from_millis(200));
    assert!(test.server.is_closed());
    client.read();
    assert!(client.closed);
    drop(request);
    let polled = test.server.poll().unwrap();
    assert_eq!(polled.next, PollAt::Idle);
}

#[test]
fn the_longest_timeout_of_a_graceful_end_waits() {
    let mut test = test_server();
    let mut client = test.connect();
    test.send(&mut client, GET);
    let request = test.server.next_request().unwrap();
    test.server.shutdown(Duration::MAX);
    test.pass(seconds(10));
    assert!(!test.server.is_closed());
    request.respond(Response::text("last"));
    assert_eq!(body(&test.settle(&mut client)), "last");
    assert!(test.server.is_closed());
}

#[test]
fn a_stream_takes_what_fits_and_says_so() {
    let mut limits = ServerLimits::default();
    limits.queued_bytes = 10_000;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.network.set_capacity(4096);
    let kept: Arc<Mutex<Option<ResponseStream>>> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/",
            move |request: &mut Request, _: &mut Response| {
                let stream = request.defer().stream(Response::content("text/plain", ""));
                *keep.lock().unwrap() = Some(stream);
            },
        )
        .unwrap();
    let mut client = test.connect();
    client.write(GET.as_bytes());
    test.poll();
    let mut stream = kept.lock().unwrap().take().unwrap();
    let mut written = 0;
    loop {
        match stream.write(vec![b'y'; 1000]) {
            Ok(()) => written += 1000,
            Err(refused) => {
                assert_eq!(refused, SendError::Full);
                break;
            }
        }
        test.poll();
        assert!(written < 1_000_000);
    }
    assert_eq!(stream.room(), 0);
    assert!(stream.queued() > 9_000);
    while stream.queued() > 0 {
        test.settle(&mut client);
    }
    stream.write("end").unwrap();
    stream.finish();
    test.settle(&mut client);
    let text = client.text();
    assert_eq!(header(&text, "transfer-encoding"), Some("chunked"));
    assert!(text.ends_with("3\r\nend\r\n0\r\n\r\n"));
    assert_eq!(body(&text).matches('y').count(), written);

    // Dropped before its end, the response is cut, and the client can see that.
    client.write(GET.as_bytes());
    test.poll();
    drop(kept.lock().unwrap().take());
    test.settle(&mut client);
    assert!(client.closed && !client.text().ends_with("0\r\n\r\n"));

    // The client has gone, and the writer can see it.
    let mut client = test.connect();
    client.write(GET.as_bytes());
    test.poll();
    let mut stream = kept.lock().unwrap().take().unwrap();
    client.reset();
    test.poll();
    assert!(stream.is_closed());
    assert_eq!(stream.write("x"), Err(SendError::Closed));
}

#[test]
fn handler_calls_accepts_and_bytes_are_bounded_and_nobody_starves() {
    let mut test = test_server();
    let notes = Notes::default();
    let seen = notes.clone();
    test.server
        .route("GET", "/:who", move |request: &mut Request| {
            seen.add(request.param("who").unwrap());
            Response::new()
        })
        .unwrap();
    let mut clients: Vec<_> = (0..4).map(|_| test.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        for _ in 0..3 {
            client.write(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        }
    }
    test.budget = Budget::unlimited().with_handler_calls(1);
    let mut order = Vec::new();
    for _ in 0..12 {
        test.poll();
        let calls = notes.take();
        assert!(calls.len() <= 1);
        order.extend(calls);
    }
    assert_eq!(order.len(), 12);
    // No connection is served a second time before all were served once.
    for round in order.chunks(4) {
        let mut round = round.to_vec();
        round.sort();
        assert_eq!(round, ["0", "1", "2", "3"]);
    }

    test.budget = Budget::unlimited().with_accepts(2);
    let waiting: Vec<_> = (0..5)
        .map(|_| test.network.connect(serving::address()).unwrap())
        .collect();
    for expected in [6, 8, 9] {
        test.poll();
        assert_eq!(test.server.metrics().open, expected);
    }
    drop(waiting);
}

#[test]
fn clients_that_time_out_together_are_closed_within_the_budget() {
    let closing = Duration::from_micros(100);
    let mut test = test_server();
    let network = test.network.clone();
    test.server.on_disconnect(move |_| network.advance(closing));
    let clients: Vec<_> = (0..100).map(|_| test.connect()).collect();
    test.pass(Duration::from_millis(29_900));
    test.budget = Budget::frame(Duration::from_millis(1));
    test.network.advance(Duration::from_millis(200));
    let mut polls = 0;
    while test.server.metrics().open > 0 {
        let (before, open) = (test.network.now(), test.server.metrics().open);
        test.poll();
        let took = test.network.now() - before;
        assert!(took <= Duration::from_micros(1_500), "{took:?}");
        assert!(test.server.metrics().open < open);
        polls += 1;
    }
    assert!((7..=25).contains(&polls), "{polls}");
    drop(clients);
}

#[test]
fn a_budget_of_bytes_slows_and_loses_nothing() {
    let mut test = test_server();
    test.server
        .route("POST", "/", |request: &mut Request| {
            Response::content("text/plain", request.body().clone())
        })
        .unwrap();
    test.budget = Budget::unlimited().with_bytes(100);
    let mut client = test.connect();
    let content = "z".repeat(5000);
    client.write(
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{content}").as_bytes(),
    );
    let mut polls = 0;
    while !client.text().ends_with(&content) {
        let before = test.server.metrics();
        test.poll();
        let after = test.server.metrics();
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
    let mut test = test_server();
    let mut client = test.connect();
    test.send(&mut client, "GET / ");
    let begun = test.network.now();
    let polled = test.server.wait(None).unwrap();
    assert_eq!(test.network.now() - begun, seconds(10));
    assert!(polled.changed);
    assert_eq!(status(&test.settle(&mut client)), 408);
}

#[test]
fn faults_name_the_client() {
    let mut test = test_server();
    let notes = Notes::default();
    let errors = notes.clone();
    test.server.on_error(move |fault, client| {
        let is_request = matches!(fault, ServerFault::Request(_));
        errors.add(format!("{is_request} {}", client.unwrap().peer_addr().ip()));
    });
    test.ask("\0\r\n\r\n");
    assert_eq!(notes.take(), ["true 127.0.0.1"]);
}

#[test]
fn a_client_that_never_stops_holds_up_neither_others_nor_the_loop() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("hello")).unwrap();
    test.server
        .route("GET", "/endless", |_: &mut Request| {
            Response::reader(std::io::repeat(b'e'), None)
        })
        .unwrap();
    let mut endless = test.connect();
    endless.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut other = test.connect();
    for round in 1..=20 {
        other.write(GET.as_bytes());
        for _ in 0..2 {
            test.server.wait(Some(Duration::from_millis(1))).unwrap();
            endless.read();
            other.read();
        }
        assert_eq!(other.text().matches("hello").count(), round);
    }
    assert!(endless.received.len() > 1_000_000);
}

#[test]
fn after_an_hour_without_polls_nobody_is_too_late() {
    let mut test = test_server();
    test.server.route("GET", "/", answers("ok")).unwrap();
    test.server.route("POST", "/", answers("taken")).unwrap();
    let mut idle = test.connect();
    assert_eq!(body(&test.send(&mut idle, GET)), "ok");
    let mut half = test.connect();
    test.send(&mut half, "GET / HTTP/1.1\r\n");
    let mut uploading = test.connect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    test.send(&mut uploading, head);
    // All of them send while the game is in the background.
    for (client, bytes) in [
        (&mut idle, GET.as_bytes().to_vec()),
        (&mut half, b"Host: a\r\n\r\n".to_vec()),
        (&mut uploading, vec![b'x'; 30_000]),
    ] {
        client.write(&bytes);
    }
    test.network.advance(seconds(3600));
    for (client, expected) in [(&mut idle, "ok"), (&mut half, "ok")] {
        assert_eq!(body(&test.settle(client)), expected);
    }
    uploading.write(&[b'x'; 30_000]);
    assert_eq!(body(&test.settle(&mut uploading)), "taken");
    assert_eq!(test.server.metrics().open, 3);
    // From then on time counts again.
    test.pass(seconds(31));
    assert_eq!(test.server.metrics().open, 0);
}

#[cfg(feature = "agent")]
#[test]
fn a_client_gets_the_504_of_a_server_before_it_gives_up_itself() {
    let network = httpoll::memory::MemoryNetwork::new();
    network.set_latency(seconds(1));
    let mut server = Server::builder()
        .on_memory(&network, "10.0.0.1:80".parse().unwrap())
        .unwrap();
    let mut agent = httpoll::Agent::on_memory(&network);
    let request = httpoll::Request::get("http://10.0.0.1/");
    agent.send(request).unwrap().detach();
    let (mut held, mut statuses) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        agent.poll();
        server.poll().unwrap();
        held.extend(std::iter::from_fn(|| server.next_request()));
        while let Some(event) = agent.next_event() {
            match event {
                httpoll::Event::Done { response, .. } => statuses.push(response.status().as_u16()),
                httpoll::Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        network.advance(Duration::from_millis(100));
    }
    assert_eq!(statuses, [504]);
    assert_eq!(held.len(), 1);
}
