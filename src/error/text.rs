//! What the kinds of errors say: what failed and, where there is something, what to do.

use std::fmt;

use super::kind::{ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};

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
            #[cfg(feature = "agent")]
            Self::TotalTimeout(phase) => {
                write!(f, "took longer than its total timeout, while {phase}")
            }
            #[cfg(feature = "agent")]
            Self::Status(code) => write!(f, "the server answered with status {code}"),
            #[cfg(feature = "agent")]
            Self::Redirect(refusal) => refusal.fmt(f),
            #[cfg(feature = "agent")]
            Self::Access(refusal) => refusal.fmt(f),
            #[cfg(feature = "agent")]
            Self::Auth(fault) => fault.fmt(f),
            #[cfg(feature = "agent")]
            Self::Coding(fault) => fault.fmt(f),
            #[cfg(feature = "agent")]
            Self::EventStream(fault) => fault.fmt(f),
            #[cfg(feature = "agent")]
            Self::InvalidJson => f.write_str("the content is not the JSON that was expected"),
            #[cfg(feature = "agent")]
            Self::File(fault) => fault.fmt(f),
            #[cfg(all(feature = "agent", feature = "multipart"))]
            Self::Form(fault) => fault.fmt(f),
            #[cfg(all(feature = "agent", feature = "websocket"))]
            Self::WebSocket(fault) => fault.fmt(f),
            #[cfg(feature = "agent")]
            Self::Refused(refused) => refused.fmt(f),
            Self::Internal(what) => {
                write!(
                    f,
                    "a bug in httpoll: {what}; please report it with this text"
                )
            }
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
            Self::InvalidCredentials => {
                "a SOCKS name must have 1 to 255 bytes, its password at most 255"
            }
            Self::OutOfOrder => "this would break the order of messages on the connection",
            Self::InvalidUrl => "the URL must be absolute, and http or https",
            Self::InvalidContent => "the value cannot be encoded as content",
            Self::ConflictingContent => {
                "content was given twice: give one of body, text, json, form, multipart and file"
            }
            Self::UnknownRequest => "the request is over, and its end was told, or it was cancelled",
            Self::FeatureNotBuilt(feature) => {
                return write!(f, "this needs httpoll's `{feature}` feature");
            }
        })
    }
}

#[cfg(feature = "agent")]
impl fmt::Display for super::kind::RequestRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentSpent => {
                "the request must be sent again, but its content came from a reader and is spent"
            }
            Self::Suspended => "the agent was suspended, and the request must not be sent twice",
            Self::CircuitOpen => {
                "the origin failed too often and is left alone for a while (CircuitPolicy)"
            }
            Self::NotCached => "the cache has no response for it (CacheMode::OnlyIfCached)",
            Self::NoWebSocket => "no WebSocket is open for this request",
            Self::ThreadPanicked => "the agent's thread panicked; build another agent",
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
            Self::NoAcceptableMethod => {
                f.write_str("the SOCKS proxy accepts no offered login (does it want credentials?)")
            }
            Self::BadCredentials => f.write_str("the SOCKS proxy refused the name or password"),
            Self::GeneralFailure => f.write_str("the SOCKS proxy failed and does not say why (1)"),
            Self::NotAllowed => f.write_str("the SOCKS proxy's rules do not allow this host (2)"),
            Self::NetworkUnreachable => {
                f.write_str("the SOCKS proxy does not reach the host's network (3)")
            }
            Self::HostUnreachable => f.write_str("the SOCKS proxy does not reach the host (4)"),
            Self::ConnectionRefused => {
                f.write_str("the host refused the SOCKS proxy's connection (5)")
            }
            Self::TtlExpired => f.write_str("the SOCKS proxy's connection took too long (6)"),
            Self::CommandNotSupported => f.write_str("the SOCKS proxy opens no connections (7)"),
            Self::AddressTypeNotSupported => f.write_str(
                "the SOCKS proxy takes no such address (8): let the other side resolve the name",
            ),
            Self::UnassignedReply { code } => {
                write!(f, "the SOCKS proxy refused with the unknown reply {code}")
            }
            Self::MalformedReply => {
                f.write_str("the proxy does not speak SOCKS5 (is it an HTTP proxy?)")
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
