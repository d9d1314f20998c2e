//! A socket with or without TLS: it reads and writes plaintext, and reports how the stream ended.
//!
//! A read has the same four outcomes with and without TLS. The layers above decide whether an end without
//! `close_notify` matters, because only HTTP knows whether the message was complete (RFC 9112 §9.8).

use std::io;
use std::time::Duration;

use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::buffer::{BUFFER_BYTES, RecvBuffer};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;
#[cfg(feature = "server")]
use crate::transport::tls::ServerTlsOptions;
use crate::transport::tls::{TlsEnd, TlsInfo, TlsOptions, TlsSession};

/// Ciphertext that is read and decrypted at once, small enough to keep a time budget to some 50 µs.
const CIPHERTEXT_BYTES: usize = 64 * 1024;

/// Whether a connection uses TLS, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsChoice {
    Plain,
    Tls(TlsOptions),
}

/// The outcome of a read.
#[derive(Debug)]
pub(crate) enum LinkRead {
    Data(usize),
    /// Nothing is available now, or the budget is spent.
    Blocked,
    /// The peer ended the stream cleanly.
    Closed,
    /// The peer ended a TLS stream without `close_notify`. An attacker may have truncated it.
    Truncated,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    layer: Layer,
}

#[derive(Debug)]
enum Layer {
    Plain,
    Tls(Box<TlsLayer>),
}

impl Layer {
    fn over(session: TlsSession) -> Self {
        Self::Tls(Box::new(TlsLayer {
            session,
            out: Vec::new(),
            out_sent: 0,
            early: Vec::new(),
            dearest: Duration::ZERO,
            deferrals: 0,
        }))
    }
}

#[derive(Debug)]
struct TlsLayer {
    session: TlsSession,
    /// Ciphertext that the socket has not accepted yet.
    out: Vec<u8>,
    out_sent: usize,
    /// Plaintext that arrived together with the end of the handshake.
    early: Vec<u8>,
    /// The most expensive step of the handshake so far.
    dearest: Duration,
    /// How many polls in a row had too little time for the next step.
    deferrals: u8,
}

/// After this many deferrals, a handshake step is done however little time is left, so that no connection
/// starves.
const MAX_DEFERRALS: u8 = 8;

impl Link {
    pub(crate) fn plain(socket: Socket) -> Self {
        Self {
            socket,
            layer: Layer::Plain,
        }
    }

    /// Starts TLS as a client on a plain link. The handshake continues in [`handshake`](Self::handshake).
    pub(crate) fn start_tls(
        self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        options: &TlsOptions,
        host: &str,
    ) -> Result<Self, Box<(Self, Error)>> {
        let began = meter.now();
        let session = TlsSession::client(options, host);
        let took = meter.now().saturating_duration_since(began);
        reactor.handshakes.hello.learn(took);
        meter.note_work();
        match session {
            Ok(session) => Ok(Self {
                socket: self.socket,
                layer: Layer::over(session),
            }),
            Err(error) => Err(Box::new((self, error))),
        }
    }

    /// Starts TLS as a server on a plain link. The handshake continues in [`handshake`](Self::handshake).
    #[cfg(feature = "server")]
    pub(crate) fn accept_tls(
        socket: Socket,
        options: &ServerTlsOptions,
    ) -> Result<Self, (Socket, Error)> {
        match TlsSession::server(options) {
            Ok(session) => Ok(Self {
                socket,
                layer: Layer::over(session),
            }),
            Err(error) => Err((socket, error)),
        }
    }

    /// Drives the TLS handshake. Returns `true` when it is complete; without TLS, at once.
    pub(crate) fn handshake(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        match &mut self.layer {
            Layer::Plain => Ok(true),
            Layer::Tls(tls) => tls.handshake(&mut self.socket, reactor, meter),
        }
    }

    /// Reads, and appends the plaintext to `recv`.
    pub(crate) fn read(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        recv: &mut RecvBuffer,
    ) -> Result<LinkRead, Error> {
        match &mut self.layer {
            Layer::Plain => {
                let pool = reactor.pool().clone();
                let room = recv.room(&pool, BUFFER_BYTES / 2);
                let read = read_socket(&mut self.socket, reactor, meter, room);
                let count = match read {
                    Ok(LinkRead::Data(count)) => count,
                    _ => 0,
                };
                recv.filled(count, &pool);
                read
            }
            Layer::Tls(tls) => tls.read(&mut self.socket, reactor, meter, recv),
        }
    }

    /// Writes part of `src` and returns how many bytes; 0 when the socket is full or the budget is spent.
    pub(crate) fn write(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        src: &[u8],
    ) -> Result<usize, Error> {
        match &mut self.layer {
            Layer::Plain => write_socket(&mut self.socket, reactor, meter, src),
            Layer::Tls(tls) => {
                tls.transmit(&mut self.socket, reactor, meter)?;
                if !tls.out.is_empty() {
                    return Ok(0);
                }
                let taken = tls.session.write(src)?;
                tls.transmit(&mut self.socket, reactor, meter)?;
                Ok(taken)
            }
        }
    }

    /// Sends the ciphertext that is left. Returns `true` when the kernel has all of it.
    pub(crate) fn flush(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        match &mut self.layer {
            Layer::Plain => Ok(true),
            Layer::Tls(tls) => {
                tls.transmit(&mut self.socket, reactor, meter)?;
                Ok(tls.out.is_empty())
            }
        }
    }

    /// Whether TLS has ciphertext that the kernel does not have yet.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(&self.layer, Layer::Tls(tls) if !tls.out.is_empty() || tls.session.wants_transmit())
    }

    /// Whether a write may succeed, as of the last poll.
    #[cfg(feature = "server")]
    pub(crate) fn is_writable(&self, reactor: &mut Reactor) -> bool {
        self.socket.is_writable(reactor)
    }

    /// Limits the unsent bytes in the kernel, for event streams, whose events become outdated there.
    #[cfg(feature = "server")]
    pub(crate) fn limit_unsent(&self) {
        self.socket.limit_unsent();
    }

    /// Ciphertext that the socket has not accepted yet.
    #[cfg(feature = "server")]
    pub(crate) fn pending(&self) -> usize {
        match &self.layer {
            Layer::Plain => 0,
            Layer::Tls(tls) => tls.out.len() - tls.out_sent,
        }
    }

    /// Whether a read may find something, as of the last poll. No event reports bytes that TLS has already
    /// read from the socket.
    pub(crate) fn is_readable(&self, reactor: &mut Reactor) -> bool {
        let is_held = matches!(&self.layer, Layer::Tls(tls)
            if !tls.early.is_empty() || tls.session.end() != TlsEnd::Open);
        is_held || self.socket.is_readable(reactor)
    }

    /// Makes the next read ask the system, whatever the last poll found.
    pub(crate) fn assume_readable(&self, reactor: &mut Reactor) {
        self.socket.assume_readable(reactor);
    }

    /// Ends the sending direction: sends `close_notify` if the socket accepts it without waiting, then ends
    /// that direction of TCP.
    #[cfg(feature = "server")]
    pub(crate) fn shutdown_write(&mut self, reactor: &mut Reactor) {
        if let Layer::Tls(tls) = &mut self.layer {
            tls.session.close();
            tls.session.poll_transmit(&mut tls.out);
            let _ = self.socket.write(reactor, &tls.out[tls.out_sent..]);
            tls.out.clear();
            tls.out_sent = 0;
        }
        self.socket.shutdown_write();
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Facts about the TLS session, if there is one.
    pub(crate) fn tls_info(&self) -> Option<TlsInfo> {
        match &self.layer {
            Layer::Plain => None,
            Layer::Tls(tls) => tls.session.info(),
        }
    }

    /// Closes the link. Sends `close_notify` if the socket accepts it without waiting.
    pub(crate) fn close(mut self, reactor: &mut Reactor) {
        if let Layer::Tls(tls) = &mut self.layer {
            tls.session.close();
            tls.session.poll_transmit(&mut tls.out);
            // One attempt only: a peer whose window is full does not get it.
            let _ = self.socket.write(reactor, &tls.out[tls.out_sent..]);
        }
        self.socket.close(reactor);
    }

    /// Returns the socket of a plain link, or the unchanged link if it has TLS.
    pub(crate) fn into_socket(self) -> Result<Socket, Self> {
        match self.layer {
            Layer::Plain => Ok(self.socket),
            Layer::Tls(_) => Err(self),
        }
    }
}

fn read_socket(
    socket: &mut Socket,
    reactor: &mut Reactor,
    meter: &mut BudgetMeter,
    dst: &mut [u8],
) -> Result<LinkRead, Error> {
    let most = meter.clamp(dst.len());
    match socket.read(reactor, &mut dst[..most]) {
        Ok(0) => Ok(LinkRead::Closed),
        Ok(count) => {
            meter.spend(count);
            Ok(LinkRead::Data(count))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(LinkRead::Blocked),
        Err(error) => Err(broken(error)),
    }
}

fn write_socket(
    socket: &mut Socket,
    reactor: &mut Reactor,
    meter: &mut BudgetMeter,
    src: &[u8],
) -> Result<usize, Error> {
    if src.is_empty() {
        return Ok(0);
    }
    let most = meter.clamp(src.len());
    match socket.write(reactor, &src[..most]) {
        Ok(count) => {
            meter.spend(count);
            Ok(count)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> Error {
    Error::io(NetworkFault::Broken, error)
}

impl TlsLayer {
    /// Whether the peer's flight may be processed now. That step cannot be cut, so it starts only if enough
    /// time is left.
    fn may_go_on(
        &mut self,
        socket: &Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> bool {
        if !socket.is_readable(reactor)
            || self.deferrals >= MAX_DEFERRALS
            || meter.can_start(reactor.handshakes.flight.expected())
        {
            self.deferrals = 0;
            return true;
        }
        self.deferrals += 1;
        false
    }

    /// Sends ciphertext until all is sent, the socket is full or the budget is spent.
    fn transmit(
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

    fn handshake(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        loop {
            let sent = self.transmit(socket, reactor, meter);
            if !self.session.is_handshaking() {
                sent?;
                return Ok(true);
            }
            if !self.may_go_on(socket, reactor, meter) {
                sent?;
                return Ok(false);
            }
            // A peer that refuses the handshake may close early. Its alert says more than the error of the
            // write.
            let mut early = std::mem::take(&mut self.early);
            let began = meter.now();
            let received = self.receive(socket, reactor, meter, &mut early);
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
                    return Ok(false);
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
                return Ok(false);
            }
        }
    }

    fn read(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        recv: &mut RecvBuffer,
    ) -> Result<LinkRead, Error> {
        let pool = reactor.pool().clone();
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            let (count, ()) = recv.append(&pool, |buffer| buffer.extend_from_slice(&early));
            return Ok(LinkRead::Data(count));
        }
        let mut total = 0;
        loop {
            let (count, received) = recv.append(&pool, |plaintext| {
                self.receive(socket, reactor, meter, plaintext)
            });
            total += count;
            // TLS replies to key updates and alerts even when HTTP has nothing to send. If that fails, the
            // next read or write reports it.
            let _ = self.transmit(socket, reactor, meter);
            match received {
                // The next read reports the failure, after the data that came before it.
                _ if total > 0 && !matches!(received, Ok(LinkRead::Data(_))) => break,
                Ok(LinkRead::Data(_)) => {}
                other => return other,
            }
            if total + CIPHERTEXT_BYTES > BUFFER_BYTES || meter.exhausted() {
                break;
            }
        }
        Ok(if total > 0 {
            LinkRead::Data(total)
        } else {
            LinkRead::Blocked
        })
    }

    /// Reads ciphertext once and appends its plaintext, which may be empty.
    fn receive(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        plaintext: &mut Vec<u8>,
    ) -> Result<LinkRead, Error> {
        // Reports an earlier failure again.
        self.session.receive(&mut [], plaintext)?;
        match self.session.end() {
            TlsEnd::Open => {}
            TlsEnd::CloseNotify => return Ok(LinkRead::Closed),
            TlsEnd::Truncated => return Ok(LinkRead::Truncated),
        }
        let mut scratch = reactor.lend_scratch();
        let read = read_socket(socket, reactor, meter, &mut scratch[..CIPHERTEXT_BYTES]);
        let received = match read {
            Ok(LinkRead::Data(count)) => self
                .session
                .receive(&mut scratch[..count], plaintext)
                .map(|()| LinkRead::Data(count))
                .map_err(Error::from),
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
}
