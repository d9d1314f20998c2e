use super::*;
use crate::error::CacheFileFault;

#[test]
fn a_stored_response_is_returned_as_received() {
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
    // RFC 9110 §6.6.1: the cache adds a `Date` if there was none. Fragments do not matter.
    let (mut cache, _) = stored(&[], &[("cache-control", "max-age=100")]);
    let asked = Asked::new(Method::GET, "https://u:p@h.test/a?b#c", &[]);
    assert_eq!(fresh(cache.lookup(asked.at(7))).headers["date"], date(0));
}

#[test]
fn the_least_recently_used_response_is_removed_first() {
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
    // A response larger than the cache changes nothing.
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
fn a_cache_is_restored_from_its_bytes() {
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
fn a_forged_file_is_refused_or_harmless() {
    let mut cache = HttpCache::new();
    let vary = &[
        ("cache-control", "max-age=99"),
        ("vary", "accept"),
        ("etag", "\"1\""),
    ];
    let asked = Asked::get(&[("accept", "x")]);
    assert!(cache.store(asked.at(0), response(vary, "body"), at(0)));
    let bytes = cache.to_bytes();
    let end = bytes.len() - 8;
    for index in 8..end {
        for change in [0x01, 0x20, 0x80, 0xff] {
            let mut forged = bytes.clone();
            forged[index] ^= change;
            let sum = file::checksum(&forged[..end]);
            forged[end..].copy_from_slice(&sum.to_be_bytes());
            if let Ok(mut cache) = HttpCache::from_bytes(&forged, None) {
                cache.lookup(asked.at(5));
                cache.freshen(asked.at(200), &fields(&[("etag", "\"1\"")]), at(200));
                cache.to_bytes();
            }
        }
    }
}

#[test]
fn debug_shows_no_content() {
    let (mut cache, _) = stored(&[], &[("cache-control", "max-age=9"), ("x", "secret")]);
    let lookup = cache.lookup(Asked::get(&[]).at(0));
    let text = format!("{cache:?} {lookup:?}");
    assert!(text.contains("1 responses") && !text.contains("secret") && !text.contains("body"));
}
