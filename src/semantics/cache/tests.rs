use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::semantics::conditional::http_date;

const BASE: u64 = 1_000_000_000;
const URL: &str = "https://h.test/a?b";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(BASE + seconds)
}

fn date(seconds: i64) -> String {
    http_date(UNIX_EPOCH + Duration::from_secs(BASE.saturating_add_signed(seconds))).unwrap()
}

/// Fields from lines; `@5` as a value is the date 5 seconds after the base.
fn fields(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let value = match value.strip_prefix('@') {
            Some(seconds) => date(seconds.parse().unwrap()),
            None => (*value).to_owned(),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, value.parse().unwrap());
    }
    map
}

fn response(lines: &[(&str, &str)], body: &'static str) -> CachedResponse {
    CachedResponse {
        status: StatusCode::OK,
        headers: fields(lines),
        body: Bytes::from_static(body.as_bytes()),
    }
}

/// A request of this method with these lines, to be made into a [`CacheRequest`].
struct Asked(Method, Url, HeaderMap);

impl Asked {
    fn new(method: Method, url: &str, lines: &[(&str, &str)]) -> Self {
        Self(method, Url::parse(url).unwrap(), fields(lines))
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

/// A cache that stored one response at 0, and whether it did.
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

#[test]
fn what_is_stored_rfc_9111_3() {
    for (request, lines, expected) in [
        (&[][..], &[("cache-control", "max-age=9")][..], true),
        (&[], &[("cache-control", "private, max-age=9")], true),
        (
            &[("authorization", "x")],
            &[("cache-control", "max-age=9")],
            true,
        ),
        (&[], &[("cache-control", "no-cache")], true),
        (&[], &[("expires", "@9")], true),
        (&[], &[], true),
        (&[], &[("cache-control", "no-store")], false),
        (
            &[],
            &[
                ("cache-control", "max-age=9"),
                ("cache-control", "No-Store"),
            ],
            false,
        ),
        (
            &[("cache-control", "NO-STORE")],
            &[("cache-control", "max-age=9")],
            false,
        ),
        (
            &[],
            &[("cache-control", "max-age=9"), ("vary", "a, *")],
            false,
        ),
    ] {
        let (cache, kept) = stored(request, lines);
        assert_eq!(kept, expected, "{request:?} {lines:?}");
        assert_eq!(cache.len(), usize::from(expected));
        let asked = Asked::get(request);
        let wanted = cache.wants(asked.at(0), StatusCode::OK, &fields(lines), at(0));
        assert_eq!(wanted, expected);
    }
    for (method, status, expected) in [
        (Method::GET, 200, true),
        (Method::GET, 301, true),
        (Method::GET, 404, true),
        (Method::GET, 206, false),
        (Method::GET, 500, false),
        (Method::GET, 304, false),
        (Method::HEAD, 200, false),
        (Method::POST, 200, false),
        (Method::PUT, 200, false),
    ] {
        let asked = Asked::new(method.clone(), URL, &[]);
        let mut cache = HttpCache::new();
        let mut response = response(&[("cache-control", "max-age=9")], "");
        response.status = StatusCode::from_u16(status).unwrap();
        let kept = cache.store(asked.at(0), response, at(0));
        assert_eq!(kept, expected, "{method} {status}");
    }
}

#[test]
fn how_long_it_is_fresh_rfc_9111_4_2() {
    for (lines, last) in [
        // §5.2.2.1.
        (&[("cache-control", "max-age=100")][..], 99),
        (&[("Cache-Control", "Max-Age=\"100\"")], 99),
        (&[("cache-control", "max-age=100"), ("expires", "@5")], 99),
        (
            &[
                ("cache-control", "public"),
                ("cache-control", "max-age=100"),
            ],
            99,
        ),
        // For shared caches only.
        (&[("cache-control", "s-maxage=5, max-age=100")], 99),
        // §5.3.
        (&[("expires", "@100"), ("date", "@0")], 99),
        (&[("expires", "@100")], 99),
        // §4.2.3: the age it came with.
        (&[("cache-control", "max-age=100"), ("age", "40")], 59),
        (&[("cache-control", "max-age=100"), ("date", "@-40")], 59),
        (
            &[
                ("cache-control", "max-age=100"),
                ("date", "@-40"),
                ("age", "70"),
            ],
            29,
        ),
        (&[("cache-control", "max-age=100"), ("date", "@40")], 99),
        (
            &[
                ("cache-control", "max-age=100"),
                ("date", "x"),
                ("age", "x"),
            ],
            99,
        ),
        // §4.2.2: a tenth of the time since it was modified.
        (&[("last-modified", "@-1000"), ("date", "@0")], 99),
        (&[("last-modified", "@-1000")], 99),
    ] {
        let (mut cache, kept) = stored(&[], lines);
        assert!(kept);
        let asked = Asked::get(&[]);
        assert_eq!(kind(&cache.lookup(asked.at(last))), "fresh", "{lines:?}");
        assert_eq!(
            kind(&cache.lookup(asked.at(last + 2))),
            "stale",
            "{lines:?}"
        );
    }
    for lines in [
        &[][..],
        &[("cache-control", "no-cache, max-age=100")],
        &[("cache-control", "No-Cache=\"x\", max-age=100")],
        &[("cache-control", "max-age=0")],
        &[("cache-control", "max-age=x")],
        &[("cache-control", "max-age=-1")],
        &[
            ("cache-control", "max-age=100"),
            ("age", "18446744073709551615"),
        ],
        &[("expires", "0")],
        &[("expires", "-1"), ("last-modified", "@-1000")],
        &[("expires", "@0")],
    ] {
        let (mut cache, kept) = stored(&[], lines);
        assert!(kept);
        let lookup = cache.lookup(Asked::get(&[]).at(0));
        assert_eq!(kind(&lookup), "stale", "{lines:?}");
    }
    // The time the response took counts as age.
    let (asked, mut cache) = (Asked::get(&[]), HttpCache::new());
    let slow = response(&[("cache-control", "max-age=100")], "");
    assert!(cache.store(asked.at(0), slow, at(30)));
    let found = fresh(cache.lookup(asked.at(30)));
    assert_eq!(found.headers["age"], "30");
    assert_eq!(kind(&cache.lookup(asked.at(100))), "stale");
}

#[test]
fn what_a_request_may_ask_for_rfc_9111_5_2_1() {
    let plain = &[("cache-control", "max-age=100"), ("etag", "\"1\"")][..];
    let strict = &[("cache-control", "max-age=100, must-revalidate")][..];
    let never = &[("cache-control", "no-cache")][..];
    for (response, cache_control, seconds, expected) in [
        (plain, "", 50, "fresh"),
        (plain, "no-cache", 50, "stale"),
        (plain, "NO-CACHE", 50, "stale"),
        (plain, "no-store", 50, "miss"),
        (plain, "max-age=40", 50, "stale"),
        (plain, "max-age=60", 50, "fresh"),
        (plain, "min-fresh=60", 50, "stale"),
        (plain, "min-fresh=40", 50, "fresh"),
        (plain, "max-stale", 1000, "fresh"),
        (plain, "max-stale=60", 150, "fresh"),
        (plain, "max-stale=40", 150, "stale"),
        (strict, "max-stale", 150, "stale"),
        (never, "max-stale", 1, "stale"),
        (plain, "only-if-cached", 50, "fresh"),
        (plain, "only-if-cached", 150, "504"),
        (plain, "only-if-cached, max-stale", 150, "fresh"),
        (
            plain,
            "max-age=99999999999999999999, max-stale=99999999999999999999",
            50,
            "fresh",
        ),
    ] {
        let (mut cache, _) = stored(&[], response);
        let asked = Asked::get(&[("cache-control", cache_control)]);
        let lookup = cache.lookup(asked.at(seconds));
        assert_eq!(
            kind(&lookup),
            expected,
            "{cache_control} after {seconds} of {response:?}"
        );
    }
    let (mut cache, _) = stored(&[], plain);
    let other = Asked::new(
        Method::GET,
        "https://h.test/",
        &[("cache-control", "only-if-cached")],
    );
    assert_eq!(kind(&cache.lookup(other.at(0))), "504");
    let pragma = Asked::get(&[("pragma", "no-cache")]);
    assert_eq!(kind(&cache.lookup(pragma.at(0))), "stale");
    for line in [
        ("range", "bytes=0-1"),
        ("if-none-match", "\"1\""),
        ("if-match", "*"),
    ] {
        assert_eq!(
            kind(&cache.lookup(Asked::get(&[line]).at(0))),
            "miss",
            "{line:?}"
        );
    }
    let head = Asked::new(Method::HEAD, URL, &[]);
    assert_eq!(kind(&cache.lookup(head.at(0))), "miss");
}

#[test]
fn a_stored_response_is_as_it_came() {
    let lines = &[
        ("cache-control", "max-age=100"),
        ("link", "<a>"),
        ("link", "<b>"),
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("set-cookie", "a=1"),
        ("date", "@0"),
    ];
    let (mut cache, _) = stored(&[], lines);
    let found = fresh(cache.lookup(Asked::get(&[]).at(7)));
    let expected = fields(&[
        ("cache-control", "max-age=100"),
        ("link", "<a>"),
        ("link", "<b>"),
        ("date", "@0"),
        ("age", "7"),
    ]);
    assert_eq!(found.headers, expected);
    assert_eq!(
        (found.status, &found.body[..]),
        (StatusCode::OK, &b"body"[..])
    );
    // RFC 9110 §6.6.1: a `Date` of its own if there was none; and fragments do not matter.
    let (mut cache, _) = stored(&[], &[("cache-control", "max-age=100")]);
    let asked = Asked::new(Method::GET, "https://u:p@h.test/a?b#c", &[]);
    assert_eq!(fresh(cache.lookup(asked.at(7))).headers["date"], date(0));
}

#[test]
fn vary_rfc_9111_4_1() {
    let mut cache = HttpCache::new();
    let vary = &[
        ("cache-control", "max-age=100"),
        ("vary", "Accept, X-A"),
        ("vary", "x-b"),
    ];
    let requests = [
        &[("accept", "text/plain")][..],
        &[("accept", "text/html"), ("x-b", "1"), ("x-b", "2")],
        &[("x-a", "1")],
    ];
    for (request, body) in requests.into_iter().zip(["one", "two", "three"]) {
        assert!(cache.store(Asked::get(request).at(0), response(vary, body), at(0)));
    }
    assert_eq!(cache.len(), 3);
    for (request, body) in requests.into_iter().zip(["one", "two", "three"]) {
        assert_eq!(fresh(cache.lookup(Asked::get(request).at(1))).body, body);
    }
    for request in [
        &[][..],
        &[("accept", "image/png")],
        &[("accept", "text/html"), ("x-b", "1")],
        &[("accept", "text/html"), ("x-b", "1"), ("x-b", "3")],
    ] {
        assert_eq!(
            kind(&cache.lookup(Asked::get(request).at(1))),
            "miss",
            "{request:?}"
        );
    }
    // What it does not vary by does not matter, and the same selection replaces.
    let asked = Asked::get(&[("x-a", "1"), ("x-c", "1")]);
    assert!(cache.store(asked.at(0), response(vary, "four"), at(0)));
    assert_eq!(cache.len(), 3);
    assert_eq!(
        fresh(cache.lookup(Asked::get(&[("x-a", "1")]).at(1))).body,
        "four"
    );
}

#[test]
fn validation_rfc_9111_4_3() {
    let lines = &[
        ("cache-control", "max-age=10"),
        ("etag", "W/\"1\""),
        ("last-modified", "@-50"),
        ("content-length", "4"),
        ("x-old", "1"),
        ("link", "<a>"),
    ];
    let (mut cache, _) = stored(&[], lines);
    let asked = Asked::get(&[]);
    let validators = stale(cache.lookup(asked.at(20))).validators;
    let expected = fields(&[("if-none-match", "W/\"1\""), ("if-modified-since", "@-50")]);
    assert_eq!(HeaderMap::from_iter(validators), expected);

    let confirmed = fields(&[
        ("etag", "W/\"1\""),
        ("cache-control", "max-age=30"),
        ("content-length", "0"),
        ("content-encoding", "gzip"),
        ("link", "<b>"),
        ("link", "<c>"),
        ("date", "@20"),
    ]);
    let found = cache.freshen(asked.at(20), &confirmed, at(20)).unwrap();
    let expected = fields(&[
        ("etag", "W/\"1\""),
        ("last-modified", "@-50"),
        ("content-length", "4"),
        ("x-old", "1"),
        ("cache-control", "max-age=30"),
        ("link", "<b>"),
        ("link", "<c>"),
        ("date", "@20"),
        ("age", "0"),
    ]);
    assert_eq!(found.headers, expected);
    assert_eq!(found.body, "body");
    assert_eq!(kind(&cache.lookup(asked.at(49))), "fresh");
    assert_eq!(kind(&cache.lookup(asked.at(50))), "stale");
    // A 304 without a date is of now.
    assert!(cache.freshen(asked.at(60), &fields(&[]), at(60)).is_some());
    assert_eq!(kind(&cache.lookup(asked.at(89))), "fresh");
    // One that forbids to store is used once.
    let forbids = fields(&[("cache-control", "no-store")]);
    assert!(cache.freshen(asked.at(95), &forbids, at(95)).is_some());
    assert!(cache.is_empty());
    assert!(cache.freshen(asked.at(95), &forbids, at(95)).is_none());

    for (stored_lines, lines, expected) in [
        (&[("etag", "\"1\"")][..], &[("etag", "\"1\"")][..], true),
        (&[("etag", "\"1\"")], &[("etag", "\"2\"")], false),
        (&[("etag", "W/\"1\"")], &[("etag", "\"1\"")], false),
        (&[("etag", "\"1\"")], &[("etag", "W/\"1\"")], true),
        (&[("etag", "\"1\"")], &[], true),
        (&[], &[("etag", "\"1\"")], false),
        (&[], &[], true),
        (
            &[("last-modified", "@-5")],
            &[("last-modified", "@-5")],
            true,
        ),
        (
            &[("last-modified", "@-5")],
            &[("last-modified", "@-4")],
            false,
        ),
    ] {
        let (mut cache, _) = stored(&[], stored_lines);
        let confirmed = cache.freshen(asked.at(5), &fields(lines), at(5));
        assert_eq!(confirmed.is_some(), expected, "{stored_lines:?} {lines:?}");
        assert_eq!(cache.len(), usize::from(expected));
    }
    // Nothing to ask with.
    for lines in [&[("etag", "junk")][..], &[("last-modified", "junk")], &[]] {
        let (mut cache, _) = stored(&[], lines);
        assert!(
            stale(cache.lookup(asked.at(5))).validators.is_empty(),
            "{lines:?}"
        );
    }
}

#[test]
fn stale_if_error_rfc_5861_4() {
    for (response, request, seconds, expected) in [
        ("max-age=10, stale-if-error=20", "", 30, true),
        ("max-age=10, stale-if-error=20", "", 31, false),
        ("max-age=10", "", 20, false),
        ("max-age=10", "stale-if-error=20", 30, true),
        ("max-age=10", "stale-if-error=20", 31, false),
        (
            "max-age=10, stale-if-error=20, must-revalidate",
            "",
            20,
            false,
        ),
        ("no-cache, stale-if-error=20", "", 5, false),
        ("max-age=10, stale-if-error=x", "", 20, false),
        // §3: it may be used while it is being validated; not to is never wrong.
        ("max-age=10, stale-while-revalidate=20", "", 20, false),
    ] {
        let (mut cache, _) = stored(&[], &[("cache-control", response)]);
        let asked = Asked::get(&[("cache-control", request)]);
        let found = stale(cache.lookup(asked.at(seconds)));
        let what = format!("{response} / {request} after {seconds}");
        assert_eq!(found.if_error.is_some(), expected, "{what}");
    }
}

#[test]
fn invalidation_rfc_9111_4_4() {
    let other = "https://h.test/other";
    for (method, status, location, left) in [
        (Method::POST, 200, None, 1),
        (Method::PUT, 204, None, 1),
        (Method::DELETE, 303, None, 1),
        (Method::from_bytes(b"FROB").unwrap(), 200, None, 1),
        (Method::POST, 201, Some("/other"), 0),
        (Method::POST, 201, Some("https://h.test/other"), 0),
        (Method::POST, 201, Some("http://h.test/other"), 1),
        (Method::POST, 201, Some("https://evil.test/other"), 1),
        (Method::POST, 201, Some("https://["), 1),
        (Method::POST, 404, Some("/other"), 2),
        (Method::POST, 500, None, 2),
        (Method::GET, 200, None, 2),
        (Method::HEAD, 200, None, 2),
        (Method::OPTIONS, 200, None, 2),
    ] {
        for name in ["location", "content-location"] {
            let (mut cache, _) = stored(&[], &[("cache-control", "max-age=9")]);
            let second = Asked::new(Method::GET, other, &[]);
            assert!(cache.store(second.at(0), response(&[], ""), at(0)));
            let lines: Vec<_> = location.iter().map(|location| (name, *location)).collect();
            let asked = Asked::new(method.clone(), URL, &[]);
            let status = StatusCode::from_u16(status).unwrap();
            cache.invalidate(asked.at(1), status, &fields(&lines));
            assert_eq!(cache.len(), left, "{method} {status} {location:?}");
        }
    }
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let mut cache = HttpCache::with_max_bytes(4000);
    let asked = |name: &str| Asked::new(Method::GET, &format!("https://h.test/{name}"), &[]);
    let lines = &[("cache-control", "max-age=99")];
    for name in ["a", "b", "c"] {
        assert!(cache.store(asked(name).at(0), response(lines, "x"), at(0)));
    }
    assert_eq!(cache.len(), 3);
    let each = cache.bytes() / 3;
    cache = HttpCache::with_max_bytes(each * 3);
    for name in ["a", "b", "c"] {
        assert!(cache.store(asked(name).at(0), response(lines, "x"), at(0)));
    }
    fresh(cache.lookup(asked("a").at(0)));
    assert!(cache.store(asked("d").at(0), response(lines, "x"), at(0)));
    for (name, expected) in [
        ("a", "fresh"),
        ("b", "miss"),
        ("c", "fresh"),
        ("d", "fresh"),
    ] {
        assert_eq!(kind(&cache.lookup(asked(name).at(0))), expected, "{name}");
    }
    assert_eq!((cache.len(), cache.bytes()), (3, each * 3));
    // What is larger than the cache leaves it alone.
    let large = CachedResponse {
        body: Bytes::from(vec![0; each * 3]),
        ..response(lines, "")
    };
    assert!(!cache.store(asked("e").at(0), large, at(0)));
    assert_eq!(cache.len(), 3);
    cache.remove(&Url::parse("https://h.test/a#f").unwrap());
    assert_eq!((cache.len(), cache.bytes()), (2, each * 2));
    cache.clear();
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn a_clock_may_be_anywhere() {
    let lines = &[("cache-control", "max-age=100, stale-if-error=100")];
    let (mut cache, _) = stored(&[], lines);
    // Put back: the age is not known.
    let found = stale(cache.lookup(CacheRequest {
        time: at(0) - Duration::from_secs(5),
        ..Asked::get(&[]).at(0)
    }));
    assert!(found.if_error.is_none());
    let far = UNIX_EPOCH
        .checked_add(Duration::from_secs(1 << 62))
        .unwrap();
    let ago = UNIX_EPOCH
        .checked_sub(Duration::from_secs(1 << 40))
        .unwrap();
    let asked = Asked::get(&[("cache-control", "max-stale")]);
    for time in [far, ago, UNIX_EPOCH] {
        let request = CacheRequest {
            time,
            ..asked.at(0)
        };
        cache.lookup(request);
        cache.store(request, response(lines, ""), time);
        cache.lookup(request);
        cache.freshen(request, &fields(&[]), time);
        cache.lookup(asked.at(0));
    }
}

#[test]
fn a_cache_comes_back_from_its_bytes() {
    let mut cache = HttpCache::new();
    let secret = &[("cache-control", "max-age=99"), ("vary", "authorization")];
    let asked = Asked::get(&[("authorization", "secret")]);
    assert!(cache.store(asked.at(0), response(secret, "one"), at(0)));
    let vary = &[
        ("cache-control", "max-age=99"),
        ("vary", "accept"),
        ("age", "5"),
    ];
    let asked = Asked::new(Method::GET, "https://h.test/2", &[("accept", "x")]);
    assert!(cache.store(asked.at(0), response(vary, "two"), at(0)));
    let bytes = cache.to_bytes();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));

    let mut again = HttpCache::from_bytes(&bytes, None).unwrap();
    assert_eq!(again.len(), 1);
    let found = fresh(again.lookup(asked.at(3)));
    assert_eq!(
        (found.headers["age"].as_bytes(), &found.body[..]),
        (&b"8"[..], &b"two"[..])
    );
    assert_eq!(kind(&again.lookup(asked.at(94))), "stale");
    assert_eq!(
        kind(&again.lookup(Asked::new(Method::GET, "https://h.test/2", &[]).at(3))),
        "miss"
    );
    assert_eq!(again.to_bytes(), bytes);
    assert_eq!(HttpCache::from_bytes(&bytes, Some(10)).unwrap().len(), 0);
    let empty = HttpCache::new().to_bytes();
    assert!(HttpCache::from_bytes(&empty, None).unwrap().is_empty());

    for end in 0..bytes.len() {
        let fault = HttpCache::from_bytes(&bytes[..end], None).unwrap_err();
        let expected = if end < 8 {
            CacheFileFault::Version
        } else {
            CacheFileFault::Damaged
        };
        assert_eq!(fault, expected, "to {end}");
    }
    for index in 8..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0x40;
        let fault = HttpCache::from_bytes(&damaged, None).unwrap_err();
        assert_eq!(fault, CacheFileFault::Damaged, "at {index}");
    }
    let mut other = bytes;
    other[7] = b'2';
    assert_eq!(
        HttpCache::from_bytes(&other, None).unwrap_err(),
        CacheFileFault::Version
    );
}

#[test]
fn debug_shows_no_content() {
    let (mut cache, _) = stored(&[], &[("cache-control", "max-age=9"), ("x", "secret")]);
    let lookup = cache.lookup(Asked::get(&[]).at(0));
    let text = format!("{cache:?} {lookup:?}");
    assert!(text.contains("1 responses") && !text.contains("secret") && !text.contains("body"));
}
