//! Identities: the server's name as certificates spell it, and the client's certificate. `verifier`
//! decides whether to trust a server.

use std::cell::Cell;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;

use crate::error::{Error, Misuse};

/// `host` as certificates spell it (RFC 9844: no zone; RFC 6066 §3: no final dot).
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let bare = match bare.split_once('%') {
        Some((address, _zone)) if address.contains(':') => address,
        _ => bare.strip_suffix('.').unwrap_or(bare),
    };
    ServerName::try_from(bare.to_owned())
        .map_err(|error| Error::from(Misuse::InvalidHost).with_source(error))
}

/// Whether the server asked for a client certificate while `work` drove one session.
pub(super) fn asked_for_certificate<T>(work: impl FnOnce() -> T) -> (T, bool) {
    CERTIFICATE_ASKED_FOR.set(false);
    let result = work();
    (result, CERTIFICATE_ASKED_FOR.get())
}

thread_local! {
    /// Set by [`AskedCertificate`] for the session that this thread is driving. rustls reports a
    /// request for a certificate only to the certificate source. A separate source for each session
    /// would prevent resumption, which rustls allows only with the same source.
    static CERTIFICATE_ASKED_FOR: Cell<bool> = const { Cell::new(false) };
}

/// Returns the client's certificate, if there is one, and notes that the server asked for it.
#[derive(Debug)]
pub(super) struct AskedCertificate(pub(super) Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for AskedCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        CERTIFICATE_ASKED_FOR.set(true);
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
