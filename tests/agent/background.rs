//! A game in the background without [`Agent::suspend`]: nobody polls for an hour, connections may be dead, and all timers
//! are due at once.

use std::time::Duration;

use httpoll::mock::{MockResponse, MockStream};
use httpoll::{Agent, Download, ErrorKind, Event, Phase, Request, RetryPolicy, Timeouts};

use crate::pausing::{URL, dripping, get};
use crate::support::{FRAME, Folder, chunks, finish, frames, pattern, run, setup, setup_with};

const HOUR: Duration = Duration::from_secs(3600);

fn two_seconds() -> Timeouts {
    Timeouts::with(|it| {
        it.head = Some(Duration::from_secs(2));
        it.stall = Some(Duration::from_secs(2));
    })
}

#[test]
fn what_arrived_in_the_background_is_taken_before_any_deadline_is_checked() {
    let folder = Folder::new("background-arrived");
    for kind in ["collected", "streamed", "saved", "uploaded"] {
        let (network, server, mut agent) = setup();
        server.get("/").reply(dripping(100_000));
        server
            .put("/")
            .reply(MockResponse::ok().delay(Duration::from_secs(60)));
        let request = match kind {
            "collected" => get(),
            "streamed" => get().stream(),
            "saved" => get().download_to(folder.path("level")),
            _ => Request::put(URL).body(pattern(50_000)),
        };
        let request = request
            .timeouts(two_seconds())
            .total_timeout(Duration::from_secs(5));
        let handle = agent.send(request).unwrap();
        let mut content = chunks(&frames(&network, &mut agent, 10));
        network.advance(HOUR);
        let outcome = finish(&network, &mut agent, &handle);
        content.extend(chunks(&outcome.events));
        let response = outcome.response();
        assert_eq!(response.attempts(), 1, "{kind}");
        match kind {
            "collected" => assert!(*response.body() == pattern(100_000)),
            "streamed" => assert!(content == pattern(100_000)),
            "saved" => assert!(std::fs::read(folder.path("level")).unwrap() == pattern(100_000)),
            _ => assert!(server.requests()[0].body == pattern(50_000)),
        }
    }
}

#[test]
fn a_transfer_whose_connection_died_in_the_background_continues_with_the_bytes_that_came() {
    let folder = Folder::new("background-died");
    // The connection was reset, or nobody will ever hear of it again.
    for is_silent in [false, true] {
        for kind in ["collected", "streamed", "saved"] {
            let (network, server, mut agent) = setup();
            let whole = MockResponse::resource(pattern(100_000)).etag("\"a\"");
            let first = dripping(100_000);
            let first = if is_silent {
                first.stall_after(50_000)
            } else {
                first.reset_after(50_000)
            };
            server.get("/").reply(first).then_reply(whole);
            let request = match kind {
                "collected" => get(),
                "streamed" => get().stream(),
                _ => get().download_to(Download::to(folder.path("level")).resume(true)),
            };
            let request = request
                .timeouts(two_seconds())
                .retries(RetryPolicy::standard());
            let handle = agent.send(request).unwrap();
            let mut content = chunks(&frames(&network, &mut agent, 10));
            network.advance(HOUR);
            let back = network.now();
            let outcome = finish(&network, &mut agent, &handle);
            content.extend(chunks(&outcome.events));
            let response = outcome.response();
            assert_eq!(response.attempts(), 2, "{kind}");
            match kind {
                "collected" => assert!(*response.body() == pattern(100_000)),
                "streamed" => assert!(content == pattern(100_000)),
                _ => {
                    assert!(std::fs::read(folder.path("level")).unwrap() == pattern(100_000));
                    assert_eq!(response.saved().unwrap().resumed_from, 50_000);
                }
            }
            let asked = server.requests();
            assert_eq!(asked[1].header("range"), Some("bytes=50000-"), "{kind}");
            let after = asked[1].at - back;
            if is_silent {
                // Of the two seconds of silence that are allowed, one was over at the first poll.
                let silence = Duration::from_secs(1);
                assert!(after >= silence && after < 3 * silence, "{kind} {after:?}");
            } else {
                assert!(after < Duration::from_secs(1), "{kind} {after:?}");
            }
        }
    }
}

#[test]
fn a_kept_connection_serves_no_request_after_an_hour() {
    // A router on the way has forgotten it and told nobody: a request over it would wait until its timeout.
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .matching(|it| it.number == 0)
        .reply(MockResponse::ok());
    server.get("/").reply(MockResponse::ok().never());
    let together: Vec<_> = (0..4).map(|_| agent.send(get()).unwrap()).collect();
    for handle in &together {
        finish(&network, &mut agent, handle).response();
    }
    assert_eq!(network.open_connections(), 4);
    network.advance(HOUR);
    let back = network.now();
    run(&network, &mut agent, get()).response();
    assert!(network.now() - back < 10 * FRAME);
    // The others are closed, too.
    assert_eq!(network.open_connections(), 1);
    let snapshot = agent.snapshot();
    let [host] = &snapshot.hosts[..] else {
        panic!("{snapshot:?}")
    };
    assert!(host.connections[0].age < Duration::from_secs(1));
}

#[test]
fn a_kept_connection_is_as_old_as_the_clock_says() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    run(&network, &mut agent, get()).response();
    for (gap, opened) in [(50, 1), (50, 1), (61, 2)] {
        network.advance(Duration::from_secs(gap));
        run(&network, &mut agent, get()).response();
        assert_eq!(server.connections().opened, opened, "{gap} s");
    }
    // A connection that is used all the time gets too old in gaps as well.
    for _ in 0..12 {
        network.advance(Duration::from_secs(55));
        run(&network, &mut agent, get()).response();
    }
    assert_eq!(server.connections().opened, 3, "ten minutes");
}

#[test]
fn a_pause_before_a_retry_passes_in_the_background() {
    let policy = || {
        let mut policy = RetryPolicy::standard();
        policy.retries = 5;
        policy.window = HOUR;
        policy
    };
    for paused in [false, true] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(MockResponse::with_status(503).header("Retry-After", "50"))
            .then_reply(MockResponse::with_status(503).header("Retry-After", "50"))
            .then_reply(MockResponse::ok());
        let handle = agent.send(get().retries(policy())).unwrap();
        frames(&network, &mut agent, 5);
        if paused {
            agent.pause(handle.id());
        }
        network.advance(HOUR);
        let events = frames(&network, &mut agent, 5);
        if paused {
            assert_eq!(server.requests().len(), 1);
            agent.resume(handle.id());
            frames(&network, &mut agent, 5);
        }
        // Once, not as often as would have fit into the hour.
        assert_eq!(server.requests().len(), 2, "{events:?}");
        // The next pause has its full length.
        let began = network.now();
        finish(&network, &mut agent, &handle).response();
        assert!(network.now() - began >= Duration::from_secs(49));
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn an_event_stream_reports_what_came_and_opens_again_once() {
    let (network, server, mut agent) = setup();
    let stream = MockStream::new();
    server.get("/").reply(
        MockResponse::ok()
            .header("Content-Type", "text/event-stream")
            .stream(&stream),
    );
    let handle = agent.send(Request::get(URL).event_stream()).unwrap();
    frames(&network, &mut agent, 5);
    stream.send("retry: 200\nid: 1\ndata: a\n\n");
    network.advance(HOUR / 2);
    stream.send("id: 2\ndata: b\n\n");
    stream.reset();
    network.advance(HOUR / 2);
    let events = frames(&network, &mut agent, 100);
    let data: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::ServerSent { event, .. } => Some(event.data.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(data, ["a", "b"]);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(server.requests()[1].header("last-event-id"), Some("2"));
    drop(handle);
}

#[test]
fn a_request_that_was_not_answered_has_the_time_that_it_had_left() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok().never());
    let handle = agent.send(get().timeouts(two_seconds())).unwrap();
    frames(&network, &mut agent, 5);
    network.advance(HOUR);
    let back = network.now();
    let outcome = finish(&network, &mut agent, &handle);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Timeout(Phase::AwaitHead)
    );
    let after = network.now() - back;
    assert!(after > Duration::from_millis(800) && after < Duration::from_millis(1200));
}

#[test]
fn a_rate_limit_saves_nothing_up_in_the_background() {
    let (network, server, mut agent) = setup_with(Agent::builder().global_rate_limit(Some(10_000)));
    server
        .get("/")
        .reply(MockResponse::resource(pattern(60_000)).etag("\"a\""));
    let handle = agent.send(get()).unwrap();
    frames(&network, &mut agent, 10);
    network.advance(HOUR);
    let back = network.now();
    finish(&network, &mut agent, &handle).response();
    assert!(network.now() - back > Duration::from_secs(5));
}

#[test]
fn a_flood_of_timers_that_are_due_at_once_keeps_to_the_budget_and_loses_none() {
    let mut policy = RetryPolicy::standard();
    policy.base_delay = Duration::from_secs(10);
    policy.jitter = false;
    let (network, server, mut agent) = setup();
    server
        .get("/**")
        .matching(|it| it.header("x-again").is_none())
        .reply_with({
            let mut count = 0;
            move |_| {
                count += 1;
                if count <= 300 {
                    MockResponse::with_status(503)
                } else {
                    MockResponse::ok()
                }
            }
        });
    for number in 0..300 {
        let request = Request::get(format!("{URL}{number}"));
        agent
            .send(request.retries(policy.clone()))
            .unwrap()
            .detach();
    }
    let before = frames(&network, &mut agent, 100);
    assert_eq!(server.requests().len(), 300);
    assert!(!before.iter().any(Event::is_final));
    network.advance(HOUR);
    let after = frames(&network, &mut agent, 200);
    let done = after
        .iter()
        .filter(|event| matches!(event, Event::Done { response, .. } if response.status() == 200));
    assert_eq!(done.count(), 300);
    assert_eq!(server.requests().len(), 600);
}

/// Serves a WebSocket whose peer lets the test send, close and see what was received.
#[cfg(feature = "websocket")]
fn web_socket_server(
    network: &httpoll::memory::MemoryNetwork,
    at: &str,
) -> (crate::support::Heard, std::sync::mpsc::Sender<Vec<u8>>) {
    let heard = crate::support::Heard::default();
    let (send, orders) = std::sync::mpsc::channel::<Vec<u8>>();
    let orders = std::sync::Arc::new(std::sync::Mutex::new(orders));
    let log = heard.clone();
    network.serve(crate::support::address(at), move || {
        let (log, orders) = (log.clone(), std::sync::Arc::clone(&orders));
        let mut is_open = false;
        move |peer: &mut httpoll::memory::Peer| {
            if !is_open {
                if !peer.received().ends_with(b"\r\n\r\n") {
                    return;
                }
                let head = String::from_utf8(peer.take_received()).unwrap();
                let key = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    let is_key = name.eq_ignore_ascii_case("sec-websocket-key");
                    is_key.then_some(value)
                });
                let accept = tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                peer.send(head.as_bytes());
                is_open = true;
                // What the server says while the game is in the background.
                for (after, frame) in [(1800, text("half")), (1801, text("more"))] {
                    peer.send_after(Duration::from_secs(after), &frame);
                }
                return;
            }
            log.add(&peer.take_received());
            if let Ok(answer) = orders.lock().unwrap().try_recv() {
                peer.send(&answer);
            }
        }
    });
    (heard, send)
}

#[cfg(feature = "websocket")]
fn text(text: &str) -> Vec<u8> {
    [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

#[cfg(feature = "websocket")]
#[test]
fn a_web_socket_is_pinged_once_after_an_hour_and_judged_by_what_follows() {
    use httpoll::agent::WebSocketOptions;
    use httpoll::error::WebSocketFault;
    for answers in [true, false] {
        let network = httpoll::memory::MemoryNetwork::new();
        let (heard, orders) = web_socket_server(&network, "10.0.0.9:80");
        let mut agent = Agent::on_memory(&network);
        let request = Request::get("http://10.0.0.9/").web_socket(WebSocketOptions::new());
        let handle = agent.send(request).unwrap();
        let opened = frames(&network, &mut agent, 10);
        let is_open = |it: &Event| matches!(it, Event::WebSocketOpen { .. });
        assert!(opened.iter().any(is_open), "{opened:?}");
        if answers {
            orders.send(vec![0x8a, 0]).unwrap();
        }
        network.advance(HOUR);
        let back = network.now();
        let events = frames(&network, &mut agent, 1);
        let messages = events
            .iter()
            .filter(|it| matches!(it, Event::WebSocketMessage { .. }));
        assert_eq!(messages.count(), 2, "{events:?}");
        let mut end = None;
        while end.is_none() && network.now() - back < Duration::from_secs(50) {
            let events = frames(&network, &mut agent, 1);
            end = events.into_iter().find(Event::is_final);
        }
        let pings = heard
            .all()
            .iter()
            .filter(|it| it.starts_with('\u{fffd}'))
            .count();
        if answers {
            // The first ping was answered, so that another followed.
            assert!(end.is_none() && pings == 2, "{pings}");
        } else {
            let Some(Event::Failed { error, .. }) = end else {
                panic!("{end:?}")
            };
            let fault = ErrorKind::WebSocket(WebSocketFault::PongTimeout);
            assert_eq!(*error.kind(), fault);
            assert_eq!(pings, 1);
            assert!(network.now() - back > Duration::from_secs(39));
        }
        drop(handle);
    }
}
