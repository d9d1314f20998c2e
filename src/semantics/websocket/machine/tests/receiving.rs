//! Receiving frames: split at every position, over every limit, and against the rules.

use super::*;
use crate::error::WebSocketFault as Fault;

fn showing() -> WebSocketConfig {
    WebSocketConfig {
        shows_control_frames: true,
        ..WebSocketConfig::default()
    }
}

#[test]
fn frames_become_messages_at_every_split() {
    let long = vec![7; 300];
    let stream = [
        // RFC 6455 §5.7: the examples.
        from_client(FIN | TEXT, b"Hello"),
        from_client(TEXT, b"Hel"),
        from_client(FIN | CONTINUATION, b"lo"),
        from_client(FIN | PING, b"Hello"),
        from_client(FIN | BINARY, &long),
        // A character split over two fragments, with a ping and an empty fragment between them.
        from_client(TEXT, b"\xe2\x82"),
        from_client(FIN | PING, b"2"),
        from_client(CONTINUATION, b""),
        from_client(FIN | CONTINUATION, b"\xac!"),
        from_client(FIN | PONG, b"unasked"),
        from_client(FIN | TEXT, b""),
        from_client(FIN | CLOSE, &close_payload(1000, "bye")),
    ]
    .concat();
    let expected = [
        message("Hello"),
        message("Hello"),
        message(&long[..]),
        message("€!"),
        message(""),
        closed(1000, "bye"),
    ];
    let answered = [
        (FIN | PONG, b"Hello".to_vec()),
        (FIN | PONG, b"2".to_vec()),
        (FIN | CLOSE, close_payload(1000, "bye")),
    ];
    for split in 0..stream.len() {
        let mut end = End::server(WebSocketConfig::default());
        let (first, second) = stream.split_at(split);
        let mut events = end.receive(first).unwrap();
        events.extend(end.receive(second).unwrap());
        assert_eq!(events, expected, "split at {split}");
        assert_eq!(end.sent(), answered, "split at {split}");
    }
    let mut end = End::server(WebSocketConfig::default());
    let mut events = Vec::new();
    for byte in &stream {
        events.extend(end.receive(&[*byte]).unwrap());
    }
    assert_eq!(events, expected);
    assert_eq!(end.sent(), answered);
}

#[test]
fn control_frames_are_reported_on_request_and_pings_always_answered() {
    let stream = [
        from_server(FIN | PING, b"a"),
        from_server(FIN | PONG, b"b"),
        from_server(FIN | TEXT, b"c"),
    ]
    .concat();
    let mut end = End::client(showing());
    assert_eq!(
        end.receive(&stream).unwrap(),
        [
            message(WebSocketMessage::Ping(Bytes::from_static(b"a"))),
            message(WebSocketMessage::Pong(Bytes::from_static(b"b"))),
            message("c"),
        ]
    );
    assert_eq!(end.sent(), [(FIN | PONG, b"a".to_vec())]);
    let mut end = End::client(WebSocketConfig::default());
    assert_eq!(end.receive(&stream).unwrap(), [message("c")]);
    assert_eq!(frames(&end.transmit()), [(FIN | PONG, true, b"a".to_vec())]);
}

#[test]
fn messages_before_a_violation_are_not_lost() {
    let mut end = End::client(WebSocketConfig::default());
    let stream = [from_server(FIN | TEXT, b"a"), from_client(FIN | TEXT, b"b")].concat();
    assert_eq!(end.machine.receive(&stream, end.now), stream.len());
    assert_eq!(end.machine.next_event(end.now), Ok(Some(message("a"))));
    for _ in 0..2 {
        assert_eq!(
            end.machine.next_event(end.now),
            Err(WebSocketFault::MaskedFrame)
        );
    }
}

#[test]
fn violations_fail_with_their_code_at_every_split() {
    let long = [b'a'; 126];
    // The bytes, the fault, and the code that the peer gets.
    let rows: Vec<(Vec<u8>, Fault, u16)> = vec![
        // RFC 6455 §5.1.
        (from_server(FIN | TEXT, b"a"), Fault::UnmaskedFrame, 1002),
        (from_server(FIN | PING, b""), Fault::UnmaskedFrame, 1002),
        // §5.2.
        (
            from_client(FIN | 0x40 | TEXT, b"a"),
            Fault::ReservedBits,
            1002,
        ),
        (
            from_client(FIN | 0x20 | TEXT, b"a"),
            Fault::ReservedBits,
            1002,
        ),
        (
            from_client(FIN | 0x10 | TEXT, b"a"),
            Fault::ReservedBits,
            1002,
        ),
        (from_client(FIN | 0x3, b""), Fault::ReservedOpcode, 1002),
        (from_client(FIN | 0xB, b""), Fault::ReservedOpcode, 1002),
        // §5.4.
        (
            from_client(FIN | CONTINUATION, b"a"),
            Fault::UnexpectedContinuation,
            1002,
        ),
        (
            [from_client(TEXT, b"a"), from_client(FIN | TEXT, b"b")].concat(),
            Fault::ExpectedContinuation,
            1002,
        ),
        // §5.5.
        (from_client(PING, b""), Fault::FragmentedControl, 1002),
        (from_client(FIN | PING, &long), Fault::ControlTooLong, 1002),
        (from_client(FIN | CLOSE, &long), Fault::ControlTooLong, 1002),
        // §5.5.1.
        (
            from_client(FIN | CLOSE, b"\x03"),
            Fault::InvalidCloseFrame,
            1002,
        ),
        (
            from_client(FIN | CLOSE, b"\x03\xe8\xff"),
            Fault::InvalidUtf8,
            1007,
        ),
        // §8.1.
        (from_client(FIN | TEXT, b"\xff"), Fault::InvalidUtf8, 1007),
        (
            from_client(FIN | TEXT, b"\xe2\x82"),
            Fault::InvalidUtf8,
            1007,
        ),
        // A surrogate, and an overlong encoding.
        (
            from_client(FIN | TEXT, b"\xed\xa0\x80"),
            Fault::InvalidUtf8,
            1007,
        ),
        (
            from_client(FIN | TEXT, b"\xc0\x80"),
            Fault::InvalidUtf8,
            1007,
        ),
        (
            [
                from_client(TEXT, b"\xe2"),
                from_client(FIN | CONTINUATION, b"a"),
            ]
            .concat(),
            Fault::InvalidUtf8,
            1007,
        ),
        // Reported at once, not at the end of the message.
        (from_client(TEXT, b"\xff"), Fault::InvalidUtf8, 1007),
    ];
    for (index, (bytes, fault, code)) in rows.iter().enumerate() {
        for split in 0..bytes.len() {
            let mut end = End::server(WebSocketConfig::default());
            let (first, second) = bytes.split_at(split);
            let result = end.receive(first).and_then(|_| end.receive(second));
            assert_eq!(result, Err(fault.clone()), "row {index} split at {split}");
            assert_eq!(
                end.sent(),
                [(FIN | CLOSE, code.to_be_bytes().to_vec())],
                "row {index} split at {split}"
            );
            assert!(end.machine.is_finished());
            assert_eq!(end.send("a"), Err(Fault::NotOpen));
            assert_eq!(end.machine.receive(bytes, end.now), bytes.len(), "dropped");
        }
    }
    let mut end = End::client(WebSocketConfig::default());
    let masked = from_client(FIN | TEXT, b"a");
    assert_eq!(end.receive(&masked), Err(Fault::MaskedFrame));
}

#[test]
fn sizes_are_limited_before_the_bytes_are_held() {
    let config = WebSocketConfig {
        message_bytes: 10,
        frame_bytes: 6,
        ..WebSocketConfig::default()
    };
    let big = |limit| Err(WebSocketFault::MessageTooBig { limit });
    let huge = [&[FIN | BINARY, 0xFF][..], &u64::MAX.to_be_bytes(), &MASK].concat();
    let rows: Vec<(Vec<Vec<u8>>, Result<usize, WebSocketFault>)> = vec![
        (vec![from_client(FIN | BINARY, &[0; 6])], Ok(1)),
        (vec![from_client(FIN | BINARY, &[0; 7])], big(6).map(|()| 0)),
        // The announced length alone is enough.
        (vec![huge], big(6).map(|()| 0)),
        (
            vec![
                from_client(BINARY, &[0; 6]),
                from_client(FIN | CONTINUATION, &[0; 4]),
            ],
            Ok(1),
        ),
        (
            vec![
                from_client(BINARY, &[0; 6]),
                from_client(CONTINUATION, &[0; 5]),
            ],
            big(10).map(|()| 0),
        ),
        (
            vec![
                from_client(TEXT, &[b'a'; 6]),
                from_client(CONTINUATION, &[b'a'; 5]),
            ],
            big(10).map(|()| 0),
        ),
    ];
    for (index, (stream, expected)) in rows.into_iter().enumerate() {
        let mut end = End::server(config.clone());
        let result = end.receive(&stream.concat()).map(|events| events.len());
        assert_eq!(result, expected, "row {index}");
        if expected.is_err() {
            assert_eq!(end.sent(), [(FIN | CLOSE, 1009u16.to_be_bytes().to_vec())]);
        }
    }
}

#[test]
fn received_bytes_that_are_not_taken_are_bounded() {
    let mut end = End::server(WebSocketConfig::default());
    let stream = from_client(FIN | BINARY, &[1; 1000]).repeat(1000);
    let mut taken = 0;
    for _ in 0..100 {
        taken += end.machine.receive(&stream[taken..], end.now);
    }
    assert_eq!(taken, 4 * 1024);
    let mut messages = 0;
    while taken < stream.len() || messages < 1000 {
        while end.machine.next_event(end.now).unwrap().is_some() {
            messages += 1;
        }
        taken += end.machine.receive(&stream[taken..], end.now);
    }
    assert_eq!(messages, 1000);
}

#[test]
fn a_peer_that_sends_pings_but_takes_no_pongs_is_not_read() {
    let mut end = End::server(WebSocketConfig {
        send_queue_bytes: 1000,
        ..WebSocketConfig::default()
    });
    let flood = from_client(FIN | PING, &[0; 125]).repeat(10_000);
    let mut taken = 0;
    for _ in 0..1000 {
        taken += end.machine.receive(&flood[taken..], end.now);
        assert_eq!(end.machine.next_event(end.now), Ok(None));
    }
    assert!(end.machine.queued() < 1000 + 64 * 1024 + 200);
    assert!(taken < 3 * 64 * 1024, "{taken}");
    // The peer counts as alive as long as bytes move.
    let first = end.sent().len();
    assert!(first > 500, "{first}");
    assert_eq!(end.machine.next_event(end.now), Ok(None));
    assert_ne!(end.machine.queued(), 0, "the others are answered now");
}

#[test]
fn a_flood_of_pings_does_not_keep_a_dead_peer_alive() {
    let mut end = End::server(WebSocketConfig {
        send_queue_bytes: 1000,
        ..WebSocketConfig::default()
    });
    let flood = from_client(FIN | PING, &[0; 125]).repeat(10_000);
    let mut taken = 0;
    let result = (0..60).find_map(|_| {
        // The bytes that it sent before it died are passed in with every frame.
        taken += end.machine.receive(&flood[taken..], end.now);
        end.pass(SECOND);
        end.machine.next_event(end.now).err()
    });
    assert_eq!(result, Some(WebSocketFault::PongTimeout));
    assert!(end.machine.is_finished());
}
