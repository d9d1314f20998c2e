//! The Netscape cookie file, as curl reads and writes it (`-b`, `-c`): one cookie per line, seven
//! fields separated by tabs. A line that starts with `#HttpOnly_` holds an HttpOnly cookie. Reading
//! and writing the file itself does not belong here.

use std::time::{Duration, UNIX_EPOCH};

use super::Cookie;
use crate::error::CookieFault;

const HEADER: &str = "# Netscape HTTP Cookie File\n";
const HTTP_ONLY: &str = "#HttpOnly_";

pub(super) fn write<'a>(cookies: impl Iterator<Item = &'a Cookie>) -> String {
    let mut file = String::from(HEADER);
    for cookie in cookies {
        // A tab would end the field and shift the fields after it.
        let fields = [&cookie.domain, &cookie.path, &cookie.name, &cookie.value];
        if fields.iter().any(|field| field.contains('\t')) {
            continue;
        }
        let flag = |flag: bool| if flag { "TRUE" } else { "FALSE" };
        // 0 is a session cookie.
        let expires = cookie.expires.map_or(0, |expires| {
            let since = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_secs().max(1)
        });
        file.push_str(&format!(
            "{}{}{}\t{}\t{}\t{}\t{expires}\t{}\t{}\n",
            if cookie.http_only { HTTP_ONLY } else { "" },
            if cookie.host_only { "" } else { "." },
            cookie.domain,
            flag(!cookie.host_only),
            cookie.path,
            flag(cookie.secure),
            cookie.name,
            cookie.value,
        ));
    }
    file
}

/// Each cookie with its line number.
pub(super) fn read(
    file: &[u8],
) -> impl Iterator<Item = (usize, Result<Cookie, CookieFault>)> + use<'_> {
    let lines = file.split(|&byte| byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            return Some((index + 1, Err(CookieFault::Characters)));
        };
        let (http_only, line) = match line.strip_prefix(HTTP_ONLY) {
            Some(line) => (true, line),
            None => (false, line),
        };
        if line.trim().is_empty() || !http_only && line.starts_with('#') {
            return None;
        }
        Some((
            index + 1,
            cookie(line, http_only).ok_or(CookieFault::Malformed),
        ))
    })
}

fn cookie(line: &str, http_only: bool) -> Option<Cookie> {
    let mut fields = line.split('\t');
    let domain = fields.next()?;
    let tail_match = flag(fields.next()?)?;
    let path = fields.next()?;
    let secure = flag(fields.next()?)?;
    let expires: u64 = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    // curl leaves out the last field when it is empty.
    let value = fields.next().unwrap_or_default();
    if fields.next().is_some() {
        return None;
    }
    Some(Cookie {
        host_only: !tail_match,
        path: path.to_owned(),
        secure,
        http_only,
        expires: match expires {
            0 => None,
            seconds => Some(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?),
        },
        ..Cookie::new(name, value, domain.strip_prefix('.').unwrap_or(domain))
    })
}

fn flag(field: &str) -> Option<bool> {
    match field {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    }
}
