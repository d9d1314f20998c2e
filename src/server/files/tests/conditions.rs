//! Preconditions (RFC 9110 §13) and ranges (RFC 9110 §14).

use super::*;

#[test]
fn entity_tags() {
    let tag = get("/static/digits.txt", &[])
        .field("etag")
        .unwrap()
        .to_owned();
    for (value, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", {tag}"), 304),
        ("*".into(), 304),
        ("\"other\"".into(), 200),
        ("other".into(), 200),
    ] {
        let line = format!("If-None-Match: {value}");
        let answer = get("/static/digits.txt", &[&line]);
        assert_eq!(answer.0, status, "{value}");
        assert_eq!(answer.field("etag"), Some(tag.as_str()));
        if status == 304 {
            // RFC 9110 §15.4.5
            assert_eq!(answer.2, "");
            assert_eq!(answer.field("vary"), Some("accept-encoding"));
            assert_eq!(answer.field("content-type"), None);
        }
    }
    let without = files().tag(false);
    let line = format!("If-None-Match: {tag}");
    let answer = ask(&without, "GET", "/static/digits.txt", &[&line]).unwrap();
    assert_eq!((answer.0, answer.field("etag")), (200, None));
    let young = get("/static/young", &[]);
    assert!(
        young.field("etag").unwrap().starts_with("W/"),
        "it may still be written"
    );
}

#[test]
fn preconditions() {
    let tag = get("/static/digits.txt", &[])
        .field("etag")
        .unwrap()
        .to_owned();
    let (good, weak) = (format!("If-Match: {tag}"), format!("If-Match: W/{tag}"));
    for (line, status) in [
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 412),
        ("If-Match: \"other\"", 412),
        ("If-Match: *", 200),
        (&good, 200),
        (&weak, 412),
    ] {
        assert_eq!(get("/static/digits.txt", &[line]).0, status, "{line}");
    }
}

#[test]
fn single_ranges() {
    for (range, status, content_range, content) in [
        ("bytes=0-3", 206, "bytes 0-3/10", "0123"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-2", 206, "bytes 8-9/10", "89"),
        ("bytes=9-99", 206, "bytes 9-9/10", "9"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=-0", 416, "bytes */10", ""),
        ("bytes=3-1", 200, "", "0123456789"),
        ("lines=0-3", 200, "", "0123456789"),
    ] {
        let answer = get("/static/digits.txt", &[&format!("Range: {range}")]);
        assert_eq!((answer.0, answer.2.as_str()), (status, content), "{range}");
        assert_eq!(
            answer.field("content-range").unwrap_or_default(),
            content_range,
            "{range}"
        );
        if status == 206 {
            assert_eq!(
                answer.field("content-type"),
                Some("text/plain; charset=utf-8")
            );
        }
    }
    let twice = get(
        "/static/digits.txt",
        &["Range: bytes=0-1", "Range: bytes=2-3"],
    );
    assert_eq!(twice.0, 200);
}

#[test]
fn only_a_get_has_ranges() {
    // RFC 9110 §14.2.
    let range = &[
        "Range: bytes=0-3",
        "If-Range: Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    let answer = ask(&files(), "HEAD", "/static/digits.txt", range).unwrap();
    assert_eq!((answer.0, answer.2.as_str()), (200, ""));
    assert_eq!(answer.field("content-range"), None);
}

#[test]
fn several_ranges() {
    let answer = get("/static/digits.txt", &["Range: bytes=0-1, -2"]);
    assert_eq!(answer.0, 206);
    let content_type = answer.field("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    assert_eq!(boundary.len(), 40);
    let part = |range, content| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {range}/10\r\n\r\n{content}"
        )
    };
    let expected = format!(
        "{}{}\r\n--{boundary}--\r\n",
        part("0-1", "01"),
        part("8-9", "89")
    );
    assert_eq!(answer.2, expected);
    assert_eq!(answer.field("content-range"), None);
    // Ranges that touch become one range.
    assert_eq!(
        get("/static/digits.txt", &["Range: bytes=0-1,2-3"]).2,
        "0123"
    );
}

#[test]
fn if_range() {
    let tag = get("/static/digits.txt", &[])
        .field("etag")
        .unwrap()
        .to_owned();
    for (value, status) in [
        (tag.as_str(), 206),
        (&format!("W/{tag}"), 200),
        ("\"other\"", 200),
        (MODIFIED, 206),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
    ] {
        let line = format!("If-Range: {value}");
        let answer = get("/static/digits.txt", &["Range: bytes=0-1", &line]);
        assert_eq!(answer.0, status, "{value}");
    }
}
