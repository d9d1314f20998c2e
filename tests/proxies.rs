//! Proxies: plain forwarding, `CONNECT` tunnels, credentials, and proxies that refuse.

#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg_attr(not(feature = "tls"), allow(unused_imports))]

mod support;

use std::io::Read;
use std::sync::{Arc, Mutex};

use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::{
    Budget, ErrorKind, HttpClient, Method, Status,
    error::{Misuse, ProxyFault, TlsFault},
};
use support::{address, content, get, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn plain_http_goes_to_the_proxy_in_absolute_form() {
    let network = MemoryNetwork::new();
    let log = support::serve(&network, address("10.0.0.5:3128"), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    http.set_http_proxy("10.0.0.5", 3128).unwrap();
    http.set_proxy_credentials(Some(("user", "pass"))).unwrap();
    // The name is the proxy's to resolve.
    http.connect_to_host("game.example", 8080, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::Connected
    });
    for _ in 0..2 {
        log.clear();
        http.request(Method::Get, "/scores?top=3", &[], "").unwrap();
        support::until_head(&network, &mut http);
        let request = log.text();
        assert!(
            request.starts_with("GET http://game.example:8080/scores?top=3 HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("\r\nHost: game.example:8080\r\n"),
            "{request}"
        );
        assert!(
            request.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"),
            "{request}"
        );
        assert_eq!(content(&network, &mut http).unwrap(), b"hi");
    }
    assert_eq!(
        network.connections_to(address("10.0.0.5:3128")),
        1,
        "it is kept"
    );
}

/// Connects through an https proxy that responds like this. The bytes after that are not TLS, so a TLS
/// failure shows that the tunnel was opened.
#[cfg(feature = "tls")]
fn tunnel(answer: &'static [u8]) -> (String, HttpClient) {
    let network = MemoryNetwork::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    network.serve(address("10.0.0.5:3128"), move || {
        let log = log.clone();
        let mut opened = false;
        move |peer: &mut Peer| {
            let received = peer.take_received();
            if received.is_empty() {
                return;
            }
            if opened {
                peer.send(b"this is not TLS at all, sorry");
            } else {
                log.lock().unwrap().extend_from_slice(&received);
                opened = true;
                peer.send(answer);
            }
        }
    });
    let mut http = HttpClient::on_memory(&network);
    http.set_https_proxy("10.0.0.5", 3128).unwrap();
    http.set_proxy_credentials(Some(("user", "pass"))).unwrap();
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    until(&network, &mut http, |_| false);
    let request = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
    (request, http)
}

#[cfg(feature = "tls")]
#[test]
fn the_connect_request_of_a_tunnel() {
    let (request, _) = tunnel(b"HTTP/1.1 200 OK\r\n\r\n");
    assert!(
        request.starts_with("CONNECT game.example:443 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\r\nHost: game.example:443\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"),
        "{request}"
    );
    assert!(!request.contains("Content-Length"), "{request}");
}

#[cfg(feature = "tls")]
#[test]
fn any_2xx_opens_the_tunnel_with_any_framing() {
    for answer in [
        &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
        b"HTTP/1.1 201 Created\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (_, http) = tunnel(answer);
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(
            http.get_error().unwrap().kind(),
            &ErrorKind::Tls(TlsFault::NotTls),
            "{shown}"
        );
    }
}

#[cfg(feature = "tls")]
#[test]
fn each_refusal_of_a_proxy_has_its_own_error() {
    for (answer, fault) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!"[..],
            ProxyFault::AuthenticationRequired,
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\n\r\n",
            ProxyFault::Refused { status: 403 },
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
            ProxyFault::Refused { status: 302 },
        ),
    ] {
        let (_, http) = tunnel(answer);
        let error = http.get_error().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Proxy(fault));
        assert_eq!(error.origin(), Some("https://game.example"));
        assert_eq!(http.get_status(), Status::CantConnect);
        assert!(!format!("{error:?}").contains("dXNl"));
    }
}

#[test]
fn a_proxy_is_set_and_unset_as_in_godot() {
    let network = MemoryNetwork::new();
    support::serve(&network, address("10.0.0.1:80"), &[OK]);
    let mut http = HttpClient::on_memory(&network);
    http.set_http_proxy("10.0.0.5", 3128).unwrap();
    http.set_http_proxy("", 3128).unwrap();
    support::connect(&network, &mut http);
    assert_eq!(get(&network, &mut http).0, 200);
    http.set_http_proxy("10.0.0.5", 3128).unwrap();
    http.set_http_proxy("10.0.0.5", -1).unwrap();
    support::connect(&network, &mut http);
    for (host, port, misuse) in [
        ("a b", 80, Misuse::InvalidHost),
        ("a.b", 0, Misuse::InvalidPort),
    ] {
        let error = http.set_http_proxy(host, port).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(misuse));
    }
    for (name, password) in [("a:b", "c"), ("a\r\n", "c"), ("a", "c\n")] {
        assert!(
            http.set_proxy_credentials(Some((name, password)))
                .unwrap_err()
                .is_misuse()
        );
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_proxy_for_http_leaves_https_alone_and_the_other_way_round() {
    let network = MemoryNetwork::new();
    for at in ["10.0.0.1:443", "10.0.0.1:80", "10.0.0.5:1", "10.0.0.6:1"] {
        network.listen(address(at));
    }
    let mut http = HttpClient::on_memory(&network);
    http.set_http_proxy("10.0.0.5", 1).unwrap();
    http.connect_to_host("https://10.0.0.1", -1, None).unwrap();
    assert_eq!(network.connections_to(address("10.0.0.1:443")), 1);
    http.set_http_proxy("", -1).unwrap();
    http.set_https_proxy("10.0.0.6", 1).unwrap();
    http.connect_to_host("10.0.0.1", -1, None).unwrap();
    assert_eq!(network.connections_to(address("10.0.0.1:80")), 1);
}

#[cfg(feature = "tls")]
#[test]
fn a_tunnel_keeps_to_the_budget_of_bytes() {
    let network = MemoryNetwork::new();
    let proxy = address("10.0.0.5:3128");
    network.listen(proxy);
    let mut http = HttpClient::on_memory(&network);
    http.set_https_proxy("10.0.0.5", 3128).unwrap();
    http.connect_to_host("https://game.example", -1, None)
        .unwrap();
    let budget = Budget::unlimited().with_bytes(10);
    for _ in 0..2 {
        http.poll_at(network.now(), &budget).unwrap();
    }
    let mut stream = network.accept(proxy).unwrap();
    let mut request = [0; 1024];
    let count = stream.read(&mut request).unwrap();
    assert!((1..=20).contains(&count), "{count} bytes in two polls");
}

#[test]
fn the_error_of_a_proxy_that_cannot_be_reached_names_it_and_not_only_the_server() {
    let network = MemoryNetwork::new();
    let mut http = HttpClient::on_memory(&network);
    http.set_http_proxy("10.0.0.5", 3128).unwrap();
    http.set_proxy_credentials(Some(("user", "pass"))).unwrap();
    http.connect_to_host("game.example", 80, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::CantConnect
    });
    let error = http.get_error().unwrap();
    assert_eq!(error.proxy(), Some("http://10.0.0.5:3128"));
    assert_eq!(
        error.to_string(),
        "could not connect to the proxy http://10.0.0.5:3128 for http://game.example: no address accepted the \
         connection (10.0.0.5:3128: connection refused); check the proxy settings, that the proxy runs and listens \
         on this port, and that no firewall blocks it"
    );
    http.set_http_proxy("", -1).unwrap();
    http.set_socks_proxy("10.0.0.5", 1080, None, true).unwrap();
    http.connect_to_host("game.example", 80, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::CantConnect
    });
    let error = http.get_error().unwrap();
    assert_eq!(error.proxy(), Some("socks5h://10.0.0.5:1080"));
}
