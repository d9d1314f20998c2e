//! [`Request`]: what a client sent, in every form that a handler may want. `proto` parses heads and framing;
//! this module reads the result. A request can also be parsed from bytes, without a server.

mod json;
mod query;
mod reply;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use percent_encoding::percent_decode_str;
use serde_core::de::DeserializeOwned;

use super::client::Client;
use super::content::Content;
use super::files::{AssetPath, DotFiles, PathFault};
use super::forwarded::ForwardedClient;
use super::host::HostField;
use super::multipart::{FormField, ReceivedForm};
use crate::error::{Error, ErrorKind};
use crate::limits::{Limit, Limits};
use crate::proto::{Exchange, ExchangeEvent, FieldLines, RequestHead};
use crate::transport::tls::TlsInfo;

pub use query::QueryPairs;
use reply::Reply;

/// One request. Handlers get it by reference; [`Server::next_request`](crate::server::Server::next_request)
/// returns it.
///
/// To respond later, from another frame or thread, take its [`Responder`](crate::server::Responder) by
/// [`defer`](Self::defer). A pulled request that is dropped without a response gets `500`.
pub struct Request {
    method: Method,
    target: String,
    /// The positions of path and query in the target.
    path: std::ops::Range<usize>,
    query: Option<usize>,
    version: Version,
    fields: FieldLines,
    cookies: Option<String>,
    params: Vec<(Arc<str>, String)>,
    body: Bytes,
    trailers: FieldLines,
    client: Client,
    tls: Option<Arc<TlsInfo>>,
    /// What a trusted proxy reported about the client behind it.
    forwarded: Option<ForwardedClient>,
    form: Option<ReceivedForm>,
    reply: Reply,
    pub(super) content: Option<Content>,
}

impl Request {
    /// Parses one whole request from `bytes`, without a server: for tests and tools. Returns the
    /// request and its length in bytes, or `None` when `bytes` end before the request does.
    ///
    /// # Errors
    /// When a server would refuse it: [`ErrorKind::Peer`] or [`ErrorKind::Limit`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<(Self, usize)>, Error> {
        let mut exchange = Exchange::server(limits.clone());
        let (mut at, mut head, mut body) = (0, None, Vec::new());
        loop {
            let input = bytes.get(at..).unwrap_or_default();
            let received = exchange.receive(input)?;
            match received.event {
                Some(ExchangeEvent::Request(request)) => head = Some(request),
                Some(ExchangeEvent::Content(range)) => {
                    body.extend_from_slice(input.get(range).unwrap_or_default());
                }
                Some(ExchangeEvent::End { trailers }) => {
                    let Some(head) = head else { return Ok(None) };
                    let client = Client::nobody();
                    let mut request = Self::new(head, client, None);
                    request.complete(body.into(), trailers);
                    return Ok(Some((request, at + received.consumed)));
                }
                Some(_) => {}
                None => return Ok(None),
            }
            at += received.consumed;
        }
    }

    pub(super) fn new(head: RequestHead, client: Client, tls: Option<Arc<TlsInfo>>) -> Self {
        let RequestHead {
            method,
            target,
            version,
            mut fields,
        } = head;
        let cookies = take_cookies(&mut fields);
        let start = match target.as_bytes() {
            [b'/', ..] => 0,
            // Absolute form: the path follows the authority.
            _ => match target.split_once("://") {
                Some((scheme, rest)) => {
                    let from = scheme.len() + 3;
                    from + rest.find(['/', '?']).unwrap_or(rest.len())
                }
                None => 0,
            },
        };
        let query = target[start..].find('?').map(|at| start + at);
        let path = start..query.unwrap_or(target.len());
        Self {
            method,
            target,
            path,
            query,
            version,
            fields,
            cookies,
            params: Vec::new(),
            body: Bytes::new(),
            trailers: FieldLines::new(),
            client,
            tls,
            forwarded: None,
            form: None,
            reply: Reply::Nowhere,
            content: None,
        }
    }

    /// The method (RFC 9110 §9).
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The target as it was received, including the query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path as it was received, without the query: `/a%20b`. `*` for `OPTIONS *`.
    pub fn path(&self) -> &str {
        match &self.target[self.path.clone()] {
            "" => "/",
            path => path,
        }
    }

    /// The path with its percent-encoding decoded, once; bytes that are not UTF-8 become U+FFFD. Use it
    /// for display; to find files, use [`Server::files`](crate::server::Server::files), which checks the path.
    pub fn decoded_path(&self) -> String {
        percent_decode_str(self.path())
            .decode_utf8_lossy()
            .into_owned()
    }

    /// The query as it was received, without the `?`.
    pub fn query_string(&self) -> Option<&str> {
        self.query.map(|at| &self.target[at + 1..])
    }

    /// The pairs of the query string.
    pub fn query(&self) -> QueryPairs {
        QueryPairs::parse(self.query_string().unwrap_or_default().as_bytes())
    }

    /// The HTTP version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The field lines except `Cookie`, which is in [`cookies`](Self::cookies).
    pub fn headers(&self) -> &FieldLines {
        &self.fields
    }

    /// The first field value of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.fields.get(name)?).ok()
    }

    /// Names and values of the cookies, in order (RFC 6265 §4.2). Quotes around a value are dropped.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.cookies.as_deref().unwrap_or_default();
        lines.split(';').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = value.trim_matches([' ', '\t']);
            let bare = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            Some((name.trim_matches([' ', '\t']), bare.unwrap_or(value)))
        })
    }

    /// The first cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// The host that the client requested, without port and in lower case; an IPv6 address keeps its brackets.
    /// The host of an absolute target replaces `Host` (RFC 9112 §3.2.2). Behind a
    /// [trusted proxy](crate::server::ServerBuilder::trusted_proxies) it is the host that the proxy reports.
    pub fn host(&self) -> Option<String> {
        if let Some(host) = self.forwarded.as_ref().and_then(|it| it.host.as_ref()) {
            return Some(host.host.to_string());
        }
        Some(without_port(self.authority()?).to_ascii_lowercase())
    }

    /// Host and port as the client wrote them: from an absolute target, otherwise from `Host`.
    pub fn authority(&self) -> Option<&str> {
        if let Some((_, rest)) = self.target[..self.path.start].split_once("://") {
            return Some(rest);
        }
        self.header("host")
    }

    /// The client's address: the peer of the connection, or the address that a
    /// [trusted proxy](crate::server::ServerBuilder::trusted_proxies) reports.
    pub fn ip(&self) -> IpAddr {
        match &self.forwarded {
            Some(forwarded) => forwarded.ip,
            None => self.client.peer_addr().ip(),
        }
    }

    /// The client's address if it is an IPv4 address, even if written as IPv6.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(ip) => ip.to_ipv4_mapped(),
        }
    }

    /// The client's address if it is an IPv6 address.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        match self.ip() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip),
        }
    }

    /// The client that sent it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The peer of the connection: the proxy, if there is one.
    pub fn peer_addr(&self) -> SocketAddr {
        self.client.peer_addr()
    }

    /// Whether the request came over TLS, to this server or to a trusted proxy.
    pub fn is_secure(&self) -> bool {
        match &self.forwarded {
            Some(forwarded) => forwarded.is_secure,
            None => self.tls.is_some(),
        }
    }

    /// Facts about the TLS session, including the certificates that the client presented.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }

    /// The part of the path that a parameter of the route's pattern matched, percent-decoded: `id` of
    /// `/players/:id`. The client chose it, so it may hold anything; for paths use
    /// [`param_path`](Self::param_path).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// A parameter as a relative path that cannot lead out of a folder, as of `/saves/*path`. Join it to a
    /// folder with [`as_str`](AssetPath::as_str).
    ///
    /// A parameter that [`param`](Self::param) returns may be `../../secret`, `/etc/passwd` or `C:\\x`: never make
    /// a path of it without this check.
    ///
    /// # Errors
    /// [`PathFault`] for every path with names that are empty, `.`, `..`, hidden, or special to a file
    /// system. `None` when the route has no parameter of this name.
    pub fn param_path(&self, name: &str) -> Option<Result<AssetPath, PathFault>> {
        let path = self.param(name)?;
        Some(AssetPath::from_decoded(path, DotFiles::Refuse))
    }

    /// All parameters, in the order of the pattern.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The whole content. Empty for a route that is called [at the head](crate::server::Route::at_head), and for
    /// `multipart/form-data`, which is in [`form`](Self::form).
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The content as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    /// The content as a value of any type that can be read from JSON, such as [`serde_json::Value`], whatever its
    /// content type is. A handler that returns the error responds with `400`.
    ///
    /// # Errors
    /// When it is not JSON, or not that of a `T`. The error says where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, super::BadRequest> {
        serde_json::from_slice(&self.body).map_err(super::BadRequest::because)
    }

    /// The media type of the content, in lower case and without parameters; empty without a `Content-Type` field.
    pub fn media_type(&self) -> String {
        let line = self.header("content-type").unwrap_or_default();
        let bare = line.split(';').next().unwrap_or_default();
        bare.trim_matches([' ', '\t']).to_ascii_lowercase()
    }

    /// The content as a form: `multipart/form-data` or `application/x-www-form-urlencoded`. The former was read
    /// while it arrived, with large files on disk until they are dropped. The form is empty if the handler takes the
    /// [content](Self::take_content) itself.
    ///
    /// # Errors
    /// When the content has another type, or none. A handler that returns the error responds with `415`.
    pub fn form(&mut self) -> Result<&mut ReceivedForm, super::NotAForm> {
        if self.form.is_none() {
            self.form = Some(match &*self.media_type() {
                "application/x-www-form-urlencoded" => urlencoded(&self.body),
                "multipart/form-data" => ReceivedForm::default(),
                other => return Err(super::NotAForm::of(other)),
            });
        }
        Ok(self.form.get_or_insert_default())
    }

    /// The trailer section (RFC 9110 §6.5).
    pub fn trailers(&self) -> &FieldLines {
        &self.trailers
    }

    pub(super) fn complete(&mut self, body: Bytes, trailers: FieldLines) {
        self.body = body;
        self.trailers = trailers;
    }

    pub(super) fn set_params(&mut self, params: Vec<(Arc<str>, String)>) {
        self.params = params;
    }

    /// The host that a trusted proxy reports.
    pub(super) fn forwarded_host(&self) -> Option<&HostField> {
        self.forwarded.as_ref()?.host.as_ref()
    }

    pub(super) fn set_forwarded(&mut self, forwarded: ForwardedClient) {
        self.forwarded = Some(forwarded);
    }

    pub(super) fn set_form(&mut self, form: ReceivedForm) {
        self.form = Some(form);
    }

    /// The fault for content that is too large.
    pub(super) fn too_large(limit: u64) -> ErrorKind {
        ErrorKind::Limit(Limit::BodyBytes(
            usize::try_from(limit).unwrap_or(usize::MAX),
        ))
    }
}

impl fmt::Debug for Request {
    /// Method, path and client; no query, header or content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("client", &self.client)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Cookies are moved out of the field lines; several lines count as one (RFC 9113 §8.2.3).
fn take_cookies(fields: &mut FieldLines) -> Option<String> {
    let mut cookies: Option<String> = None;
    for line in fields.get_all("cookie") {
        let line = String::from_utf8_lossy(line);
        match &mut cookies {
            None => cookies = Some(line.into_owned()),
            Some(cookies) => {
                cookies.push_str("; ");
                cookies.push_str(&line);
            }
        }
    }
    if cookies.is_some() {
        fields.remove("cookie");
    }
    cookies
}

/// The pairs of a URL-encoded form as its fields.
fn urlencoded(body: &[u8]) -> ReceivedForm {
    let pairs = QueryPairs::parse(body);
    let fields = pairs.iter().map(|(name, value)| FormField {
        name: name.to_owned(),
        value: Bytes::copy_from_slice(value.unwrap_or_default().as_bytes()),
    });
    ReceivedForm {
        fields: fields.collect(),
        files: Vec::new(),
    }
}

/// An authority without its port.
pub(super) fn without_port(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

#[cfg(test)]
mod tests;
