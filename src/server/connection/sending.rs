//! From the buffer of bytes that wait to be written to the socket. What goes into the buffer belongs to `responding`.

use super::state::{Pace, Source, Stage};
use super::{Connection, Context, OUT_BYTES};
use crate::error::Error;
use crate::server::settings::ServerTimeouts;

impl Connection {
    /// Writes the bytes that wait to be written.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let before = self.link.socket().written();
        let written = self.write_out(cx);
        let count = self.link.socket().written() - before;
        let ServerTimeouts {
            send_stall,
            min_rate,
            ..
        } = cx.app.timeouts;
        self.writing.note(count, send_stall, min_rate, cx.now);
        if !self.is_sending() {
            self.writing = Pace::start(cx.now);
        }
        written
    }

    fn write_out(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut moved = false;
        while self.out_sent < self.out.len() {
            let rest = &self.out[self.out_sent..];
            let count = self.link.write(cx.reactor, cx.meter, rest)?;
            if count == 0 {
                break;
            }
            moved = true;
            self.out_sent += count;
            self.current.sent += count as u64;
            cx.app.metrics.bytes_sent += count as u64;
            if self.out_sent < self.out.len() && cx.meter.exhausted() {
                break;
            }
        }
        if self.out_sent == self.out.len() {
            self.out.clear();
            self.out_sent = 0;
            // TLS may still hold the last records of a stream that continues later.
            self.link.flush(cx.reactor, cx.meter)?;
        } else if self.out_sent >= OUT_BYTES {
            // A client that never takes everything at once must not let the buffer grow. This moves fewer bytes than
            // were sent.
            self.out.drain(..self.out_sent);
            self.out_sent = 0;
        }
        Ok(moved)
    }

    /// Whether the client has not yet taken all bytes that were produced for it.
    pub(super) fn is_sending(&self) -> bool {
        self.pending() > 0 || self.link.pending() > 0
    }

    pub(super) fn pending(&self) -> usize {
        self.out.len() - self.out_sent
    }

    /// Frees a large write buffer that nothing fills soon.
    pub(super) fn free_out(&mut self) {
        let is_filled_again = matches!(
            &self.stage,
            Stage::Responding(
                Source::Bytes(_) | Source::Reader { .. } | Source::Asset(_) | Source::File(_)
            )
        );
        if self.out.is_empty() && self.out.capacity() > OUT_BYTES && !is_filled_again {
            self.out = Vec::new();
        }
    }
}
