//! The server over TLS, with this library's own client: certificates by name, renewal, client certificates,
//! and the limits of a handshake.

#![cfg(all(feature = "server", feature = "tls"))]
#![allow(clippy::unwrap_used)]

mod serving;

use std::time::Duration;

use httpoll::server::{
    ClientCertificates, Request, Response, Server, ServerFault, ServerTlsOptions, TimeoutKind,
};
use httpoll::{
    Budget, HttpClient, Method, Status,
    error::TlsFault,
    tls::{TlsOptions, TlsVersion},
};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use serving::{Notes, TestServer, test_server_with};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    authority_named("One")
}

fn authority_named(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Chain and key in PEM.
fn certificate(authority: &Authority, name: &str) -> (String, String) {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn options(authority: &Authority, name: &str) -> ServerTlsOptions {
    let (chain, key) = certificate(authority, name);
    ServerTlsOptions::builder()
        .certificate_pem(chain.as_bytes(), key.as_bytes())
        .build()
        .unwrap()
}

fn secure_server(options: ServerTlsOptions) -> TestServer {
    let mut test = test_server_with(Server::builder().tls(options));
    test.server
        .route("GET", "/", |request: &mut Request| {
            let tls = request.tls_info().unwrap();
            let certificates = tls.peer_certificates.len();
            Response::text(format!("{} {certificates}", request.is_secure()))
        })
        .unwrap();
    for name in ["one.example", "two.example"] {
        test.network.add_name(name, &[serving::address().ip()]);
    }
    test
}

/// Sends a request as a client that trusts this certificate. Returns the content or the error.
fn ask(test: &mut TestServer, name: &str, options: &TlsOptions) -> Result<String, TlsFault> {
    let mut http = HttpClient::on_memory(&test.network);
    let failed = |http: &HttpClient| match http.get_error().unwrap().kind() {
        httpoll::ErrorKind::Tls(fault) => fault.clone(),
        _ => TlsFault::Alert,
    };
    http.connect_to_host(name, 80, Some(options.clone()))
        .unwrap();
    let mut body = Vec::new();
    let mut asked = false;
    for _ in 0..500 {
        let _ = http.poll();
        test.frame();
        match http.get_status() {
            Status::Connected if !asked => {
                http.request(Method::Get, "/", &[], "").unwrap();
                asked = true;
            }
            Status::Connected => return Ok(String::from_utf8(body).unwrap()),
            Status::Body => body.extend_from_slice(&http.read_response_body_chunk().unwrap()),
            Status::TlsHandshakeError | Status::ConnectionError | Status::Disconnected => {
                return Err(failed(&http));
            }
            _ => {}
        }
    }
    unreachable!("{:?}", http.get_status())
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .build()
        .unwrap()
}

#[test]
fn requests_over_tls_and_renewed_certificates() {
    let (old, new) = (authority(), authority_named("Two"));
    let mut test = secure_server(options(&old, "one.example"));
    assert_eq!(
        ask(&mut test, "one.example", &trusting(&old)),
        Ok("true 0".to_owned())
    );
    assert_eq!(
        ask(&mut test, "one.example", &trusting(&new)),
        Err(TlsFault::CertificateUnknownIssuer)
    );
    test.server.set_tls(options(&new, "one.example"));
    assert_eq!(
        ask(&mut test, "one.example", &trusting(&new)),
        Ok("true 0".to_owned())
    );
}

#[test]
fn certificates_are_chosen_by_the_name_that_is_asked_for() {
    let authority = authority();
    let (first, second) = (
        certificate(&authority, "one.example"),
        certificate(&authority, "two.example"),
    );
    let options = ServerTlsOptions::builder()
        .certificate_pem(first.0.as_bytes(), first.1.as_bytes())
        .certificate_for("Two.example", second.0.as_bytes(), second.1.as_bytes())
        .build()
        .unwrap();
    let mut test = secure_server(options);
    for name in ["one.example", "two.example"] {
        assert!(
            ask(&mut test, name, &trusting(&authority)).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn clients_may_be_asked_for_certificates() {
    let authority = authority();
    let (chain, key) = certificate(&authority, "one.example");
    let (client_chain, client_key) = certificate(&authority, "player");
    let known = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .client_certificate_pem(client_chain.as_bytes(), client_key.as_bytes())
        .build()
        .unwrap();
    for (asked, unknown_gets, known_gets) in [
        (ClientCertificates::NotAsked, Ok("true 0"), "true 0"),
        (ClientCertificates::Optional, Ok("true 0"), "true 1"),
        (
            ClientCertificates::Required,
            Err(TlsFault::CertificateRequired),
            "true 1",
        ),
    ] {
        let options = ServerTlsOptions::builder()
            .certificate_pem(chain.as_bytes(), key.as_bytes())
            .client_certificates(asked, authority.pem().as_bytes())
            .build()
            .unwrap();
        let mut test = secure_server(options);
        let unknown = ask(&mut test, "one.example", &trusting(&authority));
        assert_eq!(unknown, unknown_gets.map(str::to_owned), "{asked:?}");
        assert_eq!(
            ask(&mut test, "one.example", &known).as_deref(),
            Ok(known_gets)
        );
    }
}

#[test]
fn a_client_whose_chain_costs_much_to_verify_is_refused_at_once() {
    let authority = authority();
    let (chain, key) = certificate(&authority, "one.example");
    let options = ServerTlsOptions::builder()
        .certificate_pem(chain.as_bytes(), key.as_bytes())
        .client_certificates(ClientCertificates::Required, authority.pem().as_bytes())
        .build()
        .unwrap();
    let mut test = secure_server(options);
    let notes = Notes::default();
    let errors = notes.clone();
    test.server
        .on_error(move |fault, _| errors.add(fault.to_string()));
    // Each of them could have signed all others, by its name. webpki gives up after 200,000 steps.
    let (mut chain, key) = certificate(&authority_named("Two"), "player");
    for _ in 0..20 {
        chain.push_str(&authority_named("Two").pem());
    }
    let client = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .client_certificate_pem(chain.as_bytes(), key.as_bytes())
        .build()
        .unwrap();
    let refused = ask(&mut test, "one.example", &client);
    assert_eq!(refused, Err(TlsFault::CertificateRequired));
    let expected = TlsFault::CertificateUnknownIssuer.to_string();
    let errors = notes.take();
    assert!(errors.iter().any(|it| it.contains(&expected)), "{errors:?}");
}

#[test]
fn what_is_missing_is_named() {
    let authority = authority();
    let (chain, key) = certificate(&authority, "one.example");
    let other = certificate(&authority, "one.example").1;
    let missing = ServerTlsOptions::builder().build().unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("certificate and its private key"),
        "{missing}"
    );
    for (chain, key) in [
        (&chain[..], "no key"),
        ("no chain", &key[..]),
        (&chain, &other),
    ] {
        let built = ServerTlsOptions::builder()
            .certificate_pem(chain.as_bytes(), key.as_bytes())
            .build();
        assert!(built.unwrap_err().is_misuse());
    }
    let folder = std::env::temp_dir().join(format!("httpoll-certs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    let path = cert_file.display().to_string();
    let missing = ServerTlsOptions::load_certs(&cert_file, None).unwrap_err();
    assert!(missing.is_misuse());
    assert!(missing.to_string().contains(&path), "{missing}");
    std::fs::write(&cert_file, &chain).unwrap();
    std::fs::write(&key_file, &key).unwrap();
    let without_key = ServerTlsOptions::load_certs(&cert_file, None).unwrap_err();
    assert!(without_key.to_string().contains(&path), "{without_key}");
    let loaded = ServerTlsOptions::load_certs(&cert_file, Some(&key_file)).unwrap();
    assert_eq!(loaded.cert_file(), Some(&*cert_file));
    assert_eq!(loaded.private_key_file(), Some(&*key_file));
    // Both are in one file.
    std::fs::write(&cert_file, chain + &key).unwrap();
    let loaded = ServerTlsOptions::load_certs(&cert_file, None).unwrap();
    assert_eq!(loaded.private_key_file(), Some(&*cert_file));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_handshake_has_a_deadline_and_an_invalid_one_is_reported() {
    let mut test = secure_server(options(&authority(), "one.example"));
    let notes = Notes::default();
    let errors = notes.clone();
    test.server.on_error(move |fault, _| {
        errors.add(match fault {
            ServerFault::TimedOut(TimeoutKind::Handshake) => "slow".to_owned(),
            ServerFault::Connection(error) => format!("{:?}", error.kind()),
            other => other.to_string(),
        });
    });
    let mut silent = test.connect();
    let mut plain = test.connect();
    test.send(&mut plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(plain.closed);
    assert_eq!(notes.take(), ["Tls(NotTls)"]);
    test.pass(Duration::from_millis(10_100));
    silent.read();
    assert!(silent.closed);
    assert_eq!(notes.take(), ["slow"]);
}

#[test]
fn a_silent_handshake_has_a_deadline_although_every_budget_is_spent() {
    let mut test = secure_server(options(&authority(), "one.example"));
    test.budget = Budget::frame(Duration::ZERO);
    let mut silent = test.connect();
    test.pass(Duration::from_millis(10_100));
    silent.read();
    assert!(silent.closed);
}

#[test]
fn handshakes_are_paid_from_the_budget() {
    let authority = authority();
    let mut test = secure_server(options(&authority, "one.example"));
    test.budget = Budget::unlimited().with_bytes(64);
    assert_eq!(
        ask(&mut test, "one.example", &trusting(&authority)),
        Ok("true 0".to_owned())
    );
}

#[test]
fn old_versions_can_be_refused() {
    let authority = authority();
    let (chain, key) = certificate(&authority, "one.example");
    let options = ServerTlsOptions::builder()
        .certificate_pem(chain.as_bytes(), key.as_bytes())
        .min_version(TlsVersion::Tls13)
        .build()
        .unwrap();
    let mut test = secure_server(options);
    let old = TlsOptions::builder()
        .trusted_chain_pem(authority.pem().as_bytes())
        .max_version(TlsVersion::Tls12)
        .build()
        .unwrap();
    assert_eq!(
        ask(&mut test, "one.example", &old),
        Err(TlsFault::Incompatible)
    );
    assert!(ask(&mut test, "one.example", &trusting(&authority)).is_ok());
}
