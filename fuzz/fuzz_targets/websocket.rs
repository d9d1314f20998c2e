//! WebSocket frames, both roles: cut anywhere, the same messages come out, within their limits.

#![no_main]

use std::time::{Duration, Instant};

use httpoll::fuzzing::{WebSocket, WebSocketSaid};
use httpoll::websocket::{WebSocketConfig, WebSocketMessage};
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const MOST: usize = 200;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let is_client = choices.flag();
    let ends = choices.flag();
    let sends = choices.flag();
    let now = Instant::now();
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| run(pieces, is_client, ends, sends, now);
    let whole = run(&mut std::iter::once(bytes));
    assert_eq!(run(&mut pieces(&choices, bytes)), whole);
});

fn run(
    input: &mut dyn Iterator<Item = &[u8]>,
    is_client: bool,
    ends: bool,
    sends: bool,
    now: Instant,
) -> (Vec<WebSocketSaid>, Option<String>) {
    let mut config = WebSocketConfig::default();
    config.message_bytes = MOST;
    config.frame_bytes = MOST / 2;
    config.shows_control_frames = true;
    let mut socket = match is_client {
        true => WebSocket::client(config, now),
        false => WebSocket::server(config, now),
    };
    if sends {
        socket.send(&WebSocketMessage::from("hi"), now).unwrap();
    }
    let mut said = Vec::new();
    let mut fault = None;
    for mut piece in input {
        while !piece.is_empty() && fault.is_none() {
            let taken = socket.receive(piece, now);
            piece = &piece[taken..];
            let came = events(&mut socket, &mut said, &mut fault, now);
            assert!(taken > 0 || came, "stuck");
        }
    }
    if ends {
        socket.receive_eof();
        events(&mut socket, &mut said, &mut fault, now);
    }
    let mut late = now;
    for _ in 0..8 {
        let Some(due) = socket.due() else {
            break;
        };
        late = late.max(due) + Duration::from_millis(1);
        socket.handle_timeout(late);
        let mut ignored = (Vec::new(), None);
        events(&mut socket, &mut ignored.0, &mut ignored.1, late);
    }
    assert!(
        socket.is_finished() || socket.due().is_none(),
        "it never ends"
    );
    (said, fault)
}

fn events(
    socket: &mut WebSocket,
    said: &mut Vec<WebSocketSaid>,
    fault: &mut Option<String>,
    now: Instant,
) -> bool {
    let mut came = false;
    loop {
        let out = socket.transmit(now);
        assert!(out.len() < 64 * 1024);
        match socket.next(now) {
            Ok(None) => return came,
            Ok(Some(what)) => {
                came = true;
                if let WebSocketSaid::Message(message) = &what {
                    let length = match message {
                        WebSocketMessage::Text(text) => text.len(),
                        WebSocketMessage::Binary(bytes)
                        | WebSocketMessage::Ping(bytes)
                        | WebSocketMessage::Pong(bytes) => bytes.len(),
                        WebSocketMessage::Close(_) => 0,
                    };
                    assert!(length <= MOST);
                }
                said.push(what);
            }
            Err(error) => {
                socket.transmit(now);
                *fault = Some(format!("{error:?}"));
                return true;
            }
        }
    }
}
