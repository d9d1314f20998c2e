//! Who really asks, when trusted proxies stand in between (FEATURES S117, S118): `Forwarded`
//! (RFC 7239) and `X-Forwarded-*`. Without a trusted proxy these fields mean nothing, since anybody
//! can send them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::host::HostField;
use crate::proto::FieldLines;

/// Addresses that share a prefix, as in `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

/// The text is no address with an optional prefix length, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIpNetwork;

/// Which fields the proxies write. They pass on what a client made up in the others, so exactly one
/// kind is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `-Host` and `-Proto`, as nginx, HAProxy, Caddy and Apache write them.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies whose word is taken. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNetwork>,
    by: ForwardedBy,
}

/// Who asks, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedClient {
    /// The address of the client: the peer of the connection, or, behind trusted proxies, the
    /// nearest address that is none of them.
    pub ip: IpAddr,
    /// The host that the client asked for; `None` when nobody said a valid one.
    pub host: Option<HostField>,
    /// Whether the client's own connection is secure.
    pub is_secure: bool,
}

impl TrustedProxies {
    /// Believes the fields of this kind from connections out of these networks.
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

    /// Who asks: the peer itself, or, when the peer is a trusted proxy, whom it speaks for.
    ///
    /// Addresses are read from the right, as each proxy appends the one it heard from, up to the
    /// first that is no trusted proxy; an unknown or hidden one ends the search at the proxy that
    /// reported it. Of several `X-Forwarded-Host` and `-Proto` values the first counts (S117), so
    /// the outermost proxy has to overwrite what a client sent.
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
            // A proxy's element is taken whole or not at all.
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

impl IpNetwork {
    /// Whether the address is in this network. An IPv4 address in IPv6 form is its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shares_prefix(
                own.to_bits().into(),
                other.to_bits().into(),
                32,
                self.prefix,
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                shares_prefix(own.to_bits(), other.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for IpNetwork {
    /// This address alone.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }
}

impl FromStr for IpNetwork {
    type Err = InvalidIpNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidIpNetwork> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text
                .parse::<IpAddr>()
                .map(Self::from)
                .map_err(|_| InvalidIpNetwork);
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidIpNetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        match prefix.parse() {
            Ok(prefix) if is_number && prefix <= longest => Ok(Self { address, prefix }),
            _ => Err(InvalidIpNetwork),
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for InvalidIpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither an address nor an address with a prefix length, as in 10.0.0.0/8")
    }
}

impl std::error::Error for InvalidIpNetwork {}

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

/// Splits at semicolons outside of quoted strings, without the empty pairs.
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

fn shares_prefix(own: u128, other: u128, bits: u32, prefix: u8) -> bool {
    // All 128 bits shifted out leave nothing that could differ.
    let free = bits.saturating_sub(prefix.into());
    (own ^ other).checked_shr(free).unwrap_or(0) == 0
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(by: ForwardedBy, peer: &str, lines: &[&str]) -> (String, String, bool) {
        let mut fields = FieldLines::new();
        for line in lines {
            fields.append_line(line).unwrap();
        }
        let networks = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
        let client = TrustedProxies::new(networks, by).client(ip(peer), false, &fields);
        let host = client.host.map_or(String::new(), |host| host.to_string());
        (client.ip.to_string(), host, client.is_secure)
    }

    #[test]
    fn networks() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1/31", "10.0.0.0", true),
            ("0.0.0.0/0", "255.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1", "0.0.0.1", false),
        ] {
            let network: IpNetwork = network.parse().unwrap();
            assert_eq!(
                network.contains(ip(address)),
                expected,
                "{network} {address}"
            );
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0/8",
            "a/8",
            "::1/+1",
            "1/8/8",
        ] {
            assert_eq!(text.parse::<IpNetwork>(), Err(InvalidIpNetwork), "{text}");
        }
    }

    #[test]
    fn s117_x_forwarded_only_from_trusted_proxies() {
        let lines = [
            "Host: inner:8080",
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2",
            "X-Forwarded-Host: game.example",
            "X-Forwarded-Proto: https",
        ];
        let by = ForwardedBy::XForwarded;
        let direct = |ip: &str| (ip.to_owned(), "inner:8080".to_owned(), false);
        assert_eq!(client(by, "9.9.9.9", &lines), direct("9.9.9.9"));
        assert_eq!(
            client(by, "10.0.0.1", &lines),
            ("2.2.2.2".into(), "game.example".into(), true)
        );
        assert_eq!(
            client(by, "::ffff:10.0.0.1", &lines),
            ("2.2.2.2".into(), "game.example".into(), true)
        );
        // A proxy that speaks the other kind passes these on unread.
        assert_eq!(
            client(ForwardedBy::Forwarded, "10.0.0.1", &lines),
            direct("10.0.0.1")
        );
    }

    #[test]
    fn s118_addresses_are_read_from_the_right() {
        for (chain, expected) in [
            ("1.1.1.1", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1, 10.0.0.3", "1.1.1.1"),
            ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
            ("1.1.1.1, unknown, 10.0.0.3", "10.0.0.3"),
            ("1.1.1.1:4711", "1.1.1.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:1.1.1.1", "1.1.1.1"),
            ("1.1.1.1, _hidden", "::1"),
            ("", "::1"),
        ] {
            let line = format!("X-Forwarded-For: {chain}");
            let found = client(ForwardedBy::XForwarded, "::1", &[&line]).0;
            assert_eq!(found, expected, "{chain}");
        }
    }

    #[test]
    fn s117_the_first_forwarded_host() {
        for (host, expected) in [
            ("a.example, b.example", "a.example"),
            ("A.example:81", "a.example:81"),
            ("[2001:db8::1]:81", "[2001:db8::1]:81"),
            ("not a host", "inner"),
        ] {
            let line = format!("X-Forwarded-Host: {host}");
            let found = client(ForwardedBy::XForwarded, "::1", &["Host: inner", &line]).1;
            assert_eq!(found, expected, "{host}");
        }
    }

    #[test]
    fn s117_forwarded() {
        // RFC 7239 §4, §6
        for (value, ip, host, is_secure) in [
            (
                "for=1.1.1.1;host=a.example;proto=https",
                "1.1.1.1",
                "a.example",
                true,
            ),
            ("For=\"[2001:db8::1]:4711\"", "2001:db8::1", "inner", false),
            (
                "for=6.6.6.6;host=evil, for=1.1.1.1;host=a.example",
                "1.1.1.1",
                "a.example",
                false,
            ),
            (
                "for=1.1.1.1;proto=https, for=10.0.0.2",
                "1.1.1.1",
                "inner",
                true,
            ),
            ("for=1.1.1.1, for=unknown", "::1", "inner", false),
            ("for=1.1.1.1, for=\"_hidden\"", "::1", "inner", false),
            (
                "for=1.1.1.1;host=\"a.example:81\";",
                "1.1.1.1",
                "a.example:81",
                false,
            ),
            (
                "for=1.1.1.1;by=\"x;host=evil, y\"",
                "1.1.1.1",
                "inner",
                false,
            ),
            ("for=1.1.1.1, broken", "::1", "inner", false),
            ("for=\"1.1.1.1", "::1", "inner", false),
            ("for=1.1.1.1;proto=gopher", "1.1.1.1", "inner", false),
        ] {
            let line = format!("Forwarded: {value}");
            assert_eq!(
                client(ForwardedBy::Forwarded, "::1", &["Host: inner", &line]),
                (ip.into(), host.into(), is_secure),
                "{value}"
            );
        }
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let mut fields = FieldLines::new();
        fields.append("X-Forwarded-For", "1.1.1.1").unwrap();
        let client = TrustedProxies::default().client(ip("127.0.0.1"), true, &fields);
        assert_eq!(client.ip, ip("127.0.0.1"));
        assert!(client.is_secure);
        assert_eq!(client.host, None);
    }
}
