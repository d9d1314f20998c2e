use super::*;

#[test]
fn responses_that_are_stored_rfc_9111_3() {
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
        // A byte that is not ASCII does not hide the other directives.
        (
            &[],
            &[("cache-control", "max-age=9, no-store, by=\"\u{e9}\"")],
            false,
        ),
        // RFC 9110 §5.6.4: what is in quotes is one argument.
        (
            &[],
            &[("cache-control", "by=\"a, no-store, b\", max-age=9")],
            true,
        ),
    ] {
        let (cache, kept) = stored(request, lines);
        assert_eq!(kept, expected, "{request:?} {lines:?}");
        assert_eq!(cache.len(), usize::from(expected));
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
fn freshness_lifetime_rfc_9111_4_2() {
    for (lines, last) in [
        // §5.2.2.1.
        (&[("cache-control", "max-age=100")][..], 99),
        (&[("Cache-Control", "Max-Age=\"100\"")], 99),
        (
            &[("cache-control", "by=\"a, max-age=5, b\", max-age=100")],
            99,
        ),
        (&[("cache-control", "max-age=100, by=\"\u{e9}\"")], 99),
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
        // The lifetime begins at the date of the server, and so does the age.
        (&[("expires", "@100"), ("date", "@-40")], 99),
        (&[("expires", "@100")], 99),
        (&[("expires", "@100"), ("age", "40")], 59),
        (&[("expires", "@140"), ("date", "@40")], 99),
        // §4.2.3: the response arrives with an age.
        (&[("cache-control", "max-age=100"), ("age", "40")], 59),
        // §5.1: only the first member of a list counts.
        (&[("cache-control", "max-age=100"), ("age", "40, 0")], 59),
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
        // §4.2.2: a tenth of the time since the last modification.
        (&[("last-modified", "@-1000"), ("date", "@0")], 99),
        (&[("last-modified", "@-1000")], 99),
        // A week at most: this time says nothing.
        (
            &[("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")],
            7 * 86400 - 1,
        ),
        (
            &[
                ("last-modified", "Tue, 01 Jan 1980 00:00:00 GMT"),
                ("cache-control", "max-age=31536000"),
            ],
            31_536_000 - 1,
        ),
        // §1.2.2: a number that no cache can hold is the longest time.
        (
            &[("cache-control", "max-age=99999999999999999999999")],
            (1 << 31) - 1,
        ),
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
        &[
            ("cache-control", "max-age=100"),
            ("age", "99999999999999999999999"),
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
    // The time that the response took counts as age.
    let (asked, mut cache) = (Asked::get(&[]), HttpCache::new());
    let slow = response(&[("cache-control", "max-age=100")], "");
    assert!(cache.store(asked.at(0), slow, at(30)));
    let found = fresh(cache.lookup(asked.at(30)));
    assert_eq!(found.fields.get("age"), Some(&b"30"[..]));
    assert_eq!(kind(&cache.lookup(asked.at(100))), "stale");
}

#[test]
fn request_directives_rfc_9111_5_2_1() {
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
    // Fields that `Vary` does not name do not matter. A response with the same selecting fields
    // replaces the old one.
    let asked = Asked::get(&[("x-a", "1"), ("x-c", "1")]);
    assert!(cache.store(asked.at(0), response(vary, "four"), at(0)));
    assert_eq!(cache.len(), 3);
    assert_eq!(
        fresh(cache.lookup(Asked::get(&[("x-a", "1")]).at(1))).body,
        "four"
    );
}

#[test]
fn any_clock_value_is_handled() {
    let lines = &[("cache-control", "max-age=100, stale-if-error=100")];
    let (mut cache, _) = stored(&[], lines);
    // The clock was set back: the age is unknown.
    let found = stale(cache.lookup(CacheRequest {
        time: at(0) - Duration::from_secs(5),
        ..Asked::get(&[]).at(0)
    }));
    assert!(found.if_error.is_none());
    // Windows counts from 1601, and to about 60,000.
    let (after, before) = if cfg!(windows) {
        (1 << 39, 1 << 33)
    } else {
        (1 << 62, 1 << 40)
    };
    let far = UNIX_EPOCH.checked_add(Duration::from_secs(after)).unwrap();
    let ago = UNIX_EPOCH.checked_sub(Duration::from_secs(before)).unwrap();
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
fn dates_at_the_ends_of_time() {
    const FIRST: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
    const LAST: &str = "Fri, 31 Dec 9999 23:59:59 GMT";
    for (lines, expected) in [
        (&[("expires", LAST), ("date", "@0")][..], "fresh"),
        (&[("expires", LAST), ("date", FIRST)], "fresh"),
        (&[("expires", FIRST), ("date", LAST)], "stale"),
        (&[("expires", LAST), ("date", LAST)], "stale"),
        (&[("expires", FIRST), ("date", FIRST)], "stale"),
        (&[("cache-control", "max-age=60"), ("date", LAST)], "fresh"),
        (&[("cache-control", "max-age=60"), ("date", FIRST)], "stale"),
        (&[("last-modified", LAST), ("date", FIRST)], "stale"),
        (&[("last-modified", FIRST), ("date", FIRST)], "stale"),
        (&[("last-modified", LAST), ("date", LAST)], "stale"),
    ] {
        let (mut cache, _) = stored(&[], lines);
        let lookup = cache.lookup(Asked::get(&[]).at(30));
        assert_eq!(kind(&lookup), expected, "{lines:?}");
    }
}

#[test]
fn dates_in_any_letter_case_rfc_9111_4_2() {
    // A hundred seconds after the base time, in the three formats of RFC 9110 §5.6.7.
    for expires in [
        "Sun, 09 Sep 2001 01:48:20 GMT",
        "SUN, 09 SEP 2001 01:48:20 GMT",
        "sun, 09 sep 2001 01:48:20 gMT",
        "sunday, 09-sep-01 01:48:20 gmt",
        "SUN SEP  9 01:48:20 2001",
    ] {
        let lines = &[
            ("expires", expires),
            ("date", "sun, 09 SEP 2001 01:46:40 Gmt"),
        ];
        let (mut cache, _) = stored(&[], lines);
        let asked = Asked::get(&[]);
        assert_eq!(kind(&cache.lookup(asked.at(99))), "fresh", "{expires}");
        assert_eq!(kind(&cache.lookup(asked.at(101))), "stale", "{expires}");
    }
}

#[test]
fn an_expires_that_is_not_an_http_date_means_stale() {
    for expires in [
        "0",
        "-1",
        "never",
        "2100-01-01",
        "Fri, 01 Jan 2100 00:00:00 +0000",
        "",
    ] {
        let lines = &[
            ("expires", expires),
            ("etag", "\"a\""),
            ("last-modified", "@-99999999"),
        ];
        let (mut cache, _) = stored(&[], lines);
        let found = cache.lookup(Asked::get(&[]).at(1));
        assert_ne!(kind(&found), "fresh", "{expires:?}");
    }
}
