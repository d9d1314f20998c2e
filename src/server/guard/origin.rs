//! Which site caused a browser's request: the `Origin` field (RFC 6454 §7, Fetch §3.2) and the fetch metadata
//! fields `Sec-Fetch-Site`, `-Mode` and `-Dest`, which no script of a page can write.

use std::fmt;
use std::str::FromStr;

use http::{Method, StatusCode};

use super::hosts::Hosts;
use super::{GuardRequest, Refusal, RefusalReason};
use crate::server::host::HostField;

/// Scheme, host and port of a site, as in `https://game.example` or `http://localhost:5173`.
///
/// `https://game.example` and `https://game.example:443` are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebOrigin {
    scheme: String,
    host: HostField,
}

/// The text is not just a scheme and a host, as in `https://game.example`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

impl WebOrigin {
    /// Whether the given host and port serve pages of this origin. The scheme is not compared, because a proxy
    /// in front may add TLS.
    fn is_at(&self, host: &HostField) -> bool {
        self.host.host == host.host
            && match (self.host.port, host.port) {
                // If neither has a port, each means the default port of its own scheme.
                (None, None) => true,
                (own, other) => own.or(self.default_port()) == other.or(self.default_port()),
            }
    }

    fn port(&self) -> Option<u16> {
        self.host.port.or(self.default_port())
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }
}

impl FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let (scheme, host) = text.split_once("://").ok_or(InvalidOrigin)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err(InvalidOrigin);
        }
        let mut origin = Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.parse().map_err(|_| InvalidOrigin)?,
        };
        if origin.host.port == origin.default_port() {
            origin.host.port = None;
        }
        Ok(origin)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no origin: a scheme and a host, as in https://game.example")
    }
}

impl std::error::Error for InvalidOrigin {}

/// The site that caused the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    /// Not named: the client is no browser, the page is this server's own, or the user followed a link.
    Unnamed,
    /// A page of this server.
    Own,
    /// A page of another origin.
    Other(WebOrigin),
    /// A page whose origin the browser hides (`null`), or that has none with a host (`file://`).
    Hidden,
    /// A page of another site, which the browser does not name.
    CrossSite,
}

impl Initiator {
    pub(super) fn of(request: &GuardRequest<'_>, hosts: Option<&Hosts>) -> Result<Self, Refusal> {
        let mut origins = request.fields.get_all("origin");
        let origin = match (origins.next(), origins.next()) {
            (None, _) => return Ok(Self::unnamed(request)),
            (Some(origin), None) => origin,
            (Some(_), Some(_)) => return Err(Refusal::malformed()),
        };
        if origin == b"null" {
            // A page of this server may also hide its origin, by its referrer policy.
            let is_own = field(request, "sec-fetch-site") == Some(b"same-origin");
            return Ok(if is_own { Self::Own } else { Self::Hidden });
        }
        let origin = std::str::from_utf8(origin).ok();
        let Some(origin) = origin.and_then(|origin| origin.parse::<WebOrigin>().ok()) else {
            return Ok(Self::Hidden);
        };
        let is_own = match (hosts, origin.port()) {
            (Some(hosts), Some(port)) => hosts.is_origin(&origin.host, port, request),
            (Some(_), None) => false,
            (None, _) => match request.forwarded_host {
                Some(host) => origin.is_at(host),
                None => HostField::of(request.fields)
                    .map_err(|_| Refusal::malformed())?
                    .is_some_and(|host| origin.is_at(&host)),
            },
        };
        Ok(if is_own {
            Self::Own
        } else {
            Self::Other(origin)
        })
    }

    /// Refuses requests that pages of other sites caused.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let reason = match self {
            Self::Unnamed | Self::Own => return Ok(()),
            Self::Other(_) | Self::Hidden => RefusalReason::ForeignOrigin,
            Self::CrossSite => RefusalReason::CrossSite,
        };
        Err(Refusal::new(StatusCode::FORBIDDEN, reason))
    }

    fn unnamed(request: &GuardRequest<'_>) -> Self {
        match field(request, "sec-fetch-site") {
            // `none` means that the user caused it: by the address bar or a bookmark.
            None | Some(b"same-origin" | b"none") => Self::Unnamed,
            Some(_) if follows_link(request) => Self::Unnamed,
            Some(_) => Self::CrossSite,
        }
    }
}

/// Whether the browser shows the response as a page of its own. Links from other sites, and the redirect at
/// the end of a login, have to work; frames and images need not.
fn follows_link(request: &GuardRequest<'_>) -> bool {
    matches!(*request.method, Method::GET | Method::HEAD)
        && field(request, "sec-fetch-mode") == Some(b"navigate")
        && field(request, "sec-fetch-dest") == Some(b"document")
}

fn field<'a>(request: &GuardRequest<'a>, name: &str) -> Option<&'a [u8]> {
    request.fields.get(name)
}
