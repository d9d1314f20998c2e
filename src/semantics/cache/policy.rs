//! [`Entry`]: one stored response, and the rules of RFC 9111 for it: storing (§3), freshness
//! (§4.2), validation (§4.3) and `Vary` (§4.1). Which entry belongs to which URL is in `store`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    DATE, ETAG, EXPIRES, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PRAGMA,
    TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy, RequestLike, ResponseLike};

use super::{CacheRequest, CachedResponse};
use crate::proto::FieldLines;
use crate::semantics::conditional::{ETag, http_date, parse_http_date};

/// One stored response.
pub(super) struct Entry {
    /// Only those request fields that the response varies by: others may be secrets.
    pub(super) varied: HeaderMap,
    pub(super) response: CachedResponse,
    /// The time at which the age of the response was 0 (RFC 9111 §4.2.3).
    pub(super) born: SystemTime,
    pub(super) received: SystemTime,
    policy: CachePolicy,
}

/// How well a stored response matches a request.
pub(super) enum Suits {
    Fresh,
    Stale,
    /// It belongs to a request with other fields (§4.1).
    Not,
}

impl Entry {
    /// `None` when the response must not be stored (RFC 9111 §3).
    pub(super) fn new(
        request: CacheRequest<'_>,
        response: CachedResponse,
        now: SystemTime,
    ) -> Option<Self> {
        if request.method != Method::GET
            || directive(request.headers, "no-store").is_some()
            || response.fields.list(VARY.as_str()).any(|name| name == b"*")
        {
            return None;
        }
        let received = clamp(now);
        let age = initial_age(&response.fields, clamp(request.time), received);
        let varied = varied(&response.fields, request.headers);
        let response = stripped(response);
        let born = received.checked_sub(age).unwrap_or(UNIX_EPOCH);
        let entry = Self::restore(varied, response, born, received);
        entry.policy.is_storable().then_some(entry)
    }

    /// The entry as it was stored.
    pub(super) fn restore(
        varied: HeaderMap,
        response: CachedResponse,
        born: SystemTime,
        received: SystemTime,
    ) -> Self {
        let options = CacheOptions {
            shared: false,
            ..CacheOptions::default()
        };
        let request = Seen(combined(&varied));
        let seen = SeenResponse(response.status, normal(&response.fields, received));
        Self {
            policy: CachePolicy::new_options(&request, &seen, clamp(born), options),
            varied,
            response,
            born,
            received,
        }
    }

    pub(super) fn suits(&self, request: CacheRequest<'_>) -> Suits {
        let now = clamp(request.time);
        let seen = Seen(combined(request.headers));
        match self.policy.before_request(&seen, now) {
            BeforeRequest::Stale { matches: false, .. } => Suits::Not,
            // The response is from the future: the clock was set back, so its age is unknown.
            BeforeRequest::Fresh(_) if now < self.received => Suits::Stale,
            // §5.2.2.4 does not allow this even with `max-stale`.
            BeforeRequest::Fresh(_) if self.says("no-cache") => Suits::Stale,
            BeforeRequest::Fresh(_) => Suits::Fresh,
            BeforeRequest::Stale { .. } => Suits::Stale,
        }
    }

    /// The response with its age (§5.1).
    pub(super) fn aged(&self, now: SystemTime) -> CachedResponse {
        let mut response = self.response.clone();
        let age = self.policy.age(clamp(now)).as_secs();
        response.fields.remove(AGE.as_str());
        // Digits are a valid value.
        let _ = response.fields.append("Age", age.to_string());
        response
    }

    /// The fields that ask whether the response is still valid (§4.3.1).
    pub(super) fn validators(&self) -> Vec<(HeaderName, HeaderValue)> {
        let fields = &self.response.fields;
        let mut validators = Vec::new();
        if let Some(etag) = fields.get(ETAG.as_str())
            && ETag::parse(etag).is_some()
            && let Ok(etag) = HeaderValue::from_bytes(etag)
        {
            validators.push((IF_NONE_MATCH, etag));
        }
        if let Some(date) = fields.get(LAST_MODIFIED.as_str())
            && parse_http_date(date).is_some()
            && let Ok(date) = HeaderValue::from_bytes(date)
        {
            validators.push((IF_MODIFIED_SINCE, date));
        }
        validators
    }

    /// Whether the stale response may be used when the server fails (RFC 5861 §4).
    pub(super) fn serves_errors(&self, request: CacheRequest<'_>) -> bool {
        if self.says("no-cache") || self.says("must-revalidate") {
            return false;
        }
        let now = clamp(request.time);
        if now < self.received {
            return false;
        }
        let staleness = self.staleness(now);
        let name = "stale-if-error";
        let given = [
            directive_of(&self.response.fields, name),
            directive(request.headers, name),
        ];
        given
            .into_iter()
            .filter_map(|seconds| delta_seconds(&seconds?))
            .any(|seconds| staleness <= seconds)
    }

    /// Whether the stale response may be used while it is validated (RFC 5861 §3). A request with limits of its
    /// own gets nothing older.
    pub(super) fn serves_while_revalidating(&self, request: CacheRequest<'_>) -> bool {
        let limits = ["no-cache", "max-age", "min-fresh"];
        if self.says("no-cache")
            || self.says("must-revalidate")
            || request.headers.contains_key(PRAGMA)
            || limits
                .iter()
                .any(|name| directive(request.headers, name).is_some())
        {
            return false;
        }
        let now = clamp(request.time);
        let window = directive_of(&self.response.fields, "stale-while-revalidate");
        let window = window.and_then(|seconds| delta_seconds(&seconds));
        now >= self.received && window.is_some_and(|window| self.staleness(now) <= window)
    }

    /// How long the response has been stale. `now` is clamped.
    fn staleness(&self, now: SystemTime) -> Duration {
        let lifetime = self.policy.time_to_live(clamp(self.born));
        self.policy.age(now).saturating_sub(lifetime)
    }

    /// Whether this is the response that a `304` with these fields confirms (§4.3.4).
    pub(super) fn is_confirmed_by(&self, fields: &FieldLines) -> bool {
        let etag = |fields: &FieldLines| ETag::parse(fields.get(ETAG.as_str())?);
        let stored = &self.response.fields;
        match (etag(stored), etag(fields)) {
            (Some(stored), Some(new)) if new.is_strong() => stored.strongly_matches(&new),
            (Some(stored), Some(new)) => stored.weakly_matches(&new),
            (None, Some(_)) => false,
            (_, None) => match fields.get(LAST_MODIFIED.as_str()) {
                Some(date) => stored
                    .get(LAST_MODIFIED.as_str())
                    .is_none_or(|stored| stored == date),
                None => true,
            },
        }
    }

    /// The stored response with the fields of a `304` (§3.2).
    pub(super) fn freshened(
        &self,
        request: CacheRequest<'_>,
        fields: &FieldLines,
        now: SystemTime,
    ) -> Option<Self> {
        let is_new = |name: &str| {
            let is_kept = KEPT
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept.as_str()));
            !is_kept && fields.contains(name)
        };
        let mut response = self.response.clone();
        // The time of the old response would make the new one look older than it is.
        response.fields.remove(AGE.as_str());
        response.fields.remove(DATE.as_str());
        let stored = std::mem::take(&mut response.fields);
        let old = stored.iter().filter(|(name, _)| !is_new(name));
        let new = fields.iter().filter(|(name, _)| is_new(name));
        for (name, value) in old.chain(new) {
            // It was a valid field when it arrived.
            let _ = response.fields.append(name, value);
        }
        Self::new(request, response, now)
    }

    fn says(&self, name: &str) -> bool {
        directive_of(&self.response.fields, name).is_some()
    }
}

/// Whether the field describes the stored content, so that a `304` does not replace it (RFC 9111
/// §3.2).
const KEPT: [HeaderName; 4] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TRANSFER_ENCODING,
];

/// The argument of a `Cache-Control` directive of a request: empty when it has no argument, `None` when the
/// directive is absent.
pub(super) fn directive(headers: &HeaderMap, name: &str) -> Option<String> {
    directive_of(&cache_control(headers), name)
}

/// The same of a response.
fn directive_of(fields: &FieldLines, name: &str) -> Option<String> {
    let found = directives(fields).find(|(found, _)| found == name);
    found.map(|(_, argument)| argument.unwrap_or_default())
}

/// The directives of `Cache-Control`: the names in lower case, the arguments without quotes. A comma inside of quotes
/// does not separate directives (RFC 9110 §5.6.1).
fn directives(fields: &FieldLines) -> impl Iterator<Item = (String, Option<String>)> {
    fields.list(CACHE_CONTROL.as_str()).map(|item| {
        let item = String::from_utf8_lossy(item);
        let (name, argument) = match item.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (&*item, None),
        };
        let argument = argument.map(|it| it.trim().trim_matches('"').to_owned());
        (name.trim().to_ascii_lowercase(), argument)
    })
}

/// The `Cache-Control` lines alone.
fn cache_control(headers: &HeaderMap) -> FieldLines {
    let mut fields = FieldLines::new();
    for value in headers.get_all(CACHE_CONTROL) {
        // It was a valid field before.
        let _ = fields.append(CACHE_CONTROL.as_str(), value);
    }
    fields
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

/// A number of seconds. What is too large for a cache means the longest time that every cache understands (RFC 9111
/// §1.2.2).
fn delta_seconds(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 1 << 31;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().map_or(LONGEST, |it: u64| it.min(LONGEST))))
}

/// RFC 9111 §4.2.3: `corrected_initial_age`.
fn initial_age(fields: &FieldLines, requested: SystemTime, received: SystemTime) -> Duration {
    let since = |time| received.duration_since(time).unwrap_or_default();
    let date = fields.get(DATE.as_str()).and_then(parse_date);
    let stated = fields
        .get(AGE.as_str())
        // In a list, only the first member counts (§5.1).
        .and_then(|age| delta_seconds(str::from_utf8(age).ok()?.split(',').next()?.trim()))
        .unwrap_or_default();
    date.map_or(Duration::ZERO, since)
        .max(stated.saturating_add(since(requested)))
}

/// A date in any letter case (§4.2), as in `SUN, 06 nov 1994 08:49:37 gmt`.
fn parse_date(value: &[u8]) -> Option<SystemTime> {
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
fn clamp(time: SystemTime) -> SystemTime {
    let last = UNIX_EPOCH
        .checked_add(Duration::from_secs(253_402_300_799))
        .unwrap_or(UNIX_EPOCH);
    time.clamp(UNIX_EPOCH, last)
}

/// The request fields that the response's `Vary` names, and the user: an agent may serve several users, and
/// RFC 9111 §3.5 is about shared caches only.
fn varied(response: &FieldLines, request: &HeaderMap) -> HeaderMap {
    let mut varied = HeaderMap::new();
    let names = response.list(VARY.as_str());
    for name in names.chain([AUTHORIZATION.as_str().as_bytes()]) {
        let Ok(name) = HeaderName::from_bytes(name) else {
            continue;
        };
        varied.remove(&name);
        for value in request.get_all(&name) {
            varied.append(&name, value.clone());
        }
    }
    varied
}

/// The fields without those of the connection (RFC 9111 §3.1) and without cookies. The cookies were
/// processed on arrival and would be outdated on reuse.
fn stripped(mut response: CachedResponse) -> CachedResponse {
    let nominated = response.fields.list(CONNECTION.as_str());
    let nominated: Vec<String> = nominated
        .filter_map(|name| str::from_utf8(name).ok())
        .map(str::to_owned)
        .collect();
    let fixed = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    for name in nominated.iter().map(String::as_str).chain(fixed) {
        response.fields.remove(name);
    }
    response
}

/// Joins all field lines of a name into one, and leaves out `Host`, which is part of the URL. The
/// library reads only first field lines, and only plain directives.
fn combined(headers: &HeaderMap) -> HeaderMap {
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

/// How long a response is fresh at most whose server does not say how long: a tenth of the time since its
/// modification (§4.2.2), as far as that means anything. Files without a time often have one of 1970 or 1980.
const LONGEST_GUESS: Duration = Duration::from_secs(7 * 24 * 3600);

/// The fields of a response in the spelling that the library understands: dates in the preferred
/// format, and no `Age`, because [`Entry::born`] already includes it. A response without `Date` has the
/// time at which it was received (RFC 9110 §6.6.1), and every response varies by the user.
fn normal(fields: &FieldLines, received: SystemTime) -> HeaderMap {
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

/// A `GET` with these fields. The caller has already checked that the URL matches.
struct Seen(HeaderMap);

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

struct SeenResponse(StatusCode, HeaderMap);

impl ResponseLike for SeenResponse {
    fn status(&self) -> StatusCode {
        self.0
    }

    fn headers(&self) -> &HeaderMap {
        &self.1
    }
}
