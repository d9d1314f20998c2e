//! The kinds of errors, by who is to blame. Their texts are in `text`.

#[cfg(feature = "agent")]
use super::access::AccessRefusal;
#[cfg(feature = "agent")]
use super::auth::AuthFault;
#[cfg(feature = "agent")]
use super::coding::CodingFault;
#[cfg(any(feature = "agent", feature = "server"))]
use super::disk::DiskFault;
#[cfg(feature = "agent")]
use super::event_stream::EventStreamFault;
#[cfg(all(feature = "agent", feature = "multipart"))]
use super::form::FormFault;
#[cfg(feature = "agent")]
use super::frames::FrameFault;
#[cfg(feature = "patch")]
use super::patch::PatchFault;
#[cfg(feature = "agent")]
use super::redirect::RedirectRefusal;
#[cfg(all(feature = "agent", feature = "websocket"))]
use super::websocket::WebSocketFault;
use crate::limits::Limit;
use crate::phase::Phase;

/// What failed. The crate's documentation sorts the kinds by [who is to blame](crate#errors).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's mistake; the call changed nothing.
    Misuse(Misuse),
    /// The peer exceeded one of the [`Limits`](crate::Limits), or content a limit of the request.
    Limit(Limit),
    /// The name could not be resolved, or the network failed.
    Network(NetworkFault),
    /// TLS could not be established, or the certificate was refused.
    Tls(TlsFault),
    /// A proxy refused the tunnel.
    Proxy(ProxyFault),
    /// The peer broke the protocol.
    Peer(PeerMisbehaved),
    /// The connection closed in the middle of a message.
    Truncated {
        /// Content bytes received before the end.
        received: u64,
        /// Content bytes announced; `None` when no length was.
        expected: Option<u64>,
    },
    /// A phase took longer than [`Timeouts`](crate::Timeouts) allows.
    Timeout(Phase),
    /// The caller's own source of request content failed or ended early.
    RequestBody,
    /// The whole request, with all redirects and retries, took longer than its total timeout. Holds
    /// the phase that it was in.
    #[cfg(feature = "agent")]
    TotalTimeout(Phase),
    /// The status was 400 or above, or one that the request cannot use.
    #[cfg(feature = "agent")]
    Status(u16),
    /// A redirect was not followed.
    #[cfg(feature = "agent")]
    Redirect(RedirectRefusal),
    /// The [`AccessPolicy`](crate::access::AccessPolicy) does not allow the request or its response.
    #[cfg(feature = "agent")]
    Access(AccessRefusal),
    /// The credentials cannot be sent, or none of the challenges of a response with status 401 can be answered with
    /// them. That response comes with the error.
    #[cfg(feature = "agent")]
    Auth(AuthFault),
    /// The content could not be decoded from its content coding.
    #[cfg(feature = "agent")]
    Coding(CodingFault),
    /// The content is not a valid event stream.
    #[cfg(feature = "agent")]
    EventStream(EventStreamFault),
    /// The content cannot be divided into [messages](crate::frames::Framing).
    #[cfg(feature = "agent")]
    Frame(FrameFault),
    /// The content is not JSON, or not of the expected shape.
    #[cfg(feature = "agent")]
    InvalidJson,
    /// A file could not be read or written, or has not the expected content.
    /// [`Error::path`](crate::Error::path) names it.
    #[cfg(any(feature = "agent", feature = "server"))]
    File(DiskFault),
    /// A set of files was not brought up to date.
    #[cfg(feature = "patch")]
    Patch(PatchFault),
    /// The multipart form cannot be sent.
    #[cfg(all(feature = "agent", feature = "multipart"))]
    Form(FormFault),
    /// The WebSocket failed.
    #[cfg(all(feature = "agent", feature = "websocket"))]
    WebSocket(WebSocketFault),
    /// The agent did not send the request, or did not send it again.
    #[cfg(feature = "agent")]
    Refused(RequestRefused),
    /// A bug in httpoll itself, with the broken assumption in words. Please report it with this text.
    /// The request has ended; the client or agent can go on. A debug build panics instead.
    Internal(&'static str),
}

/// Why the agent did not send a request, or did not send it again.
#[cfg(feature = "agent")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestRefused {
    /// It must be sent again, but its content came from a reader, which cannot be read twice.
    ContentSpent,
    /// The agent was suspended while it was being sent, and sending it twice could do harm.
    Suspended,
    /// Its origin failed too often and gets no requests for a while; see
    /// [`CircuitPolicy`](crate::circuit::CircuitPolicy).
    CircuitOpen,
    /// Only the cache may be used, and it has no response for it
    /// ([`CacheMode::OnlyIfCached`](crate::agent::CacheMode::OnlyIfCached)).
    NotCached,
    /// It has no open WebSocket.
    NoWebSocket,
    /// The agent's own thread panicked, for example in a reader that the caller gave.
    ThreadPanicked,
}

/// A call that is not allowed; it changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// The call is not allowed in the present status.
    WrongStatus,
    /// Not connected, and not trying to.
    NotConnected,
    /// The host is empty, or not a valid host name or address.
    InvalidHost,
    /// The host holds a port, as in `example.com:8080`; the port is an argument of its own.
    PortInHost,
    /// The port is outside 1 to 65535.
    InvalidPort,
    /// The request target is neither a path that starts with `/`, an `http` or `https` URL, `*` for
    /// `OPTIONS`, nor `host:port` for `CONNECT`; or it holds control characters.
    InvalidTarget,
    /// A header has no name, no colon, or characters that RFC 9110 §5 forbids (CR, LF, NUL…).
    InvalidHeader,
    /// The method is not a token (RFC 9110 §9.1).
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
    /// The scheme is `https`, but the `tls` feature is off.
    TlsNotBuilt,
    /// The TLS options hold no usable certificate or key.
    InvalidTlsOptions,
    /// SOCKS credentials that are too long or empty: RFC 1929 allows 1 to 255 bytes of user name and at
    /// most 255 of password.
    InvalidCredentials,
    /// The call would break the message order (for example a response before its request).
    OutOfOrder,
    /// The URL is not an absolute `http` or `https` URL, and there is no base URL for a relative one.
    InvalidUrl,
    /// The value given as content cannot be encoded.
    InvalidContent,
    /// Content was given twice, for example as JSON and as a form.
    ConflictingContent,
    /// A digest is not 64 hexadecimal digits.
    InvalidDigest,
    /// The request has ended and its end was reported, or it was cancelled, or it belongs to another
    /// agent.
    UnknownRequest,
    /// The name of a local tool is empty, has more than 64 bytes, or has other characters than letters, digits,
    /// `-` and `_`.
    InvalidToolName,
    /// The call needs this feature of the crate.
    FeatureNotBuilt(&'static str),
    /// A page in a browser cannot do this. Only on the web; see
    /// [the list of differences](crate#on-the-web).
    NotOnWeb(&'static str),
}

/// What failed in the network between here and the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkFault {
    /// The resolver has no address for the name, or failed.
    Unresolved,
    /// No address of the host accepted a connection. The source names the last one that failed.
    ConnectFailed,
    /// The connection broke (reset, aborted, host unreachable).
    Broken,
    /// The peer closed an idle connection, or closed before it sent any byte of the response.
    Closed,
    /// On the web: the server does not allow this page to read its responses (CORS). The source says what the
    /// browser reported.
    CorsRefused,
    /// On the web: the browser could not fetch a URL of another origin, and does not say why. Either the server
    /// cannot be reached, or it does not allow this page to read its responses (CORS).
    FetchFailed,
    /// On the web: the browser did not send the request, because a rule forbids it: the page's
    /// Content-Security-Policy, `http` in a page that is `https` (mixed content), a port that browsers block, or more
    /// than 64 KiB with `keepalive`. The source says which.
    Blocked,
    /// A server cannot listen on its address: it is in use, not this machine's, or not permitted. The source
    /// says which.
    ListenFailed,
    /// The operating system refused a socket, a port for it, a poll instance or a thread. No server was asked.
    System,
}

impl NetworkFault {
    /// Whether a rule of the browser may be the cause, which no repetition changes.
    pub(crate) fn may_be_rule_of_browser(self) -> bool {
        matches!(self, Self::CorsRefused | Self::FetchFailed | Self::Blocked)
    }
}

/// Why TLS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet (or this machine's clock is behind).
    CertificateNotYetValid,
    /// The certificate is for other names than the one connected to.
    CertificateNameMismatch,
    /// The certificate was not issued by a trusted root (a private or self-signed certificate).
    CertificateUnknownIssuer,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate is of X.509 version 1 or 2, which says neither names nor purposes. Its owner must
    /// reissue it as version 3 (RFC 5280 §4.1.2.1), which `openssl req -x509` makes.
    CertificateVersion,
    /// The certificate is malformed, badly signed or unfit for a server.
    CertificateInvalid,
    /// The server requires a client certificate, and none or a wrong one was given.
    CertificateRequired,
    /// Both sides have no TLS version, cipher or protocol in common.
    Incompatible,
    /// The peer ended the handshake with an alert.
    Alert,
    /// The peer sent something other than TLS (often: `https` to a port for plain HTTP).
    NotTls,
    /// The peer broke the TLS protocol.
    Protocol,
}

/// Why a proxy opened no tunnel. The variants without a status are those of SOCKS5 (RFC 1928).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyFault {
    /// Status 407: the proxy requires credentials, or others.
    AuthenticationRequired,
    /// Any other status that is not 2xx.
    Refused {
        /// The proxy's status code.
        status: u16,
    },
    /// The proxy accepts none of the offered logins (RFC 1928 §3). Often it requires credentials.
    NoAcceptableMethod,
    /// The user name or the password is wrong (RFC 1929 §2).
    BadCredentials,
    /// Reply 1 (RFC 1928 §6): it failed without giving a reason.
    GeneralFailure,
    /// Reply 2: its rules do not allow this host or port.
    NotAllowed,
    /// Reply 3: it cannot reach the host's network.
    NetworkUnreachable,
    /// Reply 4: it cannot reach the host, or does not know the name.
    HostUnreachable,
    /// Reply 5: the host refused the connection.
    ConnectionRefused,
    /// Reply 6: the connection took too long.
    TtlExpired,
    /// Reply 7: it does not open connections for others.
    CommandNotSupported,
    /// Reply 8: it does not accept names, or addresses of this family.
    AddressTypeNotSupported,
    /// A reply that RFC 1928 does not define.
    UnassignedReply {
        /// The proxy's reply code.
        code: u8,
    },
    /// The reply is not SOCKS5, or does not fit the request.
    MalformedReply,
}

/// How the peer broke the protocol, with the section that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The first line is not an HTTP/1.x start line (RFC 9112 §3, §4).
    NotHttp,
    /// A version other than HTTP/1.0 or HTTP/1.1 (RFC 9112 §2.3).
    UnsupportedVersion,
    /// A status code that is not three digits from 100 to 999 (RFC 9112 §4).
    InvalidStatus,
    /// A request target in none of the four forms (RFC 9112 §3.2).
    InvalidTarget,
    /// A field line with no colon, a bad name or forbidden characters (RFC 9112 §5).
    InvalidHeader,
    /// A field line continued on the next one (RFC 9112 §5.2).
    ObsoleteLineFolding,
    /// A line that ends in LF alone where CRLF is required (RFC 9112 §2.2).
    BareLineFeed,
    /// `Content-Length` is not a decimal number, or too large (RFC 9112 §6.3).
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
    /// A chunk size that is not a hexadecimal number, or too large (RFC 9112 §7.1).
    InvalidChunkSize,
    /// Chunk data not followed by CRLF, or a malformed chunk line (RFC 9112 §7.1).
    InvalidChunk,
    /// A malformed trailer section (RFC 9112 §7.1.2).
    InvalidTrailer,
    /// `Host` is missing, repeated or malformed (RFC 9112 §3.2).
    InvalidHost,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    UnknownExpectation,
    /// `101 Switching Protocols` although no upgrade was requested (RFC 9110 §15.2.2).
    UnexpectedUpgrade,
    /// Bytes outside of any message.
    UnexpectedData,
}

impl From<Misuse> for ErrorKind {
    #[cold]
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<Limit> for ErrorKind {
    #[cold]
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<PeerMisbehaved> for ErrorKind {
    #[cold]
    fn from(fault: PeerMisbehaved) -> Self {
        Self::Peer(fault)
    }
}

impl From<TlsFault> for ErrorKind {
    #[cold]
    fn from(fault: TlsFault) -> Self {
        Self::Tls(fault)
    }
}
