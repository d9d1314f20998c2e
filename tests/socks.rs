//! Requests through a SOCKS5 proxy (RFC 1928, RFC 1929), from the name to the response.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{
    ErrorKind, HttpClient, Method, Phase, Status,
    error::{Misuse, NetworkFault, ProxyFault},
};
use support::{Log, address, get, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const ANY: &[u8] = b"\x05\x00";
const OPENED: &[u8] = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38";

/// Serves a proxy at 10.0.0.5:1080 that replies to each message with the next of these, byte by
/// byte, and every request after these with `OK`.
fn proxy(network: &MemoryNetwork, answers: &'static [&'static [u8]]) -> Log {
    let log = Log::default();
    let seen = log.clone();
    network.serve(address("10.0.0.5:1080"), move || {
        let seen = seen.clone();
        let mut answers = answers.iter();
        move |peer: &mut Peer| {
            let received = peer.take_received();
            if received.is_empty() {
                return;
            }
            seen.add(&received);
            for byte in *answers.next().unwrap_or(&OK) {
                peer.send_after(Duration::from_millis(1), &[*byte]);
            }
        }
    });
    log
}

fn client(
    network: &MemoryNetwork,
    credentials: Option<(&str, &str)>,
    remotely: bool,
) -> HttpClient {
    let mut http = HttpClient::on_memory(network);
    http.set_socks_proxy("10.0.0.5", 1080, credentials, remotely)
        .unwrap();
    http
}

fn connect(network: &MemoryNetwork, http: &mut HttpClient, host: &str, port: i32) {
    let _ = http.connect_to_host(host, port, None);
    until(network, http, |http| {
        !matches!(http.get_status(), Status::Resolving | Status::Connecting)
    });
}

#[test]
fn the_proxy_resolves_the_name_and_requests_are_in_origin_form() {
    let network = MemoryNetwork::new();
    let log = proxy(&network, &[ANY, OPENED]);
    let mut http = client(&network, None, true);
    connect(&network, &mut http, "game.example", 8080);
    assert_eq!(http.get_status(), Status::Connected);
    assert_eq!(
        log.bytes(),
        b"\x05\x01\x00\x05\x01\x00\x03\x0cgame.example\x1f\x90"
    );
    for _ in 0..2 {
        log.clear();
        assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
        let request = log.text();
        assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("\r\nHost: game.example:8080\r\n"),
            "{request}"
        );
        assert!(!request.contains("Proxy-"), "{request}");
    }
    assert_eq!(
        network.connections_to(address("10.0.0.5:1080")),
        1,
        "it is kept"
    );
    assert_eq!(
        support::transitions(&mut http)[..3],
        [Status::Disconnected, Status::Connecting, Status::Connected]
    );
}

#[test]
fn the_name_is_resolved_locally_when_configured() {
    let network = MemoryNetwork::new();
    let log = proxy(&network, &[b"\x05\x02", b"\x01\x00", OPENED]);
    network.add_slow_name(
        "game.example",
        &["2001:db8::7".parse().unwrap(), "10.0.0.7".parse().unwrap()],
        Duration::from_millis(50),
    );
    network.add_slow_name(
        "proxy.example",
        &["10.0.0.5".parse().unwrap()],
        Duration::from_millis(50),
    );
    let mut http = HttpClient::on_memory(&network);
    http.set_socks_proxy("proxy.example", 1080, Some(("me", "secret")), false)
        .unwrap();
    connect(&network, &mut http, "game.example", -1);
    assert_eq!(
        log.bytes(),
        b"\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x01\x0a\x00\x00\x07\x00\x50"
    );
    assert_eq!(get(&network, &mut http).0, 200);
    assert_eq!(
        support::transitions(&mut http)[..4],
        [
            Status::Disconnected,
            Status::Resolving,
            Status::Connecting,
            Status::Connected
        ]
    );
}

#[test]
fn a_name_that_cannot_be_resolved_here_never_reaches_the_proxy() {
    let network = MemoryNetwork::new();
    proxy(&network, &[ANY, OPENED]);
    let mut http = client(&network, None, false);
    connect(&network, &mut http, "game.example", -1);
    assert_eq!(http.get_status(), Status::CantResolve);
    let error = http.get_error().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Unresolved));
    assert_eq!(network.connections_to(address("10.0.0.5:1080")), 0);
}

#[test]
fn an_address_goes_to_the_proxy_as_it_is() {
    for remotely in [true, false] {
        let network = MemoryNetwork::new();
        let log = proxy(&network, &[ANY, OPENED]);
        let mut http = client(&network, None, remotely);
        connect(&network, &mut http, "10.0.0.9", -1);
        assert_eq!(http.get_status(), Status::Connected);
        assert_eq!(
            log.bytes(),
            b"\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x09\x00\x50"
        );
    }
}

#[test]
fn each_refusal_of_a_proxy_has_its_own_error() {
    let rows: &[(&'static [&'static [u8]], ProxyFault)] = &[
        (&[b"\x05\xff"], ProxyFault::NoAcceptableMethod),
        (&[b"\x05\x02", b"\x01\x01"], ProxyFault::BadCredentials),
        (
            &[ANY, b"\x05\x02\x00\x01\0\0\0\0\0\0"],
            ProxyFault::NotAllowed,
        ),
        (
            &[ANY, b"\x05\x05\x00\x01\0\0\0\0\0\0"],
            ProxyFault::ConnectionRefused,
        ),
        (&[OK], ProxyFault::MalformedReply),
    ];
    for (answers, fault) in rows {
        let network = MemoryNetwork::new();
        proxy(&network, answers);
        let mut http = client(&network, Some(("me", "secret")), true);
        connect(&network, &mut http, "game.example", -1);
        assert_eq!(http.get_status(), Status::CantConnect);
        let error = http.get_error().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Proxy(*fault));
        assert_eq!(error.phase(), Some(Phase::Tunnel));
        assert_eq!(error.origin(), Some("http://game.example"));
        for shown in [format!("{error:?}{error}"), format!("{http:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}

#[test]
fn a_silent_proxy_runs_into_the_deadline_of_the_tunnel() {
    let network = MemoryNetwork::new();
    network.listen(address("10.0.0.5:1080"));
    let mut http = client(&network, None, true);
    let start = network.now();
    connect(&network, &mut http, "game.example", -1);
    let error = http.get_error().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Timeout(Phase::Tunnel));
    assert_eq!(http.get_status(), Status::CantConnect);
    let taken = network.now() - start;
    assert!((10..11).contains(&taken.as_secs()), "{taken:?}");
}

/// The bytes after the reply are not TLS, so a TLS failure shows that TLS began.
#[cfg(feature = "tls")]
#[test]
fn tls_begins_after_the_reply() {
    let network = MemoryNetwork::new();
    let log = proxy(&network, &[ANY, OPENED, b"this is not TLS at all, sorry"]);
    let mut http = client(&network, None, true);
    connect(&network, &mut http, "https://game.example", -1);
    assert_eq!(
        http.get_error().unwrap().kind(),
        &ErrorKind::Tls(httpoll::error::TlsFault::NotTls)
    );
    let heard = log.bytes();
    let (asked, hello) = heard.split_at(3 + 7 + 12);
    assert_eq!(
        asked,
        b"\x05\x01\x00\x05\x01\x00\x03\x0cgame.example\x01\xbb"
    );
    assert_eq!(hello[0], 22, "a TLS handshake record");
}

#[cfg(feature = "tls")]
#[test]
fn a_proxy_for_a_scheme_comes_before_the_socks_proxy() {
    let network = MemoryNetwork::new();
    for at in ["10.0.0.5:1080", "10.0.0.6:1", "10.0.0.7:1"] {
        network.listen(address(at));
    }
    let mut http = client(&network, None, true);
    let count = |at| network.connections_to(address(at));
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    assert_eq!(count("10.0.0.5:1080"), 1);
    http.set_http_proxy("10.0.0.6", 1).unwrap();
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    assert_eq!(count("10.0.0.5:1080"), 2);
    http.connect_to_host("game.example", -1, None).unwrap();
    assert_eq!(count("10.0.0.6:1"), 1);
    http.set_https_proxy("10.0.0.7", 1).unwrap();
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    assert_eq!(count("10.0.0.7:1"), 1);
}

#[test]
fn a_stale_connection_is_replaced_through_the_proxy() {
    const CLOSES: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let network = MemoryNetwork::new();
    network.serve(address("10.0.0.5:1080"), || {
        let mut answers = [ANY, OPENED, CLOSES].into_iter();
        move |peer: &mut Peer| {
            if peer.take_received().is_empty() {
                return;
            }
            match answers.next() {
                Some(answer) => peer.send(answer),
                None => peer.close(),
            }
        }
    });
    let mut http = client(&network, None, true);
    connect(&network, &mut http, "game.example", -1);
    for _ in 0..2 {
        assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
    }
    assert_eq!(network.connections_to(address("10.0.0.5:1080")), 2);
}

#[test]
fn the_setting_is_checked_and_unset() {
    let network = MemoryNetwork::new();
    support::serve(&network, address("10.0.0.1:80"), &[OK]);
    let mut http = client(&network, None, true);
    let long = "a".repeat(256);
    for (host, port, credentials, misuse) in [
        ("a b", 1080, None, Misuse::InvalidHost),
        ("a.b", 0, None, Misuse::InvalidPort),
        ("a.b", 1, Some(("", "b")), Misuse::InvalidCredentials),
        (
            "a.b",
            1,
            Some(("a", long.as_str())),
            Misuse::InvalidCredentials,
        ),
    ] {
        let error = http
            .set_socks_proxy(host, port, credentials, true)
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(misuse));
    }
    http.set_socks_proxy("", -1, None, true).unwrap();
    support::connect(&network, &mut http);
    http.request(Method::Get, "/", &[], "").unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(http.get_response_code(), 200);
}
