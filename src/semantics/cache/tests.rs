use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::semantics::conditional::http_date;

mod freshness;
mod storage;
mod validation;

const BASE: u64 = 1_000_000_000;
const URL: &str = "https://h.test/a?b";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(BASE + seconds)
}

fn date(seconds: i64) -> String {
    http_date(UNIX_EPOCH + Duration::from_secs(BASE.saturating_add_signed(seconds))).unwrap()
}

/// Fields from field lines. `@5` as a value is the date 5 seconds after the base time.
fn fields(lines: &[(&str, &str)]) -> FieldLines {
    let mut fields = FieldLines::new();
    for (name, value) in lines {
        let value = match value.strip_prefix('@') {
            Some(seconds) => date(seconds.parse().unwrap()),
            None => (*value).to_owned(),
        };
        fields.append(name, value).unwrap();
    }
    fields
}

fn response(lines: &[(&str, &str)], body: &'static str) -> CachedResponse {
    CachedResponse {
        status: StatusCode::OK,
        fields: fields(lines),
        body: Bytes::from_static(body.as_bytes()),
    }
}

/// The method, URL and field lines of a request, to convert into a [`CacheRequest`].
struct Asked(Method, Url, HeaderMap);

impl Asked {
    fn new(method: Method, url: &str, lines: &[(&str, &str)]) -> Self {
        Self(
            method,
            Url::parse(url).unwrap(),
            fields(lines).to_header_map(),
        )
    }

    fn get(lines: &[(&str, &str)]) -> Self {
        Self::new(Method::GET, URL, lines)
    }

    fn at(&self, seconds: u64) -> CacheRequest<'_> {
        CacheRequest {
            method: &self.0,
            url: &self.1,
            headers: &self.2,
            time: at(seconds),
        }
    }
}

/// A cache that was given one response at time 0, and whether it stored the response.
fn stored(request: &[(&str, &str)], lines: &[(&str, &str)]) -> (HttpCache, bool) {
    let mut cache = HttpCache::new();
    let kept = cache.store(Asked::get(request).at(0), response(lines, "body"), at(0));
    (cache, kept)
}

fn kind(lookup: &Lookup) -> &'static str {
    match lookup {
        Lookup::Fresh(_) => "fresh",
        Lookup::Stale(_) => "stale",
        Lookup::Miss => "miss",
        Lookup::GatewayTimeout => "504",
    }
}

fn fresh(lookup: Lookup) -> CachedResponse {
    match lookup {
        Lookup::Fresh(response) => response,
        other => panic!("{other:?}"),
    }
}

fn stale(lookup: Lookup) -> Stale {
    match lookup {
        Lookup::Stale(stale) => stale,
        other => panic!("{other:?}"),
    }
}
