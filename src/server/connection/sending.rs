//! From the buffer of bytes that wait to be written to the socket, and what is read before that. What goes into the
//! buffer belongs to `responding`.

use super::state::{Incoming, Pace, Source, Stage};
use super::{Connection, Context, OUT_BYTES, Step};
use crate::error::Error;
use crate::server::settings::ServerTimeouts;

/// So many reads come before a write. More would let a client that sends without end keep the response from being
/// written. A turn whose budget was spent by a read counts as all of them.
const READS_BEFORE_WRITE: u8 = 16;

impl Connection {
    /// Reads the content of the request before more is sent: if the client has closed, that causes a reset, and with a
    /// reset Windows discards what was not read.
    pub(super) fn read_before_sending(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<Step>, Error> {
        if !self.is_sending() || !self.may_read_first() {
            return Ok(None);
        }
        let taken = match (&self.stage, &self.incoming) {
            (Stage::Collecting(_), _) => self.collect(cx)?,
            (
                Stage::Waiting(_) | Stage::Locating(_) | Stage::Responding(_),
                Incoming::Streaming(_),
            ) => self.take_content(cx)?,
            _ => return Ok(None),
        };
        if taken {
            return Ok(Some(Step::Worked));
        }
        if !self.recv.is_empty() {
            return Ok(None);
        }
        let step = self.read(cx)?;
        let is_stuck = matches!(step, Step::Stuck);
        if !is_stuck || cx.meter.exhausted() {
            self.note_read_first(cx);
        }
        Ok((!is_stuck || cx.meter.exhausted()).then_some(step))
    }

    /// Whether reading goes before writing now.
    pub(super) fn may_read_first(&self) -> bool {
        self.reads < READS_BEFORE_WRITE
    }

    /// Something was read before bytes that wait to be written.
    pub(super) fn note_read_first(&mut self, cx: &mut Context<'_>) {
        self.reads = match cx.meter.exhausted() {
            true => READS_BEFORE_WRITE,
            false => self.reads.saturating_add(1),
        };
    }

    /// Writes the bytes that wait to be written.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let before = self.link.socket().written();
        self.reads = 0;
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
