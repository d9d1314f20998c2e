//! What URLs that come from players and mods may reach: scheme, host, port, address,
//! content type and size. The agent asks again after each redirect and after each lookup, for a
//! harmless name may lead to an address at home.

mod host_pattern;

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::AccessRefusal;

use crate::address_class::AddressClass;
pub use host_pattern::HostPattern;

/// What may be requested on behalf of somebody who is not trusted. An empty list allows all.
///
/// Addresses are judged where names are looked up here. Behind an HTTP proxy or `socks5h` it is the
/// proxy that looks names up, and what it may reach is the proxy's to decide; addresses written in a
/// URL are judged all the same.
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
    /// Schemes of URLs. Default `https` only.
    pub schemes: Vec<String>,
    /// Hosts. Default all.
    pub hosts: Vec<HostPattern>,
    /// Ports. Default all.
    pub ports: Vec<u16>,
    /// Whether addresses that are not of the public internet may be reached: this machine, the local
    /// network, and what is reserved. Default `false`.
    pub non_public_addresses: bool,
    /// Media types of responses, such as `image/png` or `image/*`; a response without one is then
    /// refused. Default all.
    pub content_types: Vec<String>,
    /// The most bytes of content in one response, decoded; `None` for no limit. Default 64 MiB.
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
    /// Whether `url` may be requested, as far as the URL tells: the addresses of its host are asked
    /// about with [`check_address`](Self::check_address) once they are known.
    ///
    /// # Errors
    /// [`AccessRefusal`] says what is against it.
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

    /// Whether this address may be connected to. All addresses of a host must be asked about, and
    /// only those asked about be connected to.
    ///
    /// # Errors
    /// [`AccessRefusal::Address`] says what kind of address it is.
    pub fn check_address(&self, address: IpAddr) -> Result<(), AccessRefusal> {
        match AddressClass::of(address) {
            AddressClass::Public => Ok(()),
            _ if self.non_public_addresses => Ok(()),
            class => Err(AccessRefusal::Address(address, class)),
        }
    }

    /// Whether a response with this `Content-Type` may be received.
    ///
    /// # Errors
    /// [`AccessRefusal::ContentType`] when it is not among
    /// [`content_types`](Self::content_types).
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

    /// Whether content of this length may be received: once with what `Content-Length` announces,
    /// and again as it comes.
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

/// As much of a content type as an error shows.
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
