//! The memory that one client can make a server hold, measured on the server's thread over real sockets
//! of the loopback interface, with and without TLS. `-- --nocapture` prints the figures.
//! This is a test program of its own because `allocation_counter` replaces the allocator.

#![cfg(all(feature = "server", feature = "tls", feature = "websocket"))]
#![allow(clippy::unwrap_used)]

mod blocking_tls;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use blocking_tls::BlockingTls;
use httpoll::event_stream::ServerSentEvent;
use httpoll::server::guard::Guard;
use httpoll::server::topic::{SlowConsumerPolicy, Topic};
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request, Response, Server, ServerTlsOptions};

/// The documented maximum with the default limits.
const CONNECTION_BYTES: u64 = 8 * 1024 * 1024;

/// How many bytes an attacker sends at most, if the server takes them.
const FLOOD: usize = 48 * 1024 * 1024;

/// How long a server may take no bytes before the attacker gives up, if it also looked this often meanwhile. A server whose
/// thread the system runs late is not stuck.
const STUCK: Duration = Duration::from_millis(700);
const STUCK_WAITS: usize = 50;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One way to make a server hold memory: bytes that are sent once, and bytes that are then sent endlessly.
struct Attack {
    name: &'static str,
    opening: &'static str,
    /// Whether the response's head is read before the flood begins.
    reads_head: bool,
    /// Bytes sent once, after the head.
    start: &'static [u8],
    flood: fn() -> Vec<u8>,
}

const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn attacks() -> Vec<Attack> {
    vec![
        Attack {
            name: "pings, pongs never read",
            opening: UPGRADE,
            reads_head: true,
            start: b"",
            flood: || frame(0x89, &[b'p'; 125]).repeat(512),
        },
        Attack {
            name: "messages that the holder never takes",
            opening: UPGRADE,
            reads_head: true,
            start: b"",
            flood: || frame(0x82, &[b'm'; 60_000]),
        },
        Attack {
            name: "one message in fragments without end",
            opening: UPGRADE,
            reads_head: true,
            start: b"\x02\x81\0\0\0\0f",
            flood: || frame(0x00, b"f").repeat(4096),
        },
        Attack {
            name: "pipelined requests, responses never read",
            opening: "",
            reads_head: false,
            start: b"",
            flood: || b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1024),
        },
        Attack {
            name: "a head without end",
            opening: "GET / HTTP/1.1\r\n",
            reads_head: false,
            start: b"",
            flood: || b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(2048),
        },
        Attack {
            name: "content without end",
            opening: "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            reads_head: false,
            start: b"",
            flood: || b"1\r\nx\r\n".repeat(8192),
        },
        Attack {
            name: "tiny chunks that the handler never takes",
            opening: "POST /streamed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            reads_head: false,
            start: b"",
            flood: || b"1\r\nx\r\n".repeat(8192),
        },
        Attack {
            name: "an event stream, never read, of a topic with tiny events",
            opening: "GET /tiny HTTP/1.1\r\nHost: localhost\r\n\r\n",
            reads_head: true,
            start: b"",
            flood: || b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1024),
        },
        Attack {
            name: "an event stream, never read, of a busy topic",
            opening: "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            reads_head: true,
            start: b"",
            flood: || b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1024),
        },
    ]
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn server(tls: Option<ServerTlsOptions>, topics: &[Topic; 2]) -> Server {
    let builder = Server::builder().guard(Guard::open());
    let builder = match tls {
        Some(tls) => builder.tls(tls),
        None => builder,
    };
    let mut server = builder.bind_local(0).unwrap();
    let mut sockets: Vec<WebSocket> = Vec::new();
    server
        .route("GET", "/socket", move |request: &mut Request| {
            sockets.push(request.accept_websocket(Options::default()).unwrap());
        })
        .unwrap();
    server
        .route("GET", "/large", |_: &mut Request| "x".repeat(200_000))
        .unwrap();
    server
        .route("POST", "/upload", |_: &mut Request| Response::new())
        .unwrap();
    let mut untaken = Vec::new();
    server
        .handle(
            "POST",
            "/streamed",
            move |request: &mut Request, _: &mut Response| {
                untaken.push((request.take_content(), request.defer()));
            },
        )
        .unwrap()
        .at_head();
    for (topic, path) in topics.iter().zip(["/events", "/tiny"]) {
        let topic = topic.clone();
        server
            .route("GET", path, move |request: &mut Request| {
                topic.subscribe(request);
            })
            .unwrap();
    }
    server
}

/// Sends the attack without reading. `waits` counts how often the server has looked for work. Returns how many bytes the
/// server took.
fn run(mut stream: impl Stream, tcp: &TcpStream, attack: &Attack, waits: &AtomicUsize) -> usize {
    stream.write_all(attack.opening.as_bytes()).unwrap();
    if attack.reads_head {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
    }
    // Over TLS a write also reads.
    let brief = Some(Duration::from_millis(50));
    tcp.set_read_timeout(brief).unwrap();
    tcp.set_write_timeout(brief).unwrap();
    stream.write_all(attack.start).unwrap();
    let flood = (attack.flood)();
    let (mut sent, mut at) = (0, 0);
    let looked = || waits.load(Ordering::SeqCst);
    let mut moved = (Instant::now(), looked());
    while sent < FLOOD && (moved.0.elapsed() < STUCK || looked() - moved.1 < STUCK_WAITS) {
        match stream.write(&flood[at..]) {
            Ok(0) => break,
            Ok(count) => {
                sent += count;
                at = (at + count) % flood.len();
                moved = (Instant::now(), looked());
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => break,
        }
    }
    sent
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Runs every attack. `wrap` returns what the client uses over TCP.
fn measure_attacks<S: Stream + 'static>(
    label: &str,
    tls: impl Fn() -> Option<ServerTlsOptions>,
    wrap: impl Fn(TcpStream) -> S,
) {
    for attack in attacks() {
        let topic = || Topic::new().when_too_slow(SlowConsumerPolicy::DropOldest);
        let topics = [topic(), topic()];
        let mut server = server(tls(), &topics);
        let address = server.local_addr();
        let name = attack.name;
        let sent = Arc::new(AtomicUsize::new(0));
        let total = Arc::clone(&sent);
        let waits = Arc::new(AtomicUsize::new(0));
        let looked = Arc::clone(&waits);
        let tcp = TcpStream::connect(address).unwrap();
        let stream = wrap(tcp.try_clone().unwrap());
        let client = thread::spawn(move || {
            total.store(run(stream, &tcp, &attack, &looked), Ordering::SeqCst);
        });
        let held = measure(|| {
            while !client.is_finished() {
                server.wait(Some(Duration::from_millis(1))).unwrap();
                waits.fetch_add(1, Ordering::SeqCst);
                for (topic, (count, bytes)) in topics.iter().zip([(100, 1000), (5000, 1)]) {
                    if topic.subscribers() > 0 {
                        for _ in 0..count {
                            let event = ServerSentEvent::new("e".repeat(bytes));
                            topic.publish(event).unwrap();
                        }
                    }
                }
            }
        });
        client.join().unwrap();
        let sent = sent.load(Ordering::SeqCst);
        println!(
            "{label}: {name}: {} bytes held of {sent} sent",
            held.bytes_max
        );
        assert!(
            held.bytes_max <= CONNECTION_BYTES,
            "{label}: {name}: {} bytes held of {sent} sent",
            held.bytes_max
        );
    }
}

#[test]
fn one_client_cannot_make_the_server_hold_more_than_documented() {
    measure_attacks("plain", || None, |stream| stream);
}

#[test]
fn one_client_cannot_make_the_server_hold_more_than_documented_over_tls() {
    let tls = BlockingTls::new();
    measure_attacks(
        "TLS",
        || Some(tls.server_options()),
        |stream| tls.connect(stream),
    );
}
