//! What stands between the machine and `tungstenite`, which wants a stream: the bytes that arrived and
//! were not read, the bytes that were written and not sent. Reading never waits, writing never fails.

use std::io::{self, Read, Write};

use bytes::{Buf, BytesMut};

/// Bytes that arrived and wait to be read, at most.
const INCOMING_BYTES: usize = 64 * 1024;

/// An emptied queue keeps no more room than this.
const KEPT_BYTES: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    incoming: BytesMut,
    outgoing: BytesMut,
    /// All bytes that were ever sent.
    sent: u64,
    /// Whether the peer ended the stream.
    has_ended: bool,
}

impl Pipe {
    /// Takes what there is room for; answers how many bytes that was.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> usize {
        let room = INCOMING_BYTES.saturating_sub(self.incoming.len());
        let count = bytes.len().min(room);
        self.incoming.extend_from_slice(&bytes[..count]);
        count
    }

    /// The peer ended the stream: after what was received comes nothing more.
    pub(super) fn receive_eof(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Forgets what was received.
    pub(super) fn discard_incoming(&mut self) {
        self.incoming = BytesMut::new();
    }

    pub(super) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// The first `count` outgoing bytes are sent.
    pub(super) fn consume_outgoing(&mut self, count: usize) {
        let count = count.min(self.outgoing.len());
        self.outgoing.advance(count);
        self.sent = self.sent.saturating_add(count as u64);
        if self.outgoing.is_empty() && self.outgoing.capacity() > KEPT_BYTES {
            self.outgoing = BytesMut::new();
        }
    }

    /// Nobody reads it any more.
    pub(super) fn discard_outgoing(&mut self) {
        self.outgoing = BytesMut::new();
    }

    /// How many bytes were sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many will have been sent once all is that was written so far.
    pub(super) fn written(&self) -> u64 {
        self.sent.saturating_add(self.outgoing.len() as u64)
    }
}

impl Read for Pipe {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return match self.has_ended {
                true => Ok(0),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let count = dst.len().min(self.incoming.len());
        self.incoming.copy_to_slice(&mut dst[..count]);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(src);
        Ok(src.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
