//! Cookies (RFC 6265bis): which cookies are stored, and which are sent. The agent decides whether a
//! request uses cookies, what happens at a redirect, and when a file is read or written.
//!
//! * `set_cookie`: parses and checks one `Set-Cookie` field line.
//! * `date`: the dates of `Expires`.
//! * `jar`: the stored cookies, and their limits.
//! * `netscape`: the file format of curl and old browsers.
//!
//! The crate `cookie_store` implements the syntax, the default path, and domain and path matching.
//! Its own store is not used: it reads the clock, has no limits, and does not record which cookie
//! is older.
//!
//! Differences from a browser:
//!
//! * There is no public suffix list. A `Domain` of a single label (`com`) is refused, as is an
//!   address, but `co.uk` is not. A game talks to servers it knows.
//! * `SameSite` is recorded and has no effect: no page is the source of a request.

mod date;
mod jar;
mod netscape;
mod set_cookie;
#[cfg(test)]
mod tests;

pub use jar::CookieJar;

use std::fmt;
use std::time::SystemTime;

use url::Url;

use super::same_site::SameSite;
use crate::error::CookieFault;

/// One cookie with all its attributes.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    /// The name; may be empty (RFC 6265bis §5.6), as long as the value is not.
    pub name: String,
    /// The value, quotes and all if it has them.
    pub value: String,
    /// The host it belongs to, in lower case and without a leading dot.
    pub domain: String,
    /// Whether it is sent to that host only, and not to its subdomains.
    pub host_only: bool,
    /// The path it is sent to, including paths below.
    pub path: String,
    /// Whether it is sent over HTTPS only.
    pub secure: bool,
    /// Whether it is hidden from scripts. Recorded only.
    pub http_only: bool,
    /// The server's rule for requests from other sites. Recorded only.
    pub same_site: Option<SameSite>,
    /// The expiry time; `None` for a session cookie, which ends when the game ends the session.
    pub expires: Option<SystemTime>,
}

impl Cookie {
    /// A session cookie for all paths of this host only.
    pub fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        domain: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            domain: domain.into(),
            host_only: true,
            path: "/".to_owned(),
            secure: false,
            http_only: false,
            same_site: None,
            expires: None,
        }
    }

    /// Parses the value of one `Set-Cookie` field line in a response from this URL. It makes those
    /// checks of [`CookieJar::store`] that need no jar.
    pub fn parse(url: &Url, set_cookie: &[u8], now: SystemTime) -> Result<Self, CookieFault> {
        set_cookie::parse(url, set_cookie, now)
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Debug for Cookie {
    /// Hides the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .field("value", &format_args!("(hidden)"))
            .field("domain", &self.domain)
            .field("host_only", &self.host_only)
            .field("path", &self.path)
            .field("secure", &self.secure)
            .field("http_only", &self.http_only)
            .field("same_site", &self.same_site)
            .field("expires", &self.expires)
            .finish()
    }
}

fn append(field: &mut String, name: &str, value: &str) {
    if !field.is_empty() {
        field.push_str("; ");
    }
    // RFC 6265bis §5.8.3, step 4: a cookie without a name is sent as its value alone.
    if !name.is_empty() {
        field.push_str(name);
        field.push('=');
    }
    field.push_str(value);
}
