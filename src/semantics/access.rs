//! What URLs from players and mods may reach: scheme, host, port, address, content type and size.
//! The agent checks again after each redirect and each name lookup, because a harmless name may
//! lead to an address in the local network.

mod host_pattern;

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::AccessRefusal;

use crate::address_class::AddressClass;
pub use host_pattern::HostPattern;

/// What may be requested with URLs from an untrusted source. An empty list allows everything.
///
/// Addresses are checked when this machine resolves the name. With an HTTP proxy or `socks5h`, the
/// proxy resolves names and decides what it may reach. Addresses written in a URL are always
/// checked.
///
/// ```
/// let mut policy = httpoll::access::AccessPolicy::default();
/// policy.hosts = vec!["*.workshop.example".parse()?, "mods.example".parse()?];
/// policy.content_types = vec!["image/*".to_owned(), "application/zip".to_owned()];
/// # Ok::<(), httpoll::access::InvalidHostPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessPolicy {
    /// Allowed URL schemes. Default `https` only.
    pub schemes: Vec<String>,
    /// Allowed hosts. Default all.
    pub hosts: Vec<HostPattern>,
    /// Allowed ports. Default all.
    pub ports: Vec<u16>,
    /// Whether addresses outside the public internet are allowed: this machine, the local network,
    /// and reserved ranges. Default `false`.
    pub non_public_addresses: bool,
    /// Allowed media types of responses, such as `image/png` or `image/*`. If the list is not
    /// empty, a response without a media type is refused. Default all.
    pub content_types: Vec<String>,
    /// The maximum size of the content of one response in bytes, decoded; `None` means no limit.
    /// Default 64 MiB.
    pub max_body_bytes: Option<u64>,
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self {
            schemes: vec!["https".to_owned()],
            hosts: Vec::new(),
            ports: Vec::new(),
            non_public_addresses: false,
            content_types: Vec::new(),
            max_body_bytes: Some(64 * 1024 * 1024),
        }
    }
}

impl AccessPolicy {
    /// Checks whether `url` may be requested, as far as the URL alone can show. Check the addresses
    /// of its host with [`check_address`](Self::check_address) once they are known.
    ///
    /// # Errors
    /// [`AccessRefusal`] names the reason.
    pub fn check_url(&self, url: &Url) -> Result<(), AccessRefusal> {
        if !is_listed(&self.schemes, |scheme| {
            scheme.eq_ignore_ascii_case(url.scheme())
        }) {
            return Err(AccessRefusal::Scheme(url.scheme().to_owned()));
        }
        let Some(host) = url.host() else {
            return Err(AccessRefusal::Host(String::new()));
        };
        if !is_listed(&self.hosts, |pattern| pattern.matches(&host)) {
            return Err(AccessRefusal::Host(host.to_string()));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if !is_listed(&self.ports, |allowed| *allowed == port) {
            return Err(AccessRefusal::Port(port));
        }
        match host {
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => self.check_address(IpAddr::V4(address)),
            Host::Ipv6(address) => self.check_address(IpAddr::V6(address)),
        }
    }

    /// Checks whether this address may be connected to. Check all addresses of a host, and connect
    /// only to checked addresses.
    ///
    /// # Errors
    /// [`AccessRefusal::Address`] names the kind of address.
    pub fn check_address(&self, address: IpAddr) -> Result<(), AccessRefusal> {
        match AddressClass::of(address) {
            AddressClass::Public => Ok(()),
            _ if self.non_public_addresses => Ok(()),
            class => Err(AccessRefusal::Address(address, class)),
        }
    }

    /// Checks whether a response with this `Content-Type` may be received.
    ///
    /// # Errors
    /// [`AccessRefusal::ContentType`] when [`content_types`](Self::content_types) does not allow
    /// it.
    pub fn check_content_type(&self, content_type: Option<&[u8]>) -> Result<(), AccessRefusal> {
        let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if is_listed(&self.content_types, |allowed| is_of_type(essence, allowed)) {
            return Ok(());
        }
        let shown = essence
            .chars()
            .filter(|c| !c.is_control())
            .take(MOST_SHOWN)
            .collect();
        Err(AccessRefusal::ContentType(shown))
    }

    /// Checks whether content of this length may be received. Check the value of `Content-Length`
    /// first, then the bytes as they arrive.
    ///
    /// # Errors
    /// [`AccessRefusal::BodyTooLarge`] above [`max_body_bytes`](Self::max_body_bytes).
    pub fn check_body(&self, bytes: u64) -> Result<(), AccessRefusal> {
        match self.max_body_bytes {
            Some(max) if bytes > max => Err(AccessRefusal::BodyTooLarge { max }),
            _ => Ok(()),
        }
    }
}

/// The part of a content type that an error shows.
const MOST_SHOWN: usize = 80;

fn is_listed<T>(list: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(matches)
}

fn is_of_type(essence: &str, allowed: &str) -> bool {
    if essence.is_empty() {
        return false;
    }
    match allowed.trim().strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => essence
            .split_once('/')
            .is_some_and(|(is, _)| is.eq_ignore_ascii_case(kind)),
        None => essence.eq_ignore_ascii_case(allowed.trim()),
    }
}

#[cfg(test)]
mod tests;
