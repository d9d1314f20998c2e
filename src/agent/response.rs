//! What a request returns: [`Response`], with its redirects ([`Hop`]), times ([`Timings`]) and connection
//! ([`ConnectionInfo`]).

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Version};
use serde_core::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::proto::{FieldLines, ResponseHead};
#[cfg(feature = "certificate-facts")]
use crate::transport::tls::CertificateFacts;
use crate::transport::tls::TlsInfo;

/// A response (RFC 9110 §3.4): head, content, trailers, and how it was received.
///
/// The content of a response that was streamed or written to a file is not in it.
///
/// ```
/// use httpoll::{Error, Response};
///
/// /// The names of a leaderboard, or why there are none.
/// fn names(response: Response) -> Result<Vec<String>, Error> {
///     response.error_for_status()?.json()
/// }
///
/// let response = Response::new(200).with_body(r#"["Ada", "Bob"]"#);
/// assert_eq!(names(response)?, ["Ada", "Bob"]);
/// assert!(names(Response::new(404)).is_err());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) head: Arc<ResponseHead>,
    pub(crate) body: Bytes,
    pub(crate) trailers: FieldLines,
    pub(crate) url: Option<Arc<Url>>,
    pub(crate) history: Vec<Hop>,
    /// Whether a browser followed redirects, which it does not list.
    pub(crate) was_redirected: bool,
    pub(crate) timings: Timings,
    pub(crate) connection: Option<ConnectionInfo>,
    pub(crate) transferred: Transferred,
    pub(crate) saved: Option<Box<SavedFile>>,
    pub(crate) from_cache: bool,
    pub(crate) attempts: u32,
}

/// A redirect that was followed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop {
    /// The URL that redirected.
    pub url: Url,
    /// The status of the redirect.
    pub status: StatusCode,
}

/// Bytes of content sent and received by the last attempt, without heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// Bytes of request content sent.
    pub sent: u64,
    /// Bytes of response content received, before content codings are undone.
    pub received: u64,
}

/// When each step ended, measured from [`Agent::send`](crate::Agent::send). The names are those of curl.
///
/// A step that the last hop did not need, because it used an existing connection, has the time when that hop
/// began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// The request left the queue.
    pub queue: Duration,
    /// The host name was resolved.
    pub namelookup: Duration,
    /// The TCP connection was open.
    pub connect: Duration,
    /// The TLS handshake was finished; zero without TLS.
    pub appconnect: Duration,
    /// The request was ready to be sent.
    pub pretransfer: Duration,
    /// The first byte of the response was received.
    pub starttransfer: Duration,
    /// The last hop began; zero without redirects.
    pub redirect: Duration,
    /// The last byte was received.
    pub total: Duration,
}

/// The connection over which the response was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The address of the peer: of the proxy, if one is used.
    pub peer_address: Option<SocketAddr>,
    /// The local address.
    pub local_address: Option<SocketAddr>,
    /// Whether an earlier request used the connection.
    pub reused: bool,
    /// The number of connections that were opened for the request, over all hops.
    pub opened: u32,
    /// Version, cipher suite and certificates of the TLS session; `None` without TLS.
    pub tls: Option<TlsInfo>,
}

/// A file that a download wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// How many of these bytes an earlier, interrupted download had already written.
    pub resumed_from: u64,
    /// The SHA-256 hash of the file, if one was [asked for](crate::Download::sha256).
    pub sha256: Option<[u8; 32]>,
    /// The file existed already, and [nothing was requested](crate::Download::skip_existing).
    pub is_unchanged: bool,
}

impl Hop {
    /// A redirect for tests; see [`Response::with_url`].
    pub fn new(url: Url, status: StatusCode) -> Self {
        Self { url, status }
    }
}

impl Response {
    /// A response for tests: `HTTP/1.1`, no headers, no content. A status outside 100 to 999 becomes 500.
    pub fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::of(Arc::new(ResponseHead {
            version: Version::HTTP_11,
            status,
            reason: status.canonical_reason().unwrap_or_default().into(),
            fields: FieldLines::new(),
        }))
    }

    pub(crate) fn of(head: Arc<ResponseHead>) -> Self {
        Self {
            head,
            body: Bytes::new(),
            trailers: FieldLines::new(),
            url: None,
            history: Vec::new(),
            was_redirected: false,
            timings: Timings::default(),
            connection: None,
            transferred: Transferred::default(),
            saved: None,
            from_cache: false,
            attempts: 1,
        }
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`Misuse::InvalidHeader`](crate::error::Misuse::InvalidHeader).
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        Arc::make_mut(&mut self.head).fields.append(name, value)?;
        Ok(self)
    }

    /// Sets the content.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the URL after redirects, and the redirects.
    #[must_use]
    pub fn with_url(mut self, url: Url, history: Vec<Hop>) -> Self {
        self.url = Some(Arc::new(url));
        self.history = history;
        self
    }

    /// Sets the timings.
    #[must_use]
    pub fn with_timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The status code (RFC 9110 §15), from 100 to 999.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The HTTP version: `HTTP/1.0` or `HTTP/1.1`.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The reason phrase; it has no meaning and may be empty (RFC 9112 §4).
    pub fn reason(&self) -> &str {
        &self.head.reason
    }

    /// The headers in the order of the message, with their case and duplicates. Names are looked up in any case.
    pub fn headers(&self) -> &FieldLines {
        &self.head.fields
    }

    /// The first value of a header as text; `None` if the header is absent or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.head.fields.get(name)?).ok()
    }

    /// How long the server asks to wait before the next request (`Retry-After`, RFC 9110 §10.2.3): at most
    /// one day. A date is compared with `now`. `None` without the field, or when it is invalid.
    pub fn retry_after(&self, now: std::time::SystemTime) -> Option<std::time::Duration> {
        crate::semantics::retry::parse_retry_after(self.head.fields.get("Retry-After")?, now)
    }

    /// The trailer fields after chunked content (RFC 9110 §6.5).
    pub fn trailers(&self) -> &FieldLines {
        &self.trailers
    }

    /// The content, with content codings undone. Empty if it was streamed or written to a file.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The content, without a copy.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The content as text: UTF-8 without a byte order mark (WHATWG Encoding, "UTF-8 decode"). Invalid bytes
    /// become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(without_byte_order_mark(&self.body)).into_owned()
    }

    /// The content parsed as JSON (RFC 8259). A byte order mark is ignored (§8.1).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`], also for empty content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(without_byte_order_mark(&self.body))
            .map_err(|error| Error::new(ErrorKind::InvalidJson).with_source(error))
    }

    /// The value of each `Set-Cookie` header (RFC 6265 §4.1).
    pub fn cookies(&self) -> impl Iterator<Item = &[u8]> {
        self.head.fields.get_all("set-cookie")
    }

    /// The URL after redirects. `None` only for a response made for a test.
    pub fn url(&self) -> Option<&Url> {
        self.url.as_deref()
    }

    /// Whether redirects were followed, also by a browser, which does not list them.
    pub fn was_redirected(&self) -> bool {
        self.was_redirected || !self.history.is_empty()
    }

    /// The number of redirects that were followed. In a browser 0, see [`was_redirected`](Self::was_redirected).
    pub fn redirects(&self) -> usize {
        self.history.len()
    }

    /// The redirects that were followed, in order.
    pub fn history(&self) -> &[Hop] {
        &self.history
    }

    /// When each step ended.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The time from [`Agent::send`](crate::Agent::send) to the last byte, with redirects and retries.
    pub fn time_taken(&self) -> Duration {
        self.timings.total
    }

    /// The connection over which the response was received; `None` for a response from the cache or for a test.
    pub fn connection(&self) -> Option<&ConnectionInfo> {
        self.connection.as_ref()
    }

    /// What the server's certificate says, read at each call. `None` for a response over `http`, from
    /// the cache or made by hand, and for a certificate that cannot be read;
    /// [`TlsInfo::certificate`] says why it cannot.
    #[cfg(feature = "certificate-facts")]
    pub fn certificate(&self) -> Option<CertificateFacts> {
        self.connection()?.tls.as_ref()?.certificate()?.ok()
    }

    /// Bytes of content sent and received.
    pub fn transferred(&self) -> Transferred {
        self.transferred
    }

    /// The file that the download wrote; `None` if the request was not a download.
    pub fn saved(&self) -> Option<&SavedFile> {
        self.saved.as_deref()
    }

    /// Whether the content is from the agent's cache, validated or not (RFC 9111 §4).
    ///
    /// Such a response has the fields that the server sent, without those of the connection (RFC 9111 §3.1) and
    /// `Set-Cookie`, and with its present `Age` (§5.1).
    pub fn is_from_cache(&self) -> bool {
        self.from_cache
    }

    /// How often the request was sent, with retries and without redirects.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The response itself, or an error if its status is 400 or above.
    ///
    /// # Errors
    /// [`ErrorKind::Status`].
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status().as_u16() >= 400 {
            return Err(ErrorKind::Status(self.status().as_u16()).into());
        }
        Ok(self)
    }

    /// The response as a JSON value, for logs and inspection. The content is included if it is UTF-8. `Set-Cookie`
    /// headers are left out.
    pub fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .head
            .fields
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"))
            .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
            .collect();
        json!({
            "version": version_text(self.version()),
            "status": self.status().as_u16(),
            "reason": self.reason(),
            "headers": headers,
            "url": self.url().map(Url::as_str),
            "redirects": self.redirects(),
            "time_taken_ms": self.timings.total.as_secs_f64() * 1000.0,
            "body": std::str::from_utf8(&self.body).ok(),
            "body_length": self.body.len(),
        })
    }
}

/// Text without the byte order mark that some editors and servers put before it.
fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn version_text(version: Version) -> &'static str {
    if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    }
}

impl fmt::Display for Response {
    /// The status line and the headers, without `Set-Cookie`, and the length of the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        let (version, reason) = (version_text(self.version()), self.reason());
        writeln!(f, "HTTP/{version} {} {reason}", status.as_str())?;
        for (name, value) in self.head.fields.iter() {
            if !name.eq_ignore_ascii_case("set-cookie") {
                writeln!(f, "{name}: {}", value.escape_ascii())?;
            }
        }
        write!(f, "({} bytes)", self.body.len())
    }
}

/// The URL without user, password, query and fragment, for logs.
pub(super) fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    // Refused only for URLs without a host, which have none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if shown.query().is_some() {
        shown.set_query(Some("(hidden)"));
    }
    shown.into()
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("url", &without_query(&self.url))
            .field("status", &self.status)
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("head", &self.head)
            .field("body", &self.body.len())
            .field("redirects", &self.redirects())
            .finish_non_exhaustive()
    }
}
