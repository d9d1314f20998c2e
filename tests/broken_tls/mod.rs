//! A server whose TLS breaks in the middle, for the tests of failures.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use httpoll::memory::{MemoryNetwork, Peer};
use rustls::{ServerConfig, ServerConnection};

/// Serves TLS at this address: the first request gets `response`, and then bytes that are no record.
pub(crate) fn serve(
    network: &MemoryNetwork,
    at: SocketAddr,
    config: &Arc<ServerConfig>,
    response: &'static str,
) {
    let config = Arc::clone(config);
    network.serve(at, move || {
        let mut session = ServerConnection::new(config.clone()).unwrap();
        let mut request = Vec::new();
        move |peer: &mut Peer| {
            let received = peer.take_received();
            let mut received = received.as_slice();
            while !received.is_empty() {
                session.read_tls(&mut received).unwrap();
                if session.process_new_packets().is_err() {
                    break;
                }
                // Nothing more is no fault.
                let _ = session.reader().read_to_end(&mut request);
            }
            let is_asked = request.ends_with(b"\r\n\r\n");
            if is_asked {
                session.writer().write_all(response.as_bytes()).unwrap();
            }
            let mut out = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut out).unwrap();
            }
            peer.send(&out);
            if is_asked {
                request.clear();
                peer.send(b"\x17\x03\x03\x00\x20 these 32 bytes are no ciphertext ");
            }
        }
    });
}
