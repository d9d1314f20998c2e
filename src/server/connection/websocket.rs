//! A connection that has become a WebSocket: received bytes go to the machine, messages to the holder, and
//! frames back to the client.

use super::open_socket::{Room, Socket};
use super::state::Stage;
use super::{BATCH_BYTES, Connection, Context, OUT_BYTES, Step};
use crate::error::Error;
use crate::server::websocket::shared::Upgrade;

impl Connection {
    /// Continues as a WebSocket after the head of the `101` was sent.
    pub(super) fn begin_socket(&mut self, upgrade: Upgrade, cx: &Context<'_>) {
        let socket = Socket::new(upgrade, cx.now);
        self.link.limit_unsent();
        self.enter(Stage::Socket(Box::new(socket)), cx.now);
    }

    /// One step of a WebSocket.
    pub(super) fn step_socket(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        let mut moved = self.transmit(cx)?;
        let Stage::Socket(socket) = &mut self.stage else {
            return Ok(Step::Stuck);
        };
        let taken = socket.receive(self.recv.unread(), cx.now);
        self.recv.consume(taken, cx.reactor.pool());
        moved |= taken > 0;
        moved |= socket.take_events(cx.now);
        socket.begin_close(cx.app.draining, cx.now);
        let pending = self.out.len() - self.out_sent;
        // Messages that stay in the queue can still be replaced or dropped.
        let is_writable = pending + self.link.pending() == 0 && self.link.is_writable(cx.reactor);
        let room = Room {
            own_frames: OUT_BYTES.saturating_sub(pending),
            messages: if is_writable {
                BATCH_BYTES.saturating_sub(pending)
            } else {
                0
            },
        };
        moved |= socket.transmit(&mut self.out, room, cx.now);
        let unsent = self.out.len() - self.out_sent + self.link.pending();
        socket.set_unsent(unsent);
        if socket.is_finished() && self.out.is_empty() {
            let ends_well = socket.is_closed_cleanly();
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
