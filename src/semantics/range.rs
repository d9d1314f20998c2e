//! Range requests (RFC 9110 §14): the `Range` field and `Content-Range` for both roles, and the
//! `multipart/byteranges` content a server answers several ranges with. Whether a range may be
//! served at all (`If-Range`) is in `conditional`; files are elsewhere.

use std::ops::Range;

#[cfg(feature = "server")]
use crate::proto::FieldLines;

/// What a `Content-Range` field says (RFC 9110 §14.4).
#[cfg(feature = "agent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// The content is these bytes of the representation.
    Part {
        range: Range<u64>,
        /// The length of the whole; `None` is `*`.
        complete: Option<u64>,
    },
    /// `416`: no part could be had, the whole has so many bytes.
    Unsatisfied { complete: u64 },
}

#[cfg(feature = "agent")]
impl ContentRange {
    /// `None` for another unit than bytes, and for what RFC 9110 §14.4 calls invalid: such content
    /// must not be combined with any other.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (unit, rest) = std::str::from_utf8(value).ok()?.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (part, complete) = rest.trim_start().split_once('/')?;
        let complete = match complete {
            "*" => None,
            digits => Some(number(digits)?),
        };
        if part == "*" {
            return complete.map(|complete| Self::Unsatisfied { complete });
        }
        let (first, last) = part.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let end = last.checked_add(1)?;
        (first <= last && complete.is_none_or(|complete| last < complete)).then_some(Self::Part {
            range: first..end,
            complete,
        })
    }
}

/// One part to ask for (RFC 9110 §14.1.2), in bytes.
#[cfg(feature = "agent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From this byte to the end.
    From(u64),
    /// These bytes.
    Bytes(Range<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// The value of a `Range` field (RFC 9110 §14.2); `None` when there is nothing to ask for: no part
/// at all, or an empty one, which the field cannot express.
#[cfg(feature = "agent")]
pub(crate) fn range_field(specs: &[RangeSpec]) -> Option<String> {
    let mut parts = Vec::with_capacity(specs.len());
    for spec in specs {
        parts.push(match spec {
            RangeSpec::From(first) => format!("{first}-"),
            RangeSpec::Bytes(range) if range.is_empty() => return None,
            RangeSpec::Bytes(range) => format!("{}-{}", range.start, range.end - 1),
            RangeSpec::Last(0) => return None,
            RangeSpec::Last(length) => format!("-{length}"),
        });
    }
    (!parts.is_empty()).then(|| format!("bytes={}", parts.join(", ")))
}

/// More parts than this are not served one by one: the request is answered as if it had no `Range`
/// (RFC 9110 §14.2 allows it, §17.15 says why).
#[cfg(feature = "server")]
const MAX_RANGES: usize = 16;

/// What a `Range` field asks for, given how long the representation is.
#[cfg(feature = "server")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RangeSet {
    /// Answer as if there were no `Range`: it is malformed, of another unit, or asks for too many
    /// parts.
    Ignored,
    /// Answer `416` with `Content-Range: bytes */length`.
    Unsatisfiable,
    /// Answer `206`: one range, or several as `multipart/byteranges`. None is empty, none overlaps
    /// or touches another.
    Ranges(Vec<Range<u64>>),
}

/// Reads a `Range` field for a representation of `length` bytes (RFC 9110 §14.1.2, §14.2). Only a
/// `GET` may have one; whether `If-Range` lets it count is asked before.
#[cfg(feature = "server")]
pub(crate) fn parse_range(value: &[u8], length: u64) -> RangeSet {
    let Some(specs) = std::str::from_utf8(value)
        .ok()
        .and_then(|value| value.trim().split_once('='))
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"))
        .map(|(_, specs)| specs)
    else {
        return RangeSet::Ignored;
    };
    let mut ranges = Vec::new();
    let mut count = 0;
    for spec in specs.split(',') {
        let spec = spec.trim_matches([' ', '\t']);
        if spec.is_empty() {
            continue;
        }
        count += 1;
        let Some(range) = resolve(spec, length).filter(|_| count <= MAX_RANGES) else {
            return RangeSet::Ignored;
        };
        if !range.is_empty() {
            ranges.push(range);
        }
    }
    match (count, ranges.is_empty()) {
        (0, _) => RangeSet::Ignored,
        (_, true) => RangeSet::Unsatisfiable,
        _ => RangeSet::Ranges(coalesce(ranges)),
    }
}

/// The value of `Content-Range` for one range of a representation of `length` bytes.
#[cfg(feature = "server")]
pub(crate) fn content_range(range: &Range<u64>, length: u64) -> String {
    let last = range.end.saturating_sub(1);
    format!("bytes {}-{last}/{length}", range.start)
}

/// The value of `Content-Range` in a `416` response.
#[cfg(feature = "server")]
pub(crate) fn unsatisfied_range(length: u64) -> String {
    format!("bytes */{length}")
}

/// Content of several ranges (RFC 9110 §14.6): each range's [`head`](Self::head), then its bytes;
/// after the last, the [`foot`](Self::foot).
#[cfg(feature = "server")]
#[derive(Clone, Debug)]
pub(crate) struct Byteranges {
    boundary: String,
    part_type: Option<String>,
    length: u64,
}

#[cfg(feature = "server")]
impl Byteranges {
    /// For a representation of `length` bytes and type `part_type`, if it has one. The boundary must
    /// not occur in it: random characters, see `multipart::boundary`.
    pub(crate) fn new(boundary: String, part_type: Option<String>, length: u64) -> Self {
        Self {
            boundary,
            part_type,
            length,
        }
    }

    /// The response's own `Content-Type`.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// What precedes a range's bytes.
    pub(crate) fn head(&self, range: &Range<u64>) -> Vec<u8> {
        let mut fields = FieldLines::new();
        if let Some(part_type) = &self.part_type {
            // A type that is no field value is left out rather than sent broken.
            let _ = fields.append("Content-Type", part_type);
        }
        let _ = fields.append("Content-Range", content_range(range, self.length));
        let mut head = format!("\r\n--{}\r\n", self.boundary).into_bytes();
        for (name, value) in fields.iter() {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// What follows the last range's bytes.
    pub(crate) fn foot(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    /// The length of the whole content; `None` when it is beyond 64 bits.
    pub(crate) fn content_length(&self, ranges: &[Range<u64>]) -> Option<u64> {
        let foot = u64::try_from(self.foot().len()).ok()?;
        ranges.iter().try_fold(foot, |sum, range| {
            let head = u64::try_from(self.head(range).len()).ok()?;
            sum.checked_add(head)?
                .checked_add(range.end.saturating_sub(range.start))
        })
    }
}

/// Digits only; `None` when they are none or too large.
fn number(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Like [`number`], but what is too large is only too large for any representation.
#[cfg(feature = "server")]
fn position(digits: &str) -> Option<u64> {
    match number(digits) {
        None if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(u64::MAX)
        }
        number => number,
    }
}

/// The bytes a single range-spec means; empty when it cannot be satisfied, `None` when it is
/// malformed.
#[cfg(feature = "server")]
fn resolve(spec: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let suffix = position(last)?;
        return Some(length.saturating_sub(suffix)..length);
    }
    let first = position(first)?;
    let end = match last {
        "" => length,
        last => {
            let last = position(last).filter(|&last| first <= last)?;
            last.saturating_add(1).min(length)
        }
    };
    Some(first.min(end)..end)
}

/// Merges what overlaps or touches. Ranges apart from each other keep the client's order, which RFC
/// 9110 §14.6 asks for; if any are merged, all are sorted.
#[cfg(feature = "server")]
fn coalesce(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    if merged.len() == ranges.len() {
        ranges
    } else {
        merged
    }
}

#[cfg(test)]
mod tests;
