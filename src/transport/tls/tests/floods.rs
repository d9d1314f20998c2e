//! Peers that flood a session with records: small ones, empty ones, and those that are no data. A step decrypts a few
//! records, and what is of no use has a limit.

use std::io::Write;
use std::sync::Arc;

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use super::super::session::MOST_RECORDS;
use super::super::tickets::MOST_TICKETS;
use super::super::{TlsEnd, TlsOptions};
use super::fault;
use super::pair::{Pair, self_signed};
use crate::error::TlsFault;

/// A server that encrypts whatever records it wants.
struct Hostile {
    encrypter: Box<dyn MessageEncrypter>,
    number: u64,
    version: ProtocolVersion,
}

impl Hostile {
    fn record(&mut self, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: content_type,
            version: self.version,
            payload: OutboundChunks::Single(content),
        };
        self.number += 1;
        let record = self.encrypter.encrypt(message, self.number - 1);
        record.unwrap().encode()
    }
}

fn config(version: &'static SupportedProtocolVersion) -> ServerConfig {
    let peer = self_signed("game.test", false).peer().version(version);
    Arc::into_inner(peer.config()).unwrap()
}

fn connected_to(config: ServerConfig) -> Pair {
    let options = TlsOptions::client_unsafe(None).unwrap();
    let mut pair = Pair::new(&options, "game.test", &Arc::new(config));
    pair.drive().unwrap();
    pair
}

/// A client that is connected to a server whose keys the test has.
fn hostile(version: &'static SupportedProtocolVersion) -> (Pair, Hostile) {
    let mut config = config(version);
    config.enable_secret_extraction = true;
    let mut pair = connected_to(config);
    let suite = pair.server.negotiated_cipher_suite().unwrap();
    let version = pair.server.protocol_version().unwrap();
    let next = Pair::connected().server;
    let server = std::mem::replace(&mut pair.server, next);
    let (number, secrets) = server.dangerous_extract_secrets().unwrap().tx;
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
    else {
        unreachable!("a new algorithm");
    };
    let encrypter = match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let fixed = suite.aead_alg.key_block_shape().fixed_iv_len;
            let (fixed, explicit) = iv.as_ref().split_at(fixed);
            suite.aead_alg.encrypter(key, fixed, explicit)
        }
    };
    let hostile = Hostile {
        encrypter,
        number,
        version,
    };
    (pair, hostile)
}

/// The plaintext of each step in which the client receives `wire`.
fn steps(pair: &mut Pair, wire: &mut [u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let mut length = 0;
        let used = pair
            .client
            .receive(rest, &mut |bytes| length += bytes.len());
        rest = &mut rest[used.unwrap()..];
        lengths.push(length);
    }
    lengths
}

/// Lets the client receive as many of these records as it takes. Returns how many that were.
fn taken_before(pair: &mut Pair, most: usize, mut record: impl FnMut() -> Vec<u8>) -> usize {
    let taken = (0..most).find(|_| pair.drive_client(&mut record()).is_err());
    taken.unwrap_or(most)
}

#[test]
fn a_step_decrypts_a_few_records_however_small_they_are() {
    for step in [1, 7, usize::MAX] {
        let mut pair = Pair::connected();
        for _ in 0..100 {
            pair.say_as_server(b"x");
        }
        let mut wire = pair.server_wire();
        let lengths: Vec<usize> = wire
            .chunks_mut(step)
            .flat_map(|piece| steps(&mut pair, piece))
            .collect();
        assert_eq!(lengths.iter().sum::<usize>(), 100, "{step}");
        assert!(lengths.iter().all(|length| *length <= MOST_RECORDS));
        if step == usize::MAX {
            assert_eq!(lengths, [16, 16, 16, 16, 16, 16, 4]);
        }
    }
    // A record that began in an earlier read is one of them.
    let mut pair = Pair::connected();
    for _ in 0..40 {
        pair.say_as_server(b"x");
    }
    let mut wire = pair.server_wire();
    let (front, back) = wire.split_at_mut(30);
    assert_eq!(steps(&mut pair, front), [1]);
    assert_eq!(steps(&mut pair, back), [16, 16, 7]);
}

#[test]
fn full_records_of_one_read_are_decrypted_in_one_step() {
    let mut pair = Pair::connected();
    pair.say_as_server(&[7; 128 * 1024]);
    let mut wire = pair.server_wire();
    let (front, back) = wire.split_at_mut(64 * 1024);
    assert_eq!(steps(&mut pair, front), [3 * 16 * 1024]);
    assert_eq!(steps(&mut pair, &mut back[..64 * 1024]), [4 * 16 * 1024]);
}

#[test]
fn a_handshake_in_records_of_one_byte_takes_many_steps() {
    let peer = self_signed("game.test", false).peer().version(&TLS12);
    let options = TlsOptions::client_unsafe(None).unwrap();
    let mut pair = Pair::new(&options, "game.test", &peer.fragments(Some(32)).config());
    // Everything that the server says before the client is done is plain.
    pair.deliver_to_server();
    let flight = pair.server_wire();
    let mut wire = Vec::new();
    let mut rest = flight.as_slice();
    while let [content_type, major, minor, high, low, behind @ ..] = rest {
        let (content, next) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        for byte in content {
            wire.extend([*content_type, *major, *minor, 0, 1, *byte]);
        }
        rest = next;
    }
    let records = wire.len() / 6;
    assert_eq!(
        steps(&mut pair, &mut wire).len(),
        records.div_ceil(MOST_RECORDS)
    );
    pair.drive().unwrap();
    pair.exchange(b"hello");
}

#[test]
fn input_after_the_end_is_ignored_at_once() {
    let mut pair = Pair::connected();
    pair.say_as_server(b"last");
    pair.server.send_close_notify();
    let mut wire = pair.server_wire();
    wire.extend(b"\x17\x03\x03\0\x01x".repeat(1000));
    assert_eq!(steps(&mut pair, &mut wire), [4]);
    assert_eq!(
        steps(&mut pair, &mut b"\x17\x03\x03\0\x01x".repeat(1000)),
        [0]
    );
    assert_eq!(pair.client.end(), TlsEnd::CloseNotify);
}

#[test]
fn a_flood_of_empty_records_is_cut_off() {
    for version in [&TLS12, &TLS13] {
        let (mut pair, mut server) = hostile(version);
        let empty = || server.record(ContentType::ApplicationData, b"");
        assert_eq!(taken_before(&mut pair, 1000, empty), 32);
        assert_eq!(pair.client.end(), TlsEnd::Truncated);
    }
}

#[test]
fn a_flood_of_warnings_is_cut_off() {
    // A warning, user_canceled (90), which TLS 1.3 has left (RFC 8446 §6.1).
    for version in [&TLS12, &TLS13] {
        let (mut pair, mut server) = hostile(version);
        let warning = || server.record(ContentType::Alert, &[1, 90]);
        assert_eq!(taken_before(&mut pair, 1000, warning), 4);
    }
}

#[test]
fn a_flood_of_key_updates_is_cut_off_and_takes_no_memory() {
    let mut pair = connected_to(config(&TLS13));
    let (client, server) = (&mut pair.client, &mut pair.server);
    let update = |server: &mut rustls::ServerConnection, content: &[u8]| {
        server.refresh_traffic_keys().unwrap();
        server.writer().write_all(content).unwrap();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        wire
    };
    // With content between them there is no limit, but only one of the updates is answered until the answer is sent.
    for _ in 0..200 {
        let mut wire = update(server, b"x");
        client.receive_all(&mut wire, &mut |_| {}).unwrap();
    }
    let mut unsent = Vec::new();
    client.poll_transmit(&mut unsent);
    assert!(unsent.len() <= 64, "{}", unsent.len());
    let taken = (0..1000).take_while(|_| {
        let mut wire = update(server, b"");
        client.receive_all(&mut wire, &mut |_| {}).is_ok()
    });
    assert_eq!(taken.count(), 32);
}

/// The shortest ticket: no nonce, a ticket of one byte, no extensions.
const TICKET: &[u8] = b"\x04\0\0\x0e\0\0\x0e\x10\0\0\0\0\0\0\x01t\0\0";

#[test]
fn a_flood_of_session_tickets_is_cut_off() {
    for per_record in [1, 8, 16] {
        let (mut pair, mut server) = hostile(&TLS13);
        // Those of the handshake count, too, until there is content.
        let mut content = server.record(ContentType::ApplicationData, b"x");
        pair.drive_client(&mut content).unwrap();
        let tickets = || server.record(ContentType::Handshake, &TICKET.repeat(per_record));
        let taken = taken_before(&mut pair, 1000, tickets) * per_record;
        assert_eq!(taken, MOST_TICKETS as usize);
        let failure = pair.client.write(b"x").unwrap_err();
        assert_eq!(failure.fault, TlsFault::Protocol);
        let error = crate::Error::from(failure).to_string();
        assert!(error.contains("more than 32 session tickets"), "{error}");
    }
    // Those of one record are not all processed.
    let (mut pair, mut server) = hostile(&TLS13);
    let mut wire = server.record(ContentType::ApplicationData, b"x");
    wire.extend(server.record(ContentType::Handshake, &TICKET.repeat(900)));
    assert_eq!(fault(pair.drive_client(&mut wire)), TlsFault::Protocol);
    assert_eq!(pair.client.tickets_received(), MOST_TICKETS + 3);
}

#[test]
fn session_tickets_between_content_have_no_limit() {
    let (mut pair, mut server) = hostile(&TLS13);
    for _ in 0..100 {
        let mut wire = server.record(ContentType::Handshake, &TICKET.repeat(4));
        wire.extend(server.record(ContentType::ApplicationData, b"x"));
        pair.drive_client(&mut wire).unwrap();
    }
    assert_eq!(pair.received.len(), 100);
    // Other sessions of this thread have their own count.
    let mut other = Pair::connected();
    other.exchange(b"hello");
}

#[test]
fn renegotiation_is_refused_and_ends_the_connection_when_repeated() {
    let (mut pair, mut server) = hostile(&TLS12);
    // HelloRequest (RFC 5246 §7.4.1.1).
    let request = || server.record(ContentType::Handshake, &[0; 4]);
    assert_eq!(taken_before(&mut pair, 1000, request), 1);
    let (mut pair, mut server) = hostile(&TLS13);
    let request = || server.record(ContentType::Handshake, &[0; 4]);
    assert_eq!(taken_before(&mut pair, 1000, request), 0);
}
