//! Requests and responses in the one spelling that the crate `http-cache-semantics` understands: single field lines,
//! plain directives, dates in the preferred format.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HOST, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_cache_semantics::{RequestLike, ResponseLike};

use super::directives::{cache_control, delta_seconds, directives};
use crate::proto::FieldLines;
use crate::semantics::conditional::{http_date, parse_http_date};

/// Joins all field lines of a name into one, and leaves out `Host`, which is part of the URL. The
/// library reads only first field lines, and only plain directives.
pub(super) fn combined(headers: &HeaderMap) -> HeaderMap {
    let mut combined = HeaderMap::with_capacity(headers.keys_len());
    for name in headers.keys().filter(|name| *name != HOST) {
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|v| v.as_bytes()).collect();
        let value = if name == CACHE_CONTROL {
            plain_directives(headers).into_bytes()
        } else {
            lines.join(&b", "[..])
        };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            combined.insert(name, value);
        }
    }
    combined
}

/// The directives in the spelling that the library understands, which splits at commas inside of quotes and ignores
/// the whole field if one byte is not ASCII. An argument that is not a number has no meaning here; `x` stands for it.
fn plain_directives(headers: &HeaderMap) -> String {
    let fields = cache_control(headers);
    let known =
        directives(&fields).filter(|(name, _)| HeaderName::from_bytes(name.as_bytes()).is_ok());
    let plain = known.map(
        |(name, argument)| match argument.map(|it| delta_seconds(&it)) {
            None => name,
            Some(Some(seconds)) => format!("{name}={}", seconds.as_secs()),
            Some(None) => format!("{name}=x"),
        },
    );
    plain.collect::<Vec<_>>().join(", ")
}

/// How long a response is fresh at most whose server does not say how long: a tenth of the time since its
/// modification (§4.2.2), as far as that means anything. Files without a time often have one of 1970 or 1980.
const LONGEST_GUESS: Duration = Duration::from_secs(7 * 24 * 3600);

/// The fields of a response in the spelling that the library understands: dates in the preferred
/// format, and no `Age`, because the time at which the entry was born already includes it. A response without `Date` has the
/// time at which it was received (RFC 9110 §6.6.1), and every response varies by the user.
pub(super) fn normal(fields: &FieldLines, received: SystemTime) -> HeaderMap {
    let mut complete = FieldLines::new();
    // These are valid, and so is what arrived.
    let _ = complete.append("Vary", "authorization");
    if !fields.contains("date")
        && let Some(date) = http_date(clamp(received))
    {
        let _ = complete.append("Date", date);
    }
    for (name, value) in fields.iter() {
        let _ = complete.append(name, value);
    }
    let mut normal = combined(&complete.to_header_map());
    normal.remove(AGE);
    let mut made = received;
    for name in [DATE, EXPIRES, LAST_MODIFIED] {
        let value = normal.get(&name);
        let mut date = value.and_then(|value| parse_date(value.as_bytes()));
        if name == DATE {
            made = date.unwrap_or(received);
        } else if name == LAST_MODIFIED {
            let earliest = made.checked_sub(10 * LONGEST_GUESS).unwrap_or(UNIX_EPOCH);
            date = date.map(|modified| modified.max(earliest));
        }
        let date = date.and_then(http_date);
        match date.map(HeaderValue::try_from) {
            Some(Ok(date)) => {
                normal.insert(name, date);
            }
            // An `Expires` that is not an HTTP date means a time in the past (§5.3). The library
            // would accept some of these as dates.
            _ if name == EXPIRES && normal.contains_key(EXPIRES) => {
                normal.insert(name, HeaderValue::from_static("0"));
            }
            _ => {
                normal.remove(name);
            }
        }
    }
    normal
}

/// A date in any letter case (§4.2), as in `SUN, 06 nov 1994 08:49:37 gmt`.
pub(super) fn parse_date(value: &[u8]) -> Option<SystemTime> {
    let mut usual = String::with_capacity(value.len());
    for letter in str::from_utf8(value).ok()?.chars() {
        let is_in_word = usual.ends_with(|before: char| before.is_ascii_alphabetic());
        usual.push(if is_in_word {
            letter.to_ascii_lowercase()
        } else {
            letter.to_ascii_uppercase()
        });
    }
    parse_http_date(usual.replace("Gmt", "GMT").as_bytes())
}

/// Whether the library can print this time: it would panic outside the years 1900 to 9999.
pub(super) fn clamp(time: SystemTime) -> SystemTime {
    let last = UNIX_EPOCH
        .checked_add(Duration::from_secs(253_402_300_799))
        .unwrap_or(UNIX_EPOCH);
    time.clamp(UNIX_EPOCH, last)
}

/// A `GET` with these fields. The caller has already checked that the URL matches.
pub(super) struct Seen(pub(super) HeaderMap);

impl RequestLike for Seen {
    fn uri(&self) -> Uri {
        Uri::default()
    }

    fn is_same_uri(&self, _: &Uri) -> bool {
        true
    }

    fn method(&self) -> &Method {
        &Method::GET
    }

    fn headers(&self) -> &HeaderMap {
        &self.0
    }
}

pub(super) struct SeenResponse(pub(super) StatusCode, pub(super) HeaderMap);

impl ResponseLike for SeenResponse {
    fn status(&self) -> StatusCode {
        self.0
    }

    fn headers(&self) -> &HeaderMap {
        &self.1
    }
}
