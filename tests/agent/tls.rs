//! HTTPS over the in-memory network: verification, options per request, what is known of the peer.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, Budget, ErrorKind, Event, Phase, Request,
    error::TlsFault,
    proxy::ProxySettings,
    tls::{TlsOptions, TlsVersion},
};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::support::{Heard, address, frames, run};

pub(crate) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Test Authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server's configuration with a certificate for these names that is good until that year.
pub(crate) fn server_config(
    authority: &CertifiedIssuer<'static, KeyPair>,
    names: &[&str],
    until: i32,
) -> Arc<ServerConfig> {
    let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    Arc::new(config)
}

/// Serves `name` with a certificate for these names that is good until that year. Heads are answered
/// by 200 and `hi`, or, when they ask for `/go`, by a redirect to `http`.
pub(crate) fn serve(
    network: &MemoryNetwork,
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    at: &str,
    names: &[&str],
    until: i32,
) {
    let config = server_config(authority, names, until);
    network.add_name(name, &[address(at).ip()]);
    network.serve(address(at), move || {
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
            if request.ends_with(b"\r\n\r\n") {
                let answer: &[u8] = if request.starts_with(b"GET /go") {
                    b"HTTP/1.1 302 Found\r\nLocation: http://plain.example/\r\nContent-Length: 0\r\n\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStrict-Transport-Security: max-age=1000\r\n\r\nhi"
                };
                session.writer().write_all(answer).unwrap();
                request.clear();
            }
            let mut out = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut out).unwrap();
            }
            peer.send(&out);
        }
    });
}

/// A network in which `https://game.example` is served, and the authority that signed its certificate.
fn game_server() -> (MemoryNetwork, CertifiedIssuer<'static, KeyPair>) {
    let (network, authority) = (MemoryNetwork::new(), authority());
    let (name, at) = ("game.example", "10.9.1.1:443");
    serve(&network, &authority, name, at, &[name], 2200);
    (network, authority)
}

pub(crate) fn trusting(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsOptions {
    TlsOptions::builder()
        .add_root_pem(authority.pem().as_bytes())
        .build()
        .unwrap()
}

#[test]
fn certificates_that_are_trusted() {
    let authority = authority();
    let network = MemoryNetwork::new();
    let names = ["game.example", "*.wild.example"];
    for (number, host) in [
        "game.example",
        "other.example",
        "a.wild.example",
        "a.b.wild.example",
        "wild.example",
    ]
    .iter()
    .enumerate()
    {
        serve(
            &network,
            &authority,
            host,
            &format!("10.9.1.{number}:443"),
            &names,
            2200,
        );
    }
    serve(
        &network,
        &authority,
        "old.example",
        "10.9.2.1:443",
        &["old.example"],
        2021,
    );
    let trusts = trusting(&authority);
    let no_name = TlsOptions::builder()
        .add_root_pem(authority.pem().as_bytes())
        .insecure_no_name_check()
        .build()
        .unwrap();
    let anything = TlsOptions::client_unsafe(None).unwrap();
    let public = TlsOptions::client();
    for (host, options, fault) in [
        ("game.example", &trusts, None),
        ("a.wild.example", &trusts, None),
        (
            "a.b.wild.example",
            &trusts,
            Some(TlsFault::CertificateNameMismatch),
        ),
        (
            "wild.example",
            &trusts,
            Some(TlsFault::CertificateNameMismatch),
        ),
        (
            "other.example",
            &trusts,
            Some(TlsFault::CertificateNameMismatch),
        ),
        ("other.example", &no_name, None),
        (
            "game.example",
            &public,
            Some(TlsFault::CertificateUnknownIssuer),
        ),
        ("game.example", &anything, None),
        ("other.example", &anything, None),
        ("old.example", &trusts, Some(TlsFault::CertificateExpired)),
        ("old.example", &anything, None),
    ] {
        let mut agent = Agent::builder()
            .defaults(RequestOptions::new().tls(options.clone()))
            .build_on_memory(&network);
        let outcome = run(
            &network,
            &mut agent,
            Request::get(format!("https://{host}/?secret")),
        );
        match fault {
            None => {
                let tls = outcome.response().connection().unwrap().tls.clone();
                assert!(tls.is_some(), "also when nothing is verified");
            }
            Some(fault) => {
                assert_eq!(*outcome.error().kind(), ErrorKind::Tls(fault), "{host}");
                assert_eq!(outcome.error().phase(), Some(Phase::TlsHandshake));
                assert!(!outcome.error().to_string().contains("secret"));
            }
        }
    }
}

#[test]
fn options_of_one_request_and_no_sharing_between_differing_ones() {
    let (network, authority) = game_server();
    let mut agent = Agent::on_memory(&network);
    let get = || Request::get("https://game.example/");
    run(
        &network,
        &mut agent,
        get().tls(TlsOptions::client_unsafe(None).unwrap()),
    )
    .response();
    // A connection without verification does not serve a request that demands it.
    let outcome = run(&network, &mut agent, get());
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Tls(TlsFault::CertificateUnknownIssuer)
    );
    let trusts = trusting(&authority);
    let before = network.connections_to(address("10.9.1.1:443"));
    run(&network, &mut agent, get().tls(trusts.clone())).response();
    let outcome = run(&network, &mut agent, get().tls(trusts));
    assert!(outcome.response().connection().unwrap().reused);
    assert_eq!(network.connections_to(address("10.9.1.1:443")), before + 1);
}

#[test]
fn the_end_of_the_handshake_and_the_request_are_one_write() {
    let (network, authority) = game_server();
    // The clock counts the calls.
    let call = Duration::from_millis(1);
    network.set_work(call, Duration::ZERO);
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().tls(trusting(&authority)))
        .budget(Budget::unlimited())
        .build_on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("https://game.example/"));
    let timings = outcome.response().timings();
    assert_eq!(timings.pretransfer - timings.appconnect, call);
}

#[test]
fn facts_about_the_certificate() {
    let authority = authority();
    let network = MemoryNetwork::new();
    serve(
        &network,
        &authority,
        "game.example",
        "10.9.1.1:443",
        &["game.example", "b.example"],
        2200,
    );
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().tls(trusting(&authority)))
        .build_on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("https://game.example/"));
    let tls = outcome
        .response()
        .connection()
        .unwrap()
        .tls
        .clone()
        .unwrap();
    assert_eq!(tls.version, TlsVersion::Tls13);
    assert!(!tls.peer_certificates.is_empty());
    let timings = outcome.response().timings();
    assert!(timings.appconnect >= timings.connect && timings.appconnect <= timings.pretransfer);
}

#[test]
fn a_downgrade_is_refused_unless_allowed() {
    // RFC 9110 §15.4 leaves it to the client; browsers refuse it.
    let (network, authority) = game_server();
    let plain = httpoll::mock::MockServer::on(&network, "plain.example", 80);
    plain.any("/**").reply(httpoll::mock::MockResponse::ok());
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().tls(trusting(&authority)))
        .build_on_memory(&network);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("https://game.example/go"),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Redirect(httpoll::error::RedirectRefusal::Downgrade)
    );
    assert!(plain.requests().is_empty());
    let mut policy = httpoll::redirect::RedirectPolicy::default();
    policy.allow_downgrade = true;
    run(
        &network,
        &mut agent,
        Request::get("https://game.example/go?secret").redirects(policy),
    )
    .response();
    assert!(
        plain.requests()[0].header("referer").is_none(),
        "RFC 9110 §10.1.3"
    );
}

#[test]
fn hosts_that_want_https_get_it() {
    // RFC 6797 §8.3.
    let (network, authority) = game_server();
    let plain = httpoll::mock::MockServer::on(&network, "game.example", 80);
    plain.any("/**").reply(
        httpoll::mock::MockResponse::ok()
            .text("plain")
            .header("Strict-Transport-Security", "max-age=1000"),
    );
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().tls(trusting(&authority)))
        .hsts()
        .build_on_memory(&network);
    let get = || Request::get("http://game.example/");
    // §8.1: what comes over http counts for nothing.
    assert_eq!(run(&network, &mut agent, get()).response().text(), "plain");
    assert_eq!(run(&network, &mut agent, get()).response().text(), "plain");
    run(&network, &mut agent, Request::get("https://game.example/")).response();
    let outcome = run(&network, &mut agent, get());
    assert_eq!(outcome.response().text(), "hi");
    assert_eq!(outcome.response().url().unwrap().scheme(), "https");
}

#[test]
fn a_handshake_begins_although_other_requests_use_up_the_budget_of_each_poll() {
    let (network, authority) = game_server();
    let plain = MockServer::on(&network, "plain.example", 80);
    plain.get("/").reply(MockResponse::ok());
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().tls(trusting(&authority)))
        .build_on_memory(&network);
    // Less than the keys of a handshake take.
    agent.set_budget(Budget::frame(Duration::from_micros(20)));
    let secure = agent.send(Request::get("https://game.example/")).unwrap();
    let mut status = None;
    for _ in 0..60 {
        agent
            .send(Request::get("http://plain.example/"))
            .unwrap()
            .detach();
        let events = frames(&network, &mut agent, 1);
        status = status.or(events.iter().find_map(|event| match event {
            Event::Done { id, response } if *id == secure.id() => Some(response.status().as_u16()),
            _ => None,
        }));
    }
    assert_eq!(status, Some(200));
}

/// A proxy that opens each tunnel and is the server behind it as well. Returns the heads that it got, those within TLS
/// too.
fn tunnelling_proxy(
    network: &MemoryNetwork,
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
) -> Heard {
    let heard = Heard::default();
    let config = server_config(authority, &[name], 2200);
    let at = address("10.9.1.2:3128");
    network.add_name("proxy.example", &[at.ip()]);
    let log = heard.clone();
    network.serve(at, move || {
        let mut session = ServerConnection::new(config.clone()).unwrap();
        let (mut is_open, mut request) = (false, Vec::new());
        let log = log.clone();
        move |peer: &mut Peer| {
            if !is_open {
                if peer.received().ends_with(b"\r\n\r\n") {
                    is_open = true;
                    log.add(&peer.take_received());
                    peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n");
                }
                return;
            }
            let received = peer.take_received();
            let mut received = received.as_slice();
            while !received.is_empty() {
                session.read_tls(&mut received).unwrap();
                session.process_new_packets().unwrap();
                // Nothing more is no fault.
                let _ = session.reader().read_to_end(&mut request);
            }
            if request.ends_with(b"\r\n\r\n") {
                log.add(&request);
                request.clear();
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
                session.writer().write_all(answer).unwrap();
            }
            let mut out = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut out).unwrap();
            }
            peer.send(&out);
        }
    });
    heard
}

#[test]
fn a_server_behind_a_tunnel_gets_its_own_request_without_the_proxys_credentials() {
    // RFC 9110 §9.3.6, §11.7.2; RFC 9112 §3.2.1.
    let (network, authority) = (MemoryNetwork::new(), authority());
    let heard = tunnelling_proxy(&network, &authority, "game.example");
    let proxies = ProxySettings::default()
        .with_all("http://me:secret@proxy.example:3128")
        .unwrap();
    let mut agent = Agent::builder()
        .defaults(
            RequestOptions::new()
                .tls(trusting(&authority))
                .proxies(proxies),
        )
        .budget(Budget::unlimited())
        .build_on_memory(&network);
    for target in ["a", "b"] {
        let url = format!("https://game.example/{target}");
        let outcome = run(&network, &mut agent, Request::get(url));
        assert_eq!(outcome.response().text(), "hi");
    }
    let heads = heard.all();
    assert_eq!(heads.len(), 3, "{heads:?}");
    let connect = "CONNECT game.example:443 HTTP/1.1\r\n";
    assert!(heads[0].starts_with(connect), "{}", heads[0]);
    let credentials = "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n";
    assert!(heads[0].contains(credentials), "{}", heads[0]);
    for (head, target) in heads[1..].iter().zip(["a", "b"]) {
        let request_line = format!("GET /{target} HTTP/1.1\r\n");
        assert!(head.starts_with(&request_line), "{head}");
        assert!(!head.contains("Proxy-") && !head.contains("bWU6"), "{head}");
    }
}
