//! The texts of the errors: what failed, at which step, and what to do about it.
//!
//! An [`Error`](super::Error) is one sentence: the step with its object ("could not connect to
//! `https://game.example`"), the cause, the operating system's own words, and advice. A kind alone is
//! the cause only.

use std::fmt;

use super::kind::{ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};
use crate::phase::Phase;

/// What could not be done in a phase, with which peer, and whether it was the proxy that failed.
pub(super) fn write_failed_step(
    f: &mut fmt::Formatter<'_>,
    phase: Phase,
    peer: &str,
    proxy: Option<&str>,
) -> fmt::Result {
    match (proxy, phase) {
        (None, _) => write!(f, "{} {peer}", failed_step(phase)),
        (Some(proxy), Phase::Resolve) => {
            write!(
                f,
                "could not look up the host of the proxy {proxy} for {peer}"
            )
        }
        (Some(proxy), Phase::Connect) => {
            write!(f, "could not connect to the proxy {proxy} for {peer}")
        }
        (Some(proxy), Phase::Tunnel) => {
            write!(f, "the proxy {proxy} opened no tunnel to {peer}")
        }
        (Some(proxy), _) => {
            write!(f, "{} {peer} through the proxy {proxy}", failed_step(phase))
        }
    }
}

/// What could not be done in a phase; the name of the peer follows.
fn failed_step(phase: Phase) -> &'static str {
    match phase {
        Phase::Queue => "could not start the request to",
        Phase::Resolve => "could not look up the host of",
        Phase::Connect => "could not connect to",
        Phase::Tunnel => "could not open a tunnel to",
        Phase::TlsHandshake => "could not establish TLS with",
        Phase::SendHead => "could not send the request to",
        Phase::AwaitContinue | Phase::SendBody => "could not send the request content to",
        Phase::AwaitHead => "got no valid response from",
        Phase::ReceiveBody => "could not receive the response content from",
        Phase::AwaitRetry => "could not repeat the request to",
    }
}

/// The setting that limits a phase.
fn timeout_setting(phase: Phase) -> &'static str {
    match phase {
        Phase::Queue | Phase::AwaitRetry => "the request's timeout",
        Phase::Resolve => "Timeouts::resolve",
        Phase::Connect => "Timeouts::connect",
        Phase::Tunnel => "Timeouts::tunnel",
        Phase::TlsHandshake => "Timeouts::tls_handshake",
        Phase::AwaitContinue => "Timeouts::continue_wait",
        Phase::AwaitHead => "Timeouts::head",
        Phase::SendHead | Phase::SendBody | Phase::ReceiveBody => "Timeouts::stall",
    }
}

impl ErrorKind {
    /// Whether this stopped a step of the connection, so that the step belongs into the text.
    pub(super) fn stops_a_step(&self) -> bool {
        matches!(
            self,
            Self::Limit(_)
                | Self::Network(_)
                | Self::Tls(_)
                | Self::Proxy(_)
                | Self::Peer(_)
                | Self::Truncated { .. }
                | Self::Timeout(_)
                | Self::RequestBody
        )
    }

    /// What to check or to change, if it was a proxy that failed.
    pub(super) fn advice_on_proxy(&self) -> Option<&'static str> {
        match self {
            Self::Network(NetworkFault::Unresolved) => {
                Some("check the spelling of the proxy's host and the network connection")
            }
            Self::Network(NetworkFault::ConnectFailed) => Some(
                "check the proxy settings, that the proxy runs and listens on this port, and that no firewall \
                 blocks it",
            ),
            _ => self.advice(),
        }
    }

    /// What to check or to change, where the kind alone says it.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Network(NetworkFault::Unresolved) => {
                Some("check the spelling of the host and the network connection")
            }
            Self::Network(NetworkFault::ConnectFailed) => Some(
                "check that the server runs and listens on this port, and that no firewall blocks it",
            ),
            Self::Network(NetworkFault::CorsRefused | NetworkFault::FetchFailed) => Some(
                "let the server send Access-Control-Allow-Origin with the page's origin, and answer OPTIONS with \
                 Access-Control-Allow-Methods and Access-Control-Allow-Headers if the request has another method \
                 than GET, HEAD and POST, headers of its own, or JSON content; the browser's console says which \
                 is missing",
            ),
            Self::Network(NetworkFault::ListenFailed) => {
                Some("choose another port, or stop the program that listens there")
            }
            Self::Network(NetworkFault::System) => {
                Some("check how many files, threads and connections this process may have open")
            }
            _ => None,
        }
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
            } => write!(
                f,
                "the connection closed after {received} of {expected} bytes of content"
            ),
            Self::Truncated {
                received,
                expected: None,
            } => write!(
                f,
                "the connection closed before the end of the message, after {received} bytes of content"
            ),
            Self::Timeout(phase) => write!(f, "timed out ({})", timeout_setting(*phase)),
            Self::RequestBody => f.write_str("the source of the request content failed"),
            #[cfg(feature = "agent")]
            Self::TotalTimeout(phase) => {
                write!(
                    f,
                    "the request took longer than its total timeout, and was {phase}"
                )
            }
            #[cfg(feature = "agent")]
            Self::Status(407) => {
                f.write_str("the proxy responded with status 407: it requires other credentials")
            }
            #[cfg(feature = "agent")]
            Self::Status(code) => write!(f, "the server responded with status {code}"),
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
            Self::Frame(fault) => fault.fmt(f),
            #[cfg(feature = "agent")]
            Self::InvalidJson => f.write_str("the content is not the expected JSON"),
            #[cfg(any(feature = "agent", feature = "server"))]
            Self::File(fault) => fault.fmt(f),
            #[cfg(feature = "patch")]
            Self::Patch(fault) => fault.fmt(f),
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
            Self::InvalidHost => "the host is not a valid host name or address",
            Self::PortInHost => {
                "the host holds a port; give it as the second argument: connect_to_host(\"example.com\", 8080, None)"
            }
            Self::InvalidPort => "the port must be from 1 to 65535",
            Self::InvalidTarget => {
                "the request target must be a path that starts with /, without control characters"
            }
            Self::InvalidHeader => {
                "a header must be `Name: value`, without line breaks and control characters"
            }
            Self::InvalidMethod => "the method must be a token such as GET",
            Self::FramingHeader => {
                "a framing header (Content-Length, Transfer-Encoding) contradicts the content; leave it out"
            }
            Self::TooMuchContent => "more content was given than announced",
            Self::TooLittleContent => "the content ended before its announced length",
            Self::ChunkSize => "the read chunk size must be from 256 bytes to 16 MiB",
            Self::TlsNotBuilt => "https needs httpoll's `tls` feature",
            Self::InvalidTlsOptions => "the TLS options hold no usable certificate or key",
            Self::InvalidCredentials => {
                "a SOCKS user name must have 1 to 255 bytes, its password at most 255"
            }
            Self::OutOfOrder => "this call would break the order of messages on the connection",
            Self::InvalidUrl => "the URL must be absolute, with the scheme http or https",
            Self::InvalidContent => "the value cannot be encoded as content",
            Self::InvalidToolName => {
                "the name of a local tool has 1 to 64 letters, digits, `-` and `_`"
            }
            Self::InvalidDigest => "a SHA-256 digest is not 64 hexadecimal digits",
            Self::ConflictingContent => {
                "the request has two contents: use only one of body, text, json, form, multipart and file"
            }
            Self::UnknownRequest => {
                "the agent has no such request: it ended, was cancelled, or belongs to another agent"
            }
            Self::NotOnWeb(what) => {
                return write!(f, "a page in a browser cannot have this: {what}");
            }
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
                "the request must be sent again, but its content came from a reader, which cannot be read twice"
            }
            Self::Suspended => {
                "the agent was suspended while the request was sent, and sending it twice could do harm"
            }
            Self::CircuitOpen => {
                "the server failed too often, and gets no requests for a while (CircuitPolicy)"
            }
            Self::NotCached => "the cache has no response that may be used without asking the server (CacheMode::OnlyIfCached); \
                 a stored response with no-cache or must-revalidate may not",
            Self::NoWebSocket => "this request has no open WebSocket",
            Self::ThreadPanicked => "the agent's thread panicked; build another agent",
        })
    }
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unresolved => "the host name has no address",
            Self::ConnectFailed => "no address accepted the connection",
            Self::Broken => "the connection broke",
            Self::Closed => "the server closed the connection",
            Self::CorsRefused => {
                "the server responds, but does not allow this page to read it (CORS)"
            }
            Self::FetchFailed => {
                "the browser does not say why: either the server cannot be reached, or it does not allow this page to read its responses (CORS)"
            }
            Self::Blocked => "the browser blocked the request before it was sent",
            Self::ListenFailed => "could not listen on this address",
            Self::System => "the operating system refused a socket, a file or a thread",
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateExpired => "the server's certificate has expired",
            Self::CertificateNotYetValid => {
                "the server's certificate is not valid yet (is this machine's clock right?)"
            }
            Self::CertificateNameMismatch => "the server's certificate is for another host name",
            Self::CertificateUnknownIssuer => {
                "the issuer of the server's certificate is not trusted (add its root to TlsOptions)"
            }
            Self::CertificateRevoked => "the server's certificate was revoked",
            Self::CertificateVersion => {
                "the server's certificate is of X.509 version 1 (or 2); it must be reissued as version 3"
            }
            Self::CertificateInvalid => "the server's certificate is invalid",
            Self::CertificateRequired => {
                "the server requires a client certificate (see TlsOptions)"
            }
            Self::Incompatible => "both sides have no TLS version or cipher in common",
            Self::Alert => "the peer refused the TLS handshake",
            Self::NotTls => "the peer does not speak TLS (is this a port for plain http?)",
            Self::Protocol => "the peer broke the TLS protocol",
        })
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthenticationRequired => {
                f.write_str("the proxy requires other credentials (status 407)")
            }
            Self::Refused { status } => {
                write!(f, "the proxy refused the tunnel with status {status}")
            }
            Self::NoAcceptableMethod => f.write_str(
                "the SOCKS proxy accepts none of the offered logins (does it require credentials?)",
            ),
            Self::BadCredentials => {
                f.write_str("the SOCKS proxy refused the user name or the password")
            }
            Self::GeneralFailure => {
                f.write_str("the SOCKS proxy failed without giving a reason (reply 1)")
            }
            Self::NotAllowed => {
                f.write_str("the rules of the SOCKS proxy do not allow this host (reply 2)")
            }
            Self::NetworkUnreachable => {
                f.write_str("the SOCKS proxy cannot reach the host's network (reply 3)")
            }
            Self::HostUnreachable => f.write_str("the SOCKS proxy cannot reach the host (reply 4)"),
            Self::ConnectionRefused => {
                f.write_str("the host refused the connection of the SOCKS proxy (reply 5)")
            }
            Self::TtlExpired => {
                f.write_str("the connection of the SOCKS proxy took too long (reply 6)")
            }
            Self::CommandNotSupported => {
                f.write_str("the SOCKS proxy opens no connections for others (reply 7)")
            }
            Self::AddressTypeNotSupported => f.write_str(
                "the SOCKS proxy does not accept this type of address (reply 8): use socks5h \
                 instead of socks5, or the reverse",
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
            Self::InvalidHeader => ("malformed header field", "RFC 9112 §5"),
            Self::ObsoleteLineFolding => ("header field folded over two lines", "RFC 9112 §5.2"),
            Self::BareLineFeed => ("line that ends in LF without CR", "RFC 9112 §2.2"),
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
            Self::UnexpectedUpgrade => ("an upgrade that was not requested", "RFC 9110 §15.2.2"),
            Self::UnexpectedData => ("data outside of any message", "RFC 9112 §9.3"),
        };
        write!(f, "{what} ({section})")
    }
}

/// How much of a text that is not a URL an error shows, in characters.
const SHOWN: usize = 100;

/// What an error may show of a text that was given as a URL and is not one: no credentials, no query, no fragment.
pub(super) fn shown_url(given: &str) -> String {
    let (scheme, rest) = match given.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), given),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = match (rest[..end].rsplit_once('@'), rest[end..].contains('@')) {
        // Whether this is a query, or a password with such a character, nobody can tell.
        (_, true) => "…".to_owned(),
        (Some((_, host)), false) => format!("…@{host}"),
        (None, false) => rest[..end].to_owned(),
    };
    let mut shown: String = format!("{scheme}{rest}")
        .chars()
        .take(SHOWN + 1)
        .map(|c| match c.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => c,
        })
        .collect();
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.replace_range(end.., "…");
    }
    shown
}
