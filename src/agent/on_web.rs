//! What an agent does differently in a browser: which options it refuses, which it leaves to the browser, and
//! which options of `fetch` it sets. `connection` and `transport::fetch` carry out the request.

use http::Method;
use url::Url;
use web_sys::{RequestCache, RequestCredentials};

use super::config::Config;
use super::content::Content;
use super::output::Output;
use super::request_head::Additions;
use super::settings::{CacheMode, CredentialsMode, Settings};
use crate::error::{Error, Misuse};
use crate::proto::FieldLines;
use crate::semantics::auth::Credentials;
use crate::transport::fetch::{FetchOptions, forbidden_field, page_url};
#[cfg(feature = "websocket")]
use crate::transport::{socket::NonblockingStream, web_socket::BrowserSocket};

/// What a request consists of, as far as a browser may refuse it.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) fields: &'a FieldLines,
    pub(super) cookies: &'a [(String, String)],
    pub(super) output: &'a Output,
    pub(super) settings: &'a Settings,
    pub(super) config: &'a Config,
}

/// Refuses what a browser cannot do, or does in a way that the caller must not expect.
pub(super) fn check(asked: &Asked<'_>) -> Result<(), Error> {
    match refusal(asked) {
        Some(what) => Err(Misuse::NotOnWeb(what).into()),
        None => Ok(()),
    }
}

fn refusal(asked: &Asked<'_>) -> Option<&'static str> {
    let settings = asked.settings;
    match *asked.method {
        Method::CONNECT => return Some("the method CONNECT"),
        Method::TRACE => return Some("the method TRACE"),
        _ => {}
    }
    let mut fields = asked.fields.iter();
    if let Some(forbidden) = fields.find_map(|(name, _)| forbidden_field(name)) {
        return Some(forbidden);
    }
    if !asked.cookies.is_empty() {
        return Some("Request::cookie; see RequestOptions::credentials_mode");
    }
    #[cfg(feature = "cookies")]
    if asked.config.cookies.is_some() && settings.cookies {
        return Some(
            "a cookie jar; the browser keeps cookies, see RequestOptions::credentials_mode",
        );
    }
    #[cfg(not(feature = "cookies"))]
    let _ = asked.config;
    if settings.proxies.proxy_for(asked.url).is_some() {
        return Some("proxies");
    }
    if settings.request_target.is_some() {
        return Some("RequestOptions::request_target");
    }
    if let Some(access) = &settings.access
        && !access.non_public_addresses
    {
        return Some("an AccessPolicy about addresses; set non_public_addresses");
    }
    match settings.credentials {
        Some(Credentials::Digest { .. }) => return Some("Digest authentication"),
        Some(Credentials::Any { .. }) => return Some("Credentials::Any"),
        _ => {}
    }
    match asked.output {
        #[cfg(feature = "websocket")]
        Output::WebSocket(_) if asked.fields.iter().next().is_some() => {
            Some("headers of a WebSocket")
        }
        #[cfg(feature = "websocket")]
        Output::WebSocket(_) if settings.credentials.is_some() || settings.netrc.is_some() => {
            Some("credentials of a WebSocket; put a token into its URL or first message")
        }
        #[cfg(feature = "websocket")]
        Output::WebSocket(_) => None,
        Output::Collect
        | Output::Stream
        | Output::Messages(_)
        | Output::EventStream
        | Output::File(_) => None,
    }
}

/// Refuses files that are named by their paths.
pub(super) fn check_content(content: &Content) -> Result<(), Error> {
    let names_file = match content {
        Content::File(_) => true,
        Content::Form { files, .. } => !files.is_empty(),
        #[cfg(feature = "multipart")]
        Content::Multipart(form) => form.has_paths(),
        Content::None | Content::Raw(_) | Content::Typed { .. } => false,
    };
    if names_file {
        return Err(Misuse::NotOnWeb("a file by its path as content").into());
    }
    Ok(())
}

/// The absolute form of a relative URL, which a browser resolves against the page.
pub(super) fn resolve(reference: &str) -> Option<String> {
    let page = Url::parse(&page_url()?).ok()?;
    page.join(reference).ok().map(String::from)
}

/// Leaves out the fields that the browser sets itself, and those of ours that would make it ask the server for
/// permission first (Fetch, "CORS-safelisted request-header").
pub(super) fn leave_to_browser(additions: &mut Additions<'_>) {
    additions.user_agent = "";
    additions.accept_encoding = "";
    additions.cookie = None;
    additions.referer = None;
    additions.expects_continue = false;
    // Told by `FetchOptions::cache`.
    additions.cache_control = None;
    additions.pragma = None;
}

/// The browser's WebSocket for this URL, as a stream.
#[cfg(feature = "websocket")]
pub(super) fn web_socket(url: &Url) -> Box<dyn NonblockingStream> {
    // Agents write `http` for `ws` and `https` for `wss`.
    let url = url.as_str().replacen("http", "ws", 1);
    Box::new(BrowserSocket::new(url))
}

/// How the browser carries out a request.
pub(super) fn fetch_options(settings: &Settings, output: &Output) -> FetchOptions {
    let is_stream = matches!(output, Output::EventStream);
    let cache = match settings.cache {
        _ if is_stream => Some(RequestCache::NoStore),
        CacheMode::Default | CacheMode::StaleIfError => None,
        CacheMode::NoStore => Some(RequestCache::NoStore),
        CacheMode::Reload => Some(RequestCache::Reload),
        CacheMode::NoCache => Some(RequestCache::NoCache),
        CacheMode::ForceCache => Some(RequestCache::ForceCache),
        CacheMode::OnlyIfCached => Some(RequestCache::OnlyIfCached),
    };
    FetchOptions {
        credentials: settings.credentials_mode.map(|mode| match mode {
            CredentialsMode::SameOrigin => RequestCredentials::SameOrigin,
            CredentialsMode::Include => RequestCredentials::Include,
            CredentialsMode::Omit => RequestCredentials::Omit,
        }),
        cache,
        // The browser follows a redirect without asking. So it must not, where a rule of the caller could forbid
        // it, or where a secret would be sent to another origin.
        refuses_redirects: !settings.redirects.follow
            || settings.redirects.max == 0
            || settings.access.is_some()
            || !settings.secret_headers.is_empty(),
        keepalive: settings.keepalive,
        most_collected: matches!(output, Output::Collect)
            .then(|| settings.most_collected().unwrap_or(u64::MAX)),
    }
}
