//! Where a node connects to, and what it can do with the connection.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use httpoll::error::{Misuse, NetworkFault};
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::{ErrorKind, HttpClient, Method, Status, node::RequestBody};

use crate::support::{address, connected, content, get, listening, server, until};
use crate::{OK, support};

#[test]
fn prefixes_and_ports() {
    let network = MemoryNetwork::new();
    for port in [80, 443, 8080] {
        network.listen(address(&format!("10.0.0.1:{port}")));
    }
    let mut http = HttpClient::on_memory(&network);
    let plain = [
        ("10.0.0.1", -1, 80),
        ("http://10.0.0.1", -1, 80),
        ("10.0.0.1", 8080, 8080),
    ];
    for (host, port, reached) in plain {
        let at = address(&format!("10.0.0.1:{reached}"));
        let before = network.connections_to(at);
        http.connect_to_host(host, port, None).unwrap();
        assert_eq!(network.connections_to(at), before + 1, "{host} {port}");
    }
    #[cfg(feature = "tls")]
    for (host, port, tls, reached) in [
        ("http://10.0.0.1", -1, true, 80),
        ("HTTPS://10.0.0.1", -1, false, 443),
        ("10.0.0.1", -1, true, 443),
        ("https://10.0.0.1", 8080, false, 8080),
    ] {
        let at = address(&format!("10.0.0.1:{reached}"));
        let before = network.connections_to(at);
        let tls = tls.then(httpoll::tls::TlsOptions::client);
        http.connect_to_host(host, port, tls).unwrap();
        assert_eq!(network.connections_to(at), before + 1, "{host} {port}");
    }
    #[cfg(not(feature = "tls"))]
    {
        let error = http
            .connect_to_host("https://10.0.0.1", -1, None)
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::TlsNotBuilt));
    }
    for (host, port, misuse) in [
        ("", 80, Misuse::InvalidHost),
        ("a b", 80, Misuse::InvalidHost),
        ("game.example/x", 80, Misuse::InvalidHost),
        ("game.example:80", 80, Misuse::PortInHost),
        ("game.example", 0, Misuse::InvalidPort),
        ("game.example", 65536, Misuse::InvalidPort),
        ("game.example", -2, Misuse::InvalidPort),
    ] {
        let error = http.connect_to_host(host, port, None).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Misuse(misuse), "{host}:{port}");
        assert_eq!(http.get_status(), Status::Disconnected);
    }
}

#[test]
fn ipv6_and_international_hosts() {
    let network = MemoryNetwork::new();
    let log = support::serve(&network, address("[::1]:8080"), &[OK]);
    let local: IpAddr = "::1".parse().unwrap();
    network.add_name("xn--bcher-kva.example", &[local]);
    let mut http = HttpClient::on_memory(&network);
    for (host, shown) in [
        ("::1", "[::1]:8080"),
        ("[::1]", "[::1]:8080"),
        ("http://[::1]", "[::1]:8080"),
        ("bücher.example", "xn--bcher-kva.example:8080"),
    ] {
        log.clear();
        http.connect_to_host(host, 8080, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert_eq!(get(&network, &mut http).0, 200);
        assert!(
            log.text().contains(&format!("\r\nHost: {shown}\r\n")),
            "{}",
            log.text()
        );
    }
}

#[test]
fn one_client_serves_many_requests_and_hosts() {
    let network = MemoryNetwork::new();
    for host in 1..=3 {
        support::serve(&network, address(&format!("10.0.0.{host}:80")), &[OK]);
    }
    let mut http = HttpClient::on_memory(&network);
    for host in 1..=3 {
        http.connect_to_host(&format!("10.0.0.{host}"), 80, None)
            .unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        for request in 1..=5 {
            assert_eq!(get(&network, &mut http), (200, b"hi".to_vec()));
            assert_eq!(http.get_connection_requests(), request);
        }
        assert_eq!(
            network.connections_to(address(&format!("10.0.0.{host}:80"))),
            1
        );
    }
}

#[test]
fn a_dead_ipv6_address_first_costs_a_quarter_of_a_second() {
    let network = MemoryNetwork::new();
    let dead: IpAddr = "2001:db8::1".parse().unwrap();
    network.add_name("game.example", &[dead, server().ip()]);
    network.refuse(address("[2001:db8::1]:80"), ConnectError::BlackHole);
    support::serve(&network, server(), &[OK]);
    let start = network.now();
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("game.example", 80, None).unwrap();
    until(&network, &mut http, |http| {
        http.get_status() == Status::Connected
    });
    let elapsed = network.now() - start;
    let range = Duration::from_millis(250)..Duration::from_millis(300);
    assert!(range.contains(&elapsed), "{elapsed:?}");
    assert_eq!(http.peer_address(), Some(server()));
    assert_eq!(get(&network, &mut http).0, 200);
}

#[test]
fn a_refused_or_unreachable_address_causes_no_delay() {
    for refusal in [ConnectError::Refused, ConnectError::Unreachable] {
        let network = MemoryNetwork::new();
        let dead: IpAddr = "2001:db8::1".parse().unwrap();
        network.add_name("game.example", &[dead, server().ip()]);
        network.refuse(address("[2001:db8::1]:80"), refusal);
        support::serve(&network, server(), &[OK]);
        let start = network.now();
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 80, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert!(network.now() - start <= 3 * support::FRAME);
    }
}

#[test]
fn an_injected_stream_works_through_whole_exchanges() {
    let network = MemoryNetwork::new();
    let (client, mut far) = network.pair();
    let mut http = HttpClient::on_memory(&network);
    http.set_connection(client);
    assert_eq!(http.get_status(), Status::Connected);
    for _ in 0..2 {
        http.poll().unwrap();
        http.request(Method::Get, "/", &["Host: injected"], "")
            .unwrap();
        http.poll().unwrap();
        http.poll().unwrap();
        let mut request = [0; 1024];
        let count = far.read(&mut request).unwrap();
        assert!(request[..count].starts_with(b"GET / HTTP/1.1\r\nHost: injected\r\n"));
        far.write_all(OK).unwrap();
        support::until_head(&network, &mut http);
        assert_eq!(content(&network, &mut http).unwrap(), b"hi");
        assert_eq!(http.get_status(), Status::Connected);
    }
    drop(far);
    assert_eq!(
        *http.poll().unwrap_err().kind(),
        ErrorKind::Network(NetworkFault::Closed)
    );
}

#[test]
fn after_an_upgrade_the_stream_is_the_callers() {
    let (network, mut http, _) = connected(&[
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst words",
    ]);
    assert!(http.take_connection().is_none());
    http.request(
        Method::Get,
        "/",
        &["Connection: Upgrade", "Upgrade: echo"],
        "",
    )
    .unwrap();
    support::until_head(&network, &mut http);
    assert_eq!(
        (http.get_status(), http.get_response_code()),
        (Status::Connected, 101)
    );
    assert!(
        http.request(Method::Get, "/", &[], "")
            .unwrap_err()
            .is_misuse()
    );
    let (mut stream, leftover) = http.take_connection().unwrap();
    assert_eq!(leftover, "first words");
    assert_eq!(stream.write(b"hello").unwrap(), 5);
    assert_eq!(http.get_status(), Status::Disconnected);
}

#[test]
fn dropping_a_client_closes_its_connection() {
    let (network, http, mut stream) = listening();
    let mut byte = [0];
    let open = stream.read(&mut byte).unwrap_err();
    assert_eq!(open.kind(), io::ErrorKind::WouldBlock);
    drop(http);
    assert_eq!(stream.read(&mut byte).unwrap(), 0);
    drop(stream);
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn a_close_in_each_status_leaves_nothing_behind() {
    for polls in 0..6 {
        let network = MemoryNetwork::new();
        network.set_latency(Duration::from_millis(10));
        network.add_name("game.example", &[server().ip()]);
        support::serve(
            &network,
            server(),
            &[
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                OK,
            ],
        );
        let mut http = HttpClient::on_memory(&network);
        http.connect_to_host("game.example", 80, None).unwrap();
        for _ in 0..polls {
            let _ = http.poll();
            let _ = http.request(Method::Get, "/", &[], "");
            let _ = http.read_response_body_chunk();
            network.advance(support::FRAME);
        }
        http.close();
        let other = address("10.0.0.2:80");
        support::serve(&network, other, &[OK]);
        http.connect_to_host("10.0.0.2", 80, None).unwrap();
        until(&network, &mut http, |http| {
            http.get_status() == Status::Connected
        });
        assert_eq!(
            get(&network, &mut http),
            (200, b"hi".to_vec()),
            "closed after {polls} polls"
        );
    }
}

#[test]
fn a_client_can_live_in_a_component() {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    send_and_sync::<HttpClient>();
    send_and_sync::<httpoll::Error>();
    send_and_sync::<RequestBody>();
    send_and_sync::<MemoryNetwork>();
}

#[test]
fn a_port_in_the_host_is_explained() {
    let network = MemoryNetwork::new();
    let mut http = HttpClient::on_memory(&network);
    for host in [
        "http://game.example:8080",
        "game.example:8080",
        "10.0.0.1:80",
    ] {
        let error = http.connect_to_host(host, -1, None).unwrap_err();
        assert_eq!(
            error.kind(),
            &ErrorKind::Misuse(Misuse::PortInHost),
            "{host}"
        );
        assert!(error.to_string().contains("second argument"), "{error}");
    }
    for host in [
        "game.example:",
        "game.example:port",
        ":80",
        "a:b:80",
        "[::1",
    ] {
        let error = http.connect_to_host(host, -1, None).unwrap_err();
        assert_eq!(
            error.kind(),
            &ErrorKind::Misuse(Misuse::InvalidHost),
            "{host}"
        );
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_failed_tls_handshake_is_25_in_its_poll_and_27_later() {
    use httpoll::node::GodotError;

    let network = MemoryNetwork::new();
    let listener = address("10.0.0.1:443");
    network.listen(listener);
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("https://10.0.0.1", -1, None).unwrap();
    let mut codes = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..20 {
        if let Some(mut stream) = network.accept(listener) {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
            streams.push(stream);
        }
        network.advance(Duration::from_millis(10));
        if let Err(error) = http.poll() {
            codes.push(GodotError::from(&error) as u8);
        }
    }
    assert_eq!(codes[..3], [25, 27, 27]);
}
