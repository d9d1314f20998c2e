//! The list of hosts that are reached without a proxy, by the rules of curl's `NO_PROXY`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

#[derive(Clone, Debug, Default)]
pub(super) struct NoProxy(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// A name and its subdomains, in ASCII and lower case.
    Domain(String),
    /// Addresses that share this many leading bits with this one.
    Network(IpAddr, u8),
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_ascii_whitespace());
        Self(entries.filter_map(exception).collect())
    }

    pub(super) fn contains(&self, host: &Host<&str>) -> bool {
        self.0.iter().any(|exception| match (exception, host) {
            (Exception::All, _) => true,
            (Exception::Domain(domain), Host::Domain(host)) => is_within(host, domain),
            (Exception::Network(IpAddr::V4(network), bits), Host::Ipv4(address)) => {
                let differing = (network.to_bits() ^ address.to_bits()).leading_zeros();
                differing >= u32::from(*bits)
            }
            (Exception::Network(IpAddr::V6(network), bits), Host::Ipv6(address)) => {
                let differing = (network.to_bits() ^ address.to_bits()).leading_zeros();
                differing >= u32::from(*bits)
            }
            _ => false,
        })
    }
}

/// Parses one entry. `None` if it can match no host, as in curl.
fn exception(entry: &str) -> Option<Exception> {
    if entry == "*" {
        return Some(Exception::All);
    }
    if let Some((address, bits)) = entry.split_once('/') {
        let address = address_of(address)?;
        let bits = bits.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (bits <= most).then_some(Exception::Network(address, bits));
    }
    let host = without_port(entry);
    if let Some(address) = address_of(host) {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        return Some(Exception::Network(address, bits));
    }
    let host = host.strip_prefix('.').unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match Host::parse(host).ok()? {
        Host::Domain(domain) => Some(Exception::Domain(domain)),
        Host::Ipv4(address) => Some(Exception::Network(IpAddr::V4(address), 32)),
        Host::Ipv6(address) => Some(Exception::Network(IpAddr::V6(address), 128)),
    }
}

fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text
            .parse::<Ipv6Addr>()
            .map(IpAddr::V6)
            .or_else(|_| text.parse::<Ipv4Addr>().map(IpAddr::V4))
            .ok(),
    }
}

fn without_port(entry: &str) -> &str {
    match entry.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => entry,
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_suffix(domain)
        .is_some_and(|front| front.is_empty() || front.ends_with('.'))
}
