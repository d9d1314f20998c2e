//! What can go wrong, sorted by who is to blame, and what the caller can do about it.
//!
//! [`Error`] carries where (host and phase), what (kind and cause) and how far (bytes moved).
//! Its text never holds credentials, query strings or header values. The lossy map to Godot's
//! `Error` codes lives in `node`.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::limits::Limit;
use crate::phase::Phase;

/// A failed request, connection or call. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    phase: Option<Phase>,
    origin: Option<Box<str>>,
    sent: u64,
    received: u64,
    retryable: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What failed, by blame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's mistake; the call changed nothing.
    Misuse(Misuse),
    /// The peer went over one of [`Limits`](crate::Limits).
    Limit(Limit),
    /// The name could not be resolved, or the network failed.
    Network(NetworkFault),
    /// TLS could not be agreed upon or the certificate was refused.
    Tls(TlsFault),
    /// A proxy refused the tunnel.
    Proxy(ProxyFault),
    /// The peer broke the protocol.
    Peer(PeerMisbehaved),
    /// The peer closed in the middle of a message.
    Truncated {
        /// Content bytes received before the end.
        received: u64,
        /// Content bytes announced, when a length was.
        expected: Option<u64>,
    },
    /// A phase took longer than [`Timeouts`](crate::Timeouts) allows.
    Timeout(Phase),
    /// The caller's own source of request content failed or ended early.
    RequestBody,
}

/// A call that cannot be obeyed; the state is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// The call is not allowed in the present status.
    WrongStatus,
    /// Not connected, and not trying to.
    NotConnected,
    /// The host is empty or no valid host name or address.
    InvalidHost,
    /// The port is outside 1 to 65535.
    InvalidPort,
    /// The request target is neither a path that starts with `/`, an `http` or `https` URL, `*` for
    /// `OPTIONS`, nor `host:port` for `CONNECT`; or it holds control characters.
    InvalidTarget,
    /// A header line has no name, no colon, or characters that RFC 9110 §5 forbids (CR, LF, NUL…).
    InvalidHeader,
    /// The method is no token (RFC 9110 §9.1).
    InvalidMethod,
    /// The caller set framing headers (`Transfer-Encoding`, a second `Content-Length`, or one that
    /// differs from the content's length) that contradict the content.
    FramingHeader,
    /// More content was given than announced, or content for a message that has none.
    TooMuchContent,
    /// The content ended before its announced length.
    TooLittleContent,
    /// A read chunk size outside 256 bytes to 16 MiB.
    ChunkSize,
    /// HTTPS was asked for, but the `tls` feature is off.
    TlsNotBuilt,
    /// TLS options that hold no usable certificate or key.
    InvalidTlsOptions,
    /// The call would break the message order (for example a response before its request).
    OutOfOrder,
}

/// The network between here and the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkFault {
    /// The resolver knows no address for the name, or failed.
    Unresolved,
    /// No address could be connected to.
    ConnectFailed,
    /// The connection broke (reset, aborted, host unreachable).
    Broken,
    /// The peer closed an idle connection, or closed before it sent any byte of the response.
    Closed,
    /// The operating system refused a socket, a poll instance or a thread.
    System,
}

/// Why TLS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate's validity is over.
    CertificateExpired,
    /// The certificate is not valid yet (or this machine's clock is behind).
    CertificateNotYetValid,
    /// The certificate is for other names than the one connected to.
    CertificateNameMismatch,
    /// No trusted root vouches for the certificate (a private or self-signed one).
    CertificateUnknownIssuer,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate is malformed, badly signed or unfit for a server.
    CertificateInvalid,
    /// The server wants a client certificate and none, or a wrong one, was given.
    CertificateRequired,
    /// Both sides share no TLS version, cipher or protocol.
    Incompatible,
    /// The peer ended the handshake with an alert.
    Alert,
    /// What came is not TLS (often: `https` to a plain HTTP port).
    NotTls,
    /// The TLS protocol was broken.
    Protocol,
}

/// Why a proxy opened no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyFault {
    /// `407`: the proxy wants (other) credentials.
    AuthenticationRequired,
    /// Any other status that is not 2xx.
    Refused {
        /// The proxy's status code.
        status: u16,
    },
}

/// How the peer broke the protocol, with the section that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The first line is no HTTP/1.x start line (RFC 9112 §3, §4).
    NotHttp,
    /// A version other than HTTP/1.0 or HTTP/1.1 (RFC 9112 §2.3).
    UnsupportedVersion,
    /// A status code that is not three digits from 100 to 999 (RFC 9112 §4).
    InvalidStatus,
    /// A request target of none of the four forms (RFC 9112 §3.2).
    InvalidTarget,
    /// A field line with no colon, a bad name or forbidden characters (RFC 9112 §5).
    InvalidHeader,
    /// A field line continued on the next one (RFC 9112 §5.2).
    ObsoleteLineFolding,
    /// A line that ends in LF alone where CRLF is required (RFC 9112 §2.2).
    BareLineFeed,
    /// `Content-Length` is no decimal number, or too large (RFC 9112 §6.3).
    InvalidContentLength,
    /// Several `Content-Length` values that differ (RFC 9112 §6.3).
    ConflictingContentLength,
    /// `Content-Length` together with `Transfer-Encoding` in a request (RFC 9112 §6.1).
    ContentLengthWithTransferEncoding,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    UnsupportedTransferCoding,
    /// `chunked` is not the final coding, or applied twice (RFC 9112 §6.1).
    InvalidTransferEncoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message (RFC 9112 §6.1).
    TransferEncodingInHttp10,
    /// A chunk size that is no hexadecimal number, or too large (RFC 9112 §7.1).
    InvalidChunkSize,
    /// Chunk data not followed by CRLF, or a malformed chunk line (RFC 9112 §7.1).
    InvalidChunk,
    /// A malformed trailer section (RFC 9112 §7.1.2).
    InvalidTrailer,
    /// `Host` is missing, repeated or malformed (RFC 9112 §3.2).
    InvalidHost,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    UnknownExpectation,
    /// `101 Switching Protocols` although no upgrade was asked for (RFC 9110 §15.2.2).
    UnexpectedUpgrade,
    /// Bytes arrived when no message was due.
    UnexpectedData,
}

impl Error {
    /// An error of this kind that no request or peer belongs to yet.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            phase: None,
            origin: None,
            sent: 0,
            received: 0,
            retryable: false,
            source: None,
        }))
    }

    pub(crate) fn io(fault: NetworkFault, source: io::Error) -> Self {
        Self::new(ErrorKind::Network(fault)).with_source(source)
    }

    #[must_use]
    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, phase: Phase, origin: &str) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.phase = Some(phase);
        inner.origin = Some(origin.into());
        self
    }

    #[must_use]
    pub(crate) fn moved(mut self, sent: u64, received: u64) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.sent = sent;
        inner.received = received;
        self
    }

    #[must_use]
    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        Arc::make_mut(&mut self.0).retryable = retryable;
        self
    }

    /// What failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The phase in which it failed; `None` for misuse of a call.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Scheme, host and port of the peer, as in `https://example.com:8443`, without credentials,
    /// path or query; `None` when no peer was involved.
    pub fn origin(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }

    /// Bytes of the request given to the network before it failed (HTTP bytes, not TLS records).
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent
    }

    /// Bytes of the response received before it failed (HTTP bytes, not TLS records).
    pub fn bytes_received(&self) -> u64 {
        self.0.received
    }

    /// Whether some deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout(_))
    }

    /// Whether the call was refused as misuse and nothing changed.
    pub fn is_misuse(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Misuse(_))
    }

    /// Whether the same request, sent again, may succeed and can do no harm: the failure may pass,
    /// and either the request never reached the peer or its method is idempotent (RFC 9110 §9.2.2).
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::new(ErrorKind::Misuse(misuse))
    }
}

impl From<Misuse> for ErrorKind {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<Limit> for ErrorKind {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<PeerMisbehaved> for ErrorKind {
    fn from(fault: PeerMisbehaved) -> Self {
        Self::Peer(fault)
    }
}

impl From<TlsFault> for ErrorKind {
    fn from(fault: TlsFault) -> Self {
        Self::Tls(fault)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.0.origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "{}", self.0.kind)?;
        if let Some(phase) = self.0.phase
            && !self.is_timeout()
        {
            write!(f, ", while {phase}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("origin", &self.0.origin)
            .field("bytes_sent", &self.0.sent)
            .field("bytes_received", &self.0.received)
            .field("retryable", &self.0.retryable)
            .field("source", &self.0.source)
            .finish()
    }
}

impl PartialEq for Error {
    /// Two errors are equal when kind, phase, origin and counts are; causes are not compared.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        a.kind == b.kind
            && a.phase == b.phase
            && a.origin == b.origin
            && (a.sent, a.received, a.retryable) == (b.sent, b.received, b.retryable)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Limit(limit) => limit.fmt(f),
            Self::Network(fault) => fault.fmt(f),
            Self::Tls(fault) => fault.fmt(f),
            Self::Proxy(fault) => fault.fmt(f),
            Self::Peer(fault) => fault.fmt(f),
            Self::Truncated {
                received,
                expected: Some(expected),
            } => {
                write!(
                    f,
                    "the peer closed after {received} of {expected} bytes of content"
                )
            }
            Self::Truncated {
                received,
                expected: None,
            } => {
                write!(
                    f,
                    "the peer closed before the end of the message, after {received} bytes of content"
                )
            }
            Self::Timeout(phase) => write!(f, "timed out while {phase}"),
            Self::RequestBody => f.write_str("the source of the request content failed"),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongStatus => "this call is not allowed in the present status",
            Self::NotConnected => "not connected: call connect_to_host first",
            Self::InvalidHost => "the host is no valid host name or address",
            Self::InvalidPort => "the port must be from 1 to 65535",
            Self::InvalidTarget => {
                "the request target must be a path that starts with /, and hold no control characters"
            }
            Self::InvalidHeader => {
                "a header must be `Name: value` without line breaks or control characters"
            }
            Self::InvalidMethod => "the method must be a token such as GET",
            Self::FramingHeader => "a framing header contradicts the request content",
            Self::TooMuchContent => "more content was given than announced",
            Self::TooLittleContent => "the content ended before its announced length",
            Self::ChunkSize => "the read chunk size must be from 256 bytes to 16 MiB",
            Self::TlsNotBuilt => "https needs httpoll's `tls` feature",
            Self::InvalidTlsOptions => "the TLS options hold no usable certificate or key",
            Self::OutOfOrder => "this would break the order of messages on the connection",
        })
    }
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unresolved => "the host name could not be resolved",
            Self::ConnectFailed => "no address of the host could be connected to",
            Self::Broken => "the connection broke",
            Self::Closed => "the peer closed the connection",
            Self::System => "the operating system refused a resource",
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateExpired => "the certificate has expired",
            Self::CertificateNotYetValid => {
                "the certificate is not valid yet (is this machine's clock right?)"
            }
            Self::CertificateNameMismatch => "the certificate is for another host name",
            Self::CertificateUnknownIssuer => {
                "the certificate's issuer is not trusted (add its root to TlsOptions)"
            }
            Self::CertificateRevoked => "the certificate was revoked",
            Self::CertificateInvalid => "the certificate is invalid",
            Self::CertificateRequired => "the server wants a client certificate (see TlsOptions)",
            Self::Incompatible => "no TLS version or cipher in common with the peer",
            Self::Alert => "the peer refused the TLS handshake",
            Self::NotTls => "the peer does not speak TLS (is this an http port?)",
            Self::Protocol => "the peer broke the TLS protocol",
        })
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthenticationRequired => f.write_str("the proxy wants other credentials (407)"),
            Self::Refused { status } => {
                write!(f, "the proxy refused the tunnel with status {status}")
            }
        }
    }
}

impl fmt::Display for PeerMisbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, section) = match self {
            Self::NotHttp => ("the peer does not speak HTTP/1", "RFC 9112 §4"),
            Self::UnsupportedVersion => ("unsupported HTTP version", "RFC 9112 §2.3"),
            Self::InvalidStatus => ("malformed status code", "RFC 9112 §4"),
            Self::InvalidTarget => ("malformed request target", "RFC 9112 §3.2"),
            Self::InvalidHeader => ("malformed header line", "RFC 9112 §5"),
            Self::ObsoleteLineFolding => ("folded header line", "RFC 9112 §5.2"),
            Self::BareLineFeed => ("line without CR before its LF", "RFC 9112 §2.2"),
            Self::InvalidContentLength => ("malformed Content-Length", "RFC 9112 §6.3"),
            Self::ConflictingContentLength => {
                ("conflicting Content-Length values", "RFC 9112 §6.3")
            }
            Self::ContentLengthWithTransferEncoding => (
                "Content-Length together with Transfer-Encoding",
                "RFC 9112 §6.1",
            ),
            Self::UnsupportedTransferCoding => ("unsupported transfer coding", "RFC 9112 §6.1"),
            Self::InvalidTransferEncoding => ("malformed Transfer-Encoding", "RFC 9112 §6.1"),
            Self::TransferEncodingInHttp10 => {
                ("Transfer-Encoding in an HTTP/1.0 message", "RFC 9112 §6.1")
            }
            Self::InvalidChunkSize => ("malformed chunk size", "RFC 9112 §7.1"),
            Self::InvalidChunk => ("malformed chunk", "RFC 9112 §7.1"),
            Self::InvalidTrailer => ("malformed trailer section", "RFC 9112 §7.1.2"),
            Self::InvalidHost => ("missing, repeated or malformed Host", "RFC 9112 §3.2"),
            Self::UnknownExpectation => ("unknown expectation", "RFC 9110 §10.1.1"),
            Self::UnexpectedUpgrade => ("an upgrade that was not asked for", "RFC 9110 §15.2.2"),
            Self::UnexpectedData => ("data that belongs to no message", "RFC 9112 §9.3"),
        };
        write!(f, "{what} ({section})")
    }
}
