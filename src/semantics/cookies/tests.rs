use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use super::*;

mod dates;
mod jar;
mod netscape;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// What a jar sends to `to` after it stored one field line from `from`.
fn sent(from: &str, line: &str, to: &str) -> Option<String> {
    let mut jar = CookieJar::new();
    jar.store(&url(from), line.as_bytes(), at(0)).unwrap();
    jar.cookie_header(&url(to), at(0))
}

#[test]
fn which_requests_get_a_cookie() {
    let from = "https://www.example.com/a/b?q";
    for (line, to, expected) in [
        // §5.7: without Domain, only this host gets the cookie.
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
fn which_parts_of_a_cookie_are_stored() {
    let (from, to) = ("http://h.test/", "http://h.test/");
    for (line, expected) in [
        ("a=1", "a=1"),
        ("  a  =  1  ; Path=/", "a=1"),
        ("a=\"1 2\"", "a=\"1 2\""),
        ("a=b=c", "a=b=c"),
        ("a=", "a="),
        ("a=%20,ä", "a=%20,ä"),
        // Without a name; browsers store these, too.
        ("a", "a"),
        ("=1", "1"),
        (" = 1 ; Path=/", "1"),
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
        ("http://h.test/", "", CookieFault::Malformed),
        ("http://h.test/", "=", CookieFault::Malformed),
        ("http://h.test/", " = ; Path=/", CookieFault::Malformed),
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
            "a=1; Domain=..h.test",
            CookieFault::Domain,
        ),
        (
            "http://h.test/",
            "a=1; Domain=  .  h.test",
            CookieFault::Domain,
        ),
        ("http://h.test/", "a=1; Domain=h. test", CookieFault::Domain),
        (
            "http://h.test/",
            "a=1; Domain=.\u{a0}h.test",
            CookieFault::Domain,
        ),
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
        ("https://h.test/", "__Secure-a", CookieFault::Prefix),
        ("https://h.test/", "=__Host-a=1", CookieFault::Prefix),
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
fn unusual_cookies_that_are_valid() {
    for (from, line, expected) in [
        ("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "a=1"),
        ("http://x.h.test/", "a=1; Domain = \t.h.test ", "a=1"),
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
    // §5.6, step 7: an attribute that is too long is ignored.
    let line = format!("a=1; Path=/{}", "x".repeat(1024));
    assert_eq!(
        sent("http://h.test/", &line, "http://h.test/").as_deref(),
        Some("a=1")
    );
    // Exactly 4096 bytes are allowed.
    let line = format!("a={}", "x".repeat(4095));
    assert_eq!(sent("http://h.test/", &line, "http://h.test/"), Some(line));
}

#[test]
fn when_a_cookie_expires_rfc_6265bis_5_5() {
    let (here, year) = (url("http://h.test/"), 365 * 24 * 3600);
    for (line, alive, dead) in [
        ("a=1; Max-Age=10", Some(9), Some(10)),
        ("a=1; max-age=10; Max-Age=20", Some(19), Some(20)),
        // Max-Age takes precedence over Expires.
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
        // Invalid values are ignored.
        ("a=1; Max-Age=", Some(9 * year), None),
        ("a=1; Max-Age=+1", Some(9 * year), None),
        ("a=1; Max-Age=1.5", Some(9 * year), None),
        ("a=1; Expires=tomorrow", Some(9 * year), None),
        // The maximum is 400 days.
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
