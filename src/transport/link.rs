//! A socket with or without TLS: it reads and writes plaintext, and reports how the stream ended.
//!
//! A read has the same four outcomes with and without TLS. The layers above decide whether an end without
//! `close_notify` matters, because only HTTP knows whether the message was complete (RFC 9112 §9.8).
//!
//! `socket_io` reads and writes a socket within the budget; `tls_layer` does so through TLS;
//! `verifying` waits while a thread has the TLS session.

mod socket_io;
mod tls_layer;
mod verifying;

use std::mem;

use self::socket_io::{read_socket, write_socket};
use self::tls_layer::{Handshake, TlsLayer};
use self::verifying::Verifying;
use crate::error::Error;
use crate::transport::buffer::{BUFFER_BYTES, RecvBuffer};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;
#[cfg(feature = "server")]
use crate::transport::tls::ServerTlsOptions;
use crate::transport::tls::{TlsInfo, TlsOptions, TlsSession};

pub(crate) use self::socket_io::LinkRead;

/// Whether a connection uses TLS, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsChoice {
    Plain,
    Tls(TlsOptions),
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
    /// A thread has the session.
    Verifying(Box<Verifying>),
}

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
                layer: Layer::Tls(Box::new(TlsLayer::new(session))),
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
                layer: Layer::Tls(Box::new(TlsLayer::new(session))),
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
        loop {
            match &mut self.layer {
                Layer::Plain => return Ok(true),
                Layer::Tls(tls) => match tls.handshake(&mut self.socket, reactor, meter)? {
                    Handshake::Done => return Ok(true),
                    Handshake::Waiting => return Ok(false),
                    Handshake::HandOver(ciphertext) => self.hand_over(reactor, ciphertext)?,
                },
                Layer::Verifying(verifying) => {
                    let Some(stepped) = verifying.poll(&mut self.socket, reactor, meter)? else {
                        return Ok(false);
                    };
                    let out = mem::take(&mut verifying.out);
                    let sent = verifying.out_sent;
                    let mut tls = TlsLayer::back(stepped.session, stepped.plaintext, out, sent);
                    if stepped.result.is_err() {
                        // Tries to send the alert with the reason.
                        let _ = tls.transmit(&mut self.socket, reactor, meter);
                    }
                    self.layer = Layer::Tls(Box::new(tls));
                    stepped.result?;
                }
            }
        }
    }

    /// Gives the session to a thread.
    #[cfg_attr(
        any(not(feature = "tls"), target_family = "wasm"),
        expect(
            unreachable_code,
            unused_variables,
            reason = "without the feature no session exists"
        )
    )]
    fn hand_over(&mut self, reactor: &mut Reactor, ciphertext: Vec<u8>) -> Result<(), Error> {
        let wake = reactor.wake()?;
        match mem::replace(&mut self.layer, Layer::Plain) {
            Layer::Tls(tls) => {
                let (session, early, out, sent) = tls.into_parts();
                let verifying = Verifying::start(session, ciphertext, early, wake)?;
                self.layer = Layer::Verifying(Box::new(verifying.with_unsent(out, sent)));
            }
            layer => self.layer = layer,
        }
        Ok(())
    }

    /// Whether the handshake waits for the verifier of certificates, and not for the peer.
    pub(crate) fn awaits_verifier(&self) -> bool {
        matches!(self.layer, Layer::Verifying(_))
    }

    /// Reads, and appends the plaintext to `recv`.
    pub(crate) fn read(
        &mut self,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
        recv: &mut RecvBuffer,
    ) -> Result<LinkRead, Error> {
        match &mut self.layer {
            // Without this, a buffer would be taken for nothing.
            Layer::Plain if !self.socket.is_readable(reactor) => Ok(LinkRead::Blocked),
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
            Layer::Verifying(_) => Ok(LinkRead::Blocked),
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
            Layer::Tls(tls) => tls.write(&mut self.socket, reactor, meter, src),
            Layer::Verifying(_) => Ok(0),
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
                Ok(!tls.has_unsent())
            }
            Layer::Verifying(_) => Ok(false),
        }
    }

    /// Whether TLS has ciphertext that the kernel does not have yet.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(&self.layer, Layer::Tls(tls) if tls.has_unsent())
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
            Layer::Plain | Layer::Verifying(_) => 0,
            Layer::Tls(tls) => tls.unsent(),
        }
    }

    /// Whether a read may find something, as of the last poll. No event reports bytes that TLS has already
    /// read from the socket.
    pub(crate) fn is_readable(&self, reactor: &mut Reactor) -> bool {
        let is_held = matches!(&self.layer, Layer::Tls(tls) if tls.is_readable());
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
            tls.close(&mut self.socket, reactor);
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
            Layer::Plain | Layer::Verifying(_) => None,
            Layer::Tls(tls) => tls.info(),
        }
    }

    /// Closes the link. Sends `close_notify` if the socket accepts it without waiting.
    pub(crate) fn close(mut self, reactor: &mut Reactor) {
        if let Layer::Tls(tls) = &mut self.layer {
            tls.close(&mut self.socket, reactor);
        }
        self.socket.close(reactor);
    }

    /// Returns the socket of a plain link; `None` if it has TLS.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        match self.layer {
            Layer::Plain => Some(self.socket),
            Layer::Tls(_) | Layer::Verifying(_) => None,
        }
    }
}
