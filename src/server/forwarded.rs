//! The client behind trusted proxies: `Forwarded` (RFC 7239) and `X-Forwarded-*`. From other peers these
//! fields are ignored, because any client can send them.

mod ip_network;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use super::host::HostField;
use crate::proto::FieldLines;
pub use ip_network::{InvalidIpNetwork, IpNetwork};

/// Which fields the proxies write. Proxies pass on the other fields even if a client made them up, so the
/// server trusts exactly one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `-Host` and `-Proto`, as nginx, HAProxy, Caddy and Apache write them.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies whose fields are trusted. Default: no proxy is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNetwork>,
    by: ForwardedBy,
}

/// The client behind a proxy, and the host that it requested.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardedClient {
    /// The address of the client: the peer of the connection, or, behind trusted proxies, the
    /// nearest address that is not one of them.
    pub ip: IpAddr,
    /// The host that the client requested; `None` if there is no valid one.
    pub host: Option<HostField>,
    /// Whether the client's own connection is secure.
    pub is_secure: bool,
}

impl TrustedProxies {
    /// Trusts the fields of this kind on connections from these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNetwork>, by: ForwardedBy) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            by,
        }
    }

    /// Whether this address is one of the proxies.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// The client: the peer itself, or, when the peer is a trusted proxy, the client behind it.
    ///
    /// Addresses are read from the right, because each proxy appends the address of its own peer. The first that
    /// is not a trusted proxy is the client; an unknown or hidden address ends the search at the proxy that
    /// reported it. Of several `X-Forwarded-Host` and `-Proto` values the first counts, so the outermost proxy
    /// has to overwrite what a client sent.
    pub fn client(&self, peer: IpAddr, is_secure: bool, fields: &FieldLines) -> ForwardedClient {
        let peer = peer.to_canonical();
        let direct = ForwardedClient {
            ip: peer,
            host: HostField::of(fields).ok().flatten(),
            is_secure,
        };
        match self.by {
            _ if !self.contains(peer) => direct,
            ForwardedBy::XForwarded => self.x_forwarded(direct, fields),
            ForwardedBy::Forwarded => self.forwarded(direct, fields),
        }
    }

    fn x_forwarded(&self, mut client: ForwardedClient, fields: &FieldLines) -> ForwardedClient {
        let hops: Vec<&[u8]> = fields.list("x-forwarded-for").collect();
        for hop in hops.into_iter().rev() {
            match text(hop).and_then(node_address) {
                Some(address) => client.ip = address,
                None => break,
            }
            if !self.contains(client.ip) {
                break;
            }
        }
        let first = |name| fields.list(name).next().and_then(text);
        if let Some(host) = first("x-forwarded-host").and_then(|host| host.parse().ok()) {
            client.host = Some(host);
        }
        if let Some(is_secure) = first("x-forwarded-proto").and_then(is_secure) {
            client.is_secure = is_secure;
        }
        client
    }

    fn forwarded(&self, mut client: ForwardedClient, fields: &FieldLines) -> ForwardedClient {
        let hops: Vec<&[u8]> = fields.list("forwarded").collect();
        for hop in hops.into_iter().rev() {
            // An element of a proxy is either used whole or ignored.
            let Some(element) = text(hop).and_then(Element::parse) else {
                break;
            };
            if let Some(host) = element.host {
                client.host = Some(host);
            }
            if let Some(is_secure) = element.is_secure {
                client.is_secure = is_secure;
            }
            match element.by_whom {
                Some(address) => client.ip = address,
                None => break,
            }
            if !self.contains(client.ip) {
                break;
            }
        }
        client
    }
}

/// One element of `Forwarded` (RFC 7239 §4).
struct Element {
    by_whom: Option<IpAddr>,
    host: Option<HostField>,
    is_secure: Option<bool>,
}

impl Element {
    fn parse(text: &str) -> Option<Self> {
        let mut element = Self {
            by_whom: None,
            host: None,
            is_secure: None,
        };
        for pair in split_pairs(text) {
            let (name, value) = pair.split_once('=')?;
            let value = unquote(value.trim())?;
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.by_whom = node_address(&value),
                "host" => element.host = value.parse().ok(),
                "proto" => element.is_secure = is_secure(&value),
                _ => {}
            }
        }
        Some(element)
    }
}

/// Splits at semicolons outside of quoted strings and leaves out empty pairs.
fn split_pairs(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        letter == ';' && !is_quoted
    })
    .map(str::trim)
    .filter(|pair| !pair.is_empty())
}

fn unquote(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return Some(value.to_owned());
    };
    let mut letters = quoted.strip_suffix('"')?.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' {
            letters.next()?
        } else {
            letter
        });
    }
    Some(plain)
}

/// An address with an optional port; `None` for `unknown` and hidden names (RFC 7239 §6).
fn node_address(node: &str) -> Option<IpAddr> {
    let address = node
        .parse()
        .or_else(|_| node.parse().map(|socket: SocketAddr| socket.ip()))
        .or_else(|_| node.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()?;
    Some(address.to_canonical())
}

fn is_secure(scheme: &str) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
