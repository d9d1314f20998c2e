//! One open WebSocket of a server: its protocol machine, and the messages that its holder and a topic share
//! with it. It does no I/O: the connection gives it bytes that arrived and takes bytes to write.

use std::sync::Arc;

use crate::clock::Instant;
use crate::error::{Error, WebSocketFault};
use crate::semantics::websocket::{
    CloseFrame, WebSocketConfig, WebSocketEvent, WebSocketMachine, close_code,
};
use crate::server::pipe::Taken;
use crate::server::websocket::shared::{Shared, Upgrade};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Socket {
    machine: WebSocketMachine,
    shared: Arc<Shared>,
    /// The error of a write. What the client sent before can still be read.
    write_error: Option<Error>,
    /// How the client ended it. The holder learns it once the close frame that answers has left, so that it may drop
    /// the server then.
    end: Option<Result<Option<CloseFrame>, WebSocketFault>>,
}

/// How many bytes may be added to the connection's write buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Limit for pongs and close frames.
    pub(super) own_frames: usize,
    /// Limit for all frames together. The last message may exceed it.
    pub(super) messages: usize,
}

impl Socket {
    pub(super) fn new(upgrade: Upgrade, now: Instant) -> Self {
        let (config, shared) = upgrade.take();
        let config = WebSocketConfig {
            // Messages wait in `shared`; only pongs and close frames wait in the machine.
            send_queue_bytes: 0,
            ..config
        };
        Self {
            machine: WebSocketMachine::server(config, now),
            shared,
            write_error: None,
            end: None,
        }
    }

    /// Takes bytes that arrived. Returns how many of them it took.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.machine.receive(bytes, now)
    }

    /// Whether the closing handshake is done, or the connection has failed.
    pub(super) fn is_finished(&self) -> bool {
        self.machine.is_finished()
    }

    /// Whether the client broke the protocol, and may still be sending when it gets the close frame.
    pub(super) fn has_refused(&self) -> bool {
        self.machine.has_refused()
    }

    /// Nothing more can be sent.
    pub(super) fn end_sending(&mut self, error: Error) {
        self.write_error.get_or_insert(error);
    }

    pub(super) fn write_error(&self) -> Option<&Error> {
        self.write_error.as_ref()
    }

    pub(super) fn is_closed_cleanly(&self) -> bool {
        matches!(self.end, Some(Ok(_)))
    }

    /// Reports to the holder how many bytes wait for the client.
    pub(super) fn set_unsent(&self, bytes: usize) {
        self.shared.outgoing().set_unsent(bytes);
    }

    /// Whether the holder and the machine can take more messages.
    pub(super) fn has_room(&self) -> bool {
        self.shared.has_room()
    }

    /// How many bytes wait for the client.
    pub(super) fn queued(&self) -> usize {
        self.shared.outgoing().queued()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.machine.due()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }

    pub(super) fn receive_eof(&mut self) {
        self.machine.receive_eof();
    }

    /// Tells the holder how it ended: the close frame has left, or the connection is gone.
    pub(super) fn report_end(&self) {
        match self.end.clone() {
            Some(Ok(frame)) => self.shared.end_closed(frame),
            Some(Err(fault)) => self.shared.end_failed(fault),
            None => self.shared.end_failed(WebSocketFault::ClosedAbnormally),
        }
    }

    pub(super) fn take_events(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while self.shared.has_room() {
            match self.machine.next_event(now) {
                Ok(Some(WebSocketEvent::Message(message))) => self.shared.put(message),
                Ok(Some(WebSocketEvent::Closed(frame))) => self.note_end(Ok(frame)),
                Ok(None) => return moved,
                Err(fault) => {
                    self.note_end(Err(fault));
                    return moved;
                }
            }
            moved = true;
        }
        moved
    }

    /// No more can be sent, except the close frame.
    fn note_end(&mut self, end: Result<Option<CloseFrame>, WebSocketFault>) {
        self.end.get_or_insert(end);
        self.shared.outgoing().close();
    }

    /// Sends a close frame after the waiting messages, if the holder closed or the server is shutting down.
    pub(super) fn begin_close(&mut self, is_shutting_down: bool, now: Instant) {
        if !self.machine.is_open() || !self.shared.outgoing().is_empty() {
            return;
        }
        let frame = match self.shared.close_to_send() {
            Some(frame) => frame,
            None if is_shutting_down => CloseFrame {
                code: close_code::GOING_AWAY,
                reason: String::new(),
            },
            None => return,
        };
        let said = self.machine.close(frame.code, &frame.reason, now);
        if said.is_err() {
            // This code must not be sent.
            let _ = self.machine.close(close_code::NORMAL_CLOSURE, "", now);
        }
    }

    /// Moves frames to the write buffer, as far as it has space. The machine's own frames go first, because
    /// they are short. Frames that do not fit stay in the machine. It then stops responding to pings, so that
    /// the server stops reading from a client that reads nothing.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>, room: Room, now: Instant) -> bool {
        if self.write_error.is_some() {
            self.machine.discard_outgoing();
            return false;
        }
        let own = self.machine.poll_transmit();
        let count = own.len().min(room.own_frames);
        out.extend_from_slice(&own[..count]);
        self.machine.transmitted(count, now);
        let mut taken = count;
        let mut moved = count > 0;
        // Nothing may follow a close frame.
        while taken < room.messages && self.machine.is_open() {
            match self.shared.outgoing().take() {
                Taken::Bytes(bytes) => {
                    taken += bytes.len();
                    out.extend_from_slice(&bytes);
                    moved = true;
                }
                Taken::Nothing | Taken::Finished(_) => break,
                Taken::Broken => {
                    // A topic gave up on a client that is too slow.
                    let code = close_code::TRY_AGAIN_LATER;
                    let _ = self.machine.close(code, "too slow", now);
                    moved = true;
                }
            }
        }
        moved
    }
}
