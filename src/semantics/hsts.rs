//! HTTP Strict Transport Security (RFC 6797): which hosts asked to be contacted over `https` only.
//! The store lasts as long as the caller keeps it. `file` converts it to and from text; reading and
//! writing files does not belong here.

mod file;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use url::{Host, Url};

/// Hosts that require `https`, each with its expiry time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HstsStore {
    hosts: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    expires: SystemTime,
    include_subdomains: bool,
}

/// The maximum number of hosts, as in curl. When the store is full and no entry has expired, it
/// accepts no further hosts: no server can push out the entry of another.
const MOST_HOSTS: usize = 1000;

/// The longest time for which a host is kept, whatever it asks for: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl HstsStore {
    /// The number of hosts.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Removes all hosts.
    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        self.hosts.clear();
    }

    /// Processes the first `Strict-Transport-Security` field of a response from `url` (RFC 6797
    /// §8.1). It counts only over `https` and only for host names, not for IP addresses (§8.1.1). A
    /// field that breaks the grammar is ignored as a whole (§6.1).
    pub(crate) fn note(&mut self, url: &Url, field: &[u8], now: SystemTime) {
        let ("https" | "wss", Some(Host::Domain(host))) = (url.scheme(), url.host()) else {
            return;
        };
        let Some(wanted) = parse(field) else {
            return;
        };
        let host = canonical(host);
        if !is_name(host) {
            return;
        }
        if wanted.max_age == 0 {
            self.hosts.remove(host);
            return;
        }
        let age = Duration::from_secs(wanted.max_age).min(LONGEST);
        let Some(expires) = now.checked_add(age) else {
            return;
        };
        let entry = Entry {
            expires,
            include_subdomains: wanted.include_subdomains,
        };
        self.insert(host, entry, now);
    }

    /// The `https` form of an `http` URL if its host requires it (RFC 6797 §8.3), and `wss` for
    /// `ws`. `None` for all other URLs. A port other than 80 stays.
    pub(crate) fn upgrade(&self, url: &Url, now: SystemTime) -> Option<Url> {
        let scheme = match url.scheme() {
            "http" => "https",
            "ws" => "wss",
            _ => return None,
        };
        let Some(Host::Domain(host)) = url.host() else {
            return None;
        };
        if !self.knows(canonical(host), now) {
            return None;
        }
        let mut secure = url.clone();
        secure.set_scheme(scheme).ok()?;
        Some(secure)
    }

    /// RFC 6797 §8.2: this exact name, or a parent that includes its subdomains.
    fn knows(&self, host: &str, now: SystemTime) -> bool {
        let holds = |name: &str, is_parent: bool| {
            self.hosts.get(name).is_some_and(|entry| {
                entry.expires > now && (entry.include_subdomains || !is_parent)
            })
        };
        let mut parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        holds(host, false) || parents.any(|parent| holds(parent, true))
    }

    fn insert(&mut self, host: &str, entry: Entry, now: SystemTime) {
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(host) {
            self.hosts.retain(|_, entry| entry.expires > now);
            if self.hosts.len() >= MOST_HOSTS {
                return;
            }
        }
        self.hosts.insert(host.to_owned(), entry);
    }
}

struct Directives {
    max_age: u64,
    include_subdomains: bool,
}

/// RFC 6797 §6.1: directives separated by semicolons. No directive may appear twice, `max-age` is
/// required, unknown ones are ignored.
fn parse(field: &[u8]) -> Option<Directives> {
    let field = std::str::from_utf8(field).ok()?;
    let mut seen: Vec<&str> = Vec::new();
    let mut max_age = None;
    let mut include_subdomains = false;
    for directive in split_unquoted(field)? {
        let directive = directive.trim_ascii();
        if directive.is_empty() {
            continue;
        }
        let (name, value) = match directive.split_once('=') {
            Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
            None => (directive, None),
        };
        if name.is_empty()
            || seen.len() >= MOST_DIRECTIVES
            || seen.iter().any(|seen| seen.eq_ignore_ascii_case(name))
        {
            return None;
        }
        seen.push(name);
        if name.eq_ignore_ascii_case("max-age") {
            max_age = Some(seconds(value?)?);
        } else if name.eq_ignore_ascii_case("includeSubDomains") {
            // This directive has no value (§6.1.2).
            if value.is_some() {
                return None;
            }
            include_subdomains = true;
        }
    }
    Some(Directives {
        max_age: max_age?,
        include_subdomains,
    })
}

/// The RFC defines two, and one more is in wide use.
const MOST_DIRECTIVES: usize = 16;

fn seconds(value: &str) -> Option<u64> {
    let value = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number that does not fit means a very long time anyway.
    Some(value.parse().unwrap_or(u64::MAX))
}

/// The parts between semicolons outside quoted strings; `None` when a quote stays open.
fn split_unquoted(field: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in field.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&field[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&field[start..]);
    (!quoted).then_some(parts)
}

/// The name without the dot of the DNS root (RFC 6797 §8.2 compares labels).
fn canonical(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a canonical host is a valid name: not the DNS root, and without empty labels.
fn is_name(host: &str) -> bool {
    host.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests;
