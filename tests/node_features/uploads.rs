//! Content of requests: from bytes and readers, held back until the server asks for it, refused.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use httpoll::{ErrorKind, HttpClient, Method, Status, node::RequestBody};

use crate::support::{connected, content, listening, until};
use crate::{OK, support};

#[test]
fn bodies_go_out_unmodified_with_their_length() {
    let (_network, mut http, mut stream) = listening();
    let bytes: Vec<u8> = (0..=255).collect();
    http.request_raw(Method::Post, "/", &["X: y"], &bytes)
        .unwrap();
    http.poll().unwrap();
    http.poll().unwrap();
    let mut sent = vec![0; 4096];
    let count = stream.read(&mut sent).unwrap();
    let sent = &sent[..count];
    let head = support::find(sent, b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&sent[..head]);
    assert!(text.contains("\r\nContent-Length: 256\r\n"), "{text}");
    assert_eq!(&sent[head..], bytes);
}

/// Reads what the client sends until `done`, sends the responses, and returns what was read.
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
