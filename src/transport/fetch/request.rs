//! What the browser is asked for, and what it refuses a page.

use http::Method;

use super::content::FetchContent;
use crate::error::{Error, Misuse};
use crate::proto::{FieldLines, RequestHead};

/// A request as `fetch` takes it.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(super) method: Method,
    /// An absolute URL.
    pub(super) url: String,
    pub(super) fields: FieldLines,
    pub(crate) content: FetchContent,
    /// The length that the source of the content announced.
    pub(crate) announced: Option<u64>,
    pub(super) options: FetchOptions,
}

/// How the browser carries a request out; the names are those of Fetch's `RequestInit`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FetchOptions {
    pub(crate) credentials: Option<web_sys::RequestCredentials>,
    pub(crate) cache: Option<web_sys::RequestCache>,
    /// Whether redirects are not followed.
    pub(crate) refuses_redirects: bool,
    pub(crate) keepalive: bool,
    /// If the response is collected as a whole: the most bytes that it may have.
    pub(crate) most_collected: Option<u64>,
}

impl FetchRequest {
    /// The request with this head. `origin` goes before a target that is a path. Fields that the browser sets
    /// itself are left out: code that accepts a caller's fields refuses them by [`forbidden_field`].
    pub(crate) fn new(
        origin: &str,
        head: &RequestHead,
        options: FetchOptions,
    ) -> Result<Self, Error> {
        match head.method {
            Method::CONNECT => return Err(Misuse::NotOnWeb("the method CONNECT").into()),
            Method::TRACE => return Err(Misuse::NotOnWeb("the method TRACE").into()),
            _ => {}
        }
        let target = head.target.as_str();
        let url = if target.starts_with('/') {
            format!("{origin}{target}")
        } else if target.starts_with("http://") || target.starts_with("https://") {
            target.to_owned()
        } else {
            return Err(Misuse::NotOnWeb("a request target that is no path and no URL").into());
        };
        let mut fields = FieldLines::new();
        for (name, value) in head.fields.iter() {
            // `*/*` is what a browser sends.
            let is_default = name.eq_ignore_ascii_case("accept") && value == b"*/*";
            if forbidden_field(name).is_none() && !is_default {
                fields.append(name, value)?;
            }
        }
        Ok(Self {
            method: head.method.clone(),
            url,
            fields,
            content: FetchContent::default(),
            announced: None,
            options,
        })
    }

    /// About the bytes of its head.
    pub(crate) fn head_size(&self) -> u64 {
        let fields = self.fields.iter();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
        (self.url.len() + fields) as u64
    }

    /// The field lines as the strings of JavaScript, which hold bytes as the characters of the same number
    /// ("isomorphic decode").
    pub(super) fn js_fields(&self) -> impl Iterator<Item = (&str, String)> {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (name, value.iter().map(|byte| char::from(*byte)).collect()))
    }

    /// Whether a browser asks another origin for permission before it sends this (Fetch, "CORS-preflight fetch").
    /// `false` is also possible where it does.
    pub(super) fn needs_preflight(&self) -> bool {
        let is_safe = |(name, value): (&str, &[u8])| match &*name.to_ascii_lowercase() {
            "accept" | "accept-language" | "content-language" | "range" => true,
            "content-type" => is_simple_type(value),
            _ => false,
        };
        let is_simple_method = matches!(self.method, Method::GET | Method::HEAD | Method::POST);
        let is_typed = self.fields.contains("content-type");
        !is_simple_method
            || !self.fields.iter().all(is_safe)
            || !is_typed && !is_simple_type(self.content.content_type().as_bytes())
    }
}

/// Whether content of this type is sent without permission (Fetch, "CORS-safelisted request-header").
fn is_simple_type(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    let simple: [&[u8]; 4] = [
        b"",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"text/plain",
    ];
    simple.iter().any(|it| it.eq_ignore_ascii_case(essence))
}

/// The names of fields that only the browser sets (Fetch §2.2.2, "forbidden request-header"). `Some`: the name of
/// one, as an error shows it.
pub(crate) fn forbidden_field(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 21] = [
        ("accept-charset", "the header Accept-Charset"),
        ("accept-encoding", "the header Accept-Encoding"),
        (
            "access-control-request-headers",
            "the header Access-Control-Request-Headers",
        ),
        (
            "access-control-request-method",
            "the header Access-Control-Request-Method",
        ),
        ("connection", "the header Connection"),
        ("content-length", "the header Content-Length"),
        (
            "cookie",
            "the header Cookie; see RequestOptions::credentials_mode",
        ),
        ("cookie2", "the header Cookie2"),
        ("date", "the header Date"),
        ("dnt", "the header DNT"),
        ("expect", "the header Expect"),
        ("host", "the header Host"),
        ("keep-alive", "the header Keep-Alive"),
        ("origin", "the header Origin"),
        ("referer", "the header Referer"),
        ("set-cookie", "the header Set-Cookie"),
        ("te", "the header TE"),
        ("trailer", "the header Trailer"),
        ("transfer-encoding", "the header Transfer-Encoding"),
        ("upgrade", "the header Upgrade"),
        ("via", "the header Via"),
    ];
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("proxy-") {
        return Some("a header whose name begins with Proxy-");
    }
    if lower.starts_with("sec-") {
        return Some("a header whose name begins with Sec-");
    }
    let found = NAMES.iter().find(|(forbidden, _)| *forbidden == lower);
    found.map(|(_, shown)| *shown)
}
