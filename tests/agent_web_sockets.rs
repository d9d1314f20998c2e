//! WebSockets of the agent, against tungstenite's server over real sockets.

#![cfg(all(feature = "agent", feature = "websocket"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::result_large_err)]

use std::net::TcpListener;
use std::thread::JoinHandle;

use httpoll::{
    Agent, ErrorKind, Event, Request,
    agent::WebSocketOptions,
    error::{RequestRefused, WebSocketFault},
    websocket::{WebSocketConfig, WebSocketMessage, close_code},
};
use tungstenite::Message;
use tungstenite::handshake::server::{Request as Asked, Response as Answer};
use tungstenite::protocol::WebSocket;

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

#[test]
fn dropping_the_handle_closes_the_stream() {
    let (url, thread) = server(|socket| {
        assert!(socket.read().is_err());
    });
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
    // The connection is closed, not kept: the server sees its end.
    thread.join().unwrap();
}
