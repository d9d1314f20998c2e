//! How many certificates of a chain are looked at. webpki tries every order of those that could have signed one another,
//! up to 200,000 steps. Eight certificates of one name are enough for that, and it cannot be divided among polls: a
//! handshake would stop the frame for as long as it takes, in a debug build for seconds.
//!
//! Chains come in order (RFC 5246 §7.4.2, RFC 8446 §4.4.2), so those that matter come first.

#[cfg(feature = "server")]
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
#[cfg(feature = "server")]
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::UnixTime,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

/// The most certificates behind the peer's own that are looked at. Public authorities use one to three.
pub(super) const MOST_INTERMEDIATES: usize = 5;

/// The certificates that are looked at.
pub(super) fn first_few<'a, 'b>(
    intermediates: &'a [CertificateDer<'b>],
) -> &'a [CertificateDer<'b>] {
    intermediates
        .get(..MOST_INTERMEDIATES)
        .unwrap_or(intermediates)
}

/// A verifier of clients that looks at the first certificates of a chain.
#[cfg(feature = "server")]
#[derive(Debug)]
pub(super) struct FewIntermediates(pub(super) Arc<dyn ClientCertVerifier>);

#[cfg(feature = "server")]
impl ClientCertVerifier for FewIntermediates {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0
            .verify_client_cert(end_entity, first_few(intermediates), now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
