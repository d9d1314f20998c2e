//! Cookies of servers and of files: what is kept can be sent and saved, and is loaded again.

#![no_main]

use std::time::{Duration, SystemTime};

use httpoll::cookies::{Cookie, CookieJar};
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;
use url::Url;

const URLS: [&str; 4] = [
    "https://a.b.example/x/y",
    "http://b.example/",
    "http://127.0.0.1:8080/",
    "http://[::1]/x",
];

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut jar = CookieJar::new();
    if choices.flag() {
        let faults = jar.load_netscape(bytes, now);
        assert!(faults.len() <= bytes.len());
    } else {
        let url = Url::parse(URLS[choices.bits(2) as usize]).unwrap();
        for line in bytes.split(|&byte| byte == b'\n') {
            let _ = jar.store(&url, line, now);
        }
    }
    for url in URLS {
        let url = Url::parse(url).unwrap();
        if let Some(header) = jar.cookie_header(&url, now) {
            assert!(
                !header.is_empty()
                    && !header
                        .bytes()
                        .any(|byte| byte.is_ascii_control() && byte != b'\t'),
                "{header:?}"
            );
        }
        let far = now + Duration::from_secs(401 * 24 * 3600);
        let _ = jar.clone().cookie_header(&url, far);
    }
    let saved = jar.to_netscape(now);
    let mut again = CookieJar::new();
    let faults = again.load_netscape(saved.as_bytes(), now);
    assert!(faults.is_empty(), "{faults:?} {saved:?}");
    // A file cannot hold those with a tab.
    let has_place = |cookie: &&Cookie| {
        let fields = [&cookie.name, &cookie.value, &cookie.path, &cookie.domain];
        !fields.iter().any(|field| field.contains('\t'))
    };
    let expected: Vec<&Cookie> = jar.iter(now).filter(has_place).collect();
    let loaded: Vec<&Cookie> = again.iter(now).collect();
    assert_eq!(loaded.len(), expected.len(), "{saved:?}");
    assert_eq!(again.to_netscape(now), saved);
});
