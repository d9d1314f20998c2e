//! From a name to an established connection: name lookup, race of the addresses, tunnel, TLS.
//!
//! For a SOCKS5 proxy that needs an address there are two lookups. The lookup of the server's name comes
//! first, so that the status goes from resolving to connecting and never back.
//!
//! Each stage owns what it needs and passes it to the next. All stages may run in one poll.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::slice;
use std::time::Duration;

use url::Host;

use crate::clock::Instant;
use crate::connection::Config;
use crate::connection::status::Status;
use crate::connection::target::{Route, SocksProxy, Target, host_address};
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::phase::Phase;
use crate::proto::ResponseHead;
use crate::transport::happy_eyeballs::{Race, RaceStep};
use crate::transport::link::{Link, TlsChoice};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Lookup;
use crate::transport::socket::Socket;
use crate::transport::socks::{Socks, preferred_address};
use crate::transport::tunnel::Tunnel;

/// RFC 8305 §5 recommends 250 ms between the starts of two attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// A connection that is being established.
#[derive(Debug)]
pub(super) enum Connecting {
    /// Looking up the server's name, for a SOCKS5 proxy that gets an address.
    ResolvingForProxy(Lookup),
    /// Looking up the name of the first hop: the proxy, or the server without one.
    Resolving(Lookup, FarEnd),
    Racing(Attempts, FarEnd),
    Tunnelling(Link, Box<Tunnel>),
    NegotiatingSocks(Link, Box<Socks>),
    /// The connection to the server is open, and TLS has not begun.
    StartingTls(Link),
    Handshaking(Link),
}

/// The server's address, once this side has resolved it for a SOCKS5 proxy.
type FarEnd = Option<IpAddr>;

/// The outcome of one step.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing can be done now.
    Waiting(Connecting),
    /// The next stage, which may run at once.
    Next(Connecting),
    Established(Link),
    Failed(Status, Phase, Error),
}

/// The attempts of one race (RFC 8305).
#[derive(Debug)]
pub(super) struct Attempts {
    race: Race,
    sockets: Vec<Socket>,
    /// The addresses of `sockets`, in the same order.
    addresses: Vec<SocketAddr>,
    failures: Failures,
}

/// The attempts that failed: the source of [`NetworkFault::ConnectFailed`].
#[derive(Debug, Default)]
struct Failures {
    count: usize,
    last: Option<(SocketAddr, io::Error)>,
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

impl Connecting {
    /// Begins with a lookup for a name, or with the race for an address.
    pub(super) fn begin(
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
    ) -> Result<Self, Error> {
        match (&target.route, &target.host) {
            (Route::Socks(proxy), host) if !proxy.resolves_remotely => match host {
                Host::Domain(name) => reactor.lookup(name).map(Self::ResolvingForProxy),
                Host::Ipv4(_) | Host::Ipv6(_) => {
                    judged(host_address(host).as_slice(), config)?;
                    Self::begin_first_hop(reactor, target, config, None)
                }
            },
            _ => Self::begin_first_hop(reactor, target, config, None),
        }
    }

    fn begin_first_hop(
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
        far_end: FarEnd,
    ) -> Result<Self, Error> {
        let (host, port) = target.first_hop();
        match (host_address(host), host) {
            (None, Host::Domain(name)) => {
                let lookup = reactor.lookup(name)?;
                Ok(Self::Resolving(lookup, far_end))
            }
            (address, _) => {
                let allowed = allowed(address.as_slice(), target, config)?;
                Ok(Self::Racing(Attempts::new(&allowed, port), far_end))
            }
        }
    }

    /// Its sockets: one for each attempt, or the winner.
    pub(super) fn sockets_mut(&mut self) -> &mut [Socket] {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => &mut [],
            Self::Racing(attempts, _) => &mut attempts.sockets,
            Self::Tunnelling(link, _)
            | Self::NegotiatingSocks(link, _)
            | Self::StartingTls(link)
            | Self::Handshaking(link) => slice::from_mut(link.socket_mut()),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Status::Resolving,
            Self::Racing(..)
            | Self::Tunnelling(..)
            | Self::NegotiatingSocks(..)
            | Self::StartingTls(_)
            | Self::Handshaking(_) => Status::Connecting,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Phase::Resolve,
            Self::Racing(..) => Phase::Connect,
            Self::Tunnelling(..) | Self::NegotiatingSocks(..) => Phase::Tunnel,
            Self::StartingTls(_) | Self::Handshaking(_) => Phase::TlsHandshake,
        }
    }

    /// The status after a failure or timeout in this stage.
    pub(super) fn failed_status(&self) -> Status {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Status::CantResolve,
            Self::Racing(..) | Self::Tunnelling(..) | Self::NegotiatingSocks(..) => {
                Status::CantConnect
            }
            Self::StartingTls(_) | Self::Handshaking(_) => Status::TlsHandshakeError,
        }
    }

    /// Takes one step. The proxy's responses go to `heads`.
    pub(super) fn step(
        self,
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
        now: Instant,
        meter: &mut BudgetMeter,
        heads: &mut VecDeque<ResponseHead>,
    ) -> Step {
        let (status, phase) = (self.failed_status(), self.phase());
        match self {
            Self::ResolvingForProxy(lookup) => match lookup.poll(now) {
                None => Step::Waiting(Self::ResolvingForProxy(lookup)),
                Some(Ok(addresses)) => {
                    let next = judged(&addresses, config).and_then(|allowed| {
                        let far_end = preferred_address(&allowed);
                        Self::begin_first_hop(reactor, target, config, far_end)
                    });
                    match next {
                        Ok(next) => Step::Next(next),
                        Err(error) => Step::Failed(status, phase, error),
                    }
                }
                Some(Err(error)) => Step::Failed(status, phase, error),
            },
            Self::Resolving(lookup, far_end) => match lookup.poll(now) {
                None => Step::Waiting(Self::Resolving(lookup, far_end)),
                Some(Ok(addresses)) => {
                    let (_, port) = target.first_hop();
                    match allowed(&addresses, target, config) {
                        Ok(allowed) => {
                            Step::Next(Self::Racing(Attempts::new(&allowed, port), far_end))
                        }
                        Err(error) => Step::Failed(status, phase, error),
                    }
                }
                Some(Err(error)) => Step::Failed(status, phase, error),
            },
            Self::Racing(mut attempts, far_end) => match attempts.drive(reactor, now, meter) {
                Ok(Some(socket)) => {
                    after_connect(Link::plain(socket), reactor, target, config, far_end)
                }
                Ok(None) => Step::Waiting(Self::Racing(attempts, far_end)),
                Err(error) => {
                    attempts.close(reactor);
                    Step::Failed(status, phase, error)
                }
            },
            Self::Tunnelling(mut link, mut tunnel) => {
                match tunnel.drive(&mut link, reactor, meter, heads) {
                    Ok(true) => after_tunnel(link, target),
                    Ok(false) => Step::Waiting(Self::Tunnelling(link, tunnel)),
                    Err(error) => {
                        link.close(reactor);
                        Step::Failed(status, phase, error)
                    }
                }
            }
            Self::NegotiatingSocks(mut link, mut socks) => {
                match socks.drive(&mut link, reactor, meter) {
                    Ok(true) => after_tunnel(link, target),
                    Ok(false) => Step::Waiting(Self::NegotiatingSocks(link, socks)),
                    Err(error) => {
                        link.close(reactor);
                        Step::Failed(status, phase, error)
                    }
                }
            }
            Self::StartingTls(link) => greet(link, reactor, target, meter),
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

    /// When something is due without an event, apart from deadlines.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::ResolvingForProxy(lookup) | Self::Resolving(lookup, _) => lookup.due(),
            Self::Racing(attempts, _) => attempts.race.due(),
            Self::Tunnelling(..)
            | Self::NegotiatingSocks(..)
            | Self::StartingTls(_)
            | Self::Handshaking(_) => None,
        }
    }

    pub(super) fn close(self, reactor: &mut Reactor) {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => {}
            Self::Racing(attempts, _) => attempts.close(reactor),
            Self::Tunnelling(link, _)
            | Self::NegotiatingSocks(link, _)
            | Self::StartingTls(link)
            | Self::Handshaking(link) => link.close(reactor),
        }
    }
}

/// The addresses of the first hop that the filter permits. A proxy is always permitted, because the caller
/// chose it. The address to which the proxy connects is known only if this side resolves the name for it.
fn allowed(addresses: &[IpAddr], target: &Target, config: &Config) -> Result<Vec<IpAddr>, Error> {
    match target.route {
        Route::Direct => judged(addresses, config),
        Route::Forward(_) | Route::Tunnel(_) | Route::Socks(_) => Ok(addresses.to_vec()),
    }
}

/// The addresses that the filter permits. It is an error if there are addresses but none is permitted.
fn judged(addresses: &[IpAddr], config: &Config) -> Result<Vec<IpAddr>, Error> {
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

fn after_connect(
    link: Link,
    reactor: &mut Reactor,
    target: &Target,
    config: &Config,
    far_end: FarEnd,
) -> Step {
    let begun = match &target.route {
        Route::Direct | Route::Forward(_) => return after_tunnel(link, target),
        Route::Tunnel(_) => ask_for_tunnel(target, config).map(Asked::Tunnel),
        Route::Socks(proxy) => ask_socks(target, proxy, far_end).map(Asked::Socks),
    };
    match begun {
        Ok(Asked::Tunnel(tunnel)) => Step::Next(Connecting::Tunnelling(link, tunnel)),
        Ok(Asked::Socks(socks)) => Step::Next(Connecting::NegotiatingSocks(link, socks)),
        Err(error) => {
            link.close(reactor);
            Step::Failed(Status::CantConnect, Phase::Tunnel, error)
        }
    }
}

/// What the proxy is asked for.
enum Asked {
    Tunnel(Box<Tunnel>),
    Socks(Box<Socks>),
}

fn ask_for_tunnel(target: &Target, config: &Config) -> Result<Box<Tunnel>, Error> {
    let tunnel = Tunnel::new(
        &target.host_and_port(),
        &config.user_agent,
        config.proxy_authorization.as_deref(),
        &config.limits,
    )?;
    Ok(Box::new(tunnel))
}

fn ask_socks(target: &Target, proxy: &SocksProxy, far_end: FarEnd) -> Result<Box<Socks>, Error> {
    let resolved = far_end.map(|address| match address {
        IpAddr::V4(address) => Host::Ipv4(address),
        IpAddr::V6(address) => Host::Ipv6(address),
    });
    let credentials = proxy.credentials.as_ref();
    let socks = Socks::new(
        resolved.as_ref().unwrap_or(&target.host),
        target.port,
        credentials.map(|(name, password)| (name.as_str(), password.as_str())),
    )?;
    Ok(Box::new(socks))
}

fn after_tunnel(link: Link, target: &Target) -> Step {
    match &target.tls {
        TlsChoice::Plain => Step::Established(link),
        TlsChoice::Tls(_) => Step::Next(Connecting::StartingTls(link)),
    }
}

/// Begins TLS if the budget permits it: generating the keys is expensive.
fn greet(link: Link, reactor: &mut Reactor, target: &Target, meter: &mut BudgetMeter) -> Step {
    let TlsChoice::Tls(options) = &target.tls else {
        return Step::Established(link);
    };
    if !meter.can_start(reactor.handshakes.hello.expected()) {
        return Step::Waiting(Connecting::StartingTls(link));
    }
    match link.start_tls(reactor, meter, options, &target.host.to_string()) {
        Ok(link) => Step::Next(Connecting::Handshaking(link)),
        Err(failed) => {
            let (link, error) = *failed;
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
            addresses: Vec::new(),
            failures: Failures::default(),
        }
    }

    /// Starts the attempts that are due, and returns the first socket that is connected.
    fn drive(
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
                    return Err(Error::new(ErrorKind::Network(NetworkFault::ConnectFailed))
                        .with_source(mem::take(&mut self.failures)));
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
        self.failures.count += 1;
        self.failures.last = Some((address, error));
        self.race.failed();
    }

    fn close(self, reactor: &mut Reactor) {
        for socket in self.sockets {
            socket.close(reactor);
        }
    }
}

#[cfg(all(test, feature = "agent"))]
mod tests;
