//! Peers that send without end: each must fail at its limit, after a bounded number of bytes.

use super::*;
use crate::limits::Limit;

/// Feeds `start`, then the endless rest in pieces of this size. It keeps what is not consumed, as a
/// connection does. Returns the limit and how many bytes were sent until then.
fn attack(
    mut exchange: Exchange,
    start: &[u8],
    rest: &mut dyn Iterator<Item = u8>,
    piece: usize,
) -> (Limit, usize) {
    let mut buffer = start.to_vec();
    let mut fed = start.len();
    loop {
        match exchange.receive(&buffer) {
            Err(ErrorKind::Limit(limit)) => return (limit, fed),
            Err(other) => panic!("{other:?}"),
            Ok(received) => {
                buffer.drain(..received.consumed);
                if received.event.is_none() {
                    buffer.extend(rest.take(piece));
                    fed += piece;
                }
            }
        }
        assert!(fed < 10_000_000, "endless");
    }
}

fn client() -> Exchange {
    asked(&request(Method::GET, &[]), BodyLength::None)
}

fn repeat(text: &'static str) -> Box<dyn Iterator<Item = u8>> {
    Box::new(text.bytes().cycle())
}

fn distinct_lines() -> Box<dyn Iterator<Item = u8>> {
    Box::new((0..).flat_map(|n| format!("Name-{n}: value {n}\r\n").into_bytes()))
}

/// An attack: its first bytes, the repeated bytes, the limit, and the most bytes it may take.
type Attack = (
    &'static str,
    fn() -> Box<dyn Iterator<Item = u8>>,
    Limit,
    usize,
);

const LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    header_count: 128,
    line_bytes: 16 * 1024,
    chunk_extension_bytes: 16 * 1024,
    trailer_bytes: 16 * 1024,
    trailer_count: 64,
    interim_responses: 16,
};

#[test]
fn the_attacks_assume_the_defaults() {
    assert_eq!(LIMITS, Limits::default());
}

const ATTACKS: [Attack; 12] = [
    (
        "HTTP/1.1 200 ",
        || repeat("x"),
        Limit::LineBytes(LIMITS.line_bytes),
        LIMITS.line_bytes,
    ),
    (
        "HTTP/1.1 200 OK\r\nA: ",
        || repeat("x"),
        Limit::LineBytes(LIMITS.line_bytes),
        LIMITS.line_bytes + 17,
    ),
    (
        "HTTP/1.1 200 OK\r\n",
        || repeat("A: b\r\n"),
        Limit::HeaderCount(LIMITS.header_count),
        17 + 6 * 129,
    ),
    (
        "HTTP/1.1 200 OK\r\n",
        distinct_lines,
        Limit::HeaderCount(LIMITS.header_count),
        LIMITS.head_bytes,
    ),
    (
        "",
        || repeat("\r\n"),
        Limit::HeadBytes(LIMITS.head_bytes),
        LIMITS.head_bytes,
    ),
    (
        "",
        || repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        Limit::InterimResponses(LIMITS.interim_responses),
        17 * 40,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        distinct_lines,
        Limit::TrailerCount(LIMITS.trailer_count),
        LIMITS.trailer_bytes,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
        || repeat("x"),
        Limit::TrailerBytes(LIMITS.trailer_bytes),
        LIMITS.trailer_bytes + 60,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        || repeat("Host: forbidden names count, too\r\n"),
        Limit::TrailerCount(LIMITS.trailer_count),
        LIMITS.trailer_bytes,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        || repeat("x"),
        Limit::ChunkExtensionBytes(LIMITS.chunk_extension_bytes),
        LIMITS.chunk_extension_bytes + 60,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
        || repeat(" "),
        Limit::ChunkExtensionBytes(LIMITS.chunk_extension_bytes),
        LIMITS.chunk_extension_bytes + 60,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        || repeat("1;abcdefgh\r\nx\r\n"),
        Limit::ChunkExtensionBytes(LIMITS.chunk_extension_bytes),
        2 * LIMITS.chunk_extension_bytes,
    ),
];

#[test]
fn endless_servers_exceed_a_limit() {
    for (start, rest, limit, bytes) in ATTACKS {
        for piece in [1, 7, 4096] {
            let (found, fed) = attack(client(), start.as_bytes(), &mut rest(), piece);
            assert_eq!(found, limit, "{start:?} in pieces of {piece}");
            assert!(fed <= bytes + piece, "{start:?}: {fed} bytes");
        }
    }
}

#[test]
fn endless_clients_exceed_a_limit() {
    let cases: [Attack; 4] = [
        (
            "GET /",
            || repeat("x"),
            Limit::LineBytes(LIMITS.line_bytes),
            LIMITS.line_bytes,
        ),
        (
            "",
            || repeat("X"),
            Limit::LineBytes(LIMITS.line_bytes),
            LIMITS.line_bytes,
        ),
        (
            "GET / HTTP/1.1\r\n",
            distinct_lines,
            Limit::HeaderCount(LIMITS.header_count),
            LIMITS.head_bytes,
        ),
        (
            "",
            || repeat("\r\n"),
            Limit::HeadBytes(LIMITS.head_bytes),
            LIMITS.head_bytes,
        ),
    ];
    for (start, rest, limit, bytes) in cases {
        for piece in [1, 4096] {
            let server = Exchange::server(Limits::default());
            let (found, fed) = attack(server, start.as_bytes(), &mut rest(), piece);
            assert_eq!(found, limit, "{start:?} in pieces of {piece}");
            assert!(fed <= bytes + piece, "{start:?}: {fed} bytes");
        }
    }
}

#[test]
fn the_caller_can_set_each_limit() {
    let limits = Limits {
        interim_responses: 1,
        ..Limits::default()
    };
    let mut client = Exchange::client(limits);
    client
        .send_request(
            &request(Method::GET, &[]),
            BodyLength::None,
            &mut Vec::new(),
        )
        .unwrap();
    let interim = b"HTTP/1.1 102 x\r\n\r\n";
    assert!(matches!(
        client.receive(interim).unwrap().event,
        Some(ExchangeEvent::Interim(_))
    ));
    assert_eq!(
        client.receive(interim),
        Err(Limit::InterimResponses(1).into())
    );
}
