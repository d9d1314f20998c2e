//! Records of requests and their responses, which the game may show or write. The log is a ring of bounded
//! length. A record holds no query, no field except `User-Agent`, and no credentials.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Version};

use super::fixdate::fixdate;
use super::target::path_of;

/// One request and its response.
///
/// `Display` writes a line of the combined log format, in UTC:
/// `127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /scores HTTP/1.1" 200 512 "-" "curl/8.5.0"`.
/// Characters that could break the line or its quotes are written as `\xHH`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRecord {
    /// When the response was complete or was cut short.
    pub time: SystemTime,
    /// The client's address. Behind trusted proxies it is the address that they report.
    pub client: IpAddr,
    /// The method.
    pub method: Method,
    /// The path of the request target, never its query.
    pub path: String,
    /// The version of the request.
    pub version: Version,
    /// The status of the response.
    pub status: StatusCode,
    /// Bytes of content that were sent.
    pub bytes: u64,
    /// From the first byte of the request's head to the end of the response.
    pub duration: Duration,
    /// The `User-Agent`, when there was one.
    pub agent: Option<String>,
}

/// The newest records.
#[derive(Clone, Debug)]
pub struct AccessLog {
    records: VecDeque<AccessRecord>,
    capacity: usize,
    dropped: u64,
}

impl AccessRecord {
    /// The path of this request target, in the form that a record may hold.
    pub fn path_of(target: &str) -> &str {
        path_of(target)
    }
}

impl AccessLog {
    /// A log of the latest `records` records; with 0 it is off. Allocates as it fills.
    pub fn new(capacity: usize) -> Self {
        Self {
            records: VecDeque::new(),
            capacity,
            dropped: 0,
        }
    }

    /// Adds a record, in place of the oldest if the log is full.
    pub fn push(&mut self, record: AccessRecord) {
        if self.capacity == 0 {
            return;
        }
        if self.records.len() >= self.capacity {
            self.records.pop_front();
            self.dropped += 1;
        }
        self.records.push_back(record);
    }

    /// The records, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &AccessRecord> + ExactSizeIterator {
        self.records.iter()
    }

    /// Removes all records and returns them, the oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = AccessRecord> + '_ {
        self.records.drain(..)
    }

    /// How many records were dropped for newer ones before they were taken.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Default for AccessLog {
    /// A log of the newest 256 records.
    fn default() -> Self {
        Self::new(256)
    }
}

impl fmt::Display for AccessRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The parts of `Sun, 06 Nov 1994 08:49:37 GMT` are at fixed places.
        let date = fixdate(self.time);
        let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
        let (day, month, year, clock) = (part(5..7), part(8..11), part(12..16), part(17..25));
        write!(
            f,
            "{} - - [{day}/{month}/{year}:{clock} +0000] ",
            self.client
        )?;
        write!(
            f,
            "\"{} {} {:?}\" {} {} \"-\" \"{}\"",
            self.method,
            Escaped(&self.path),
            self.version,
            self.status.as_u16(),
            self.bytes,
            Escaped(self.agent.as_deref().unwrap_or("-")),
        )
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'"' | b'\\' | ..b' ' | 0x7f.. => write!(f, "\\x{byte:02x}"),
            _ => write!(f, "{}", char::from(byte)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn record(path: &str, agent: Option<&str>) -> AccessRecord {
        AccessRecord {
            time: UNIX_EPOCH + Duration::from_secs(784_111_777),
            client: [127, 0, 0, 1].into(),
            method: Method::GET,
            path: AccessRecord::path_of(path).to_owned(),
            version: Version::HTTP_11,
            status: StatusCode::OK,
            bytes: 512,
            duration: Duration::from_millis(3),
            agent: agent.map(str::to_owned),
        }
    }

    #[test]
    fn records_as_lines() {
        let start = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000]";
        for (path, agent, rest) in [
            ("/", None, r#""GET / HTTP/1.1" 200 512 "-" "-""#),
            (
                "/scores?token=sesame",
                Some("curl/8.5.0"),
                r#""GET /scores HTTP/1.1" 200 512 "-" "curl/8.5.0""#,
            ),
            (
                "/a\"b",
                Some("x\" 200\r\n\u{1b}[31m\\"),
                r#""GET /a\x22b HTTP/1.1" 200 512 "-" "x\x22 200\x0d\x0a\x1b[31m\x5c""#,
            ),
            (
                "/\u{e9}",
                None,
                r#""GET /\xc3\xa9 HTTP/1.1" 200 512 "-" "-""#,
            ),
        ] {
            assert_eq!(record(path, agent).to_string(), format!("{start} {rest}"));
        }
    }

    #[test]
    fn times_before_1970_are_written_as_1970() {
        let mut early = record("/", None);
        early.version = Version::HTTP_10;
        early.time = UNIX_EPOCH - Duration::from_secs(1);
        let expected = "[01/Jan/1970:00:00:00 +0000] \"GET / HTTP/1.0\"";
        assert!(early.to_string().contains(expected));
    }

    #[test]
    fn the_log_keeps_the_newest() {
        let mut log = AccessLog::new(2);
        for path in ["/a", "/b", "/c"] {
            log.push(record(path, None));
        }
        assert_eq!(
            log.iter().map(|record| &record.path).collect::<Vec<_>>(),
            ["/b", "/c"]
        );
        assert_eq!(log.dropped(), 1);
        assert_eq!(log.drain().count(), 2);
        assert_eq!(log.iter().len(), 0);

        let mut off = AccessLog::new(0);
        off.push(record("/", None));
        assert_eq!((off.iter().len(), off.dropped()), (0, 0));
    }
}
