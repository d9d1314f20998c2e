//! One `Set-Cookie` line, read and judged (RFC 6265bis §5.6, and of §5.7 what concerns one cookie
//! alone).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cookie_store::{CookieDomain, CookiePath, RawCookie};
use url::{Host, Url};

use super::{Cookie, SameSite};
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
    let (line, max_age) = without_max_age(line);
    let raw = RawCookie::parse(line).map_err(|_| CookieFault::Malformed)?;
    check_pair(raw.name(), raw.value())?;
    let secure = raw.secure() == Some(true);
    if secure && !is_secure(url) {
        return Err(CookieFault::NotSecure);
    }
    let path = match raw.path().and_then(CookiePath::parse) {
        Some(path) => path,
        None => CookiePath::default_path(url),
    };
    check_prefix(&raw, secure, path.is_from_path_attr() && &*path == "/")?;
    let (domain, host_only) = domain(url, raw.domain())?;
    let expires = match max_age {
        Some(age) => Some(now.checked_add(age.min(MAX_AGE)).unwrap_or(now)),
        None => raw
            .expires_datetime()
            .map(|date| from_unix(date.unix_timestamp()))
            .map(|date| date.min(now.checked_add(MAX_AGE).unwrap_or(now))),
    };
    Ok(Cookie {
        name: raw.name().to_owned(),
        value: raw.value().to_owned(),
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
    if name.is_empty() {
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

/// Takes `Max-Age` out, which the parser would add to a clock of its own, and attributes that are
/// too long. A `Max-Age` that is no number is ignored (§5.6.2).
fn without_max_age(line: &str) -> (String, Option<Duration>) {
    let mut kept = String::with_capacity(line.len());
    let mut max_age = None;
    for (index, part) in line.split(';').enumerate() {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if index > 0 && value.trim().len() > MAX_ATTRIBUTE {
            continue;
        }
        if index > 0 && name.trim().eq_ignore_ascii_case("max-age") {
            max_age = seconds(value.trim()).or(max_age);
            continue;
        }
        if index > 0 {
            kept.push(';');
        }
        kept.push_str(part);
    }
    (kept, max_age)
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

/// RFC 6265bis §4.1.3, and §5.4: in any case.
fn check_prefix(raw: &RawCookie<'_>, secure: bool, root: bool) -> Result<(), CookieFault> {
    let begins = |prefix: &str| {
        let start = raw.name().as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let kept = if begins("__Host-") {
        secure && root && raw.domain().is_none()
    } else if begins("__Secure-") {
        secure
    } else {
        true
    };
    if kept {
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

/// Before 1970 is long ago all the same.
fn from_unix(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
