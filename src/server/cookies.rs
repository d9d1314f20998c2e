//! One `Set-Cookie` field (RFC 6265 §4.1 and the prefixes of RFC 6265bis §4.1.3). Each cookie has a field
//! line of its own. Reading the `Cookie` field belongs to the request.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::fixdate::fixdate;
pub use crate::semantics::same_site::SameSite;

/// A cookie to set.
///
/// `Debug` hides the value.
#[derive(Clone)]
pub struct SetCookie {
    name: String,
    value: String,
    path: String,
    domain: Option<String>,
    expires: Option<SystemTime>,
    max_age: Option<Duration>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
    extras: Vec<String>,
}

/// Why a cookie cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSetCookie {
    /// The name is empty or not a token (RFC 6265 §4.1.1).
    Name,
    /// The value holds spaces, quotes, commas, semicolons, backslashes, control characters or
    /// letters beyond ASCII (RFC 6265 §4.1.1); encode it first.
    Value,
    /// Path, domain or an extra attribute holds a semicolon, a control character or a letter beyond
    /// ASCII, or the path does not start with `/`.
    Attribute,
    /// A `__Host-` cookie with a domain or with a path other than `/` (RFC 6265bis §4.1.3.2).
    HostPrefix,
}

impl SetCookie {
    /// A cookie for the whole site (`Path=/`) that lasts until the browser closes.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            path: "/".into(),
            domain: None,
            expires: None,
            max_age: None,
            secure: false,
            http_only: false,
            same_site: None,
            extras: Vec::new(),
        }
    }

    /// Sends the cookie for this path and the paths below it. Default `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends the cookie to this domain and those below it. Default: to this host only.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Keeps the cookie until this time, in whole seconds.
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// Keeps the cookie for this time, in whole seconds; zero deletes it. Overrides `expires`.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sends the cookie over TLS only. Cookies whose names start with `__Secure-` or `__Host-` always have
    /// this attribute.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Hides the cookie from scripts.
    #[must_use]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Which requests from other sites carry the cookie. Default: the browser's choice, mostly `Lax`.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// Adds an attribute exactly as given, such as `Partitioned`.
    #[must_use]
    pub fn extra(mut self, attribute: impl Into<String>) -> Self {
        self.extras.push(attribute.into());
        self
    }

    /// The value of the `Set-Cookie` field.
    ///
    /// Browsers drop a `__Host-` cookie that is not secure, has another path than `/`, or has a domain. So these
    /// attributes are set whatever the defaults are.
    pub fn header_value(&self) -> Result<HeaderValue, InvalidSetCookie> {
        self.check()?;
        let mut line = format!("{}={}; Path={}", self.name, self.value, self.path);
        let mut attribute = |text: &str| {
            line.push_str("; ");
            line.push_str(text);
        };
        if let Some(domain) = &self.domain {
            attribute(&format!("Domain={domain}"));
        }
        if let Some(at) = self.expires {
            attribute(&format!("Expires={}", fixdate(at)));
        }
        if let Some(age) = self.max_age {
            attribute(&format!("Max-Age={}", age.as_secs()));
        }
        if self.is_secure() {
            attribute("Secure");
        }
        if self.http_only {
            attribute("HttpOnly");
        }
        match self.same_site {
            Some(SameSite::Strict) => attribute("SameSite=Strict"),
            Some(SameSite::Lax) => attribute("SameSite=Lax"),
            Some(SameSite::None) => attribute("SameSite=None"),
            None => {}
        }
        for extra in &self.extras {
            attribute(extra);
        }
        let mut value = HeaderValue::from_str(&line).map_err(|_| InvalidSetCookie::Attribute)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn check(&self) -> Result<(), InvalidSetCookie> {
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        let is_value = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte))
        };
        let is_attribute = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
        };
        if !is_token(&self.name) {
            return Err(InvalidSetCookie::Name);
        }
        if !is_value(&self.value) {
            return Err(InvalidSetCookie::Value);
        }
        let attributes = self.extras.iter().chain(&self.domain);
        if !self.path.starts_with('/')
            || !is_attribute(&self.path)
            || !attributes
                .into_iter()
                .all(|text| !text.is_empty() && is_attribute(text))
        {
            return Err(InvalidSetCookie::Attribute);
        }
        if self.has_prefix("__Host-") && (self.domain.is_some() || self.path != "/") {
            return Err(InvalidSetCookie::HostPrefix);
        }
        Ok(())
    }

    fn is_secure(&self) -> bool {
        self.secure
            || self.same_site == Some(SameSite::None)
            || self.has_prefix("__Secure-")
            || self.has_prefix("__Host-")
    }

    // Browsers compare the prefixes without regard to case (RFC 6265bis §5.7).
    fn has_prefix(&self, prefix: &str) -> bool {
        self.name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetCookie")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for InvalidSetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a cookie's name is a token",
            Self::Value => {
                "a cookie's value holds no spaces, quotes, commas or semicolons; encode it"
            }
            Self::Attribute => {
                "an attribute holds no semicolon or control character, a path starts with a slash"
            }
            Self::HostPrefix => "a __Host- cookie has no domain and the path /",
        })
    }
}

impl std::error::Error for InvalidSetCookie {}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn cookies_as_lines() {
        let at = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (cookie, expected) in [
            (SetCookie::new("a", "1"), "a=1; Path=/"),
            (SetCookie::new("a", ""), "a=; Path=/"),
            (SetCookie::new("b", "x=y"), "b=x=y; Path=/"),
            (SetCookie::new("a", "1").path("/x"), "a=1; Path=/x"),
            (
                SetCookie::new("a", "1").domain("game.example").expires(at),
                "a=1; Path=/; Domain=game.example; Expires=Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                SetCookie::new("a", "1")
                    .max_age(Duration::from_secs(60))
                    .secure(true),
                "a=1; Path=/; Max-Age=60; Secure",
            ),
            (
                SetCookie::new("a", "1")
                    .http_only(true)
                    .same_site(SameSite::Strict)
                    .extra("Partitioned")
                    .extra("Priority=High"),
                "a=1; Path=/; HttpOnly; SameSite=Strict; Partitioned; Priority=High",
            ),
            (
                SetCookie::new("a", "1").same_site(SameSite::None),
                "a=1; Path=/; Secure; SameSite=None",
            ),
            // RFC 6265bis §4.1.3.1, §4.1.3.2
            (
                SetCookie::new("__Secure-a", "1"),
                "__Secure-a=1; Path=/; Secure",
            ),
            (
                SetCookie::new("__secure-a", "1"),
                "__secure-a=1; Path=/; Secure",
            ),
            (
                SetCookie::new("__Host-a", "1"),
                "__Host-a=1; Path=/; Secure",
            ),
        ] {
            let value = cookie.header_value().unwrap();
            assert!(value.is_sensitive());
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn cookies_that_cannot_be_set() {
        use InvalidSetCookie::{Attribute, HostPrefix, Name, Value};
        let plain = || SetCookie::new("a", "1");
        for (cookie, expected) in [
            (SetCookie::new("", "1"), Name),
            (SetCookie::new("a b", "1"), Name),
            (SetCookie::new("a=b", "1"), Name),
            (SetCookie::new("a\r\nX", "1"), Name),
            (SetCookie::new("a", "1; Domain=x"), Value),
            (SetCookie::new("a", "1\r\nX: y"), Value),
            (SetCookie::new("a", "1,2"), Value),
            (SetCookie::new("a", "\u{e9}"), Value),
            (plain().path(""), Attribute),
            (plain().path("x"), Attribute),
            (plain().path("/;Domain=x"), Attribute),
            (plain().path("/\n"), Attribute),
            (plain().domain("a;b"), Attribute),
            (plain().domain(""), Attribute),
            (plain().extra("a\r\nb"), Attribute),
            (plain().extra("a; b"), Attribute),
            (SetCookie::new("__Host-a", "1").domain("x"), HostPrefix),
            (SetCookie::new("__host-a", "1").path("/x"), HostPrefix),
        ] {
            assert_eq!(cookie.header_value().unwrap_err(), expected, "{cookie:?}");
        }
    }

    #[test]
    fn debug_hides_the_value() {
        assert!(!format!("{:?}", SetCookie::new("a", "secret")).contains("secret"));
    }
}
