//! Topics: one publisher, and subscribers by event streams, WebSockets and long polls; what slow, late and
//! disconnected subscribers get.

#![cfg(all(feature = "server", feature = "websocket"))]
#![allow(clippy::unwrap_used)]

mod serving;
mod serving_streams;

use std::time::Duration;

use httpoll::event_stream::ServerSentEvent;
use httpoll::server::topic::{SlowConsumerPolicy, Topic};
use httpoll::server::websocket::Options as WebSocketOptions;
use httpoll::server::{Request, Response, Server, ServerLimits};
use serving::{Raw, TestServer, body, header, status, test_server, test_server_with};
use serving_streams::{GET, handshake, take, unchunked, with_sockets};

fn with_topic(test: &mut TestServer, topic: &Topic) {
    let events = topic.clone();
    test.server
        .route("GET", "/sse", move |request: &mut Request| {
            events.subscribe(request);
        })
        .unwrap();
    let polls = topic.clone();
    test.server
        .route("GET", "/poll", move |request: &mut Request| {
            polls.long_poll(request);
        })
        .unwrap();
}

/// Subscribes, and sends the id of the last event received.
fn again(test: &mut TestServer, last_event_id: &str) -> String {
    let mut client = test.connect();
    let field = format!("Last-Event-ID: {last_event_id}\r\n");
    test.send(
        &mut client,
        format!("GET /sse HTTP/1.1\r\nHost: a\r\n{field}\r\n"),
    );
    unchunked(&client.text())
}

/// The payloads and ids of events.
fn events(text: &str) -> Vec<(String, String)> {
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().to_owned()
    };
    text.split_terminator("\n\n")
        .map(|block| (field(block, "data: "), field(block, "id: ")))
        .collect()
}

fn data(text: &str) -> Vec<String> {
    events(text).into_iter().map(|(data, _)| data).collect()
}

#[test]
fn a_topic_reaches_event_streams_and_sockets_alike() {
    let mut test = test_server();
    let topic = Topic::new();
    with_topic(&mut test, &topic);
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let mut client = test.connect();
    let head = test.send(&mut client, GET);
    assert_eq!(header(&head, "cache-control"), Some("no-cache"));
    assert_eq!(header(&head, "x-accel-buffering"), Some("no"));
    let (mut socket_client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    topic.subscribe_socket(&socket);
    let published = topic.clone();
    std::thread::spawn(move || {
        assert_eq!(published.publish(ServerSentEvent::new("one")), Ok(2));
    })
    .join()
    .unwrap();
    test.settle(&mut client);
    test.settle(&mut socket_client);
    let first = events(&unchunked(&client.text()));
    assert_eq!(first[0].0, "one");
    assert_eq!(socket_client.received, b"\x81\x03one");
    // A client that connects again gets the events that it missed.
    client.hang_up();
    test.poll();
    test.poll();
    for text in ["two", "three"] {
        topic.publish(ServerSentEvent::new(text)).unwrap();
    }
    assert_eq!(data(&again(&mut test, &first[0].1)), ["two", "three"]);
    // A new client gets no past events.
    let mut new = test.connect();
    test.send(&mut new, GET);
    assert_eq!(unchunked(&new.text()), "");
    topic.close();
    assert!(test.settle(&mut new).ends_with("0\r\n\r\n"));
}

#[test]
fn the_id_of_an_earlier_run_brings_a_marker_and_everything() {
    let before = Topic::new();
    let mut earlier = test_server();
    with_topic(&mut earlier, &before);
    let mut client = earlier.connect();
    earlier.send(&mut client, GET);
    for number in 0..3 {
        before
            .publish(ServerSentEvent::new(format!("old {number}")))
            .unwrap();
    }
    earlier.settle(&mut client);
    let last = events(&unchunked(&client.text())).pop().unwrap().1;

    let mut test = test_server();
    let topic = Topic::new();
    with_topic(&mut test, &topic);
    for number in 0..5 {
        topic
            .publish(ServerSentEvent::new(format!("new {number}")))
            .unwrap();
    }
    let text = again(&mut test, &last);
    assert!(text.starts_with("event: resync\n"), "{text}");
    assert_eq!(
        data(&text)[1..],
        ["new 0", "new 1", "new 2", "new 3", "new 4"]
    );
    // The same happens for an invented id, and for one that is no longer kept.
    assert!(again(&mut test, "3").starts_with("event: resync\n"));
}

#[test]
fn a_slow_client_gets_recent_values_in_their_place() {
    let mut limits = ServerLimits::default();
    limits.queued_bytes = 2000;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.network.set_capacity(500);
    let topic = Topic::new();
    with_topic(&mut test, &topic);
    let mut client = test.connect();
    client.write(GET.as_bytes());
    test.poll();
    let (mut oldest, mut checked) = (0, 0);
    for number in 0..3000 {
        for key in ["a", "b"] {
            let event = ServerSentEvent::new(format!("{key} at {number}"));
            topic.publish_latest(key, event).unwrap();
        }
        topic
            .publish(ServerSentEvent::new(format!(
                "shot {number} {}",
                "x".repeat(60)
            )))
            .unwrap();
        // It reads one network buffer every 20 rounds.
        if number % 20 == 0 {
            let before = client.received.len();
            client.read();
            test.poll();
            let text = String::from_utf8_lossy(&client.received[before..]).into_owned();
            for line in text.lines().filter(|line| line.starts_with("data: a at ")) {
                let Ok(position) = line[11..].parse::<usize>() else {
                    continue;
                };
                oldest = oldest.max(number - position.min(number));
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked} positions");
    // Events in a network buffer or already taken from the queue may be older, but no others.
    assert!(oldest <= 200, "a position was {oldest} rounds old");
    test.settle(&mut client);
    let text = unchunked(&client.text());
    for key in ["a", "b"] {
        assert!(text.contains(&format!("data: {key} at 2999\n")));
    }
    assert!(topic.dropped() > 0);
    // The ids arrive in order, so that the last one shows which events the client has.
    let numbers: Vec<u64> = events(&text)
        .iter()
        .map(|(_, id)| id.rsplit('-').next().unwrap().parse().unwrap())
        .collect();
    assert!(numbers.is_sorted());
}

#[test]
fn events_with_a_key_do_not_push_others_out_of_the_replay() {
    let mut test = test_server();
    let topic = Topic::new().replaying(4);
    with_topic(&mut test, &topic);
    let mut client = test.connect();
    test.send(&mut client, GET);
    topic.publish(ServerSentEvent::new("start")).unwrap();
    test.settle(&mut client);
    let last = events(&unchunked(&client.text())).pop().unwrap().1;
    client.hang_up();
    topic.publish(ServerSentEvent::new("shot")).unwrap();
    for number in 0..100 {
        let event = ServerSentEvent::new(format!("at {number}"));
        topic.publish_latest("position", event).unwrap();
    }
    assert_eq!(data(&again(&mut test, &last)), ["shot", "at 99"]);
}

#[test]
fn a_subscriber_that_has_gone_is_forgotten_at_once() {
    let mut test = test_server();
    let topic = Topic::new();
    with_topic(&mut test, &topic);
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let mut client = test.connect();
    test.send(&mut client, GET);
    let (socket_client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    let (one, other) = (topic.clone(), Topic::new());
    one.subscribe_socket(&socket);
    other.subscribe_socket(&socket);
    assert_eq!((topic.subscribers(), other.subscribers()), (2, 1));
    client.hang_up();
    drop(socket_client);
    test.poll();
    test.poll();
    // They are not only left out of the count: none of their memory is held.
    assert!(
        !format!("{topic:?}{other:?}").contains("Subscriber {"),
        "{topic:?}"
    );
    assert_eq!((topic.subscribers(), other.subscribers()), (0, 0));
}

#[test]
fn a_socket_gets_what_it_missed_by_id() {
    let mut test = test_server();
    let topic = Topic::new();
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let (mut client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    topic.subscribe_socket_from(&socket, None);
    topic.publish(ServerSentEvent::new("one")).unwrap();
    test.settle(&mut client);
    let object: serde_json::Value = serde_json::from_slice(&client.received[2..]).unwrap();
    assert_eq!(object["data"], "one");
    topic.publish(ServerSentEvent::new("two")).unwrap();
    drop(socket);
    let (mut client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    topic.subscribe_socket_from(&socket, object["id"].as_str());
    test.settle(&mut client);
    let object: serde_json::Value = serde_json::from_slice(&client.received[2..]).unwrap();
    assert_eq!(object["data"], "two");
    // For an unknown id the marker comes first.
    let (mut client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    topic.subscribe_socket_from(&socket, Some("x"));
    test.settle(&mut client);
    let text = String::from_utf8_lossy(&client.received).into_owned();
    assert!(text.find("resync").unwrap() < text.find("one").unwrap());
    assert!(text.contains("two"));
}

fn poll(test: &mut TestServer, last: Option<&str>) -> Raw {
    let mut client = test.connect();
    let query = last.map_or_else(String::new, |last| format!("?last_event_id={last}"));
    test.send(
        &mut client,
        format!("GET /poll{query} HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    client
}

fn page(client: &Raw) -> (String, bool, Vec<String>) {
    let page: serde_json::Value = serde_json::from_str(body(&client.text())).unwrap();
    let events = page["events"].as_array().unwrap();
    (
        page["last_event_id"].as_str().unwrap().to_owned(),
        page["resync"].as_bool().unwrap(),
        events
            .iter()
            .map(|event| event["data"].as_str().unwrap().to_owned())
            .collect(),
    )
}

#[test]
fn a_long_poll_waits_for_an_event_and_misses_none() {
    let mut test = test_server();
    let topic = Topic::new();
    with_topic(&mut test, &topic);
    topic.publish(ServerSentEvent::new("past")).unwrap();
    let (start, resync, none) = page(&poll(&mut test, None));
    assert!(!resync && none.is_empty());
    let mut waiting = poll(&mut test, Some(&start));
    assert_eq!((waiting.text(), topic.subscribers()), (String::new(), 1));
    topic.publish(ServerSentEvent::new("one")).unwrap();
    topic.publish(ServerSentEvent::new("two")).unwrap();
    test.settle(&mut waiting);
    let (last, _, events) = page(&waiting);
    assert_eq!(events, ["one"]);
    let (last, _, events) = page(&poll(&mut test, Some(&last)));
    assert_eq!(events, ["two"]);
    let (_, resync, events) = page(&poll(&mut test, Some("x-1")));
    assert_eq!((resync, events.len()), (true, 3));
    // Nothing is published: the page is empty and not an error.
    let mut waiting = poll(&mut test, Some(&last));
    test.pass(Duration::from_secs(31));
    waiting.read();
    assert_eq!(status(&waiting.text()), 200);
    assert_eq!(page(&waiting), (last.clone(), false, Vec::new()));
    assert_eq!(test.server.metrics().faults, 0);
    // A client that has gone is not counted.
    poll(&mut test, Some(&last)).hang_up();
    test.poll();
    test.poll();
    assert_eq!(topic.subscribers(), 0);
}

#[test]
fn a_slow_subscriber_gets_the_latest_and_holds_nobody_up() {
    for too_slow in [
        SlowConsumerPolicy::DropOldest,
        SlowConsumerPolicy::Disconnect,
    ] {
        let mut limits = ServerLimits::default();
        limits.queued_bytes = 2000;
        let mut test = test_server_with(Server::builder().limits(limits));
        test.network.set_capacity(1000);
        let topic = Topic::new().when_too_slow(too_slow).replaying(4);
        let subscribed = topic.clone();
        test.server
            .handle(
                "GET",
                "/sse",
                move |request: &mut Request, _: &mut Response| {
                    subscribed.subscribe(request);
                },
            )
            .unwrap();
        let mut slow = test.connect();
        slow.write(GET.as_bytes());
        let mut quick = test.connect();
        test.send(&mut quick, GET);
        for number in 0..3000 {
            topic
                .publish_latest("position", ServerSentEvent::new(format!("at {number}")))
                .unwrap();
            topic
                .publish(ServerSentEvent::new(format!(
                    "shot {number} {}",
                    "x".repeat(60)
                )))
                .unwrap();
            if number % 3 == 0 {
                test.poll();
                quick.read();
            }
        }
        test.settle(&mut quick);
        let text = unchunked(&quick.text());
        assert_eq!(text.matches("shot").count(), 3000);
        // Positions in between were replaced; the last one was not.
        assert!(text.matches("at ").count() < 3000 && text.contains("data: at 2999\n"));
        test.settle(&mut slow);
        match too_slow {
            SlowConsumerPolicy::DropOldest => {
                let text = unchunked(&slow.text());
                assert!(text.contains("shot 2999") && !text.contains("shot 2000 "));
                assert!(topic.dropped() > 0);
            }
            _ => {
                assert!(slow.closed);
                assert_eq!(topic.subscribers(), 1);
            }
        }
    }
}
