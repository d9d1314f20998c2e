//! Cookie dates by RFC 6265bis §5.1.1: what browsers accept as a date, and what they do not.

use super::*;
use crate::semantics::cookies::date;

fn seconds(text: &str) -> Option<u64> {
    date::parse(text).map(|date| date.duration_since(UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn dates_are_parsed_as_in_browsers() {
    const NOON: u64 = 1_196_164_800; // 2007-11-27 12:00:00
    for (text, expected) in [
        ("Tue, 27 Nov 2007 12:00:00 GMT", NOON),
        ("Tue, 27 Nov 2007 12:00:00 UTC", NOON),
        ("Tue, 27 Nov 2007 12:00:00", NOON),
        ("Tue, 27 Nov 2007 12:00:00 +0000", NOON),
        ("Tue, 27 Nov 2007 12:00:00 -0000", NOON),
        ("tue, 27 nov 2007 12:00:00 gmt", NOON),
        ("Tue, 27-Nov-2007 12:00:00 GMT", NOON),
        ("Tuesday, 27-November-07 12:00:00 GMT", NOON),
        ("Tue Nov 27 12:00:00 2007", NOON),
        (
            "Tue Nov 27 2007 12:00:00 GMT+0000 (Coordinated Universal Time)",
            NOON,
        ),
        ("Nov 27 2007 12:00:00", NOON),
        ("27 november 2007 12:00:00", NOON),
        ("12:00:00 27 Nov 2007", NOON),
        ("2007 Nov 27 12:00:00", NOON),
        ("\"Tue, 27 Nov 2007 12:00:00 GMT\"", NOON),
        ("Tue, 27 Nov 2007 12:0:0 GMT", NOON),
        ("Tue, 27th Nov 2007 12:00:00.5 GMT", NOON),
        ("Thu, 1 Jan 1970 0:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
        ("01 Jan 70 00:00:01", 1),
        ("01 Jan 69 00:00:00", 3_124_224_000),
        ("Mon, 01 Jan 1601 00:00:00 GMT", 0),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ] {
        assert_eq!(seconds(text), Some(expected), "{text}");
    }
}

#[test]
fn invalid_dates_are_ignored() {
    for text in [
        "",
        "0",
        "-1",
        "tomorrow",
        "1196164800",
        "Tue, 27 Nov 2007",
        "27 Nov 12:00:00",
        "Tue, Nov 2007 12:00:00",
        "27 2007 12:00:00",
        "Tue, 00 Nov 2007 12:00:00 GMT",
        "Tue, 32 Nov 2007 12:00:00 GMT",
        "Sat, 31 Nov 2007 12:00:00 GMT",
        "Thu, 29 Feb 2023 12:00:00 GMT",
        "Wed, 29 Feb 1900 12:00:00 GMT",
        "Tue, 27 Nov 1600 12:00:00 GMT",
        "Tue, 27 Nov 20070 12:00:00 GMT",
        "Tue, 270 Nov 2007 12:00:00 GMT",
        "Tue, 27 Nov 2007 24:00:00 GMT",
        "Tue, 27 Nov 2007 12:60:00 GMT",
        "Tue, 27 Nov 2007 12:00:60 GMT",
        "Tue, 27 Nov 2007 12:00 GMT",
        "Tue, 27 Nov 2007 112:00:00 GMT",
        "2007-11-27T12:00:00Z",
    ] {
        assert_eq!(seconds(text), None, "{text}");
    }
}

#[test]
fn an_expires_in_any_of_these_forms_deletes_the_cookie() {
    let here = url("http://h.test/");
    for date in [
        "Thu, 01 Jan 1970 00:00:00 UTC",
        "Thu, 1 Jan 1970 0:00:00",
        "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
        "thu, 01-january-1970 00:00:00 -0000",
    ] {
        let mut jar = CookieJar::new();
        jar.store(&here, b"a=1", at(0)).unwrap();
        let line = format!("a=1; Expires={date}");
        jar.store(&here, line.as_bytes(), at(0)).unwrap();
        assert_eq!(jar.cookie_header(&here, at(0)), None, "{date}");
    }
    // Of several dates the last valid one counts.
    let line =
        b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 UTC; Expires=Fri, 31 Dec 2100 23:59:59 GMT; \
        Expires=never";
    let mut jar = CookieJar::new();
    jar.store(&here, line, at(0)).unwrap();
    assert!(jar.cookie_header(&here, at(0)).is_some());
}
