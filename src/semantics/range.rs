//! Range requests (RFC 9110 §14): the `Range` and `Content-Range` fields for both roles, and the
//! `multipart/byteranges` content with which a server sends several ranges. `If-Range`, which
//! decides whether a range may be served, is in `conditional`. Files do not belong here.

use std::ops::Range;

#[cfg(feature = "server")]
use crate::proto::FieldLines;

/// The value of a `Content-Range` field (RFC 9110 §14.4).
#[cfg(feature = "agent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// The content is these bytes of the representation.
    Part {
        range: Range<u64>,
        /// The length of the whole representation; `None` is `*`.
        complete: Option<u64>,
    },
    /// From a `416`: no range could be served. The whole representation has this many bytes.
    Unsatisfied { complete: u64 },
}

#[cfg(feature = "agent")]
impl ContentRange {
    /// Parses a field value. `None` for a unit other than bytes, and for values that RFC 9110 §14.4
    /// calls invalid: such content must not be combined with other content.
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

/// One range to request (RFC 9110 §14.1.2), in bytes. The RFC has these three forms and no others.
#[cfg(feature = "agent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From this byte to the end.
    From(u64),
    /// These bytes.
    Bytes(Range<u64>),
    /// This many bytes at the end.
    Last(u64),
}

/// The value of a `Range` field (RFC 9110 §14.2). `None` when there is nothing to request: no range
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

/// The maximum number of ranges. A request for more gets the response that it would get without
/// `Range` (RFC 9110 §14.2 allows it, §17.15 says why).
#[cfg(feature = "server")]
const MAX_RANGES: usize = 16;

/// The meaning of a `Range` field for a representation of known length.
#[cfg(feature = "server")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RangeSet {
    /// Respond as if there were no `Range`: it is malformed, has another unit, or requests too many
    /// ranges.
    Ignored,
    /// Respond with `416` and `Content-Range: bytes */length`.
    Unsatisfiable,
    /// Respond with `206`: one range, or several as `multipart/byteranges`. No range is empty, and
    /// no two overlap or touch.
    Ranges(Vec<Range<u64>>),
}

/// Parses a `Range` field for a representation of `length` bytes (RFC 9110 §14.1.2, §14.2). Call it
/// only for a `GET`, and after `If-Range` was checked.
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
    /// For a representation of `length` bytes and type `part_type`, if known. The boundary must not
    /// occur in the representation: use random characters, see `multipart::boundary`.
    pub(crate) fn new(boundary: String, part_type: Option<String>, length: u64) -> Self {
        Self {
            boundary,
            part_type,
            length,
        }
    }

    /// The `Content-Type` of the response itself.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// The bytes before a range.
    pub(crate) fn head(&self, range: &Range<u64>) -> Vec<u8> {
        let mut fields = FieldLines::new();
        if let Some(part_type) = &self.part_type {
            // An invalid type is left out, so that the part stays well-formed.
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

    /// The bytes after the last range.
    pub(crate) fn foot(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    /// The length of the whole content; `None` when it does not fit into 64 bits.
    pub(crate) fn content_length(&self, ranges: &[Range<u64>]) -> Option<u64> {
        let foot = u64::try_from(self.foot().len()).ok()?;
        ranges.iter().try_fold(foot, |sum, range| {
            let head = u64::try_from(self.head(range).len()).ok()?;
            sum.checked_add(head)?
                .checked_add(range.end.saturating_sub(range.start))
        })
    }
}

/// Parses digits; `None` when there are none, or the number is too large.
fn number(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Like [`number`], but a number that is too large becomes the maximum, which is beyond any
/// representation.
#[cfg(feature = "server")]
fn position(digits: &str) -> Option<u64> {
    match number(digits) {
        None if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(u64::MAX)
        }
        number => number,
    }
}

/// The bytes of a single range-spec: empty when it cannot be satisfied, `None` when it is
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

/// Merges ranges that overlap or touch. Separate ranges keep the client's order, which RFC 9110
/// §14.6 asks for. If any ranges are merged, all are sorted.
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
