//! Validators and conditional requests (RFC 9110 §8.8, §13): entity tags and their comparisons,
//! HTTP dates, and the evaluation of a request's preconditions. `cache` sends conditional requests,
//! and `range` handles ranges. Whatever owns the content creates its entity tags.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "server")]
use http::Method;

#[cfg(feature = "server")]
use crate::proto::FieldLines;

/// An entity tag (RFC 9110 §8.8.3). It has no `==`: compare two tags
/// [strongly](Self::strongly_matches) or [weakly](Self::weakly_matches).
#[derive(Clone)]
pub(crate) struct ETag {
    weak: bool,
    opaque: Vec<u8>,
}

impl ETag {
    /// A strong tag: it changes with every byte of the content. `None` when a character is not
    /// allowed in an entity tag (allowed: visible ASCII except `"`, and everything above ASCII).
    #[cfg(feature = "server")]
    pub(crate) fn strong(opaque: &str) -> Option<Self> {
        Self::new(false, opaque.as_bytes())
    }

    /// A weak tag: it changes when the meaning of the content changes.
    #[cfg(feature = "server")]
    pub(crate) fn weak(opaque: &str) -> Option<Self> {
        Self::new(true, opaque.as_bytes())
    }

    /// Parses the value of an `ETag` field.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let (weak, quoted) = match value.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, value),
        };
        Self::new(weak, quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
    }

    /// Whether this is a strong tag, which changes with every byte.
    pub(crate) fn is_strong(&self) -> bool {
        !self.weak
    }

    /// Strong comparison (RFC 9110 §8.8.3.2): equal, and both strong.
    #[cfg(any(feature = "cache", feature = "server"))]
    pub(crate) fn strongly_matches(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 §8.8.3.2): equal, whether strong or weak.
    #[cfg(any(feature = "cache", feature = "server"))]
    pub(crate) fn weakly_matches(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    /// The tag as a field value.
    pub(crate) fn to_field(&self) -> Vec<u8> {
        let mut field = Vec::with_capacity(self.opaque.len() + 4);
        if self.weak {
            field.extend_from_slice(b"W/");
        }
        field.push(b'"');
        field.extend_from_slice(&self.opaque);
        field.push(b'"');
        field
    }

    fn new(weak: bool, opaque: &[u8]) -> Option<Self> {
        opaque.iter().all(|&byte| is_etag_char(byte)).then(|| Self {
            weak,
            opaque: opaque.to_vec(),
        })
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_field().escape_ascii())
    }
}

fn is_etag_char(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// Formats a time as a field value (RFC 9110 §5.6.7), in GMT, with a resolution of one second.
/// `None` before 1970 and after 9999, which the format cannot express.
pub(crate) fn http_date(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    // The last second of the year 9999.
    (seconds <= 253_402_300_799).then(|| httpdate::fmt_http_date(time))
}

/// Parses any of the three formats of RFC 9110 §5.6.7.
pub(crate) fn parse_http_date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

/// Whether a modification time in a message of `date` is a strong validator (RFC 9110 §8.8.2.2). A
/// file that changes twice within a second keeps its time, so the time must be at least one second
/// old.
pub(crate) fn is_strong_date(last_modified: SystemTime, date: SystemTime) -> bool {
    date.duration_since(last_modified)
        .is_ok_and(|age| age >= Duration::from_secs(1))
}

/// What a server knows about the selected representation.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validators<'a> {
    /// Whether the representation exists.
    pub(crate) exists: bool,
    pub(crate) etag: Option<&'a ETag>,
    pub(crate) last_modified: Option<SystemTime>,
}

/// The result of evaluating a request's preconditions.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preconditions {
    /// Perform the method; consider `Range` if [`if_range_holds`].
    Proceed,
    /// `304 Not Modified`.
    NotModified,
    /// `412 Precondition Failed`.
    Failed,
}

/// Evaluates the preconditions in the order of RFC 9110 §13.2.2. Call it before performing the
/// method, and only if the response without preconditions would be a 2xx (§13.2.1).
#[cfg(feature = "server")]
pub(crate) fn evaluate(
    method: &Method,
    request: &FieldLines,
    current: Validators<'_>,
) -> Preconditions {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let date = |name| single(request, name).and_then(parse_http_date);
    let modified = current.last_modified.map(whole_seconds);

    // Steps 1 and 2.
    if request.contains("if-match") {
        if !listed(request, "if-match", current, ETag::strongly_matches) {
            return Preconditions::Failed;
        }
    } else if let (Some(date), Some(modified)) = (date("if-unmodified-since"), modified)
        && modified > date
    {
        return Preconditions::Failed;
    }
    // Steps 3 and 4.
    if request.contains("if-none-match") {
        if listed(request, "if-none-match", current, ETag::weakly_matches) {
            return if reads {
                Preconditions::NotModified
            } else {
                Preconditions::Failed
            };
        }
    } else if let (true, Some(date), Some(modified)) = (reads, date("if-modified-since"), modified)
        && modified <= date
    {
        return Preconditions::NotModified;
    }
    Preconditions::Proceed
}

/// Whether `Range` may be applied (RFC 9110 §13.1.5): there is no `If-Range`, or its validator is
/// strong and matches the current representation. `now` is the `Date` of the response.
#[cfg(feature = "server")]
pub(crate) fn if_range_holds(
    request: &FieldLines,
    current: Validators<'_>,
    now: SystemTime,
) -> bool {
    if !request.contains("if-range") {
        return true;
    }
    let Some(value) = single(request, "if-range") else {
        return false;
    };
    if let Some(tag) = ETag::parse(value) {
        return current.etag.is_some_and(|etag| etag.strongly_matches(&tag));
    }
    match (parse_http_date(value), current.last_modified) {
        (Some(date), Some(modified)) => {
            whole_seconds(modified) == date && is_strong_date(whole_seconds(modified), now)
        }
        _ => false,
    }
}

/// The value of a field that may appear only once.
#[cfg(feature = "server")]
fn single<'a>(request: &'a FieldLines, name: &str) -> Option<&'a [u8]> {
    let mut values = request.get_all(name);
    values.next().filter(|_| values.next().is_none())
}

/// Whether a list of entity tags contains the current one, or is `*` and the representation exists.
/// A malformed entity tag matches nothing.
#[cfg(feature = "server")]
fn listed(
    request: &FieldLines,
    name: &str,
    current: Validators<'_>,
    matches: fn(&ETag, &ETag) -> bool,
) -> bool {
    request.list(name).any(|item| match (item, current.etag) {
        (b"*", _) => current.exists,
        (item, Some(etag)) => ETag::parse(item).is_some_and(|tag| matches(etag, &tag)),
        (_, None) => false,
    })
}

/// Rounds down to the resolution of a field value.
#[cfg(feature = "server")]
fn whole_seconds(time: SystemTime) -> SystemTime {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => UNIX_EPOCH + Duration::from_secs(since.as_secs()),
        Err(_) => time,
    }
}

#[cfg(test)]
mod tests;
