//! Closing handshakes, ends of the connection, and silence, with explicit times.

use super::*;

#[test]
fn this_side_sends_one_close_frame() {
    let mut server = End::server(WebSocketConfig::default());
    server.send("last").unwrap();
    server.close(1001, "restart").unwrap();
    server.close(1000, "again").unwrap();
    server.send(WebSocketMessage::Close(None)).unwrap();
    assert!(!server.machine.is_open());
    assert_eq!(server.send("more"), Err(WebSocketFault::NotOpen));
    assert_eq!(
        server.sent(),
        [
            (FIN | TEXT, b"last".to_vec()),
            (FIN | CLOSE, close_payload(1001, "restart"))
        ]
    );
    assert!(!server.machine.is_finished());
    // Messages that were already sent still arrive (RFC 6455 §5.5.1). Pings are no longer answered.
    let stream = [
        from_client(FIN | TEXT, b"late"),
        from_client(FIN | PING, b""),
        from_client(FIN | CLOSE, &close_payload(1001, "")),
    ]
    .concat();
    assert_eq!(
        server.receive(&stream).unwrap(),
        [message("late"), closed(1001, "")]
    );
    assert_eq!(server.sent(), []);
    assert!(server.machine.is_finished());
    server.close(1000, "").unwrap();
    assert_eq!(server.machine.queued(), 0);
}

#[cfg(feature = "agent")]
#[test]
fn a_client_is_closed_when_the_close_frame_of_the_server_has_arrived() {
    let mut client = End::client(WebSocketConfig::default());
    assert!(!client.machine.is_closed());
    client.close(1000, "").unwrap();
    assert!(!client.machine.is_closed(), "only this side has closed");
    client
        .receive(&from_server(FIN | CLOSE, &close_payload(1000, "")))
        .unwrap();
    assert!(client.machine.is_closed());
}

#[test]
fn a_close_frame_from_the_peer_is_answered() {
    for (payload, event) in [
        (close_payload(4000, "x"), closed(4000, "x")),
        (Vec::new(), WebSocketEvent::Closed(None)),
    ] {
        let mut server = End::server(WebSocketConfig::default());
        let events = server.receive(&from_client(FIN | CLOSE, &payload)).unwrap();
        assert_eq!(events, std::slice::from_ref(&event));
        assert!(!server.machine.is_finished(), "the answer is not sent yet");
        assert_eq!(server.sent(), [(FIN | CLOSE, payload.clone())]);
        assert!(server.machine.is_finished());
        assert_eq!(server.machine.next_event(server.now), Ok(None));

        // A client waits for the server to end the connection (RFC 6455 §7.1.1).
        let mut client = End::client(WebSocketConfig::default());
        let events = client.receive(&from_server(FIN | CLOSE, &payload)).unwrap();
        assert_eq!(events, [event]);
        assert_eq!(client.sent(), [(FIN | CLOSE, payload)]);
        assert!(!client.machine.is_finished());
        assert_eq!(client.machine.due(), Some(client.now + 5 * SECOND));
        client.machine.receive_eof();
        assert!(client.machine.is_finished());
        assert_eq!(client.machine.due(), None);
        assert_eq!(client.machine.next_event(client.now), Ok(None));
    }
}

#[test]
fn a_client_waits_a_limited_time_for_the_connection_to_end() {
    let mut client = End::client(WebSocketConfig::default());
    client.close(1000, "").unwrap();
    client.transmit();
    client
        .receive(&from_server(FIN | CLOSE, &close_payload(1000, "")))
        .unwrap();
    client.pass(4 * SECOND);
    assert!(!client.machine.is_finished());
    client.pass(SECOND);
    assert!(client.machine.is_finished());
    assert_eq!(client.machine.due(), None);
    assert_eq!(client.machine.next_event(client.now), Ok(None));
}

#[test]
fn both_sides_close_at_once() {
    let mut client = End::client(WebSocketConfig::default());
    let mut server = End::server(WebSocketConfig::default());
    client.close(1000, "c").unwrap();
    server.close(1001, "s").unwrap();
    let (from_client, from_server) = (client.transmit(), server.transmit());
    assert_eq!(client.receive(&from_server).unwrap(), [closed(1001, "s")]);
    assert_eq!(server.receive(&from_client).unwrap(), [closed(1000, "c")]);
    assert!(server.machine.is_finished());
    assert_eq!(client.transmit(), b"");
}

#[test]
fn close_codes_and_reasons_are_checked() {
    let mut end = End::server(WebSocketConfig::default());
    for code in [0, 999, 1004, 1005, 1006, 1015, 2000, 5000] {
        assert_eq!(
            end.close(code, ""),
            Err(WebSocketFault::CodeNotSendable { code })
        );
    }
    let long = "x".repeat(124);
    assert_eq!(end.close(1000, &long), Err(WebSocketFault::ControlTooLong));
    assert!(end.machine.is_open());
    end.close(3000, &long[..123]).unwrap();
    assert_eq!(
        end.sent(),
        [(FIN | CLOSE, close_payload(3000, &long[..123]))]
    );
    // The same in the reply to a close frame.
    let mut end = End::server(WebSocketConfig::default());
    end.close(1000, "").unwrap();
    let answer = from_client(FIN | CLOSE, &close_payload(1005, ""));
    let invalid = |code| Err(WebSocketFault::InvalidCloseCode { code });
    assert_eq!(end.receive(&answer), invalid(1005));
    // The peer starts with a code that may not be sent, and gets 1002 back.
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535] {
        let mut end = End::server(WebSocketConfig::default());
        let frame = from_client(FIN | CLOSE, &close_payload(code, ""));
        assert_eq!(end.receive(&frame), invalid(code));
        assert_eq!(end.sent()[0].1[..2], 1002u16.to_be_bytes(), "{code}");
    }
}

#[test]
fn a_close_frame_without_reply_fails_after_the_timeout() {
    let mut end = End::server(WebSocketConfig::default());
    end.send(vec![0; 100]).unwrap();
    end.close(1000, "").unwrap();
    assert_eq!(end.machine.due(), Some(end.now + 5 * SECOND));
    // As long as bytes move, closing may take longer.
    for _ in 0..3 {
        end.pass(4 * SECOND);
        end.machine.transmitted(10, end.now);
    }
    end.pass(4 * SECOND);
    // Messages from the peer do not extend the timeout.
    end.receive(&from_client(FIN | TEXT, b"a")).unwrap();
    end.pass(SECOND);
    assert_eq!(
        end.machine.next_event(end.now),
        Err(WebSocketFault::CloseTimeout)
    );
    assert!(end.machine.is_finished());
    assert_eq!(end.machine.due(), None);
}

#[test]
fn waiting_messages_are_not_lost_when_the_close_frame_is_late() {
    let mut end = End::server(WebSocketConfig::default());
    let stream = [
        from_client(FIN | TEXT, b"a"),
        from_client(FIN | CLOSE, &close_payload(1000, "")),
    ]
    .concat();
    end.close(1000, "").unwrap();
    end.transmit();
    end.machine.receive(&stream, end.now);
    end.pass(5 * SECOND);
    assert_eq!(end.machine.due(), Some(end.now + 5 * SECOND));
    assert_eq!(end.receive(b"").unwrap(), [message("a"), closed(1000, "")]);
}

#[test]
fn an_end_without_close_frame_is_a_failure() {
    let half = &from_client(FIN | TEXT, b"half")[..7];
    for sent in [&[][..], half] {
        for closes in [false, true] {
            let mut end = End::server(WebSocketConfig::default());
            end.receive(sent).unwrap();
            if closes {
                end.close(1000, "").unwrap();
            }
            end.machine.receive_eof();
            assert_eq!(
                end.machine.next_event(end.now),
                Err(WebSocketFault::ClosedAbnormally)
            );
            assert!(end.machine.is_finished());
            assert!(!end.machine.is_open());
        }
    }
    // Messages from before the end are reported first.
    let mut end = End::server(WebSocketConfig::default());
    let text = from_client(FIN | TEXT, b"a");
    end.machine.receive(&text, end.now);
    end.machine.receive_eof();
    assert_eq!(end.machine.next_event(end.now), Ok(Some(message("a"))));
    assert_eq!(
        end.machine.next_event(end.now),
        Err(WebSocketFault::ClosedAbnormally)
    );
}

#[test]
fn a_violation_is_reported_to_the_peer_within_a_limited_time() {
    let mut end = End::server(WebSocketConfig::default());
    end.receive(&from_server(FIN | TEXT, b"")).unwrap_err();
    assert!(!end.machine.is_finished());
    assert_eq!(end.machine.due(), Some(end.now + 5 * SECOND));
    end.pass(5 * SECOND);
    assert!(end.machine.is_finished());
    assert_eq!(end.machine.queued(), 0);
    assert_eq!(
        end.machine.next_event(end.now),
        Err(WebSocketFault::UnmaskedFrame)
    );
}

#[test]
fn a_silent_peer_is_pinged_and_then_fails() {
    for mut end in [
        End::client(WebSocketConfig::default()),
        End::server(WebSocketConfig::default()),
    ] {
        let start = end.now;
        assert_eq!(end.machine.due(), Some(start + 20 * SECOND));
        end.pass(20 * SECOND - Duration::from_millis(1));
        assert_eq!(end.sent(), []);
        end.pass(Duration::from_millis(1));
        end.pass(Duration::ZERO);
        assert_eq!(end.sent(), [(FIN | PING, Vec::new())], "one");
        assert_eq!(end.machine.due(), Some(start + 40 * SECOND));
        end.pass(20 * SECOND);
        assert_eq!(
            end.machine.next_event(end.now),
            Err(WebSocketFault::PongTimeout)
        );
        assert!(end.machine.is_finished());
        assert_eq!(end.machine.due(), None);
    }
}

#[test]
fn any_received_byte_is_a_sign_of_life() {
    for sign in [
        from_client(FIN | PONG, b""),
        from_client(FIN | TEXT, b"a"),
        // A part of a frame.
        vec![FIN | TEXT],
    ] {
        let mut end = End::server(WebSocketConfig::default());
        end.pass(20 * SECOND);
        assert_eq!(end.sent().len(), 1);
        end.pass(19 * SECOND);
        end.receive(&sign).unwrap();
        assert_eq!(end.machine.due(), Some(end.now + 20 * SECOND));
        end.pass(SECOND);
        assert_eq!(end.sent(), []);
        assert_eq!(end.machine.next_event(end.now), Ok(None));
        assert!(end.machine.is_open());
    }
}

#[test]
fn a_caller_that_takes_no_events_does_not_fail_the_peer() {
    let mut end = End::server(WebSocketConfig::default());
    let two = from_client(FIN | TEXT, b"a").repeat(2);
    end.machine.receive(&two, end.now);
    assert_eq!(end.machine.next_event(end.now), Ok(Some(message("a"))));
    for _ in 0..10 {
        end.pass(60 * SECOND);
    }
    assert_eq!(end.sent(), []);
    assert_eq!(end.machine.next_event(end.now), Ok(Some(message("a"))));
    assert_eq!(end.machine.next_event(end.now), Ok(None));
    end.pass(20 * SECOND);
    assert_eq!(end.sent(), [(FIN | PING, Vec::new())]);
}

#[test]
fn a_ping_that_waits_behind_data_does_not_fail_the_peer() {
    let mut end = End::server(WebSocketConfig::default());
    end.send(vec![0; 1000]).unwrap();
    end.pass(20 * SECOND);
    for _ in 0..5 {
        end.pass(15 * SECOND);
        end.machine.transmitted(100, end.now);
    }
    assert!(end.machine.is_open());
    end.transmit();
    end.pass(20 * SECOND);
    assert!(!end.machine.is_open());
}

#[test]
fn without_pings_silence_is_allowed() {
    let mut end = End::server(WebSocketConfig {
        ping_interval: None,
        ..WebSocketConfig::default()
    });
    assert_eq!(end.machine.due(), None);
    end.pass(100_000 * SECOND);
    assert!(end.machine.is_open());
    assert_eq!(end.sent(), []);
}

#[test]
fn debug_shows_no_messages() {
    let mut end = End::client(WebSocketConfig::default());
    end.send("secret").unwrap();
    assert_eq!(
        format!("{:?}", end.machine),
        "WebSocketMachine { role: Client, state: Open, queued: 12, .. }"
    );
}
