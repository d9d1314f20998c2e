use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn entity_tags_rfc_9110_8_8_3() {
    for (value, expected) in [
        (&b"\"xyzzy\""[..], Some((true, &b"\"xyzzy\""[..]))),
        (b"W/\"xyzzy\"", Some((false, b"W/\"xyzzy\""))),
        (b"\"\"", Some((true, b"\"\""))),
        (b" \"a,b\\\" ", Some((true, b"\"a,b\\\""))),
        (b"\"\xff\"", Some((true, b"\"\xff\""))),
        (b"w/\"a\"", None),
        (b"W/ \"a\"", None),
        (b"xyzzy", None),
        (b"\"", None),
        (b"\"a b\"", None),
        (b"\"a\"b\"", None),
        (b"\"a\x7f\"", None),
        (b"\"a\r\n\"", None),
        (b"*", None),
        (b"", None),
    ] {
        let tag = ETag::parse(value);
        let read = tag.map(|tag| (tag.is_strong(), tag.to_field()));
        let expected = expected.map(|(strong, field)| (strong, field.to_vec()));
        assert_eq!(read, expected, "{}", value.escape_ascii());
    }
}

#[test]
fn http_dates_rfc_9110_5_6_7() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(http_date(at(784_111_777)).as_deref(), Some(date));
    for value in [
        date,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(parse_http_date(value.as_bytes()), Some(at(784_111_777)));
    }
    for value in [
        &b""[..],
        b"0",
        b"yesterday",
        b"\xff",
        b"Sun, 06 Nov 1994 08:49:37 CET",
    ] {
        assert_eq!(parse_http_date(value), None);
    }
    assert_eq!(http_date(UNIX_EPOCH - Duration::from_secs(1)), None);
    assert_eq!(
        http_date(at(253_402_300_799)).as_deref(),
        Some("Fri, 31 Dec 9999 23:59:59 GMT")
    );
    assert_eq!(http_date(at(253_402_300_800)), None);
}

#[test]
fn strong_dates_rfc_9110_8_8_2_2() {
    for (modified, date, expected) in [(10, 10, false), (10, 11, true), (10, 9, false)] {
        assert_eq!(is_strong_date(at(modified), at(date)), expected);
    }
}

#[cfg(feature = "server")]
mod server {
    use super::*;

    #[test]
    fn comparisons_rfc_9110_8_8_3_2() {
        for (one, other, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            let one = ETag::parse(one.as_bytes()).unwrap();
            let other = ETag::parse(other.as_bytes()).unwrap();
            assert_eq!(one.strongly_matches(&other), strong, "{one:?} {other:?}");
            assert_eq!(one.weakly_matches(&other), weak, "{one:?} {other:?}");
        }
        assert!(
            ETag::strong("a")
                .unwrap()
                .strongly_matches(&ETag::strong("a").unwrap())
        );
        assert_eq!(ETag::weak("a").unwrap().to_field(), b"W/\"a\"");
        assert!(ETag::strong("a\"").is_none());
    }

    const OLD: &str = "Thu, 01 Jan 1970 00:01:39 GMT";
    const SAME: &str = "Thu, 01 Jan 1970 00:01:40 GMT";
    const NEW: &str = "Thu, 01 Jan 1970 00:01:41 GMT";

    fn fields(lines: &[(&str, &str)]) -> FieldLines {
        let mut fields = FieldLines::new();
        for (name, value) in lines {
            fields.append(name, value).unwrap();
        }
        fields
    }

    #[test]
    fn preconditions_rfc_9110_13_2_2() {
        use Preconditions::{Failed, NotModified, Proceed};
        let etag = ETag::strong("v1").unwrap();
        let current = Validators {
            exists: true,
            etag: Some(&etag),
            last_modified: Some(at(100) + Duration::from_millis(900)),
        };
        let (get, put) = (Method::GET, Method::PUT);
        let rows: &[(&Method, &[(&str, &str)], Preconditions)] = &[
            (&get, &[], Proceed),
            // Step 1: §13.1.1, strong comparison.
            (&put, &[("If-Match", "\"v1\"")], Proceed),
            (&put, &[("If-Match", "\"v0\", \"v1\"")], Proceed),
            (
                &put,
                &[("If-Match", "\"v0\""), ("If-Match", "\"v1\"")],
                Proceed,
            ),
            (&put, &[("If-Match", "*")], Proceed),
            (&put, &[("If-Match", "\"v0\"")], Failed),
            (&put, &[("If-Match", "W/\"v1\"")], Failed),
            (&put, &[("If-Match", "v1")], Failed),
            (&put, &[("If-Match", "")], Failed),
            // Step 2: §13.1.4, only without If-Match.
            (&put, &[("If-Unmodified-Since", OLD)], Failed),
            (&put, &[("If-Unmodified-Since", SAME)], Proceed),
            (&put, &[("If-Unmodified-Since", NEW)], Proceed),
            (&put, &[("If-Unmodified-Since", "x")], Proceed),
            (
                &put,
                &[("If-Match", "\"v1\""), ("If-Unmodified-Since", OLD)],
                Proceed,
            ),
            // Step 3: §13.1.2, weak comparison.
            (&get, &[("If-None-Match", "\"v1\"")], NotModified),
            (&get, &[("If-None-Match", "W/\"v1\"")], NotModified),
            (&get, &[("If-None-Match", "\"a,b\", \"v1\"")], NotModified),
            (&get, &[("If-None-Match", "*")], NotModified),
            (&Method::HEAD, &[("If-None-Match", "\"v1\"")], NotModified),
            (&put, &[("If-None-Match", "*")], Failed),
            (&put, &[("If-None-Match", "\"v1\"")], Failed),
            (&get, &[("If-None-Match", "\"v0\"")], Proceed),
            (&get, &[("If-None-Match", "junk")], Proceed),
            // Step 4: §13.1.3, only without If-None-Match, only for GET and HEAD.
            (&get, &[("If-Modified-Since", OLD)], Proceed),
            (&get, &[("If-Modified-Since", SAME)], NotModified),
            (&get, &[("If-Modified-Since", NEW)], NotModified),
            (&get, &[("If-Modified-Since", "x")], Proceed),
            (
                &get,
                &[("If-Modified-Since", SAME), ("If-Modified-Since", SAME)],
                Proceed,
            ),
            (&put, &[("If-Modified-Since", NEW)], Proceed),
            (
                &get,
                &[("If-None-Match", "\"v0\""), ("If-Modified-Since", NEW)],
                Proceed,
            ),
            // The first two take precedence over the last two.
            (
                &get,
                &[("If-Match", "\"v0\""), ("If-None-Match", "\"v1\"")],
                Failed,
            ),
            (
                &get,
                &[("If-Unmodified-Since", OLD), ("If-Modified-Since", NEW)],
                Failed,
            ),
            (
                &get,
                &[("If-Match", "\"v1\""), ("If-None-Match", "\"v1\"")],
                NotModified,
            ),
        ];
        for (method, lines, expected) in rows {
            let outcome = evaluate(method, &fields(lines), current);
            assert_eq!(outcome, *expected, "{method} {lines:?}");
        }
        // The representation does not exist: §13.1.1 and §13.1.2 on `*`.
        let absent = Validators::default();
        for (lines, expected) in [
            (&[("If-None-Match", "*")], Proceed),
            (&[("If-Match", "*")], Failed),
            (&[("If-Match", "\"v1\"")], Failed),
            (&[("If-Unmodified-Since", OLD)], Proceed),
        ] {
            let outcome = evaluate(&put, &fields(lines), absent);
            assert_eq!(outcome, expected, "{lines:?}");
        }
    }

    #[test]
    fn if_range_rfc_9110_13_1_5() {
        let strong = ETag::strong("v1").unwrap();
        let weak = ETag::weak("v1").unwrap();
        for (lines, etag, now, expected) in [
            (&[][..], &strong, 200, true),
            (&[("If-Range", "\"v1\"")], &strong, 200, true),
            (&[("If-Range", "\"v0\"")], &strong, 200, false),
            (&[("If-Range", "W/\"v1\"")], &strong, 200, false),
            (&[("If-Range", "\"v1\"")], &weak, 200, false),
            (&[("If-Range", SAME)], &strong, 200, true),
            (&[("If-Range", SAME)], &strong, 100, false),
            (&[("If-Range", OLD)], &strong, 200, false),
            (&[("If-Range", NEW)], &strong, 200, false),
            (&[("If-Range", "x")], &strong, 200, false),
            (
                &[("If-Range", "\"v1\""), ("If-Range", "\"v1\"")],
                &strong,
                200,
                false,
            ),
        ] {
            let current = Validators {
                exists: true,
                etag: Some(etag),
                last_modified: Some(at(100)),
            };
            let holds = if_range_holds(&fields(lines), current, at(now));
            assert_eq!(holds, expected, "{lines:?} {etag:?} {now}");
        }
    }
}
