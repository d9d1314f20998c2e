//! Cookies of servers and of files: what is kept can be sent and saved, and is loaded again.

#![no_main]

use std::time::{Duration, SystemTime};

use httpoll::CookieJar;
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
    for (index, url) in URLS.iter().enumerate() {
        let url = Url::parse(url).unwrap();
        if let Some(header) = jar.cookie_header(&url, now) {
            assert!(
                !header.is_empty() && !header.chars().any(char::is_control),
                "{header:?}"
            );
            assert!(index < 2 || !header.is_empty());
        }
        let far = now + Duration::from_secs(401 * 24 * 3600);
        let _ = jar.clone().cookie_header(&url, far);
    }
    let saved = jar.to_netscape(now);
    let mut again = CookieJar::new();
    let faults = again.load_netscape(saved.as_bytes(), now);
    assert!(faults.is_empty(), "{faults:?} {saved:?}");
    assert_eq!(again.iter(now).count(), jar.iter(now).count(), "{saved:?}");
    assert_eq!(again.to_netscape(now), saved);
});
