//! The request head of one hop: the caller's lines, and what this side adds unless the caller said
//! otherwise. The order is the customary one: `Host` first (RFC 9110 §7.2).

use http::{Method, Version};
use url::Url;

use crate::error::Error;
use crate::proto::{FieldLines, RequestHead};

/// What goes into a head beside the caller's lines. `None` is left out.
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
    /// Validators of a stored response.
    pub(crate) validators: Vec<(String, Vec<u8>)>,
    /// What asks for another protocol.
    pub(crate) upgrade: FieldLines,
}

/// How the target is written (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Origin,
    /// For a proxy that forwards.
    Absolute,
}

/// Builds the head. `own` are the caller's lines, `without` the names of lines that must not be sent.
pub(crate) fn build(
    method: &Method,
    url: &Url,
    version: Version,
    target: String,
    own: &FieldLines,
    without: &[String],
    additions: &Additions<'_>,
) -> Result<RequestHead, Error> {
    let mut fields = FieldLines::new();
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
    let behind: [(&str, Option<&str>); 6] = [
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
    Ok(RequestHead {
        method: method.clone(),
        target,
        version,
        fields,
    })
}

/// The request target of a URL.
pub(crate) fn target(url: &Url, form: Form) -> String {
    match form {
        Form::Origin => origin_form(url),
        Form::Absolute => format!("{}://{}{}", url.scheme(), authority(url), origin_form(url)),
    }
}

/// The target that the caller gave: as it is, but a path goes to a proxy with the origin before it
/// (RFC 9112 §3.2.2).
pub(crate) fn given_target(url: &Url, form: Form, given: &str) -> String {
    match form {
        Form::Absolute if given.starts_with('/') => {
            format!("{}://{}{given}", url.scheme(), authority(url))
        }
        Form::Origin | Form::Absolute => given.to_owned(),
    }
}

/// Path and query (RFC 9112 §3.2.1).
fn origin_form(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// `host[:port]`, the port only when it is not the scheme's (RFC 9110 §7.2).
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
