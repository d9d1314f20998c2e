use super::*;

#[cfg(feature = "agent")]
#[test]
fn content_range_rfc_9110_14_4() {
    let part = |range, complete| Some(ContentRange::Part { range, complete });
    for (value, expected) in [
        ("bytes 0-499/1234", part(0..500, Some(1234))),
        ("bytes 734-1233/1234", part(734..1234, Some(1234))),
        ("BYTES 0-0/1", part(0..1, Some(1))),
        (" bytes  42-1233/* ", part(42..1234, None)),
        (
            "bytes */1234",
            Some(ContentRange::Unsatisfied { complete: 1234 }),
        ),
        ("bytes */*", None),
        ("bytes 1-0/5", None),
        ("bytes 0-5/5", None),
        ("bytes 0-4", None),
        ("bytes=0-4/5", None),
        ("bytes 0-/5", None),
        ("bytes -4/5", None),
        ("bytes 0-4/", None),
        ("bytes +0-4/5", None),
        ("bytes 0 - 4/5", None),
        ("items 0-4/5", None),
        ("bytes 0-18446744073709551615/*", None),
        ("bytes 0-18446744073709551616/*", None),
        ("bytes", None),
        ("", None),
    ] {
        assert_eq!(ContentRange::parse(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(ContentRange::parse(b"bytes \xff"), None);
}

#[cfg(feature = "agent")]
#[test]
fn range_field_rfc_9110_14_2() {
    use RangeSpec::{Bytes, From, Last};
    for (specs, expected) in [
        (vec![From(500)], Some("bytes=500-")),
        (vec![Bytes(0..500)], Some("bytes=0-499")),
        (vec![Last(500)], Some("bytes=-500")),
        (vec![Bytes(0..1), From(9)], Some("bytes=0-0, 9-")),
        (vec![], None),
        (vec![Bytes(5..5)], None),
        (vec![From(1), Last(0)], None),
    ] {
        assert_eq!(range_field(&specs).as_deref(), expected, "{specs:?}");
    }
}

#[cfg(feature = "server")]
#[test]
fn range_rfc_9110_14_1_2() {
    use RangeSet::{Ignored, Unsatisfiable};
    let ranges = |ranges: &[(u64, u64)]| {
        RangeSet::Ranges(ranges.iter().map(|&(start, end)| start..end).collect())
    };
    for (value, length, expected) in [
        ("bytes=0-499", 10_000, ranges(&[(0, 500)])),
        ("bytes=500-999", 10_000, ranges(&[(500, 1000)])),
        ("bytes=-500", 10_000, ranges(&[(9500, 10_000)])),
        ("bytes=9500-", 10_000, ranges(&[(9500, 10_000)])),
        ("bytes=0-0,-1", 10_000, ranges(&[(0, 1), (9999, 10_000)])),
        ("bytes= 0-0 ,\t5-6 ,,", 10_000, ranges(&[(0, 1), (5, 7)])),
        ("Bytes=0-", 10, ranges(&[(0, 10)])),
        ("bytes=0-99", 10, ranges(&[(0, 10)])),
        ("bytes=-99", 10, ranges(&[(0, 10)])),
        ("bytes=9-9", 10, ranges(&[(9, 10)])),
        ("bytes=0-99999999999999999999999", 10, ranges(&[(0, 10)])),
        // §14.2: ranges that overlap or touch are merged; otherwise the client's order is kept.
        ("bytes=5-6,0-1", 10, ranges(&[(5, 7), (0, 2)])),
        ("bytes=0-4,2-6", 10, ranges(&[(0, 7)])),
        ("bytes=0-4,5-6", 10, ranges(&[(0, 7)])),
        ("bytes=8-,0-0,0-4", 10, ranges(&[(0, 5), (8, 10)])),
        ("bytes=0-,0-,0-", 10, ranges(&[(0, 10)])),
        // One satisfiable range is enough.
        ("bytes=99-,1-2", 10, ranges(&[(1, 3)])),
        ("bytes=10-", 10, Unsatisfiable),
        ("bytes=10-20,30-", 10, Unsatisfiable),
        ("bytes=-0", 10, Unsatisfiable),
        ("bytes=0-", 0, Unsatisfiable),
        ("bytes=-5", 0, Unsatisfiable),
        ("bytes=99999999999999999999999-", 10, Unsatisfiable),
        ("bytes=", 10, Ignored),
        ("bytes=,", 10, Ignored),
        ("bytes=-", 10, Ignored),
        ("bytes=2-1", 10, Ignored),
        ("bytes=0-1,2-1", 10, Ignored),
        ("bytes=0-1,x", 10, Ignored),
        ("bytes=+1-2", 10, Ignored),
        ("bytes=1 -2", 10, Ignored),
        ("bytes=1-2-3", 10, Ignored),
        ("bytes=--1", 10, Ignored),
        ("bytes 0-1", 10, Ignored),
        ("items=0-1", 10, Ignored),
        ("", 10, Ignored),
    ] {
        assert_eq!(
            parse_range(value.as_bytes(), length),
            expected,
            "{value} of {length}"
        );
    }
    assert_eq!(parse_range(b"bytes=\xff-", 10), Ignored);
}

#[cfg(feature = "server")]
#[test]
fn too_many_ranges_are_ignored() {
    let value = |count: u64| {
        let specs: Vec<String> = (0..count).map(|n| format!("{0}-{0}", n * 2)).collect();
        format!("bytes={}", specs.join(","))
    };
    let served = parse_range(value(16).as_bytes(), 100);
    assert!(matches!(served, RangeSet::Ranges(ranges) if ranges.len() == 16));
    assert_eq!(parse_range(value(17).as_bytes(), 100), RangeSet::Ignored);
}

#[cfg(feature = "server")]
#[test]
fn byteranges_rfc_9110_14_6() {
    let content = b"0123456789";
    let byteranges = Byteranges::new("B".into(), Some("text/plain".into()), 10);
    assert_eq!(
        byteranges.content_type(),
        "multipart/byteranges; boundary=B"
    );
    let ranges = [0..1, 8..10];
    let mut body = Vec::new();
    for range in &ranges {
        body.extend(byteranges.head(range));
        body.extend_from_slice(&content[range.start as usize..range.end as usize]);
    }
    body.extend(byteranges.foot());
    let expected = "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0\
        \r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--B--\r\n";
    assert_eq!(String::from_utf8_lossy(&body), expected);
    assert_eq!(byteranges.content_length(&ranges), Some(body.len() as u64));
    assert_eq!(
        byteranges.content_length(std::slice::from_ref(&(0..u64::MAX))),
        None
    );

    let head = Byteranges::new("B".into(), Some("a\r\nb".into()), 10).head(&(0..1));
    assert_eq!(head, b"\r\n--B\r\nContent-Range: bytes 0-0/10\r\n\r\n");
    assert_eq!(unsatisfied_range(10), "bytes */10");
}
