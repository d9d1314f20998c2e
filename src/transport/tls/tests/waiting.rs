//! Verifiers that wait: no poll waits for them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use super::super::verifier::NoVerifier;
use super::*;
use crate::clock::Instant;
use crate::error::NetworkFault;
use crate::server::{Request, Server};
use crate::{Agent, Event, HttpClient, Method, Status};

/// When a test gives up.
const LONG: Duration = Duration::from_secs(60);

/// What the verifier answers. `None` means that it panics.
pub(super) type Verdict = Option<Result<(), rustls::Error>>;

/// Waits for its verdict from the test.
#[derive(Debug)]
struct Waiting {
    entered: Mutex<Sender<String>>,
    verdicts: Mutex<Receiver<Verdict>>,
    inner: NoVerifier,
}

/// Options whose verifier waits for the test. It first tells the name of its thread.
pub(super) fn waiting_options(
    version: TlsVersion,
) -> (TlsOptions, Receiver<String>, Sender<Verdict>) {
    let (entered_sender, entered) = channel();
    let (verdicts, verdict_receiver) = channel();
    let verifier = Waiting {
        entered: Mutex::new(entered_sender),
        verdicts: Mutex::new(verdict_receiver),
        inner: NoVerifier {
            algorithms: default_provider().signature_verification_algorithms,
        },
    };
    let options = TlsOptions::builder()
        .waiting_verifier(Arc::new(verifier))
        .max_version(version)
        .build()
        .unwrap();
    (options, entered, verdicts)
}

impl ServerCertVerifier for Waiting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.entered.lock().unwrap().send(name).unwrap();
        let verdict = self.verdicts.lock().unwrap().recv_timeout(LONG).unwrap();
        verdict.unwrap()?;
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A server with TLS, and options whose verifier waits for the test.
struct World {
    server: Server,
    port: u16,
    options: TlsOptions,
    entered: Receiver<String>,
    verdicts: Sender<Verdict>,
}

impl World {
    fn new(version: TlsVersion) -> Self {
        let leaf = Authority::new().issue("127.0.0.1");
        let served = ServerTlsOptions::builder()
            .certificate_pem(leaf.pem().as_bytes(), leaf.key_pem().as_bytes())
            .build()
            .unwrap();
        let mut server = Server::builder().tls(served).bind("127.0.0.1:0").unwrap();
        server.route("GET", "/", |_: &mut Request| "hello").unwrap();
        let (options, entered, verdicts) = waiting_options(version);
        Self {
            port: server.local_addr().port(),
            server,
            options,
            entered,
            verdicts,
        }
    }

    /// Polls until this returns something.
    fn until<T>(&mut self, mut poll: impl FnMut(&mut Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            self.server.poll().unwrap();
            if let Some(found) = poll(self) {
                return found;
            }
            assert!(start.elapsed() < LONG, "nothing happens");
            thread::yield_now();
        }
    }

    fn connect(&self) -> HttpClient {
        let mut http = HttpClient::new();
        let port = i32::from(self.port);
        http.connect_to_host("127.0.0.1", port, Some(self.options.clone()))
            .unwrap();
        http
    }
}

#[test]
fn no_poll_waits_for_a_verifier_of_a_node() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut world = World::new(version);
        let mut http = world.connect();
        let name = world.until(|world| {
            http.poll().unwrap();
            world.entered.try_recv().ok()
        });
        assert_eq!(name, "httpoll-verify");
        // If a poll waited for the verdict, the test would never get here, or not through this.
        for _ in 0..1000 {
            http.poll().unwrap();
            world.server.poll().unwrap();
            assert_eq!(http.get_status(), Status::Connecting);
        }
        world.verdicts.send(Some(Ok(()))).unwrap();
        world.until(|_| {
            http.poll().unwrap();
            (http.get_status() == Status::Connected).then_some(())
        });
        http.request(Method::Get, "/", &[], "").unwrap();
        let body = world.until(|_| {
            http.poll().unwrap();
            let has_body = http.get_status() == Status::Body;
            has_body.then(|| http.read_response_body_chunk().unwrap())
        });
        assert_eq!(body, "hello");
        assert_eq!(
            world.entered.try_recv(),
            Err(std::sync::mpsc::TryRecvError::Empty),
            "verified twice"
        );
    }
}

#[test]
fn a_verifier_that_refuses_or_panics_fails_the_handshake() {
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    for (verdict, expected) in [
        (
            Some(Err(unknown)),
            ErrorKind::Tls(TlsFault::CertificateUnknownIssuer),
        ),
        (None, ErrorKind::Network(NetworkFault::System)),
    ] {
        let mut world = World::new(TlsVersion::Tls13);
        world.verdicts.send(verdict).unwrap();
        let mut http = world.connect();
        world.until(|_| {
            let _ = http.poll();
            (http.get_status() == Status::TlsHandshakeError).then_some(())
        });
        assert_eq!(*http.get_error().unwrap().kind(), expected);
    }
}

#[test]
fn an_agent_goes_on_while_verifiers_wait_and_requests_can_end_meanwhile() {
    let mut world = World::new(TlsVersion::Tls13);
    let mut agent = Agent::new();
    let url = format!("https://127.0.0.1:{}/", world.port);
    let request = || crate::Request::get(&url).tls(world.options.clone());
    let first = agent.send(request()).unwrap();
    let port = world.port;
    world.until(|world| {
        agent.poll();
        world.entered.try_recv().ok()
    });
    for _ in 0..1000 {
        agent.poll();
        let event = agent.next_event();
        assert!(!event.is_some_and(|event| event.is_final()));
    }
    // Its result is not used.
    agent.cancel(first.id());
    agent.poll();
    world.verdicts.send(Some(Ok(()))).unwrap();
    world.verdicts.send(Some(Ok(()))).unwrap();
    let second = crate::Request::get(format!("https://127.0.0.1:{port}/"));
    let second = agent.send(second.tls(world.options.clone())).unwrap();
    let response = world.until(|_| {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { id, response } if id == second.id() => return Some(response),
                Event::Failed { error, .. } => unreachable!("{error}"),
                _ => {}
            }
        }
        None
    });
    assert_eq!(response.text(), "hello");
}

#[cfg(feature = "platform-verifier")]
#[test]
fn the_platforms_verifier_trusts_its_own_and_the_added_roots() {
    let authority = Authority::new();
    let leaf = authority.issue("game.test");
    let options = TlsOptions::builder()
        .platform_verifier()
        .add_root_pem(authority.pem().as_bytes())
        .build()
        .unwrap();
    outcome(&options, "game.test", leaf.peer()).unwrap();
    assert_eq!(
        fault(outcome(&options, "other.test", leaf.peer())),
        TlsFault::CertificateNameMismatch
    );
    let stranger = Authority::new().issue("game.test");
    assert_eq!(
        fault(outcome(&options, "game.test", stranger.peer())),
        TlsFault::CertificateUnknownIssuer
    );
    assert!(options.verifier_may_wait());
    assert!(!trusting(&authority).verifier_may_wait());
    assert!(!TlsOptions::client().verifier_may_wait());
}

#[cfg(feature = "platform-verifier")]
#[test]
fn the_platforms_verifier_always_checks_the_name() {
    let builder = TlsOptions::builder()
        .platform_verifier()
        .insecure_no_name_check();
    let error = builder.build().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Misuse(Misuse::InvalidTlsOptions));
}
