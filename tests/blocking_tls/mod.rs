//! TLS between a server and a client on a thread that blocks: a certificate for `localhost`, and rustls over TCP with a
//! client that trusts it.

#![allow(unreachable_pub, clippy::unwrap_used)]

use std::net::TcpStream;
use std::sync::Arc;

use httpoll::server::ServerTlsOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub struct BlockingTls {
    certificate: String,
    key: String,
    client: Arc<ClientConfig>,
}

impl BlockingTls {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            client: Arc::new(client),
        }
    }

    pub fn server_options(&self) -> ServerTlsOptions {
        ServerTlsOptions::builder()
            .certificate_pem(self.certificate.as_bytes(), self.key.as_bytes())
            .build()
            .unwrap()
    }

    /// The client's session over this connection. Its handshake happens with the first read or write.
    pub fn connect(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        StreamOwned::new(session, stream)
    }
}
