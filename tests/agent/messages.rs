//! Content that is divided into messages while it arrives: JSON lines, frames with a length, server-sent
//! events.

use std::time::Duration;

use httpoll::error::{EventStreamFault, FrameFault};
use httpoll::frames::{Framing, LengthPrefix, Message};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer, MockStream};
use httpoll::{Agent, Budget, ErrorKind, Event, Request, RequestHandle};
use serde_json::{Value, json};

use crate::retries::policy;
use crate::support::{finish, frames, run, setup};

const URL: &str = "http://game.example/";

fn all_framings() -> [Framing; 3] {
    [
        Framing::json_lines(),
        Framing::length_prefixed(LengthPrefix::U32LittleEndian),
        Framing::server_sent_events(),
    ]
}

/// The content that has these messages in this framing.
fn encoded(framing: Framing, messages: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let mut content = Vec::new();
    for message in messages {
        let text = message.to_string();
        if framing == Framing::json_lines() {
            content.extend_from_slice(format!("{text}\n").as_bytes());
        } else if framing == Framing::server_sent_events() {
            content.extend_from_slice(format!("event: move\ndata: {text}\n\n").as_bytes());
        } else {
            let prefix = LengthPrefix::U32LittleEndian;
            prefix.encode(text.as_bytes(), &mut content).unwrap();
        }
    }
    content
}

fn messages(events: &[Event]) -> Vec<&Message> {
    let messages = events.iter().filter_map(|event| match event {
        Event::Message { message, .. } => Some(message),
        _ => None,
    });
    messages.collect()
}

fn values(events: &[Event]) -> Vec<Value> {
    let messages = messages(events).into_iter();
    messages.map(|message| message.json().unwrap()).collect()
}

fn open(agent: &mut Agent, framing: Framing) -> RequestHandle {
    agent.send(Request::get(URL).messages(framing)).unwrap()
}

/// A server that sends what the test gives to the stream.
fn streaming(server: &MockServer) -> MockStream {
    let stream = MockStream::new();
    server.get("/").reply(MockResponse::ok().stream(&stream));
    stream
}

#[test]
fn messages_arrive_before_the_response_ends() {
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let stream = streaming(&server);
        let handle = open(&mut agent, framing);
        frames(&network, &mut agent, 5);
        let first = encoded(framing, [json!({"x": 1}), json!({"x": 2})]);
        stream.send(&first[..first.len() - 3]);
        assert_eq!(values(&frames(&network, &mut agent, 5)), [json!({"x": 1})]);
        stream.send(&first[first.len() - 3..]);
        assert_eq!(values(&frames(&network, &mut agent, 5)), [json!({"x": 2})]);
        stream.send(encoded(framing, [json!(3)]));
        stream.close();
        let outcome = finish(&network, &mut agent, &handle);
        assert_eq!(values(&outcome.events), [json!(3)], "{framing:?}");
        assert!(outcome.response().body().is_empty());
    }
}

#[test]
fn messages_are_the_same_in_pieces_of_any_size() {
    let sent: Vec<Value> = (0..5).map(|n| json!({ "n": n, "text": "Grüße" })).collect();
    for framing in all_framings() {
        let content = encoded(framing, sent.clone());
        for bytes in 1..content.len() {
            let (network, server, mut agent) = setup();
            network.set_transfer_limit(Some(bytes));
            server
                .get("/")
                .reply(MockResponse::ok().chunked(content.chunks(bytes)));
            let outcome = run(&network, &mut agent, Request::get(URL).messages(framing));
            outcome.response();
            assert_eq!(values(&outcome.events), sent, "{framing:?} in {bytes}");
        }
    }
}

#[test]
fn server_sent_events_keep_their_type_and_id() {
    let (network, server, mut agent) = setup();
    server
        .post("/")
        .reply(MockResponse::ok().text("id: 7\nevent: token\ndata: Hel\n\ndata: lo\n\n"));
    let request = Request::post(URL).messages(Framing::server_sent_events());
    let outcome = run(&network, &mut agent, request);
    outcome.response();
    let received = messages(&outcome.events);
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].event.as_deref(), Some("token"));
    assert_eq!(received[0].event_id.as_deref(), Some("7"));
    assert_eq!(received[0].text(), "Hel");
    assert_eq!(received[1].event, None);
    assert_eq!(received[1].event_id.as_deref(), Some("7"));
    assert_eq!(received[1].text(), "lo");
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "it is not opened again");
    assert_eq!(requests[0].header("accept"), Some("text/event-stream"));
}

#[test]
fn a_value_of_another_shape_is_an_error_of_that_message_only() {
    let (network, server, mut agent) = setup();
    let content = "{\"x\":1}\nnonsense\n{\"x\":\"a\"}\n{\"x\":4}\n";
    server.get("/").reply(MockResponse::ok().text(content));
    #[derive(serde::Deserialize)]
    struct Move {
        x: i32,
    }
    let request = Request::get(URL).messages(Framing::json_lines());
    let outcome = run(&network, &mut agent, request);
    outcome.response();
    let moves: Vec<_> = messages(&outcome.events)
        .into_iter()
        .map(|message| message.json::<Move>().map(|it| it.x))
        .map(|result| result.map_err(|error| error.kind().clone()))
        .collect();
    let invalid = || Err(ErrorKind::InvalidJson);
    assert_eq!(moves, [Ok(1), invalid(), invalid(), Ok(4)]);
}

#[test]
fn content_that_ends_inside_of_a_message_is_an_error_after_those_before() {
    for (framing, end, error) in [
        (Framing::json_lines(), &b"{\"x\":"[..], true),
        (Framing::json_lines(), b"[2]", false),
        (all_framings()[1], b"\x05\0\0\0abc", true),
        (all_framings()[1], b"\x05\0", true),
        // The specification says that such an event is dropped.
        (Framing::server_sent_events(), b"data: cut", false),
    ] {
        let (network, server, mut agent) = setup();
        let mut content = encoded(framing, [json!(1)]);
        content.extend_from_slice(end);
        server.get("/").reply(MockResponse::ok().bytes(content));
        let outcome = run(&network, &mut agent, Request::get(URL).messages(framing));
        assert_eq!(values(&outcome.events)[0], json!(1));
        if error {
            assert_eq!(
                *outcome.error().kind(),
                ErrorKind::Frame(FrameFault::Truncated)
            );
            assert!(
                outcome
                    .error()
                    .to_string()
                    .contains("ended inside of a message"),
                "{}",
                outcome.error()
            );
            assert_eq!(server.requests().len(), 1, "sent again: {framing:?}");
        } else {
            outcome.response();
        }
    }
}

#[test]
fn a_connection_that_breaks_inside_of_a_message_is_an_error_after_those_before() {
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let content = encoded(framing, [json!(1), json!(2), json!(3)]);
        let cut = content.len() - 2;
        server
            .get("/")
            .reply(MockResponse::ok().bytes(content).cut_after(cut));
        let outcome = run(&network, &mut agent, Request::get(URL).messages(framing));
        assert_eq!(values(&outcome.events), [json!(1), json!(2)]);
        let kind = outcome.error().kind();
        assert!(matches!(kind, ErrorKind::Truncated { .. }), "{kind:?}");
    }
}

#[test]
fn a_message_over_the_limit_is_an_error_after_those_before() {
    let frame = ErrorKind::Frame(FrameFault::TooLong(20));
    let event = ErrorKind::EventStream(EventStreamFault::TooLong(20));
    for (framing, expected) in all_framings()
        .into_iter()
        .zip([frame.clone(), frame, event])
    {
        let (network, server, mut agent) = setup();
        let long = "x".repeat(20);
        let mut content = encoded(framing, [json!(1), json!(2)]);
        content.extend_from_slice(&encoded(framing, [json!(long), json!(3)]));
        server.get("/").reply(MockResponse::ok().bytes(content));
        let request = Request::get(URL).messages(framing.max_message_bytes(20));
        let outcome = run(&network, &mut agent, request.retries(policy()));
        assert_eq!(values(&outcome.events), [json!(1), json!(2)]);
        assert_eq!(*outcome.error().kind(), expected);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_status_that_is_no_success_is_an_error_with_the_response() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::with_status(404).text("1\n2\n"));
    let outcome = run(
        &network,
        &mut agent,
        Request::get(URL).messages(Framing::json_lines()),
    );
    assert_eq!(*outcome.error().kind(), ErrorKind::Status(404));
    assert!(messages(&outcome.events).is_empty());
    let Err((_, Some(response))) = &outcome.result else {
        panic!("no response");
    };
    assert_eq!(response.text(), "1\n2\n");
    // Nothing to divide is not an error.
    server.get("/head").reply(MockResponse::ok().text("1\n"));
    server.get("/empty").reply(MockResponse::with_status(204));
    for request in [
        Request::head(format!("{URL}head")),
        Request::get(format!("{URL}empty")),
    ] {
        let outcome = run(&network, &mut agent, request.messages(all_framings()[1]));
        outcome.response();
        assert!(messages(&outcome.events).is_empty());
    }
}

/// Polls without pulling, then pulls what waits.
fn held(network: &MemoryNetwork, agent: &mut Agent) -> Vec<Event> {
    for _ in 0..20 {
        agent.poll();
        network.advance(Duration::from_millis(10));
    }
    // Without budget left, pulling does not read more.
    agent.poll_with(&Budget::frame(Duration::ZERO));
    std::iter::from_fn(|| agent.next_event()).collect()
}

#[test]
fn messages_that_nobody_pulls_stop_the_server() {
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let sent: Vec<Value> = (0..100_000).map(|n| json!(n)).collect();
        let content = encoded(framing, sent.clone());
        let length = content.len() as u64;
        server.get("/").reply(MockResponse::ok().bytes(content));
        let handle = open(&mut agent, framing.max_queued(10));
        let waiting = held(&network, &mut agent);
        assert_eq!(values(&waiting), sent[..10], "{framing:?}");
        let received = agent.snapshot().requests[0].progress.received;
        assert!(received <= 256 * 1024, "{received} of {length} were read");
        // Once pulled, all come, in order.
        let outcome = finish(&network, &mut agent, &handle);
        outcome.response();
        assert_eq!(values(&outcome.events), sent[10..]);
    }
}

#[test]
fn large_messages_that_nobody_pulls_stop_the_server() {
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let sent: Vec<Value> = (0..20).map(|_| json!("x".repeat(200_000))).collect();
        server
            .get("/")
            .reply(MockResponse::ok().bytes(encoded(framing, sent.clone())));
        let handle = open(&mut agent, framing);
        let waiting = held(&network, &mut agent);
        assert_eq!(values(&waiting).len(), 1, "the next would exceed 256 KiB");
        let outcome = finish(&network, &mut agent, &handle);
        outcome.response();
        assert_eq!(values(&outcome.events), sent[1..]);
    }
}

#[test]
fn messages_of_one_poll_keep_to_its_budget() {
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let sent: Vec<Value> = (0..300).map(|n| json!(n)).collect();
        server
            .get("/")
            .reply(MockResponse::ok().bytes(encoded(framing, sent.clone())));
        let _handle = open(&mut agent, framing);
        let mut received = Vec::new();
        for _ in 0..2000 {
            // The first step of a poll is free. Each message is a step.
            agent.poll_with(&Budget::frame(Duration::ZERO));
            let events: Vec<Event> = std::iter::from_fn(|| agent.next_event()).collect();
            let new = values(&events);
            assert!(new.len() <= 1, "{} in one poll", new.len());
            received.extend(new);
            network.advance(Duration::from_millis(1));
        }
        assert_eq!(received, sent, "{framing:?}");
    }
}

#[test]
fn messages_continue_where_the_connection_was_lost() {
    for framing in all_framings() {
        let sent: Vec<Value> = (0..200).map(|n| json!({ "n": n })).collect();
        let content = encoded(framing, sent.clone());
        for cut in [1, content.len() / 2, content.len() - 1] {
            let (network, server, mut agent) = setup();
            let whole = MockResponse::resource(content.clone()).etag("\"a\"");
            server
                .get("/")
                .reply(whole.clone().cut_after(cut))
                .then_reply(whole);
            let request = Request::get(URL)
                .messages(framing)
                .decompress(false)
                .retries(policy());
            let outcome = run(&network, &mut agent, request);
            outcome.response();
            assert_eq!(values(&outcome.events), sent, "{framing:?} at {cut}");
            assert_eq!(
                server.requests()[1].header("range"),
                Some(&*format!("bytes={cut}-"))
            );
        }
    }
}

#[test]
fn a_last_line_is_delivered_when_only_the_end_of_the_response_was_lost() {
    for (content, is_whole) in [("1\n[2]", true), ("1\n[2", false)] {
        let (network, server, mut agent) = setup();
        let complete = format!("bytes */{}", content.len());
        let head = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n";
        let lost = format!("{head}{:x}\r\n{content}\r\n", content.len());
        server
            .get("/")
            .reply(MockResponse::raw(lost.clone()).cut_after(lost.len()))
            .then_reply(MockResponse::with_status(416).header("Content-Range", complete));
        let request = Request::get(URL)
            .messages(Framing::json_lines())
            .decompress(false)
            .retries(policy());
        let outcome = run(&network, &mut agent, request);
        if is_whole {
            outcome.response();
            assert_eq!(values(&outcome.events), [json!(1), json!([2])]);
        } else {
            let cut = ErrorKind::Frame(FrameFault::Truncated);
            assert_eq!(*outcome.error().kind(), cut);
            assert_eq!(values(&outcome.events), [json!(1)]);
        }
    }
}

#[test]
fn a_paused_request_delivers_nothing_and_a_cancelled_one_nothing_more() {
    let (network, server, mut agent) = setup();
    let stream = streaming(&server);
    let handle = open(&mut agent, Framing::json_lines());
    frames(&network, &mut agent, 5);
    agent.pause(handle.id());
    stream.send("1\n2\n");
    assert!(messages(&frames(&network, &mut agent, 10)).is_empty());
    agent.resume(handle.id());
    assert_eq!(values(&frames(&network, &mut agent, 10)).len(), 2);
    stream.send("3\n");
    agent.poll();
    network.advance(Duration::from_millis(10));
    agent.poll();
    agent.cancel(handle.id());
    assert!(frames(&network, &mut agent, 10).is_empty());
}

#[test]
fn an_agent_on_a_thread_delivers_messages_within_the_same_limits() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]).unwrap();
        let mut content = Vec::from(&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..]);
        (0..5000).for_each(|n| content.extend_from_slice(format!("{n}\n").as_bytes()));
        socket.write_all(&content).unwrap();
    });
    let mut agent = Agent::builder().on_thread(true).build();
    let framing = Framing::json_lines().max_queued(16);
    let handle = agent.send(Request::get(url).messages(framing)).unwrap();
    let mut received = Vec::new();
    loop {
        agent.wait(None);
        let mut pulled = 0;
        let mut is_over = false;
        while let Some(event) = agent.next_event() {
            match event {
                Event::Message { message, .. } => {
                    received.push(message.json::<u32>().unwrap());
                    pulled += 1;
                }
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Done { .. } => is_over = true,
                _ => {}
            }
        }
        // The thread may deliver more while events are pulled, but each only for one that was pulled.
        assert!(pulled <= 5000);
        if is_over {
            break;
        }
    }
    assert_eq!(received, (0..5000).collect::<Vec<u32>>());
    drop(handle);
    server.join().unwrap();
}

#[cfg(feature = "gzip")]
#[test]
fn decoding_does_not_starve_on_the_smallest_budget() {
    use std::io::Write;
    let (network, server, mut agent) = setup();
    let stream = MockStream::new();
    let response = MockResponse::ok().header("Content-Encoding", "gzip");
    server.get("/").reply(response.stream(&stream));
    let _handle = open(&mut agent, Framing::json_lines());
    frames(&network, &mut agent, 5);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"1\n2\n3\n").unwrap();
    encoder.flush().unwrap();
    stream.send(encoder.get_ref());
    network.advance(Duration::from_millis(10));
    let mut received = Vec::new();
    for _ in 0..20 {
        agent.poll_with(&Budget::frame(Duration::ZERO));
        let events: Vec<Event> = std::iter::from_fn(|| agent.next_event()).collect();
        received.extend(values(&events));
        network.advance(Duration::from_millis(1));
    }
    assert_eq!(received, [json!(1), json!(2), json!(3)]);
}

#[cfg(feature = "gzip")]
#[test]
fn compressed_messages_are_decoded_and_a_bomb_stops_at_the_limits() {
    use std::io::Write;
    let gzip = |content: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    for framing in all_framings() {
        let (network, server, mut agent) = setup();
        let sent: Vec<Value> = (0..50_000).map(|_| json!("0123456789")).collect();
        let content = encoded(framing, sent.clone());
        let response = MockResponse::ok().header("Content-Encoding", "gzip");
        server.get("/").reply(response.bytes(gzip(&content)));
        let handle = open(&mut agent, framing.max_queued(10));
        let waiting = held(&network, &mut agent);
        assert_eq!(values(&waiting).len(), 10);
        let outcome = finish(&network, &mut agent, &handle);
        outcome.response();
        assert_eq!(values(&outcome.events).len(), sent.len() - 10);
    }
}
