//! Server-sent events, WebSockets, and topics over both.

#![cfg(all(feature = "server", feature = "websocket"))]
#![allow(clippy::unwrap_used)]

mod serving;
mod serving_streams;
mod server_streams {
    mod client_ends;
    mod liveness;
    mod reports;
}

use std::sync::Arc;
use std::time::Duration;

use httpoll::server::event_stream::{EventSendError, EventStream};
use httpoll::server::websocket::Options as WebSocketOptions;
use httpoll::server::{Request, Response, SendError, Server, ServerLimits};
use httpoll::{
    error::WebSocketFault,
    event_stream::ServerSentEvent,
    websocket::{CloseFrame, WebSocketMessage},
};
use serving::{Raw, TestServer, answers, body, header, status, test_server, test_server_with};
use serving_streams::{GET, Kept, handshake, take, unchunked, with_sockets};

fn with_events(test: &mut TestServer) -> Kept<EventStream> {
    let kept: Kept<EventStream> = Arc::default();
    let keep = Arc::clone(&kept);
    test.server
        .handle(
            "GET",
            "/sse",
            move |request: &mut Request, _: &mut Response| {
                let response = Response::new().with_header("X-Own", "1").unwrap();
                *keep.lock().unwrap() = Some(request.event_stream(response));
            },
        )
        .unwrap();
    kept
}

#[test]
fn an_event_stream() {
    let mut test = test_server();
    let kept = with_events(&mut test);
    let mut client = test.connect();
    test.send(&mut client, GET);
    let mut stream = take(&kept);
    stream
        .send(&ServerSentEvent {
            event: Some("hit".into()),
            data: "a\nb\rc\r\nd".into(),
            id: Some("7".into()),
            retry: Some(Duration::from_secs(2)),
        })
        .unwrap();
    stream.comment("not shown").unwrap();
    stream.set_retry(Duration::from_millis(5)).unwrap();
    test.settle(&mut client);
    let text = client.text();
    assert_eq!(status(&text), 200);
    assert_eq!(header(&text, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&text, "cache-control"), Some("no-cache"));
    assert_eq!(header(&text, "x-own"), Some("1"));
    assert_eq!(
        unchunked(&text),
        "event: hit\ndata: a\ndata: b\ndata: c\ndata: d\nid: 7\nretry: 2000\n\n: not shown\n\nretry: 5\n\n"
    );
    for event in [
        ServerSentEvent {
            event: Some("a\nb".into()),
            ..ServerSentEvent::default()
        },
        ServerSentEvent {
            id: Some("a\rb".into()),
            ..ServerSentEvent::default()
        },
    ] {
        assert!(matches!(
            stream.send(&event),
            Err(EventSendError::Invalid(_))
        ));
    }
}

#[test]
fn a_stream_ends_with_its_producer_and_tells_it_when_the_client_has_gone() {
    let mut limits = ServerLimits::default();
    limits.queued_bytes = 100;
    let mut test = test_server_with(Server::builder().limits(limits));
    test.server.route("GET", "/", answers("next")).unwrap();
    let kept = with_events(&mut test);
    let mut client = test.connect();
    test.send(&mut client, GET);
    drop(take(&kept));
    assert!(test.settle(&mut client).ends_with("0\r\n\r\n"));
    let response = test.send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(body(&response), "next");

    test.send(&mut client, GET);
    let mut stream = take(&kept);
    let event = ServerSentEvent::new("0123456789");
    let mut sent = 0;
    // The server is not polled, so nothing is taken.
    while stream.send(&event).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 100 / "data: 0123456789\n\n".len());
    assert_eq!(
        stream.send(&event),
        Err(EventSendError::Refused(SendError::Full))
    );
    client.hang_up();
    test.poll();
    test.poll();
    assert!(stream.is_closed());
    assert_eq!(
        stream.send(&event),
        Err(EventSendError::Refused(SendError::Closed))
    );
}

/// A client's frame, masked with zeros.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![
        head,
        0x80 | u8::try_from(payload.len()).unwrap(),
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn the_handshake() {
    let mut test = test_server();
    let mut options = WebSocketOptions::default();
    options.protocols = vec!["chat.v1".into(), "chat.v2".into()];
    options.fields.append("Set-Cookie", "a=1").unwrap();
    options.fields.append("Set-Cookie", "b=2").unwrap();
    let kept = with_sockets(&mut test, options);
    let (_client, response) = handshake(
        &mut test,
        "Sec-WebSocket-Protocol: other, chat.v2, chat.v1\r\n",
    );
    assert_eq!(status(&response), 101);
    assert_eq!(
        header(&response, "sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(header(&response, "sec-websocket-protocol"), Some("chat.v2"));
    assert_eq!(serving::headers(&response, "set-cookie"), ["a=1", "b=2"]);
    let socket = take(&kept);
    assert_eq!(socket.protocol(), Some("chat.v2"));
    assert!(socket.peer_addr().ip().is_loopback());

    // The request asks for a WebSocket but gets an ordinary response.
    let (_client, response) = handshake(&mut test, "X-Plain: 1\r\n");
    assert_eq!((status(&response), body(&response)), (200, "plain"));

    for (head, expected) in [
        (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13",
            400,
        ),
        (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short",
            400,
        ),
        (
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            400,
        ),
        (
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            400,
        ),
        (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            426,
        ),
    ] {
        let response = test.ask(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n"));
        assert_eq!(status(&response), expected, "{head}");
        assert_eq!(
            header(&response, "sec-websocket-version").is_some(),
            expected == 426
        );
    }

    // The handshake's own fields cannot be overridden.
    let mut options = WebSocketOptions::default();
    options.fields.append("Upgrade", "other").unwrap();
    let mut test = serving::test_server();
    with_sockets(&mut test, options);
    assert_eq!(status(&handshake(&mut test, "").1), 500);
}

#[test]
fn content_of_a_handshake_is_not_taken_for_frames() {
    // RFC 9110 §7.8: the new protocol begins after the request, and content is part of the request.
    let hidden = frame(0x81, b"bad");
    let length = format!("Content-Length: {}\r\n", hidden.len());
    for (framing, first) in [
        (length.clone(), ""),
        ("Transfer-Encoding: chunked\r\n".to_owned(), ""),
        // The `100` comes before the `101`.
        (
            length + "Expect: 100-continue\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ),
    ] {
        let mut test = test_server();
        let kept = with_sockets(&mut test, WebSocketOptions::default());
        let (mut client, early) = handshake(&mut test, &framing);
        assert_eq!(early, first, "{framing}: the request is not complete");
        let content = if framing.starts_with('C') {
            hidden.clone()
        } else {
            [
                format!("{:x}\r\n", hidden.len()).as_bytes(),
                &hidden,
                b"\r\n0\r\n\r\n",
            ]
            .concat()
        };
        client.write(&content);
        client.write(&frame(0x81, b"good"));
        let response = test.settle(&mut client);
        assert_eq!(status(&response), 101, "{framing}");
        let mut socket = take(&kept);
        assert_eq!(socket.receive(), Some("good".into()), "{framing}");
        assert_eq!(socket.receive(), None, "{framing}");
    }
}

#[test]
fn messages_both_ways() {
    let mut test = test_server();
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let (mut client, _) = handshake(&mut test, "");
    let mut socket = take(&kept);
    assert!(socket.receive().is_none() && !socket.is_closed());
    // Text in two fragments with a ping between them, then a binary message.
    client.write(&frame(0x01, "h\u{e9}".as_bytes()));
    client.write(&frame(0x89, b"ping"));
    client.write(&frame(0x80, b"llo"));
    client.write(&frame(0x82, b"\xff\x00"));
    test.settle(&mut client);
    assert_eq!(socket.receive(), Some("h\u{e9}llo".into()));
    assert_eq!(
        socket.receive(),
        Some(WebSocketMessage::Binary(vec![0xff, 0].into()))
    );
    assert_eq!(socket.receive(), None);
    assert_eq!(client.received, b"\x8a\x04ping");
    client.received.clear();
    socket.send("text").unwrap();
    socket.send(vec![1_u8, 2]).unwrap();
    test.settle(&mut client);
    assert_eq!(client.received, b"\x81\x04text\x82\x02\x01\x02");
}

#[test]
fn closing_from_both_sides() {
    let mut test = test_server();
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    // The server closes, after the messages that wait.
    let (mut client, _) = handshake(&mut test, "");
    let mut socket = take(&kept);
    socket.send("last").unwrap();
    socket.close(4000, "done");
    socket.close(1000, "again");
    assert_eq!(socket.send("more"), Err(SendError::Closed));
    test.settle(&mut client);
    assert_eq!(client.received, b"\x81\x04last\x88\x06\x0f\xa0done");
    client.write(&frame(0x88, b"\x0f\xa0"));
    test.settle(&mut client);
    assert!(client.closed && socket.is_closed());
    assert_eq!(socket.close_frame().unwrap().code, 4000);
    // The client closes.
    let (mut client, _) = handshake(&mut test, "");
    let mut socket = take(&kept);
    client.write(&frame(0x81, b"one"));
    client.write(&frame(0x88, b"\x03\xe9bye"));
    test.settle(&mut client);
    assert_eq!(client.received, b"\x88\x05\x03\xe9bye");
    assert!(client.closed && socket.is_closed());
    assert_eq!(socket.receive(), Some("one".into()));
    assert_eq!(socket.receive(), None);
    assert_eq!(
        socket.close_frame(),
        Some(CloseFrame {
            code: 1001,
            reason: "bye".into()
        })
    );
    assert_eq!(socket.send("x"), Err(SendError::Closed));
    // Dropped.
    let (mut client, _) = handshake(&mut test, "");
    drop(take(&kept));
    test.settle(&mut client);
    assert_eq!(client.received, b"\x88\x02\x03\xe8");
    // The client disconnects without a close frame.
    let (client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    client_gone(&mut test, client);
    assert_eq!(socket.fault(), Some(WebSocketFault::ClosedAbnormally));
    // A graceful shutdown.
    let (mut client, _) = handshake(&mut test, "");
    let _socket = take(&kept);
    test.server.shutdown(Duration::from_secs(1));
    test.settle(&mut client);
    assert_eq!(client.received, b"\x88\x02\x03\xe9");
}

fn client_gone(test: &mut TestServer, client: Raw) {
    drop(client);
    test.poll();
    test.poll();
}

#[test]
fn a_violation_of_the_protocol_closes_with_its_code() {
    for (bytes, code) in [
        (frame(0x81, b"\xff"), 1007_u16),
        (b"\x81\x01x".to_vec(), 1002),
        (frame(0xc1, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (
            b"\x81\xff\x00\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00".to_vec(),
            1009,
        ),
    ] {
        let mut test = test_server();
        let kept = with_sockets(&mut test, WebSocketOptions::default());
        let (mut client, _) = handshake(&mut test, "");
        let socket = take(&kept);
        test.send(&mut client, &bytes);
        assert_eq!(client.received[0], 0x88, "{bytes:?}");
        assert_eq!(client.received[2..4], code.to_be_bytes(), "{bytes:?}");
        assert!(socket.fault().is_some());
        test.pass(Duration::from_secs(6));
        client.read();
        assert!(client.closed);
    }
}

#[test]
fn messages_that_nobody_takes_stop_their_sender() {
    let mut test = test_server();
    test.network.set_capacity(32 * 1024);
    let mut options = WebSocketOptions::default();
    options.config.message_bytes = 10_000;
    let kept = with_sockets(&mut test, options);
    let (mut client, _) = handshake(&mut test, "");
    let mut socket = take(&kept);
    let message = frame(0x81, &[b'm'; 100]);
    // Only whole frames: a cut frame could not be continued here.
    let mut sent = 0;
    for _ in 0..300 {
        if client.write(&message.repeat(10)) < message.len() * 10 {
            break;
        }
        sent += 10;
        test.poll();
    }
    assert!(sent < 3000);
    let mut received = 0;
    for _ in 0..100 {
        while socket.receive().is_some() {
            received += 1;
        }
        test.poll();
    }
    assert!(
        received >= sent && received <= sent + 10,
        "{received} of {sent}"
    );
}
