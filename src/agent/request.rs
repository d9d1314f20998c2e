//! What a game asks for: [`Request`], built by itself and handed to an
//! [`Agent`](crate::Agent). It is a value: nothing is looked up, opened or sent before
//! [`Agent::send`](crate::Agent::send), and what was wrong in it is reported there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Version};
use serde_core::Serialize;

use super::content::Content;
use super::download::Download;
use super::output::Output;
use super::settings::Override;
use super::{CacheMode, Priority};
use crate::connection::RequestBody;
use crate::error::{Error, Misuse};
use crate::phase::Timeouts;
use crate::proto::FieldLines;
use crate::semantics::access::AccessPolicy;
use crate::semantics::auth::Credentials;
use crate::semantics::coding::CodingLimits;
use crate::semantics::netrc::Netrc;
use crate::semantics::proxy_rules::ProxySettings;
use crate::semantics::range::{RangeSpec, range_field};
use crate::semantics::redirect::RedirectPolicy;
use crate::semantics::retry::RetryPolicy;
use crate::transport::tls::TlsOptions;

/// One HTTP request, with everything that differs from the agent's defaults.
///
/// ```
/// # #[cfg(feature = "agent")] {
/// use httpoll::{Priority, Request};
///
/// let request = Request::get("https://game.example/scores")
///     .query("season", "7")
///     .header("Accept", "application/json")
///     .priority(Priority::Interface);
/// # let _ = request;
/// # }
/// ```
#[must_use = "a request does nothing until it is sent by an agent"]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: Vec<(String, Option<String>)>,
    /// Lines of the caller. They replace the agent's default lines of the same name.
    pub(super) fields: FieldLines,
    /// Default lines that must not be sent.
    pub(super) without: Vec<String>,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) content: Content,
    pub(super) output: Output,
    pub(super) overrides: Vec<Override>,
    pub(super) fault: Option<Error>,
}

impl Request {
    /// A request of any method. `url` is absolute, or relative to the agent's
    /// [base URL](crate::agent::AgentBuilder::base_url).
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            query: Vec::new(),
            fields: FieldLines::new(),
            without: Vec::new(),
            cookies: Vec::new(),
            content: Content::None,
            output: Output::Collect,
            overrides: Vec::new(),
            fault: None,
        }
    }

    /// `GET` (RFC 9110 §9.3.1).
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// `HEAD` (RFC 9110 §9.3.2): the head of what `GET` would answer.
    pub fn head(url: impl Into<String>) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// `POST` (RFC 9110 §9.3.3).
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }

    /// `PUT` (RFC 9110 §9.3.4).
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::PUT, url)
    }

    /// `DELETE` (RFC 9110 §9.3.5).
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// `OPTIONS` (RFC 9110 §9.3.7).
    pub fn options(url: impl Into<String>) -> Self {
        Self::new(Method::OPTIONS, url)
    }

    /// `TRACE` (RFC 9110 §9.3.8).
    pub fn trace(url: impl Into<String>) -> Self {
        Self::new(Method::TRACE, url)
    }

    /// `PATCH` (RFC 5789).
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// A method by its name, upper-cased when it is one of the registered nine: `"get"` is `GET`,
    /// `"Purge"` stays as it is (methods are case-sensitive, RFC 9110 §9.1).
    pub fn with_method_name(name: &str, url: impl Into<String>) -> Self {
        let upper = name.to_ascii_uppercase();
        let name = match upper.as_str() {
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
            | "PATCH" => upper.as_str(),
            _ => name,
        };
        match Method::from_bytes(name.as_bytes()) {
            Ok(method) => Self::new(method, url),
            Err(_) => Self::new(Method::GET, url).failing(Misuse::InvalidMethod.into()),
        }
    }

    /// Appends `name=value` to the query, percent-encoded; joined to what the URL has already.
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), Some(value.to_string())));
        self
    }

    /// Appends several pairs to the query, in order; a name may repeat.
    pub fn query_pairs<N: Into<String>, V: fmt::Display>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        for (name, value) in pairs {
            self = self.query(name, value);
        }
        self
    }

    /// Appends a name without `=` to the query.
    pub fn query_flag(mut self, name: impl Into<String>) -> Self {
        self.query.push((name.into(), None));
        self
    }

    /// Sets a header: replaces what was set under this name, in any case, here or by the agent's
    /// defaults. `Content-Length` is ignored: it is always computed.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.remove(name);
        self.append_header(name, value)
    }

    /// Adds one more line of this name, for headers that are lists. A header that a request may hold
    /// once only, such as `Content-Type`, is replaced (RFC 9110 §5.3).
    pub fn append_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if name.eq_ignore_ascii_case("content-length") {
            return self;
        }
        self.without
            .retain(|other| !other.eq_ignore_ascii_case(name));
        match self.fields.add(name, value) {
            Ok(()) => self,
            Err(misuse) => self.failing(misuse.into()),
        }
    }

    /// Sets a header that tells who is asking, such as `X-Api-Key`: like `Authorization` and
    /// `Cookie` it is not taken along by a redirect to another origin (RFC 9110 §15.4).
    pub fn secret_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name_of_it = name.to_owned();
        self.header(name, value)
            .with(Override::SecretHeader(name_of_it))
    }

    /// Asks for parts of the content only (RFC 9110 §14.2). The response is a 206, or the whole when
    /// the server knows no ranges. Codings are not asked for then.
    pub fn ranges(self, parts: &[RangeSpec]) -> Self {
        match range_field(parts) {
            Some(field) => self.header("Range", field),
            None => self.failing(Misuse::InvalidHeader.into()),
        }
    }

    /// Sends no line of this name, whatever the defaults say.
    pub fn without_header(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self.without.push(name.to_owned());
        self
    }

    /// Adds a cookie of the caller's own to the `Cookie` line (RFC 6265 §4.2). The name is a token,
    /// the value holds neither semicolons nor control characters.
    pub fn cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let is_line = FieldLines::new().append(&name, &value).is_ok();
        if !is_line || value.contains(';') {
            return self.failing(Misuse::InvalidHeader.into());
        }
        self.cookies.push((name, value));
        self
    }

    /// Content as it is: bytes, or a [`RequestBody::reader`]. No `Content-Type` is invented.
    pub fn body(self, body: impl Into<RequestBody>) -> Self {
        self.with_content(Content::raw(body.into()))
    }

    /// Text, as `text/plain; charset=utf-8`.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with_content(Content::typed(
            "text/plain; charset=utf-8",
            Bytes::from(text.into()),
        ))
    }

    /// A value as JSON (RFC 8259), `application/json`.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.with_content(Content::typed("application/json", json.into())),
            Err(error) => self.failing(Error::from(Misuse::InvalidContent).with_source(error)),
        }
    }

    /// A form of name and value pairs; a name may repeat. It is sent as
    /// `application/x-www-form-urlencoded`, unless a `Content-Type` set by
    /// [`header`](Self::header) says `application/json` (then as a JSON object of strings) or
    /// `multipart/form-data`.
    pub fn form<N: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        match &mut self.content {
            Content::None => {
                self.content = Content::Form {
                    pairs: pairs.collect(),
                    files: Vec::new(),
                };
                self
            }
            Content::Form { pairs: present, .. } => {
                present.extend(pairs);
                self
            }
            _ => self.failing(Misuse::ConflictingContent.into()),
        }
    }

    /// Attaches a file to the form, which is then sent as `multipart/form-data` whatever a
    /// `Content-Type` says.
    #[cfg(feature = "multipart")]
    pub fn form_file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let file = (name.into(), path.into());
        match &mut self.content {
            Content::None => {
                self.content = Content::Form {
                    pairs: Vec::new(),
                    files: vec![file],
                };
                self
            }
            Content::Form { files, .. } => {
                files.push(file);
                self
            }
            _ => self.failing(Misuse::ConflictingContent.into()),
        }
    }

    /// A form with files, `multipart/form-data` (RFC 7578), streamed.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, form: crate::semantics::multipart::Form) -> Self {
        self.with_content(Content::multipart(form))
    }

    /// A file, streamed from disk by a worker; `Content-Length` is its size and `Content-Type`
    /// `application/octet-stream` unless set.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.with_content(Content::File(path.into()))
    }

    /// Collects the response in memory, the default: it comes with
    /// [`Event::Done`](crate::Event::Done).
    pub fn collect(mut self) -> Self {
        self.output = Output::Collect;
        self
    }

    /// Hands the response's content over piece by piece, as [`Event::Chunk`](crate::Event::Chunk).
    /// Pieces that were not pulled yet stop the reading: that is back-pressure.
    pub fn stream(mut self) -> Self {
        self.output = Output::Stream;
        self
    }

    /// Writes the response's content to a file; see [`Download`].
    pub fn download_to(mut self, download: impl Into<Download>) -> Self {
        self.output = Output::File(Box::new(download.into()));
        self
    }

    /// Reads the response as an event stream (WHATWG HTML §9.2), as
    /// [`Event::ServerSent`](crate::Event::ServerSent). It reconnects when the stream ends, after
    /// the time that the server asked for, with `Last-Event-ID`, until it is cancelled or answered
    /// by anything else than 200 and `text/event-stream`.
    pub fn event_stream(mut self) -> Self {
        self.output = Output::EventStream;
        self
    }

    /// Opens a WebSocket (RFC 6455). Messages come as
    /// [`Event::WebSocketMessage`](crate::Event::WebSocketMessage); send by
    /// [`Agent::send_message`](crate::Agent::send_message).
    #[cfg(feature = "websocket")]
    pub fn web_socket(mut self, options: super::web_socket::WebSocketOptions) -> Self {
        self.output = Output::WebSocket(Box::new(options));
        self
    }

    /// Redirects: whether, how many, how.
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.with(Override::Redirects(policy))
    }

    /// Retries. By default none.
    pub fn retries(self, policy: RetryPolicy) -> Self {
        self.with(Override::Retries(policy))
    }

    /// How long each phase may take.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(Override::Timeouts(timeouts))
    }

    /// How long the whole request may take, over all redirects and retries. Zero is no limit, and
    /// so is the default.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.with(Override::TotalTimeout(
            Some(limit).filter(|it| !it.is_zero()),
        ))
    }

    /// How long it may wait for a connection. No limit by default.
    pub fn queue_timeout(self, limit: Duration) -> Self {
        self.with(Override::QueueTimeout(
            Some(limit).filter(|it| !it.is_zero()),
        ))
    }

    /// Whose turn comes first when connections or bandwidth are short.
    pub fn priority(self, priority: Priority) -> Self {
        self.with(Override::Priority(priority))
    }

    /// At most so many bytes of content a second, each way. `None`: no limit but the agent's.
    pub fn rate_limit(self, bytes_per_second: Option<u64>) -> Self {
        self.with(Override::RateLimit(bytes_per_second))
    }

    /// The most content to take, decoded. Default 64 MiB in memory, no limit for streams; a download
    /// has [its own](Download::max_size). Zero is no limit.
    pub fn max_body(self, bytes: u64) -> Self {
        self.with(Override::MaxBody(bytes))
    }

    /// How to speak TLS.
    pub fn tls(self, options: TlsOptions) -> Self {
        self.with(Override::Tls(options))
    }

    /// Which proxies to use.
    pub fn proxies(self, proxies: ProxySettings) -> Self {
        self.with(Override::Proxies(proxies))
    }

    /// Goes through an HTTP proxy by `CONNECT` also for plain HTTP (curl's `--proxytunnel`). Default
    /// no: the proxy forwards.
    pub fn proxy_tunnel(self, tunnel: bool) -> Self {
        self.with(Override::ProxyTunnel(tunnel))
    }

    /// Who is asking. Given to the origin of this URL only, never across a redirect to another.
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.with(Override::Credentials(Some(credentials)))
    }

    /// Credentials by host, for when there are none of the caller's own, in the URL or for this
    /// origin: asked at each hop, so that a redirect to another host finds that host's.
    pub fn netrc(self, netrc: impl Into<Arc<Netrc>>) -> Self {
        self.with(Override::Netrc(netrc.into()))
    }

    /// Whether content codings are asked for and undone (RFC 9110 §8.4). Default: yes, as far as
    /// the features `gzip`, `brotli` and `zstd` are built.
    pub fn decompress(self, decompress: bool) -> Self {
        self.with(Override::Decompress(decompress))
    }

    /// How far content may swell when codings are undone.
    pub fn coding_limits(self, limits: CodingLimits) -> Self {
        self.with(Override::CodingLimits(limits))
    }

    /// Whether the agent's cookie jar is used and filled. Default yes, when the agent has one.
    pub fn use_cookies(self, cookies: bool) -> Self {
        self.with(Override::Cookies(cookies))
    }

    /// How the agent's cache is used, when it has one.
    pub fn cache(self, mode: CacheMode) -> Self {
        self.with(Override::Cache(mode))
    }

    /// Holds content of at least so many bytes back until the server asks for it by `100 Continue`,
    /// at most for [`Timeouts::continue_wait`] (RFC 9110 §10.1.1). `None`: never. Default 1 MiB, and
    /// whenever files are sent in a form.
    pub fn expect_continue(self, at_least: Option<u64>) -> Self {
        self.with(Override::ExpectContinue(at_least))
    }

    /// Whether every head of every hop is told as it goes over the wire, as
    /// [`Event::HeadSent`](crate::Event::HeadSent) and
    /// [`Event::HeadReceived`](crate::Event::HeadReceived). Default no.
    pub fn tell_heads(self, tell: bool) -> Self {
        self.with(Override::TellHeads(tell))
    }

    /// Whether a status of 400 or above is an error. Default no.
    pub fn error_for_status(self, fail: bool) -> Self {
        self.with(Override::ErrorForStatus(fail))
    }

    /// What this request may reach, for URLs that came from outside of the game: judged again after
    /// each redirect and each lookup.
    pub fn access(self, policy: AccessPolicy) -> Self {
        self.with(Override::Access(Some(policy)))
    }

    /// Origins that serve the same, as `https://b.example`, to try one after another when one fails;
    /// the URL's own comes first, until another has worked. They are trusted the same: credentials and
    /// cookies given with the request go to whichever is asked.
    pub fn fail_over(self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(Override::FailOver(
            origins.into_iter().map(Into::into).collect(),
        ))
    }

    /// The version in the request line: `HTTP/1.0` or `HTTP/1.1`, the default.
    pub fn version(self, version: Version) -> Self {
        self.with(Override::Version(version))
    }

    /// The request target to send instead of the URL's path and query, as it is: dot segments are not
    /// removed, nothing is encoded. A proxy that forwards gets a path with the origin before it. A
    /// redirect goes to its own.
    pub fn request_target(self, target: impl Into<String>) -> Self {
        self.with(Override::RequestTarget(target.into()))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL as it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn with(mut self, setting: Override) -> Self {
        self.overrides.push(setting);
        self
    }

    fn with_content(mut self, content: Content) -> Self {
        if !matches!(self.content, Content::None) {
            return self.failing(Misuse::ConflictingContent.into());
        }
        self.content = content;
        self
    }

    fn failing(mut self, error: Error) -> Self {
        self.fault.get_or_insert(error);
        self
    }
}

impl fmt::Debug for Request {
    /// Method and host; never a query, a header or content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, _query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let shown = shown.rsplit_once('@').map_or(shown, |(_, rest)| rest);
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &shown)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}
