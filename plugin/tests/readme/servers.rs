//! The hosts of the samples in memory: `game.example` and `cdn.example` over TLS, and this machine's port 8080.

use std::io::{Read, Write};
use std::sync::Arc;

use bevy_httpoll::httpoll::memory::{MemoryNetwork, Peer};
use bevy_httpoll::httpoll::tls::TlsOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

const CERTIFICATE: &[u8] = include_bytes!("../certificate/certificate.pem");
const KEY: &[u8] = include_bytes!("../certificate/key.pem");

/// A network with the hosts of the samples, and TLS options that trust them.
pub(crate) struct Servers {
    pub(crate) network: MemoryNetwork,
    pub(crate) tls: TlsOptions,
}

impl Servers {
    pub(crate) fn new() -> Self {
        let names = ["game.example", "cdn.example"];
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let private = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], private)
            .unwrap();
        let config = Arc::new(config);
        let network = MemoryNetwork::new();
        for name in names {
            network.add_name(name, &["10.0.0.1".parse().unwrap()]);
        }
        network.serve("10.0.0.1:443".parse().unwrap(), move || {
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            let mut received = Vec::new();
            move |peer: &mut Peer| serve(&mut tls, &mut received, peer)
        });
        network.serve("127.0.0.1:8080".parse().unwrap(), || {
            let mut received = Vec::new();
            move |peer: &mut Peer| {
                received.extend(peer.take_received());
                while let Some(request) = take_request(&mut received) {
                    peer.send(respond(&request).as_bytes());
                }
            }
        });
        let tls = TlsOptions::builder()
            .trusted_chain_pem(CERTIFICATE)
            .build()
            .unwrap();
        Self { network, tls }
    }
}

fn serve(tls: &mut ServerConnection, received: &mut Vec<u8>, peer: &mut Peer) {
    let ciphertext = peer.take_received();
    let mut ciphertext = ciphertext.as_slice();
    while !ciphertext.is_empty() {
        tls.read_tls(&mut ciphertext).unwrap();
        tls.process_new_packets().unwrap();
        // `WouldBlock` ends it: what there is has been read.
        let _ = tls.reader().read_to_end(received);
    }
    while let Some(request) = take_request(received) {
        tls.writer()
            .write_all(respond(&request).as_bytes())
            .unwrap();
    }
    let mut out = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut out).unwrap();
    }
    if !out.is_empty() {
        peer.send(&out);
    }
}

/// Takes one request with its content off the received bytes.
fn take_request(received: &mut Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(received).into_owned();
    let head = text.find("\r\n\r\n")? + 4;
    let length = text
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let end = head + length;
    (received.len() >= end)
        .then(|| String::from_utf8_lossy(&received.drain(..end).collect::<Vec<_>>()).into_owned())
}

fn respond(request: &str) -> String {
    let line = request.lines().next().unwrap_or_default();
    let (status, body) = match line.rsplit_once(' ').map_or(line, |(start, _)| start) {
        "GET /leaderboard.json" | "GET /files/leaderboard.json" => (200, r#"{"leader":"Ada"}"#),
        "GET /scores" | "GET /scores?season=7" => (200, r#"[{"name":"Ada","points":7}]"#),
        "POST /scores"
            if request.contains("Authorization: Bearer token-of-the-player")
                && request.ends_with("[1,2,3]") =>
        {
            (201, "")
        }
        "GET /news" => (200, "all is well"),
        "GET /levels.pak" | "GET /bytes/1000000" => (200, "pack"),
        "GET /season" => (200, "spring"),
        "GET /levels/1.txt" => (200, "#..#"),
        _ => (404, ""),
    };
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
