//! Stories of bytes: records whole, split, broken and at their end.

use super::super::{TlsEnd, TlsOptions, TlsSession};
use super::pair::{Authority, Pair};
use super::{VERSIONS, fault, trusting};
use crate::error::TlsFault;

#[test]
fn a_peer_that_does_not_speak_tls_is_reported_as_such() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        for step in [1, answer.len()] {
            let mut client = TlsSession::client(&TlsOptions::client(), "game.test").unwrap();
            let mut bytes = answer.as_bytes().to_vec();
            let mut plaintext = Vec::new();
            let result = bytes.chunks_mut(step).try_for_each(|piece| {
                client.receive_all(piece, &mut |bytes| plaintext.extend_from_slice(bytes))
            });
            assert_eq!(fault(result), TlsFault::NotTls, "{answer:?}");
            assert!(plaintext.is_empty());
        }
    }
}

#[test]
fn a_later_invalid_record_is_a_protocol_error() {
    for bytes in [b"\x17\x03\x03\xff\xff".as_slice(), b"HTTP/1.1 400"] {
        let mut pair = Pair::connected();
        let mut bytes = bytes.to_vec();
        assert_eq!(fault(pair.drive_client(&mut bytes)), TlsFault::Protocol);
        assert!(pair.client.wants_transmit(), "an alert is due");
        let refused = pair.client.write(b"x").unwrap_err();
        assert_eq!(refused.fault, TlsFault::Protocol);
    }
    let mut pair = Pair::connected();
    pair.say_as_server(b"plaintext");
    let mut wire = pair.server_wire();
    *wire.last_mut().unwrap() ^= 1;
    assert_eq!(fault(pair.drive_client(&mut wire)), TlsFault::Protocol);
    assert!(pair.received.is_empty());
}

#[test]
fn the_end_is_clean_only_with_close_notify() {
    let mut pair = Pair::connected();
    pair.say_as_server(b"half");
    pair.drive().unwrap();
    assert_eq!(pair.client.end(), TlsEnd::Open);
    pair.client.receive_eof();
    assert_eq!(pair.client.end(), TlsEnd::Truncated);
    assert_eq!(pair.received, b"half");

    let mut pair = Pair::connected();
    pair.say_as_server(b"whole");
    pair.server.send_close_notify();
    let mut wire = pair.server_wire();
    wire.extend_from_slice(b"ignored, as RFC 8446 section 6.1 wants it");
    pair.drive_client(&mut wire).unwrap();
    pair.client.receive_eof();
    assert_eq!(pair.client.end(), TlsEnd::CloseNotify);
    assert_eq!(pair.received, b"whole");
    assert_eq!(pair.client.write(b"still").unwrap(), 5, "half-closed");
    pair.client.close();
    pair.client.close();
    pair.drive().unwrap();
    assert_eq!(pair.heard_by_server(), b"still");
    assert!(pair.server_saw_close());
}

#[test]
fn nothing_is_written_before_the_handshake_is_done() {
    let mut client = TlsSession::client(&TlsOptions::client(), "game.test").unwrap();
    assert!(client.wants_transmit(), "the ClientHello");
    assert_eq!(client.write(b"early").unwrap(), 0);
    client.close();
    let mut out = b"before".to_vec();
    client.poll_transmit(&mut out);
    assert!(out.starts_with(b"before\x16\x03"));
    assert!(!client.wants_transmit());
}

#[test]
fn writes_are_bounded_until_transmitted() {
    let mut pair = Pair::connected();
    let data = vec![7; 1 << 20];
    let mut taken = 0;
    while let n @ 1.. = pair.client.write(&data).unwrap() {
        taken += n;
    }
    assert!((64 * 1024 - 1024..=64 * 1024).contains(&taken), "{taken}");
    pair.drive().unwrap();
    assert!(pair.client.write(&data).unwrap() > 0);
}

#[test]
fn ciphertext_may_be_split_anywhere() {
    let authority = Authority::new();
    let options = trusting(&authority);
    for (version, _) in VERSIONS {
        // Fragments make handshake messages span records.
        for fragment in [None, Some(100)] {
            let peer = authority.issue("game.test").peer().version(version);
            let config = peer.fragments(fragment).config();
            for step in [1, 2, 3, 5, 7, 64, 333] {
                let mut pair = Pair::new(&options, "game.test", &config);
                pair.step = step;
                pair.drive().unwrap();
                pair.exchange(b"hello");
            }
        }
        let peer = authority.issue("game.test").peer().version(version);
        let mut pair = Pair::new(&options, "game.test", &peer.config());
        pair.drive().unwrap();
        for cut in 1.. {
            pair.received.clear();
            pair.say_as_server(b"first");
            pair.say_as_server(b"second");
            let mut wire = pair.server_wire();
            if cut >= wire.len() {
                break;
            }
            let (front, back) = wire.split_at_mut(cut);
            pair.drive_client(front).unwrap();
            pair.drive_client(back).unwrap();
            assert_eq!(pair.received, b"firstsecond");
        }
    }
}

#[test]
fn records_are_full_or_have_one_byte_more() {
    for length in [1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 48 * 1024 + 1] {
        for step in [997, usize::MAX] {
            let mut pair = Pair::connected();
            pair.step = step;
            let data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            pair.exchange(&data);
        }
    }
}

#[test]
fn megabytes_go_both_ways_with_new_keys_in_between() {
    let mut pair = Pair::connected();
    pair.step = 256 * 1024;
    let data: Vec<u8> = (0..4 << 20).map(|n: u32| (n >> 3) as u8).collect();
    pair.exchange(&data);
    pair.server.refresh_traffic_keys().unwrap();
    pair.exchange(&data);
}

#[test]
fn an_endless_handshake_message_is_cut_off() {
    let mut client = TlsSession::client(&TlsOptions::client(), "game.test").unwrap();
    let mut plaintext = Vec::new();
    // A server hello that announces 60 KiB, one byte to a record.
    let mut first = vec![22, 3, 3, 0, 4, 2, 0, 0xf0, 0];
    client
        .receive_all(&mut first, &mut |bytes| plaintext.extend_from_slice(bytes))
        .unwrap();
    let failed = (0..60 * 1024).find_map(|_| {
        let mut record = vec![22, 3, 3, 0, 1, 0];
        client
            .receive_all(&mut record, &mut |bytes| plaintext.extend_from_slice(bytes))
            .err()
    });
    assert_eq!(failed.unwrap().fault, TlsFault::Protocol);
}
