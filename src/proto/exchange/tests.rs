//! What the transcripts in `tests/transcripts` cannot express: refused calls, the wait for 100, the state
//! after each step. Endless peers are in `attacks`, connections that end are in `ends`.

use http::StatusCode;

use super::*;
use crate::error::PeerMisbehaved;
use crate::proto::emit::BodyLength;

mod attacks;
mod ends;

pub(super) fn request(method: Method, lines: &[&str]) -> RequestHead {
    let mut fields = FieldLines::new();
    fields.append("Host", "a").unwrap();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    RequestHead {
        target: if method == Method::CONNECT {
            "a:1"
        } else {
            "/"
        }
        .to_owned(),
        method,
        version: Version::HTTP_11,
        fields,
    }
}

pub(super) fn response(status: u16, lines: &[&str]) -> ResponseHead {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    ResponseHead {
        version: Version::HTTP_11,
        status: StatusCode::from_u16(status).unwrap(),
        reason: "".into(),
        fields,
    }
}

/// A client that has sent this.
pub(super) fn asked(head: &RequestHead, body: BodyLength) -> Exchange {
    let mut exchange = Exchange::client(Limits::default());
    exchange.send_request(head, body, &mut Vec::new()).unwrap();
    exchange
}

/// A server that has received this.
fn asked_by(bytes: &str) -> Exchange {
    let mut exchange = Exchange::server(Limits::default());
    drain(&mut exchange, bytes.as_bytes()).unwrap();
    exchange
}

/// Receives all of it, and returns the bytes that were not consumed.
fn drain<'a>(exchange: &mut Exchange, mut input: &'a [u8]) -> Result<&'a [u8], ErrorKind> {
    loop {
        let received = exchange.receive(input)?;
        input = &input[received.consumed..];
        if received.event.is_none() {
            return Ok(input);
        }
    }
}

fn none() -> FieldLines {
    FieldLines::new()
}

fn answer(exchange: &mut Exchange, head: &ResponseHead, body: BodyLength) -> String {
    let mut out = Vec::new();
    exchange.send_response(head, body, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn refused_calls_change_nothing() {
    let mut out = b"before".to_vec();
    let mut client = Exchange::client(Limits::default());
    let bad = request(Method::POST, &["Content-Length: 3"]);
    let misuse = |misuse: Misuse| Err(ErrorKind::Misuse(misuse));
    assert_eq!(
        client.send_request(&bad, BodyLength::Known(4), &mut out),
        misuse(Misuse::FramingHeader)
    );
    assert_eq!(
        client.send_content(b"x", &mut out),
        misuse(Misuse::OutOfOrder)
    );
    assert_eq!(client.finish(&none(), &mut out), misuse(Misuse::OutOfOrder));
    assert_eq!(
        client.send_response(&response(200, &[]), BodyLength::None, &mut out),
        misuse(Misuse::OutOfOrder)
    );
    assert_eq!(client.persistence(), Persistence::Reuse);
    assert_eq!(out, b"before");

    client
        .send_request(&bad, BodyLength::Known(3), &mut out)
        .unwrap();
    out.clear();
    assert_eq!(
        client.send_request(&bad, BodyLength::Known(3), &mut out),
        misuse(Misuse::OutOfOrder)
    );
    assert_eq!(
        client.send_content(b"four", &mut out),
        misuse(Misuse::TooMuchContent)
    );
    assert_eq!(
        client.finish(&none(), &mut out),
        misuse(Misuse::TooLittleContent)
    );
    assert_eq!(client.next_cycle(), misuse(Misuse::OutOfOrder));
    assert!(out.is_empty() && !client.local_done());

    client.send_content(b"", &mut out).unwrap();
    client.send_content(b"two", &mut out).unwrap();
    assert!(client.local_done());
    client.finish(&none(), &mut out).unwrap();
    client.send_content(b"", &mut out).unwrap();
    assert_eq!(
        client.send_content(b"x", &mut out),
        misuse(Misuse::TooMuchContent)
    );
    assert_eq!(out, b"two");

    let mut server = Exchange::server(Limits::default());
    let plain = request(Method::GET, &[]);
    assert_eq!(
        server.send_request(&plain, BodyLength::None, &mut out),
        misuse(Misuse::OutOfOrder)
    );
    assert_eq!(
        server.send_response(&response(100, &[]), BodyLength::None, &mut out),
        misuse(Misuse::OutOfOrder)
    );
}

#[test]
fn chunks_and_trailers_are_sent() {
    let mut out = Vec::new();
    let mut client = asked(&request(Method::PUT, &[]), BodyLength::Unknown);
    client.send_content(b"hello", &mut out).unwrap();
    client.send_content(b"", &mut out).unwrap();
    let mut trailers = FieldLines::new();
    trailers.append("Host", "evil").unwrap();
    assert_eq!(
        client.finish(&trailers, &mut out),
        Err(Misuse::InvalidHeader.into())
    );
    trailers.remove("host");
    trailers.append("X-Sum", "1").unwrap();
    client.finish(&trailers, &mut out).unwrap();
    assert_eq!(out, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n");
    assert!(client.local_done());
}

#[test]
fn the_client_waits_for_100() {
    let head = request(Method::PUT, &["Expect: 100-Continue"]);
    let waiting = asked(&head, BodyLength::Known(3));
    assert!(waiting.awaits_continue() && !waiting.wants_continue());

    for (bytes, waits) in [
        (&b"HTTP/1.1 103 Early\r\n\r\n"[..], true),
        (b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", false),
        (b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        let mut client = waiting.clone();
        drain(&mut client, bytes).unwrap();
        assert_eq!(client.awaits_continue(), waits, "{}", bytes.escape_ascii());
    }
    let mut client = waiting.clone();
    client.stop_awaiting_continue();
    assert!(!client.awaits_continue());
    let mut client = waiting.clone();
    client.send_content(b"abc", &mut Vec::new()).unwrap();
    assert!(!client.awaits_continue());

    assert!(!asked(&head, BodyLength::None).awaits_continue());
    assert!(!asked(&request(Method::PUT, &[]), BodyLength::Known(3)).awaits_continue());
}

#[test]
fn the_server_knows_whether_the_client_waits_for_100() {
    let put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let waiting = asked_by(put);
    assert!(waiting.wants_continue() && !waiting.awaits_continue());
    assert!(!asked_by(&format!("{put}a")).wants_continue());
    assert!(!asked_by(&put.replace('3', "0")).wants_continue());
    assert!(!asked_by(&put.replace("HTTP/1.1", "HTTP/1.0")).wants_continue());

    let mut server = waiting.clone();
    let out = answer(&mut server, &response(100, &[]), BodyLength::None);
    assert_eq!(out, "HTTP/1.1 100 \r\n\r\n");
    assert!(!server.wants_continue());
    drain(&mut server, b"abc").unwrap();
    let out = answer(&mut server, &response(204, &[]), BodyLength::None);
    assert_eq!(out, "HTTP/1.1 204 \r\n\r\n");
    assert_eq!(server.persistence(), Persistence::Reuse);

    let mut server = waiting.clone();
    let out = answer(&mut server, &response(413, &[]), BodyLength::None);
    assert!(out.contains("Connection: close"), "{out}");
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::ContentNotAsked)
    );
}

#[test]
fn responses_to_http10_clients() {
    let old = "GET / HTTP/1.0\r\n\r\n";
    let kept = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    let known = BodyLength::Known(0);
    for (bytes, body, line, persistence) in [
        (GET, known, None, Persistence::Reuse),
        (
            old,
            known,
            Some("Connection: close"),
            Persistence::Close(CloseReason::Http10),
        ),
        (
            kept,
            known,
            Some("Connection: keep-alive"),
            Persistence::Reuse,
        ),
        (
            kept,
            BodyLength::Unknown,
            Some("Connection: close"),
            Persistence::Close(CloseReason::CloseDelimited),
        ),
    ] {
        let mut server = asked_by(bytes);
        let out = answer(&mut server, &response(200, &[]), body);
        let connection = out.lines().find(|line| line.starts_with("Connection"));
        assert_eq!(connection, line, "{bytes}");
        assert!(!out.contains("Transfer-Encoding"));
        server.finish(&none(), &mut Vec::new()).unwrap();
        assert_eq!(server.persistence(), persistence);
    }
    let mut server = asked_by(old);
    assert_eq!(
        server.send_response(&response(103, &[]), BodyLength::None, &mut Vec::new()),
        Err(Misuse::OutOfOrder.into())
    );
}

#[test]
fn our_own_close_is_obeyed_and_not_repeated() {
    let mut server = asked_by(GET);
    let head = response(200, &["connection: Close"]);
    let out = answer(&mut server, &head, BodyLength::Known(0));
    assert_eq!(out.to_lowercase().matches("connection").count(), 1);
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::WeAsked)
    );

    let mut client = asked(
        &request(Method::GET, &["Connection: close"]),
        BodyLength::None,
    );
    drain(&mut client, b"HTTP/1.1 204 x\r\n\r\n").unwrap();
    assert_eq!(
        client.persistence(),
        Persistence::Close(CloseReason::WeAsked)
    );
    assert!(client.is_done());
    assert_eq!(client.next_cycle(), Err(Misuse::OutOfOrder.into()));
}

#[test]
fn a_server_can_respond_to_a_request_that_it_could_not_read() {
    let mut server = Exchange::server(Limits::default());
    let error = Err(ErrorKind::Peer(PeerMisbehaved::NotHttp));
    assert_eq!(drain(&mut server, b"\x16\x03\x01"), error);
    assert_eq!(drain(&mut server, b"GET"), error);
    let out = answer(&mut server, &response(400, &[]), BodyLength::Known(2));
    assert!(out.contains("Connection: close"), "{out}");
    server.send_content(b"no", &mut Vec::new()).unwrap();
    assert!(server.local_done() && !server.remote_done());
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::ProtocolError)
    );

    let mut server = asked_by("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(
        drain(&mut server, b"x"),
        Err(PeerMisbehaved::InvalidChunkSize.into())
    );
    let out = answer(&mut server, &response(400, &[]), BodyLength::None);
    assert!(out.contains("Connection: close"), "{out}");

    let mut server = Exchange::server(Limits::default());
    let out = answer(&mut server, &response(408, &[]), BodyLength::None);
    assert!(out.contains("Connection: close"), "{out}");
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::NoRequest)
    );
}

#[test]
fn content_that_is_forbidden_is_accepted_and_dropped() {
    let mut server = asked_by("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let out = answer(&mut server, &response(200, &[]), BodyLength::Known(5));
    assert_eq!(out, "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n");
    assert!(!server.local_done());
    let mut out = Vec::new();
    server.send_content(b"hello", &mut out).unwrap();
    server.finish(&none(), &mut out).unwrap();
    assert!(out.is_empty());
    server.next_cycle().unwrap();
}

#[test]
fn switches_need_a_proposal() {
    let mut server = asked_by(GET);
    let switching = response(101, &["Connection: upgrade"]);
    assert_eq!(
        server.send_response(&switching, BodyLength::None, &mut Vec::new()),
        Err(Misuse::OutOfOrder.into())
    );

    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    let mut declining = asked_by(upgrade);
    assert!(declining.remote_done());
    answer(&mut declining, &response(200, &[]), BodyLength::None);
    assert_eq!(declining.persistence(), Persistence::Reuse);

    let mut server = asked_by(upgrade);
    answer(&mut server, &switching, BodyLength::None);
    let switched = server.receive(b"raw").unwrap();
    assert_eq!(
        (switched.consumed, switched.event),
        (0, Some(ExchangeEvent::Switched))
    );
    assert_eq!(drain(&mut server, b"raw"), Ok(&b"raw"[..]));
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::Switched)
    );
    assert!(server.is_done());
    assert_eq!(server.next_cycle(), Err(Misuse::OutOfOrder.into()));

    let mut server = asked_by("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    let out = answer(&mut server, &response(200, &[]), BodyLength::None);
    assert_eq!(out, "HTTP/1.1 200 \r\n\r\n");
    let switched = server.receive(b"").unwrap();
    assert_eq!(switched.event, Some(ExchangeEvent::Switched));
}

#[test]
fn a_switch_waits_for_the_end_of_the_request() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n";
    let mut server = asked_by(post);
    answer(&mut server, &response(101, &[]), BodyLength::None);
    assert_eq!(server.receive(b"").unwrap().event, None);
    assert_eq!(server.receive(b"hi").unwrap().consumed, 2);
    assert!(matches!(
        server.receive(b"").unwrap().event,
        Some(ExchangeEvent::End { .. })
    ));
    assert_eq!(
        server.receive(b"").unwrap().event,
        Some(ExchangeEvent::Switched)
    );
}

#[test]
fn an_early_response_does_not_stop_the_request() {
    let mut client = asked(&request(Method::PUT, &[]), BodyLength::Known(3));
    drain(
        &mut client,
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
    )
    .unwrap();
    assert!(client.remote_done() && !client.local_done());
    assert_eq!(
        client.persistence(),
        Persistence::Close(CloseReason::UnsentContent)
    );
    assert_eq!(client.next_cycle(), Err(Misuse::OutOfOrder.into()));
    client.send_content(b"abc", &mut Vec::new()).unwrap();
    assert_eq!(client.persistence(), Persistence::Reuse);

    let mut server = asked_by("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    answer(&mut server, &response(413, &[]), BodyLength::None);
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::UnreadContent)
    );
    drain(&mut server, b"bc").unwrap();
    assert_eq!(server.persistence(), Persistence::Reuse);
}

#[test]
fn content_is_a_range_of_the_input() {
    let mut client = asked(&request(Method::GET, &[]), BodyLength::None);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    client.receive(head).unwrap();
    assert_eq!(client.content_length(), Some(1_000_000));
    assert!(!client.is_chunked());
    let block = vec![0; 400_000];
    for expected in [400_000, 400_000, 200_000] {
        let received = client.receive(&block).unwrap();
        assert_eq!(received.event, Some(ExchangeEvent::Content(0..expected)));
    }
    assert!(!client.remote_done());
    client.receive(b"").unwrap();
    assert!(client.remote_done());
}

#[test]
fn an_exchange_is_done_when_both_messages_are_complete() {
    let mut client = asked(&request(Method::PUT, &[]), BodyLength::Known(1));
    let done = |it: &Exchange| (it.local_done(), it.remote_done(), it.is_done());
    assert_eq!(done(&client), (false, false, false));
    drain(&mut client, b"HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(done(&client), (false, true, false));
    client.send_content(b"x", &mut Vec::new()).unwrap();
    assert_eq!(done(&client), (true, true, true));

    let mut waiting = asked(&request(Method::GET, &[]), BodyLength::None);
    assert_eq!(done(&waiting), (true, false, false));
    for (head, is_chunked) in [
        (&b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"[..], false),
        (
            b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
    ] {
        assert!(!waiting.is_chunked(), "before the head");
        let mut client = waiting.clone();
        client.receive(head).unwrap();
        assert_eq!(client.is_chunked(), is_chunked);
    }
    // Nothing is reported after the end.
    for expected in ["Response", "End", "None"] {
        let event = waiting.receive(b"HTTP/1.1 204 x\r\n\r\n").unwrap().event;
        let name = format!("{event:?}");
        let name = name.trim_start_matches("Some(");
        assert!(name.starts_with(expected), "{name}");
    }
}

#[test]
fn a_head_at_the_wrong_time_is_out_of_order_whatever_it_contains() {
    let out_of_order = Err(Misuse::OutOfOrder.into());
    let mut client = asked(&request(Method::GET, &[]), BodyLength::None);
    let mut bad = request(Method::GET, &[]);
    bad.target = "no target".to_owned();
    let mut out = Vec::new();
    assert_eq!(
        client.send_request(&bad, BodyLength::None, &mut out),
        out_of_order
    );
    let mut server = asked_by(GET);
    answer(&mut server, &response(200, &[]), BodyLength::Known(1));
    let mut bad = response(200, &[]);
    bad.reason = "a\r\nb".into();
    assert_eq!(
        server.send_response(&bad, BodyLength::None, &mut out),
        out_of_order
    );
    assert!(out.is_empty());
}
