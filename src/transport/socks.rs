//! A tunnel through a SOCKS5 proxy: `CONNECT` (RFC 1928), with or without a name and a password (RFC
//! 1929).
//!
//! `connection` decides who resolves the target's name; here the target is a name or an address. The
//! address from which the proxy connected is ignored.

use std::fmt;
use std::net::IpAddr;

use url::Host;

use crate::error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault};
use crate::transport::buffer::RecvBuffer;
use crate::transport::link::{Link, LinkRead};
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Reactor;

/// RFC 1928 §3.
const VERSION: u8 = 5;
/// RFC 1928 §3: the methods.
const NO_AUTHENTICATION: u8 = 0x00;
const USERNAME_PASSWORD: u8 = 0x02;
/// RFC 1929 §2: the version of the negotiation.
const LOGIN_VERSION: u8 = 1;
/// RFC 1928 §4.
const CONNECT: u8 = 1;
/// RFC 1928 §5: the address types.
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;

/// A SOCKS5 negotiation in progress.
pub(crate) struct Socks {
    awaits: Awaits,
    /// Sent when the proxy asks for a name and a password.
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    out: Vec<u8>,
    out_sent: usize,
    recv: RecvBuffer,
}

/// The message that is expected from the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// RFC 1928 §3: the chosen authentication method.
    Method,
    /// RFC 1929 §2: whether the proxy accepts the credentials.
    Login,
    /// RFC 1928 §6: whether the proxy has connected.
    Reply,
    Nothing,
}

/// Checks that a name and a password can be encoded: 1 to 255 bytes, 0 to 255 bytes (RFC 1929 §2
/// wants one byte of password at least; proxies that identify users only by name accept none).
pub(crate) fn check_credentials(name: &str, password: &str) -> Result<(), Misuse> {
    match (u8::try_from(name.len()), u8::try_from(password.len())) {
        (Ok(1..), Ok(_)) => Ok(()),
        _ => Err(Misuse::InvalidCredentials),
    }
}

impl Socks {
    /// Asks for a connection to `host` and `port`: by name, unless it is an address.
    pub(crate) fn new(
        host: &Host<String>,
        port: u16,
        credentials: Option<(&str, &str)>,
    ) -> Result<Self, Error> {
        let mut request = vec![VERSION, CONNECT, 0];
        match host {
            Host::Ipv4(address) => {
                request.push(IPV4);
                request.extend_from_slice(&address.octets());
            }
            Host::Ipv6(address) => {
                request.push(IPV6);
                request.extend_from_slice(&address.octets());
            }
            Host::Domain(name) => {
                request.push(DOMAIN_NAME);
                push_text(&mut request, name, Misuse::InvalidHost)?;
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        let login = match credentials {
            None => None,
            Some((name, password)) => {
                check_credentials(name, password)?;
                let mut login = vec![LOGIN_VERSION];
                push_text(&mut login, name, Misuse::InvalidCredentials)?;
                push_text(&mut login, password, Misuse::InvalidCredentials)?;
                Some(login)
            }
        };
        let out = match login {
            None => vec![VERSION, 1, NO_AUTHENTICATION],
            Some(_) => vec![VERSION, 2, NO_AUTHENTICATION, USERNAME_PASSWORD],
        };
        Ok(Self {
            awaits: Awaits::Method,
            login,
            request,
            out,
            out_sent: 0,
            recv: RecvBuffer::default(),
        })
    }

    /// Drives the negotiation. Returns `true` once the tunnel is open.
    pub(crate) fn drive(
        &mut self,
        link: &mut Link,
        reactor: &mut Reactor,
        meter: &mut BudgetMeter,
    ) -> Result<bool, Error> {
        loop {
            while self.out_sent < self.out.len() {
                match link.write(reactor, meter, &self.out[self.out_sent..])? {
                    0 => return Ok(false),
                    count => self.out_sent += count,
                }
                if self.out_sent < self.out.len() && meter.exhausted() {
                    return Ok(false);
                }
            }
            let mut recv = std::mem::take(&mut self.recv);
            let received = self.receive(recv.unread());
            if let Ok(Some(count)) = received {
                recv.consume(count, reactor.pool());
            }
            self.recv = recv;
            match received.map_err(ErrorKind::Proxy)? {
                None => {}
                // The proxy sent a reply before its request.
                Some(_) if self.awaits != Awaits::Nothing && !self.recv.is_empty() => {
                    return Err(ErrorKind::Proxy(ProxyFault::MalformedReply).into());
                }
                Some(_) if self.awaits != Awaits::Nothing => continue,
                // A server that sends first violates both TLS and HTTP.
                Some(_) if !self.recv.is_empty() => {
                    return Err(ErrorKind::Peer(PeerMisbehaved::UnexpectedData).into());
                }
                Some(_) => return Ok(true),
            }
            if meter.exhausted() {
                return Ok(false);
            }
            match link.read(reactor, meter, &mut self.recv)? {
                LinkRead::Data(_) => {}
                LinkRead::Blocked => return Ok(false),
                LinkRead::Closed | LinkRead::Truncated => {
                    return Err(ErrorKind::Network(NetworkFault::Closed).into());
                }
            }
        }
    }

    /// Reads the expected message, and puts the next request into `out`. Returns the message's
    /// length; `None` while it is incomplete. An invalid message is refused at its first invalid
    /// byte.
    fn receive(&mut self, unread: &[u8]) -> Result<Option<usize>, ProxyFault> {
        match self.awaits {
            Awaits::Method => {
                let Some(method) = second_byte(unread, &[VERSION])? else {
                    return Ok(None);
                };
                match (method, &self.login) {
                    (NO_AUTHENTICATION, _) => self.say(Awaits::Reply),
                    (USERNAME_PASSWORD, Some(_)) => self.say(Awaits::Login),
                    // Some proxies name the login that they require although it was not offered.
                    _ => return Err(ProxyFault::NoAcceptableMethod),
                }
                Ok(Some(2))
            }
            Awaits::Login => {
                // Some proxies send the SOCKS version here.
                match second_byte(unread, &[LOGIN_VERSION, VERSION])? {
                    None => return Ok(None),
                    Some(0) => self.say(Awaits::Reply),
                    Some(_) => return Err(ProxyFault::BadCredentials),
                }
                Ok(Some(2))
            }
            Awaits::Reply => {
                // A refusal is reported even if the rest of the reply never arrives.
                match second_byte(unread, &[VERSION])? {
                    None => return Ok(None),
                    Some(0) => {}
                    Some(code) => return Err(refusal(code)),
                }
                let address = match (unread.get(3), unread.get(4)) {
                    (None, _) | (Some(&DOMAIN_NAME), None) => return Ok(None),
                    (Some(&IPV4), _) => 4,
                    (Some(&IPV6), _) => 16,
                    (Some(&DOMAIN_NAME), Some(length)) => 1 + usize::from(*length),
                    (Some(_), _) => return Err(ProxyFault::MalformedReply),
                };
                let length = 4 + address + 2;
                if unread.len() < length {
                    return Ok(None);
                }
                self.awaits = Awaits::Nothing;
                Ok(Some(length))
            }
            Awaits::Nothing => Ok(None),
        }
    }

    /// Prepares the request whose reply is expected next.
    fn say(&mut self, awaits: Awaits) {
        self.out = match awaits {
            Awaits::Login => self.login.take().unwrap_or_default(),
            _ => std::mem::take(&mut self.request),
        };
        self.out_sent = 0;
        self.awaits = awaits;
    }
}

impl fmt::Debug for Socks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without credentials.
        f.debug_struct("Socks")
            .field("awaits", &self.awaits)
            .finish_non_exhaustive()
    }
}

/// The address to request for a host that was resolved on this side. Every proxy supports IPv4;
/// whether it supports IPv6 is unknown.
pub(crate) fn preferred_address(addresses: &[IpAddr]) -> Option<IpAddr> {
    let ipv4 = addresses.iter().find(|address| address.is_ipv4());
    ipv4.or(addresses.first()).copied()
}

/// Every message begins with a version; its second byte is the result.
fn second_byte(unread: &[u8], versions: &[u8]) -> Result<Option<u8>, ProxyFault> {
    match unread {
        [version, ..] if !versions.contains(version) => Err(ProxyFault::MalformedReply),
        [_, second, ..] => Ok(Some(*second)),
        _ => Ok(None),
    }
}

/// RFC 1928 §6.
fn refusal(code: u8) -> ProxyFault {
    match code {
        1 => ProxyFault::GeneralFailure,
        2 => ProxyFault::NotAllowed,
        3 => ProxyFault::NetworkUnreachable,
        4 => ProxyFault::HostUnreachable,
        5 => ProxyFault::ConnectionRefused,
        6 => ProxyFault::TtlExpired,
        7 => ProxyFault::CommandNotSupported,
        8 => ProxyFault::AddressTypeNotSupported,
        code => ProxyFault::UnassignedReply { code },
    }
}

fn push_text(to: &mut Vec<u8>, text: &str, too_long: Misuse) -> Result<(), Misuse> {
    to.push(u8::try_from(text.len()).map_err(|_| too_long)?);
    to.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
