//! From a name to an established connection: name lookup, race of the addresses, tunnel, TLS.
//!
//! For a SOCKS5 proxy that needs an address there are two lookups. The lookup of the server's name comes
//! first, so that the status goes from resolving to connecting and never back.
//!
//! Each stage owns what it needs and passes it to the next. All stages may run in one poll.

mod attempts;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::slice;

use url::Host;

use self::attempts::Attempts;
use crate::clock::Instant;
use crate::connection::Config;
use crate::connection::established::Established;
#[cfg(target_family = "wasm")]
use crate::connection::established::FetchConnection;
use crate::connection::status::Status;
use crate::connection::target::{Route, SocksProxy, Target, host_address};
use crate::error::Error;
#[cfg(target_family = "wasm")]
use crate::error::Misuse;
use crate::phase::Phase;
use crate::proto::ResponseHead;
use crate::transport::cost::Deferrals;
use crate::transport::link::{Link, TlsChoice};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Lookup;
use crate::transport::socket::Socket;
use crate::transport::socks::{Socks, preferred_address};
use crate::transport::tunnel::Tunnel;

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
    StartingTls(Link, Deferrals),
    Handshaking(Link),
    /// The browser connects when it gets the first request.
    #[cfg(target_family = "wasm")]
    Browser,
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
    Established(Box<Established>),
    Failed(Status, Phase, Error),
}

impl Connecting {
    /// Begins with a lookup for a name, or with the race for an address.
    pub(super) fn begin(
        reactor: &mut Reactor,
        target: &Target,
        config: &Config,
    ) -> Result<Self, Error> {
        #[cfg(target_family = "wasm")]
        if reactor.network().is_none() {
            return match target.route {
                Route::Direct => Ok(Self::Browser),
                Route::Forward(_) | Route::Tunnel(_) | Route::Socks(_) => {
                    Err(Misuse::NotOnWeb("proxies").into())
                }
            };
        }
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
            #[cfg(target_family = "wasm")]
            Self::Browser => &mut [],
            Self::Racing(attempts, _) => &mut attempts.sockets,
            Self::Tunnelling(link, _)
            | Self::NegotiatingSocks(link, _)
            | Self::StartingTls(link, _)
            | Self::Handshaking(link) => slice::from_mut(link.socket_mut()),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Status::Resolving,
            Self::Racing(..)
            | Self::Tunnelling(..)
            | Self::NegotiatingSocks(..)
            | Self::StartingTls(..)
            | Self::Handshaking(_) => Status::Connecting,
            #[cfg(target_family = "wasm")]
            Self::Browser => Status::Connecting,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Phase::Resolve,
            Self::Racing(..) => Phase::Connect,
            #[cfg(target_family = "wasm")]
            Self::Browser => Phase::Connect,
            Self::Tunnelling(..) | Self::NegotiatingSocks(..) => Phase::Tunnel,
            Self::StartingTls(..) | Self::Handshaking(_) => Phase::TlsHandshake,
        }
    }

    /// Whether the server's name is looked up, before the proxy is asked.
    pub(super) fn precedes_proxy(&self) -> bool {
        matches!(self, Self::ResolvingForProxy(_))
    }

    /// Whether the TLS handshake waits for the verifier of certificates, and not for the peer.
    pub(super) fn awaits_verifier(&self) -> bool {
        matches!(self, Self::Handshaking(link) if link.awaits_verifier())
    }

    /// Whether it may go on without an event of a socket and before anything is due: another thread looks a name
    /// up or verifies a certificate.
    #[cfg(feature = "agent")]
    pub(super) fn awaits_thread(&self) -> bool {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => true,
            #[cfg(target_family = "wasm")]
            Self::Browser => true,
            _ => self.awaits_verifier(),
        }
    }

    /// The status after a failure or timeout in this stage.
    pub(super) fn failed_status(&self) -> Status {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => Status::CantResolve,
            Self::Racing(..) | Self::Tunnelling(..) | Self::NegotiatingSocks(..) => {
                Status::CantConnect
            }
            Self::StartingTls(..) | Self::Handshaking(_) => Status::TlsHandshakeError,
            #[cfg(target_family = "wasm")]
            Self::Browser => Status::CantConnect,
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
                    Ok(true) => after_tunnel(link, target, config),
                    Ok(false) => Step::Waiting(Self::Tunnelling(link, tunnel)),
                    Err(error) => {
                        link.close(reactor);
                        Step::Failed(status, phase, error)
                    }
                }
            }
            Self::NegotiatingSocks(mut link, mut socks) => {
                match socks.drive(&mut link, reactor, meter) {
                    Ok(true) => after_tunnel(link, target, config),
                    Ok(false) => Step::Waiting(Self::NegotiatingSocks(link, socks)),
                    Err(error) => {
                        link.close(reactor);
                        Step::Failed(status, phase, error)
                    }
                }
            }
            #[cfg(target_family = "wasm")]
            Self::Browser => Step::Established(Box::new(Established::Fetch(FetchConnection::new(
                target.origin(),
                config.fetch,
            )))),
            Self::StartingTls(link, deferrals) => {
                greet(link, deferrals, reactor, target, config, meter)
            }
            Self::Handshaking(mut link) => match link.handshake(reactor, meter) {
                Ok(true) => established(link, config),
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
            | Self::StartingTls(..)
            | Self::Handshaking(_) => None,
            #[cfg(target_family = "wasm")]
            Self::Browser => None,
        }
    }

    pub(super) fn close(self, reactor: &mut Reactor) {
        match self {
            Self::ResolvingForProxy(_) | Self::Resolving(..) => {}
            #[cfg(target_family = "wasm")]
            Self::Browser => {}
            Self::Racing(attempts, _) => attempts.close(reactor),
            Self::Tunnelling(link, _)
            | Self::NegotiatingSocks(link, _)
            | Self::StartingTls(link, _)
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
        Route::Direct | Route::Forward(_) => return after_tunnel(link, target, config),
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

fn after_tunnel(link: Link, target: &Target, config: &Config) -> Step {
    match &target.tls {
        TlsChoice::Plain => established(link, config),
        TlsChoice::Tls(_) => Step::Next(Connecting::StartingTls(link, Deferrals::default())),
    }
}

fn established(link: Link, config: &Config) -> Step {
    Step::Established(Box::new(Established::new(link, &config.limits)))
}

/// Begins TLS if the budget permits it: generating the keys is expensive.
fn greet(
    link: Link,
    mut deferrals: Deferrals,
    reactor: &mut Reactor,
    target: &Target,
    config: &Config,
    meter: &mut BudgetMeter,
) -> Step {
    let TlsChoice::Tls(options) = &target.tls else {
        return established(link, config);
    };
    if !deferrals.may_start(reactor.handshakes.hello, meter) {
        return Step::Waiting(Connecting::StartingTls(link, deferrals));
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

#[cfg(all(test, feature = "agent"))]
mod tests;
