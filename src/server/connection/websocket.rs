//! A connection that has become a WebSocket: bytes to the machine, messages to the holder, and back.

use std::sync::Arc;
use std::time::Instant;

use super::state::Stage;
use super::{BATCH_BYTES, Connection, Context, OUT_BYTES, Step};
use crate::error::{Error, WebSocketFault};
use crate::semantics::websocket::{
    CloseFrame, WebSocketConfig, WebSocketEvent, WebSocketMachine, close_code,
};
use crate::server::pipe::Taken;
use crate::server::websocket::{Shared, Upgrade};

/// One open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    machine: WebSocketMachine,
    shared: Arc<Shared>,
}

impl Connection {
    /// Goes on as a WebSocket; the head of the 101 is sent.
    pub(super) fn begin_socket(&mut self, upgrade: Upgrade, cx: &Context<'_>) {
        let config = WebSocketConfig {
            // Messages wait in `shared`; only pongs and close frames wait in the machine.
            send_queue_bytes: 0,
            ..upgrade.config
        };
        let socket = Socket {
            machine: WebSocketMachine::server(config, cx.now),
            shared: upgrade.shared,
        };
        self.link.limit_unsent();
        self.enter(Stage::Socket(Box::new(socket)), cx.now);
    }

    /// One step of a WebSocket.
    pub(super) fn step_socket(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        let mut moved = self.transmit(cx)?;
        let Stage::Socket(socket) = &mut self.stage else {
            return Ok(Step::Stuck);
        };
        let taken = socket.machine.receive(self.recv.unread(), cx.now);
        self.recv.consume(taken, cx.reactor.pool());
        moved |= taken > 0;
        moved |= socket.take_events(cx.now);
        socket.say_goodbye(cx);
        let pending = self.out.len() - self.out_sent;
        // What is not taken from the queue can still be replaced or dropped.
        let is_writable = pending + self.link.pending() == 0 && self.link.is_writable(cx.reactor);
        moved |= socket.transmit(&mut self.out, pending, is_writable, cx.now);
        let unsent = self.out.len() - self.out_sent + self.link.pending();
        socket.shared.outgoing().set_unsent(unsent);
        if socket.machine.is_finished() && self.out.is_empty() {
            let ends_well = socket.shared.is_closed_in_order();
            if !self.link.flush(cx.reactor, cx.meter)? {
                return Ok(Step::Stuck);
            }
            self.note_sent(ends_well, cx.app, cx.now);
            return Ok(Step::Over);
        }
        if moved {
            return Ok(Step::Worked);
        }
        self.read(cx)
    }
}

impl Socket {
    /// Whether the holder and the machine can take more messages.
    pub(super) fn has_room(&self) -> bool {
        self.shared.has_room()
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

    /// The connection is gone.
    pub(super) fn close(&self) {
        self.shared.end_failed(WebSocketFault::ClosedAbnormally);
    }

    fn take_events(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while self.shared.has_room() {
            match self.machine.next_event(now) {
                Ok(Some(WebSocketEvent::Message(message))) => self.shared.put(message),
                Ok(Some(WebSocketEvent::Closed(frame))) => self.shared.end_closed(frame),
                Ok(None) => return moved,
                Err(fault) => {
                    self.shared.end_failed(fault);
                    return moved;
                }
            }
            moved = true;
        }
        moved
    }

    /// Begins to close when the holder or the server wants to, behind what waits.
    fn say_goodbye(&mut self, cx: &Context<'_>) {
        if !self.machine.is_open() || !self.shared.outgoing().is_empty() {
            return;
        }
        let goodbye = match self.shared.goodbye() {
            Some(goodbye) => goodbye,
            None if cx.app.draining => CloseFrame {
                code: close_code::GOING_AWAY,
                reason: String::new(),
            },
            None => return,
        };
        let said = self.machine.close(goodbye.code, &goodbye.reason, cx.now);
        if said.is_err() {
            // A code that may not be sent.
            let _ = self.machine.close(close_code::NORMAL_CLOSURE, "", cx.now);
        }
    }

    /// Moves frames to the buffer that is written out, as far as that has room: the machine's own
    /// frames first, because they are short. What has no room stays in the machine, which then stops
    /// answering pings, so that a client that reads nothing is no longer read from.
    fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        mut pending: usize,
        is_writable: bool,
        now: Instant,
    ) -> bool {
        let own = self.machine.poll_transmit();
        let count = own.len().min(OUT_BYTES.saturating_sub(pending));
        out.extend_from_slice(&own[..count]);
        self.machine.transmitted(count, now);
        pending += count;
        let mut moved = count > 0;
        // Behind a close frame nothing may be sent.
        while is_writable && pending < BATCH_BYTES && self.machine.is_open() {
            match self.shared.outgoing().take() {
                Taken::Bytes(bytes) => {
                    pending += bytes.len();
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
