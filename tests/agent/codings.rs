//! Content codings, decoded as content arrives, and decompression bombs.

use std::io::Write;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer, MockStream};
use httpoll::{
    Agent, Download, ErrorKind, Event, Request,
    access::AccessPolicy,
    error::{AccessRefusal, CodingFault},
    limits::Limit,
};

use crate::support::{Folder, chunks, frames, pattern, run, script, setup};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// "hello" as zstd writes it without compressing (RFC 8878 §3.1.1.2.2).
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello";

/// "hello" as an uncompressed meta-block of brotli (RFC 7932 §9.2), then the empty last one.
const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";

fn coded(server: &MockServer, coding: &str, content: Vec<u8>) {
    server.get("/").reply(
        MockResponse::ok()
            .header("Content-Encoding", coding)
            .bytes(content),
    );
}

#[test]
fn each_coding_is_accepted_and_decoded() {
    let content = pattern(100_000);
    let both = gzip(&zlib(&content));
    for (section, coding, coded_content, expected) in [
        ("RFC 9110 §8.4.1.3", "gzip", gzip(&content), &content[..]),
        ("RFC 9110 §8.4.1.3", "x-gzip", gzip(&content), &content),
        ("RFC 9110 §8.4.1.2", "deflate", zlib(&content), &content),
        (
            "as many servers send it",
            "deflate",
            raw_deflate(&content),
            &content,
        ),
        (
            "RFC 9110 §8.4: in reverse order",
            "deflate, gzip",
            both,
            &content,
        ),
        ("RFC 9110 §8.4.1", "GZip", gzip(&content), &content),
        ("RFC 9110 §12.5.3", "identity", content.clone(), &content),
        ("RFC 7932", "br", BROTLI.to_vec(), b"hello"),
        ("RFC 8878", "zstd", ZSTD.to_vec(), b"hello"),
        (
            "RFC 1952 §2.2: members",
            "gzip",
            [gzip(b"hel"), gzip(b"lo")].concat(),
            b"hello",
        ),
        ("nothing at all", "gzip", Vec::new(), b""),
    ] {
        for limit in [None, Some(1)] {
            if limit.is_some() && coded_content.len() > 5000 {
                continue;
            }
            let (network, server, mut agent) = setup();
            network.set_transfer_limit(limit);
            coded(&server, coding, coded_content.clone());
            let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
            assert!(
                *outcome.response().body() == *expected,
                "{section} {coding}"
            );
            assert_eq!(
                outcome.response().transferred().received,
                coded_content.len() as u64
            );
            assert_eq!(
                server.requests()[0].header("accept-encoding"),
                Some("gzip, deflate, br, zstd"),
                "{section}"
            );
            let outcome = run(
                &network,
                &mut agent,
                Request::get("http://game.example/").stream(),
            );
            assert!(chunks(&outcome.events) == *expected, "{section} {coding}");
        }
    }
}

#[test]
fn no_content_needs_no_coding() {
    // RFC 9110 §8.4: some servers name a coding although nothing follows.
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n",
    ] {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let (start, rest) = head.split_once("\r\n").unwrap();
            let network = MemoryNetwork::new();
            let response = format!("{start}\r\nContent-Encoding: {coding}\r\n{rest}\r\n");
            script(
                &network,
                "game.example",
                "10.9.0.1:80",
                &[response.as_bytes()],
            );
            let mut agent = Agent::on_memory(&network);
            for method in ["GET", "HEAD"] {
                if method == "HEAD" && head.contains("chunked") {
                    continue;
                }
                let request = Request::with_method_name(method, "http://game.example/");
                let outcome = run(&network, &mut agent, request);
                assert_eq!(outcome.response().body(), "", "{coding} {method} {head:?}");
            }
        }
    }
}

#[test]
fn content_stays_coded_when_decompression_is_off() {
    let (network, server, mut agent) = setup();
    let raw = gzip(b"hello");
    coded(&server, "gzip", raw.clone());
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").decompress(false),
    );
    assert!(*outcome.response().body() == raw);
    assert!(server.requests()[0].header("accept-encoding").is_none());
    // A caller who sets Accept-Encoding still gets decoded content.
    let request = Request::get("http://game.example/").header("Accept-Encoding", "gzip;q=0.1");
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().text(), "hello");
    assert_eq!(
        server.requests()[1]
            .headers
            .get_all("accept-encoding")
            .count(),
        1
    );
    // Ranges are ranges of the coded content: no coding is requested (RFC 9110 §14.2).
    let request = Request::get("http://game.example/").header("Range", "bytes=0-3");
    drop(run(&network, &mut agent, request));
    assert!(server.requests()[2].header("accept-encoding").is_none());
}

/// Each piece in this coding, as a server flushes it. The content does not end.
fn flushed(coding: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let pieces = pieces.iter().enumerate().map(|(number, piece)| {
        let length = u32::try_from(piece.len()).unwrap();
        match coding {
            "gzip" => {
                gzip.write_all(piece).unwrap();
                gzip.flush().unwrap();
                std::mem::take(gzip.get_mut())
            }
            "deflate" => {
                zlib.write_all(piece).unwrap();
                zlib.flush().unwrap();
                std::mem::take(zlib.get_mut())
            }
            // An uncompressed meta-block (RFC 7932 §9.2): the first one begins after a bit for the window.
            "br" => {
                let shift = u32::from(number == 0);
                let header = ((length - 1) << 3 | 1 << 19) << shift;
                [&header.to_le_bytes()[..3], piece].concat()
            }
            // An uncompressed block (RFC 8878 §3.1.1.2), the first one behind the header of the frame.
            "zstd" => {
                let start: &[u8] = if number == 0 {
                    b"\x28\xb5\x2f\xfd\x00\x58"
                } else {
                    b""
                };
                [start, &(length << 3).to_le_bytes()[..3], piece].concat()
            }
            _ => unreachable!(),
        }
    });
    pieces.collect()
}

#[test]
fn a_flushed_piece_is_delivered_when_it_arrives() {
    let pieces: [&[u8]; 3] = [b"data: one\n\n", b"data: two\n\n", b"data: three\n\n"];
    for coding in ["gzip", "deflate", "br", "zstd"] {
        for is_event_stream in [false, true] {
            let (network, server, mut agent) = setup();
            let stream = MockStream::new();
            server.get("/").reply(
                MockResponse::ok()
                    .header("Content-Encoding", coding)
                    .header("Content-Type", "text/event-stream")
                    .stream(&stream),
            );
            let request = Request::get("http://game.example/");
            let handle = agent.send(match is_event_stream {
                true => request.event_stream(),
                false => request.stream(),
            });
            frames(&network, &mut agent, 5);
            for (piece, sent) in pieces.iter().zip(flushed(coding, &pieces)) {
                stream.send(sent);
                let mut received = Vec::new();
                for event in frames(&network, &mut agent, 3) {
                    match event {
                        Event::Chunk { bytes, .. } => received.extend_from_slice(&bytes),
                        Event::ServerSent { event, .. } => {
                            received.extend(format!("data: {}\n\n", event.data).into_bytes());
                        }
                        _ => {}
                    }
                }
                assert_eq!(
                    received, *piece,
                    "{coding}, event stream: {is_event_stream}"
                );
                // The server waits before it flushes the next piece.
                frames(&network, &mut agent, 100);
            }
            drop(handle);
        }
    }
}

#[test]
fn a_stream_does_not_offer_a_coding_that_would_hold_content_back() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    drop(run(
        &network,
        &mut agent,
        Request::get("http://game.example/"),
    ));
    let request = Request::get("http://game.example/").stream();
    drop(run(&network, &mut agent, request));
    let sent = server.requests();
    let offered = |index: usize| sent[index].header("accept-encoding").unwrap().to_owned();
    assert_eq!(offered(0), "gzip, deflate, br, zstd");
    assert_eq!(offered(1), "gzip, deflate, br");
}

#[test]
fn content_that_cannot_be_decoded_is_an_error() {
    let mut torn = gzip(&pattern(10_000));
    torn.truncate(torn.len() - 9);
    let mut damaged = gzip(&pattern(10_000));
    let at = damaged.len() - 6;
    damaged[at] ^= 0xff;
    for (coding, content, fault) in [
        (
            "lzma",
            b"x".to_vec(),
            CodingFault::Unknown("lzma".to_owned()),
        ),
        ("gzip", torn, CodingFault::Truncated("gzip")),
        ("gzip", damaged, CodingFault::Corrupt("gzip")),
        (
            "gzip",
            b"<html>no gzip".to_vec(),
            CodingFault::Corrupt("gzip"),
        ),
    ] {
        for stream in [false, true] {
            let (network, server, mut agent) = setup();
            coded(&server, coding, content.clone());
            let mut request = Request::get("http://game.example/");
            if stream {
                request = request.stream();
            }
            let outcome = run(&network, &mut agent, request);
            assert_eq!(
                *outcome.error().kind(),
                ErrorKind::Coding(fault.clone()),
                "{coding}"
            );
            assert!(!outcome.error().is_retryable());
        }
    }
    let (network, server, mut agent) = setup();
    coded(
        &server,
        "gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip",
        b"x".to_vec(),
    );
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert!(
        matches!(
            outcome.error().kind(),
            ErrorKind::Coding(CodingFault::TooMany(_))
        ),
        "{}",
        outcome.error()
    );
}

#[test]
fn decompression_bombs_are_stopped() {
    let zeros = vec![0; 8 * 1024 * 1024];
    let bomb = gzip(&zeros);
    let twice = gzip(&bomb);
    drop(zeros);
    let (network, server, mut agent) = setup();
    coded(&server, "gzip", bomb.clone());
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").max_body(1_000_000),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::BodyBytes(1_000_000))
    );
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/")
            .max_body(1_000_000)
            .stream(),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::BodyBytes(1_000_000))
    );
    assert!(chunks(&outcome.events).len() <= 1_000_000);
    let folder = Folder::new("bomb");
    let to = Download::to(folder.path("a")).max_size(1_000_000);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").download_to(to),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::FileBytes(1_000_000))
    );
    assert!(folder.names().is_empty());
    let mut policy = AccessPolicy::default();
    policy.schemes.clear();
    policy.non_public_addresses = true;
    policy.max_body_bytes = Some(1_000_000);
    for request in [
        Request::get("http://game.example/"),
        Request::get("http://game.example/").stream(),
    ] {
        let outcome = run(&network, &mut agent, request.access(policy.clone()));
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Access(AccessRefusal::BodyTooLarge { max: 1_000_000 })
        );
    }
    let (network, server, mut agent) = setup();
    coded(&server, "gzip, gzip", twice);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").max_body(0).stream(),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Coding(CodingFault::Ratio(1100))
    );
}

#[test]
fn responses_without_content_are_not_decoded() {
    let (network, server, mut agent) = setup();
    server
        .any("/")
        .reply(MockResponse::with_status(204).header("Content-Encoding", "gzip"));
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    server.any("/h").reply(
        MockResponse::ok()
            .header("Content-Encoding", "gzip")
            .bytes("not gzip"),
    );
    run(&network, &mut agent, Request::head("http://game.example/h")).response();
}

#[test]
fn a_coded_download_that_was_cut_is_whole_after_a_retry() {
    // Offsets in the decoded file are not offsets in the coded content: it restarts.
    let folder = Folder::new("coded");
    let content = pattern(50_000);
    let coded = gzip(&content);
    let half = coded.len() / 2;
    let whole = MockResponse::ok()
        .header("Content-Encoding", "gzip")
        .etag("\"a\"")
        .bytes(coded);
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(whole.clone().cut_after(half))
        .then_reply(whole);
    let request = Request::get("http://game.example/")
        .download_to(folder.path("a"))
        .retries(httpoll::RetryPolicy::standard());
    run(&network, &mut agent, request).response();
    assert!(std::fs::read(folder.path("a")).unwrap() == content);
    assert!(server.requests()[1].header("range").is_none());
}

#[test]
fn names_that_are_no_codings_are_ignored_unless_the_caller_is_strict() {
    let folder = Folder::new("no-coding");
    for coding in ["UTF-8", "utf8", "none", "", "identity, none"] {
        let (network, server, mut agent) = setup();
        coded(&server, coding, b"hello".to_vec());
        let get = || Request::get("http://game.example/");
        let outcome = run(&network, &mut agent, get());
        assert_eq!(outcome.response().text(), "hello", "{coding:?}");
        let outcome = run(&network, &mut agent, get().stream());
        assert_eq!(chunks(&outcome.events), b"hello", "{coding:?}");
        run(&network, &mut agent, get().download_to(folder.path("a"))).response();
        assert_eq!(std::fs::read(folder.path("a")).unwrap(), b"hello");
        let outcome = run(&network, &mut agent, get().strict_coding(true));
        match coding {
            "" => assert_eq!(outcome.response().text(), "hello"),
            _ => assert!(
                matches!(outcome.error().kind(), ErrorKind::Coding(_)),
                "{coding:?}"
            ),
        }
    }
}

#[test]
fn an_error_page_in_an_unknown_coding_is_delivered_as_it_is() {
    let page = |status| {
        MockResponse::with_status(status)
            .header("Content-Encoding", "lzma")
            .bytes("coded")
    };
    for status in [401, 404, 503] {
        let (network, server, mut agent) = setup();
        server.get("/").reply(page(status));
        let get = || Request::get("http://game.example/");
        let outcome = run(&network, &mut agent, get());
        assert_eq!(outcome.response().body(), "coded", "{status}");
        let outcome = run(&network, &mut agent, get().stream());
        assert_eq!(chunks(&outcome.events), b"coded", "{status}");
        let outcome = run(&network, &mut agent, get().error_for_status(true));
        let (error, response) = outcome.result.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Status(status));
        assert_eq!(response.unwrap().body(), "coded");
        let outcome = run(&network, &mut agent, get().strict_coding(true));
        let (error, response) = outcome.result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Coding(_)));
        assert_eq!(response.unwrap().status().as_u16(), status);
    }
}
