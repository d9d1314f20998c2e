//! The stage for the stories in `tests`: authorities and the certificates they issue, a rustls
//! server to taste, and the two ends joined by slices.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::super::fault::TlsFailure;
use super::super::{TlsOptions, TlsSession};

/// A certificate authority.
pub(super) struct Authority(Arc<CertifiedIssuer<'static, KeyPair>>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Authorities of the same name and other keys are a story of their own.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Self(Arc::new(issuer.unwrap()))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> &[u8] {
        self.0.der()
    }

    /// A certificate for a host name or address.
    pub(super) fn issue(&self, name: &str) -> Leaf {
        Leaf::new(name, Some(Arc::clone(&self.0)), IsCa::NoCa)
    }
}

/// A certificate that vouches for itself, and perhaps says that it is an authority, as openssl's
/// do.
pub(super) fn self_signed(name: &str, is_ca: bool) -> Leaf {
    let is_ca = match is_ca {
        true => IsCa::Ca(BasicConstraints::Unconstrained),
        false => IsCa::ExplicitNoCa,
    };
    Leaf::new(name, None, is_ca)
}

pub(super) struct Leaf {
    params: CertificateParams,
    issuer: Option<Arc<CertifiedIssuer<'static, KeyPair>>>,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl Leaf {
    fn new(
        name: &str,
        issuer: Option<Arc<CertifiedIssuer<'static, KeyPair>>>,
        is_ca: IsCa,
    ) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let leaf = Self {
            params,
            issuer,
            key,
            certificate,
        };
        leaf.sign()
    }

    pub(super) fn valid(mut self, from_year: i32, to_year: i32) -> Self {
        self.params.not_before = date_time_ymd(from_year, 1, 1);
        self.params.not_after = date_time_ymd(to_year, 1, 1);
        self.sign()
    }

    fn sign(mut self) -> Self {
        let signed = match &self.issuer {
            Some(issuer) => self.params.signed_by(&self.key, issuer),
            None => self.params.self_signed(&self.key),
        };
        self.certificate = signed.unwrap();
        self
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A server with this certificate.
    pub(super) fn peer(&self) -> Peer {
        Peer {
            chain: vec![self.certificate.der().clone()],
            key: PrivateKeyDer::try_from(self.key.serialize_der()).unwrap(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            clients: None,
            protocols: Vec::new(),
            fragment: None,
        }
    }
}

/// A server's settings.
pub(super) struct Peer {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    versions: Vec<&'static SupportedProtocolVersion>,
    clients: Option<RootCertStore>,
    protocols: Vec<Vec<u8>>,
    fragment: Option<usize>,
}

impl Peer {
    /// A server with the certificate and the key of a PEM text.
    pub(super) fn of_pem(pem: &[u8]) -> Self {
        Self {
            chain: vec![CertificateDer::from_pem_slice(pem).unwrap()],
            key: PrivateKeyDer::from_pem_slice(pem).unwrap(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            clients: None,
            protocols: Vec::new(),
            fragment: None,
        }
    }

    pub(super) fn version(mut self, only: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![only];
        self
    }

    pub(super) fn asks_for_certificates_of(mut self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        self.clients = Some(roots);
        self
    }

    /// Shows these certificates behind its own.
    pub(super) fn with_chain(mut self, others: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.chain
            .extend(others.into_iter().map(CertificateDer::from));
        self
    }

    pub(super) fn protocols(mut self, names: &[&str]) -> Self {
        self.protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub(super) fn fragments(mut self, size: Option<usize>) -> Self {
        self.fragment = size;
        self
    }

    pub(super) fn config(self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let key_provider = provider.key_provider;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match self.clients {
            Some(roots) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap(),
            ),
            None => builder.with_no_client_auth(),
        };
        // Unlike `with_single_cert`, this takes certificates that rustls cannot read.
        let key = key_provider.load_private_key(self.key).unwrap();
        let certified = SingleCertAndKey::from(CertifiedKey::new(self.chain, key));
        let mut config = builder.with_cert_resolver(Arc::new(certified));
        config.alpn_protocols = self.protocols;
        config.max_fragment_size = self.fragment;
        Arc::new(config)
    }
}

/// A client and a server, and a wire between them.
pub(super) struct Pair {
    pub(super) client: TlsSession,
    pub(super) server: ServerConnection,
    pub(super) server_error: Option<rustls::Error>,
    heard: Vec<u8>,
    closed: bool,
    /// The plaintext the client received.
    pub(super) received: Vec<u8>,
    /// The most bytes the client receives at once.
    pub(super) step: usize,
}

impl Pair {
    pub(super) fn new(options: &TlsOptions, host: &str, config: &Arc<ServerConfig>) -> Self {
        Self {
            client: TlsSession::client(options, host).unwrap(),
            server: ServerConnection::new(Arc::clone(config)).unwrap(),
            server_error: None,
            heard: Vec::new(),
            closed: false,
            received: Vec::new(),
            step: usize::MAX,
        }
    }

    /// A pair whose handshake is done.
    pub(super) fn connected() -> Self {
        let leaf = self_signed("game.test", false);
        let options = TlsOptions::client_unsafe(None).unwrap();
        let mut pair = Self::new(&options, "game.test", &leaf.peer().config());
        pair.drive().unwrap();
        pair
    }

    /// Carries bytes until neither side has any; the client's failure is the result, after its
    /// alert was delivered.
    pub(super) fn drive(&mut self) -> Result<(), TlsFailure> {
        loop {
            let mut moved = self.deliver_to_server();
            let mut wire = self.server_wire();
            moved |= !wire.is_empty();
            if let Err(failure) = self.drive_client(&mut wire) {
                self.deliver_to_server();
                return Err(failure);
            }
            if !moved {
                return Ok(());
            }
        }
    }

    pub(super) fn deliver_to_server(&mut self) -> bool {
        let mut wire = Vec::new();
        self.client.poll_transmit(&mut wire);
        let mut rest = wire.as_slice();
        while !rest.is_empty() && self.server_error.is_none() {
            if self.server.read_tls(&mut rest).unwrap() == 0 {
                break;
            }
            match self.server.process_new_packets() {
                Ok(state) => {
                    self.closed |= state.peer_has_closed();
                    let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
                    self.server.reader().read_exact(&mut plaintext).unwrap();
                    self.heard.append(&mut plaintext);
                }
                Err(error) => self.server_error = Some(error),
            }
        }
        !wire.is_empty()
    }

    /// Lets the client receive these bytes.
    pub(super) fn drive_client(&mut self, wire: &mut [u8]) -> Result<(), TlsFailure> {
        wire.chunks_mut(self.step).try_for_each(|piece| {
            self.client
                .receive_all(piece, &mut |bytes| self.received.extend_from_slice(bytes))
        })
    }

    /// The bytes the server has to send.
    pub(super) fn server_wire(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).unwrap();
        }
        wire
    }

    pub(super) fn say_as_server(&mut self, plaintext: &[u8]) {
        self.server.set_buffer_limit(None);
        self.server.writer().write_all(plaintext).unwrap();
    }

    pub(super) fn heard_by_server(&self) -> &[u8] {
        &self.heard
    }

    pub(super) fn server_saw_close(&self) -> bool {
        self.closed
    }

    /// Sends `data` both ways and sees it arrive.
    pub(super) fn exchange(&mut self, data: &[u8]) {
        self.received.clear();
        self.heard.clear();
        let mut rest = data;
        while !rest.is_empty() {
            let taken = self.client.write(rest).unwrap();
            rest = &rest[taken..];
            self.drive().unwrap();
        }
        self.say_as_server(data);
        self.drive().unwrap();
        assert!(self.heard == data, "the server heard something else");
        assert!(self.received == data, "the client heard something else");
    }
}
