#![allow(clippy::unwrap_used, clippy::panic)]

mod ends;
mod hostile;
mod receiving;
mod sending;

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MASK: [u8; 4] = [1, 2, 3, 4];

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;

/// A frame as sent on the wire. `first` contains FIN, the reserved bits and the opcode.
fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(mask_bit | length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = mask.inspect(|mask| bytes.extend_from_slice(mask));
    let mask = mask.unwrap_or_default();
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, Some(MASK), payload)
}

fn from_server(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

/// The first byte, whether there is a mask, and the payload of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, bool, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7F {
            126 => (
                usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())),
                &rest[2..],
            ),
            127 => (
                usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(),
                &rest[8..],
            ),
            length => (usize::from(length), rest),
        };
        let is_masked = second & 0x80 != 0;
        let (mask, rest) = rest.split_at(if is_masked { 4 } else { 0 });
        let mask = if is_masked { mask } else { &[0] };
        let payload = rest[..length].iter().zip(mask.iter().cycle());
        let payload = payload.map(|(byte, mask)| byte ^ mask).collect();
        frames.push((*first, is_masked, payload));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "half a frame");
    frames
}

/// One side of a WebSocket, and the present time.
struct End {
    machine: WebSocketMachine,
    now: Instant,
}

impl End {
    fn client(config: WebSocketConfig) -> Self {
        let now = Instant::now();
        let machine = WebSocketMachine::client(config, now);
        Self { machine, now }
    }

    fn server(config: WebSocketConfig) -> Self {
        let now = Instant::now();
        let machine = WebSocketMachine::server(config, now);
        Self { machine, now }
    }

    /// Passes these bytes in and takes all resulting events.
    fn receive(&mut self, mut bytes: &[u8]) -> Result<Vec<WebSocketEvent>, WebSocketFault> {
        let mut events = Vec::new();
        loop {
            let taken = self.machine.receive(bytes, self.now);
            bytes = &bytes[taken..];
            while let Some(event) = self.machine.next_event(self.now)? {
                events.push(event);
            }
            if bytes.is_empty() {
                return Ok(events);
            }
            assert_ne!(taken, 0, "it takes nothing although nothing waits");
        }
    }

    /// Sends all waiting bytes.
    fn transmit(&mut self) -> Vec<u8> {
        let bytes = self.machine.poll_transmit().to_vec();
        self.machine.transmitted(bytes.len(), self.now);
        bytes
    }

    fn sent(&mut self) -> Vec<(u8, Vec<u8>)> {
        let frames = frames(&self.transmit());
        frames
            .into_iter()
            .map(|(first, _, payload)| (first, payload))
            .collect()
    }

    fn send(&mut self, message: impl Into<WebSocketMessage>) -> Result<(), WebSocketFault> {
        self.machine.send(&message.into(), self.now)
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<(), WebSocketFault> {
        self.machine.close(code, reason, self.now)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.machine.handle_timeout(self.now);
    }
}

fn message(message: impl Into<WebSocketMessage>) -> WebSocketEvent {
    WebSocketEvent::Message(message.into())
}

fn closed(code: u16, reason: &str) -> WebSocketEvent {
    let reason = reason.to_owned();
    WebSocketEvent::Closed(Some(CloseFrame { code, reason }))
}

fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}
