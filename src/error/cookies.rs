//! [`CookieFault`]: why a cookie is not stored (RFC 6265bis); [`CookieFileFault`]: a line of a cookie file that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// Why a cookie is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieFault {
    /// It has no name, or no `=`; its path does not begin with `/`, or its domain is not a host name.
    Malformed,
    /// It holds control characters, is not UTF-8, or has `;` in its name or value.
    Characters,
    /// Name and value have more than this number of bytes (RFC 6265bis §5.6).
    TooLong(usize),
    /// Its `Domain` does not include the host that sent it (§5.7).
    Domain,
    /// Its `Domain` is a top-level domain, or an address other than the sender's.
    PublicSuffix,
    /// It is `Secure` and was not received over HTTPS (§5.7).
    NotSecure,
    /// It would replace or hide a `Secure` cookie, and was not received over HTTPS (§5.7).
    SecureExists,
    /// Its name begins with `__Secure-` or `__Host-`, but it does not meet their rules (§4.1.3).
    Prefix,
}

impl fmt::Display for CookieFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the cookie has no name, or a malformed path or domain",
            Self::Characters => "the cookie has characters that are not allowed",
            Self::TooLong(limit) => {
                return write!(f, "the cookie has more than {limit} bytes");
            }
            Self::Domain => "the cookie's Domain does not include the host that sent it",
            Self::PublicSuffix => "the cookie's Domain is a top-level domain or another address",
            Self::NotSecure => "the cookie is Secure and was not received over HTTPS",
            Self::SecureExists => {
                "the cookie was received over plain HTTP and would replace a Secure cookie"
            }
            Self::Prefix => "the cookie does not meet the rules of its __Secure- or __Host- name",
        })
    }
}

impl StdError for CookieFault {}

/// A line of a cookie file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieFileFault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with its cookie.
    pub fault: CookieFault,
}

impl fmt::Display for CookieFileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the cookie file: {}", self.line, self.fault)
    }
}

impl StdError for CookieFileFault {}
