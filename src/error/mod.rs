//! What can go wrong, sorted by who is to blame, and what to do about it.
//!
//! [`Error`] carries where it happened (origin, URL, file, [`Phase`]), what
//! ([`ErrorKind`] and source) and how far the exchange had come (bytes sent and received). Its text
//! holds no credentials, no query string and no header value. The fault enums that kinds name are
//! here, too, one file for each subject; the code that finds the faults is elsewhere. The lossy map
//! to Godot's `Error` codes is in [`node`](crate::node).

#[cfg(feature = "agent")]
mod access;
#[cfg(feature = "agent")]
mod auth;
#[cfg(feature = "cache")]
mod cache;
#[cfg(feature = "certificate-facts")]
mod certificate;
#[cfg(feature = "agent")]
mod coding;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg(any(feature = "agent", feature = "server"))]
mod disk;
#[cfg(any(feature = "agent", feature = "server"))]
mod event_stream;
#[cfg(all(feature = "agent", feature = "multipart"))]
mod form;
#[cfg(any(feature = "agent", feature = "server"))]
mod frames;
#[cfg(feature = "agent")]
mod host_pattern;
#[cfg(feature = "agent")]
mod hsts;
mod kind;
#[cfg(feature = "agent")]
mod netrc;
#[cfg(feature = "patch")]
mod patch;
#[cfg(feature = "agent")]
mod proxy;
#[cfg(feature = "agent")]
mod redirect;
mod text;
#[cfg(all(feature = "websocket", any(feature = "agent", feature = "server")))]
mod websocket;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::phase::Phase;

#[cfg(feature = "agent")]
pub use access::AccessRefusal;
#[cfg(feature = "agent")]
pub use auth::AuthFault;
#[cfg(feature = "cache")]
pub use cache::CacheFileFault;
#[cfg(feature = "certificate-facts")]
pub use certificate::CertificateFault;
#[cfg(feature = "agent")]
pub use coding::CodingFault;
#[cfg(feature = "cookies")]
pub use cookies::{CookieFault, CookieFileFault};
#[cfg(any(feature = "agent", feature = "server"))]
pub use disk::{DiskFault, DiskStep};
#[cfg(any(feature = "agent", feature = "server"))]
pub use event_stream::EventStreamFault;
#[cfg(all(feature = "agent", feature = "multipart"))]
pub use form::FormFault;
#[cfg(any(feature = "agent", feature = "server"))]
pub use frames::FrameFault;
#[cfg(feature = "agent")]
pub use host_pattern::InvalidHostPattern;
#[cfg(feature = "agent")]
pub use hsts::MalformedHsts;
#[cfg(feature = "agent")]
pub use kind::RequestRefused;
pub use kind::{ErrorKind, Misuse, NetworkFault, PeerMisbehaved, ProxyFault, TlsFault};
#[cfg(feature = "agent")]
pub use netrc::NetrcError;
#[cfg(feature = "agent")]
pub(crate) use netrc::NetrcFault;
#[cfg(feature = "patch")]
pub use patch::{ManifestFault, ManifestRule, PatchFault};
#[cfg(feature = "agent")]
pub use proxy::{InvalidProxy, ProxyUrlFault};
#[cfg(feature = "agent")]
pub use redirect::RedirectRefusal;
#[cfg(all(feature = "websocket", any(feature = "agent", feature = "server")))]
pub use websocket::WebSocketFault;

/// A failed request, connection or call. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    phase: Option<Phase>,
    origin: Option<Box<str>>,
    proxy: Option<Box<str>>,
    url: Option<Box<str>>,
    path: Option<Box<Path>>,
    sent: u64,
    received: u64,
    retryable: bool,
    reported_before: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, without origin, phase and counts.
    // Cold, so that the compiler puts the code that leads to errors behind the code that does not.
    #[cold]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            phase: None,
            origin: None,
            proxy: None,
            url: None,
            path: None,
            sent: 0,
            received: 0,
            retryable: false,
            reported_before: false,
            source: None,
        }))
    }

    /// A broken assumption of our own code. Debug builds panic here, so that tests find it; release
    /// builds end the request with [`ErrorKind::Internal`].
    #[cfg_attr(not(feature = "agent"), allow(dead_code, reason = "the agent uses it"))]
    #[track_caller]
    #[cold]
    pub(crate) fn internal(what: &'static str) -> Self {
        debug_assert!(false, "internal error: {what}");
        Self::new(ErrorKind::Internal(what))
    }

    #[cold]
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

    /// Names the proxy on the way, without credentials.
    #[must_use]
    pub(crate) fn through(mut self, proxy: Option<&str>) -> Self {
        if let Some(proxy) = proxy {
            Arc::make_mut(&mut self.0).proxy = Some(proxy.into());
        }
        self
    }

    /// Names the address that the error is about.
    #[cfg(feature = "server")]
    #[must_use]
    pub(crate) fn with_origin(mut self, origin: &str) -> Self {
        Arc::make_mut(&mut self.0).origin = Some(origin.into());
        self
    }

    /// Adds the request's URL, which must hold no credentials and no query, unless the error has one.
    #[cfg(feature = "agent")]
    #[must_use]
    pub(crate) fn for_url(mut self, url: impl FnOnce() -> String) -> Self {
        if self.0.url.is_none() {
            Arc::make_mut(&mut self.0).url = Some(url().into());
        }
        self
    }

    /// Adds text that was given as a URL and is not one. Credentials, query and fragment are left out.
    #[must_use]
    pub(crate) fn for_text(mut self, given: &str) -> Self {
        if !given.is_empty() {
            Arc::make_mut(&mut self.0).url = Some(text::shown_url(given).into());
        }
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

    /// Names the file that the failure is about.
    #[cfg(any(feature = "agent", feature = "server"))]
    #[must_use]
    pub(crate) fn about_file(mut self, path: &Path) -> Self {
        Arc::make_mut(&mut self.0).path = Some(path.into());
        self
    }

    /// Marks the error of a connection that had already failed before this call.
    #[must_use]
    pub(crate) fn reported_before(mut self) -> Self {
        Arc::make_mut(&mut self.0).reported_before = true;
        self
    }

    pub(crate) fn was_reported_before(&self) -> bool {
        self.0.reported_before
    }

    /// What failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The phase in which it failed; `None` for misuse of a call.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Scheme, host and port of the peer, as in `https://example.com:8443`; `None` when no peer was
    /// involved.
    pub fn origin(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }

    /// The proxy between this side and the [origin](Self::origin), as in `http://proxy.example:3128`, without
    /// credentials. `None` without a proxy, and before the proxy is contacted. If the phase is [`Phase::Tunnel`] or an earlier
    /// one, the proxy failed or refused, and the origin was not reached.
    pub fn proxy(&self) -> Option<&str> {
        self.0.proxy.as_deref()
    }

    /// The URL of the request, or the text that was given as one, without credentials, query and fragment.
    /// `None` for errors that belong to no request of an agent.
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// The file that could not be read or written.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Bytes of the request given to the network before it failed (HTTP bytes, not TLS records).
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent
    }

    /// Bytes of the response received before it failed (HTTP bytes, not TLS records).
    pub fn bytes_received(&self) -> u64 {
        self.0.received
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        match self.0.kind {
            ErrorKind::Timeout(_) => true,
            #[cfg(feature = "agent")]
            ErrorKind::TotalTimeout(_) => true,
            _ => false,
        }
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
    #[cold]
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<Misuse> for Error {
    #[cold]
    fn from(misuse: Misuse) -> Self {
        Self::new(ErrorKind::Misuse(misuse))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let subject = inner.url.as_deref().or(inner.origin.as_deref());
        match (subject, inner.phase) {
            (Some(subject), Some(phase)) if inner.kind.stops_a_step() => {
                // Before a request is sent, its path does not matter.
                let peer = inner.origin.as_deref().filter(|_| phase < Phase::SendHead);
                let proxy = inner.proxy.as_deref();
                text::write_failed_step(f, phase, peer.unwrap_or(subject), proxy)?;
                f.write_str(": ")?;
            }
            (Some(subject), _) => write!(f, "{subject}: ")?,
            (None, _) => {}
        }
        if let Some(path) = &inner.path {
            write!(f, "{}: ", path.display())?;
        }
        let failed_proxy = inner.proxy.is_some() && inner.phase <= Some(Phase::Tunnel);
        match &inner.kind {
            ErrorKind::Network(NetworkFault::Closed) if failed_proxy => {
                f.write_str("the proxy closed the connection")?;
            }
            kind => kind.fmt(f)?,
        }
        if let Some(source) = &inner.source {
            write!(f, " ({source})")?;
        }
        let advice = if failed_proxy {
            inner.kind.advice_on_proxy()
        } else {
            inner.kind.advice()
        };
        match advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    /// The text of the error: this is what a `main` that returns it prints. `{:#?}` shows all parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("origin", &self.0.origin)
            .field("proxy", &self.0.proxy)
            .field("url", &self.0.url)
            .field("path", &self.0.path)
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

#[cfg(test)]
mod tests;
