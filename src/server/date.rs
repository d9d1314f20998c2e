//! The `Date` of responses (RFC 9110 §6.6.1), formatted once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use super::fixdate::fixdate;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct DateLine {
    second: u64,
    text: String,
}

impl DateLine {
    /// The date of `now` as an IMF-fixdate (RFC 9110 §5.6.7).
    pub(super) fn at(&mut self, now: SystemTime) -> &str {
        let second = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = fixdate(now);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_that_of_its_second() {
        let mut date = DateLine::default();
        let then = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(date.at(then), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            date.at(then + Duration::from_millis(999)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            date.at(then + Duration::from_secs(1)),
            "Sun, 06 Nov 1994 08:49:38 GMT"
        );
    }
}
