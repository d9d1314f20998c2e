//! curl's exit statuses, and which of them an error of the agent is.

use std::fmt;
use std::io::Write;

use httpoll::{
    Error, ErrorKind, Phase,
    error::{
        AuthFault, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, RedirectRefusal,
        RequestRefused, TlsFault,
    },
    limits::Limit,
};

pub(crate) const UNSUPPORTED_PROTOCOL: u8 = 1;
pub(crate) const FAILED_INIT: u8 = 2;
pub(crate) const MALFORMED_URL: u8 = 3;
pub(crate) const NOT_BUILT_IN: u8 = 4;
pub(crate) const UNRESOLVED_PROXY: u8 = 5;
pub(crate) const UNRESOLVED_HOST: u8 = 6;
pub(crate) const COULD_NOT_CONNECT: u8 = 7;
pub(crate) const WEIRD_SERVER_REPLY: u8 = 8;
pub(crate) const PARTIAL_FILE: u8 = 18;
pub(crate) const HTTP_ERROR: u8 = 22;
pub(crate) const WRITE_ERROR: u8 = 23;
pub(crate) const READ_ERROR: u8 = 26;
pub(crate) const TIMED_OUT: u8 = 28;
pub(crate) const RANGE_ERROR: u8 = 33;
pub(crate) const TLS_CONNECT_ERROR: u8 = 35;
pub(crate) const BAD_ARGUMENT: u8 = 43;
pub(crate) const TOO_MANY_REDIRECTS: u8 = 47;
pub(crate) const GOT_NOTHING: u8 = 52;
pub(crate) const SEND_ERROR: u8 = 55;
pub(crate) const RECEIVE_ERROR: u8 = 56;
pub(crate) const CERTIFICATE_PROBLEM: u8 = 58;
pub(crate) const PEER_UNVERIFIED: u8 = 60;
pub(crate) const BAD_CODING: u8 = 61;
pub(crate) const FILE_SIZE_EXCEEDED: u8 = 63;
pub(crate) const SEND_FAIL_REWIND: u8 = 65;
pub(crate) const CA_FILE: u8 = 77;
pub(crate) const AUTH_ERROR: u8 = 94;
pub(crate) const PROXY_HANDSHAKE: u8 = 97;

/// Why a transfer, or all of them, failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u8, message: impl fmt::Display) -> Self {
        Self {
            status,
            message: message.to_string(),
        }
    }

    /// Of the agent's error. `through_proxy`: whether the request went through one; `uploads`:
    /// whether it read a file.
    pub(crate) fn of(error: &Error, through_proxy: bool, uploads: bool) -> Self {
        Self::new(status(error, through_proxy, uploads), error)
    }

    /// Of a file that cannot be used.
    pub(crate) fn file(status: u8, path: &str, error: &std::io::Error) -> Self {
        Self::new(status, format_args!("{path}: {error}"))
    }

    /// To standard error, as curl has it. There is nobody to tell if that fails.
    pub(crate) fn print(&self) {
        let mut stderr = std::io::stderr().lock();
        if self.status == FAILED_INIT {
            let _ = writeln!(stderr, "fetch: {}\nfetch: try 'fetch --help'", self.message);
            return;
        }
        let _ = writeln!(stderr, "fetch: ({}) {}", self.status, self.message);
    }
}

fn status(error: &Error, through_proxy: bool, uploads: bool) -> u8 {
    match error.kind() {
        ErrorKind::Misuse(misuse) => of_misuse(*misuse),
        ErrorKind::Limit(Limit::BodyBytes(_) | Limit::FileBytes(_)) => FILE_SIZE_EXCEEDED,
        ErrorKind::Limit(_) => RECEIVE_ERROR,
        ErrorKind::Network(NetworkFault::Unresolved) if through_proxy => UNRESOLVED_PROXY,
        ErrorKind::Network(NetworkFault::Unresolved) => UNRESOLVED_HOST,
        ErrorKind::Network(NetworkFault::ConnectFailed | NetworkFault::System) => COULD_NOT_CONNECT,
        ErrorKind::Network(fault) => of_broken(*fault, error),
        ErrorKind::Tls(fault) => of_tls(fault, error.phase()),
        ErrorKind::Proxy(ProxyFault::AuthenticationRequired | ProxyFault::Refused { .. }) => {
            RECEIVE_ERROR
        }
        ErrorKind::Proxy(_) => PROXY_HANDSHAKE,
        ErrorKind::Peer(fault) => of_peer(*fault),
        ErrorKind::Truncated { .. } => PARTIAL_FILE,
        ErrorKind::Timeout(_) | ErrorKind::TotalTimeout(_) => TIMED_OUT,
        ErrorKind::RequestBody | ErrorKind::Form(_) => READ_ERROR,
        ErrorKind::Status(_) => HTTP_ERROR,
        ErrorKind::Redirect(RedirectRefusal::TooMany(_)) => TOO_MANY_REDIRECTS,
        ErrorKind::Redirect(RedirectRefusal::InvalidLocation) => MALFORMED_URL,
        ErrorKind::Redirect(_) | ErrorKind::Access(_) => UNSUPPORTED_PROTOCOL,
        ErrorKind::Auth(AuthFault::DigestNotBuilt) => NOT_BUILT_IN,
        ErrorKind::Auth(_) => AUTH_ERROR,
        ErrorKind::Coding(_) => BAD_CODING,
        ErrorKind::File(_) if uploads => READ_ERROR,
        ErrorKind::File(_) => WRITE_ERROR,
        ErrorKind::Refused(RequestRefused::ContentSpent) => SEND_FAIL_REWIND,
        _ => FAILED_INIT,
    }
}

fn of_misuse(misuse: Misuse) -> u8 {
    match misuse {
        Misuse::InvalidUrl | Misuse::InvalidHost | Misuse::InvalidPort | Misuse::InvalidTarget => {
            MALFORMED_URL
        }
        Misuse::TlsNotBuilt | Misuse::FeatureNotBuilt(_) => NOT_BUILT_IN,
        Misuse::InvalidTlsOptions => CERTIFICATE_PROBLEM,
        Misuse::TooLittleContent | Misuse::TooMuchContent => READ_ERROR,
        _ => BAD_ARGUMENT,
    }
}

/// The connection was there, and then it was not.
fn of_broken(fault: NetworkFault, error: &Error) -> u8 {
    match error.phase() {
        Some(Phase::TlsHandshake) => TLS_CONNECT_ERROR,
        Some(Phase::Tunnel) => RECEIVE_ERROR,
        Some(Phase::SendHead | Phase::SendBody) if fault == NetworkFault::Broken => SEND_ERROR,
        _ if fault == NetworkFault::Closed && error.bytes_received() == 0 => GOT_NOTHING,
        _ => RECEIVE_ERROR,
    }
}

fn of_tls(fault: &TlsFault, phase: Option<Phase>) -> u8 {
    match fault {
        TlsFault::CertificateExpired
        | TlsFault::CertificateNotYetValid
        | TlsFault::CertificateNameMismatch
        | TlsFault::CertificateUnknownIssuer
        | TlsFault::CertificateRevoked
        | TlsFault::CertificateVersion
        | TlsFault::CertificateInvalid => PEER_UNVERIFIED,
        // TLS 1.3 tells of a missing certificate after the handshake.
        _ if phase != Some(Phase::TlsHandshake) => RECEIVE_ERROR,
        _ => TLS_CONNECT_ERROR,
    }
}

fn of_peer(fault: PeerMisbehaved) -> u8 {
    match fault {
        PeerMisbehaved::NotHttp
        | PeerMisbehaved::UnsupportedVersion
        | PeerMisbehaved::InvalidStatus => UNSUPPORTED_PROTOCOL,
        PeerMisbehaved::UnsupportedTransferCoding | PeerMisbehaved::InvalidTransferEncoding => {
            BAD_CODING
        }
        PeerMisbehaved::InvalidChunk
        | PeerMisbehaved::InvalidChunkSize
        | PeerMisbehaved::InvalidTrailer
        | PeerMisbehaved::UnexpectedData => RECEIVE_ERROR,
        _ => WEIRD_SERVER_REPLY,
    }
}
