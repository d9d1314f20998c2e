//! Reads the parts of a `206` response: `multipart/byteranges` content (RFC 9110 §14.6, RFC 2046 §5.1), or
//! one part with `Content-Range`. Which ranges to ask for does not belong here.

use std::ops::Range;

use bytes::Bytes;

use super::range::ContentRange;
use crate::proto::FieldLines;

/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The most bytes before a part's content: its delimiter and its fields.
const MAX_PART_HEAD: usize = 4096;

/// A part of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) range: Range<u64>,
    pub(crate) bytes: Bytes,
}

/// The parts of a response with status 206. `None` if they are malformed, are more than `max_parts`, or do not
/// have the lengths of their ranges: then nothing of the content can be used.
pub(crate) fn parts(
    fields: &FieldLines,
    content: &Bytes,
    max_parts: usize,
) -> Option<Vec<ByteRange>> {
    if let Some(range) = fields.get("content-range") {
        let part = part(range, content.clone())?;
        return (part.bytes.len() == content.len()).then(|| vec![part]);
    }
    let boundary = boundary(fields.get("content-type")?)?;
    multipart(content, &boundary, max_parts)
}

/// One part. Its content is what its range says; more may follow.
fn part(content_range: &[u8], content: Bytes) -> Option<ByteRange> {
    let ContentRange::Part { range, .. } = ContentRange::parse(content_range)? else {
        return None;
    };
    let length = usize::try_from(range.end - range.start).ok()?;
    let bytes = (length <= content.len()).then(|| content.slice(..length))?;
    Some(ByteRange { range, bytes })
}

/// The boundary of `multipart/byteranges`.
fn boundary(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let mut pieces = text.split(';');
    let media_type = pieces.next()?.trim();
    if !media_type.eq_ignore_ascii_case("multipart/byteranges") {
        return None;
    }
    let value = pieces.find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .unwrap_or(value);
    let is_valid = (1..=MAX_BOUNDARY).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !value.ends_with(' ');
    is_valid.then(|| value.to_owned())
}

fn multipart(content: &Bytes, boundary: &str, max_parts: usize) -> Option<Vec<ByteRange>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    // What is before the first delimiter is ignored (RFC 2046 §5.1.1).
    let preamble = &content[..content.len().min(MAX_PART_HEAD)];
    let mut at = memchr::memmem::find(preamble, delimiter.as_bytes())?;
    loop {
        let rest = &content[at..];
        let rest = rest.strip_prefix(delimiter.as_bytes())?;
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        if parts.len() == max_parts {
            return None;
        }
        let head = &rest[..rest.len().min(MAX_PART_HEAD)];
        // Padding may follow the delimiter on its line.
        let line_end = memchr::memmem::find(head, b"\r\n")?;
        if !head[..line_end]
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t'))
        {
            return None;
        }
        let fields_end = line_end + memchr::memmem::find(&head[line_end..], b"\r\n\r\n")?;
        let range = content_range(head.get(line_end + 2..fields_end)?)?;
        at += delimiter.len() + fields_end + 4;
        let part = part(range, content.slice(at..))?;
        at += part.bytes.len();
        parts.push(part);
        if !content[at..].starts_with(b"\r\n") {
            return None;
        }
        at += 2;
    }
}

/// The value of `Content-Range` among these field lines.
fn content_range(lines: &[u8]) -> Option<&[u8]> {
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon]
            .eq_ignore_ascii_case(b"content-range")
            .then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, value: &str) -> FieldLines {
        let mut fields = FieldLines::new();
        fields.append(name, value).unwrap();
        fields
    }

    fn read(content: &str) -> Option<Vec<(u64, String)>> {
        let fields = fields("Content-Type", "multipart/byteranges; boundary=B");
        let found = parts(&fields, &Bytes::copy_from_slice(content.as_bytes()), 3)?;
        let text = |part: ByteRange| {
            assert_eq!(part.range.end - part.range.start, part.bytes.len() as u64);
            (
                part.range.start,
                String::from_utf8(part.bytes.to_vec()).unwrap(),
            )
        };
        Some(found.into_iter().map(text).collect())
    }

    #[test]
    fn several_parts_are_read_by_their_lengths() {
        // Content that looks like a delimiter is content.
        let content = "\r\n--B\r\nContent-Type: a/b\r\nContent-Range: bytes 0-4/99\r\n\r\n\r\n--B\
                       \r\n--B  \r\ncontent-range:bytes 50-51/*\r\n\r\nxy\r\n--B--\r\nepilogue";
        assert_eq!(
            read(content),
            Some(vec![(0, "\r\n--B".to_owned()), (50, "xy".to_owned())])
        );
        assert_eq!(read("preamble\r\n--B--"), Some(Vec::new()));
    }

    #[test]
    fn malformed_parts_are_refused() {
        let one = "--B\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n";
        assert!(read(&format!("{}--B--", one.repeat(3))).is_some());
        let padding = "x".repeat(MAX_PART_HEAD);
        for bad in [
            String::new(),
            "--C--".to_owned(),
            one.to_owned(),
            format!("{}--B--", one.repeat(4)),
            format!("{one}--B"),
            format!("{one}xx--B--"),
            one.replace("0-1", "0-9"),
            one.replace("0-1", "1-0"),
            one.replace("0-1", "0-18446744073709551615"),
            one.replace("/9", "/1"),
            one.replace("bytes", "lines"),
            one.replace("Content-Range", "Content-Rang"),
            one.replace("--B\r", "--Bad\r"),
            one.replace("\r\n\r\n", "\r\n"),
            format!("--B\r\nX: {padding}\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--B--"),
            format!("{padding}{one}--B--"),
        ] {
            let shown: String = bad.chars().take(80).collect();
            assert_eq!(read(&bad), None, "{shown}");
        }
        // Cut at any place.
        let whole = format!("{one}{one}--B--");
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn one_part_has_the_length_of_its_range() {
        let read = |value: &str| {
            let content = Bytes::from_static(b"abc");
            parts(&fields("Content-Range", value), &content, 1)
        };
        assert_eq!(read("bytes 7-9/10").unwrap()[0].range, 7..10);
        for bad in [
            "bytes 7-8/10",
            "bytes 6-9/10",
            "bytes */10",
            "x",
            "bytes 7-9/8",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn boundaries_are_tokens_or_quoted() {
        for (value, expected) in [
            ("multipart/byteranges; boundary=a1", Some("a1")),
            ("Multipart/ByteRanges;x=y; Boundary=\"a b\"", Some("a b")),
            ("multipart/byteranges", None),
            ("multipart/byteranges; boundary=", None),
            ("multipart/byteranges; boundary=\"\"", None),
            ("multipart/form-data; boundary=a", None),
        ] {
            assert_eq!(boundary(value.as_bytes()).as_deref(), expected, "{value}");
        }
        let long = format!("multipart/byteranges; boundary={}", "a".repeat(71));
        assert_eq!(boundary(long.as_bytes()), None);
    }
}
