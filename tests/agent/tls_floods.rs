//! Peers that send TLS records of one byte, to a client and to a server. A poll whose budget is spent decrypts a few of
//! them, and the next poll comes at once for the rest. What was read is delivered, however the connection ends.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use httpoll::agent::WebSocketOptions;
use httpoll::memory::{MemoryNetwork, MemoryStream, Peer};
use httpoll::server::ServerTlsOptions;
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Request as ServerRequest, Response as ServerResponse, Server};
use httpoll::websocket::WebSocketMessage;
use httpoll::{
    Agent, Budget, Error, ErrorKind, Event, HttpClient, Method, PollAt, Request, Status,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use crate::support::{FRAME, address};
use crate::tls::{authority, server_config, trusting};

/// How many records one step decrypts. A poll without a budget has two steps: its first, and that of its deadlines.
const MOST_RECORDS: usize = 2 * 16;

/// How many records a flood has. They fit into one read of a poll without a budget (16 KiB).
const RECORDS: usize = 600;

/// A poll without a budget on a clock that stands still: only its first step is free.
fn spent() -> Budget {
    Budget::frame(Duration::ZERO)
}

/// How a server ends after its flood.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    CloseNotify,
    /// The connection ends without `close_notify`.
    Cut,
    Reset,
}

/// A message for a WebSocket.
const MESSAGE: &[u8] = b"\x81\x01x";

/// Serves `https://game.example`: a response without a length, or a WebSocket. What follows the head is in records of
/// one byte. The end follows a second later.
fn serve_floods(network: &MemoryNetwork, ending: Ending) -> httpoll::tls::TlsOptions {
    let authority = authority();
    let name = "game.example";
    let at = address("10.9.1.1:443");
    let config = server_config(&authority, &[name], 2200);
    network.add_name(name, &[at.ip()]);
    network.serve(at, move || {
        let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
        session.set_buffer_limit(None);
        let mut request = Vec::new();
        move |peer: &mut Peer| {
            let received = peer.take_received();
            let mut received = received.as_slice();
            while !received.is_empty() {
                session.read_tls(&mut received).unwrap();
                session.process_new_packets().unwrap();
                // Nothing more is no fault.
                let _ = session.reader().read_to_end(&mut request);
            }
            let is_asked = request.ends_with(b"\r\n\r\n");
            if is_asked {
                let (head, flood) = response_to(&String::from_utf8_lossy(&request));
                session.writer().write_all(head.as_bytes()).unwrap();
                for byte in flood {
                    session.writer().write_all(&[byte]).unwrap();
                }
                request.clear();
            }
            peer.send(&wire(&mut session));
            if is_asked {
                let pause = Duration::from_secs(1);
                match ending {
                    Ending::CloseNotify => {
                        session.send_close_notify();
                        peer.send_after(pause, &wire(&mut session));
                        peer.close();
                    }
                    Ending::Cut => peer.close_after(pause),
                    Ending::Reset => peer.reset_after(pause),
                }
            }
        }
    });
    trusting(&authority)
}

fn wire(session: &mut ServerConnection) -> Vec<u8> {
    let mut out = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut out).unwrap();
    }
    out
}

/// The head, and what follows it.
fn response_to(request: &str) -> (String, Vec<u8>) {
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value)
    });
    let Some(key) = key else {
        return ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), vec![b'x'; RECORDS]);
    };
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    (head, MESSAGE.repeat(RECORDS / MESSAGE.len()))
}

/// Polls without a budget until `is_over`. `poll` returns when the next poll is due and how many records arrived in it.
/// While some of the flood has arrived but not all, the next poll is due at once; when some has, time passes.
fn poll_until_over(
    network: &MemoryNetwork,
    expected: usize,
    mut poll: impl FnMut() -> (PollAt, usize, bool),
) {
    let mut arrived = 0;
    let mut has_begun = false;
    for _ in 0..2000 {
        let (next, records, is_over) = poll();
        assert!(records <= MOST_RECORDS, "{records}");
        arrived += records;
        if is_over {
            assert_eq!(arrived, expected);
            return;
        }
        if arrived > 0 && arrived < expected {
            assert_eq!(next, PollAt::Now, "after {arrived} of {expected}");
        }
        if arrived > 0 && !has_begun {
            has_begun = true;
            // All that follows comes out of what was read, because the peer ends now.
            network.advance(Duration::from_secs(1));
        } else if next != PollAt::Now {
            network.advance(FRAME);
        }
    }
    panic!("{arrived} of {expected} records after 2000 polls");
}

/// Checks how a response without a length ended.
fn check(ending: Ending, error: Option<&Error>) {
    match (ending, error.map(Error::kind)) {
        (Ending::CloseNotify, None)
        | (Ending::Cut, Some(ErrorKind::Truncated { .. }))
        | (Ending::Reset, Some(ErrorKind::Network(_))) => {}
        (_, other) => panic!("{ending:?}: {other:?}"),
    }
}

const ENDINGS: [Ending; 3] = [Ending::CloseNotify, Ending::Cut, Ending::Reset];

#[test]
fn records_of_one_byte_are_divided_among_the_polls_of_an_agent() {
    for ending in ENDINGS {
        let network = MemoryNetwork::new();
        // A reset discards what was not read.
        network.imitate_windows();
        let options = serve_floods(&network, ending);
        let mut agent = Agent::on_memory(&network);
        let request = Request::get("https://game.example/").tls(options);
        agent.send(request.stream()).unwrap().detach();
        poll_until_over(&network, RECORDS, || {
            let polled = agent.poll_with(&spent());
            let (mut records, mut is_over) = (0, false);
            while let Some(event) = agent.next_event() {
                match &event {
                    Event::Chunk { bytes, .. } => records += bytes.len(),
                    Event::Done { .. } => check(ending, None),
                    Event::Failed { error, .. } => check(ending, Some(error)),
                    _ => {}
                }
                is_over |= event.is_final();
            }
            (polled.next, records, is_over)
        });
    }
}

#[test]
fn records_of_one_byte_are_divided_among_the_polls_of_a_node() {
    for ending in ENDINGS {
        let network = MemoryNetwork::new();
        network.imitate_windows();
        let options = serve_floods(&network, ending);
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 443, Some(options))
            .unwrap();
        let mut has_asked = false;
        poll_until_over(&network, RECORDS, || {
            // Its error is also in `get_error`.
            let polled = http.poll_at(network.now(), &spent());
            let mut records = 0;
            match http.get_status() {
                Status::Connected if !has_asked => {
                    http.request(Method::Get, "/", &[], "").unwrap();
                    has_asked = true;
                }
                Status::Body => records = http.read_response_body_chunk().unwrap().len(),
                Status::Resolving | Status::Connecting | Status::Requesting | Status::Connected => {
                }
                _ => {
                    check(ending, http.get_error());
                    return (PollAt::Now, 0, true);
                }
            }
            let next = polled.map_or(PollAt::Now, |polled| polled.next);
            (next, records, false)
        });
    }
}

#[test]
fn records_of_one_byte_are_divided_among_the_polls_of_an_agents_web_socket() {
    let network = MemoryNetwork::new();
    network.imitate_windows();
    let options = serve_floods(&network, Ending::Reset);
    let mut agent = Agent::on_memory(&network);
    let request = Request::get("wss://game.example/").tls(options);
    let request = request.web_socket(WebSocketOptions::new());
    agent.send(request).unwrap().detach();
    poll_until_over(&network, RECORDS, || {
        let polled = agent.poll_with(&spent());
        let (mut messages, mut is_over) = (0, false);
        while let Some(event) = agent.next_event() {
            messages += usize::from(matches!(event, Event::WebSocketMessage { .. }));
            is_over |= event.is_final();
        }
        (polled.next, messages * MESSAGE.len(), is_over)
    });
}

/// A server with TLS, and a client that says what it wants in records of its choice.
struct Flooded {
    network: MemoryNetwork,
    server: Server,
    session: ClientConnection,
    stream: MemoryStream,
    received: Vec<u8>,
}

impl Flooded {
    fn new() -> Self {
        let network = MemoryNetwork::new();
        network.imitate_windows();
        let at = address("10.0.0.1:443");
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["game.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let options = ServerTlsOptions::builder()
            .certificate_pem(certificate.as_bytes(), key.serialize_pem().as_bytes())
            .build()
            .unwrap();
        let server = Server::builder().tls(options).on_memory(&network, at);
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("game.example").unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        session.set_buffer_limit(None);
        let stream = network.connect(at).unwrap();
        let mut server = server.unwrap();
        server.poll_with(&Budget::unlimited()).unwrap();
        Self {
            network,
            server,
            session,
            stream,
            received: Vec::new(),
        }
    }

    /// What the client has to send.
    fn wire(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut out).unwrap();
        }
        out
    }

    /// Lets the client send and receive.
    fn drive_client(&mut self) {
        let out = self.wire();
        self.stream.write_all(&out).unwrap();
        let mut received = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = self.stream.read(&mut received) {
            let mut received = &received[..count];
            while !received.is_empty() {
                self.session.read_tls(&mut received).unwrap();
                self.session.process_new_packets().unwrap();
                // Nothing more is no fault.
                let _ = self.session.reader().read_to_end(&mut self.received);
            }
        }
    }

    /// Polls the server with all the time it wants, and lets the client send and receive.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.drive_client();
            self.server.poll_with(&Budget::unlimited()).unwrap();
            self.network.advance(FRAME);
        }
        self.drive_client();
    }

    fn say(&mut self, bytes: &[u8]) {
        self.session.writer().write_all(bytes).unwrap();
    }

    /// The server's end of a WebSocket that the client has opened.
    fn open_web_socket(&mut self) -> WebSocket {
        self.server.pull("GET", "/").unwrap();
        self.say(
            b"GET / HTTP/1.1\r\nHost: game.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        self.settle();
        let mut request = self.server.next_request().unwrap();
        let socket = request.accept_websocket(Options::default()).unwrap();
        self.settle();
        socket
    }

    /// Lets the client send each of these bytes in its own record and then break the connection. Returns how many of
    /// them the server took in each poll until it had nothing to do.
    fn flood(&mut self, bytes: &[u8]) -> Vec<u64> {
        for byte in bytes {
            self.say(&[*byte]);
        }
        let out = self.wire();
        self.stream.write_all(&out).unwrap();
        let mut taken = Vec::new();
        loop {
            let before = self.server.metrics().bytes_received;
            let polled = self.server.poll_with(&spent()).unwrap();
            taken.push(self.server.metrics().bytes_received - before);
            if polled.next != PollAt::Now {
                return taken;
            }
            assert!(taken.len() < 2000, "{taken:?}");
        }
    }
}

fn check_taken(taken: &[u64], expected: usize) {
    assert_eq!(taken.iter().sum::<u64>(), expected as u64, "{taken:?}");
    assert!(
        taken.iter().all(|it| *it <= MOST_RECORDS as u64),
        "{taken:?}"
    );
}

#[test]
fn records_of_one_byte_are_divided_among_the_polls_of_a_server() {
    let mut test = Flooded::new();
    test.server
        .route("POST", "/", |request: &mut ServerRequest| {
            ServerResponse::text(request.body().len().to_string())
        })
        .unwrap();
    let head =
        format!("POST / HTTP/1.1\r\nHost: game.example\r\nContent-Length: {RECORDS}\r\n\r\n");
    test.say(head.as_bytes());
    test.settle();
    let taken = test.flood(&[b'x'; RECORDS]);
    check_taken(&taken, RECORDS);
    test.settle();
    let response = String::from_utf8_lossy(&test.received).into_owned();
    assert!(
        response.ends_with(&format!("\r\n\r\n{RECORDS}")),
        "{response}"
    );
    // A head in records of one byte is a flood, too.
    test.received.clear();
    let taken = test.flood(b"POST / HTTP/1.1\r\nHost: game.example\r\nContent-Length: 0\r\n\r\n");
    assert!(taken.len() > 3, "{taken:?}");
    test.settle();
    assert!(test.received.ends_with(b"\r\n\r\n0"));
}

#[test]
fn records_of_one_byte_are_divided_among_the_polls_of_a_servers_web_socket() {
    let mut test = Flooded::new();
    let mut socket = test.open_web_socket();
    let message = b"\x81\x81\0\0\0\0x";
    let count = RECORDS / message.len();
    let taken = test.flood(&message.repeat(count));
    check_taken(&taken, count * message.len());
    let messages: Vec<_> = std::iter::from_fn(|| socket.receive()).collect();
    assert_eq!(messages, vec![WebSocketMessage::Text("x".into()); count]);
}

#[test]
fn a_reset_after_records_of_one_byte_loses_none_that_the_server_has_read() {
    let mut test = Flooded::new();
    let mut socket = test.open_web_socket();
    let message = b"\x81\x81\0\0\0\0x";
    let count = RECORDS / message.len();
    for byte in message.repeat(count) {
        test.say(&[byte]);
    }
    let out = test.wire();
    test.stream.write_all(&out).unwrap();
    test.server.poll_with(&spent()).unwrap();
    test.stream.reset();
    let mut polls = 0;
    while test.server.poll_with(&spent()).unwrap().next == PollAt::Now {
        polls += 1;
    }
    assert!((10..200).contains(&polls), "{polls}");
    assert_eq!(std::iter::from_fn(|| socket.receive()).count(), count);
    assert_eq!(test.server.metrics().open, 0);
}

#[test]
fn a_hello_in_records_of_one_byte_takes_many_polls_of_a_server() {
    let mut test = Flooded::new();
    let hello = test.wire();
    let mut records = Vec::new();
    for byte in &hello[5..] {
        records.extend([22, 3, 1, 0, 1, *byte]);
    }
    test.stream.write_all(&records).unwrap();
    let mut polls = 0;
    let mut reply = [0; 5];
    while test.stream.read(&mut reply).is_err() {
        test.server.poll_with(&spent()).unwrap();
        polls += 1;
        assert!(polls < 1000);
    }
    // The server's hello.
    assert_eq!(reply[0], 22);
    assert!(polls >= (hello.len() - 5) / MOST_RECORDS, "{polls}");
}
