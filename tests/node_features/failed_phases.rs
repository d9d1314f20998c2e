//! Each kind of failure of a node in each phase: the head and the content that were received stay, the bytes
//! that moved are counted, and it says whether sending the same request again may help.

mod rows;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::error::{NetworkFault, TlsFault};
use httpoll::memory::{ConnectError, MemoryNetwork, Peer};
use httpoll::node::RequestBody;
use httpoll::tls::TlsOptions;
use httpoll::{Error, ErrorKind, HttpClient, Method, Phase, Status, Timeouts};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::broken_tls;
use crate::enum_variants::{variant, variants};
use crate::support::{FRAME, address};
use rows::{awaiting_the_head, connecting, receiving, sending};

const SECOND: Duration = Duration::from_secs(1);

/// More than any buffer on the way holds.
const LARGE: usize = 1_000_000;

/// What a server does after its response.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Open,
    Close,
    Reset,
}
use Ending::{Close, Open, Reset};

/// Where a node connects to, and how.
#[derive(Clone)]
enum Server {
    /// A name or an address.
    At(&'static str),
    /// Responds to a head with these bytes.
    Responds(String, Ending),
    /// Accepts, and reads nothing. This many bytes fit in between.
    Full(usize),
    /// TLS at a port that speaks plain HTTP.
    PlainPort,
    /// Responds over TLS, and then sends bytes that are no record.
    Tls(&'static str),
    /// A proxy that responds to a request for a tunnel.
    Proxy(String, Ending),
}

/// What is expected of a failure.
struct Row {
    name: &'static str,
    server: Server,
    method: Method,
    headers: &'static [&'static str],
    body: RequestBody,
    kind: fn(&ErrorKind) -> bool,
    phase: Phase,
    status: Status,
    /// The status code of the head that was received, or 0.
    code: u16,
    content: &'static str,
    /// Bytes sent and received: `None` is all that the server counted.
    moved: (Option<bool>, Option<bool>),
    is_retryable: bool,
}

fn row(name: &'static str, server: Server, phase: Phase, kind: fn(&ErrorKind) -> bool) -> Row {
    Row {
        name,
        server,
        method: Method::Get,
        headers: &[],
        body: RequestBody::none(),
        kind,
        phase,
        status: Status::ConnectionError,
        code: 0,
        content: "",
        moved: (None, None),
        is_retryable: false,
    }
}

impl Row {
    fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    fn body(mut self, body: impl Into<RequestBody>) -> Self {
        self.body = body.into();
        self
    }

    fn headers(mut self, headers: &'static [&'static str]) -> Self {
        self.headers = headers;
        self
    }

    fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The response was received up to here.
    fn got(mut self, code: u16, content: &'static str) -> Self {
        (self.code, self.content) = (code, content);
        self
    }

    /// Whether anything was sent and received, where the server does not count.
    fn moved(mut self, sent: bool, received: bool) -> Self {
        self.moved = (Some(sent), Some(received));
        self
    }

    fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }
}

fn responds(response: &str, ending: Ending) -> Server {
    Server::Responds(response.to_owned(), ending)
}

fn responding(
    network: &MemoryNetwork,
    at: SocketAddr,
    response: String,
    ending: Ending,
) -> Arc<Mutex<(u64, u64)>> {
    let counts = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&counts);
    network.serve(at, move || {
        let (response, counted) = (response.clone(), counted.clone());
        let mut has_responded = false;
        move |peer: &mut Peer| {
            if !has_responded && !peer.received().windows(4).any(|it| it == b"\r\n\r\n") {
                return;
            }
            counted.lock().unwrap().0 += peer.take_received().len() as u64;
            if std::mem::replace(&mut has_responded, true) {
                return;
            }
            counted.lock().unwrap().1 += response.len() as u64;
            peer.send(response.as_bytes());
            match ending {
                Open => {}
                Close => peer.close(),
                Reset => peer.reset(),
            }
        }
    });
    counts
}

fn over_tls(network: &MemoryNetwork, at: SocketAddr, response: &'static str) {
    let key = rcgen::generate_simple_self_signed(["game.example".to_owned()]).unwrap();
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], PrivateKeyDer::Pkcs8(private))
        .unwrap();
    broken_tls::serve(network, at, &Arc::new(config), response);
}

/// Connects, sends the request of a row, and checks how it failed.
fn check(row: Row, kinds: &mut BTreeSet<String>, phases: &mut BTreeSet<String>) {
    let name = row.name;
    let network = MemoryNetwork::new();
    network.add_name("game.example", &["10.0.0.1".parse().unwrap()]);
    network.add_slow_name(
        "slow.example",
        &["10.0.0.1".parse().unwrap()],
        Duration::from_secs(60),
    );
    let mut http = HttpClient::on_memory(&network);
    http.set_timeouts(Timeouts::with(|it| {
        it.resolve = Some(SECOND);
        it.connect = Some(SECOND);
        it.tunnel = Some(SECOND);
        it.tls_handshake = Some(SECOND);
        it.continue_wait = None;
        it.head = Some(SECOND);
        it.stall = Some(SECOND);
    }));
    let plain = address("10.0.0.1:80");
    let secure = address("10.0.0.1:443");
    let mut host = "http://game.example";
    let mut tls = None;
    let mut counts = Arc::default();
    match row.server.clone() {
        Server::At(other) => {
            network.refuse(address("10.0.0.9:80"), ConnectError::BlackHole);
            host = other;
        }
        Server::Responds(response, ending) => {
            counts = responding(&network, plain, response, ending);
        }
        Server::Full(capacity) => {
            network.set_capacity(capacity);
            network.listen(plain);
        }
        Server::PlainPort => {
            let response = "HTTP/1.1 400 Bad Request\r\n\r\n";
            network.serve(secure, move || {
                move |peer: &mut Peer| {
                    if !peer.take_received().is_empty() {
                        peer.send(response.as_bytes());
                    }
                }
            });
            host = "https://game.example";
        }
        Server::Tls(response) => {
            over_tls(&network, secure, response);
            host = "https://game.example";
            tls = Some(TlsOptions::client_unsafe(None).unwrap());
        }
        Server::Proxy(response, ending) => {
            // What the proxy gets is not counted: it is no part of the request.
            let _ = responding(&network, address("10.0.0.1:3128"), response, ending);
            http.set_https_proxy("game.example", 3128).unwrap();
            host = "https://game.example";
        }
    }
    let error = drive(
        &network,
        &mut http,
        host,
        tls,
        row.method,
        row.headers,
        row.body,
    );
    let (content, error) = error;
    assert!((row.kind)(error.kind()), "{name}: {error:#?}");
    assert_eq!(error.phase(), Some(row.phase), "{name}: {error:#?}");
    assert_eq!(http.get_status(), row.status, "{name}: the status");
    assert_eq!(http.get_response_code(), row.code, "{name}: the head");
    assert_eq!(String::from_utf8_lossy(&content), row.content, "{name}");
    let counted = *counts.lock().unwrap();
    for (what, moved, reported, counted) in [
        ("sent", row.moved.0, error.bytes_sent(), counted.0),
        ("received", row.moved.1, error.bytes_received(), counted.1),
    ] {
        match moved {
            None => assert_eq!(reported, counted, "{name}: bytes {what}"),
            Some(any) => assert_eq!(reported > 0, any, "{name}: bytes {what}"),
        }
    }
    assert_eq!(error.is_retryable(), row.is_retryable, "{name}: retryable");
    assert!(error.origin().is_some(), "{name}: the origin");
    assert_eq!(http.get_error(), Some(&error), "{name}: the error stays");
    kinds.insert(variant(error.kind()));
    phases.insert(variant(&row.phase));
}

/// The content that was received, and the error.
fn drive(
    network: &MemoryNetwork,
    http: &mut HttpClient,
    host: &str,
    tls: Option<TlsOptions>,
    method: Method,
    headers: &[&str],
    body: RequestBody,
) -> (Vec<u8>, Error) {
    let mut body = Some(body);
    let mut content = Vec::new();
    http.connect_to_host(host, -1, tls).unwrap();
    for _ in 0..10_000 {
        if http.get_status() == Status::Connected
            && let Some(body) = body.take()
        {
            http.request(method, "/", headers, body).unwrap();
        }
        if let Err(error) = http.poll() {
            return (content, error);
        }
        while http.get_status() == Status::Body {
            match http.read_response_body_chunk() {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => content.extend_from_slice(&piece),
                Err(error) => return (content, error),
            }
        }
        network.advance(FRAME);
    }
    panic!("no error in {}", http.get_status());
}

fn is_closed(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Network(NetworkFault::Closed))
}

fn is_broken(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Network(NetworkFault::Broken))
}

fn is_truncated(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Truncated { .. })
}

fn is_peer(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Peer(_))
}

fn is_limit(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Limit(_))
}

fn is_body(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::RequestBody)
}

#[test]
fn every_kind_of_error_in_every_phase() {
    let (mut kinds, mut phases) = (BTreeSet::new(), BTreeSet::new());
    for rows in [connecting(), sending(), awaiting_the_head(), receiving()] {
        for row in rows {
            check(row, &mut kinds, &mut phases);
        }
    }
    for (name, is_always_there) in variants(include_str!("../../src/error/kind.rs"), "ErrorKind") {
        // Misuse changes nothing, so no request ends with it. A debug build panics at a bug of ours. The
        // kinds that need a feature are those of the agent.
        let is_elsewhere = !is_always_there || matches!(name.as_str(), "Misuse" | "Internal");
        assert!(kinds.contains(&name) != is_elsewhere, "{name} has no row");
    }
    for (name, _) in variants(include_str!("../../src/phase.rs"), "Phase") {
        // A node has no queue, and makes one attempt.
        let is_elsewhere = matches!(name.as_str(), "Queue" | "AwaitRetry");
        assert!(phases.contains(&name) != is_elsewhere, "{name} has no row");
    }
}
