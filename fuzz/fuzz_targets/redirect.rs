//! Redirects: no credentials leave their origin, nothing but HTTP is followed, nothing is downgraded.

#![no_main]

use http::{Method, StatusCode};
use httpoll::fuzzing::redirect;
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;
use url::Url;

const CURRENT: [&str; 4] = [
    "http://a.example/x/y?z#f",
    "https://ann:secret@a.example:8443/x",
    "http://[::1]:80/",
    "https://a.example",
];

fuzz_target!(|input: &[u8]| {
    let (mut choices, location) = split(input);
    let current = Url::parse(CURRENT[choices.bits(2) as usize]).unwrap();
    let status = StatusCode::from_u16(300 + choices.bits(4) as u16).unwrap();
    let method =
        [Method::GET, Method::POST, Method::HEAD, Method::PUT][choices.bits(2) as usize].clone();
    let Ok(Some(next)) = redirect(status, &method, &current, location) else {
        return;
    };
    assert!(matches!(next.url.scheme(), "http" | "https") && next.url.has_host());
    assert!(current.scheme() == "http" || next.url.scheme() == "https");
    assert_eq!(next.crosses_origin, next.url.origin() != current.origin());
    assert!(!(next.crosses_origin && next.keeps_authorization));
    let has_userinfo = !next.url.username().is_empty() || next.url.password().is_some();
    assert!(!has_userinfo || next.url.password() == current.password());
    assert!(!(has_userinfo && next.crosses_origin));
    assert!(next.url.as_str().is_ascii());
    assert!(
        next.referer
            .is_none_or(|text| !text.contains("secret") && !text.contains('#'))
    );
});
