#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::budget::Budget;
use crate::transport::memory::{MemoryNetwork, MemoryStream};
use crate::transport::meter::RemainingBudget;
use crate::transport::socket::Socket;

const NAME: &str = "game.example";
const ASK_NAME: &[u8] = b"\x05\x01\x00\x03\x0cgame.example\x01\xbb";
const OPENED: &[u8] = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38";

fn domain(name: &str) -> Host<String> {
    Host::Domain(name.to_owned())
}

/// A negotiation, the proxy's end of its connection, and what drives it.
struct Talk {
    network: MemoryNetwork,
    reactor: Reactor,
    link: Link,
    proxy: MemoryStream,
    socks: Socks,
}

impl Talk {
    fn new(host: &Host<String>, credentials: Option<(&str, &str)>) -> Self {
        let network = MemoryNetwork::new();
        let (client, proxy) = network.pair();
        let mut reactor = Reactor::memory(&network);
        let link = Link::plain(Socket::adopt(&mut reactor, Box::new(client)));
        Self {
            network,
            reactor,
            link,
            proxy,
            socks: Socks::new(host, 443, credentials).unwrap(),
        }
    }

    fn drive_within(&mut self, remaining_budget: &RemainingBudget) -> Result<bool, Error> {
        let now = self.reactor.clock().now();
        self.reactor.begin_poll(now);
        self.reactor.poll_events().unwrap();
        let mut meter = BudgetMeter::start(self.reactor.clock(), remaining_budget);
        self.socks
            .drive(&mut self.link, &mut self.reactor, &mut meter)
    }

    fn drive(&mut self) -> Result<bool, Error> {
        self.drive_within(&RemainingBudget::unlimited())
    }

    /// What the proxy was sent since it last looked.
    fn heard(&mut self) -> Vec<u8> {
        self.network.advance(std::time::Duration::from_millis(1));
        self.reactor.poll_events().unwrap();
        let mut all = vec![0; 1024];
        let count = self.proxy.read(&mut all).unwrap_or(0);
        all.truncate(count);
        all
    }

    /// Drives while the proxy says each answer in pieces of at most `piece` bytes, each after the
    /// client has said something (or, for a piece that is not the first, right away).
    fn play(&mut self, answers: &[&[u8]], piece: usize) -> (Vec<Vec<u8>>, Result<bool, Error>) {
        let mut heard = Vec::new();
        let mut outcome = self.drive();
        for answer in answers {
            heard.push(self.heard());
            for part in answer.chunks(piece) {
                if outcome.is_err() {
                    return (heard, outcome);
                }
                self.proxy.write_all(part).unwrap();
                self.network.advance(std::time::Duration::from_millis(1));
                outcome = self.drive();
            }
        }
        (heard, outcome)
    }
}

fn fault(outcome: Result<bool, Error>) -> ErrorKind {
    outcome.unwrap_err().kind().clone()
}

#[test]
fn opens_a_tunnel_however_the_replies_are_split() {
    let long = [&b"\x05\x00\x00\x03\xff"[..], &[b'a'; 255], b"\x00\x50"].concat();
    let v6 = [&b"\x05\x00\x00\x04"[..], &[0; 18]].concat();
    // Where, credentials, the proxy's answers, what it hears.
    type Row<'a> = (
        Host<String>,
        Option<(&'a str, &'a str)>,
        Vec<&'a [u8]>,
        Vec<&'a [u8]>,
    );
    let rows: Vec<Row<'_>> = vec![
        (
            domain(NAME),
            None,
            vec![b"\x05\x00", OPENED],
            vec![b"\x05\x01\x00", ASK_NAME],
        ),
        (
            Host::Ipv4(Ipv4Addr::new(10, 0, 0, 7)),
            None,
            vec![b"\x05\x00", &v6],
            vec![b"\x05\x01\x00", b"\x05\x01\x00\x01\x0a\x00\x00\x07\x01\xbb"],
        ),
        (
            Host::Ipv6(Ipv6Addr::LOCALHOST),
            None,
            vec![b"\x05\x00", &long],
            vec![
                b"\x05\x01\x00",
                b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ],
        ),
        // The proxy wants the password.
        (
            domain(NAME),
            Some(("me", "secret")),
            vec![b"\x05\x02", b"\x01\x00", OPENED],
            vec![b"\x05\x02\x00\x02", b"\x01\x02me\x06secret", ASK_NAME],
        ),
        // Its login answers with the wrong version, and a domain name of no bytes.
        (
            domain(NAME),
            Some(("me", "")),
            vec![b"\x05\x02", b"\x05\x00", b"\x05\x00\x00\x03\x00\x00\x00"],
            vec![b"\x05\x02\x00\x02", b"\x01\x02me\x00", ASK_NAME],
        ),
        // It does not want it.
        (
            domain(NAME),
            Some(("me", "secret")),
            vec![b"\x05\x00", OPENED],
            vec![b"\x05\x02\x00\x02", ASK_NAME],
        ),
    ];
    for (index, (host, credentials, answers, expected)) in rows.iter().enumerate() {
        for piece in [1, 2, 3, 4, 5, 7, 9, 1000] {
            let mut talk = Talk::new(host, *credentials);
            let (heard, outcome) = talk.play(answers, piece);
            assert!(outcome.unwrap(), "row {index} in pieces of {piece}");
            assert_eq!(heard, *expected, "row {index} in pieces of {piece}");
        }
    }
}

#[test]
fn refusals_are_distinguished_however_they_are_split() {
    let login = Some(("me", "secret"));
    let rows: &[(Option<(&str, &str)>, &[&[u8]], ProxyFault)] = &[
        // RFC 1928 §3.
        (None, &[b"\x05\xff"], ProxyFault::NoAcceptableMethod),
        (login, &[b"\x05\xff"], ProxyFault::NoAcceptableMethod),
        // A method that was not offered.
        (None, &[b"\x05\x02"], ProxyFault::NoAcceptableMethod),
        (login, &[b"\x05\x01"], ProxyFault::NoAcceptableMethod),
        // Other protocols.
        (None, &[b"\x04\x00"], ProxyFault::MalformedReply),
        (
            None,
            &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            ProxyFault::MalformedReply,
        ),
        // RFC 1929 §2.
        (
            login,
            &[b"\x05\x02", b"\x01\x01"],
            ProxyFault::BadCredentials,
        ),
        (
            login,
            &[b"\x05\x02", b"\x01\xff"],
            ProxyFault::BadCredentials,
        ),
        (
            login,
            &[b"\x05\x02", b"\x02\x00"],
            ProxyFault::MalformedReply,
        ),
        // RFC 1928 §6.
        (
            None,
            &[b"\x05\x00", b"\x05\x01\x00\x01\0\0\0\0\0\0"],
            ProxyFault::GeneralFailure,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x02\x00\x01\0\0\0\0\0\0"],
            ProxyFault::NotAllowed,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x03\x00\x01\0\0\0\0\0\0"],
            ProxyFault::NetworkUnreachable,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x04\x00\x01\0\0\0\0\0\0"],
            ProxyFault::HostUnreachable,
        ),
        // A refusal without its address.
        (
            None,
            &[b"\x05\x00", b"\x05\x05"],
            ProxyFault::ConnectionRefused,
        ),
        (None, &[b"\x05\x00", b"\x05\x06"], ProxyFault::TtlExpired),
        (
            None,
            &[b"\x05\x00", b"\x05\x07"],
            ProxyFault::CommandNotSupported,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x08"],
            ProxyFault::AddressTypeNotSupported,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x09"],
            ProxyFault::UnassignedReply { code: 9 },
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\xff"],
            ProxyFault::UnassignedReply { code: 255 },
        ),
        (
            None,
            &[b"\x05\x00", b"\x00\x5a\0\0\0\0\0\0"],
            ProxyFault::MalformedReply,
        ),
        (
            None,
            &[b"\x05\x00", b"\x05\x00\x00\x02\0\0"],
            ProxyFault::MalformedReply,
        ),
    ];
    for (index, (credentials, answers, expected)) in rows.iter().enumerate() {
        for piece in [1, 2, 3, 1000] {
            let mut talk = Talk::new(&domain(NAME), *credentials);
            let (_, outcome) = talk.play(answers, piece);
            assert_eq!(
                fault(outcome),
                ErrorKind::Proxy(*expected),
                "row {index} in pieces of {piece}"
            );
        }
    }
}

#[test]
fn a_proxy_that_sends_too_much_is_refused() {
    let rows: &[(&[&[u8]], ErrorKind)] = &[
        (
            &[b"\x05\x00\x05"],
            ErrorKind::Proxy(ProxyFault::MalformedReply),
        ),
        (
            &[b"\x05\x00", b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38HTTP"],
            ErrorKind::Peer(PeerMisbehaved::UnexpectedData),
        ),
    ];
    for (answers, expected) in rows {
        let mut talk = Talk::new(&domain(NAME), None);
        let (_, outcome) = talk.play(answers, 1000);
        assert_eq!(fault(outcome), *expected);
    }
}

#[test]
fn an_end_before_the_reply_is_an_error() {
    for answers in [&[][..], &[&b"\x05"[..]], &[b"\x05\x00", b"\x05\x00\x00"]] {
        let mut talk = Talk::new(&domain(NAME), None);
        let (_, outcome) = talk.play(answers, 1000);
        assert!(!outcome.unwrap());
        talk.proxy.shutdown_write();
        talk.network.advance(std::time::Duration::from_millis(1));
        assert_eq!(
            fault(talk.drive()),
            ErrorKind::Network(NetworkFault::Closed)
        );
    }
}

#[test]
fn keeps_to_the_budget_of_bytes() {
    let mut talk = Talk::new(&domain(NAME), Some(("me", "secret")));
    let remaining_budget = RemainingBudget::of(&Budget::unlimited().with_bytes(2));
    assert!(!talk.drive_within(&remaining_budget).unwrap());
    assert_eq!(talk.heard(), b"\x05\x02");
    assert!(!talk.drive_within(&remaining_budget).unwrap());
    assert_eq!(talk.heard(), b"\x00\x02");
}

#[test]
fn credentials_that_cannot_be_encoded_are_refused() {
    let long = "a".repeat(256);
    for (host, credentials, expected) in [
        (domain(&long), None, Misuse::InvalidHost),
        (domain(NAME), Some(("", "a")), Misuse::InvalidCredentials),
        (
            domain(NAME),
            Some((long.as_str(), "a")),
            Misuse::InvalidCredentials,
        ),
        (
            domain(NAME),
            Some(("a", long.as_str())),
            Misuse::InvalidCredentials,
        ),
    ] {
        let error = Socks::new(&host, 80, credentials).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(expected));
    }
    let longest = "a".repeat(255);
    assert!(Socks::new(&domain(&longest), 80, Some((&longest, &longest))).is_ok());
}

#[test]
fn credentials_stay_out_of_debug_texts() {
    let socks = Socks::new(&domain(NAME), 80, Some(("me", "secret"))).unwrap();
    assert!(!format!("{socks:?}").contains("115"), "s is 115");
    assert!(!format!("{socks:?}").contains("secret"));
}

#[test]
fn prefers_ipv4_which_every_proxy_supports() {
    let v4: IpAddr = "10.0.0.1".parse().unwrap();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    assert_eq!(preferred_address(&[v6, v4]), Some(v4));
    assert_eq!(preferred_address(&[v6]), Some(v6));
    assert_eq!(preferred_address(&[]), None);
}
