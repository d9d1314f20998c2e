//! A handshake whose session is with a thread, because the verifier of certificates may wait. Meanwhile nothing is
//! read, so that a peer cannot fill memory.

use super::socket_io::write_socket;
use crate::error::Error;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;
use crate::transport::tls::{HandshakeStep, Stepped, TlsSession};
use crate::transport::wake::Wake;

#[derive(Debug)]
pub(super) struct Verifying {
    step: HandshakeStep,
    /// Ciphertext that the socket has not accepted yet.
    pub(super) out: Vec<u8>,
    pub(super) out_sent: usize,
}

impl Verifying {
    pub(super) fn start(
        session: TlsSession,
        ciphertext: Vec<u8>,
        early: Vec<u8>,
        wake: Wake,
    ) -> Result<Self, Error> {
        Ok(Self {
            step: HandshakeStep::start(session, ciphertext, early, wake)?,
            out: Vec::new(),
            out_sent: 0,
        })
    }

    pub(super) fn with_unsent(self, out: Vec<u8>, out_sent: usize) -> Self {
        Self {
            out,
            out_sent,
            ..self
        }
    }

    /// Sends what is unsent, and returns the session when the thread is done with it.
    pub(super) fn poll(
        &mut self,
        socket: &mut Socket,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<Option<Stepped>, Error> {
        let unsent = self.out.get(self.out_sent..).unwrap_or_default();
        self.out_sent += write_socket(socket, reactor, meter, unsent)?;
        self.step.poll()
    }
}
