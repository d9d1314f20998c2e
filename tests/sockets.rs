//! Real sockets on loopback: behavior that only a kernel shows.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use httpoll::{
    Budget, ErrorKind, HttpClient, Method, Status, error::NetworkFault, node::RequestBody,
    resolver::Resolver,
};

/// Serves one connection by `serve`, on a thread.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (i32, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (port.into(), thread)
}

fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    head
}

fn connected(port: i32) -> HttpClient {
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port, None).unwrap();
    while http.get_status() == Status::Connecting {
        http.wait(None).unwrap();
    }
    http
}

fn finish(http: &mut HttpClient) -> Result<Vec<u8>, httpoll::Error> {
    let mut content = Vec::new();
    loop {
        match http.get_status() {
            Status::Requesting => drop(http.wait(None)?),
            Status::Body => {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() && http.get_status() == Status::Body {
                    http.wait(None)?;
                }
                content.extend_from_slice(&chunk);
            }
            _ => {
                return http
                    .get_error()
                    .map_or(Ok(content), |error| Err(error.clone()));
            }
        }
    }
}

#[test]
fn a_get_and_another_on_the_same_connection() {
    let (port, thread) = server(|mut stream| {
        for number in 1..=3 {
            read_head(&mut stream);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}"
            )
            .unwrap();
        }
    });
    let mut http = connected(port);
    for number in 1..=3 {
        http.request(Method::Get, "/", &[], "").unwrap();
        assert_eq!(finish(&mut http).unwrap(), number.to_string().as_bytes());
    }
    assert_eq!(
        http.peer_address().unwrap().port(),
        u16::try_from(port).unwrap()
    );
    assert!(http.local_address().is_some());
    thread.join().unwrap();
}

#[test]
fn localhost_is_resolved_without_a_lookup_and_tries_both_families() {
    let (port, thread) = server(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
    });
    let resolver = Resolver::with_lookup(|_| panic!("localhost must not be looked up"));
    let mut http = HttpClient::with_resolver(resolver);
    http.connect_to_host("localhost", port, None).unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    finish(&mut http).unwrap();
    assert_eq!(http.get_response_code(), 204);
    thread.join().unwrap();
}

#[test]
fn a_name_is_resolved_on_a_worker_and_wakes_the_wait() {
    let (port, thread) = server(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
    });
    let (answer, answers) = mpsc::channel();
    let answers = std::sync::Mutex::new(answers);
    let resolver = Resolver::with_lookup(move |_| Ok(answers.lock().unwrap().recv().unwrap()));
    let mut http = HttpClient::with_resolver(resolver);
    http.connect_to_host("game.example", port, None).unwrap();
    for _ in 0..3 {
        http.poll().unwrap();
        assert_eq!(http.get_status(), Status::Resolving);
    }
    answer.send(vec!["127.0.0.1".parse().unwrap()]).unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    finish(&mut http).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_refused_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut http = HttpClient::new();
    let refused = http
        .connect_to_host("127.0.0.1", port.into(), None)
        .and_then(|()| http.wait(None).map(drop));
    assert!(refused.is_err());
    assert_eq!(http.get_status(), Status::CantConnect);
    let error = http.get_error().unwrap();
    assert_eq!(
        error.kind(),
        &ErrorKind::Network(NetworkFault::ConnectFailed)
    );
    assert!(std::error::Error::source(error).is_some());
}

#[test]
fn a_reset_in_the_middle_of_content() {
    let (port, thread) = server(|mut stream| {
        stream.read_exact(&mut [0]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            .unwrap();
        // The unread rest of the request makes the close a reset.
    });
    let mut http = connected(port);
    http.request(Method::Get, "/", &[], "").unwrap();
    let error = finish(&mut http).unwrap_err();
    assert_eq!(http.get_status(), Status::ConnectionError);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Network(NetworkFault::Broken) | ErrorKind::Truncated { .. }
        ),
        "{error}"
    );
    thread.join().unwrap();
}

#[test]
fn a_server_that_half_closes_after_its_answer() {
    let (port, thread) = server(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nall").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // The client closes its side in turn.
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    });
    let mut http = connected(port);
    http.request(Method::Get, "/", &[], "").unwrap();
    assert_eq!(finish(&mut http).unwrap(), b"all");
    assert_eq!(http.get_status(), Status::Disconnected);
    thread.join().unwrap();
}

#[test]
fn a_large_upload_and_its_answer() {
    const SIZE: u64 = 8 << 20;
    let (port, thread) = server(|mut stream| {
        let head = String::from_utf8(read_head(&mut stream)).unwrap();
        assert!(
            head.contains(&format!("Content-Length: {SIZE}\r\n")),
            "{head}"
        );
        let received = std::io::copy(&mut (&mut stream).take(SIZE), &mut std::io::sink()).unwrap();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{received}"
        )
        .unwrap();
    });
    let mut http = connected(port);
    let body = RequestBody::reader(std::io::repeat(1).take(SIZE), Some(SIZE));
    http.request(Method::Put, "/", &[], body).unwrap();
    assert_eq!(finish(&mut http).unwrap(), b"8388608");
    assert!(http.get_bytes_sent() > SIZE);
    thread.join().unwrap();
}

#[test]
fn an_early_answer_survives_the_reset_that_follows_it() {
    let (port, thread) = server(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Stays open, so that the reset comes only after the response was read.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let mut http = connected(port);
    let body = RequestBody::reader(std::io::repeat(1).take(64 << 20), Some(64 << 20));
    http.request(Method::Put, "/", &[], body).unwrap();
    assert_eq!(finish(&mut http).unwrap(), b"big");
    assert_eq!(http.get_response_code(), 413);
    assert_eq!(http.get_status(), Status::Disconnected);
    thread.join().unwrap();
}

#[test]
fn a_download_under_small_budgets_is_whole() {
    const SIZE: usize = 5 << 20;
    let content: Vec<u8> = (0..SIZE).map(|i| (i / 251) as u8).collect();
    let sent = content.clone();
    let (port, thread) = server(move |mut stream| {
        read_head(&mut stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
        stream.write_all(&sent).unwrap();
    });
    let mut http = connected(port);
    http.set_budget(Budget::frame(Duration::from_micros(50)).with_bytes(100_000));
    http.request(Method::Get, "/", &[], "").unwrap();
    let mut received = Vec::new();
    while matches!(http.get_status(), Status::Requesting | Status::Body) {
        http.poll().unwrap();
        while http.get_status() == Status::Body {
            let chunk = http.read_response_body_chunk().unwrap();
            if chunk.is_empty() {
                break;
            }
            received.extend_from_slice(&chunk);
        }
    }
    assert!(received == content);
    thread.join().unwrap();
}

#[test]
fn dropping_the_client_closes_the_socket_at_once() {
    let (closed, ended) = mpsc::channel();
    let (port, thread) = server(move |mut stream| {
        read_head(&mut stream);
        closed.send(stream.read(&mut [0; 16]).unwrap()).unwrap();
    });
    let mut http = connected(port);
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    drop(http);
    assert_eq!(ended.recv().unwrap(), 0);
    thread.join().unwrap();
}

#[test]
fn blocking_mode_translates_godots_loop() {
    let (port, thread) = server(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .unwrap();
        stream.write_all(b"3\r\ndef\r\n0\r\n\r\n").unwrap();
    });
    let mut http = HttpClient::new();
    http.set_blocking_mode(true);
    http.connect_to_host("127.0.0.1", port, None).unwrap();
    while matches!(http.get_status(), Status::Connecting | Status::Resolving) {
        http.poll().unwrap();
    }
    http.request(Method::Get, "/", &[], "").unwrap();
    while http.get_status() == Status::Requesting {
        http.poll().unwrap();
    }
    assert!(http.has_response() && http.is_response_chunked());
    let mut content = Vec::new();
    while http.get_status() == Status::Body {
        content.extend_from_slice(&http.read_response_body_chunk().unwrap());
    }
    assert_eq!(content, b"abcdef");
    thread.join().unwrap();
}
