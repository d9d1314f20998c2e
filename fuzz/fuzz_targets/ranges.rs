//! `Range`, `Content-Range` and entity tags: what is read lies within what there is.

#![no_main]

use httpoll::fuzzing::{content_range, content_range_field, etag, ranges};
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut choices, value) = split(input);
    if let Some((range, complete)) = content_range(value) {
        match range {
            Some(range) => {
                assert!(range.start < range.end);
                assert!(complete.is_none_or(|complete| range.end <= complete));
            }
            None => assert!(complete.is_some()),
        }
    }
    let length = [0, 1, 10, u64::MAX][choices.bits(2) as usize];
    if let Some(ranges) = ranges(value, length) {
        assert!(ranges.len() <= 16);
        for (index, range) in ranges.iter().enumerate() {
            assert!(range.start < range.end && range.end <= length);
            let apart =
                |other: &std::ops::Range<u64>| other.end < range.start || range.end < other.start;
            assert!(ranges.iter().skip(index + 1).all(apart), "{ranges:?}");
            let written = content_range_field(range, length);
            let again = content_range(written.as_bytes());
            assert_eq!(again, Some((Some(range.clone()), Some(length))));
        }
    }
    if let Some(written) = etag(value) {
        assert_eq!(etag(&written), Some(written.clone()));
        assert!(!written.iter().any(|byte| byte.is_ascii_control()));
    }
});
