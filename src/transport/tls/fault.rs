//! Converts rustls's errors to [`TlsFault`], by what a player, an operator or a developer can do
//! about them. The rustls error stays as the source.

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::error::{Error, ErrorKind, Misuse, TlsFault};

/// A TLS connection that is over, and why.
#[derive(Clone, Debug)]
pub(crate) struct TlsFailure {
    pub(crate) fault: TlsFault,
    source: rustls::Error,
}

impl TlsFailure {
    /// `seen` is what the session knew about its peer when the error occurred.
    pub(super) fn new(source: rustls::Error, seen: Seen) -> Self {
        Self {
            fault: fault(&source, seen),
            source,
        }
    }
}

impl From<TlsFailure> for Error {
    fn from(failure: TlsFailure) -> Self {
        Self::new(ErrorKind::Tls(failure.fault)).with_source(failure.source)
    }
}

/// The parts of a session's history that change what an error means.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The peer has sent at least one well-formed record.
    pub(super) tls: bool,
    /// The peer asked for a client certificate.
    pub(super) certificate_request: bool,
}

fn fault(error: &rustls::Error, seen: Seen) -> TlsFault {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_fault(error),
        rustls::Error::NoCertificatesPresented
        | rustls::Error::InvalidCertRevocationList(_)
        | rustls::Error::UnsupportedNameType => TlsFault::CertificateInvalid,
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
            TlsFault::Incompatible
        }
        rustls::Error::AlertReceived(alert) => alert_fault(*alert, seen),
        // These are the possible errors in a record's header. They mean "not TLS" as long as no valid
        // record came before.
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if !seen.tls => TlsFault::NotTls,
        _ => TlsFault::Protocol,
    }
}

fn certificate_fault(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsFault::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::CertificateNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::CertificateNameMismatch
        }
        CertificateError::UnknownIssuer => TlsFault::CertificateUnknownIssuer,
        CertificateError::Revoked => TlsFault::CertificateRevoked,
        // The error of webpki for an unknown self-signed certificate made in the usual way (see
        // `verifier`). rustls passes it on only as text.
        CertificateError::Other(error) if error.to_string() == "CaUsedAsEndEntity" => {
            TlsFault::CertificateUnknownIssuer
        }
        error if is_of_old_version(error) => TlsFault::CertificateVersion,
        _ => TlsFault::CertificateInvalid,
    }
}

/// Whether a certificate is of X.509 version 1 or 2. rustls passes this error of webpki on only as text.
fn is_of_old_version(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(error) if error.to_string() == "UnsupportedCertVersion")
}

/// Why a certificate and key of the caller cannot be used.
pub(super) fn unusable(error: rustls::Error) -> Error {
    let misuse = Error::from(Misuse::InvalidTlsOptions);
    match &error {
        rustls::Error::InvalidCertificate(fault) if is_of_old_version(fault) => misuse.with_source(
            "the certificate is of X.509 version 1 (or 2); it must be reissued as version 3",
        ),
        _ => misuse.with_source(error),
    }
}

/// TLS 1.2 has no alert for a missing client certificate: servers send `handshake_failure` or
/// `bad_certificate`. After the server asked for a certificate, these can hardly mean anything else.
/// Before that, `handshake_failure` means that no cipher is shared (RFC 5246 §7.2.2, §7.4.6).
fn alert_fault(alert: AlertDescription, seen: Seen) -> TlsFault {
    match alert {
        AlertDescription::CertificateRequired => TlsFault::CertificateRequired,
        AlertDescription::HandshakeFailure
        | AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
            if seen.certificate_request =>
        {
            TlsFault::CertificateRequired
        }
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::NoApplicationProtocol => TlsFault::Incompatible,
        _ => TlsFault::Alert,
    }
}
