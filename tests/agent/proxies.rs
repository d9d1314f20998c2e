//! Proxies: which one is used, the requests to it, and what it must not learn. Each rule names its section.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Phase, Request, agent::AgentBuilder, error::ProxyFault, proxy::ProxySettings,
};

use crate::support::{Heard, address, run};

const PROXY: &str = "10.9.0.3:3128";

/// A proxy that responds to each request head with the next of these.
fn proxy(network: &MemoryNetwork, answers: &[&str]) -> Heard {
    let heard = Heard::default();
    let log = heard.clone();
    let answers: Vec<String> = answers.iter().map(|it| (*it).to_owned()).collect();
    network.add_name("proxy.example", &[address(PROXY).ip()]);
    network.serve(address(PROXY), move || {
        let log = log.clone();
        let mut answers = answers.clone().into_iter();
        move |peer: &mut Peer| {
            if peer.received().ends_with(b"\r\n\r\n") {
                log.add(&peer.take_received());
                if let Some(answer) = answers.next() {
                    peer.send(answer.as_bytes());
                }
            }
        }
    });
    heard
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const OPENED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn through(url: &str) -> AgentBuilder {
    Agent::builder()
        .defaults(RequestOptions::new().proxies(ProxySettings::default().with_all(url).unwrap()))
}

#[test]
fn requests_to_a_proxy() {
    for (section, proxy_url, tunnel, target, first, second) in [
        (
            "RFC 9112 §3.2.2",
            "http://proxy.example:3128",
            false,
            "http://u:p@game.example/a?b#c",
            "GET http://game.example/a?b HTTP/1.1\r\nHost: game.example\r\n",
            None,
        ),
        (
            "RFC 9112 §3.2.2",
            "http://proxy.example:3128",
            false,
            "http://game.example:8080",
            "GET http://game.example:8080/ HTTP/1.1\r\nHost: game.example:8080\r\n",
            None,
        ),
        (
            "RFC 9110 §9.3.6",
            "http://proxy.example:3128",
            true,
            "http://game.example/a",
            "CONNECT game.example:80 HTTP/1.1\r\nHost: game.example:80\r\n",
            Some("GET /a HTTP/1.1\r\nHost: game.example\r\n"),
        ),
        (
            "RFC 9110 §9.3.6",
            "http://proxy.example:3128",
            true,
            "http://[2001:db8::1]:8080/a",
            "CONNECT [2001:db8::1]:8080 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n",
            Some("GET /a HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n"),
        ),
    ] {
        let network = MemoryNetwork::new();
        let answers = if tunnel { vec![OPENED, OK] } else { vec![OK] };
        let heard = proxy(&network, &answers);
        let mut agent = through(proxy_url).build_on_memory(&network);
        let outcome = run(
            &network,
            &mut agent,
            Request::get(target).proxy_tunnel(tunnel),
        );
        assert_eq!(outcome.response().text(), "hi", "{section}");
        let heads = heard.all();
        assert!(heads[0].starts_with(first), "{section}: {}", heads[0]);
        if let Some(second) = second {
            assert!(heads[1].starts_with(second), "{section}: {}", heads[1]);
        }
    }
}

#[test]
fn https_goes_through_a_tunnel_that_sees_nothing() {
    // RFC 9110 §9.3.6, §17.9: neither path nor lines of the request.
    let network = MemoryNetwork::new();
    let heard = proxy(
        &network,
        &["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"],
    );
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    let request = Request::get("https://u:secret@game.example/secret?secret")
        .header("X-Secret", "secret")
        .cookie("secret", "secret");
    let outcome = run(&network, &mut agent, request);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Proxy(ProxyFault::Refused { status: 403 })
    );
    assert_eq!(outcome.error().phase(), Some(Phase::Tunnel));
    assert_eq!(heard.all().len(), 1);
    assert!(
        heard
            .last()
            .starts_with("CONNECT game.example:443 HTTP/1.1\r\n"),
        "{}",
        heard.last()
    );
    assert!(!heard.last().contains("secret") && !heard.last().contains("Authorization"));
}

#[test]
fn the_proxys_credentials_are_for_the_proxy() {
    // RFC 9110 §11.7.2.
    let network = MemoryNetwork::new();
    let heard = proxy(&network, &[OPENED, OK]);
    let mut agent = through("http://me:secret@proxy.example:3128").build_on_memory(&network);
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").proxy_tunnel(true),
    )
    .response();
    let heads = heard.all();
    assert!(
        heads[0].contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{}",
        heads[0]
    );
    assert!(!heads[1].contains("Proxy-Authorization"), "{}", heads[1]);
    let network = MemoryNetwork::new();
    let heard = proxy(&network, &[OK]);
    let mut agent = through("http://me:secret@proxy.example:3128").build_on_memory(&network);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    assert!(
        heard
            .last()
            .contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n")
    );
}

#[test]
fn a_redirect_away_from_the_proxy_leaves_its_credentials() {
    // RFC 9110 §15.4.
    let network = MemoryNetwork::new();
    let direct = MockServer::on(&network, "direct.example", 80);
    direct.any("/**").reply(MockResponse::ok());
    proxy(
        &network,
        &["HTTP/1.1 302 Found\r\nLocation: http://direct.example/\r\nContent-Length: 0\r\n\r\n"],
    );
    let settings = ProxySettings::default()
        .with_http("http://me:secret@proxy.example:3128")
        .unwrap()
        .with_no_proxy("direct.example");
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().proxies(settings))
        .build_on_memory(&network);
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    let sent = &direct.requests()[0];
    assert_eq!(sent.target, "/");
    assert!(sent.header("proxy-authorization").is_none());
}

#[test]
fn hosts_that_are_reached_without_the_proxy() {
    for (no_proxy, host, direct) in [
        ("", "game.example", false),
        ("game.example", "game.example", true),
        (".example", "game.example", true),
        ("ame.example", "game.example", false),
        ("other.example, GAME.EXAMPLE", "game.example", true),
        ("*", "game.example", true),
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.1.2.4", "10.1.2.3", false),
        ("2001:db8::/32", "[2001:db8::7]", true),
    ] {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, host, 80);
        server.any("/**").reply(MockResponse::ok().text("direct"));
        proxy(&network, &[OK]);
        let settings = ProxySettings::default()
            .with_http("proxy.example:3128")
            .unwrap()
            .with_no_proxy(no_proxy);
        let mut agent = Agent::builder()
            .defaults(RequestOptions::new().proxies(settings))
            .build_on_memory(&network);
        let outcome = run(
            &network,
            &mut agent,
            Request::get(format!("http://{host}/")),
        );
        assert_eq!(
            outcome.response().text() == "direct",
            direct,
            "curl's rules: {no_proxy} {host}"
        );
    }
}

#[test]
fn the_environment_counts_only_when_asked() {
    let environment = |name: &str| match name {
        "http_proxy" => Some("http://proxy.example:3128".to_owned()),
        "HTTP_PROXY" => Some("http://evil.example:1".to_owned()),
        _ => None,
    };
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    server.any("/**").reply(MockResponse::ok().text("direct"));
    let heard = proxy(&network, &[OK]);
    let mut agent = Agent::on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().text(), "direct");
    let settings = ProxySettings::from_environment_of(environment).unwrap();
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").proxies(settings),
    )
    .response();
    assert_eq!(heard.all().len(), 1);
}

#[test]
fn connections_to_a_forwarding_proxy_serve_any_host() {
    let network = MemoryNetwork::new();
    proxy(&network, &[OK, OK]);
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    for host in ["a.example", "b.example"] {
        run(
            &network,
            &mut agent,
            Request::get(format!("http://{host}/")),
        )
        .response();
    }
    assert_eq!(network.connections_to(address(PROXY)), 1);
}

#[test]
fn responses_to_connect() {
    for (section, answer, kind) in [
        (
            "RFC 9110 §15.5.8",
            "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Proxy(ProxyFault::AuthenticationRequired),
        ),
        (
            "RFC 9110 §15.6.3",
            "HTTP/1.1 502 Bad\r\n\r\n",
            ErrorKind::Proxy(ProxyFault::Refused { status: 502 }),
        ),
        // A redirect of the proxy's is not followed: it would be its word for the server's.
        (
            "RFC 9110 §9.3.6",
            "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n",
            ErrorKind::Proxy(ProxyFault::Refused { status: 302 }),
        ),
    ] {
        let network = MemoryNetwork::new();
        proxy(&network, &[answer]);
        let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").proxy_tunnel(true),
        );
        assert_eq!(*outcome.error().kind(), kind, "{section}");
        assert_eq!(outcome.error().phase(), Some(Phase::Tunnel));
    }
}

#[test]
fn a_tunnel_that_never_opens_times_out() {
    let network = MemoryNetwork::new();
    proxy(&network, &[]);
    let mut agent = through("http://proxy.example:3128").build_on_memory(&network);
    let began = network.now();
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").proxy_tunnel(true),
    );
    assert_eq!(*outcome.error().kind(), ErrorKind::Timeout(Phase::Tunnel));
    assert!(network.now() - began < Duration::from_secs(11));
}

/// A SOCKS5 proxy (RFC 1928) with scripted replies.
fn socks(network: &MemoryNetwork, answers: &[&[u8]]) -> Heard {
    let heard = Heard::default();
    let log = heard.clone();
    let answers: Vec<Vec<u8>> = answers.iter().map(|it| it.to_vec()).collect();
    network.add_name("proxy.example", &[address("10.9.0.4:1080").ip()]);
    network.serve(address("10.9.0.4:1080"), move || {
        let log = log.clone();
        let mut answers = answers.clone().into_iter();
        move |peer: &mut Peer| {
            let received = peer.take_received();
            if !received.is_empty() {
                log.add(&received);
                peer.send(&answers.next().unwrap_or_else(|| OK.into()));
            }
        }
    });
    heard
}

#[test]
fn socks_with_the_name_resolved_there_or_here() {
    const GRANTED: &[u8] = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x50";
    for (section, url, answers, expected) in [
        (
            "RFC 1928 §4, DOMAINNAME",
            "socks5h://proxy.example",
            &[b"\x05\x00", GRANTED][..],
            vec!["\x05\x01\x00", "\x05\x01\x00\x03\x0cgame.example\x00\x50"],
        ),
        (
            "RFC 1928 §4, IP V4",
            "socks5://proxy.example",
            &[b"\x05\x00", GRANTED],
            vec!["\x05\x01\x00", "\x05\x01\x00\x01\x0a\x09\x00\x07\x00\x50"],
        ),
        (
            "RFC 1929 §2",
            "socks5h://me:pw@proxy.example",
            &[b"\x05\x02", b"\x01\x00", GRANTED],
            vec![
                "\x05\x02\x00\x02",
                "\x01\x02me\x02pw",
                "\x05\x01\x00\x03\x0cgame.example\x00\x50",
            ],
        ),
    ] {
        let network = MemoryNetwork::new();
        network.add_name("game.example", &[address("10.9.0.7:80").ip()]);
        let heard = socks(&network, answers);
        let mut agent = through(url).build_on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
        assert_eq!(outcome.response().text(), "hi", "{section}");
        let said = heard.all();
        assert_eq!(said[..expected.len()], expected, "{section}");
        let request = said[expected.len()..].concat();
        assert!(
            request.starts_with("GET /a HTTP/1.1\r\n") && !request.contains("Proxy-"),
            "{section}"
        );
    }
}

#[test]
fn refusals_of_a_socks_proxy() {
    for (answers, fault) in [
        (&[&b"\x05\xff"[..]][..], ProxyFault::NoAcceptableMethod),
        (
            &[b"\x05\x00", b"\x05\x02\x00\x01\0\0\0\0\0\0"],
            ProxyFault::NotAllowed,
        ),
        (
            &[b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0"],
            ProxyFault::ConnectionRefused,
        ),
        (
            &[b"\x05\x00", b"\x05\x63\x00\x01\0\0\0\0\0\0"],
            ProxyFault::UnassignedReply { code: 0x63 },
        ),
        (
            &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            ProxyFault::MalformedReply,
        ),
    ] {
        let network = MemoryNetwork::new();
        socks(&network, answers);
        let mut agent = through("socks5h://proxy.example").build_on_memory(&network);
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/?secret"),
        );
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Proxy(fault),
            "RFC 1928 §6"
        );
        assert!(!format!("{0} {0:?}", outcome.error()).contains("secret"));
    }
}

#[test]
fn proxies_that_cannot_be_used_are_refused_at_once() {
    for url in [
        "https://proxy.example",
        "socks4://proxy.example",
        "quic://p",
        "http://",
        "http://p:0",
        "http://p:99999",
    ] {
        let error = ProxySettings::default().with_all(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("99999"), "{url}");
    }
}
