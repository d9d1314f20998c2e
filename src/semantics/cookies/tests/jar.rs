use super::*;

#[test]
fn longer_paths_first_then_older_rfc_6265bis_5_8_3() {
    let mut jar = CookieJar::new();
    let here = url("http://x.h.test/a/b/c");
    for line in [
        "root=1; Path=/",
        "long=1; Path=/a/b",
        "old=1; Path=/a",
        "new=1; Path=/a; Domain=h.test",
        // Replaced, but keeps its age.
        "root=2; Path=/",
    ] {
        jar.store(&here, line.as_bytes(), at(0)).unwrap();
    }
    let header = jar.cookie_header(&here, at(0)).unwrap();
    assert_eq!(header, "long=1; old=1; new=1; root=2");
    // The same name with and without Domain are two cookies.
    jar.store(&here, b"old=3; Path=/a; Domain=x.h.test", at(0))
        .unwrap();
    let header = jar.cookie_header(&here, at(0)).unwrap();
    assert_eq!(header, "long=1; old=1; new=1; old=3; root=2");
    // An expired cookie removes the stored one of the same name.
    jar.store(&here, b"old=; Path=/a; Max-Age=0", at(0))
        .unwrap();
    jar.remove("long", "x.h.test", "/a/b");
    let header = jar.cookie_header(&here, at(0)).unwrap();
    assert_eq!(header, "new=1; old=3; root=2");
}

#[test]
fn plain_http_cannot_change_secure_cookies_rfc_6265bis_5_7() {
    for (secure, plain, refused) in [
        ("a=1; Secure; Path=/", "a=2; Path=/", true),
        ("a=1; Secure; Path=/", "a=2; Path=/x/y", true),
        ("a=1; Secure; Path=/", "a=2; Max-Age=0; Path=/", true),
        ("a=1; Secure; Path=/; Domain=h.test", "a=2", true),
        ("a=1; Secure; Path=/", "a=2; Domain=h.test", true),
        ("a=1; Secure; Path=/x", "a=2; Path=/", false),
        ("a=1; Secure; Path=/x", "a=2; Path=/xy", false),
        ("a=1; Secure; Path=/", "b=2; Path=/", false),
        ("a=1; Path=/", "a=2; Path=/", false),
    ] {
        let mut jar = CookieJar::new();
        jar.store(&url("https://x.h.test/"), secure.as_bytes(), at(0))
            .unwrap();
        let result = jar.store(&url("http://x.h.test/"), plain.as_bytes(), at(0));
        let expected = if refused {
            Err(CookieFault::SecureExists)
        } else {
            Ok(())
        };
        assert_eq!(result, expected, "{secure} then {plain}");
        let result = jar.store(&url("https://x.h.test/"), plain.as_bytes(), at(0));
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn the_limits_are_50_cookies_per_domain_and_3000_in_total() {
    let mut jar = CookieJar::new();
    let here = url("https://h.test/");
    jar.store(&here, b"safe=1; Secure; Path=/elsewhere", at(0))
        .unwrap();
    jar.store(&here, b"used=1", at(0)).unwrap();
    jar.store(&here, b"unused=1; Path=/elsewhere", at(0))
        .unwrap();
    jar.store(&here, b"short=1; Max-Age=5", at(0)).unwrap();
    for number in 0..46 {
        let line = format!("n{number}=1; Path=/elsewhere");
        jar.store(&here, line.as_bytes(), at(0)).unwrap();
    }
    assert_eq!(jar.iter(at(0)).count(), 50);
    assert!(jar.cookie_header(&here, at(0)).is_some());
    let names = |jar: &CookieJar| -> Vec<String> {
        jar.iter(at(0)).map(|cookie| cookie.name.clone()).collect()
    };
    // The expired cookie is removed first, then the least recently used that is not Secure.
    jar.store(&here, b"x=1", at(5)).unwrap();
    assert!(!names(&jar).contains(&"short".into()));
    assert_eq!(names(&jar).len(), 50);
    jar.store(&here, b"y=1", at(5)).unwrap();
    let left = names(&jar);
    assert!(!left.contains(&"unused".into()));
    assert!(left.contains(&"used".into()) && left.contains(&"safe".into()));
    assert_eq!(left.len(), 50);

    for number in 0..3100 {
        let there = url(&format!("http://h{number}.test/"));
        jar.store(&there, b"a=1", at(5)).unwrap();
    }
    assert_eq!(jar.iter(at(5)).count(), 3000);
}

#[test]
fn cookies_can_be_added_and_removed_by_hand() {
    let mut jar = CookieJar::new();
    jar.insert(Cookie::new("a", "1", "H.Test"), at(0)).unwrap();
    let tail = Cookie {
        host_only: false,
        ..Cookie::new("b", "2", ".h.test")
    };
    jar.insert(tail, at(0)).unwrap();
    jar.insert(Cookie::new("c", "3", "[::1]"), at(0)).unwrap();
    let header = jar.cookie_header(&url("http://h.test/x"), at(0));
    assert_eq!(header.as_deref(), Some("a=1; b=2"));
    assert_eq!(
        jar.cookie_header(&url("http://x.h.test/"), at(0))
            .as_deref(),
        Some("b=2")
    );
    assert_eq!(
        jar.cookie_header(&url("http://[::1]/"), at(0)).as_deref(),
        Some("c=3")
    );
    let good = || Cookie::new("a", "1", "h.test");
    for (bad, expected) in [
        (
            Cookie {
                name: "".into(),
                value: "".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                value: "1;".into(),
                ..good()
            },
            CookieFault::Characters,
        ),
        (
            Cookie {
                path: "x".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                path: "/\n".into(),
                ..good()
            },
            CookieFault::Characters,
        ),
        (
            Cookie {
                domain: "".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                domain: "#h.test".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                domain: "a b.test".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                domain: "[::1".into(),
                ..good()
            },
            CookieFault::Malformed,
        ),
        (
            Cookie {
                domain: "h\tt".into(),
                ..good()
            },
            CookieFault::Characters,
        ),
    ] {
        assert_eq!(jar.insert(bad.clone(), at(0)), Err(expected), "{bad:?}");
    }
    let lasting = Cookie {
        expires: Some(at(9)),
        ..Cookie::new("d", "4", "h.test")
    };
    jar.insert(lasting, at(0)).unwrap();
    jar.clear_session();
    assert_eq!(
        jar.iter(at(0))
            .map(|cookie| &*cookie.name)
            .collect::<Vec<_>>(),
        ["d"]
    );
    jar.clear();
    assert_eq!(jar.iter(at(0)).count(), 0);
}

#[test]
fn debug_and_display_show_no_values() {
    let mut jar = CookieJar::new();
    let here = url("http://h.test/");
    jar.store(&here, b"name=secret", at(0)).unwrap();
    let fault = jar
        .store(&here, b"secret=secret; Domain=other.test", at(0))
        .unwrap_err();
    let cookies: Vec<&Cookie> = jar.iter(at(0)).collect();
    let text = format!("{jar:?} {cookies:?} {fault} {fault:?}");
    assert!(text.contains("name") && !text.contains("secret"), "{text}");
}

#[test]
fn a_clock_that_was_set_back_changes_no_expiry() {
    let here = url("https://a.test/");
    let mut jar = CookieJar::new();
    jar.store(&here, b"a=1; Max-Age=60", at(100)).unwrap();
    for (now, expected) in [
        (at(0), Some("a=1")),
        (SystemTime::UNIX_EPOCH, Some("a=1")),
        (at(159), Some("a=1")),
        (at(160), None),
    ] {
        let mut jar = jar.clone();
        assert_eq!(jar.cookie_header(&here, now).as_deref(), expected);
    }
    // It is renewed by the clock of then.
    jar.store(&here, b"a=2; Max-Age=60", at(0)).unwrap();
    assert_eq!(jar.cookie_header(&here, at(59)).as_deref(), Some("a=2"));
    assert_eq!(jar.cookie_header(&here, at(60)), None);
}
