//! TLS end to end, over real sockets: certificates good and bad, both versions, client certificates,
//! and streams that end without `close_notify`.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "tls/polls.rs"]
mod polls;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use httpoll::{ErrorKind, HttpClient, Method, Status, error::TlsFault, tls::TlsOptions};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A private authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    authority_named("Test Authority")
}

fn authority_named(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// How a test's server behaves.
struct Server {
    names: Vec<String>,
    years: (i32, i32),
    versions: &'static [&'static rustls::SupportedProtocolVersion],
    wants_client: bool,
    sends_close_notify: bool,
    response: &'static [u8],
}

impl Default for Server {
    fn default() -> Self {
        Self {
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            years: (2020, 2200),
            versions: rustls::ALL_VERSIONS,
            wants_client: false,
            sends_close_notify: true,
            response: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        }
    }
}

impl Server {
    /// The rustls configuration, with a certificate of `authority`.
    fn config(&self, authority: &CertifiedIssuer<'static, KeyPair>) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = if self.wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }

    /// Serves `connections` connections with a certificate of `authority`.
    fn start(
        self,
        authority: &CertifiedIssuer<'static, KeyPair>,
        connections: usize,
    ) -> (i32, JoinHandle<()>) {
        let config = self.config(authority);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            for _ in 0..connections {
                let (stream, _) = listener.accept().unwrap();
                let session = ServerConnection::new(config.clone()).unwrap();
                // A client that refuses the certificate ends this early.
                let _ = self.serve(StreamOwned::new(session, stream));
            }
        });
        (port.into(), thread)
    }

    fn serve(
        &self,
        mut stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    ) -> std::io::Result<()> {
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(self.response)?;
        stream.flush()?;
        if self.sends_close_notify {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        stream.sock.shutdown(Shutdown::Write)?;
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
        Ok(())
    }
}

/// A GET over TLS: status code and content, or the error.
fn get(
    http: &mut HttpClient,
    host: &str,
    port: i32,
    options: &TlsOptions,
) -> Result<(u16, Vec<u8>), httpoll::Error> {
    http.connect_to_host(host, port, Some(options.clone()))?;
    while matches!(http.get_status(), Status::Resolving | Status::Connecting) {
        http.wait(None)?;
    }
    http.request(Method::Get, "/", &[], "")?;
    let mut content = Vec::new();
    loop {
        match http.get_status() {
            Status::Requesting => drop(http.wait(None)?),
            Status::Body => {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() && http.get_status() == Status::Body {
                    http.wait(None)?;
                }
                content.extend_from_slice(&chunk);
            }
            _ => return Ok((http.get_response_code(), content)),
        }
    }
}

fn fetch(
    server: Server,
    host: &str,
    options: impl Fn(&str) -> TlsOptions,
) -> Result<(u16, Vec<u8>), httpoll::Error> {
    let authority = authority();
    let (port, thread) = server.start(&authority, 1);
    let result = get(
        &mut HttpClient::new(),
        host,
        port,
        &options(&authority.pem()),
    );
    thread.join().unwrap();
    result
}

fn trusting(pem: &str) -> TlsOptions {
    TlsOptions::builder()
        .add_root_pem(pem.as_bytes())
        .build()
        .unwrap()
}

fn fault(server: Server, host: &str, options: impl Fn(&str) -> TlsOptions) -> TlsFault {
    let error = fetch(server, host, options).unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    match error.kind() {
        ErrorKind::Tls(fault) => fault.clone(),
        other => panic!("{other:?}"),
    }
}

fn hi() -> (u16, Vec<u8>) {
    (200, b"hi".to_vec())
}

#[test]
fn a_private_authority_is_trusted_when_added() {
    assert_eq!(
        fetch(Server::default(), "https://localhost", trusting).unwrap(),
        hi()
    );
    assert_eq!(
        fetch(Server::default(), "https://127.0.0.1", trusting).unwrap(),
        hi()
    );
}

#[test]
fn both_versions_and_only_one() {
    static TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    static TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    for versions in [TLS12, TLS13] {
        let server = Server {
            versions,
            ..Server::default()
        };
        assert_eq!(fetch(server, "localhost", trusting).unwrap(), hi());
    }
}

#[test]
fn each_problem_of_a_certificate_has_its_own_error() {
    let expired = Server {
        years: (2001, 2002),
        ..Server::default()
    };
    assert_eq!(
        fault(expired, "localhost", trusting),
        TlsFault::CertificateExpired
    );
    let early = Server {
        years: (2190, 2200),
        ..Server::default()
    };
    assert_eq!(
        fault(early, "localhost", trusting),
        TlsFault::CertificateNotYetValid
    );
    let other = || Server {
        names: vec!["other.example".to_owned()],
        ..Server::default()
    };
    assert_eq!(
        fault(other(), "localhost", trusting),
        TlsFault::CertificateNameMismatch
    );
    let unknown = |_: &str| TlsOptions::client();
    assert_eq!(
        fault(Server::default(), "localhost", unknown),
        TlsFault::CertificateUnknownIssuer
    );
}

#[test]
fn the_unsafe_variants_accept_what_they_say_and_no_more() {
    let other = || Server {
        names: vec!["other.example".to_owned()],
        ..Server::default()
    };
    let anything = |_: &str| TlsOptions::client_unsafe(None).unwrap();
    assert_eq!(fetch(other(), "localhost", anything).unwrap(), hi());
    let any_name = |pem: &str| TlsOptions::client_unsafe(Some(pem.as_bytes())).unwrap();
    assert_eq!(fetch(other(), "localhost", any_name).unwrap(), hi());
    let stranger = |_: &str| {
        TlsOptions::client_unsafe(Some(authority_named("Stranger").pem().as_bytes())).unwrap()
    };
    assert_eq!(
        fault(other(), "localhost", stranger),
        TlsFault::CertificateUnknownIssuer
    );
    let renamed = |pem: &str| {
        let builder = TlsOptions::builder().trusted_chain_pem(pem.as_bytes());
        builder
            .common_name_override("other.example")
            .build()
            .unwrap()
    };
    assert_eq!(fetch(other(), "localhost", renamed).unwrap(), hi());
}

#[test]
fn client_certificates() {
    let server = || Server {
        wants_client: true,
        ..Server::default()
    };
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["player".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let with = TlsOptions::builder()
        .add_root_pem(authority.pem().as_bytes())
        .client_certificate_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
        .build()
        .unwrap();
    let (port, thread) = server().start(&authority, 2);
    assert_eq!(
        get(&mut HttpClient::new(), "localhost", port, &with).unwrap(),
        hi()
    );
    let without = trusting(&authority.pem());
    let error = get(&mut HttpClient::new(), "localhost", port, &without).unwrap_err();
    assert_eq!(
        error.kind(),
        &ErrorKind::Tls(TlsFault::CertificateRequired),
        "{error}"
    );
    thread.join().unwrap();
}

#[test]
fn a_missing_close_notify_matters_only_for_content_without_a_length() {
    let abrupt = |response| Server {
        sends_close_notify: false,
        response,
        ..Server::default()
    };
    let with_length = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(
        fetch(abrupt(with_length), "localhost", trusting).unwrap(),
        hi()
    );
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(fetch(abrupt(chunked), "localhost", trusting).unwrap(), hi());
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nhi";
    let error = fetch(abrupt(until_close), "localhost", trusting).unwrap_err();
    assert_eq!(
        error.kind(),
        &ErrorKind::Truncated {
            received: 2,
            expected: None
        }
    );
    let polite = Server {
        response: until_close,
        ..Server::default()
    };
    assert_eq!(fetch(polite, "localhost", trusting).unwrap(), hi());
}

#[test]
fn sessions_resume_and_the_connection_is_described() {
    let authority = authority();
    let (port, thread) = Server::default().start(&authority, 2);
    let options = trusting(&authority.pem());
    let mut http = HttpClient::new();
    for resumed in [false, true] {
        http.connect_to_host("localhost", port, Some(options.clone()))
            .unwrap();
        while http.get_status() != Status::Connected {
            http.wait(None).unwrap();
        }
        let info = http.tls_info().unwrap();
        assert_eq!(info.resumed, resumed);
        assert!(!info.peer_certificates.is_empty());
        http.request(Method::Get, "/", &[], "").unwrap();
        while http.get_status() == Status::Requesting {
            http.wait(None).unwrap();
        }
        assert_eq!(http.read_response_body_chunk().unwrap(), "hi");
        http.close();
    }
    thread.join().unwrap();
}

#[cfg(all(feature = "agent", feature = "certificate-facts"))]
#[test]
fn a_response_over_https_has_the_servers_certificate_and_one_over_http_none() {
    use httpoll::{
        Agent, Request,
        tls::{CertificateFacts, SubjectAlternativeName},
    };

    let authority = authority();
    let (port, https) = Server::default().start(&authority, 1);
    let mut agent = Agent::new();
    let request = Request::get(format!("https://localhost:{port}/"));
    let handle = agent.send(request.tls(trusting(&authority.pem()))).unwrap();
    let response = agent.wait_for(handle).unwrap();
    let facts = response.certificate().unwrap();
    assert_eq!(facts.issuer, "CN=Test Authority");
    assert_eq!(
        facts.subject_alternative_names,
        [
            SubjectAlternativeName::Dns("localhost".to_owned()),
            SubjectAlternativeName::Ip("127.0.0.1".parse().unwrap()),
        ]
    );
    let after_epoch = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    assert_eq!(facts.not_before, after_epoch(1_577_836_800));
    assert_eq!(facts.not_after, after_epoch(7_258_118_400));
    let tls = response.connection().unwrap().tls.as_ref().unwrap();
    assert_eq!(
        CertificateFacts::parse(&tls.peer_certificates[0]),
        Ok(facts)
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let http = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(Server::default().response).unwrap();
    });
    let request = Request::get(format!("http://127.0.0.1:{port}/"));
    let handle = agent.send(request).unwrap();
    let response = agent.wait_for(handle).unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (200, &b"hi"[..])
    );
    assert_eq!(response.certificate(), None);
    drop(agent);
    https.join().unwrap();
    http.join().unwrap();
}

#[test]
fn https_to_a_plain_port_is_an_error_that_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let options = TlsOptions::client();
    let error = get(&mut HttpClient::new(), "127.0.0.1", port.into(), &options).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::NotTls), "{error}");
    thread.join().unwrap();
}

#[test]
fn options_that_hold_nothing_usable_are_refused() {
    for pem in [
        &b""[..],
        b"no pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = TlsOptions::client_unsafe(Some(pem)).unwrap_err();
        assert!(error.is_misuse(), "{error}");
    }
}
