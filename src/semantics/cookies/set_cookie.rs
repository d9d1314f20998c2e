//! Parses and checks one `Set-Cookie` field line (RFC 6265bis §5.6, and the checks of §5.7 that
//! need no other cookies).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use cookie_store::{CookieDomain, CookiePath, RawCookie};
use url::{Host, Url};

use super::{Cookie, SameSite, date};
use crate::error::CookieFault;

/// The limit for name and value together, in bytes (RFC 6265bis §5.6, step 5).
const MAX_PAIR: usize = 4096;

/// The limit for the value of one attribute in bytes; a longer one is ignored (§5.6, step 7).
const MAX_ATTRIBUTE: usize = 1024;

/// The longest lifetime of a cookie (§5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 3600);

pub(super) fn parse(url: &Url, line: &[u8], now: SystemTime) -> Result<Cookie, CookieFault> {
    let line = std::str::from_utf8(line).map_err(|_| CookieFault::Characters)?;
    // §5.6, step 1. Tabs between the parts are allowed.
    if line
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(CookieFault::Characters);
    }
    let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
    // §5.6, step 3: without `=`, the whole text is the value of a cookie without a name.
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (
        name.trim_matches([' ', '\t']),
        value.trim_matches([' ', '\t']),
    );
    check_pair(name, value)?;
    let (attributes, lifetime) = without_lifetime(attributes);
    // The parser rejects cookies without a name, and reads only the attributes here.
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

/// Checks the name and the value, for cookies from any source.
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

/// Checks a cookie that did not come in a `Set-Cookie` field line, and normalises its domain.
pub(super) fn check(mut cookie: Cookie) -> Result<Cookie, CookieFault> {
    check_pair(&cookie.name, &cookie.value)?;
    let control = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
    if control(&cookie.path) || control(&cookie.domain) {
        return Err(CookieFault::Characters);
    }
    if !cookie.path.starts_with('/') {
        return Err(CookieFault::Malformed);
    }
    // An address in brackets is not a host name for IDNA, and needs no conversion.
    if !cookie.domain.starts_with('[') {
        cookie.domain = match CookieDomain::try_from(cookie.domain.as_str()) {
            Ok(CookieDomain::Suffix(domain)) => domain,
            _ => return Err(CookieFault::Malformed),
        };
    }
    // IDNA is more lenient than URLs are. It accepts a space, and the `#` that starts a comment
    // line in a file. It also ignores one leading dot.
    if Host::parse(&cookie.domain).is_err() || cookie.domain.starts_with('.') {
        return Err(CookieFault::Malformed);
    }
    Ok(cookie)
}

/// Whether a cookie from this URL came over TLS. Browsers also accept `http://localhost`; a game's
/// development server can do without `Secure`.
pub(super) fn is_secure(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "wss")
}

/// The lifetime attributes of a `Set-Cookie` field line.
#[derive(Default)]
struct Lifetime {
    max_age: Option<Duration>,
    expires: Option<SystemTime>,
}

/// Takes `Max-Age` and `Expires` out of the attributes, because the parser reads the clock itself
/// and accepts only some dates. Drops attributes that are too long. If an attribute has several
/// valid values, the last one counts; invalid ones are ignored (§5.6.1, §5.6.2).
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
    // A value that is too large means the same as the largest.
    let seconds = if negative {
        0
    } else {
        digits.parse().unwrap_or(u64::MAX)
    };
    Some(Duration::from_secs(seconds))
}

/// The rules for `__Secure-` and `__Host-` names (§4.1.3), in any letter case (§5.4). A cookie
/// without a name must not have a value that looks like one of them (§5.7, step 22).
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

/// The cookie's domain, and whether the cookie is for that host only (§5.7, steps 8 to 11).
fn domain(url: &Url, attribute: Option<&str>) -> Result<(String, bool), CookieFault> {
    let host = url.host_str().ok_or(CookieFault::Domain)?;
    let attribute = attribute.unwrap_or_default();
    if attribute.is_empty() || attribute.eq_ignore_ascii_case(host) && is_address(host) {
        return Ok((host.to_owned(), true));
    }
    if is_address(attribute) || is_address(host) {
        return Err(CookieFault::PublicSuffix);
    }
    // The parser removed the spaces around the attribute and then one dot (§5.6, §5.6.3). A second dot, and spaces
    // after the first, make a domain that matches no host.
    if attribute.starts_with('.') || attribute.contains(char::is_whitespace) {
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
