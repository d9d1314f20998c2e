use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// What a jar sends to `to` that was given one line from `from`.
fn sent(from: &str, line: &str, to: &str) -> Option<String> {
    let mut jar = CookieJar::new();
    jar.store(&url(from), line.as_bytes(), at(0)).unwrap();
    jar.cookie_header(&url(to), at(0))
}

#[test]
fn s30_cookies_of_the_caller() {
    for (pairs, expected) in [
        (&[("a", "1"), ("b", "2")][..], Ok(Some("a=1; b=2"))),
        (&[("a", "x=\"y\" z,")], Ok(Some("a=x=\"y\" z,"))),
        (&[("a", "")], Ok(Some("a="))),
        (&[], Ok(None)),
        (&[("", "1")], Err(CookieFault::Malformed)),
        (&[("a=b", "1")], Err(CookieFault::Characters)),
        (&[("a", "1; b=2")], Err(CookieFault::Characters)),
        (&[("a", "1\r\nX: y")], Err(CookieFault::Characters)),
        (&[("a;", "1")], Err(CookieFault::Characters)),
    ] {
        let field = request_cookies(pairs.iter().copied());
        assert_eq!(
            field,
            expected.map(|field| field.map(str::to_owned)),
            "{pairs:?}"
        );
    }
}

#[test]
fn which_requests_a_cookie_goes_with() {
    let from = "https://www.example.com/a/b?q";
    for (line, to, expected) in [
        // §5.7: without Domain it goes to this host alone.
        ("a=1", "https://www.example.com/a/b", true),
        ("a=1", "https://example.com/a/b", false),
        ("a=1", "https://x.www.example.com/a/b", false),
        ("a=1; Domain=", "https://x.www.example.com/a/b", false),
        // §5.1.3: domain-match.
        ("a=1; Domain=example.com", "https://example.com/a/b", true),
        (
            "a=1; Domain=.Example.COM",
            "https://x.y.example.com/a/b",
            true,
        ),
        (
            "a=1; Domain=www.example.com",
            "https://example.com/a/b",
            false,
        ),
        (
            "a=1; Domain=example.com",
            "https://badexample.com/a/b",
            false,
        ),
        (
            "a=1; Domain=example.com",
            "https://example.com.evil/a/b",
            false,
        ),
        // §5.1.4: default-path and path-match.
        ("a=1", "https://www.example.com/a", true),
        ("a=1", "https://www.example.com/a/", true),
        ("a=1", "https://www.example.com/ab", false),
        ("a=1", "https://www.example.com/", false),
        ("a=1; Path=/", "https://www.example.com/x", true),
        ("a=1; Path=x", "https://www.example.com/a", true),
        ("a=1; Path=/x/", "https://www.example.com/x/y", true),
        ("a=1; Path=/x/", "https://www.example.com/x", false),
        // §5.8: Secure.
        ("a=1; Secure", "https://www.example.com/a/", true),
        ("a=1; Secure", "wss://www.example.com/a/", true),
        ("a=1; secure=x", "http://www.example.com/a/", false),
        ("a=1", "http://www.example.com/a/", true),
        (
            "a=1; HttpOnly; SameSite=Strict; Whatever",
            "https://www.example.com/a/",
            true,
        ),
    ] {
        let header = expected.then(|| "a=1".to_owned());
        assert_eq!(sent(from, line, to), header, "{line} to {to}");
    }
}

#[test]
fn what_is_kept_of_a_cookie() {
    let (from, to) = ("http://h.test/", "http://h.test/");
    for (line, expected) in [
        ("a=1", "a=1"),
        ("  a  =  1  ; Path=/", "a=1"),
        ("a=\"1 2\"", "a=\"1 2\""),
        ("a=b=c", "a=b=c"),
        ("a=", "a="),
        ("a=%20,ä", "a=%20,ä"),
    ] {
        assert_eq!(sent(from, line, to).as_deref(), Some(expected), "{line}");
    }
    let mut jar = CookieJar::new();
    let line = b"a=1; Path=/p; HttpOnly; SameSite=Lax; Max-Age=60; Domain=h.test";
    jar.store(&url("http://x.h.test/"), line, at(0)).unwrap();
    let cookie = jar.iter(at(0)).next().unwrap();
    let expected = Cookie {
        host_only: false,
        path: "/p".into(),
        http_only: true,
        same_site: Some(SameSite::Lax),
        expires: Some(at(60)),
        ..Cookie::new("a", "1", "h.test")
    };
    assert_eq!(*cookie, expected);
}

#[test]
fn which_cookies_are_refused() {
    let long = format!("a={}", "x".repeat(4096));
    for (from, line, expected) in [
        ("http://h.test/", "a", CookieFault::Malformed),
        ("http://h.test/", "=1", CookieFault::Malformed),
        ("http://h.test/", "", CookieFault::Malformed),
        ("http://h.test/", ";a=1", CookieFault::Malformed),
        ("http://h.test/", "a=1\x01", CookieFault::Characters),
        ("http://h.test/", "a=1\x002", CookieFault::Characters),
        ("http://h.test/", "a=1\r\n", CookieFault::Characters),
        ("http://h.test/", "a=1\t2", CookieFault::Characters),
        ("http://h.test/", "a\x7f=1", CookieFault::Characters),
        ("http://h.test/", "a=1; Path=/\x1b", CookieFault::Characters),
        ("http://h.test/", &long, CookieFault::TooLong(4096)),
        ("http://h.test/", "a=1; Secure", CookieFault::NotSecure),
        ("http://localhost/", "a=1; Secure", CookieFault::NotSecure),
        // §5.7, steps 8 to 11.
        (
            "http://h.test/",
            "a=1; Domain=x.h.test",
            CookieFault::Domain,
        ),
        (
            "http://h.test/",
            "a=1; Domain=other.test",
            CookieFault::Domain,
        ),
        ("http://ah.test/", "a=1; Domain=h.test", CookieFault::Domain),
        (
            "http://h.test/",
            "a=1; Domain=test",
            CookieFault::PublicSuffix,
        ),
        (
            "http://h.test./",
            "a=1; Domain=test.",
            CookieFault::PublicSuffix,
        ),
        (
            "http://h.test/",
            "a=1; Domain=127.0.0.1",
            CookieFault::PublicSuffix,
        ),
        (
            "http://127.0.0.1/",
            "a=1; Domain=0.0.1",
            CookieFault::PublicSuffix,
        ),
        (
            "http://127.0.0.1/",
            "a=1; Domain=127.0.0.2",
            CookieFault::PublicSuffix,
        ),
        ("http://[::1]/", "a=1; Domain=1", CookieFault::PublicSuffix),
        // §4.1.3.
        ("https://h.test/", "__Secure-a=1", CookieFault::Prefix),
        ("https://h.test/", "__secure-a=1", CookieFault::Prefix),
        ("https://h.test/", "__Host-a=1; Path=/", CookieFault::Prefix),
        ("https://h.test/", "__Host-a=1; Secure", CookieFault::Prefix),
        (
            "https://h.test/",
            "__Host-a=1; Secure; Path=/x",
            CookieFault::Prefix,
        ),
        (
            "https://h.test/",
            "__HOST-a=1; Secure; Path=/; Domain=h.test",
            CookieFault::Prefix,
        ),
    ] {
        let mut jar = CookieJar::new();
        let result = jar.store(&url(from), line.as_bytes(), at(0));
        assert_eq!(result, Err(expected), "{line:?} from {from}");
        assert_eq!(jar.iter(at(0)).count(), 0);
    }
    let mut jar = CookieJar::new();
    let result = jar.store(&url("http://h.test/"), b"a=\xff", at(0));
    assert_eq!(result, Err(CookieFault::Characters));
    let result = jar.store(&url("data:text/plain,x"), b"a=1", at(0));
    assert_eq!(result, Err(CookieFault::Domain));
}

#[test]
fn what_looks_wrong_and_is_not() {
    for (from, line, expected) in [
        ("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "a=1"),
        ("http://[::1]/", "a=1; Domain=[::1]", "a=1"),
        ("http://localhost/", "a=1; Domain=localhost", "a=1"),
        ("https://h.test/", "__Secure-a=1; Secure", "__Secure-a=1"),
        (
            "https://h.test/x",
            "__Host-a=1; Secure; Path=/",
            "__Host-a=1",
        ),
        ("https://h.test/", "__Hostile=1", "__Hostile=1"),
    ] {
        assert_eq!(sent(from, line, from).as_deref(), Some(expected), "{line}");
    }
    // §5.6, step 7: an attribute that is too long is as if it were not there.
    let line = format!("a=1; Path=/{}", "x".repeat(1024));
    assert_eq!(
        sent("http://h.test/", &line, "http://h.test/").as_deref(),
        Some("a=1")
    );
    // 4096 bytes are not too long.
    let line = format!("a={}", "x".repeat(4095));
    assert_eq!(sent("http://h.test/", &line, "http://h.test/"), Some(line));
}

#[test]
fn when_a_cookie_ends_rfc_6265bis_5_5() {
    let (here, year) = (url("http://h.test/"), 365 * 24 * 3600);
    for (line, alive, dead) in [
        ("a=1; Max-Age=10", Some(9), Some(10)),
        ("a=1; max-age=10; Max-Age=20", Some(19), Some(20)),
        // Max-Age counts before Expires.
        (
            "a=1; Max-Age=10; Expires=Sun, 09 Sep 2001 02:46:40 GMT",
            Some(9),
            Some(10),
        ),
        (
            "a=1; Expires=Sun, 09 Sep 2001 02:46:40 GMT",
            Some(3599),
            Some(3600),
        ),
        (
            "a=1; Expires=Sunday, 09-Sep-01 02:46:40 GMT",
            Some(3599),
            Some(3600),
        ),
        (
            "a=1; Expires=Sun Sep  9 02:46:40 2001",
            Some(3599),
            Some(3600),
        ),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None, Some(0)),
        ("a=1; Max-Age=0", None, Some(0)),
        ("a=1; Max-Age=-1", None, Some(0)),
        // What cannot be read is ignored.
        ("a=1; Max-Age=", Some(9 * year), None),
        ("a=1; Max-Age=+1", Some(9 * year), None),
        ("a=1; Max-Age=1.5", Some(9 * year), None),
        ("a=1; Expires=tomorrow", Some(9 * year), None),
        // At most 400 days.
        (
            "a=1; Max-Age=99999999999999999999999",
            Some(399 * 86400),
            Some(400 * 86400),
        ),
        (
            "a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
            Some(399 * 86400),
            Some(400 * 86400),
        ),
    ] {
        let mut jar = CookieJar::new();
        jar.store(&here, line.as_bytes(), at(0)).unwrap();
        if let Some(alive) = alive {
            assert!(jar.cookie_header(&here, at(alive)).is_some(), "{line}");
        }
        if let Some(dead) = dead {
            assert_eq!(jar.cookie_header(&here, at(dead)), None, "{line}");
            assert_eq!(jar.iter(at(dead)).count(), 0);
        }
    }
}

#[test]
fn longer_paths_first_then_older_rfc_6265bis_5_8_3() {
    let mut jar = CookieJar::new();
    let here = url("http://x.h.test/a/b/c");
    for line in [
        "root=1; Path=/",
        "long=1; Path=/a/b",
        "old=1; Path=/a",
        "new=1; Path=/a; Domain=h.test",
        // Replaced, and as old as it was.
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
    // An expired one removes its namesake.
    jar.store(&here, b"old=; Path=/a; Max-Age=0", at(0))
        .unwrap();
    jar.remove("long", "x.h.test", "/a/b");
    let header = jar.cookie_header(&here, at(0)).unwrap();
    assert_eq!(header, "new=1; old=3; root=2");
}

#[test]
fn plain_http_leaves_secure_cookies_alone_rfc_6265bis_5_7() {
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
fn a_domain_keeps_50_cookies_and_the_jar_3000() {
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
    // The expired one goes first, then the longest unused that is not Secure.
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
fn by_hand() {
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
fn s31_the_file_that_curl_writes() {
    // As written by curl's -c.
    let file = "# Netscape HTTP Cookie File\n\
        # https://curl.se/docs/http-cookies.html\n\
        # This file was generated by libcurl! Edit at your own risk.\n\
        \n\
        .h.test\tTRUE\t/\tFALSE\t2000000000\twide\tvalue\n\
        #HttpOnly_h.test\tFALSE\t/p\tTRUE\t0\tsession\ta=b c\r\n\
        h.test\tFALSE\t/\tFALSE\t0\tempty\t\n\
        h.test\tFALSE\t/\tFALSE\t0\tbare\n\
        h.test\tFALSE\t/\tFALSE\t1\tgone\t1\n";
    let mut jar = CookieJar::new();
    assert_eq!(jar.load_netscape(file.as_bytes(), at(0)), []);
    let far = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let expected = [
        Cookie {
            host_only: false,
            expires: Some(far),
            ..Cookie::new("wide", "value", "h.test")
        },
        Cookie {
            path: "/p".into(),
            secure: true,
            http_only: true,
            ..Cookie::new("session", "a=b c", "h.test")
        },
        Cookie::new("empty", "", "h.test"),
        Cookie::new("bare", "", "h.test"),
    ];
    assert!(jar.iter(at(0)).eq(&expected));

    let written = jar.to_netscape(at(0));
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "# Netscape HTTP Cookie File");
    assert_eq!(lines[1], ".h.test\tTRUE\t/\tFALSE\t2000000000\twide\tvalue");
    assert_eq!(
        lines[2],
        "#HttpOnly_h.test\tFALSE\t/p\tTRUE\t0\tsession\ta=b c"
    );
    let mut again = CookieJar::new();
    assert_eq!(again.load_netscape(written.as_bytes(), at(0)), []);
    assert!(again.iter(at(0)).eq(&expected));
}

#[test]
fn s31_a_damaged_file_spoils_only_its_lines() {
    let file = b"junk\n\
        h.test\tFALSE\t/\tFALSE\t0\ta\t1\n\
        h.test\tMAYBE\t/\tFALSE\t0\ta\t1\n\
        h.test\tFALSE\t/\tFALSE\t-5\ta\t1\n\
        h.test\tFALSE\t/\tFALSE\t99999999999999999999\ta\t1\n\
        h.test\tFALSE\t/\tFALSE\t18446744073709551615\ta\t1\n\
        h.test\tFALSE\tx\tFALSE\t0\ta\t1\n\
        h.test\tFALSE\t/\tFALSE\t0\t\t1\n\
        h.test\tFALSE\t/\tFALSE\t0\ta\t1\t2\n\
        \tFALSE\t/\tFALSE\t0\ta\t1\n\
        h.test\tFALSE\t/\tFALSE\t0\ta\t\xff\n\
        h.test\tFALSE\t/\tFALSE\t0\tb\t2";
    let mut jar = CookieJar::new();
    let faults = jar.load_netscape(file, at(0));
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(jar.iter(at(0)).count(), 2);
    for end in 0..file.len() {
        CookieJar::new().load_netscape(&file[..end], at(0));
    }
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
