//! Cookies (RFC 6265bis): which are kept, which are sent. Whether a request takes part in it at all,
//! and what happens at a redirect, is decided elsewhere; so is when a file is read or written.
//!
//! * `set_cookie`: one `Set-Cookie` line, read and judged.
//! * `date`: the dates of `Expires`.
//! * `jar`: what is kept, and the limits of that.
//! * `netscape`: the file format of curl and browsers of old.
//!
//! The crate `cookie_store` knows the syntax, the default path, and how domains and paths match. Its
//! own store is not used: it reads the clock, has no limits, and forgets which cookie is older.
//!
//! What a browser does and this does not:
//!
//! * There is no public suffix list. A `Domain` of a single label (`com`) is refused, as is an
//!   address, but `co.uk` is not. A game talks to servers it knows.
//! * `SameSite` is recorded and has no effect: there is no page that a request comes from.

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

/// One cookie, with all that is known about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    /// The name; may be empty (RFC 6265bis §5.6), as long as the value is not.
    pub name: String,
    /// The value, quotes and all if it has them.
    pub value: String,
    /// The host it belongs to, in lower case and without a dot in front.
    pub domain: String,
    /// Whether it goes to that host alone, and not to those below it.
    pub host_only: bool,
    /// The path it goes to, and below.
    pub path: String,
    /// Whether it goes over HTTPS only.
    pub secure: bool,
    /// Whether scripts are to be kept from it. Recorded only.
    pub http_only: bool,
    /// What the server said about requests from other sites. Recorded only.
    pub same_site: Option<SameSite>,
    /// When it ends; `None` with the session, that is, when the game says so.
    pub expires: Option<SystemTime>,
}

impl Cookie {
    /// A session cookie for all paths of this one host.
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

    /// Reads the value of one `Set-Cookie` line of a response from this URL, and judges it as
    /// [`CookieJar::store`] does, as far as that needs no jar.
    pub fn parse(url: &Url, set_cookie: &[u8], now: SystemTime) -> Result<Self, CookieFault> {
        set_cookie::parse(url, set_cookie, now)
    }

    /// Whether it has ended.
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
