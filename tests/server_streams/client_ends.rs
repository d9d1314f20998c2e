//! How the WebSocket of a client ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Budget;
use httpoll::error::WebSocketFault;
use httpoll::server::Response;
use httpoll::server::websocket::Options as WebSocketOptions;

use crate::serving::test_server;
use crate::{frame, handshake, take, with_sockets};

/// How a client ends its stream right after its last frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ClientEnds {
    HalfCloses,
    HangsUp,
    Resets,
}

#[test]
fn what_a_client_said_before_its_stream_ended_reaches_the_holder() {
    // RFC 6455 §7.1.4: behind a close frame, what the stream does next does not count.
    use ClientEnds::{HalfCloses, HangsUp, Resets};
    for ends in [HalfCloses, HangsUp, Resets] {
        for (is_sending, sends_close) in
            [(false, true), (true, true), (false, false), (true, false)]
        {
            let what = format!("{ends:?}, sending: {is_sending}, close frame: {sends_close}");
            let mut test = test_server();
            let faults = Arc::new(Mutex::new(0));
            let count = Arc::clone(&faults);
            test.server
                .on_error(move |_, _| *count.lock().unwrap() += 1);
            let kept = with_sockets(&mut test, WebSocketOptions::default());
            let (mut client, _) = handshake(&mut test, "");
            let mut socket = take(&kept);
            client.write(&frame(0x81, b"one"));
            if sends_close {
                client.write(&frame(0x88, b"\x0f\xa0full"));
            }
            match ends {
                HalfCloses => client.half_close(),
                HangsUp => client.hang_up(),
                Resets => client.reset(),
            }
            if is_sending {
                // Writing fails before the rest is read.
                socket.send("tick").unwrap();
            }
            for _ in 0..4 {
                test.frame();
            }
            assert_eq!(socket.receive(), Some("one".into()), "{what}");
            assert!(socket.is_closed(), "{what}");
            if sends_close {
                let frame = socket.close_frame().unwrap();
                assert_eq!((frame.code, &*frame.reason), (4000, "full"), "{what}");
                assert_eq!(
                    (socket.fault(), *faults.lock().unwrap()),
                    (None, 0),
                    "{what}"
                );
            } else {
                assert_eq!(
                    socket.fault(),
                    Some(WebSocketFault::ClosedAbnormally),
                    "{what}"
                );
            }
            drop(client);
            test.frame();
            assert_eq!(test.server.metrics().open, 0, "{what}");
        }
    }
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut test = test_server();
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let (mut client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    test.pass(Duration::from_millis(20_100));
    client.read();
    assert_eq!(client.received, b"\x89\x00");
    client.write(&frame(0x8a, b""));
    test.pass(Duration::from_millis(20_100));
    client.read();
    assert_eq!(client.received, b"\x89\x00\x89\x00");
    test.pass(Duration::from_secs(26));
    assert_eq!(socket.fault(), Some(WebSocketFault::PongTimeout));
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_client_that_goes_on_sending_gets_the_close_frame_and_no_reset() {
    let mut test = test_server();
    let kept = with_sockets(&mut test, WebSocketOptions::default());
    let (mut client, _) = handshake(&mut test, "");
    let socket = take(&kept);
    // The head of a frame of 2 MiB, masked with zeros.
    let head = b"\x82\xff\x00\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00";
    test.send(&mut client, head);
    assert_eq!(client.received, b"\x88\x02\x03\xf1");
    let fault = Some(WebSocketFault::MessageTooBig { limit: 1024 * 1024 });
    assert_eq!(socket.fault(), fault);
    for _ in 0..10 {
        assert!(client.try_write(&[0; 20_000]));
        test.frame();
    }
    client.read();
    assert!(client.closed && !client.reset);
    // It closes when the client does, or after two seconds.
    assert_eq!(test.server.metrics().open, 1);
    test.pass(Duration::from_secs(2));
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_client_that_left_before_its_web_socket_was_accepted_is_gone_at_once() {
    use ClientEnds::{HalfCloses, HangsUp, Resets};
    for ends in [HalfCloses, HangsUp, Resets] {
        for is_noticed in [false, true] {
            let mut test = test_server();
            test.server.pull("GET", "/ws").unwrap();
            let mut client = test.connect();
            client.write(
                b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
            test.frame();
            match ends {
                HalfCloses => client.half_close(),
                HangsUp => client.hang_up(),
                Resets => client.reset(),
            }
            if is_noticed {
                test.frame();
            }
            let mut request = test.server.next_request().unwrap();
            let socket = request
                .accept_websocket(WebSocketOptions::default())
                .unwrap();
            (0..3).for_each(|_| test.frame());
            assert!(socket.is_closed(), "{ends:?}, noticed before: {is_noticed}");
            assert_eq!(test.server.metrics().open, 0, "{ends:?}");
        }
    }
}

#[test]
fn a_stream_whose_client_left_before_its_head_was_sent_is_closed_at_once() {
    use ClientEnds::{HangsUp, Resets};
    for ends in [HangsUp, Resets] {
        for is_noticed in [false, true] {
            let mut test = test_server();
            test.server.pull("GET", "/stream").unwrap();
            let mut client = test.connect();
            client.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
            test.frame();
            if ends == HangsUp {
                client.hang_up();
            } else {
                client.reset();
            }
            if is_noticed {
                test.frame();
            }
            let mut request = test.server.next_request().unwrap();
            let mut stream = request.defer().stream(Response::text(""));
            for _ in 0..3 {
                let _ = stream.write("more");
                test.frame();
            }
            assert!(stream.is_closed(), "{ends:?}, noticed before: {is_noticed}");
            assert_eq!(test.server.metrics().open, 0, "{ends:?}");
        }
    }
}

#[test]
fn a_web_socket_is_closed_once_the_client_has_got_its_close_frame() {
    // A holder may drop the server as soon as it knows, so the frame must have left by then.
    for (sent, code) in [
        (frame(0x88, b"\x0f\xa0bye"), 4000_u16),
        (frame(0x81, b"\xff"), 1007),
    ] {
        let mut test = test_server();
        let kept = with_sockets(&mut test, WebSocketOptions::default());
        let (mut client, _) = handshake(&mut test, "");
        let mut socket = take(&kept);
        client.write(&sent);
        for poll in 0.. {
            assert!(poll < 1_000, "{code}");
            let budget = Budget::unlimited().with_bytes(1);
            test.server.poll_with(&budget).unwrap();
            client.read();
            if socket.is_closed() {
                break;
            }
        }
        let length = usize::from(client.received[1]);
        assert_eq!(client.received.len(), 2 + length, "{code}");
        assert_eq!(client.received[2..4], code.to_be_bytes());
        assert!(socket.send("more").is_err());
    }
}
