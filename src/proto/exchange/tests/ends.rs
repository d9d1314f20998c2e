//! Connections that end, at allowed and at other times.

use super::*;

#[test]
fn the_end_of_the_bytes_completes_or_fails_a_message() {
    let closed = Err(ErrorKind::Network(NetworkFault::Closed));
    let truncated = |received, expected| Err(ErrorKind::Truncated { received, expected });
    let end = Ok(ExchangeEvent::End { trailers: none() });
    let cases: [(&str, Result<ExchangeEvent, ErrorKind>); 13] = [
        ("", closed.clone()),
        ("\r\n", closed.clone()),
        ("H", truncated(0, None)),
        ("HTTP/1.1 200 OK\r\n", truncated(0, None)),
        ("HTTP/1.1 103 x\r\n\r\n", truncated(0, None)),
        ("HTTP/1.1 200 OK\r\n\r\n", end.clone()),
        ("HTTP/1.1 200 OK\r\n\r\nabc", end.clone()),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            truncated(3, Some(5)),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", closed),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            truncated(3, None),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            end,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r",
            truncated(0, None),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
            truncated(0, None),
        ),
    ];
    for (bytes, expected) in cases {
        let mut client = asked(&request(Method::GET, &[]), BodyLength::None);
        drain(&mut client, bytes.as_bytes()).unwrap();
        let begun = !bytes.trim().is_empty();
        assert_eq!(client.buffered(), begun, "{bytes}");
        assert_eq!(client.receive_eof(), expected, "{bytes}");
        assert_eq!(client.buffered(), begun, "{bytes}");
        assert!(
            matches!(client.persistence(), Persistence::Close(_)),
            "{bytes}"
        );
    }
}

#[test]
fn the_end_of_the_bytes_may_be_reported_before_a_due_end_is_read() {
    let mut client = asked(&request(Method::GET, &[]), BodyLength::None);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    client.receive(head).unwrap();
    client.receive(b"x").unwrap();
    assert_eq!(
        client.receive_eof(),
        Ok(ExchangeEvent::End { trailers: none() })
    );
    assert!(client.is_done());
}

#[test]
fn an_idle_connection_notices_bytes_and_close() {
    let mut client = Exchange::client(Limits::default());
    assert_eq!(client.receive(b"").unwrap().event, None);
    let mut gone = client.clone();
    assert_eq!(
        gone.receive_eof(),
        Err(ErrorKind::Network(NetworkFault::Closed))
    );
    assert_eq!(
        gone.persistence(),
        Persistence::Close(CloseReason::PeerClosed)
    );
    let head = request(Method::GET, &[]);
    assert_eq!(
        gone.send_request(&head, BodyLength::None, &mut Vec::new()),
        Err(Misuse::OutOfOrder.into())
    );
    assert_eq!(
        client.receive(b"H"),
        Err(PeerMisbehaved::UnexpectedData.into())
    );
    assert_eq!(
        client.persistence(),
        Persistence::Close(CloseReason::ProtocolError)
    );
}

#[test]
fn a_server_can_respond_to_a_half_closed_client() {
    let mut server = asked_by(GET);
    assert_eq!(
        server.receive_eof(),
        Err(ErrorKind::Network(NetworkFault::Closed))
    );
    let out = answer(&mut server, &response(200, &[]), BodyLength::Known(0));
    assert!(out.contains("Connection: close"));
    assert!(server.is_done());
    assert_eq!(
        server.persistence(),
        Persistence::Close(CloseReason::PeerClosed)
    );
}
