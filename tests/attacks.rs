//! Servers that never stop, and servers that lie: each causes an error that names the limit or the
//! rule, and costs a bounded amount of memory.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::Write;

use httpoll::{
    ErrorKind, HttpClient, Limits, Method, Status, error::PeerMisbehaved, limits::Limit,
};
use support::{connected, failure, listening};

/// Sends an endless response until the client fails. Returns how much it took, and the kind of the error.
fn endless(start: &[u8], mut piece: impl FnMut(usize) -> Vec<u8>) -> (usize, ErrorKind) {
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    let mut sent = start.len();
    stream.write_all(start).unwrap();
    for number in 0.. {
        let piece = piece(number);
        if stream.write_all(&piece).is_ok() {
            sent += piece.len();
        }
        let failed = http.poll().is_err()
            || http.get_status() == Status::Body && http.read_response_body_chunk().is_err();
        if failed {
            return (sent, http.get_error().unwrap().kind().clone());
        }
        network.advance(support::FRAME);
        assert!(sent < 16 << 20, "took {sent} bytes and wants more");
    }
    unreachable!()
}

#[test]
fn one_endless_line() {
    let (sent, kind) = endless(b"HTTP/1.1 200 OK\r\nX: ", |_| vec![b'a'; 1000]);
    assert_eq!(kind, ErrorKind::Limit(Limit::LineBytes(16 * 1024)));
    assert!(sent < 64 * 1024);
}

#[test]
fn an_endless_status_line() {
    let (_, kind) = endless(b"HTTP/1.1 200 O", |_| vec![b'K'; 1000]);
    assert_eq!(kind, ErrorKind::Limit(Limit::LineBytes(16 * 1024)));
}

#[test]
fn endless_lines() {
    let (_, kind) = endless(b"HTTP/1.1 200 OK\r\n", |_| b"X: y\r\n".repeat(20));
    assert_eq!(kind, ErrorKind::Limit(Limit::HeaderCount(128)));
}

#[test]
fn endless_distinct_values() {
    let (sent, kind) = endless(b"HTTP/1.1 200 OK\r\n", |number| {
        format!("X-{number}: {}\r\n", "v".repeat(4000)).into_bytes()
    });
    assert_eq!(kind, ErrorKind::Limit(Limit::HeadBytes(64 * 1024)));
    assert!(sent < 128 * 1024);
}

#[test]
fn endless_interim_responses() {
    let (_, kind) = endless(b"", |_| b"HTTP/1.1 102 Processing\r\n\r\n".to_vec());
    assert_eq!(kind, ErrorKind::Limit(Limit::InterimResponses(16)));
}

#[test]
fn endless_trailers() {
    let start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let (_, kind) = endless(start, |_| b"X: y\r\n".repeat(10));
    assert_eq!(kind, ErrorKind::Limit(Limit::TrailerCount(64)));
    let (_, kind) = endless(start, |_| vec![b'x'; 1000]);
    assert_eq!(kind, ErrorKind::Limit(Limit::TrailerBytes(16 * 1024)));
}

#[test]
fn endless_chunk_extensions() {
    let start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (_, kind) = endless(start, |_| {
        format!("1;{}\r\nx\r\n", "e".repeat(500)).into_bytes()
    });
    assert_eq!(
        kind,
        ErrorKind::Limit(Limit::ChunkExtensionBytes(16 * 1024))
    );
    let (_, kind) = endless(start, |number| {
        if number == 0 {
            b"1;".to_vec()
        } else {
            vec![b'e'; 1000]
        }
    });
    assert_eq!(
        kind,
        ErrorKind::Limit(Limit::ChunkExtensionBytes(16 * 1024))
    );
}

#[test]
fn endless_empty_lines() {
    let (sent, kind) = endless(b"", |_| b"\r\n".repeat(500));
    assert_eq!(kind, ErrorKind::Limit(Limit::HeadBytes(64 * 1024)));
    assert!(sent < 256 * 1024);
}

#[test]
fn each_limit_is_configurable_and_named() {
    let network = httpoll::memory::MemoryNetwork::new();
    support::serve(
        &network,
        support::server(),
        &[b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"],
    );
    let mut http = HttpClient::on_memory(&network);
    let mut limits = Limits::default();
    limits.header_count = 1;
    http.set_limits(limits);
    support::connect(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    let error = http.get_error().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Limit(Limit::HeaderCount(1)));
    assert!(
        error.to_string().contains("Limits::header_count"),
        "{error}"
    );
}

#[test]
fn a_17_mib_chunk_streams_through() {
    let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1100000\r\n".to_vec();
    let content: Vec<u8> = (0..0x0110_0000_u32).map(|i| (i >> 8) as u8).collect();
    response.extend_from_slice(&content);
    response.extend_from_slice(b"\r\n0\r\n\r\n");
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    let mut left = &response[..];
    let mut received = Vec::new();
    while http.get_status() != Status::Connected {
        if let Ok(count) = stream.write(left) {
            left = &left[count..];
        }
        http.poll().unwrap();
        while http.get_status() == Status::Body {
            let chunk = http.read_response_body_chunk().unwrap();
            if chunk.is_empty() {
                break;
            }
            assert!(chunk.len() <= http.get_read_chunk_size());
            received.extend_from_slice(&chunk);
        }
        network.advance(support::FRAME);
    }
    assert!(received == content);
}

#[test]
fn each_violation_of_http_has_its_own_error() {
    for (response, fault) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], PeerMisbehaved::NotHttp),
        (b"\x15\x03\x01\x00\x02\x02\x46", PeerMisbehaved::NotHttp),
        (
            b"HTTP/2.0 200 OK\r\n\r\n",
            PeerMisbehaved::UnsupportedVersion,
        ),
        (b"HTTP/1.1 20 OK\r\n\r\n", PeerMisbehaved::InvalidStatus),
        (
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            PeerMisbehaved::InvalidHeader,
        ),
        (
            b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            PeerMisbehaved::InvalidHeader,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            PeerMisbehaved::ConflictingContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            PeerMisbehaved::InvalidContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: junk\r\n\r\n",
            PeerMisbehaved::InvalidContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            PeerMisbehaved::InvalidChunkSize,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            PeerMisbehaved::InvalidChunk,
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            PeerMisbehaved::UnexpectedUpgrade,
        ),
    ] {
        let error = failure(response);
        let shown = String::from_utf8_lossy(response);
        assert_eq!(error.kind(), &ErrorKind::Peer(fault), "{shown}");
        assert!(!error.is_retryable(), "{shown}");
        assert!(error.to_string().contains("RFC"), "{error}");
    }
}

#[test]
fn headers_that_would_inject_are_refused_before_anything_is_sent() {
    let (_network, mut http, log) = connected(&[b"HTTP/1.1 200 OK\r\n\r\n"]);
    for headers in [
        &["X: a\r\nY: b"][..],
        &["X\r\n: a"],
        &["X: a\0b"],
        &["no colon"],
        &[""],
        &["Content-Length: 5"],
        &["Transfer-Encoding: gzip"],
    ] {
        assert!(
            http.request(Method::Get, "/", headers, "")
                .unwrap_err()
                .is_misuse()
        );
    }
    for target in ["/ok\r\nX: y", "/a\0", "/a\n"] {
        assert!(
            http.request(Method::Get, target, &[], "")
                .unwrap_err()
                .is_misuse()
        );
    }
    assert_eq!(http.get_status(), Status::Connected);
    http.poll().unwrap();
    assert_eq!(log.text(), "");
}
