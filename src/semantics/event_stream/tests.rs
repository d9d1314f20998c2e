use super::encoder::{encode, encode_comment, encode_retry};
use super::*;
use crate::error::EventStreamFault;

type Row<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

fn read(parser: &mut EventStreamParser, pieces: &[&[u8]]) -> Vec<ServerSentEvent> {
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece).unwrap();
        while let Some(event) = parser.next_event() {
            events.push(event);
        }
    }
    events
}

#[test]
fn the_algorithm_of_whatwg_html_9_2_6() {
    let cases: [(&[u8], &[Row<'_>]); 27] = [
        (b"", &[]),
        (b"data: a\n\n", &[(None, "a", None)]),
        (b"data:a\n\n", &[(None, "a", None)]),
        (b"data:  a\n\n", &[(None, " a", None)]),
        (b"data\n\n", &[(None, "", None)]),
        (b"data\ndata\n\n", &[(None, "\n", None)]),
        (b"data:\n", &[]),
        (b"data: a\ndata: b\n\n", &[(None, "a\nb", None)]),
        (b"data: a\rdata: b\r\r", &[(None, "a\nb", None)]),
        (b"data: a\r\ndata: b\r\n\r\n", &[(None, "a\nb", None)]),
        (
            b"data: a\n\rdata: b\r\n\r\n",
            &[(None, "a", None), (None, "b", None)],
        ),
        (
            b"data: a\r\r\ndata: b\n\n",
            &[(None, "a", None), (None, "b", None)],
        ),
        (b"\xef\xbb\xbfdata: a\n\n", &[(None, "a", None)]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", &[]),
        (b"\xef\xbb\xbf\n\xef\xbb\xbfdata: a\n\n", &[]),
        (b": comment\n:\n\n", &[]),
        (b"event: x\n\ndata: a\n\n", &[(None, "a", None)]),
        (
            b"event: x\ndata: a\n\ndata: b\n\n",
            &[(Some("x"), "a", None), (None, "b", None)],
        ),
        (
            b"event: x\nevent: y\ndata: a\n\n",
            &[(Some("y"), "a", None)],
        ),
        (b"event: x\nevent\ndata: a\n\n", &[(None, "a", None)]),
        (
            b"id: 1\ndata: a\n\ndata: b\n\n",
            &[(None, "a", Some("1")), (None, "b", Some("1"))],
        ),
        (
            b"id: 1\ndata: a\n\nid\ndata: b\n\n",
            &[(None, "a", Some("1")), (None, "b", None)],
        ),
        (b"id: 1\nid: 2\0\ndata: a\n\n", &[(None, "a", Some("1"))]),
        (b"Data: a\nxdata: b\n data: c\n\n", &[]),
        (b"data: a:b: c\n\n", &[(None, "a:b: c", None)]),
        (b"data: \xff\xc3\xa4\n\n", &[(None, "\u{fffd}ä", None)]),
        (b"data: \xf0\x9f\x8e\xae\n\n", &[(None, "\u{1f3ae}", None)]),
    ];
    for (input, expected) in cases {
        let check = |pieces: &[&[u8]]| {
            let events = read(&mut EventStreamParser::new(), pieces);
            let rows: Vec<Row<'_>> = events
                .iter()
                .map(|e| (e.event.as_deref(), e.data.as_str(), e.id.as_deref()))
                .collect();
            assert_eq!(rows, expected, "{} as {pieces:?}", input.escape_ascii());
        };
        for cut in 0..=input.len() {
            check(&[&input[..cut], &input[cut..]]);
        }
        check(&input.chunks(1).collect::<Vec<_>>());
    }
}

#[test]
fn a_retry_consists_of_digits_only() {
    for (value, expected) in [
        ("1500", Some(1500)),
        ("0", Some(0)),
        ("0007", Some(7)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1 ", None),
        ("\u{661}", None),
        ("99999999999999999999999", Some(u64::MAX)),
    ] {
        let mut parser = EventStreamParser::new();
        parser
            .push(format!("retry: {value}\n\n").as_bytes())
            .unwrap();
        let expected = expected.map(Duration::from_millis);
        assert_eq!(parser.retry(), expected, "{value:?}");
        assert_eq!(parser.next_event(), None);
    }
    let mut parser = EventStreamParser::new();
    let events = read(&mut parser, &[b"retry: 5\ndata: a\n\ndata: b\n\n"]);
    assert_eq!(events[0].retry, Some(Duration::from_millis(5)));
    assert_eq!(events[1].retry, None);
    assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
}

#[test]
fn the_last_event_id_counts_once_its_event_is_complete() {
    let mut parser = EventStreamParser::new();
    parser.set_last_event_id("0");
    parser.set_last_event_id("\0");
    parser.push(b"id: 1\n").unwrap();
    assert_eq!(parser.last_event_id(), "0");
    parser.push(b"\n").unwrap();
    assert_eq!(parser.last_event_id(), "1");
    assert_eq!(parser.next_event(), None);
    parser.push(b"id: 2\ndata: lost\nda").unwrap();
    parser.restart();
    assert_eq!(parser.last_event_id(), "1");
    let events = read(&mut parser, &[b"\xef\xbb\xbfdata: a\n\n"]);
    assert_eq!(
        (events[0].data.as_str(), events[0].id.as_deref()),
        ("a", Some("1"))
    );
}

#[test]
fn an_event_over_the_limit_fails_now_and_later() {
    for input in [
        &b"data: a\n\ndata: 12345"[..],
        b"data: a\n\ndata: 1\ndata\n",
        b"data: a\n\n:::::::::::\n",
        b"data: a\n\n:::::\n::::::\n",
    ] {
        for cut in 0..=input.len() {
            let mut parser = EventStreamParser::with_event_bytes(10);
            let result = parser
                .push(&input[..cut])
                .and_then(|()| parser.push(&input[cut..]));
            assert_eq!(result, Err(EventStreamFault::TooLong(10)), "at {cut}");
            assert_eq!(parser.push(b"\n\ndata: b\n\n"), result);
            assert_eq!(parser.next_event(), Some(ServerSentEvent::new("a")));
            assert_eq!(parser.next_event(), None);
        }
    }
    let mut parser = EventStreamParser::with_event_bytes(10);
    let events = read(&mut parser, &[b"data: 1234\n\ndata: 1234\n\n"]);
    assert_eq!(events.len(), 2);
}

#[test]
fn events_are_encoded_in_a_fixed_order() {
    let full = ServerSentEvent {
        event: Some("e".into()),
        data: "1\n2\r3\r\n4".into(),
        id: Some("i".into()),
        retry: Some(Duration::from_millis(2500)),
    };
    for (event, expected) in [
        (
            full,
            "event: e\ndata: 1\ndata: 2\ndata: 3\ndata: 4\nid: i\nretry: 2500\n\n",
        ),
        (ServerSentEvent::new(""), "data: \n\n"),
        (ServerSentEvent::new(" x"), "data:  x\n\n"),
        (ServerSentEvent::new("a\n"), "data: a\ndata: \n\n"),
        (ServerSentEvent::new("\n\r"), "data: \ndata: \ndata: \n\n"),
    ] {
        let mut out = Vec::new();
        encode(&event, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), expected);
        #[cfg(feature = "server")]
        {
            let mut public = Vec::new();
            event.encode(&mut public).unwrap();
            assert_eq!(public, out);
        }
        let read = read(&mut EventStreamParser::new(), &[&out]);
        let data = event.data.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(read, [ServerSentEvent { data, ..event }]);
    }
}

#[test]
fn line_breaks_in_event_or_id_are_refused() {
    for (event, id, expected) in [
        (Some("a\nb"), None, EventStreamFault::InvalidEvent),
        (Some("a\r"), None, EventStreamFault::InvalidEvent),
        (None, Some("\n"), EventStreamFault::InvalidId),
        (None, Some("a\rdata: x"), EventStreamFault::InvalidId),
        (None, Some("a\0"), EventStreamFault::InvalidId),
    ] {
        let event = ServerSentEvent {
            event: event.map(str::to_owned),
            id: id.map(str::to_owned),
            ..ServerSentEvent::default()
        };
        let mut out = Vec::new();
        assert_eq!(encode(&event, &mut out), Err(expected));
        assert!(out.is_empty());
    }
}

#[test]
fn comments_and_retries_produce_no_event() {
    let mut out = Vec::new();
    encode_comment("", &mut out);
    encode_comment("two\nlines", &mut out);
    encode_retry(Duration::from_secs(3), &mut out);
    assert_eq!(out, b": \n\n: two\n: lines\n\nretry: 3000\n\n");
    let mut parser = EventStreamParser::new();
    assert_eq!(read(&mut parser, &[&out]), []);
    assert_eq!(parser.retry(), Some(Duration::from_secs(3)));
}
