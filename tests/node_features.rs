//! The rows of the feature list that one connection can show, each by its number.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Refusal};
use httpoll::{
    ErrorKind, HttpClient, Method, Misuse, NetworkFault, RequestBody, Status,
    query_string_from_dict, response_code,
};
use serde_json::json;
use support::{address, connected, content, failure, get, listening, server, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn body_of(response: &[u8]) -> (u16, Vec<u8>) {
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
fn the_target_is_what_was_asked_for() {
    let (network, mut http, log) = connected(&[OK]);
    http.request(Method::Get, "/a b?x=ü#part", &["Accept: text/plain"], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(
        log.text(),
        format!(
            "GET /a%20b?x=%C3%BC HTTP/1.1\r\nAccept: text/plain\r\nHost: 10.0.0.1\r\nUser-Agent: {}\r\n\r\n",
            http.user_agent()
        )
    );
}

#[test]
fn prefixes_and_ports() {
    let network = MemoryNetwork::new();
    for port in [80, 443, 8080] {
        network.listen(address(&format!("10.0.0.1:{port}")));
    }
    let mut http = HttpClient::on_memory(&network);
    let plain = [
        ("10.0.0.1", -1, 80),
        ("http://10.0.0.1", -1, 80),
        ("10.0.0.1", 8080, 8080),
    ];
    for (host, port, reached) in plain {
        let at = address(&format!("10.0.0.1:{reached}"));
        let before = network.connections_to(at);
        http.connect_to_host(host, port, None).unwrap();
        assert_eq!(network.connections_to(at), before + 1, "{host} {port}");
    }
    #[cfg(feature = "tls")]
    for (host, port, tls, reached) in [
        ("http://10.0.0.1", -1, true, 80),
        ("HTTPS://10.0.0.1", -1, false, 443),
        ("10.0.0.1", -1, true, 443),
        ("https://10.0.0.1", 8080, false, 8080),
    ] {
        let at = address(&format!("10.0.0.1:{reached}"));
        let before = network.connections_to(at);
        let tls = tls.then(httpoll::TlsOptions::client);
        http.connect_to_host(host, port, tls).unwrap();
        assert_eq!(network.connections_to(at), before + 1, "{host} {port}");
    }
    #[cfg(not(feature = "tls"))]
    {
        let error = http
            .connect_to_host("https://10.0.0.1", -1, None)
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::TlsNotBuilt));
    }
    for (host, port, misuse) in [
        ("", 80, Misuse::InvalidHost),
        ("a b", 80, Misuse::InvalidHost),
        ("game.example/x", 80, Misuse::InvalidHost),
        ("game.example:80", 80, Misuse::InvalidHost),
        ("game.example", 0, Misuse::InvalidPort),
        ("game.example", 65536, Misuse::InvalidPort),
        ("game.example", -2, Misuse::InvalidPort),
    ] {
        let error = http.connect_to_host(host, port, None).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(misuse), "{host}:{port}");
        assert_eq!(http.get_status(), Status::Disconnected);
    }
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
fn content_cut_short_is_an_error_after_what_came() {
    for (response, came, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf<close>"[..],
            &b"half"[..],
            Some(10),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n<close>",
            b"half",
            None,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf<close>",
            b"half",
            None,
        ),
    ] {
        let (network, mut http, _) = connected(&[response, OK]);
        http.request(Method::Get, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        let (received, error) = content(&network, &mut http).unwrap_err();
        assert_eq!(received, came);
        assert_eq!(
            error.kind(),
            &ErrorKind::Truncated {
                received: 4,
                expected
            }
        );
        assert_eq!(http.get_status(), Status::ConnectionError);
        assert_eq!(http.get_response_code(), 200, "what came stays");
        assert!(error.is_retryable());
        // Nothing of it is left for the next connection.
        support::serve(&network, server(), &[OK]);
        support::connect(&network, &mut http);
        assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    }
}

#[test]
fn a_server_that_closes_right_after_the_last_chunk_is_tolerated() {
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n<close>";
    assert_eq!(body_of(response), (200, b"hi".to_vec()));
}

#[test]
fn errors_tell_apart_what_failed() {
    for (response, kind) in [
        (&b"<close>"[..], ErrorKind::Network(NetworkFault::Closed)),
        (b"<reset>", ErrorKind::Network(NetworkFault::Broken)),
        (
            b"HTTP/1.1 200<close>",
            ErrorKind::Truncated {
                received: 0,
                expected: None,
            },
        ),
    ] {
        let error = failure(response);
        assert_eq!(error.kind(), &kind);
        assert_eq!(error.origin(), Some("http://10.0.0.1"));
        assert!(error.bytes_sent() > 0);
    }
}

#[test]
fn errors_hold_no_secrets() {
    let (network, mut http, _) = connected(&[b"<reset>"]);
    http.request(
        Method::Get,
        "/?token=hunter2",
        &["Authorization: Bearer hunter2", "Cookie: a=hunter2"],
        "",
    )
    .unwrap();
    support::until_head(&network, &mut http);
    let error = http.get_error().unwrap();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    assert!(!format!("{http:?}").contains("hunter2"), "{http:?}");
}

#[test]
fn codes_are_known_by_name() {
    assert_eq!(response_code::NOT_FOUND, 404);
    assert_eq!(response_code::reason(306), Some("Switch Proxy"));
}

#[test]
fn each_method_goes_out_by_name_and_others_do_too() {
    for method in Method::ALL {
        let (network, mut http, log) =
            connected(&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]);
        let target = if method == Method::Connect {
            "a.b:80"
        } else {
            "/"
        };
        http.request(method, target, &[], "").unwrap();
        support::until_head(&network, &mut http);
        let name = http::Method::from(method);
        assert!(
            log.text()
                .starts_with(&format!("{name} {target} HTTP/1.1\r\n")),
            "{}",
            log.text()
        );
        assert_eq!(http.get_response_code(), 404);
    }
    let (network, mut http, log) = connected(&[OK]);
    http.request(http::Method::from_bytes(b"PROPFIND").unwrap(), "/", &[], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert!(log.text().starts_with("PROPFIND / HTTP/1.1\r\n"));
}

#[test]
fn a_request_before_connected_is_refused() {
    let mut http = HttpClient::new();
    let error = http.request(Method::Get, "/", &[], "").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::WrongStatus));
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn bodies_go_out_unmodified_with_their_length() {
    let (network, mut http, mut stream) = listening();
    let bytes: Vec<u8> = (0..=255).collect();
    http.request_raw(Method::Post, "/", &["X: y"], &bytes)
        .unwrap();
    http.poll().unwrap();
    http.poll().unwrap();
    let mut sent = vec![0; 4096];
    let _ = network.now();
    let count = stream.read(&mut sent).unwrap();
    let sent = &sent[..count];
    let head = support::find(sent, b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&sent[..head]);
    assert!(text.contains("\r\nContent-Length: 256\r\n"), "{text}");
    assert_eq!(&sent[head..], bytes);
}

#[test]
fn a_post_without_content_says_so() {
    for (method, says) in [
        (Method::Post, true),
        (Method::Put, true),
        (Method::Patch, true),
        (Method::Get, false),
        (Method::Delete, false),
    ] {
        let (network, mut http, log) = connected(&[OK]);
        http.request(method, "/", &[], "").unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(
            log.text().contains("Content-Length: 0\r\n"),
            says,
            "{method:?}"
        );
    }
}

/// Reads what the client sends until `done`, answers, and returns it.
fn played(
    headers: &[&str],
    body: RequestBody,
    done: impl Fn(&[u8]) -> bool,
    answers: &[(&[u8], &[u8])],
) -> (Vec<u8>, HttpClient) {
    let (network, mut http, mut stream) = listening();
    http.request(Method::Post, "/upload", headers, body)
        .unwrap();
    let mut seen = Vec::new();
    let mut answers = answers.iter();
    let mut next = answers.next();
    for _ in 0..10_000 {
        let _ = http.poll();
        let mut buffer = [0; 65536];
        if let Ok(count) = stream.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
        }
        if let Some((after, answer)) = next
            && support::find(&seen, after).is_some()
        {
            stream.write_all(answer).unwrap();
            next = answers.next();
        }
        if done(&seen) && http.get_status() != Status::Requesting {
            return (seen, http);
        }
        network.advance(support::FRAME);
    }
    panic!("still {} after {} bytes", http.get_status(), seen.len());
}

#[test]
fn content_from_a_reader_with_a_length() {
    let length = 300_000;
    let body = RequestBody::reader(io::repeat(b'x').take(length), Some(length));
    let tail: &[u8] = b"x";
    let (seen, http) = played(&[], body, |seen| seen.len() > 300_000, &[(tail, OK)]);
    assert_eq!(http.get_response_code(), 200);
    assert!(String::from_utf8_lossy(&seen).contains("Content-Length: 300000\r\n"));
    assert_eq!(seen.iter().filter(|byte| **byte == b'x').count(), 300_000);
}

#[test]
fn content_from_a_reader_without_a_length_is_chunked() {
    let body = RequestBody::reader(&b"some content"[..], None);
    let end = b"0\r\n\r\n";
    let (seen, http) = played(&[], body, |seen| seen.ends_with(end), &[(&end[..], OK)]);
    assert_eq!(http.get_response_code(), 200);
    let text = String::from_utf8(seen).unwrap();
    assert!(text.contains("Transfer-Encoding: chunked\r\n"), "{text}");
    assert!(
        text.ends_with("\r\n\r\nc\r\nsome content\r\n0\r\n\r\n"),
        "{text}"
    );
}

#[test]
fn content_that_breaks_its_promise_or_fails_is_the_callers_error() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    for body in [
        RequestBody::reader(&b"short"[..], Some(10)),
        RequestBody::reader(&b"much too long"[..], Some(5)),
        RequestBody::reader(Fails, Some(5)),
        RequestBody::reader(Fails, None),
    ] {
        let (network, mut http, _stream) = listening();
        http.request(Method::Post, "/", &[], body).unwrap();
        until(&network, &mut http, |_| false);
        assert_eq!(http.get_error().unwrap().kind(), &ErrorKind::RequestBody);
        assert_eq!(http.get_status(), Status::ConnectionError);
    }
}

#[test]
fn a_reader_that_has_nothing_yet_ends_nothing() {
    struct Hesitates(Arc<Mutex<u32>>);
    impl Read for Hesitates {
        fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
            let mut calls = self.0.lock().unwrap();
            *calls += 1;
            match *calls {
                1..=20 => Err(io::ErrorKind::WouldBlock.into()),
                21 => {
                    dst[0] = b'x';
                    Ok(1)
                }
                _ => Ok(0),
            }
        }
    }
    let body = RequestBody::reader(Hesitates(Arc::default()), None);
    let end = b"0\r\n\r\n";
    let (seen, _) = played(&[], body, |seen| seen.ends_with(end), &[(&end[..], OK)]);
    assert!(seen.ends_with(b"1\r\nx\r\n0\r\n\r\n"));
}

#[test]
fn expect_holds_the_content_back_until_continue() {
    let answers: &[(&[u8], &[u8])] = &[
        (b"\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"content", OK),
    ];
    let (seen, http) = played(
        &["Expect: 100-continue"],
        "content".into(),
        |_| true,
        answers,
    );
    assert_eq!(http.get_response_code(), 200);
    assert!(seen.ends_with(b"\r\n\r\ncontent"));
}

#[test]
fn a_final_answer_instead_of_continue_saves_the_content() {
    let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    let answers: &[(&[u8], &[u8])] = &[(b"\r\n\r\n", refusal)];
    let (seen, mut http) = played(
        &["Expect: 100-continue"],
        "content".into(),
        |_| true,
        answers,
    );
    assert_eq!(http.get_response_code(), 413);
    assert!(seen.ends_with(b"\r\n\r\n"), "nothing behind the head");
    assert!(http.read_response_body_chunk().unwrap().is_empty());
    assert_eq!(
        http.get_status(),
        Status::Disconnected,
        "the promised content never came"
    );
}

#[test]
fn an_early_answer_is_read_although_sending_failed() {
    let (network, mut http, mut stream) = listening();
    let body = RequestBody::reader(io::repeat(0).take(10 << 20), Some(10 << 20));
    http.request(Method::Put, "/", &[], body).unwrap();
    http.poll().unwrap();
    stream
        .write_all(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig",
        )
        .unwrap();
    stream.reset();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_code(), 413);
    assert_eq!(content(&network, &mut http).unwrap(), b"big");
}

#[test]
fn lengths_and_what_has_no_content() {
    for (response, length) in [
        (
            &b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"[..],
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
fn an_injected_stream_works_through_whole_exchanges() {
    let network = MemoryNetwork::new();
    let (client, mut far) = network.pair();
    let mut http = HttpClient::on_memory(&network);
    http.set_connection(client);
    assert_eq!(http.get_status(), Status::Connected);
    for _ in 0..2 {
        http.poll().unwrap();
        http.request(Method::Get, "/", &["Host: injected"], "")
            .unwrap();
        http.poll().unwrap();
        http.poll().unwrap();
        let mut request = [0; 1024];
        let count = far.read(&mut request).unwrap();
        assert!(request[..count].starts_with(b"GET / HTTP/1.1\r\nHost: injected\r\n"));
        far.write_all(OK).unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(content(&network, &mut http).unwrap(), b"hi");
        assert_eq!(http.get_status(), Status::Connected);
    }
    drop(far);
    assert!(http.poll().is_err());
}

#[test]
fn after_an_upgrade_the_stream_is_the_callers() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst words",
    ]);
    assert!(http.take_connection().is_none());
    http.request(
        Method::Get,
        "/",
        &["Connection: Upgrade", "Upgrade: echo"],
        "",
    )
    .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(
        (http.get_status(), http.get_response_code()),
        (Status::Connected, 101)
    );
    assert!(
        http.request(Method::Get, "/", &[], "")
            .unwrap_err()
            .is_misuse()
    );
    let (mut stream, leftover) = http.take_connection().unwrap();
    assert_eq!(leftover, "first words");
    assert_eq!(stream.write(b"hello").unwrap(), 5);
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn one_client_serves_many_requests_and_hosts() {
    let network = MemoryNetwork::new();
    for host in 1..=3 {
        support::serve(&network, address(&format!("10.0.0.{host}:80")), &[OK]);
    }
    let mut http = HttpClient::on_memory(&network);
    for host in 1..=3 {
        http.connect_to_host(&format!("10.0.0.{host}"), 80, None)
            .unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        for request in 1..=5 {
            assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
            assert_eq!(http.get_connection_requests(), request);
        }
        assert_eq!(
            network.connections_to(address(&format!("10.0.0.{host}:80"))),
            1
        );
    }
}

#[test]
fn query_strings() {
    let query = query_string_from_dict([
        ("single", json!(123)),
        ("not_valued", json!(null)),
        ("multiple", json!([22, 33, 44])),
    ]);
    assert_eq!(
        query,
        "single=123&not_valued&multiple=22&multiple=33&multiple=44"
    );
}

#[test]
fn values_keep_inner_spaces_and_lose_outer_ones() {
    let (network, mut http, log) =
        connected(&[b"HTTP/1.1 200 OK\r\nX: \t a  b\t \r\nContent-Length: 0\r\n\r\n"]);
    http.request(Method::Get, "/", &["Y: \t c  d "], "")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_headers()[0], "X: a  b");
    assert!(log.text().contains("\r\nY: c  d\r\n"), "{}", log.text());
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
fn chunked_beats_a_length_and_the_connection_is_not_used_again() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ]);
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn ipv6_and_international_hosts() {
    let network = MemoryNetwork::new();
    let log = support::serve(&network, address("[::1]:8080"), &[OK]);
    let local: IpAddr = "::1".parse().unwrap();
    network.add_name("xn--bcher-kva.example", &[local]);
    let mut http = HttpClient::on_memory(&network);
    for (host, shown) in [
        ("::1", "[::1]:8080"),
        ("[::1]", "[::1]:8080"),
        ("http://[::1]", "[::1]:8080"),
        ("bücher.example", "xn--bcher-kva.example:8080"),
    ] {
        log.clear();
        http.connect_to_host(host, 8080, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert_eq!(get(&network, &mut http).0, 200);
        assert!(
            log.text().contains(&format!("\r\nHost: {shown}\r\n")),
            "{}",
            log.text()
        );
    }
}

#[test]
fn the_callers_source_is_asked_inside_of_poll_on_its_thread() {
    struct Asked(Arc<Mutex<Vec<std::thread::ThreadId>>>);
    impl Read for Asked {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(std::thread::current().id());
            Ok(0)
        }
    }
    let (_network, mut http, _) = connected(&[OK]);
    let asked = Arc::default();
    let body = RequestBody::reader(Asked(Arc::clone(&asked)), None);
    http.request(Method::Post, "/", &[], body).unwrap();
    assert!(asked.lock().unwrap().is_empty(), "not before the poll");
    http.poll().unwrap();
    assert_eq!(*asked.lock().unwrap(), [std::thread::current().id()]);
}

#[test]
fn dropping_a_client_closes_its_connection() {
    let (_network, http, mut stream) = listening();
    drop(http);
    let mut byte = [0];
    // The end arrives with the next look at the network.
    let network_end = stream.read(&mut byte);
    assert!(matches!(network_end, Ok(0)) || network_end.is_err());
}

/// A server that answers the first request of each connection and hangs up on the second.
fn forgetful() -> (MemoryNetwork, HttpClient, support::Log) {
    let (network, mut http, log) = connected(&[OK, b"<close>"]);
    assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    support::transitions(&mut http);
    log.clear();
    (network, http, log)
}

#[test]
fn a_stale_connection_costs_an_idempotent_request_nothing() {
    let (network, mut http, log) = forgetful();
    http.request(Method::Put, "/x", &["X: y"], "content")
        .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"hi");
    assert_eq!(network.connections_to(server()), 2);
    assert_eq!(http.get_connection_requests(), 1);
    assert_eq!(log.text().matches("PUT /x HTTP/1.1\r\nX: y\r\n").count(), 2);
    use Status::{Body, Connected, Requesting};
    let silent = [Connected, Requesting, Body, Connected];
    assert_eq!(support::transitions(&mut http), silent);
}

#[test]
fn the_retry_is_made_once() {
    let network = MemoryNetwork::new();
    let answered = Arc::new(Mutex::new(false));
    network.serve(server(), move || {
        let answered = answered.clone();
        move |peer: &mut httpoll::memory::Peer| {
            if peer.take_received().is_empty() {
            } else if std::mem::replace(&mut *answered.lock().unwrap(), true) {
                peer.close();
            } else {
                peer.send(OK);
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    get(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    let error = http.get_error().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
    assert!(error.is_retryable());
    assert_eq!(network.connections_to(server()), 2);
}

#[test]
fn what_might_do_harm_is_not_sent_again() {
    let reader = || RequestBody::reader(&b"content"[..], Some(7));
    for (method, body, retried, retryable) in [
        (Method::Post, "content".into(), true, false),
        (Method::Put, reader(), true, true),
        (Method::Get, RequestBody::none(), false, true),
    ] {
        let (network, mut http, _) = forgetful();
        http.set_retry_stale_connections(retried);
        http.request(method, "/", &[], body).unwrap();
        support::until_head(&network, &mut http);
        let error = http.get_error().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Closed));
        assert_eq!(error.is_retryable(), retryable, "{method:?}");
        assert_eq!(network.connections_to(server()), 1, "{method:?}");
    }
}

#[test]
fn a_request_of_which_nothing_was_sent_is_sent_again_whatever_its_method() {
    let network = MemoryNetwork::new();
    network.listen(server());
    let mut http = HttpClient::on_memory(&network);
    support::connect(&network, &mut http);
    let mut stream = network.accept(server()).unwrap();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream.write_all(OK).unwrap();
    support::until_head(&network, &mut http);
    content(&network, &mut http).unwrap();
    // It hangs up between two frames, unseen by any poll.
    drop(stream);
    support::serve(&network, server(), &[OK]);
    http.request(Method::Post, "/", &[], "content").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(content(&network, &mut http).unwrap(), b"hi");
}

#[test]
fn a_retry_that_cannot_connect_fails() {
    let (network, mut http, _) = forgetful();
    network.refuse(server(), Refusal::Refused);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_status(), Status::CantConnect);
    use Status::{CantConnect, Connected, Requesting};
    assert_eq!(
        support::transitions(&mut http),
        [Connected, Requesting, CantConnect]
    );
}

#[test]
fn a_dead_ipv6_address_first_costs_a_quarter_of_a_second() {
    let network = MemoryNetwork::new();
    let dead: IpAddr = "2001:db8::1".parse().unwrap();
    network.add_name("game.example", &[dead, server().ip()]);
    network.refuse(address("[2001:db8::1]:80"), Refusal::BlackHole);
    support::serve(&network, server(), &[OK]);
    let start = network.now();
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("game.example", 80, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::Connected
    });
    let elapsed = network.now() - start;
    let range = Duration::from_millis(250)..Duration::from_millis(300);
    assert!(range.contains(&elapsed), "{elapsed:?}");
    assert_eq!(http.peer_address(), Some(server()));
    assert_eq!(get(&network, &mut http).0, 200);
}

#[test]
fn a_refused_or_unreachable_address_costs_nothing() {
    for refusal in [Refusal::Refused, Refusal::Unreachable] {
        let network = MemoryNetwork::new();
        let dead: IpAddr = "2001:db8::1".parse().unwrap();
        network.add_name("game.example", &[dead, server().ip()]);
        network.refuse(address("[2001:db8::1]:80"), refusal);
        support::serve(&network, server(), &[OK]);
        let start = network.now();
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 80, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert!(network.now() - start <= 3 * support::FRAME);
    }
}

#[test]
fn a_client_can_live_in_a_component() {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    send_and_sync::<HttpClient>();
    send_and_sync::<httpoll::Error>();
    send_and_sync::<RequestBody>();
    send_and_sync::<MemoryNetwork>();
}

#[test]
fn a_close_delimited_end_is_clean_however_it_arrives() {
    // The end comes one frame after the last byte, and the caller polls before it reads.
    let (network, mut http, mut stream) = listening();
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\ncontent").unwrap();
    support::until_head(&network, &mut http);
    drop(stream);
    for _ in 0..3 {
        http.poll().unwrap();
    }
    assert_eq!(content(&network, &mut http).unwrap(), b"content");
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn a_close_in_each_status_leaves_nothing_behind() {
    for polls in 0..6 {
        let network = MemoryNetwork::new();
        network.set_latency(Duration::from_millis(10));
        network.add_name("game.example", &[server().ip()]);
        support::serve(
            &network,
            server(),
            &[
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                OK,
            ],
        );
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 80, None).unwrap();
        for _ in 0..polls {
            let _ = http.poll();
            let _ = http.request(Method::Get, "/", &[], "");
            let _ = http.read_response_body_chunk();
            network.advance(support::FRAME);
        }
        http.close();
        let other = address("10.0.0.2:80");
        support::serve(&network, other, &[OK]);
        http.connect_to_host("10.0.0.2", 80, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert_eq!(
            get(&network, &mut http),
            (200, b"hi".to_vec()),
            "closed after {polls} polls"
        );
    }
}
