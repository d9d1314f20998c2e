//! The request head of one hop: the caller's fields, and those that the agent adds unless the caller said
//! otherwise. `Host` comes first (RFC 9110 §7.2).

use http::{Method, Version};
use url::{Position, Url};

use crate::error::Error;
use crate::proto::{FieldLines, RequestHead};

/// The fields of a head besides the caller's. `None` is left out.
#[derive(Debug, Default)]
pub(crate) struct Additions<'a> {
    pub(crate) user_agent: &'a str,
    pub(crate) authorization: Option<Vec<u8>>,
    pub(crate) proxy_authorization: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) referer: Option<&'a str>,
    pub(crate) accept_encoding: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<&'a str>,
    pub(crate) last_event_id: Option<&'a str>,
    pub(crate) expects_continue: bool,
    pub(crate) accept: Option<&'a str>,
    pub(crate) cache_control: Option<&'a str>,
    pub(crate) pragma: Option<&'a str>,
    /// Validators of a stored response.
    pub(crate) validators: Vec<(String, Vec<u8>)>,
    /// Fields that ask for another protocol.
    pub(crate) upgrade: FieldLines,
}

/// A head that is built again and again in the same memory.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) head: RequestHead,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            head: RequestHead {
                method: Method::GET,
                target: String::new(),
                version: Version::HTTP_11,
                fields: FieldLines::new(),
            },
        }
    }
}

/// How the target is written (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetForm {
    Origin,
    /// For a proxy that forwards.
    Absolute,
}

/// Builds the head around a target that was written before. `own` are the caller's fields, `without` the
/// names of fields that must not be sent.
pub(crate) fn build(
    draft: &mut Draft,
    method: &Method,
    url: &Url,
    version: Version,
    own: &FieldLines,
    without: &[String],
    additions: &Additions<'_>,
) -> Result<(), Error> {
    let head = &mut draft.head;
    head.method = method.clone();
    head.version = version;
    let fields = &mut head.fields;
    fields.clear();
    let wanted = |name: &str| {
        !own.contains(name) && !without.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    match own.get("host") {
        Some(host) => fields.append("Host", host)?,
        None if wanted("host") => fields.append("Host", authority(url))?,
        None => {}
    }
    if let Some(authorization) = &additions.authorization
        && wanted("authorization")
    {
        fields.append("Authorization", authorization)?;
    }
    let before: [(&str, Option<&str>); 4] = [
        (
            "Proxy-Authorization",
            additions.proxy_authorization.as_deref(),
        ),
        (
            "User-Agent",
            Some(additions.user_agent).filter(|it| !it.is_empty()),
        ),
        ("Accept", Some(additions.accept.unwrap_or("*/*"))),
        (
            "Accept-Encoding",
            Some(additions.accept_encoding).filter(|it| !it.is_empty()),
        ),
    ];
    for (name, value) in before {
        if let Some(value) = value
            && wanted(name)
        {
            fields.append(name, value)?;
        }
    }
    for (name, value) in own.iter() {
        let is_cookie = name.eq_ignore_ascii_case("cookie") && additions.cookie.is_some();
        if !name.eq_ignore_ascii_case("host") && !is_cookie {
            fields.append(name, value)?;
        }
    }
    if let Some(cookie) = &additions.cookie {
        let cookie = match own.get("cookie") {
            Some(own) => [own, b"; ", cookie.as_bytes()].concat(),
            None => cookie.clone().into_bytes(),
        };
        fields.append("Cookie", cookie)?;
    }
    let behind: [(&str, Option<&str>); 8] = [
        ("Cache-Control", additions.cache_control),
        ("Pragma", additions.pragma),
        ("Referer", additions.referer),
        ("Content-Type", additions.content_type),
        ("Range", additions.range.as_deref()),
        ("If-Range", additions.if_range),
        ("Last-Event-ID", additions.last_event_id),
        (
            "Expect",
            additions.expects_continue.then_some("100-continue"),
        ),
    ];
    for (name, value) in behind {
        if let Some(value) = value
            && wanted(name)
        {
            fields.append(name, value)?;
        }
    }
    for (name, value) in &additions.validators {
        if wanted(name) {
            fields.append(name, value)?;
        }
    }
    for (name, value) in additions.upgrade.iter() {
        fields.append(name, value)?;
    }
    Ok(())
}

/// Writes the request target of a URL.
pub(crate) fn write_target(url: &Url, form: TargetForm, out: &mut String) {
    out.clear();
    if form == TargetForm::Absolute {
        push_origin(url, out);
    }
    out.push_str(url.path());
    if let Some(query) = url.query() {
        out.push('?');
        out.push_str(query);
    }
}

/// Writes the target that the caller gave, unchanged, except that a proxy gets the origin before a path
/// (RFC 9112 §3.2.2).
pub(crate) fn write_given_target(url: &Url, form: TargetForm, given: &str, out: &mut String) {
    out.clear();
    if form == TargetForm::Absolute && given.starts_with('/') {
        push_origin(url, out);
    }
    out.push_str(given);
}

/// `host[:port]`. The port is left out when it is the scheme's default (RFC 9110 §7.2).
pub(crate) fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

fn push_origin(url: &Url, out: &mut String) {
    out.push_str(url.scheme());
    out.push_str("://");
    out.push_str(authority(url));
}
