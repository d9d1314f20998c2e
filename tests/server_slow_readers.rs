//! Clients that read slowly but steadily, over real sockets, whose send buffers hide progress. They keep
//! their downloads and event streams, with and without TLS.

#![cfg(all(feature = "server", feature = "tls", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod blocking_tls;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use blocking_tls::BlockingTls;
use httpoll::event_stream::ServerSentEvent;
use httpoll::server::guard::Guard;
use httpoll::server::topic::Topic;
use httpoll::server::{Request, Response, Server, ServerBuilder};

/// The client reads pieces of this size.
const PIECE: usize = 100_000;

/// How many bytes the client reads at most before the server must have sent more. A client that reads 100 kB/s
/// reads this much in the minute after which the server gives up. The kernel chooses the sizes of both buffers,
/// and so when it takes more.
const NOTICED: usize = 6_000_000;

/// How often the server waits 5 ms for the kernel after each piece.
const WAITS: usize = 10;

/// After this many waits of 5 ms in which the server sent nothing, the kernel's buffers are full. Waits are counted, not
/// time: a thread that the system runs late has not looked as often.
const QUIET_WAITS: usize = 40;

fn builder() -> ServerBuilder {
    Server::builder().guard(Guard::open())
}

fn server(builder: ServerBuilder, topic: &Topic) -> Server {
    let mut server = builder.bind_local(0).unwrap();
    server
        .route("GET", "/file", |_: &mut Request| {
            Response::content("application/octet-stream", vec![b'x'; 60_000_000])
        })
        .unwrap();
    let topic = topic.clone();
    server
        .route("GET", "/events", move |request: &mut Request| {
            topic.subscribe(request);
        })
        .unwrap();
    server
}

/// Polls until nothing more is sent. Returns how many bytes were sent in all.
fn fill(server: &mut Server, topic: &Topic) -> u64 {
    let (mut sent, mut quiet) = (0, 0);
    while quiet < QUIET_WAITS {
        server.wait(Some(Duration::from_millis(5))).unwrap();
        for _ in 0..50 {
            let event = ServerSentEvent::new("e".repeat(1000));
            topic.publish(event).unwrap();
        }
        let now = server.metrics().bytes_sent;
        quiet = if now > sent { 0 } else { quiet + 1 };
        sent = now;
    }
    sent
}

/// A client that reads nothing, then a little, again and again. Each time the server must send more: this is
/// how it tells a slow reader from a client that has stopped reading.
fn read_in_parts<S: Read + Write + Send + 'static>(
    builder: ServerBuilder,
    wrap: impl FnOnce(TcpStream) -> S,
    target: &'static str,
) -> u64 {
    let topic = Topic::new();
    let mut server = server(builder, &topic);
    let mut stream = wrap(TcpStream::connect(server.local_addr()).unwrap());
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // Over TLS the first write needs the server's part of the handshake.
    let writing = thread::spawn(move || {
        stream.write_all(request.as_bytes()).unwrap();
        stream
    });
    while !writing.is_finished() {
        server.wait(Some(Duration::from_millis(5))).unwrap();
    }
    let mut stream = writing.join().unwrap();
    for part in 0..6 {
        let sent = fill(&mut server, &topic);
        let mut read = 0;
        while server.metrics().bytes_sent == sent {
            assert!(read < NOTICED, "{target}: no progress in part {part}");
            let reading = thread::spawn(move || {
                stream.read_exact(&mut vec![0; PIECE]).unwrap();
                stream
            });
            let mut waits = 0;
            while !reading.is_finished() || waits < WAITS && server.metrics().bytes_sent == sent {
                server.wait(Some(Duration::from_millis(5))).unwrap();
                waits += 1;
            }
            stream = reading.join().unwrap();
            read += PIECE;
        }
    }
    topic.dropped()
}

#[test]
fn the_progress_of_a_slow_download_is_noticed() {
    read_in_parts(builder(), |stream| stream, "/file");
}

#[test]
fn a_slow_subscriber_makes_progress_and_loses_old_events() {
    let dropped = read_in_parts(builder(), |stream| stream, "/events");
    assert!(dropped > 0);
}

#[test]
fn the_progress_of_slow_readers_over_tls_is_noticed() {
    let tls = BlockingTls::new();
    for target in ["/file", "/events"] {
        let builder = builder().tls(tls.server_options());
        read_in_parts(builder, |stream| tls.connect(stream), target);
    }
}
