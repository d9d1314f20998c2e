//! What says that a silent stream lives.

use std::time::Duration;

use httpoll::Budget;
use httpoll::error::WebSocketFault;
use httpoll::server::websocket::Options as WebSocketOptions;

use crate::serving::test_server;
use crate::{GET, frame, handshake, take, unchunked, with_events, with_sockets};

#[test]
fn a_silent_event_stream_says_that_it_lives() {
    let mut test = test_server();
    let kept = with_events(&mut test);
    let mut client = test.connect();
    test.send(&mut client, GET);
    let stream = take(&kept);
    test.pass(Duration::from_secs(46));
    test.settle(&mut client);
    assert_eq!(unchunked(&client.text()), ":\n\n".repeat(3));
    assert!(!stream.is_closed());
    // A graceful shutdown ends it.
    test.server.shutdown(Duration::from_secs(5));
    test.settle(&mut client);
    assert!(client.text().ends_with("0\r\n\r\n") && client.closed);
    assert!(stream.is_closed() && test.server.is_closed());
}

#[test]
fn after_an_hour_without_polls_streams_say_once_that_they_live() {
    let mut test = test_server();
    let events = with_events(&mut test);
    let mut listener = test.connect();
    test.send(&mut listener, GET);
    let events = take(&events);
    let mut test_of_sockets = test_server();
    let sockets = with_sockets(&mut test_of_sockets, WebSocketOptions::default());
    let (mut player, _) = handshake(&mut test_of_sockets, "");
    let socket = take(&sockets);
    for test in [&mut test, &mut test_of_sockets] {
        test.network.advance(Duration::from_secs(3600));
        test.pass(Duration::from_millis(19_500));
    }
    test.settle(&mut listener);
    assert_eq!(unchunked(&listener.text()), ":\n\n");
    assert!(!events.is_closed());
    player.read();
    assert_eq!(player.received, b"\x89\x00");
    player.write(&frame(0x8a, b""));
    test_of_sockets.pass(Duration::from_secs(1));
    assert_eq!(socket.fault(), None);
}

#[test]
fn a_silent_socket_is_given_up_although_every_budget_is_spent() {
    let mut test = test_server();
    let sockets = with_sockets(&mut test, WebSocketOptions::default());
    let (mut player, _) = handshake(&mut test, "");
    let socket = take(&sockets);
    // Another client keeps the server busy, so that each poll is cut short.
    let mut busy = test.connect();
    test.budget = Budget::frame(Duration::ZERO);
    // A ping after 20 s, and no pong for 20 s.
    for _ in 0..6000 {
        busy.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        test.frame();
        busy.read();
    }
    player.read();
    assert!(player.closed);
    assert_eq!(socket.fault(), Some(WebSocketFault::PongTimeout));
}
