//! Heads and content of responses, in each framing, and how they are read.

use std::io::{Read, Write};
use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::{ErrorKind, HttpClient, Method, Status, error::Misuse, node::response_code};

use crate::support::{connected, content, get, listening, server};
use crate::{OK, support};

pub(crate) fn body_of(response: &[u8]) -> (u16, Vec<u8>) {
    let (network, mut http, _) = connected(&[response]);
    get(&network, &mut http)
}

#[test]
fn version_and_status_also_unknown_ones() {
    for (response, code, version) in [
        (
            &b"HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n"[..],
            799,
            http::Version::HTTP_11,
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            http::Version::HTTP_10,
        ),
    ] {
        let (network, mut client, _) = connected(&[response]);
        assert_eq!(get(&network, &mut client).0, code);
        assert_eq!(client.get_response_head().unwrap().version, version);
    }
}

#[test]
fn codes_are_known_by_name() {
    assert_eq!(response_code::NOT_FOUND, 404);
    assert_eq!(response_code::reason(306), Some("Switch Proxy"));
}

#[test]
fn a_status_line_may_lack_its_reason_or_hold_any_bytes() {
    for response in [
        &b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi"[..],
        b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 g\xc3\xbct \xff\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    ] {
        assert_eq!(body_of(response), (200, b"hi".to_vec()));
    }
    let (network, mut http, _) = connected(&[b"HTTP/1.1 200\r\n\r\n<close>"]);
    assert_eq!(get(&network, &mut http), (200, vec![]));
    assert!(http.has_response(), "a head without headers is a response");
    assert_eq!(http.get_response_headers(), [""; 0]);
}

#[test]
fn headers_keep_order_case_and_duplicates() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 200 OK\r\nX-One: 1\r\nsEt-CooKie: a=1; Path=/\r\nSet-Cookie: b=2\r\nLocation: http://h:8080/\r\nContent-Length: 0\r\n\r\n",
    ]);
    assert!(!http.has_response());
    get(&network, &mut http);
    assert!(http.has_response());
    for _ in 0..2 {
        assert_eq!(
            http.get_response_headers(),
            [
                "X-One: 1",
                "sEt-CooKie: a=1; Path=/",
                "Set-Cookie: b=2",
                "Location: http://h:8080/",
                "Content-Length: 0"
            ]
        );
    }
    let dictionary = http.get_response_headers_as_dictionary();
    assert_eq!(dictionary["sEt-CooKie"], "a=1; Path=/; b=2");
    assert_eq!(dictionary["Location"], "http://h:8080/");
    assert_eq!(dictionary.len(), 4);
    let fields = &http.get_response_head().unwrap().fields;
    assert_eq!(fields.get("SET-COOKIE"), Some(&b"a=1; Path=/"[..]));
    assert_eq!(
        fields.to_header_map().get_all("set-cookie").iter().count(),
        2
    );
    // They stay until the next request.
    http.poll().unwrap();
    assert!(http.has_response());
    http.request(Method::Get, "/", &[], "").unwrap();
    assert!(!http.has_response());
    assert_eq!(http.get_response_code(), 0);
}

#[test]
fn the_time_that_a_request_took() {
    let network = MemoryNetwork::new();
    network.set_latency(Duration::from_millis(20));
    support::serve(&network, server(), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    assert_eq!(http.get_time_taken(), None);
    http.request(Method::Get, "/", &[], "").unwrap();
    assert_eq!(http.get_time_taken(), None);
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"hi");
    let taken = http.get_time_taken().unwrap();
    assert!((40..=80).contains(&taken.as_millis()), "{taken:?}");
    network.advance(Duration::from_secs(5));
    http.poll().unwrap();
    assert_eq!(http.get_time_taken(), Some(taken));
}

#[test]
fn content_is_binary_safe_in_each_framing() {
    let nasty = b"\0\xff\xfe0\r\n\r\n\r\n0\r\n\r\nend\0";
    let length = nasty.len();
    let with_length = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
        nasty,
    ]
    .concat();
    let chunked = [
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:X};ext=\"v\"\r\n")
            .as_bytes(),
        nasty,
        b"\r\n000\r\nX-Trailer: yes\r\nContent-Length: 99\r\n\r\n",
    ]
    .concat();
    let until_close = [b"HTTP/1.1 200 OK\r\n\r\n", &nasty[..], b"<close>"].concat();
    for (response, length, is_chunked) in [
        (with_length, i64::try_from(length).unwrap(), false),
        (chunked, -1, true),
        (until_close, -1, false),
    ] {
        let (network, mut http, _) = connected(&[&response]);
        http.request(Method::Get, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(http.get_response_body_length(), length);
        assert_eq!(http.is_response_chunked(), is_chunked);
        assert_eq!(content(&network, &mut http).unwrap(), nasty);
        assert_eq!(
            http.get_response_trailers().contains("X-Trailer"),
            is_chunked
        );
        assert!(!http.get_response_trailers().contains("Content-Length"));
    }
}

#[test]
fn chunked_beats_a_length_and_the_connection_is_not_used_again() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ]);
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn interim_responses_are_skipped_and_can_be_seen() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        OK,
    ]);
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    assert_eq!(http.next_interim_response().unwrap().status, 100);
    let hints = http.next_interim_response().unwrap();
    assert_eq!(
        (hints.status.as_u16(), hints.fields.get("link")),
        (103, Some(&b"</a>"[..]))
    );
    assert!(http.next_interim_response().is_none());
    assert_eq!(
        get(&network, &mut http),
        (200, b"hi".to_vec()),
        "the next answer is the next one"
    );
}

#[test]
fn lengths_and_what_has_no_content() {
    for (response, length) in [
        (
            &b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"[..],
            0,
        ),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            -1,
        ),
    ] {
        let (network, mut http, _) = connected(&[response, OK]);
        assert_eq!(get(&network, &mut http).1, b"");
        assert_eq!(http.get_response_body_length(), length);
        assert_eq!(
            get(&network, &mut http),
            (200, b"hi".to_vec()),
            "the connection is in step"
        );
    }
    // A 204 must not have this length (RFC 9110 §8.6). Perhaps the content follows.
    let (network, mut http, _) =
        connected(&[b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"]);
    assert_eq!(get(&network, &mut http).1, b"");
    assert_eq!(http.get_response_body_length(), 0);
    assert_eq!(http.get_status(), Status::Disconnected);
    let (network, mut http, _) =
        connected(&[b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", OK]);
    http.request(Method::Head, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"");
    assert_eq!(
        http.get_response_headers_as_dictionary()["Content-Length"],
        "500"
    );
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
}

#[test]
fn chunks_are_no_larger_than_asked_and_keep_their_bounds() {
    let (network, mut http, _) = connected(&[&[
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"[..],
        &[7; 1000],
    ]
    .concat()]);
    for size in [0, 255, 16 * 1024 * 1024 + 1] {
        let error = http.set_read_chunk_size(size).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::ChunkSize));
    }
    assert_eq!(http.get_read_chunk_size(), 65536);
    http.set_read_chunk_size(256).unwrap();
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    let mut sizes = Vec::new();
    while http.get_status() == Status::Body {
        sizes.push(http.read_response_body_chunk().unwrap().len());
    }
    assert_eq!(sizes, [256, 256, 256, 232]);
}

#[test]
fn blocking_mode_waits_for_full_chunks() {
    let network = MemoryNetwork::new();
    network.serve(server(), || {
        |peer: &mut httpoll::memory::Peer| {
            if !peer.take_received().is_empty() {
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n");
                for seconds in 1..=6 {
                    peer.send_after(Duration::from_secs(seconds), &[1; 100]);
                }
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    http.set_blocking_mode(true);
    assert!(http.is_blocking_mode_enabled());
    http.set_read_chunk_size(256).unwrap();
    http.connect_to_host("10.0.0.1", -1, None).unwrap();
    while http.get_status() == Status::Connecting {
        http.poll().unwrap();
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.poll().unwrap();
    }
    let mut sizes = Vec::new();
    while http.get_status() == Status::Body {
        sizes.push(http.read_response_body_chunk().unwrap().len());
    }
    assert_eq!(sizes, [256, 256, 88]);
}

#[test]
fn a_close_delimited_end_is_clean_however_it_arrives() {
    // The end comes one frame after the last byte, and the caller polls before it reads.
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    network.advance(support::FRAME);
    // Otherwise dropping the stream resets the connection.
    assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\ncontent").unwrap();
    support::until_head(&network, &mut http);
    drop(stream);
    for _ in 0..3 {
        http.poll().unwrap();
    }
    assert_eq!(content(&network, &mut http).unwrap(), b"content");
    assert_eq!(http.get_status(), Status::Disconnected);
}
