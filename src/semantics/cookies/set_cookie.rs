//! One `Set-Cookie` line, read and judged (RFC 6265bis §5.6, and of §5.7 what concerns one cookie
//! alone).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use cookie_store::{CookieDomain, CookiePath, RawCookie};
use url::{Host, Url};

use super::{Cookie, SameSite, date};
use crate::error::CookieFault;

/// Name and value together (RFC 6265bis §5.6, step 5).
const MAX_PAIR: usize = 4096;

/// The value of one attribute; a longer one is ignored (§5.6, step 7).
const MAX_ATTRIBUTE: usize = 1024;

/// No cookie lives longer (§5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 3600);

pub(super) fn parse(url: &Url, line: &[u8], now: SystemTime) -> Result<Cookie, CookieFault> {
    let line = std::str::from_utf8(line).map_err(|_| CookieFault::Characters)?;
    // §5.6, step 1. A tab may stand between the parts.
    if line
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(CookieFault::Characters);
    }
    let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
    // §5.6, step 3: without `=` all of it is the value of a cookie without a name.
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (
        name.trim_matches([' ', '\t']),
        value.trim_matches([' ', '\t']),
    );
    check_pair(name, value)?;
    let (attributes, lifetime) = without_lifetime(attributes);
    // The parser takes no cookie without a name; it only reads the attributes here.
    let raw = RawCookie::parse(format!("a=1{attributes}")).map_err(|_| CookieFault::Malformed)?;
    let secure = raw.secure() == Some(true);
    if secure && !is_secure(url) {
        return Err(CookieFault::NotSecure);
    }
    let path = match raw.path().and_then(CookiePath::parse) {
        Some(path) => path,
        None => CookiePath::default_path(url),
    };
    check_prefix(
        name,
        value,
        &raw,
        secure,
        path.is_from_path_attr() && &*path == "/",
    )?;
    let (domain, host_only) = domain(url, raw.domain())?;
    let latest = now.checked_add(MAX_AGE).unwrap_or(now);
    let expires = match lifetime {
        Lifetime {
            max_age: Some(age), ..
        } => Some(now.checked_add(age.min(MAX_AGE)).unwrap_or(now)),
        Lifetime { expires, .. } => expires.map(|date| date.min(latest)),
    };
    Ok(Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain,
        host_only,
        path: path.to_string(),
        secure,
        http_only: raw.http_only() == Some(true),
        same_site: raw.same_site().map(|same_site| {
            if same_site.is_strict() {
                SameSite::Strict
            } else if same_site.is_lax() {
                SameSite::Lax
            } else {
                SameSite::None
            }
        }),
        expires,
    })
}

/// What the name and the value of any cookie must be, wherever it comes from.
pub(super) fn check_pair(name: &str, value: &str) -> Result<(), CookieFault> {
    if name.is_empty() && value.is_empty() {
        return Err(CookieFault::Malformed);
    }
    let bad = |byte: u8| byte.is_ascii_control() || byte == b';';
    if name.contains('=') || name.bytes().chain(value.bytes()).any(bad) {
        return Err(CookieFault::Characters);
    }
    if name.len().saturating_add(value.len()) > MAX_PAIR {
        return Err(CookieFault::TooLong(MAX_PAIR));
    }
    Ok(())
}

/// Judges a cookie that did not come in a `Set-Cookie` line, and writes its domain as others are.
pub(super) fn check(mut cookie: Cookie) -> Result<Cookie, CookieFault> {
    check_pair(&cookie.name, &cookie.value)?;
    let control = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
    if control(&cookie.path) || control(&cookie.domain) {
        return Err(CookieFault::Characters);
    }
    if !cookie.path.starts_with('/') {
        return Err(CookieFault::Malformed);
    }
    // An address in brackets is no host name to IDNA, and needs no care.
    if !cookie.domain.starts_with('[') {
        cookie.domain = match CookieDomain::try_from(cookie.domain.as_str()) {
            Ok(CookieDomain::Suffix(domain)) => domain,
            _ => return Err(CookieFault::Malformed),
        };
    }
    // IDNA is more lenient than URLs are: a space, or the `#` that makes a comment of a file's line.
    // And to it one dot in front is none.
    if Host::parse(&cookie.domain).is_err() || cookie.domain.starts_with('.') {
        return Err(CookieFault::Malformed);
    }
    Ok(cookie)
}

/// Whether what comes from there came over TLS. Browsers say so of `http://localhost`, too; a game's
/// development server can do without `Secure`.
pub(super) fn is_secure(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "wss")
}

/// What a `Set-Cookie` line says about how long the cookie lives.
#[derive(Default)]
struct Lifetime {
    max_age: Option<Duration>,
    expires: Option<SystemTime>,
}

/// Takes `Max-Age` and `Expires` out of the attributes, because the parser reads a clock of its own
/// and only some dates, and drops attributes that are too long. Of several valid ones the last counts;
/// invalid ones are ignored (§5.6.1, §5.6.2).
fn without_lifetime(attributes: &str) -> (String, Lifetime) {
    let mut rest = String::with_capacity(attributes.len() + 1);
    let mut lifetime = Lifetime::default();
    for attribute in attributes.split(';') {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim(), value.trim());
        if value.len() > MAX_ATTRIBUTE {
            continue;
        }
        if name.eq_ignore_ascii_case("max-age") {
            lifetime.max_age = seconds(value).or(lifetime.max_age);
        } else if name.eq_ignore_ascii_case("expires") {
            lifetime.expires = date::parse(value).or(lifetime.expires);
        } else {
            rest.push(';');
            rest.push_str(attribute);
        }
    }
    (rest, lifetime)
}

fn seconds(value: &str) -> Option<Duration> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What is too large is as good as the largest.
    let seconds = if negative {
        0
    } else {
        digits.parse().unwrap_or(u64::MAX)
    };
    Some(Duration::from_secs(seconds))
}

/// The rules of `__Secure-` and `__Host-` names (§4.1.3), in any case (§5.4). A cookie without a name
/// must not look like one of these (§5.7, step 22).
fn check_prefix(
    name: &str,
    value: &str,
    raw: &RawCookie<'_>,
    secure: bool,
    root: bool,
) -> Result<(), CookieFault> {
    let begins = |text: &str, prefix: &str| {
        let start = text.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let is_allowed = if begins(name, "__Host-") {
        secure && root && raw.domain().is_none()
    } else if begins(name, "__Secure-") {
        secure
    } else {
        !name.is_empty() || !begins(value, "__Host-") && !begins(value, "__Secure-")
    };
    if is_allowed {
        Ok(())
    } else {
        Err(CookieFault::Prefix)
    }
}

/// The cookie's domain, and whether it is for that host alone (§5.7, steps 8 to 11).
fn domain(url: &Url, attribute: Option<&str>) -> Result<(String, bool), CookieFault> {
    let host = url.host_str().ok_or(CookieFault::Domain)?;
    let attribute = attribute.unwrap_or_default().trim();
    if attribute.is_empty() || attribute.eq_ignore_ascii_case(host) && is_address(host) {
        return Ok((host.to_owned(), true));
    }
    if is_address(attribute) || is_address(host) {
        return Err(CookieFault::PublicSuffix);
    }
    // The parser removed one dot (§5.6.3). Another one makes a domain that no host is part of.
    if attribute.starts_with('.') {
        return Err(CookieFault::Domain);
    }
    let suffix = CookieDomain::try_from(attribute).map_err(|_| CookieFault::Malformed)?;
    let CookieDomain::Suffix(domain) = &suffix else {
        return Ok((host.to_owned(), true));
    };
    if !domain.trim_end_matches('.').contains('.') {
        return if domain == host {
            Ok((host.to_owned(), true))
        } else {
            Err(CookieFault::PublicSuffix)
        };
    }
    if suffix.matches(url) {
        Ok((domain.clone(), false))
    } else {
        Err(CookieFault::Domain)
    }
}

fn is_address(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<Ipv4Addr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok()
}
