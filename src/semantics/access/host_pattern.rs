//! Patterns of allowed hosts: one host, or all subdomains of a name.

use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::error::InvalidHostPattern;

/// A host: `mods.example`, `127.0.0.1`, `[::1]`. Or `*.example.com` for all subdomains at any
/// depth, but not the name itself. International names may be written in Unicode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pattern {
    Exact(Host<String>),
    Below(String),
}

impl HostPattern {
    pub(super) fn matches(&self, host: &Host<&str>) -> bool {
        match (&self.0, host) {
            (Pattern::Exact(Host::Domain(name)), Host::Domain(host)) => name == rootless(host),
            (Pattern::Exact(Host::Ipv4(address)), Host::Ipv4(host)) => address == host,
            (Pattern::Exact(Host::Ipv6(address)), Host::Ipv6(host)) => address == host,
            (Pattern::Below(name), Host::Domain(host)) => rootless(host)
                .strip_suffix(name.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
            _ => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        match Host::parse(name).map_err(|_| InvalidHostPattern)? {
            Host::Domain(name) if name.contains('*') || !is_name(rootless(&name)) => {
                Err(InvalidHostPattern)
            }
            Host::Domain(name) if is_below => Ok(Self(Pattern::Below(rootless(&name).to_owned()))),
            Host::Domain(name) => Ok(Self(Pattern::Exact(Host::Domain(
                rootless(&name).to_owned(),
            )))),
            _ if is_below => Err(InvalidHostPattern),
            address => Ok(Self(Pattern::Exact(address))),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Exact(host) => write!(f, "{host}"),
            Pattern::Below(name) => write!(f, "*.{name}"),
        }
    }
}

fn rootless(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether the name is not the DNS root and has no empty label at its end.
fn is_name(rootless: &str) -> bool {
    !rootless.is_empty() && !rootless.ends_with('.')
}
