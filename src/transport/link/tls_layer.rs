//! TLS on a socket: the handshake, ciphertext that is sent, and ciphertext that is read and decrypted
//! (RFC 8446). `tls` has the protocol; this file reads and writes the socket.

use std::mem;
use std::time::Duration;

use super::socket_io::{LinkRead, read_socket, write_socket};
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::buffer::{BUFFER_BYTES, RecvBuffer};
use crate::transport::cost::Deferrals;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;
use crate::transport::tls::{Plaintext, TlsEnd, TlsInfo, TlsSession};

/// Ciphertext that is read at once, small enough to keep a time budget to some 50 µs if its records are full. It is
/// decrypted in slices, because small records take many times as long.
const CIPHERTEXT_BYTES: usize = 64 * 1024;

/// The most plaintext that comes of it: the record that began earlier ends in it.
const MOST_PLAINTEXT: usize = CIPHERTEXT_BYTES + 16 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct TlsLayer {
    session: TlsSession,
    /// Ciphertext that the socket has not accepted yet.
    out: Vec<u8>,
    out_sent: usize,
    /// Plaintext that arrived together with the end of the handshake.
    early: Vec<u8>,
    /// Ciphertext that was read but not decrypted, because the budget was spent, and how much of it is decrypted since.
    /// Nothing more is read before it is gone, so it is at most [`CIPHERTEXT_BYTES`].
    left: Vec<u8>,
    left_used: usize,
    /// The most expensive step of the handshake so far.
    dearest: Duration,
    deferrals: Deferrals,
}

/// How far a handshake came.
pub(super) enum Handshake {
    Done,
    Waiting,
    /// Ciphertext arrived that may make the verifier wait: another thread processes it.
    HandOver(Vec<u8>),
}

impl TlsLayer {
    pub(super) fn new(session: TlsSession) -> Self {
        Self {
            session,
            out: Vec::new(),
            out_sent: 0,
            early: Vec::new(),
            left: Vec::new(),
            left_used: 0,
            dearest: Duration::ZERO,
            deferrals: Deferrals::default(),
        }
    }

    /// The layer of a session that a thread gives back.
    pub(super) fn back(session: TlsSession, early: Vec<u8>, out: Vec<u8>, out_sent: usize) -> Self {
        Self {
            out,
            out_sent,
            early,
            ..Self::new(session)
        }
    }

    /// The session, early plaintext, unsent ciphertext, and how much of that is sent. A session that goes to a thread
    /// gets all that is read, so nothing is left undecrypted.
    pub(super) fn into_parts(self) -> (TlsSession, Vec<u8>, Vec<u8>, usize) {
        (self.session, self.early, self.out, self.out_sent)
    }

    pub(super) fn info(&self) -> Option<TlsInfo> {
        self.session.info()
    }

    /// Whether a read finds something that was already read from the socket.
    pub(super) fn is_readable(&self) -> bool {
        !self.early.is_empty() || !self.left.is_empty() || self.session.end() != TlsEnd::Open
    }

    /// Whether there is ciphertext that the kernel does not have yet.
    pub(super) fn has_unsent(&self) -> bool {
        !self.out.is_empty() || self.session.wants_transmit()
    }

    /// Ciphertext that the socket has not accepted yet.
    #[cfg(feature = "server")]
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.out_sent
    }

    /// Sends `close_notify`. There is one attempt only: a peer whose window is full does not get it.
    pub(super) fn close(&mut self, socket: &mut Socket, reactor: &mut Reactor) {
        self.session.close();
        self.session.poll_transmit(&mut self.out);
        let _ = socket.write(reactor, &self.out[self.out_sent..]);
        self.out.clear();
        self.out_sent = 0;
    }

    /// Encrypts and sends part of `src`. Returns how many bytes; 0 while earlier ciphertext waits.
    pub(super) fn write(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        src: &[u8],
    ) -> Result<usize, Error> {
        if !self.out.is_empty() {
            self.transmit(socket, reactor, meter)?;
            if !self.out.is_empty() {
                return Ok(0);
            }
        }
        // What the session already has to send, such as the end of the handshake, goes into the same packet.
        let taken = self.session.write(src)?;
        self.transmit(socket, reactor, meter)?;
        Ok(taken)
    }

    /// Whether the peer's flight may be processed now. That step cannot be cut, so it starts only if enough
    /// time is left.
    fn may_go_on(
        &mut self,
        socket: &Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> bool {
        let is_readable = !self.left.is_empty() || socket.is_readable(reactor);
        !is_readable || self.deferrals.may_start(reactor.handshakes.flight, meter)
    }

    /// Sends ciphertext until all is sent, the socket is full or the budget is spent.
    pub(super) fn transmit(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<(), Error> {
        loop {
            if self.out.is_empty() {
                if !self.session.wants_transmit() {
                    return Ok(());
                }
                self.session.poll_transmit(&mut self.out);
            }
            while self.out_sent < self.out.len() {
                match write_socket(socket, reactor, meter, &self.out[self.out_sent..])? {
                    0 => return Ok(()),
                    count => self.out_sent += count,
                }
                if self.out_sent < self.out.len() && meter.exhausted() {
                    return Ok(());
                }
            }
            self.out.clear();
            self.out_sent = 0;
        }
    }

    /// See [`Link::handshake`](super::Link::handshake).
    pub(super) fn handshake(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Handshake, Error> {
        loop {
            if self.session.is_client() && !self.session.is_handshaking() {
                // The last flight is sent together with the first request, which usually follows at once.
                // Without one, the connection flushes it.
                return Ok(Handshake::Done);
            }
            let sent = self.transmit(socket, reactor, meter);
            if !self.session.is_handshaking() {
                sent?;
                return Ok(Handshake::Done);
            }
            if !self.may_go_on(socket, reactor, meter) {
                sent?;
                return Ok(Handshake::Waiting);
            }
            if self.session.may_wait() {
                sent?;
                return self.read_for_hand_over(socket, reactor, meter);
            }
            // A peer that refuses the handshake may close early. Its alert says more than the error of the
            // write.
            let mut early = mem::take(&mut self.early);
            let began = meter.now();
            let received = self.receive(socket, reactor, meter, &mut |plaintext| {
                early.extend_from_slice(plaintext);
            });
            let took = meter.now().saturating_duration_since(began);
            self.early = early;
            self.dearest = self.dearest.max(took);
            if !self.session.is_handshaking() {
                reactor.handshakes.flight.learn(self.dearest);
            }
            match received {
                Ok(LinkRead::Data(_)) => {}
                Ok(LinkRead::Blocked) => {
                    sent?;
                    return Ok(Handshake::Waiting);
                }
                Ok(LinkRead::Closed | LinkRead::Truncated) => {
                    return Err(Error::new(ErrorKind::Network(NetworkFault::Closed)));
                }
                Err(error) => {
                    // Tries to send the alert with the reason. The failure stays the reported error.
                    let _ = self.transmit(socket, reactor, meter);
                    return Err(error);
                }
            }
            if meter.exhausted() {
                return Ok(Handshake::Waiting);
            }
        }
    }

    /// Reads ciphertext for the thread that verifies.
    fn read_for_hand_over(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Handshake, Error> {
        let mut scratch = reactor.lend_scratch();
        let read = read_socket(socket, reactor, meter, &mut scratch[..CIPHERTEXT_BYTES]);
        let ciphertext = match &read {
            Ok(LinkRead::Data(count)) => scratch[..*count].to_vec(),
            _ => Vec::new(),
        };
        reactor.return_scratch(scratch);
        match read? {
            LinkRead::Data(_) => Ok(Handshake::HandOver(ciphertext)),
            LinkRead::Blocked => Ok(Handshake::Waiting),
            LinkRead::Closed | LinkRead::Truncated => {
                Err(Error::new(ErrorKind::Network(NetworkFault::Closed)))
            }
        }
    }

    /// See [`Link::read`](super::Link::read).
    pub(super) fn read(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        recv: &mut RecvBuffer,
    ) -> Result<LinkRead, Error> {
        let pool = reactor.pool().clone();
        if !self.early.is_empty() {
            let early = mem::take(&mut self.early);
            recv.append(&early, &pool);
            return Ok(LinkRead::Data(early.len()));
        }
        let mut total = 0;
        loop {
            let received = self.receive(socket, reactor, meter, &mut |plaintext| {
                recv.append(plaintext, &pool);
                total += plaintext.len();
            });
            // TLS replies to key updates and alerts even when HTTP has nothing to send. If that fails, the
            // next read or write reports it. When nothing came, the end of the handshake may still wait for the
            // first request.
            if !self.out.is_empty() || !matches!(received, Ok(LinkRead::Blocked)) {
                let _ = self.transmit(socket, reactor, meter);
            }
            match received {
                // The next read reports the failure, after the data that came before it.
                _ if total > 0 && !matches!(received, Ok(LinkRead::Data(_))) => break,
                Ok(LinkRead::Data(_)) => {}
                other => return other,
            }
            if recv.unread().len() + MOST_PLAINTEXT > BUFFER_BYTES || meter.exhausted() {
                break;
            }
        }
        Ok(if total > 0 {
            LinkRead::Data(total)
        } else {
            LinkRead::Blocked
        })
    }

    /// Decrypts what is left of the last read, or reads ciphertext once and decrypts it, as far as the budget goes.
    /// Gives the plaintext, which may be empty, to `plaintext`.
    fn receive(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        plaintext: Plaintext<'_>,
    ) -> Result<LinkRead, Error> {
        // Reports an earlier failure again.
        self.session.receive(&mut [], plaintext)?;
        match self.session.end() {
            TlsEnd::Open => {}
            TlsEnd::CloseNotify => return Ok(LinkRead::Closed),
            TlsEnd::Truncated => return Ok(LinkRead::Truncated),
        }
        if !self.left.is_empty() {
            let mut left = mem::take(&mut self.left);
            let start = mem::take(&mut self.left_used);
            let count = self.decrypt(&mut left[start..], meter, plaintext)?;
            if start + count < left.len() {
                self.left = left;
                self.left_used = start + count;
            }
            return Ok(LinkRead::Data(count));
        }
        let mut scratch = reactor.lend_scratch();
        let read = read_socket(socket, reactor, meter, &mut scratch[..CIPHERTEXT_BYTES]);
        let received = match read {
            Ok(LinkRead::Data(count)) => {
                let ciphertext = &mut scratch[..count];
                self.decrypt(ciphertext, meter, plaintext).map(|used| {
                    self.left = ciphertext[used..].to_vec();
                    LinkRead::Data(count)
                })
            }
            Ok(LinkRead::Closed | LinkRead::Truncated) => {
                self.session.receive_eof();
                Ok(LinkRead::Truncated)
            }
            Ok(LinkRead::Blocked) => Ok(LinkRead::Blocked),
            Err(error) => Err(error),
        };
        reactor.return_scratch(scratch);
        received
    }

    /// Decrypts the front of `ciphertext` in slices until the budget is spent, but at least one. Returns how many bytes
    /// that were.
    fn decrypt(
        &mut self,
        ciphertext: &mut [u8],
        meter: &mut BudgetMeter,
        plaintext: Plaintext<'_>,
    ) -> Result<usize, Error> {
        let mut used = 0;
        loop {
            used += self.session.receive(&mut ciphertext[used..], plaintext)?;
            meter.note_work();
            if used == ciphertext.len() || meter.exhausted() {
                return Ok(used);
            }
        }
    }
}
