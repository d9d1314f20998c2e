//! The server over real sockets: waking it from other threads, the cost of an idle poll, large content in
//! both directions, clients that disconnect, and server and client together in one loop.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, unsafe_code)]

mod counting_allocator;
#[cfg(unix)]
mod few_descriptors;
mod serving;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use counting_allocator::allocations_of;
use httpoll::server::{Request, Responder, Response, Server};
use httpoll::{HttpClient, Method, PollAt, Status};
use serving::{answers, body, status, test_server};

fn server() -> Server {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    server.route("GET", "/", answers("hello")).unwrap();
    server
}

/// Runs a client on a thread of its own, and the server until the client is done.
fn serve_while<T: Send + 'static>(
    server: &mut Server,
    client: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T {
    let address = server.local_addr();
    let thread = thread::spawn(move || {
        let result = client(address);
        // Wakes the server, so that it sees that the client is done.
        drop(TcpStream::connect(address));
        result
    });
    while !thread.is_finished() {
        server
            .wait(Some(std::time::Duration::from_millis(20)))
            .unwrap();
    }
    thread.join().unwrap()
}

/// Sends a request with `Connection: close`, and reads to the end.
fn ask(address: SocketAddr, head: &str, content: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let length = format!("Content-Length: {}\r\n\r\n", content.len());
    stream.write_all((head + &length).as_bytes()).unwrap();
    stream.write_all(content).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8(response).unwrap()
}

#[test]
fn requests_over_real_sockets() {
    let mut server = server();
    let response = serve_while(&mut server, |address| ask(address, "GET /", b""));
    assert_eq!((status(&response), body(&response)), (200, "hello"));
    // A listener that the caller bound.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = Server::builder().from_listener(listener).unwrap();
    server.route("GET", "/", answers("own")).unwrap();
    let response = serve_while(&mut server, |address| ask(address, "GET /", b""));
    assert_eq!(body(&response), "own");
}

#[test]
fn large_content_both_ways() {
    let mut server = server();
    server
        .route("POST", "/", |request: &mut Request| {
            Response::content("application/octet-stream", request.body().clone())
        })
        .unwrap()
        .max_body(u64::MAX);
    let sent = "0123456789".repeat(1_000_000);
    let content = sent.clone();
    let response = serve_while(&mut server, move |address| {
        ask(address, "POST /", content.as_bytes())
    });
    assert!(body(&response) == sent);
}

#[test]
fn many_clients_at_once() {
    let mut server = server();
    let answered = serve_while(&mut server, |address| {
        let clients: Vec<_> = (0..20)
            .map(|_| {
                thread::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let mut buffer = [0; 1024];
                    let mut answered = 0;
                    for _ in 0..50 {
                        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
                        stream.write_all(request.as_bytes()).unwrap();
                        let mut response = Vec::new();
                        while !response.ends_with(b"hello") {
                            let count = stream.read(&mut buffer).unwrap();
                            assert_ne!(count, 0);
                            response.extend_from_slice(&buffer[..count]);
                        }
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|it| it.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(answered, 1000);
    assert_eq!(server.metrics().requests, 1000);
}

#[test]
fn a_responder_on_another_thread_wakes_the_server() {
    let mut server = server();
    let (sender, receiver) = mpsc::channel::<Responder>();
    server
        .handle(
            "GET",
            "/later",
            move |request: &mut Request, _: &mut Response| {
                sender.send(request.defer()).unwrap();
            },
        )
        .unwrap();
    let address = server.local_addr();
    let worker = thread::spawn(move || receiver.recv().unwrap().respond(Response::text("woken")));
    let client = thread::spawn(move || ask(address, "GET /later", b""));
    // Only events and the responder end these waits.
    while server.metrics().responses[1] == 0 || server.metrics().open > 0 {
        server.wait(None).unwrap();
    }
    assert!(worker.join().unwrap());
    assert_eq!(body(&client.join().unwrap()), "woken");
}

#[test]
fn an_idle_poll_allocates_nothing_however_many_connections_there_are() {
    let mut server = server();
    let address = server.local_addr();
    let clients: Vec<TcpStream> = (0..50)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    while server.metrics().open < 50 {
        server.wait(None).unwrap();
    }
    // Windows reports late that the sockets can be written to.
    let quiet = Some(std::time::Duration::from_millis(100));
    while server.wait(quiet).unwrap().changed {}
    let mut allocated = None;
    // If the system reports something even later, the polls were not idle: measure again.
    for _ in 0..100 {
        let mut was_idle = true;
        let count = allocations_of(|| {
            for _ in 0..100 {
                let polled = server.poll().unwrap();
                was_idle &= !polled.changed && matches!(polled.next, PollAt::At(_));
            }
        });
        if was_idle {
            allocated = Some(count);
            break;
        }
    }
    assert_eq!(allocated, Some(0));
    drop(clients);
}

#[test]
fn clients_that_break_off_are_forgotten() {
    let mut server = server();
    server
        .route("GET", "/large", |_: &mut Request| {
            Response::content("text/plain", vec![b'x'; 20_000_000])
        })
        .unwrap();
    serve_while(&mut server, |address| {
        for _ in 0..3 {
            let mut stream = TcpStream::connect(address).unwrap();
            let request = format!("GET /large HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            // Closing with bytes unread resets the connection.
        }
    });
    while server.metrics().open > 0 {
        server.wait(None).unwrap();
    }
    let response = serve_while(&mut server, |address| ask(address, "GET /", b""));
    assert_eq!(body(&response), "hello");
}

#[test]
fn a_server_can_move_to_another_thread() {
    let server = server();
    let address = server.local_addr();
    let served = thread::spawn(move || {
        let mut server = server;
        while server.metrics().responses[1] == 0 || server.metrics().open > 0 {
            server.wait(None).unwrap();
        }
    });
    assert_eq!(body(&ask(address, "GET /", b"")), "hello");
    served.join().unwrap();
}

#[test]
fn client_and_server_share_one_loop_and_one_virtual_clock() {
    let mut test = test_server();
    test.server
        .route("GET", "/", answers("from memory"))
        .unwrap();
    let mut http = HttpClient::on_memory(&test.network);
    let host = serving::address().ip().to_string();
    http.connect_to_host(&host, 80, None).unwrap();
    let mut content = Vec::new();
    let mut asked = false;
    for _ in 0..20 {
        http.poll().unwrap();
        test.frame();
        match http.get_status() {
            Status::Connected if !asked => {
                http.request(Method::Get, "/", &[], "").unwrap();
                asked = true;
            }
            Status::Body => content.extend_from_slice(&http.read_response_body_chunk().unwrap()),
            _ => {}
        }
    }
    assert_eq!(content, b"from memory");
}

#[cfg(unix)]
#[test]
fn a_server_without_file_descriptors_closes_an_idle_connection_for_a_new_client() {
    few_descriptors::with_few_descriptors(make_room_for_a_new_client);
}

#[cfg(unix)]
fn make_room_for_a_new_client() {
    let mut server = server();
    let (faults, reported) = mpsc::channel();
    server.on_error(move |fault, _| faults.send(fault.to_string()).unwrap());
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let ask = |server: &mut Server, client: &mut TcpStream| {
        client.write_all(request).unwrap();
        client.set_nonblocking(true).unwrap();
        let mut response = Vec::new();
        let mut buffer = [0; 4096];
        let mut polls = 0;
        while !response.ends_with(b"hello") {
            // Far fewer than pass before an idle connection is closed for its own sake.
            polls += 1;
            assert!(polls < 500, "not accepted");
            server
                .wait(Some(std::time::Duration::from_millis(20)))
                .unwrap();
            if let Ok(count) = client.read(&mut buffer) {
                assert_ne!(count, 0, "closed");
                response.extend_from_slice(&buffer[..count]);
            }
        }
    };
    let mut idle = TcpStream::connect(server.local_addr()).unwrap();
    ask(&mut server, &mut idle);
    let mut client = TcpStream::connect(server.local_addr()).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    ask(&mut server, &mut client);
    let faults: Vec<_> = reported.try_iter().collect();
    assert!(faults[0].starts_with("cannot accept: "), "{faults:?}");
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0);
    assert_eq!(server.metrics().open, 1);
}
