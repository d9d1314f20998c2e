//! Times as fields and logs write them (RFC 9110 §5.6.7). They may be any time that a file or a caller has;
//! httpdate panics outside the years 1970 to 9999.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// This time as an IMF-fixdate (`Sun, 06 Nov 1994 08:49:37 GMT`), in whole seconds. Times before
/// 1970 are written as its first second, times after 9999 as its last.
pub(crate) fn fixdate(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
        .min(LAST_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_at_the_edges() {
        let after = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (time, expected) in [
            (after(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT"),
            (
                after(784_111_777) + Duration::from_millis(999),
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (UNIX_EPOCH, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                UNIX_EPOCH - Duration::from_secs(9),
                "Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            (after(LAST_SECOND), "Fri, 31 Dec 9999 23:59:59 GMT"),
            (after(LAST_SECOND + 1), "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(fixdate(time), expected);
        }
    }
}
