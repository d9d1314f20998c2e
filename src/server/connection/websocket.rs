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
        let mut socket = Socket::new(upgrade, cx.now);
        if self.input_over {
            // The client left before the WebSocket was accepted. Nothing reports that again.
            socket.receive_eof();
        }
        self.link.limit_unsent();
        self.enter(Stage::Socket(Box::new(socket)), cx.now);
    }

    /// One step of a WebSocket. It reads before it writes: if the client has closed, a write causes a reset, and with a
    /// reset Windows discards what was not read.
    pub(super) fn step_socket(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        let mut moved = !self.may_read_first() && self.send_frames(cx);
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
            let flushed = match socket.write_error() {
                Some(error) => Err(error.clone()),
                None => self.link.flush(cx.reactor, cx.meter),
            };
            return match flushed {
                Ok(false) => Ok(Step::Stuck),
                Ok(true) => self.send_close_frame(cx),
                Err(error) => self.end_socket(Some(error), cx),
            };
        }
        if moved {
            return Ok(Step::Worked);
        }
        let is_sending = self.is_sending();
        let read = self.read(cx);
        match read {
            Err(error) => return self.end_socket(Some(error), cx),
            Ok(Step::Stuck) if !cx.meter.exhausted() => {
                return Ok(if self.send_frames(cx) {
                    Step::Worked
                } else {
                    Step::Stuck
                });
            }
            _ if is_sending => self.note_read_first(cx),
            _ => {}
        }
        read
    }

    /// Writes the frames that wait. After an error, what the client sent before it is still read.
    fn send_frames(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(&self.stage, Stage::Socket(socket) if socket.write_error().is_some()) {
            return false;
        }
        let error = match self.transmit(cx) {
            Ok(moved) => return moved,
            Err(error) => error,
        };
        self.out.clear();
        self.out_sent = 0;
        if let Stage::Socket(socket) = &mut self.stage {
            socket.end_sending(error);
        }
        true
    }

    /// The close frame was sent. A client that is still sending, such as one whose message was too large, has to
    /// get it before the connection is gone (RFC 6455 §7.1.1).
    fn send_close_frame(&mut self, cx: &mut Context<'_>) -> Result<Step, Error> {
        if let Stage::Socket(socket) = &self.stage
            && socket.has_refused()
        {
            socket.report_end();
            self.note_sent(false, cx.app, cx.now);
            return Ok(self.begin_closing(false, cx));
        }
        self.end_socket(None, cx)
    }

    /// Everything that arrived was delivered. Behind a valid close frame an error of the stream does not count
    /// (RFC 6455 §7.1.4).
    fn end_socket(&mut self, error: Option<Error>, cx: &mut Context<'_>) -> Result<Step, Error> {
        let ends_well = matches!(&self.stage, Stage::Socket(socket) if socket.is_closed_cleanly());
        if let Some(error) = error
            && !ends_well
        {
            return Err(error);
        }
        self.note_sent(ends_well, cx.app, cx.now);
        Ok(Step::Over)
    }
}
