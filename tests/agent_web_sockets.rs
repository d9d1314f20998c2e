//! WebSockets of the agent, against tungstenite's server over real sockets.

#![cfg(all(feature = "agent", feature = "websocket"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::result_large_err)]

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use httpoll::{
    Agent, ErrorKind, Event, Request,
    agent::WebSocketOptions,
    error::{RequestRefused, WebSocketFault},
    memory::{MemoryNetwork, Peer},
    websocket::{WebSocketConfig, WebSocketMessage, close_code},
};
use tungstenite::Message;
use tungstenite::handshake::server::{Request as Asked, Response as Answer};
use tungstenite::protocol::{WebSocket, frame::coding::CloseCode};

type Served = WebSocket<std::net::TcpStream>;

/// Serves one connection: accepts the subprotocol `chat` if it is offered, then does `serve`.
fn server(serve: impl FnOnce(&mut Served) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/socket", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let choose = |asked: &Asked, mut answer: Answer| {
            let offered = asked.headers().get("sec-websocket-protocol");
            if offered.is_some_and(|it| it.to_str().unwrap().contains("chat")) {
                let chosen = "chat".parse().unwrap();
                answer
                    .headers_mut()
                    .insert("sec-websocket-protocol", chosen);
            }
            assert_eq!(asked.headers().get("x-player").unwrap(), "7");
            Ok(answer)
        };
        let mut socket = tungstenite::accept_hdr(stream, choose).unwrap();
        serve(&mut socket);
        while socket.read().is_ok() {}
    });
    (url, thread)
}

fn open(url: &str, options: WebSocketOptions) -> Request {
    Request::get(url)
        .header("X-Player", "7")
        .web_socket(options)
}

/// Waits for the next event that is not about progress.
fn next(agent: &mut Agent) -> Event {
    loop {
        while let Some(event) = agent.next_event() {
            if !matches!(event, Event::Phase { .. } | Event::Progress { .. }) {
                return event;
            }
        }
        agent.wait(None);
    }
}

#[test]
fn messages_both_ways_and_a_clean_close() {
    let (url, thread) = server(|socket| {
        for _ in 0..3 {
            let message = socket.read().unwrap();
            socket.send(message).unwrap();
        }
    });
    let mut agent = Agent::new();
    let options = WebSocketOptions::new()
        .subprotocol("quiz")
        .subprotocol("chat");
    let handle = agent.send(open(&url, options)).unwrap();
    let Event::WebSocketOpen {
        head, subprotocol, ..
    } = next(&mut agent)
    else {
        panic!("not opened");
    };
    assert_eq!(head.status.as_u16(), 101);
    assert_eq!(subprotocol.as_deref(), Some("chat"));
    let messages: [WebSocketMessage; 3] = [
        "grüße".into(),
        vec![0, 159, 146, 150].into(),
        vec![7; 300_000].into(),
    ];
    for message in &messages {
        agent.send_message(handle.id(), message.clone()).unwrap();
    }
    for expected in &messages {
        let Event::WebSocketMessage { message, .. } = next(&mut agent) else {
            panic!("no echo");
        };
        assert_eq!(message, *expected);
    }
    agent.close_web_socket(handle.id(), close_code::NORMAL_CLOSURE, "bye");
    let Event::WebSocketClosed { frame, .. } = next(&mut agent) else {
        panic!("not closed");
    };
    assert_eq!(frame.unwrap().code, close_code::NORMAL_CLOSURE);
    assert!(matches!(next(&mut agent), Event::Done { .. }));
    thread.join().unwrap();
}

#[test]
fn a_ping_is_answered_and_does_not_surface() {
    let (url, thread) = server(|socket| {
        socket
            .send(Message::Ping(b"are you there"[..].into()))
            .unwrap();
        assert_eq!(
            socket.read().unwrap(),
            Message::Pong(b"are you there"[..].into())
        );
        socket.send(Message::Text("good".into())).unwrap();
        socket.close(None).unwrap();
    });
    let mut agent = Agent::new();
    let handle = agent.send(open(&url, WebSocketOptions::new())).unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    let Event::WebSocketMessage { message, .. } = next(&mut agent) else {
        panic!("no message");
    };
    assert_eq!(message, "good".into());
    assert!(matches!(next(&mut agent), Event::WebSocketClosed { .. }));
    assert!(matches!(next(&mut agent), Event::Done { .. }));
    drop(handle);
    thread.join().unwrap();
}

#[test]
fn a_message_over_the_limit_fails_the_socket() {
    let (url, thread) = server(|socket| {
        socket.send(Message::Binary(vec![1; 4096].into())).unwrap();
    });
    let mut config = WebSocketConfig::default();
    config.message_bytes = 1024;
    let mut agent = Agent::new();
    let handle = agent
        .send(open(&url, WebSocketOptions::new().config(config)))
        .unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    let Event::Failed { error, .. } = next(&mut agent) else {
        panic!("not failed");
    };
    assert!(matches!(error.kind(), ErrorKind::WebSocket(_)), "{error}");
    drop(handle);
    thread.join().unwrap();
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (url, thread) = server(move |socket| {
        released.recv().unwrap();
        let mut received = 0;
        while received < 2 {
            if let Message::Binary(_) = socket.read().unwrap() {
                received += 1;
            }
        }
    });
    let mut config = WebSocketConfig::default();
    config.send_queue_bytes = 20_000_000;
    let mut agent = Agent::new();
    let handle = agent
        .send(open(&url, WebSocketOptions::new().config(config)))
        .unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    let large = WebSocketMessage::from(vec![3; 15_000_000]);
    agent.send_message(handle.id(), large.clone()).unwrap();
    let error = agent.send_message(handle.id(), large.clone()).unwrap_err();
    let full =
        |kind: &ErrorKind| matches!(kind, ErrorKind::WebSocket(WebSocketFault::QueueFull { .. }));
    assert!(full(error.kind()), "{error}");
    release.send(()).unwrap();
    while agent.send_message(handle.id(), large.clone()).is_err() {
        agent.wait(None);
    }
    agent.close_web_socket(handle.id(), close_code::GOING_AWAY, "");
    while !matches!(next(&mut agent), Event::Done { .. }) {}
    thread.join().unwrap();
}

fn expect_leave(socket: &mut Served) {
    assert!(matches!(socket.read(), Ok(Message::Close(Some(it))) if it.code == CloseCode::Away));
}

#[test]
fn dropping_the_handle_closes_the_stream() {
    let (url, thread) = server(expect_leave);
    let mut agent = Agent::new();
    let handle = agent.send(open(&url, WebSocketOptions::new())).unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    drop(handle);
    agent.poll();
    assert!(agent.next_event().is_none());
    thread.join().unwrap();
}

#[test]
fn an_open_web_socket_fails_when_the_agent_is_suspended() {
    let (url, thread) = server(|socket| {
        socket.send(Message::text("hello")).unwrap();
        expect_leave(socket);
    });
    let mut agent = Agent::new();
    let handle = agent.send(open(&url, WebSocketOptions::new())).unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    assert!(matches!(next(&mut agent), Event::WebSocketMessage { .. }));
    agent.suspend(std::time::Duration::ZERO);
    let Event::Failed { id, error, .. } = next(&mut agent) else {
        panic!("not failed");
    };
    assert_eq!(id, handle.id());
    assert!(
        matches!(error.kind(), ErrorKind::Refused(RequestRefused::Suspended)),
        "{error:?}"
    );
    assert!(matches!(next(&mut agent), Event::Suspended));
    thread.join().unwrap();
}

/// How a scripted server ends its stream after its frames.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    /// It waits for the client.
    Open,
    Fin,
    Reset,
}

/// Upgrades one connection on an in-memory network, sends `frames`, and ends. What the client sent after the
/// upgrade is in the result.
fn scripted(frames: &[u8], ending: Ending) -> (Agent, Arc<Mutex<Vec<u8>>>) {
    let network = MemoryNetwork::new();
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    let received = Arc::new(Mutex::new(Vec::new()));
    let (frames, seen) = (frames.to_vec(), Arc::clone(&received));
    network.serve("10.0.0.1:80".parse().unwrap(), move || {
        let (frames, seen) = (frames.clone(), Arc::clone(&seen));
        let mut is_open = false;
        move |peer: &mut Peer| {
            if is_open {
                seen.lock().unwrap().extend(peer.take_received());
                return;
            }
            if !peer.received().ends_with(b"\r\n\r\n") {
                return;
            }
            is_open = true;
            let head = String::from_utf8(peer.take_received()).unwrap();
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key")
                    .then_some(value)
            });
            let accept = tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            peer.send(head.as_bytes());
            // The client has opened the WebSocket, and may have said something, when this arrives.
            peer.send_after(Duration::from_millis(10), &frames);
            match ending {
                Ending::Open => {}
                Ending::Fin => peer.close(),
                Ending::Reset => peer.reset(),
            }
        }
    });
    (Agent::on_memory(&network), received)
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, u8::try_from(payload.len()).unwrap()];
    frame.extend_from_slice(payload);
    frame
}

fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The codes of the close frames in what a client sent.
fn close_codes(mut bytes: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let length = usize::from(second & 0x7f);
        assert!(second & 0x80 != 0 && length < 126, "a short masked frame");
        let (mask, payload) = rest[..4 + length].split_at(4);
        if first & 0xf == 8 && length >= 2 {
            codes.push(u16::from_be_bytes([
                payload[0] ^ mask[0],
                payload[1] ^ mask[1],
            ]));
        }
        bytes = &rest[4 + length..];
    }
    codes
}

/// Opens the WebSocket, sends one message, and tells what happens then, event by event.
fn story(agent: &mut Agent) -> Vec<String> {
    let request = Request::get("ws://game.example/").web_socket(WebSocketOptions::new());
    let handle = agent.send(request).unwrap();
    let mut story = Vec::new();
    loop {
        story.push(match next(agent) {
            Event::WebSocketOpen { id, .. } => {
                agent.send_message(id, "hello".into()).unwrap();
                continue;
            }
            Event::WebSocketMessage { message, .. } => match message {
                WebSocketMessage::Text(text) => text,
                other => format!("{other:?}"),
            },
            Event::WebSocketClosed { frame, .. } => match frame {
                Some(frame) => format!("closed {} {}", frame.code, frame.reason),
                None => "closed".to_owned(),
            },
            Event::Done { .. } => "done".to_owned(),
            Event::Failed { error, .. } => format!("failed: {:?}", error.kind()),
            other => panic!("{other:?}"),
        });
        if matches!(story.last().map(String::as_str), Some(last) if last == "done" || last.starts_with("failed"))
        {
            drop(handle);
            return story;
        }
    }
}

#[test]
fn what_arrived_before_an_error_is_delivered_before_it() {
    let bye = [text("bye"), close(4000, "full")].concat();
    let table: &[(&[u8], Ending, &[&str])] = &[
        (&bye, Ending::Reset, &["bye", "closed 4000 full", "done"]),
        (
            &text("bye"),
            Ending::Reset,
            &["bye", "failed: Network(Broken)"],
        ),
        (
            &text("bye"),
            Ending::Fin,
            &["bye", "failed: WebSocket(ClosedAbnormally)"],
        ),
        (
            &[text("bye"), frame(0xc1, b"x")].concat(),
            Ending::Reset,
            &["bye", "failed: WebSocket(ReservedBits)"],
        ),
    ];
    for (frames, ending, expected) in table {
        let (mut agent, _) = scripted(frames, *ending);
        assert_eq!(story(&mut agent), *expected, "{ending:?}");
    }
}

#[test]
fn a_close_frame_is_a_clean_end_whatever_the_stream_does_next() {
    for ending in [Ending::Open, Ending::Fin, Ending::Reset] {
        let (mut agent, received) = scripted(&close(1000, "over"), ending);
        assert_eq!(
            story(&mut agent),
            ["closed 1000 over", "done"],
            "{ending:?}"
        );
        if ending != Ending::Reset {
            assert_eq!(close_codes(&received.lock().unwrap()), [1000], "{ending:?}");
        }
    }
    for ending in [Ending::Fin, Ending::Reset] {
        let (mut agent, _) = scripted(&frame(0x88, b""), ending);
        assert_eq!(story(&mut agent), ["closed", "done"], "{ending:?}");
    }
}

#[test]
fn a_server_that_resets_with_our_message_unread_has_closed_cleanly() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/socket", listener.local_addr().unwrap());
    let (sent, is_sent) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // Otherwise the close frame waits for an acknowledgement, and the reset discards it.
        stream.set_nodelay(true).unwrap();
        let mut socket = tungstenite::accept(stream).unwrap();
        // The client's message stays unread in the kernel, so closing resets the connection.
        is_sent.recv().unwrap();
        socket.send(Message::Text("bye".into())).unwrap();
        let frame = tungstenite::protocol::CloseFrame {
            code: 4000.into(),
            reason: "full".into(),
        };
        socket.close(Some(frame)).unwrap();
        let _ = socket.flush();
    });
    let mut agent = Agent::new();
    let request = Request::get(&url).web_socket(WebSocketOptions::new());
    let handle = agent.send(request).unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    agent.send_message(handle.id(), "unread".into()).unwrap();
    agent.poll();
    sent.send(()).unwrap();
    thread.join().unwrap();
    agent.send_message(handle.id(), "too late".into()).unwrap();
    let event = next(&mut agent);
    assert!(matches!(event, Event::WebSocketMessage { .. }), "{event:?}");
    let event = next(&mut agent);
    let Event::WebSocketClosed { frame, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!(frame.unwrap().code, 4000);
    let event = next(&mut agent);
    assert!(matches!(event, Event::Done { .. }), "{event:?}");
}

#[test]
fn a_peer_that_breaks_the_protocol_gets_a_close_frame_that_says_so() {
    let masked = [0x81, 0x81, 1, 2, 3, 4, b'x' ^ 1];
    let too_big = [&[0x82, 127, 0, 0, 0, 0, 127, 0, 0, 0][..], b"x"].concat();
    let table: &[(&[u8], u16, &str)] = &[
        (&frame(0xc1, b"x"), 1002, "ReservedBits"),
        (&frame(0x83, b"x"), 1002, "ReservedOpcode"),
        (&frame(0x09, b"x"), 1002, "FragmentedControl"),
        (&frame(0x80, b"x"), 1002, "UnexpectedContinuation"),
        (&frame(0x88, b"x"), 1002, "InvalidCloseFrame"),
        (&masked, 1002, "MaskedFrame"),
        (&frame(0x81, b"\xff\xfe"), 1007, "InvalidUtf8"),
        (&too_big, 1009, "MessageTooBig"),
    ];
    for (frames, code, fault) in table {
        // More than the breach is on its way.
        let frames = [&text("first"), *frames, &text("never read")].concat();
        let (mut agent, received) = scripted(&frames, Ending::Open);
        let story = story(&mut agent);
        assert_eq!(story[0], "first", "{fault}");
        assert!(
            story[1].starts_with(&format!("failed: WebSocket({fault}")),
            "{story:?}"
        );
        assert_eq!(close_codes(&received.lock().unwrap()), [*code], "{fault}");
    }
}

#[test]
fn a_close_code_that_may_not_be_sent_is_reported_as_it_is() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        let (mut agent, received) = scripted(&close(code, "odd"), Ending::Open);
        let expected = format!("failed: WebSocket(InvalidCloseCode {{ code: {code} }})");
        assert_eq!(story(&mut agent), [expected]);
        assert_eq!(close_codes(&received.lock().unwrap()), [1002], "{code}");
    }
}

#[test]
fn a_web_socket_stays_open_while_the_agent_moves_to_a_thread_and_back() {
    let (url, thread) = server(|socket| {
        while let Ok(message) = socket.read() {
            match message {
                Message::Text(text) => socket.send(Message::text(format!("{text}!"))).unwrap(),
                Message::Close(_) => return,
                _ => {}
            }
        }
    });
    let mut agent = Agent::new();
    let socket = agent.send(open(&url, WebSocketOptions::new())).unwrap();
    assert!(matches!(next(&mut agent), Event::WebSocketOpen { .. }));
    for round in 0..20 {
        assert!(agent.set_on_thread(round % 2 == 0));
        let text = WebSocketMessage::Text(round.to_string());
        agent.send_message(socket.id(), text).unwrap();
        if round % 3 == 0 {
            // The message waits on one side of the switch and is sent on the other.
            assert!(agent.set_on_thread(round % 2 != 0));
        }
        let Event::WebSocketMessage { message, .. } = next(&mut agent) else {
            panic!("no message in round {round}");
        };
        assert_eq!(message, WebSocketMessage::Text(format!("{round}!")));
    }
    agent.close_web_socket(socket.id(), 1000, "");
    let last = std::iter::repeat_with(|| next(&mut agent)).find(Event::is_final);
    assert!(matches!(last, Some(Event::Done { .. })), "{last:?}");
    drop(agent);
    thread.join().unwrap();
}
