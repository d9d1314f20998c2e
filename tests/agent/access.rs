//! What URLs from outside may reach: checked before connecting, after each redirect and after each lookup.

use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Request,
    access::{AccessPolicy, AddressClass, HostPattern},
    agent::AddressFamily,
    error::AccessRefusal,
    proxy::ProxySettings,
};

use crate::support::{address, frames, run};

fn policy() -> AccessPolicy {
    let mut policy = AccessPolicy::default();
    policy.schemes = vec!["http".to_owned()];
    policy
}

/// A network where `public.example` is, and what must not be reached.
fn network() -> (MemoryNetwork, MockServer, MockServer) {
    let network = MemoryNetwork::new();
    network.add_name("public.example", &["93.184.216.34".parse().unwrap()]);
    for name in ["rebound.example", "localhost", "localhost."] {
        network.add_name(name, &["127.0.0.1".parse().unwrap()]);
    }
    network.add_name(
        "both.example",
        &[
            "127.0.0.1".parse().unwrap(),
            "93.184.216.34".parse().unwrap(),
        ],
    );
    let public = MockServer::on(&network, "public.example", 80);
    let home = MockServer::on(&network, "rebound.example", 80);
    home.any("/**").reply(MockResponse::ok().text("secret"));
    (network, public, home)
}

fn refusal(kind: &ErrorKind) -> &AccessRefusal {
    match kind {
        ErrorKind::Access(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn urls_with_addresses_that_are_not_public_are_refused() {
    let (network, _public, home) = network();
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(policy()))
        .build_on_memory(&network);
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://0.0.0.0/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST./",
    ] {
        let outcome = run(&network, &mut agent, Request::get(url));
        let found = refusal(outcome.error().kind());
        assert!(
            matches!(found, AccessRefusal::Address(..)),
            "{url}: {found}"
        );
    }
    assert!(home.requests().is_empty());
    assert_eq!(home.connections().opened, 0);
}

#[test]
fn names_that_resolve_to_loopback_are_refused() {
    let (network, _public, home) = network();
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(policy()))
        .build_on_memory(&network);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://rebound.example/"),
    );
    let expected = AccessRefusal::Address("127.0.0.1".parse().unwrap(), AddressClass::Loopback);
    assert_eq!(*refusal(outcome.error().kind()), expected);
    assert!(!outcome.error().is_retryable());
    assert_eq!(home.connections().opened, 0);
}

#[test]
fn of_several_addresses_only_public_ones_are_tried() {
    let (network, public, home) = network();
    public.any("/**").reply(MockResponse::ok().text("public"));
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(policy()))
        .build_on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://both.example/"));
    assert_eq!(outcome.response().text(), "public");
    assert_eq!(home.connections().opened, 0);
}

#[test]
fn redirects_are_checked_again() {
    let (network, public, home) = network();
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(policy()))
        .build_on_memory(&network);
    for (location, host) in [
        ("http://127.0.0.1/", true),
        ("http://rebound.example/", true),
        ("http://[::1]/", true),
        ("https://public.example/", false),
    ] {
        public
            .get("/")
            .times(1)
            .reply(MockResponse::with_status(302).header("Location", location));
        let outcome = run(&network, &mut agent, Request::get("http://public.example/"));
        let found = refusal(outcome.error().kind());
        assert_eq!(
            matches!(found, AccessRefusal::Address(..)),
            host,
            "{location}: {found}"
        );
    }
    assert_eq!(home.connections().opened, 0);
}

#[test]
fn hosts_ports_and_schemes_are_limited() {
    let (network, public, _home) = network();
    public.any("/**").reply(MockResponse::ok());
    let mut only = policy();
    only.hosts = vec![
        "*.workshop.example".parse::<HostPattern>().unwrap(),
        "public.example".parse().unwrap(),
    ];
    only.ports = vec![80];
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(only))
        .build_on_memory(&network);
    run(&network, &mut agent, Request::get("http://public.example/")).response();
    for (url, expected) in [
        (
            "https://public.example/",
            AccessRefusal::Scheme("https".to_owned()),
        ),
        ("http://public.example:8080/", AccessRefusal::Port(8080)),
        (
            "http://public.example.evil.example/",
            AccessRefusal::Host("public.example.evil.example".to_owned()),
        ),
        (
            "http://evilpublic.example/",
            AccessRefusal::Host("evilpublic.example".to_owned()),
        ),
        (
            "http://public.example@evil.example/",
            AccessRefusal::Host("evil.example".to_owned()),
        ),
        (
            "http://evil.example#public.example",
            AccessRefusal::Host("evil.example".to_owned()),
        ),
        (
            "http://evil.example\\.public.example/",
            AccessRefusal::Host("evil.example".to_owned()),
        ),
    ] {
        let outcome = run(&network, &mut agent, Request::get(url));
        assert_eq!(*refusal(outcome.error().kind()), expected, "{url}");
    }
}

#[test]
fn content_types_and_sizes_are_limited() {
    let (network, public, _home) = network();
    public.get("/png").reply(
        MockResponse::ok()
            .header("Content-Type", "Image/PNG; x=y")
            .bytes("x"),
    );
    public.get("/html").reply(
        MockResponse::ok()
            .header("Content-Type", "text/html")
            .bytes("x"),
    );
    public.get("/none").reply(MockResponse::ok().bytes("x"));
    public.get("/length").reply(
        MockResponse::ok()
            .header("Content-Type", "image/png")
            .bytes(vec![0; 1001]),
    );
    public.get("/chunked").reply(
        MockResponse::ok()
            .header("Content-Type", "image/png")
            .chunked([vec![0; 600], vec![0; 401]]),
    );
    let mut images = policy();
    images.content_types = vec!["image/*".to_owned()];
    images.max_body_bytes = Some(1000);
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().access(images))
        .build_on_memory(&network);
    let get = |path: &str| Request::get(format!("http://public.example{path}"));
    run(&network, &mut agent, get("/png")).response();
    for (path, expected) in [
        ("/html", AccessRefusal::ContentType("text/html".to_owned())),
        ("/none", AccessRefusal::ContentType(String::new())),
        ("/length", AccessRefusal::BodyTooLarge { max: 1000 }),
        ("/chunked", AccessRefusal::BodyTooLarge { max: 1000 }),
    ] {
        for stream in [false, true] {
            let request = if stream {
                get(path).stream()
            } else {
                get(path)
            };
            let outcome = run(&network, &mut agent, request);
            assert_eq!(*refusal(outcome.error().kind()), expected, "{path}");
        }
    }
    frames(&network, &mut agent, 2);
}

#[test]
fn a_connection_of_a_trusted_request_does_not_serve_an_untrusted_one() {
    let (network, _public, home) = network();
    let mut agent = Agent::on_memory(&network);
    run(
        &network,
        &mut agent,
        Request::get("http://rebound.example/"),
    )
    .response();
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://rebound.example/").access(policy()),
    );
    assert!(matches!(
        refusal(outcome.error().kind()),
        AccessRefusal::Address(..)
    ));
    assert_eq!(home.requests().len(), 1);
}

#[test]
fn a_target_that_is_not_public_is_refused_behind_a_proxy_too() {
    let (network, _public, home) = network();
    let proxies = ProxySettings::default()
        .with_http("http://rebound.example:80")
        .unwrap();
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().proxies(proxies).access(policy()))
        .build_on_memory(&network);
    // A literal target is judged even though the proxy would do the connecting.
    let outcome = run(&network, &mut agent, Request::get("http://127.0.0.1/"));
    assert!(matches!(
        refusal(outcome.error().kind()),
        AccessRefusal::Address(..)
    ));
    assert!(home.requests().is_empty());
}

#[test]
fn families_are_chosen() {
    for (family, expected) in [
        (AddressFamily::Ipv4, "10.9.0.1:80"),
        (AddressFamily::Ipv6, "[2001:db8::1]:80"),
    ] {
        let network = MemoryNetwork::new();
        network.add_name(
            "game.example",
            &[
                address("10.9.0.1:80").ip(),
                address("[2001:db8::1]:80").ip(),
            ],
        );
        let server = MockServer::on(&network, "game.example", 80);
        server.any("/**").reply(MockResponse::ok());
        let mut agent = Agent::builder()
            .address_family(family)
            .build_on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(
            outcome.response().connection().unwrap().peer_address,
            Some(address(expected))
        );
    }
}

#[test]
fn a_name_that_is_resolved_locally_for_a_socks_proxy_is_checked_too() {
    let (network, _public, home) = network();
    network.add_name("proxy.example", &["93.184.216.35".parse().unwrap()]);
    network.serve(address("93.184.216.35:1080"), || {
        |peer: &mut httpoll::memory::Peer| {
            let said = peer.take_received();
            if said.starts_with(b"\x05\x01\x00\x01") {
                peer.send(b"\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x50");
            } else if said.starts_with(b"\x05") {
                peer.send(b"\x05\x00");
            } else if !said.is_empty() {
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
            }
        }
    });
    let proxies = ProxySettings::default()
        .with_all("socks5://proxy.example")
        .unwrap();
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().proxies(proxies).access(policy()))
        .build_on_memory(&network);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://rebound.example/"),
    );
    let found = refusal(outcome.error().kind());
    assert!(matches!(found, AccessRefusal::Address(..)), "{found}");
    assert!(home.requests().is_empty());
}
