//! The `Host` field: its host and its port (RFC 9110 §7.2, RFC 3986 §3.2.2). `guard` decides which hosts a
//! server serves; `forwarded` reads the host that a proxy reports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::Host;

use crate::proto::FieldLines;

/// A host and, when it was written, a port: the value of `Host`, or of another authority.
///
/// Names are in lower case and have no final dot, so `Localhost.` and `localhost` are equal. Addresses are
/// parsed, so `[0:0::1]` and `[::1]` are equal. Names are compared as written: nothing is percent-decoded,
/// and `0x7f.1` is a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostField {
    /// The name or address.
    pub host: Host<String>,
    /// The port, if one is written. `None` means the scheme's default port.
    pub port: Option<u16>,
}

/// The text is not a host with an optional port, or there are several. The response is 400 (RFC 9112
/// §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl HostField {
    /// The value of the `Host` field; `None` if the field is absent (only HTTP/1.0 allows that).
    ///
    /// Fails when there are two field lines or the value is malformed (RFC 9112 §3.2).
    pub fn of(fields: &FieldLines) -> Result<Option<Self>, InvalidHost> {
        let mut lines = fields.get_all("host");
        match (lines.next(), lines.next()) {
            (None, _) => Ok(None),
            (Some(line), None) => std::str::from_utf8(line)
                .map_err(|_| InvalidHost)?
                .parse()
                .map(Some),
            (Some(_), Some(_)) => Err(InvalidHost),
        }
    }

    /// The host of a request target that is a whole URL; it replaces `Host` (RFC 9112 §3.2.2). `None` for
    /// the other forms.
    pub fn of_target(target: &str) -> Option<Result<Self, InvalidHost>> {
        let rest = ["http://", "https://"].iter().find_map(|scheme| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })?;
        Some(rest.split(['/', '?']).next().unwrap_or_default().parse())
    }

    /// The port, or the default port of the scheme: 443 for `https`, otherwise 80.
    pub fn port_or_default(&self, is_secure: bool) -> u16 {
        self.port.unwrap_or(if is_secure { 443 } else { 80 })
    }

    /// Whether this is a name or address of this machine itself: `localhost`, names below it
    /// (RFC 6761 §6.3), 127.0.0.0/8, `::1`. Names that DNS would resolve are not.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().is_loopback(),
        }
    }
}

impl FromStr for HostField {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']').ok_or(InvalidHost)?;
                let address: Ipv6Addr = address.parse().map_err(|_| InvalidHost)?;
                (Host::Ipv6(address), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                (name_or_address(name)?, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return Err(InvalidHost),
            Some("") => None,
            Some(digits) => Some(port(digits)?),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one host with an optional port, as in `game.example:8080` or `[::1]`")
    }
}

impl std::error::Error for InvalidHost {}

fn name_or_address(name: &str) -> Result<Host<String>, InvalidHost> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return Ok(Host::Ipv4(address));
    }
    let is_name = !name.is_empty()
        && !name.ends_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&byte));
    if is_name {
        Ok(Host::Domain(name.to_ascii_lowercase()))
    } else {
        Err(InvalidHost)
    }
}

fn port(digits: &str) -> Result<u16, InvalidHost> {
    // `parse` alone would accept a plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidHost);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(InvalidHost),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_names_addresses_and_ports() {
        for (text, host, port) in [
            ("game.example", "game.example", None),
            ("Game.Example:8080", "game.example", Some(8080)),
            ("localhost.", "localhost", None),
            ("localhost.:80", "localhost", Some(80)),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("[::1]", "[::1]", None),
            ("[0:0::1]:65535", "[::1]", Some(65535)),
            ("[2001:DB8::1]:80", "[2001:db8::1]", Some(80)),
            ("a:", "a", None),
            ("under_score", "under_score", None),
            ("127.1", "127.1", None),
            // A name of digits and dots is an address, as in the URL Standard, also with a final dot.
            ("127.0.0.1.:80", "127.0.0.1", Some(80)),
        ] {
            let parsed: HostField = text.parse().unwrap();
            assert_eq!(parsed.host.to_string(), host, "{text}");
            assert_eq!(parsed.port, port, "{text}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{text}");
        }
    }

    #[test]
    fn invalid_hosts() {
        for text in [
            "",
            ".",
            "localhost..",
            "127.0.0.1..",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "user@a",
            "a:80:80",
            "a:x",
            "a:+80",
            "a:0",
            "a:65536",
            "::1",
            "[::1",
            "[]",
            "[a]",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "\u{e4}",
            "a\r\n",
        ] {
            assert_eq!(text.parse::<HostField>(), Err(InvalidHost), "{text:?}");
        }
    }

    #[test]
    fn one_host_line() {
        let mut fields = FieldLines::new();
        assert_eq!(HostField::of(&fields), Ok(None));
        fields.append("HOST", "a:81").unwrap();
        let host = HostField::of(&fields).unwrap().unwrap();
        assert_eq!(host.to_string(), "a:81");
        fields.append("host", "a:81").unwrap();
        assert_eq!(HostField::of(&fields), Err(InvalidHost));

        let mut fields = FieldLines::new();
        fields.append("Host", b"\xff").unwrap();
        assert_eq!(HostField::of(&fields), Err(InvalidHost));
    }

    #[test]
    fn the_target_of_a_request_to_a_proxy_names_a_host() {
        for (target, expected) in [
            ("/http://a/", None),
            ("*", None),
            ("http://a.example/x", Some(Ok("a.example"))),
            ("HTTPS://a.example:8443?q", Some(Ok("a.example:8443"))),
            ("http://user@a/", Some(Err(InvalidHost))),
            ("http:///", Some(Err(InvalidHost))),
        ] {
            let found = HostField::of_target(target);
            let found = found.map(|host| host.map(|host| host.to_string()));
            let found = found.as_ref().map(|host| host.as_deref().map_err(|e| *e));
            assert_eq!(found, expected, "{target}");
        }
    }

    #[test]
    fn names_of_this_machine() {
        for (text, expected) in [
            ("localhost", true),
            ("LOCALHOST.:9", true),
            ("game.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("127.0.0.1.nip.example", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("192.168.0.1", false),
            ("[fe80::1]", false),
        ] {
            let host: HostField = text.parse().unwrap();
            assert_eq!(host.is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn ports_that_schemes_imply() {
        let host: HostField = "a".parse().unwrap();
        assert_eq!(host.port_or_default(false), 80);
        assert_eq!(host.port_or_default(true), 443);
        let host: HostField = "a:8".parse().unwrap();
        assert_eq!(host.port_or_default(true), 8);
    }
}
