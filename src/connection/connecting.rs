//! From a name to an established connection: resolve, race the addresses, tunnel, TLS.
//!
//! Each stage owns what it needs and hands it to the next; the whole chain may run in one poll.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use url::Host;

use crate::connection::Config;
use crate::connection::status::Status;
use crate::connection::target::{Route, Target, host_address};
use crate::error::{Error, NetworkFault};
use crate::phase::Phase;
use crate::transport::happy_eyeballs::{Race, RaceStep};
use crate::transport::link::{Link, TlsChoice};
use crate::transport::meter::Meter;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Lookup;
use crate::transport::socket::Socket;
use crate::transport::tunnel::Tunnel;

/// RFC 8305 §5 recommends 250 ms between the starts of two attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// A connection in the making.
#[derive(Debug)]
pub(super) enum Connecting {
    Resolving(Lookup),
    Racing(Attempts),
    Tunnelling(Link, Box<Tunnel>),
    Handshaking(Link),
}

/// Where one step led.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing to do now.
    Waiting(Connecting),
    /// The next stage; it may go on at once.
    Next(Connecting),
    Established(Link),
    Failed(Status, Phase, Error),
}

/// The attempts of one race (RFC 8305).
#[derive(Debug)]
pub(super) struct Attempts {
    race: Race,
    sockets: Vec<Socket>,
    last_error: Option<io::Error>,
}

impl Connecting {
    /// Begins: with a lookup for a name, with the race for an address.
    pub(super) fn begin(
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
    ) -> Result<Self, Error> {
        let (host, port) = target.first_hop();
        match (host_address(host), host) {
            (Some(address), _) => {
                let allowed = allowed(&[address], target, config)?;
                Ok(Self::Racing(Attempts::new(&allowed, port)))
            }
            (None, Host::Domain(name)) => reactor.lookup(name).map(Self::Resolving),
            (None, _) => Ok(Self::Racing(Attempts::new(&[], port))),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Resolving(_) => Status::Resolving,
            Self::Racing(_) | Self::Tunnelling(..) | Self::Handshaking(_) => Status::Connecting,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Resolving(_) => Phase::Resolve,
            Self::Racing(_) => Phase::Connect,
            Self::Tunnelling(..) => Phase::Tunnel,
            Self::Handshaking(_) => Phase::TlsHandshake,
        }
    }

    /// The status that a failure or timeout in this stage leads to.
    pub(super) fn failed_status(&self) -> Status {
        match self {
            Self::Resolving(_) => Status::CantResolve,
            Self::Racing(_) | Self::Tunnelling(..) => Status::CantConnect,
            Self::Handshaking(_) => Status::TlsHandshakeError,
        }
    }

    /// Takes one step.
    pub(super) fn step(
        self,
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
        now: Instant,
        meter: &mut Meter,
    ) -> Step {
        let (status, phase) = (self.failed_status(), self.phase());
        match self {
            Self::Resolving(lookup) => match lookup.poll(now) {
                None => Step::Waiting(Self::Resolving(lookup)),
                Some(Ok(addresses)) => {
                    let (_, port) = target.first_hop();
                    match allowed(&addresses, target, config) {
                        Ok(allowed) => Step::Next(Self::Racing(Attempts::new(&allowed, port))),
                        Err(error) => Step::Failed(status, phase, error),
                    }
                }
                Some(Err(error)) => Step::Failed(status, phase, error),
            },
            Self::Racing(mut attempts) => match attempts.drive(reactor, now) {
                Ok(Some(socket)) => after_connect(Link::plain(socket), reactor, target, config),
                Ok(None) => Step::Waiting(Self::Racing(attempts)),
                Err(error) => {
                    attempts.close(reactor);
                    Step::Failed(status, phase, error)
                }
            },
            Self::Tunnelling(mut link, mut tunnel) => {
                match tunnel.drive(&mut link, reactor, meter) {
                    Ok(true) => after_tunnel(link, reactor, target),
                    Ok(false) => Step::Waiting(Self::Tunnelling(link, tunnel)),
                    Err(error) => {
                        link.close(reactor);
                        Step::Failed(status, phase, error)
                    }
                }
            }
            Self::Handshaking(mut link) => match link.handshake(reactor, meter) {
                Ok(true) => Step::Established(link),
                Ok(false) => Step::Waiting(Self::Handshaking(link)),
                Err(error) => {
                    link.close(reactor);
                    Step::Failed(status, phase, error)
                }
            },
        }
    }

    /// When something is due by itself, deadlines aside.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Resolving(lookup) => lookup.due(),
            Self::Racing(attempts) => attempts.race.due(),
            Self::Tunnelling(..) | Self::Handshaking(_) => None,
        }
    }

    pub(super) fn close(self, reactor: &mut Reactor) {
        match self {
            Self::Resolving(_) => {}
            Self::Racing(attempts) => attempts.close(reactor),
            Self::Tunnelling(link, _) | Self::Handshaking(link) => link.close(reactor),
        }
    }
}

/// The addresses that the connection may go to; an error when there are some but none may be. A proxy
/// is the caller's own choice, and what it connects to is out of sight here.
fn allowed(addresses: &[IpAddr], target: &Target, config: &Config) -> Result<Vec<IpAddr>, Error> {
    if !matches!(target.route, Route::Direct) {
        return Ok(addresses.to_vec());
    }
    let mut refusal = None;
    let allowed: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| match config.addresses.check(*address) {
            Ok(()) => true,
            Err(error) => {
                refusal = Some(error);
                false
            }
        })
        .collect();
    match refusal {
        Some(error) if allowed.is_empty() => Err(error),
        Some(_) | None => Ok(allowed),
    }
}

fn after_connect(link: Link, reactor: &mut Reactor, target: &Target, config: &Config) -> Step {
    let Route::Tunnel(_) = target.route else {
        return after_tunnel(link, reactor, target);
    };
    let tunnel = Tunnel::new(
        &target.host_and_port(),
        &config.user_agent,
        config.proxy_authorization.as_deref(),
        &config.limits,
    );
    match tunnel {
        Ok(tunnel) => Step::Next(Connecting::Tunnelling(link, Box::new(tunnel))),
        Err(error) => {
            link.close(reactor);
            Step::Failed(Status::CantConnect, Phase::Tunnel, error)
        }
    }
}

fn after_tunnel(link: Link, reactor: &mut Reactor, target: &Target) -> Step {
    let TlsChoice::Tls(options) = &target.tls else {
        return Step::Established(link);
    };
    match link.start_tls(options, &target.host.to_string()) {
        Ok(link) => Step::Next(Connecting::Handshaking(link)),
        Err((link, error)) => {
            link.close(reactor);
            Step::Failed(Status::TlsHandshakeError, Phase::TlsHandshake, error)
        }
    }
}

impl Attempts {
    fn new(addresses: &[IpAddr], port: u16) -> Self {
        Self {
            race: Race::new(addresses, port, STAGGER),
            sockets: Vec::new(),
            last_error: None,
        }
    }

    /// Starts what may start and answers the first socket that is connected.
    fn drive(&mut self, reactor: &mut Reactor, now: Instant) -> Result<Option<Socket>, Error> {
        loop {
            if let Some(winner) = self.first_connected(reactor) {
                for loser in self.sockets.drain(..) {
                    loser.close(reactor);
                }
                return Ok(Some(winner));
            }
            match self.race.next(now) {
                RaceStep::Start(address) => self.start(reactor, address),
                RaceStep::WaitUntil(_) => return Ok(None),
                RaceStep::Exhausted if !self.sockets.is_empty() => return Ok(None),
                RaceStep::Exhausted => {
                    let error = self.last_error.take();
                    return Err(Error::io(
                        NetworkFault::ConnectFailed,
                        error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()),
                    ));
                }
            }
        }
    }

    fn start(&mut self, reactor: &mut Reactor, address: SocketAddr) {
        match Socket::connect(reactor, address) {
            Ok(socket) => self.sockets.push(socket),
            Err(error) => self.note_failure(error),
        }
    }

    fn first_connected(&mut self, reactor: &mut Reactor) -> Option<Socket> {
        let mut index = 0;
        while index < self.sockets.len() {
            match self.sockets[index].poll_connected(reactor) {
                Ok(true) => return Some(self.sockets.swap_remove(index)),
                Ok(false) => index += 1,
                Err(error) => {
                    self.sockets.remove(index).close(reactor);
                    self.note_failure(error);
                }
            }
        }
        None
    }

    fn note_failure(&mut self, error: io::Error) {
        self.last_error = Some(error);
        self.race.failed();
    }

    fn close(self, reactor: &mut Reactor) {
        for socket in self.sockets {
            socket.close(reactor);
        }
    }
}
