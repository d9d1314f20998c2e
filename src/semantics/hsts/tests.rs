use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn noted(from: &str, field: &str) -> HstsStore {
    let mut store = HstsStore::default();
    store.note(&url(from), field.as_bytes(), now());
    store
}

fn upgraded(store: &HstsStore, from: &str) -> Option<String> {
    store.upgrade(&url(from), now()).map(String::from)
}

#[test]
fn fields_are_accepted_or_ignored() {
    // (section of RFC 6797, URL of the response, field, accepted)
    for (section, from, field, taken) in [
        ("6.2", "https://a.b/", "max-age=31536000", true),
        (
            "6.2",
            "https://a.b/",
            "max-age=15768000 ; includeSubDomains",
            true,
        ),
        ("6.2", "https://a.b/", "max-age=\"31536000\"", true),
        ("6.1", "https://a.b/", "MAX-AGE=1;INCLUDESUBDOMAINS", true),
        ("6.1", "https://a.b/", ";; max-age = 1 ;", true),
        (
            "6.1",
            "https://a.b/",
            "max-age=1; preload; x=\"a;b\\\";c\"",
            true,
        ),
        (
            "6.1.1",
            "https://a.b/",
            "max-age=99999999999999999999999",
            true,
        ),
        ("6.1", "https://a.b:8443/", "max-age=1", true),
        ("6.1.1", "https://a.b/", "max-age=0", false),
        ("6.1.1", "https://a.b/", "max-age=\"0\"", false),
        ("6.1.1", "https://a.b/", "includeSubDomains", false),
        ("6.1.1", "https://a.b/", "", false),
        ("6.1.1", "https://a.b/", "max-age", false),
        ("6.1.1", "https://a.b/", "max-age=", false),
        ("6.1.1", "https://a.b/", "max-age=-1", false),
        ("6.1.1", "https://a.b/", "max-age=1.5", false),
        ("6.1.1", "https://a.b/", "max-age=\"1", false),
        ("6.1", "https://a.b/", "max-age=1; max-age=2", false),
        ("6.1", "https://a.b/", "max-age=1; x; X", false),
        ("6.1", "https://a.b/", "max-age=1; =x", false),
        ("6.1", "https://a.b/", "max-age=1; x=\"open", false),
        (
            "6.1.2",
            "https://a.b/",
            "max-age=1; includeSubDomains=no",
            false,
        ),
        ("8.1", "http://a.b/", "max-age=1", false),
        ("8.1.1", "https://127.0.0.1/", "max-age=1", false),
        ("8.1.1", "https://[::1]/", "max-age=1", false),
        ("8.1", "https://./", "max-age=1", false),
        ("8.1", "https://a../", "max-age=1", false),
        ("8.1", "https://a..b/", "max-age=1", false),
    ] {
        let store = noted(from, field);
        assert_eq!(
            store.len(),
            usize::from(taken),
            "RFC 6797 §{section}: {field}"
        );
    }
    let mut store = HstsStore::default();
    store.note(&url("https://a.b/"), b"max-age=1\xff", now());
    assert_eq!(store.len(), 0);
}

#[test]
fn urls_are_upgraded() {
    // RFC 6797 §8.2, §8.3
    let alone = noted("https://a.b/", "max-age=100");
    let with_subdomains = noted("https://a.b/", "max-age=100; includeSubDomains");
    for (from, by_alone, by_subdomains) in [
        (
            "http://a.b/x?y#z",
            Some("https://a.b/x?y#z"),
            Some("https://a.b/x?y#z"),
        ),
        ("http://a.b:80/", Some("https://a.b/"), Some("https://a.b/")),
        (
            "http://a.b:443/",
            Some("https://a.b/"),
            Some("https://a.b/"),
        ),
        (
            "http://a.b:8080/",
            Some("https://a.b:8080/"),
            Some("https://a.b:8080/"),
        ),
        (
            "http://u:p@A.B/",
            Some("https://u:p@a.b/"),
            Some("https://u:p@a.b/"),
        ),
        ("http://a.b./", Some("https://a.b./"), Some("https://a.b./")),
        ("ws://a.b/", Some("wss://a.b/"), Some("wss://a.b/")),
        ("http://x.a.b/", None, Some("https://x.a.b/")),
        ("http://x.y.a.b/", None, Some("https://x.y.a.b/")),
        ("http://xa.b/", None, None),
        ("http://b/", None, None),
        ("http://a.b.c/", None, None),
        ("https://a.b/", None, None),
        ("ftp://a.b/", None, None),
        ("http://127.0.0.1/", None, None),
    ] {
        assert_eq!(upgraded(&alone, from).as_deref(), by_alone, "{from}");
        assert_eq!(
            upgraded(&with_subdomains, from).as_deref(),
            by_subdomains,
            "{from}"
        );
    }
}

#[test]
fn entries_expire_and_can_be_renewed_and_removed() {
    let mut store = noted("https://a.b/", "max-age=100; includeSubDomains");
    let at = |store: &HstsStore, seconds, host: &str| {
        store
            .upgrade(
                &url(&format!("http://{host}/")),
                now() + Duration::from_secs(seconds),
            )
            .is_some()
    };
    assert!(at(&store, 99, "a.b") && at(&store, 99, "x.a.b"));
    assert!(!at(&store, 100, "a.b"));
    // Renewed, now without subdomains.
    store.note(&url("https://a.b/"), b"max-age=500", now());
    assert!(at(&store, 499, "a.b") && !at(&store, 0, "x.a.b"));
    // A malformed field changes nothing. A subdomain cannot change its parent's entry.
    store.note(&url("https://a.b/"), b"max-age=x", now());
    store.note(&url("https://x.a.b/"), b"max-age=0", now());
    assert!(at(&store, 0, "a.b"));
    store.note(&url("https://a.b./"), b"max-age=0", now());
    assert!(!at(&store, 0, "a.b"));
    // Ten years are the maximum.
    store.note(&url("https://a.b/"), b"max-age=18446744073709551615", now());
    let ten_years = LONGEST.as_secs();
    assert!(at(&store, ten_years - 1, "a.b") && !at(&store, ten_years, "a.b"));
    store.clear();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_clock_that_was_set_back_keeps_hosts_secure() {
    let store = noted("https://a.b/", "max-age=100");
    for then in [now() - Duration::from_secs(3600), SystemTime::UNIX_EPOCH] {
        assert!(store.upgrade(&url("http://a.b/"), then).is_some());
    }
}

#[test]
fn the_store_is_bounded_and_keeps_its_entries() {
    let mut store = HstsStore::default();
    for n in 0..MOST_HOSTS + 10 {
        store.note(&url(&format!("https://h{n}.a/")), b"max-age=100", now());
    }
    assert_eq!(store.len(), MOST_HOSTS);
    assert!(upgraded(&store, "http://h0.a/").is_some());
    assert!(upgraded(&store, "http://h1005.a/").is_none());
    // A known host is renewed. When others have expired, there is space again.
    store.note(&url("https://h0.a/"), b"max-age=1000", now());
    let later = now() + Duration::from_secs(200);
    store.note(&url("https://new.a/"), b"max-age=100", later);
    assert_eq!(store.len(), 2);
}

#[test]
fn files_have_curls_format() {
    let text = "\
# Your HSTS cache. https://curl.se/docs/hsts.html
# This file was generated by libcurl! Edit at your own risk.
.sub.example \"20301231 23:59:59\"
alone.example \"20250101 00:00:00\"
gone.example \"20200101 00:00:00\"
ever.example \"unlimited\"
";
    let mut store = HstsStore::default();
    store.load(text, now()).unwrap();
    assert_eq!(store.len(), 3);
    for (from, yes) in [
        ("http://x.sub.example/", true),
        ("http://alone.example/", true),
        ("http://x.alone.example/", false),
        ("http://gone.example/", false),
        ("http://ever.example/", true),
    ] {
        assert_eq!(upgraded(&store, from).is_some(), yes, "{from}");
    }
    let saved = store.save(now());
    assert!(
        saved.contains("\n.sub.example \"20301231 23:59:59\"\n"),
        "{saved}"
    );
    let mut again = HstsStore::default();
    again.load(&saved, now()).unwrap();
    assert_eq!(again, store);
    assert!(!store.save(now() + 3000 * DAY).contains("sub.example"));
}

#[test]
fn loading_keeps_the_later_time_and_names_an_invalid_line() {
    let mut store = noted("https://a.b/", "max-age=1000000000");
    store.load("a.b \"20240101 00:00:00\"", now()).unwrap();
    let far = now() + 300 * DAY;
    assert!(store.upgrade(&url("http://a.b/"), far).is_some());

    for (bad, line) in [
        ("x", 1),
        ("x.y 20301231", 1),
        ("# z\n\nx.y \"2030\"", 3),
        ("127.0.0.1 \"20301231 23:59:59\"", 1),
        (". \"20301231 23:59:59\"", 1),
        (".. \"20301231 23:59:59\"", 1),
        ("x.. \"20301231 23:59:59\"", 1),
        ("..x \"20301231 23:59:59\"", 1),
        // IDNA's other dot. On reading it back, it would be taken for the leading dot that includes
        // subdomains.
        ("\u{3002}x \"20301231 23:59:59\"", 1),
        ("x/y \"20301231 23:59:59\"", 1),
        ("x.y \"20301231 23:59:59", 1),
    ] {
        let mut store = HstsStore::default();
        let text = format!("{bad}\nx.z \"20301231 23:59:59\"\r\n");
        let error = store.load(&text, now()).unwrap_err();
        assert_eq!(error.line(), line, "{bad}");
        assert!(error.to_string().contains(&format!("line {line}")));
        assert_eq!(store.len(), 1, "{bad}");
    }
}

#[test]
fn a_loaded_text_is_bounded_too() {
    let text = (0..MOST_HOSTS * 2)
        .map(|n| format!("h{n}.a \"20301231 23:59:59\"\n"))
        .collect::<String>();
    let mut store = HstsStore::default();
    store.load(&text, now()).unwrap();
    assert_eq!(store.len(), MOST_HOSTS);
}
