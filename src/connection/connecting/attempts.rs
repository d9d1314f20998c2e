//! The attempts to connect to one of several addresses: a socket for each, and the first that connects wins
//! (RFC 8305). Which address is next, and when, is `transport::happy_eyeballs`.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::clock::Instant;
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::happy_eyeballs::{Race, RaceStep};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::socket::Socket;

/// RFC 8305 §5 recommends 250 ms between the starts of two attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// The attempts of one race (RFC 8305).
#[derive(Debug)]
pub(in crate::connection) struct Attempts {
    pub(super) race: Race,
    pub(super) sockets: Vec<Socket>,
    /// The addresses of `sockets`, in the same order.
    addresses: Vec<SocketAddr>,
    failures: Failures,
}

/// The attempts that failed: the source of [`NetworkFault::ConnectFailed`].
#[derive(Debug, Default)]
struct Failures {
    count: usize,
    /// How many of them did not reach the network, because of this machine.
    local: usize,
    last: Option<(SocketAddr, io::Error)>,
}

impl Failures {
    fn note(&mut self, address: SocketAddr, error: io::Error) {
        self.count += 1;
        self.local += usize::from(is_local(&error));
        self.last = Some((address, error));
    }

    /// Without a free file descriptor or port no server was asked, so none is to blame.
    fn fault(&self) -> NetworkFault {
        let last = self.last.as_ref().map(|(_, error)| error);
        if last.is_some_and(lacks_descriptor) || self.count > 0 && self.local == self.count {
            NetworkFault::System
        } else {
            NetworkFault::ConnectFailed
        }
    }
}

/// Whether the process has no file descriptor left.
fn lacks_descriptor(error: &io::Error) -> bool {
    // EMFILE and ENFILE; WSAEMFILE.
    const CODES: &[i32] = if cfg!(windows) { &[10024] } else { &[23, 24] };
    error
        .raw_os_error()
        .is_some_and(|code| CODES.contains(&code))
}

/// Whether a connection attempt failed before anything was sent: without a file descriptor, or without a free
/// port. On Unix that error also means that this machine has no address of the family.
fn is_local(error: &io::Error) -> bool {
    // WSAENOBUFS. WSAEADDRNOTAVAIL says that the server's address is invalid.
    const NO_PORT: i32 = 10055;
    lacks_descriptor(error)
        || match cfg!(windows) {
            true => error.raw_os_error() == Some(NO_PORT),
            false => error.kind() == io::ErrorKind::AddrNotAvailable,
        }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            None => f.write_str("the host has no address that may be used"),
            Some((address, error)) if self.count == 1 => write!(f, "{address}: {error}"),
            Some((address, error)) => write!(
                f,
                "all {} addresses failed, the last was {address}: {error}",
                self.count
            ),
        }
    }
}

impl StdError for Failures {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.last.as_ref().map(|(_, error)| error as _)
    }
}

impl Attempts {
    pub(super) fn new(addresses: &[IpAddr], port: u16) -> Self {
        Self {
            race: Race::new(addresses, port, STAGGER),
            sockets: Vec::new(),
            addresses: Vec::new(),
            failures: Failures::default(),
        }
    }

    /// Starts the attempts that are due, and returns the first socket that is connected.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor,
        now: Instant,
        meter: &mut BudgetMeter,
    ) -> Result<Option<Socket>, Error> {
        loop {
            if let Some(winner) = self.first_connected(reactor) {
                for loser in self.sockets.drain(..) {
                    loser.close(reactor);
                }
                return Ok(Some(winner));
            }
            match self.race.next(now) {
                RaceStep::Start(address) => {
                    self.start(reactor, address);
                    meter.note_work();
                }
                RaceStep::WaitUntil(_) => return Ok(None),
                RaceStep::Exhausted if !self.sockets.is_empty() => return Ok(None),
                RaceStep::Exhausted => {
                    let failures = mem::take(&mut self.failures);
                    return Err(
                        Error::new(ErrorKind::Network(failures.fault())).with_source(failures)
                    );
                }
            }
        }
    }

    fn start(&mut self, reactor: &mut Reactor, address: SocketAddr) {
        match Socket::connect(reactor, address) {
            Ok(socket) => {
                self.sockets.push(socket);
                self.addresses.push(address);
            }
            Err(error) => self.note_failure(address, error),
        }
    }

    fn first_connected(&mut self, reactor: &mut Reactor) -> Option<Socket> {
        let mut index = 0;
        while index < self.sockets.len() {
            match self.sockets[index].poll_connected(reactor) {
                Ok(true) => return Some(self.sockets.remove(index)),
                Ok(false) => index += 1,
                Err(error) => {
                    let address = self.addresses.remove(index);
                    self.sockets.remove(index).close(reactor);
                    self.note_failure(address, error);
                }
            }
        }
        None
    }

    fn note_failure(&mut self, address: SocketAddr, error: io::Error) {
        self.failures.note(address, error);
        self.race.failed();
    }

    pub(super) fn close(self, reactor: &mut Reactor) {
        for socket in self.sockets {
            socket.close(reactor);
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_at_fault_when_no_attempt_reached_the_network() {
        let address: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let no_descriptor = || io::Error::from_raw_os_error(24);
        let no_port = || io::ErrorKind::AddrNotAvailable.into();
        let refused = || io::ErrorKind::ConnectionRefused.into();
        for (errors, fault) in [
            (vec![], NetworkFault::ConnectFailed),
            (vec![no_descriptor()], NetworkFault::System),
            (vec![no_port()], NetworkFault::System),
            (vec![no_port(), no_descriptor()], NetworkFault::System),
            (vec![refused()], NetworkFault::ConnectFailed),
            // One address has no route, as IPv6 on many machines; the other was asked.
            (vec![no_port(), refused()], NetworkFault::ConnectFailed),
            (vec![refused(), no_port()], NetworkFault::ConnectFailed),
        ] {
            let mut failures = Failures::default();
            let shown = format!("{errors:?}");
            for error in errors {
                failures.note(address, error);
            }
            assert_eq!(failures.fault(), fault, "{shown}");
        }
    }
}
