//! The target of a connection: host, port, TLS, and the route through a proxy.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use url::Host;

use crate::error::Misuse;
use crate::transport::link::TlsChoice;

/// The server and the route to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) tls: TlsChoice,
    pub(crate) route: Route,
}

/// The route to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct,
    /// Plain HTTP through a proxy: requests go out in absolute-form (RFC 9112 §3.2.2).
    Forward(Proxy),
    /// Through a `CONNECT` tunnel (RFC 9110 §9.3.6).
    Tunnel(Proxy),
    /// Through a SOCKS5 proxy (RFC 1928), for plain HTTP and TLS alike.
    Socks(SocksProxy),
}

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
}

/// A SOCKS5 proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SocksProxy {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// Whether the proxy resolves the server's name (`socks5h`), or this side does (`socks5`).
    pub(crate) resolves_remotely: bool,
    /// Name and password (RFC 1929).
    pub(crate) credentials: Option<(String, String)>,
}

impl fmt::Debug for SocksProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials are not shown.
        f.debug_struct("SocksProxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("resolves_remotely", &self.resolves_remotely)
            .finish_non_exhaustive()
    }
}

/// Parses a host name (IDN allowed), an IPv4 address, or an IPv6 address with or without brackets.
pub(crate) fn parse_host(text: &str) -> Result<Host<String>, Misuse> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(Host::Ipv6(address));
    }
    Host::parse(text).map_err(|_| Misuse::InvalidHost)
}

impl Target {
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.tls, TlsChoice::Tls(_))
    }

    fn default_port(&self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }

    /// `host[:port]` for the Host field (RFC 9110 §7.2): the port only when it is not the scheme's.
    pub(crate) fn authority(&self) -> String {
        if self.port == self.default_port() {
            self.host.to_string()
        } else {
            self.host_and_port()
        }
    }

    /// `host:port`, for `CONNECT` (RFC 9112 §3.2.3).
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Scheme and authority, as in `https://example.com:8443`.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// The URL of the proxy, if there is one, without credentials.
    pub(crate) fn proxy(&self) -> Option<String> {
        let scheme = match &self.route {
            Route::Direct => return None,
            Route::Forward(_) | Route::Tunnel(_) => "http",
            Route::Socks(proxy) if proxy.resolves_remotely => "socks5h",
            Route::Socks(_) => "socks5",
        };
        let (host, port) = self.first_hop();
        Some(format!("{scheme}://{host}:{port}"))
    }

    /// What the socket connects to: the proxy, if there is one, otherwise the server.
    pub(crate) fn first_hop(&self) -> (&Host<String>, u16) {
        match &self.route {
            Route::Direct => (&self.host, self.port),
            Route::Forward(proxy) | Route::Tunnel(proxy) => (&proxy.host, proxy.port),
            Route::Socks(proxy) => (&proxy.host, proxy.port),
        }
    }
}

/// The address, if the host is one.
pub(crate) fn host_address(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16) -> Target {
        Target {
            host: parse_host(host).unwrap(),
            port,
            tls: TlsChoice::Plain,
            route: Route::Direct,
        }
    }

    #[test]
    fn hosts_parse_or_are_refused() {
        for (text, shown) in [
            ("a.b", "a.b"),
            ("EXAMPLE.com", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(parse_host(text).unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "", "a/b", "a b", "a:80", "a@b", "a?b", "a#b", "[::1", "a\r\nb",
        ] {
            assert_eq!(parse_host(text), Err(Misuse::InvalidHost), "{text:?}");
        }
    }

    #[test]
    fn authority_contains_the_port_unless_it_is_the_default() {
        assert_eq!(target("a.b", 80).authority(), "a.b");
        assert_eq!(target("a.b", 8080).authority(), "a.b:8080");
        assert_eq!(target("::1", 443).authority(), "[::1]:443");
        assert_eq!(target("::1", 80).host_and_port(), "[::1]:80");
        assert_eq!(target("a.b", 8080).origin(), "http://a.b:8080");
    }
}
