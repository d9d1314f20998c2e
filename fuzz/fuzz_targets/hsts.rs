//! Hosts that want `https`: only names that said so, by a valid field or a valid file.

#![no_main]

use std::time::{Duration, SystemTime};

use httpoll::fuzzing::Hsts;
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut hosts = Hsts::default();
    let secure = Url::parse("https://a.b.example/").unwrap();
    if choices.flag() {
        hosts.load(&String::from_utf8_lossy(bytes), now);
    } else {
        for line in bytes.split(|&byte| byte == b'\n') {
            hosts.note(&secure, line, now);
        }
        let other = Url::parse("http://b.example/").unwrap();
        assert_eq!(hosts.upgrade(&other, now), None);
    }
    for url in [
        "http://a.b.example/x?y",
        "http://c.a.b.example:8080/",
        "ws://a.b.example/",
    ] {
        let url = Url::parse(url).unwrap();
        if let Some(upgraded) = hosts.upgrade(&url, now) {
            assert!(matches!(upgraded.scheme(), "https" | "wss"));
            assert_eq!((upgraded.host(), upgraded.path()), (url.host(), url.path()));
        }
    }
    let address = Url::parse("http://127.0.0.1/").unwrap();
    assert_eq!(hosts.upgrade(&address, now), None);
    let saved = hosts.save(now);
    let mut again = Hsts::default();
    assert!(again.load(&saved, now), "{saved}");
    assert_eq!(again.save(now), saved);
});
