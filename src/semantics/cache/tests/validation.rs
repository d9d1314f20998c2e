use super::*;

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
    assert_eq!(HeaderMap::from_iter(validators), expected.to_header_map());

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
        ("last-modified", "@-50"),
        ("content-length", "4"),
        ("x-old", "1"),
        ("etag", "W/\"1\""),
        ("cache-control", "max-age=30"),
        ("link", "<b>"),
        ("link", "<c>"),
        ("date", "@20"),
        ("Age", "0"),
    ]);
    assert_eq!(found.fields, expected);
    assert_eq!(found.body, "body");
    assert_eq!(kind(&cache.lookup(asked.at(49))), "fresh");
    assert_eq!(kind(&cache.lookup(asked.at(50))), "stale");
    // A 304 without a date counts as sent now.
    let found = cache.freshen(asked.at(60), &fields(&[]), at(60)).unwrap();
    assert_eq!(
        (&found.body[..], found.fields.get("x-old")),
        (&b"body"[..], Some(&b"1"[..]))
    );
    assert_eq!(kind(&cache.lookup(asked.at(89))), "fresh");
    // A response that forbids storing is used once.
    let forbids = fields(&[("cache-control", "no-store")]);
    let found = cache.freshen(asked.at(95), &forbids, at(95)).unwrap();
    assert_eq!(found.body, "body");
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
    // The stored response has no validator.
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
        // At the very moment at which it was received.
        ("max-age=0, stale-if-error=20", "", 0, true),
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
        // §3 is about validation, not about errors.
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
fn stale_while_revalidate_rfc_5861_3() {
    for (response, request, seconds, expected) in [
        ("max-age=10, stale-while-revalidate=20", "", 10, true),
        ("max-age=10, stale-while-revalidate=20", "", 30, true),
        ("max-age=10, stale-while-revalidate=20", "", 31, false),
        ("max-age=10, Stale-While-Revalidate=\"20\"", "", 30, true),
        ("stale-while-revalidate=20", "", 20, true),
        ("max-age=10", "", 20, false),
        ("max-age=10", "stale-while-revalidate=20", 20, false),
        ("max-age=10, stale-if-error=20", "", 20, false),
        ("max-age=10, stale-while-revalidate=x", "", 20, false),
        (
            "max-age=10, stale-while-revalidate=20, must-revalidate",
            "",
            20,
            false,
        ),
        ("no-cache, stale-while-revalidate=20", "", 5, false),
        (
            "max-age=10, stale-while-revalidate=20",
            "no-cache",
            20,
            false,
        ),
        (
            "max-age=10, stale-while-revalidate=20",
            "max-age=60",
            20,
            false,
        ),
        (
            "max-age=10, stale-while-revalidate=20",
            "min-fresh=1",
            20,
            false,
        ),
    ] {
        let (mut cache, _) = stored(&[], &[("cache-control", response)]);
        let asked = Asked::get(&[("cache-control", request)]);
        let found = stale(cache.lookup(asked.at(seconds)));
        let what = format!("{response} / {request} after {seconds}");
        assert_eq!(found.while_revalidating.is_some(), expected, "{what}");
    }
    // The clock was set back: the age is unknown.
    let (mut cache, _) = stored(&[], &[("cache-control", "stale-while-revalidate=20")]);
    let asked = Asked::get(&[]);
    let early = CacheRequest {
        time: at(0) - Duration::from_secs(5),
        ..asked.at(0)
    };
    assert!(stale(cache.lookup(early)).while_revalidating.is_none());
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
