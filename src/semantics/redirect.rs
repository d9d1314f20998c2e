//! Computes the request after a redirect: the next URL, the method, and the fields that must not be
//! sent again (RFC 9110 §15.4, §10.2.2, §10.1.3). The agent sends it, counts redirects, and keeps
//! the history.

use std::fmt;

use http::{Method, StatusCode};
use url::Url;

use super::auth::Credentials;
use super::origin::{Origin, same_origin};
use crate::error::RedirectRefusal;

/// Which redirects are followed, and how.
///
/// ```
/// let mut policy = httpoll::redirect::RedirectPolicy::up_to(3);
/// policy.keep_post_on_302 = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedirectPolicy {
    /// Whether redirects are followed. If not, the 3xx is the response. Default `true`.
    pub follow: bool,
    /// The maximum number of redirects for one request before it fails. Default 10.
    pub max: u32,
    /// Whether `https` may lead to `http`. Default `false`.
    pub allow_downgrade: bool,
    /// Whether a POST stays a POST on 301 (curl's `--post301`). Default `false`: it becomes a GET,
    /// as RFC 9110 §15.4.2 allows and browsers do.
    pub keep_post_on_301: bool,
    /// Whether a POST stays a POST on 302 (curl's `--post302`). Default `false`.
    pub keep_post_on_302: bool,
    /// Whether a POST stays a POST on 303 (curl's `--post303`), against RFC 9110 §15.4.4. Default
    /// `false`.
    pub keep_post_on_303: bool,
    /// Whether a `Referer` that the caller set is sent only to the first URL, and each redirected
    /// request gets the URL that it came from (curl's `--referer "…;auto"`). Default `false`: the
    /// caller's `Referer` stays.
    pub renew_referer: bool,
    /// Whether credentials and cookies that the caller set are also sent to other origins (curl's
    /// `--location-trusted`). Default `false`.
    pub keep_credentials_across_origins: bool,
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self {
            follow: true,
            max: 10,
            allow_downgrade: false,
            keep_post_on_301: false,
            keep_post_on_302: false,
            keep_post_on_303: false,
            renew_referer: false,
            keep_credentials_across_origins: false,
        }
    }
}

impl RedirectPolicy {
    /// Follows no redirect: a 3xx is the response.
    pub fn none() -> Self {
        Self {
            follow: false,
            ..Self::default()
        }
    }

    /// Follows up to `max` redirects, with the other defaults.
    pub fn up_to(max: u32) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    fn keeps_post(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::MOVED_PERMANENTLY => self.keep_post_on_301,
            StatusCode::FOUND => self.keep_post_on_302,
            StatusCode::SEE_OTHER => self.keep_post_on_303,
            _ => true,
        }
    }
}

/// The request after a redirect.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Redirection {
    /// The next URL. It inherits the fragment (RFC 9110 §10.2.2). It has a user name and password
    /// only if the present URL had them and the origin is the same.
    pub(crate) url: Url,
    /// The user name and password from `Location`. They replace the caller's at the new origin.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) method: Method,
    /// Whether the content is sent again.
    pub(crate) keeps_content: bool,
    pub(crate) crosses_origin: bool,
    /// The value of `Referer`, if one is wanted; `None` when it must be left out (RFC 9110
    /// §10.1.3).
    pub(crate) referer: Option<String>,
}

impl fmt::Debug for Redirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths and queries may hold secrets.
        f.debug_struct("Redirection")
            .field("origin", &Origin::of(&self.url).map(|o| o.to_string()))
            .field("method", &self.method)
            .field("keeps_content", &self.keeps_content)
            .field("crosses_origin", &self.crosses_origin)
            .finish_non_exhaustive()
    }
}

/// Decides what to do with a response to `method` at `current`, after `followed` redirects. `None`
/// when there is no redirect to follow. `upgrade` returns the secure form of an `http` URL (RFC
/// 6797 §8.3). It is called before the rule on downgrades; pass `&|_| None` for no upgrade.
pub(crate) fn redirect(
    policy: &RedirectPolicy,
    status: StatusCode,
    method: &Method,
    current: &Url,
    location: Option<&[u8]>,
    followed: u32,
    upgrade: &dyn Fn(&Url) -> Option<Url>,
) -> Result<Option<Redirection>, RedirectRefusal> {
    let location = location.map(<[u8]>::trim_ascii);
    let Some(location) = location.filter(|location| !location.is_empty()) else {
        return Ok(None);
    };
    if !policy.follow || !is_followed(status) {
        return Ok(None);
    }
    if followed >= policy.max {
        return Err(RedirectRefusal::TooMany(policy.max));
    }
    let mut url = resolve(current, location)?;
    if let Some(secure) = upgrade(&url) {
        url = secure;
    }
    let downgrades = current.scheme() == "https" && url.scheme() == "http";
    if downgrades && !policy.allow_downgrade {
        return Err(RedirectRefusal::Downgrade);
    }
    let crosses_origin = !same_origin(current, &url);
    let mut credentials = None;
    if crosses_origin || userinfo(&url) != userinfo(current) {
        // Credentials that are not text cannot be sent.
        credentials = Credentials::from_url(&url).ok().flatten();
        strip_userinfo(&mut url);
    }
    let (method, keeps_content) = next_method(policy, status, method);
    Ok(Some(Redirection {
        url,
        credentials,
        method,
        keeps_content,
        crosses_origin,
        referer: (!downgrades).then(|| referer(current)),
    }))
}

/// The value of `Referer` for a request that comes from `url`: without user name, password and
/// fragment (RFC 9110 §10.1.3).
pub(crate) fn referer(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    strip_userinfo(&mut url);
    url.into()
}

impl Redirection {
    /// Whether a field of the previous request is sent again (RFC 9110 §15.4, list). `secrets`
    /// names further fields that the caller marked as secret, such as `X-Api-Key`.
    pub(crate) fn takes_along(
        &self,
        name: &str,
        policy: &RedirectPolicy,
        secrets: &[String],
    ) -> bool {
        let is_among = |list: &[&str]| list.iter().any(|other| other.eq_ignore_ascii_case(name));
        let is_secret = is_among(&CREDENTIALS)
            || secrets
                .iter()
                .any(|secret| secret.eq_ignore_ascii_case(name));
        let stays_with_origin =
            is_among(&OF_ORIGIN) || is_secret && !policy.keep_credentials_across_origins;
        let is_renewed = policy.renew_referer && name.eq_ignore_ascii_case("referer");
        let is_foreign = self.crosses_origin && stays_with_origin;
        let is_void = !self.keeps_content && is_about_content(name);
        !(is_renewed || is_foreign || is_void)
    }
}

/// Fields that depend on the origin or the connection, and are wrong for any other.
const OF_ORIGIN: [&str; 3] = ["host", "origin", "proxy-authorization"];

/// Fields that carry credentials.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "cookie2"];

fn is_about_content(name: &str) -> bool {
    const ABOUT_CONTENT: [&str; 6] = [
        "transfer-encoding",
        "trailer",
        "expect",
        "digest",
        "repr-digest",
        "last-modified",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("content-") || ABOUT_CONTENT.contains(&name.as_str())
}

fn is_followed(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

fn next_method(policy: &RedirectPolicy, status: StatusCode, method: &Method) -> (Method, bool) {
    let is_post = *method == Method::POST;
    match status {
        _ if is_post && policy.keeps_post(status) => (Method::POST, true),
        StatusCode::SEE_OTHER if *method == Method::HEAD => (Method::HEAD, false),
        StatusCode::SEE_OTHER => (Method::GET, false),
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if is_post => (Method::GET, false),
        _ => (method.clone(), true),
    }
}

fn resolve(current: &Url, location: &[u8]) -> Result<Url, RedirectRefusal> {
    // A field value should be ASCII, but servers also send UTF-8 and Latin-1. Browsers keep each
    // such byte by percent-encoding it, and the URL parser turns encoded UTF-8 in a host into its
    // ASCII form.
    let location = percent_encoding::percent_encode(location, &NON_ASCII).to_string();
    let mut url = current
        .join(&location)
        .map_err(|_| RedirectRefusal::InvalidLocation)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectRefusal::UnsupportedScheme);
    }
    if url.fragment().is_none() {
        url.set_fragment(current.fragment());
    }
    Ok(url)
}

/// Encodes no ASCII characters. Bytes outside ASCII are always encoded.
const NON_ASCII: percent_encoding::AsciiSet = percent_encoding::AsciiSet::EMPTY;

fn userinfo(url: &Url) -> (&str, Option<&str>) {
    (url.username(), url.password())
}

fn strip_userinfo(url: &mut Url) {
    // These calls fail only for URLs without a host, which have no user information to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests;
