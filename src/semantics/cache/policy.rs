//! [`Entry`]: one stored response, and the rules of RFC 9111 for it: storing (§3), freshness
//! (§4.2), validation (§4.3) and `Vary` (§4.1). Which entry belongs to which URL is in `store`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    AGE, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PRAGMA, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};

use super::directives::{delta_seconds, directive, directive_of};
use super::library_view::{Seen, SeenResponse, clamp, combined, normal, parse_date};
use super::{CacheRequest, CachedResponse};
use crate::proto::FieldLines;
use crate::semantics::conditional::{ETag, parse_http_date};

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
