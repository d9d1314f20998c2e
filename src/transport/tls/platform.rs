//! The system's own verifier of certificates: it trusts what the player's system or company trusts, and checks
//! revocation where the system does. It may wait, so it runs in a `handshake_step` only.

use std::sync::{Arc, OnceLock};

use rustls::Error;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

use super::verifier::check_signatures;

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

    check_signatures!(provider.signature_verification_algorithms);
}
