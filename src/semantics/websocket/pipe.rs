//! The in-memory stream between the machine and `tungstenite`: the received bytes that were not
//! read yet, and the written bytes that were not sent yet. Reads never wait, writes never fail.

use std::io::{self, Read, Write};

use bytes::{Buf, BytesMut};

/// The maximum number of received bytes that wait to be read. The owner checks its budget after each such batch,
/// which may hold hundreds of frames.
const INCOMING_BYTES: usize = 4 * 1024;

/// An emptied queue keeps at most this capacity.
const KEPT_BYTES: usize = 64 * 1024;

/// The received and the outgoing bytes of one WebSocket.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    incoming: BytesMut,
    outgoing: BytesMut,
    /// The total of bytes sent so far.
    sent: u64,
    /// Whether the peer ended the stream.
    has_ended: bool,
}

impl Pipe {
    /// Takes as many bytes as fit, and returns how many.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> usize {
        let room = INCOMING_BYTES.saturating_sub(self.incoming.len());
        let count = bytes.len().min(room);
        self.incoming.extend_from_slice(&bytes[..count]);
        count
    }

    /// Records that the peer ended the stream: nothing follows the received bytes.
    pub(super) fn receive_eof(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Drops the received bytes.
    pub(super) fn discard_incoming(&mut self) {
        self.incoming = BytesMut::new();
    }

    pub(super) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// Records that the first `count` outgoing bytes were sent.
    pub(super) fn consume_outgoing(&mut self, count: usize) {
        let count = count.min(self.outgoing.len());
        self.outgoing.advance(count);
        self.sent = self.sent.saturating_add(count as u64);
        if self.outgoing.is_empty() && self.outgoing.capacity() > KEPT_BYTES {
            self.outgoing = BytesMut::new();
        }
    }

    /// Drops the outgoing bytes: nothing will read them.
    pub(super) fn discard_outgoing(&mut self) {
        self.outgoing = BytesMut::new();
    }

    /// The total of bytes sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The total once all bytes written so far have been sent.
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
