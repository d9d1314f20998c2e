//! What the browser is asked for, and what it refuses a page.

use http::Method;

use super::page_file::PageFile;
use crate::error::{Error, Misuse};
use crate::proto::{FieldLines, RequestHead};

/// A request as `fetch` takes it.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(super) method: Method,
    /// An absolute URL.
    pub(super) url: String,
    pub(super) fields: FieldLines,
    pub(crate) content: Vec<u8>,
    /// A file of the page, which is the content then.
    pub(crate) file: Option<PageFile>,
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
            content: Vec::new(),
            file: None,
            announced: None,
            options,
        })
    }

    /// The bytes that the browser was given.
    pub(crate) fn size(&self) -> u64 {
        let fields = self.fields.iter();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
        let file = self.file.as_ref().map_or(0, PageFile::length);
        (self.url.len() + fields + self.content.len()) as u64 + file
    }
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
