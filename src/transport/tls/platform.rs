//! The system's own verifier of certificates: it trusts what the player's system or company trusts, and checks
//! revocation where the system does. It may wait, so it runs in a `handshake_step` only.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Makes the system's verifier when the first certificate is verified: on some systems it reads files then.
#[derive(Debug)]
pub(super) struct PlatformVerifier {
    provider: Arc<CryptoProvider>,
    /// Trusted in addition.
    #[cfg_attr(target_os = "android", allow(dead_code, reason = "see TAKES_ROOTS"))]
    roots: Vec<CertificateDer<'static>>,
    verifier: OnceLock<Result<Verifier, Error>>,
}

impl PlatformVerifier {
    /// Whether the system's verifier takes further roots. Android has a configuration file for these.
    pub(super) const TAKES_ROOTS: bool = cfg!(not(target_os = "android"));

    pub(super) fn new(provider: Arc<CryptoProvider>, roots: Vec<CertificateDer<'static>>) -> Self {
        Self {
            provider,
            roots,
            verifier: OnceLock::new(),
        }
    }

    fn verifier(&self) -> Result<&Verifier, Error> {
        let made = self.verifier.get_or_init(|| self.make());
        made.as_ref().map_err(Clone::clone)
    }

    #[cfg(not(target_os = "android"))]
    fn make(&self) -> Result<Verifier, Error> {
        let provider = Arc::clone(&self.provider);
        if self.roots.is_empty() {
            return Verifier::new(provider);
        }
        Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider)
    }

    #[cfg(target_os = "android")]
    fn make(&self) -> Result<Verifier, Error> {
        Verifier::new(Arc::clone(&self.provider))
    }
}

impl ServerCertVerifier for PlatformVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier()?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
