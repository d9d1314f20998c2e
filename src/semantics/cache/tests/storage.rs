use super::*;
use crate::error::CacheFileFault;

#[test]
fn a_stored_response_has_the_servers_fields_and_no_others_but_age() {
    for (lines, expected) in [
        // Case, order and duplicates are those of the server.
        (
            &[
                ("X-Zeta", "1"),
                ("Cache-Control", "max-age=100"),
                ("LINK", "<a>"),
                ("Date", "@0"),
                ("link", "<b>"),
                ("eTag", "\"1\""),
            ][..],
            &[
                ("X-Zeta", "1"),
                ("Cache-Control", "max-age=100"),
                ("LINK", "<a>"),
                ("Date", "@0"),
                ("link", "<b>"),
                ("eTag", "\"1\""),
                ("Age", "7"),
            ][..],
        ),
        // RFC 9110 §6.6.1 lets a cache add `Date`. The time of arrival is kept elsewhere.
        (
            &[("Cache-Control", "max-age=100")],
            &[("Cache-Control", "max-age=100"), ("Age", "7")],
        ),
        // What the response varies by for this cache alone is not shown.
        (
            &[("Vary", "X-A"), ("Expires", "@100")],
            &[("Vary", "X-A"), ("Expires", "@100"), ("Age", "7")],
        ),
        // RFC 9111 §5.1: the age of now replaces the one that arrived.
        (
            &[("AGE", "5"), ("cache-control", "max-age=100")],
            &[("cache-control", "max-age=100"), ("Age", "12")],
        ),
        // How the content was sent.
        (
            &[
                ("cache-control", "max-age=100"),
                ("Content-Encoding", "gzip"),
                ("Content-Length", "30"),
            ],
            &[
                ("cache-control", "max-age=100"),
                ("Content-Encoding", "gzip"),
                ("Content-Length", "30"),
                ("Age", "7"),
            ],
        ),
        // RFC 9111 §3.1: fields of the connection. Cookies were processed when they arrived.
        (
            &[
                ("cache-control", "max-age=100"),
                ("Connection", "x-hop, close"),
                ("X-Hop", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Transfer-Encoding", "chunked"),
                ("Set-Cookie", "a=1"),
            ],
            &[("cache-control", "max-age=100"), ("Age", "7")],
        ),
    ] {
        let (cache, _) = stored(&[], lines);
        let loaded = HttpCache::from_bytes(&cache.to_bytes(), None).unwrap();
        for mut cache in [cache, loaded] {
            // Fragments and credentials in the URL do not matter.
            let asked = Asked::new(Method::GET, "https://u:p@h.test/a?b#c", &[]);
            let found = fresh(cache.lookup(asked.at(7)));
            assert_eq!(found.fields, fields(expected), "{lines:?}");
            assert_eq!(
                (found.status, &found.body[..]),
                (StatusCode::OK, &b"body"[..])
            );
        }
    }
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
fn a_url_keeps_its_16_most_recently_used_variants() {
    let mut cache = HttpCache::new();
    let asked = |name: usize| Asked::get(&[("x-request-id", name.to_string().as_str())]);
    let vary = [("cache-control", "max-age=100"), ("vary", "X-Request-Id")];
    for name in 0..40 {
        cache.store(asked(name).at(0), response(&vary, "body"), at(0));
        // The first one stays in use.
        fresh(cache.lookup(asked(0).at(1)));
    }
    let kept: Vec<usize> = (0..40)
        .filter(|name| matches!(cache.lookup(asked(*name).at(2)), Lookup::Fresh(_)))
        .collect();
    let recent: Vec<usize> = [0].into_iter().chain(25..40).collect();
    assert_eq!((kept, cache.len()), (recent, 16));
    let other = Asked::new(Method::GET, "https://h.test/other", &[]);
    cache.store(other.at(0), response(&vary, "other"), at(0));
    assert_eq!(cache.len(), 17);
    let loaded = HttpCache::from_bytes(&cache.to_bytes(), None).unwrap();
    assert_eq!((loaded.len(), loaded.bytes()), (17, cache.bytes()));
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
        (found.fields.get("age"), &found.body[..]),
        (Some(&b"8"[..]), &b"two"[..])
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

#[test]
fn the_revision_changes_with_everything_that_is_stored_or_removed() {
    let mut cache = HttpCache::new();
    let mut seen = vec![cache.revision()];
    let mut note = |cache: &HttpCache, what: &str| {
        assert!(!seen.contains(&cache.revision()), "{what}: {seen:?}");
        seen.push(cache.revision());
    };
    let lines = &[("cache-control", "max-age=99")];
    let asked = |name: &str| Asked::new(Method::GET, &format!("https://h.test/{name}"), &[]);
    assert!(cache.is_empty());
    for name in ["a", "b"] {
        assert!(cache.store(asked(name).at(0), response(lines, "x"), at(0)));
        note(&cache, "stored");
    }
    assert!(!cache.is_empty());
    let before = cache.revision();
    fresh(cache.lookup(asked("a").at(0)));
    assert_eq!(cache.revision(), before, "a use changes only the order");
    cache.remove(&Url::parse("https://h.test/a").unwrap());
    note(&cache, "removed");
    cache.clear();
    note(&cache, "cleared");
    assert!(cache.is_empty());
}

#[test]
fn a_cache_holds_32_mib_unless_another_limit_is_set() {
    let mib = 1024 * 1024;
    for (length, fits) in [(32 * mib - 2048, true), (32 * mib, false)] {
        let mut cache = HttpCache::new();
        let large = CachedResponse {
            body: Bytes::from(vec![0; length]),
            ..response(&[("cache-control", "max-age=9")], "")
        };
        assert_eq!(cache.store(Asked::get(&[]).at(0), large, at(0)), fits);
    }
}

#[test]
fn the_bytes_of_a_response_are_those_of_its_url_fields_and_content() {
    let (cache, kept) = stored(&[], &[("cache-control", "max-age=9"), ("X-A", "bc")]);
    assert!(kept);
    // The URL and the fields are held twice; a field takes 64 bytes more than its name and value.
    let fields = (13 + 9 + 64) + (3 + 2 + 64);
    let expected = 512 + 2 * URL.len() + 2 * fields + "body".len();
    assert_eq!(cache.bytes(), expected);
    // A response may fill the whole cache.
    for (max_bytes, fits) in [(expected, true), (expected - 1, false)] {
        let mut small = HttpCache::with_max_bytes(max_bytes);
        let lines = &[("cache-control", "max-age=9"), ("X-A", "bc")];
        let asked = Asked::get(&[]);
        assert_eq!(
            small.store(asked.at(0), response(lines, "body"), at(0)),
            fits
        );
    }
    assert_eq!(cache.snapshot().to_bytes(), cache.to_bytes());
}
