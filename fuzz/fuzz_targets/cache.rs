//! The cache: what it keeps keeps to its room, is never used beyond its time, and survives a file.

#![no_main]

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use httpoll::fuzzing::Cached;
use httpoll::{
    Bytes,
    cache::{CachedResponse, HttpCache},
    proto::FieldLines,
};
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;
use url::Url;

const ROOM: usize = 2048;

// Header lines of the request, an empty line, those of a response, an empty line, those of a `304`.
fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let text = String::from_utf8_lossy(bytes);
    let mut sections = text.split("\n\n");
    let [request, response, confirmed] =
        std::array::from_fn(|_| fields(sections.next().unwrap_or_default()));
    let request = request.to_header_map();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let url = Url::parse("https://a.example/b?c").unwrap();
    let statuses = [200, 203, 204, 206, 301, 404, 302, 500];
    let status = StatusCode::from_u16(statuses[choices.bits(3) as usize]).unwrap();
    let mut cache = HttpCache::with_max_bytes(ROOM);
    let asks = |time| Cached {
        method: &Method::GET,
        url: &url,
        headers: &request,
        time,
    };
    let answer = CachedResponse {
        status,
        fields: response,
        body: Bytes::from_static(b"content"),
    };
    let stored = asks(now).store(&mut cache, answer, now + Duration::from_millis(50));
    assert_eq!(stored, cache.len() == 1);
    assert!(cache.bytes() <= ROOM);
    for later in [0, 1, 100, 40_000, 400_000_000, u64::MAX >> 2] {
        let Some(time) = now.checked_add(Duration::from_secs(later)) else {
            continue;
        };
        let (found, validators) = asks(time).lookup(&mut cache);
        assert!(stored || found.is_none() && validators.is_empty());
        if let Some(found) = found {
            assert_eq!(&found.body[..], b"content");
        }
    }
    let _ = asks(now).freshen(&mut cache, &confirmed, now + Duration::from_secs(5));
    assert!(cache.bytes() <= ROOM);
    let saved = cache.to_bytes();
    let loaded = HttpCache::from_bytes(&saved, Some(ROOM)).unwrap();
    assert_eq!(loaded.to_bytes(), saved);
    Cached {
        method: &Method::POST,
        ..asks(now)
    }
    .invalidate(&mut cache, StatusCode::OK, &confirmed);
    assert!(cache.is_empty());
});

fn fields(section: &str) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in section.lines() {
        // What is not a field is left out.
        let _ = fields.append_line(line);
    }
    fields
}
