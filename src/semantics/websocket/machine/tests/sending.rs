//! Sending messages: frames of both roles, the queue and its limit.

use super::*;

#[test]
fn messages_become_frames() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let bytes = vec![b'x'; length];
        let text = String::from_utf8(bytes.clone()).unwrap();
        for role in [Role::Client, Role::Server] {
            let mut end = End::client(WebSocketConfig::default());
            end.machine = WebSocketMachine::new(role, WebSocketConfig::default(), end.now);
            end.send(text.clone()).unwrap();
            end.send(bytes.clone()).unwrap();
            let wire = end.transmit();
            assert_eq!(wire.len(), 2 * frame_length(role, length), "{length}");
            let is_client = role == Role::Client;
            assert_eq!(
                frames(&wire),
                [
                    (FIN | TEXT, is_client, bytes.clone()),
                    (FIN | BINARY, is_client, bytes.clone())
                ]
            );
        }
    }
}

#[test]
fn both_roles_understand_each_other() {
    let mut client = End::client(WebSocketConfig::default());
    let mut server = End::server(WebSocketConfig::default());
    let messages: Vec<WebSocketMessage> = vec![
        "".into(),
        "grüße".into(),
        vec![0; 100_000].into(),
        vec![9; 1024 * 1024 - 200_000].into(),
    ];
    let expected: Vec<_> = messages.iter().cloned().map(message).collect();
    for message in &messages {
        client.send(message.clone()).unwrap();
        server.send(message.clone()).unwrap();
    }
    assert_eq!(server.receive(&client.transmit()).unwrap(), expected);
    assert_eq!(client.receive(&server.transmit()).unwrap(), expected);
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    let mut end = End::server(WebSocketConfig {
        send_queue_bytes: 20,
        ..WebSocketConfig::default()
    });
    let limit = 20;
    assert_eq!(
        end.send(vec![0; 19]),
        Err(WebSocketFault::TooLargeToSend { limit })
    );
    assert_eq!(end.machine.queued(), 0);
    end.send("12345678").unwrap();
    assert_eq!(
        end.send("123456789"),
        Err(WebSocketFault::QueueFull { limit })
    );
    end.send("12345678").unwrap();
    assert_eq!(end.machine.queued(), 20);
    assert_eq!(
        end.send(WebSocketMessage::Ping(Bytes::new())),
        Err(WebSocketFault::QueueFull { limit })
    );
    // Some of the bytes are sent.
    let wire = end.machine.poll_transmit()[..15].to_vec();
    end.machine.transmitted(15, end.now);
    end.send("last").unwrap();
    let wire = [wire, end.transmit()].concat();
    assert_eq!(
        frames(&wire),
        [
            (FIN | TEXT, false, b"12345678".to_vec()),
            (FIN | TEXT, false, b"12345678".to_vec()),
            (FIN | TEXT, false, b"last".to_vec()),
        ]
    );
    // Reporting more bytes than were waiting does no harm.
    end.machine.transmitted(1000, end.now);
    assert_eq!(end.machine.queued(), 0);
}

#[test]
fn pongs_and_the_close_frame_are_sent_although_the_queue_is_full() {
    let mut end = End::server(WebSocketConfig {
        send_queue_bytes: 10,
        ..WebSocketConfig::default()
    });
    end.send("12345678").unwrap();
    end.receive(&from_client(FIN | PING, b"a")).unwrap();
    end.close(1000, "").unwrap();
    let first: Vec<u8> = end.sent().into_iter().map(|(first, _)| first).collect();
    assert_eq!(first, [FIN | TEXT, FIN | PONG, FIN | CLOSE]);
}

#[test]
fn the_caller_can_send_control_frames() {
    let mut end = End::server(WebSocketConfig::default());
    let most = Bytes::from(vec![1; 125]);
    end.send(WebSocketMessage::Ping(most.clone())).unwrap();
    end.send(WebSocketMessage::Pong(most.clone())).unwrap();
    assert_eq!(
        end.sent(),
        [(FIN | PING, most.to_vec()), (FIN | PONG, most.to_vec())]
    );
    let more = Bytes::from(vec![1; 126]);
    for message in [
        WebSocketMessage::Ping(more.clone()),
        WebSocketMessage::Pong(more),
    ] {
        assert_eq!(end.send(message), Err(WebSocketFault::ControlTooLong));
    }
    assert_eq!(end.machine.queued(), 0);
}

#[test]
fn bytes_that_can_no_longer_be_sent_are_dropped() {
    let mut end = End::client(WebSocketConfig::default());
    end.send("hi").unwrap();
    assert!(!end.machine.poll_transmit().is_empty());
    end.machine.discard_outgoing();
    assert_eq!(end.machine.poll_transmit(), b"");
}
