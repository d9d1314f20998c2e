//! Dates and delays: what is read is written as it was, and no delay is without bounds.

#![no_main]

use std::time::{Duration, SystemTime};

use httpoll::fuzzing::{http_date, parse_http_date, retry_after};
use libfuzzer_sys::fuzz_target;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fuzz_target!(|input: &[u8]| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    if let Some(delay) = retry_after(input, now) {
        assert!(delay <= DAY);
    }
    if let Some(time) = parse_http_date(input) {
        let written = http_date(time).expect("what was read has a form");
        assert_eq!(parse_http_date(written.as_bytes()), Some(time));
    }
    if let Some(seconds) = input.first_chunk::<8>() {
        let seconds = u64::from_le_bytes(*seconds) >> (input.len() % 64);
        if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
            && let Some(written) = http_date(time)
        {
            assert_eq!(parse_http_date(written.as_bytes()), Some(time));
        }
    }
});
