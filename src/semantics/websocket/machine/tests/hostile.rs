//! Frames with a few changed bytes: whatever results, the machine stays bounded and consistent.

use super::*;

/// Pseudo-random numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

#[test]
fn changed_bytes_never_break_the_machine() {
    let config = WebSocketConfig {
        message_bytes: 2000,
        frame_bytes: 1500,
        send_queue_bytes: 1000,
        shows_control_frames: true,
        ..WebSocketConfig::default()
    };
    let stream = [
        from_client(FIN | TEXT, "grüße".as_bytes()),
        from_client(TEXT, b"\xe2\x82"),
        from_client(FIN | PING, b"ping"),
        from_client(FIN | CONTINUATION, b"\xac"),
        from_client(FIN | BINARY, &[0; 200]),
        from_client(FIN | PONG, b""),
        from_client(FIN | CLOSE, &close_payload(1000, "bye")),
    ]
    .concat();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for round in 0..5000 {
        let mut bytes = stream.clone();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.below(256) as u8;
        }
        let cut = numbers.below(bytes.len());
        let mut end = End::server(config.clone());
        let (first, second) = bytes.split_at(cut);
        let mut result = end.receive(first);
        if round % 3 == 0 {
            // Both are acceptable.
            let _ = end.send("mine");
            let _ = end.close(1000, "");
        }
        if result.is_ok() {
            result = end.receive(second);
        }
        end.machine.receive_eof();
        while let Ok(Some(_)) = end.machine.next_event(end.now) {}
        if let Err(fault) = result {
            assert_eq!(end.machine.next_event(end.now), Err(fault));
        }
        assert!(!end.machine.is_open());
        frames(&end.transmit());
        assert!(end.machine.is_finished(), "{bytes:?}");
    }
}

#[test]
fn a_peer_is_read_until_its_pongs_exceed_their_space() {
    let mut end = End::server(WebSocketConfig {
        send_queue_bytes: 1000,
        ..WebSocketConfig::default()
    });
    // A frame of 1000 bytes, and pongs of 64 KiB: exactly as much as may wait.
    end.send(WebSocketMessage::Binary(vec![0; 996].into()))
        .unwrap();
    let mut pings = from_client(FIN | PING, &[0; 125]).repeat(516);
    pings.extend(from_client(FIN | PING, &[0; 2]));
    assert_eq!(end.receive(&pings), Ok(Vec::new()));
    assert_eq!(end.machine.queued(), 1000 + 64 * 1024);
    let text = from_client(FIN | TEXT, b"still read");
    assert_eq!(end.receive(&text), Ok(vec![message("still read")]));
    end.receive(&from_client(FIN | PING, b"")).unwrap();
    end.machine.receive(&text, end.now);
    assert_eq!(
        end.machine.next_event(end.now),
        Ok(None),
        "one pong too many"
    );
}
