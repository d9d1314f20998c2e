//! The phases of one request, and how long each may take.
//!
//! Deadlines, errors, timings and events all use [`Phase`]. Time is measured in `connection`.

use std::fmt;
use std::time::Duration;

/// A step in the life of a request, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a free connection, for a file to be opened, or while the agent is suspended.
    Queue,
    /// Looking the host name up.
    Resolve,
    /// Opening the TCP connection (RFC 8305 when there are several addresses).
    Connect,
    /// Asking a proxy for a tunnel (RFC 9110 §9.3.6, `CONNECT`; RFC 1928, SOCKS5).
    Tunnel,
    /// The TLS handshake (RFC 8446, RFC 5246).
    TlsHandshake,
    /// Writing the request head.
    SendHead,
    /// Waiting for `100 Continue` before the content is sent (RFC 9110 §10.1.1).
    AwaitContinue,
    /// Writing the request content.
    SendBody,
    /// Waiting for the head of the final response.
    AwaitHead,
    /// Receiving the response content.
    ReceiveBody,
    /// Waiting before the request is sent again.
    AwaitRetry,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting for a free connection",
            Self::Resolve => "resolving the host name",
            Self::Connect => "connecting",
            Self::Tunnel => "opening the proxy tunnel",
            Self::TlsHandshake => "establishing TLS",
            Self::SendHead => "sending the request head",
            Self::AwaitContinue => "waiting for 100 Continue",
            Self::SendBody => "sending the request content",
            Self::AwaitHead => "waiting for the response head",
            Self::ReceiveBody => "receiving the response content",
            Self::AwaitRetry => "waiting before the next attempt",
        })
    }
}

/// How long each phase of one connection may take before it fails with
/// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout). `None` means no limit.
///
/// The total time is not limited: a large download may take hours, as long as it makes progress. Of a gap
/// between two polls, only one second counts, so that a loading screen, a breakpoint or a suspended laptop
/// is not taken for a dead peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the start of the lookup to its result. Default 10 s.
    pub resolve: Option<Duration>,
    /// All connection attempts together, over all addresses. Default 10 s.
    pub connect: Option<Duration>,
    /// From the `CONNECT` request, or SOCKS5's first byte, to the proxy's response. Default 10 s.
    pub tunnel: Option<Duration>,
    /// From the first handshake byte to the last. Default 10 s.
    pub tls_handshake: Option<Duration>,
    /// How long the request content is held back after `Expect: 100-continue` was sent. Then it is sent
    /// anyway, because RFC 9110 §10.1.1 forbids waiting indefinitely. Default 1 s.
    pub continue_wait: Option<Duration>,
    /// From the last byte of the request to the end of the response head, even if it arrives byte by byte.
    /// Default 30 s. A server of this library gives up after 25 s, so that its `504` arrives before.
    pub head: Option<Duration>,
    /// The longest pause while content is sent or received. The time runs only while this side waits for
    /// the peer, and not while content waits for the caller. Default 30 s.
    pub stall: Option<Duration>,
}

impl Timeouts {
    /// The default limits with some changed.
    ///
    /// ```
    /// let timeouts = httpoll::Timeouts::with(|it| it.head = None);
    /// assert!(timeouts.head.is_none() && timeouts.connect.is_some());
    /// ```
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut timeouts = Self::default();
        change(&mut timeouts);
        timeouts
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            resolve: Some(Duration::from_secs(10)),
            connect: Some(Duration::from_secs(10)),
            tunnel: Some(Duration::from_secs(10)),
            tls_handshake: Some(Duration::from_secs(10)),
            continue_wait: Some(Duration::from_secs(1)),
            head: Some(Duration::from_secs(30)),
            stall: Some(Duration::from_secs(30)),
        }
    }
}
