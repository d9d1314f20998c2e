//! [`CookieFault`]: why a cookie is not stored (RFC 6265bis); [`CookieFileFault`]: a line of a cookie file that cannot be read.

use std::error::Error as StdError;
use std::fmt;

/// Why a cookie is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieFault {
    /// It has no name, or no `=`; its path does not begin with `/`, or its domain is no host name.
    Malformed,
    /// It holds control characters, is not UTF-8, or has `;` in its name or value.
    Characters,
    /// Name and value are longer than so many bytes (RFC 6265bis §5.6).
    TooLong(usize),
    /// It is for hosts that the one that sent it does not speak for (§5.7).
    Domain,
    /// It is for a whole top-level domain, or for an address other than the sender's.
    PublicSuffix,
    /// It is `Secure` and did not come over HTTPS (§5.7).
    NotSecure,
    /// It would replace or hide a `Secure` one, and did not come over HTTPS (§5.7).
    SecureExists,
    /// It lacks what its name promises: `__Secure-` or `__Host-` (§4.1.3).
    Prefix,
}

impl fmt::Display for CookieFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a cookie without a name, or with a malformed path or domain",
            Self::Characters => "a cookie with characters it cannot have",
            Self::TooLong(limit) => {
                return write!(f, "a cookie of more than {limit} bytes");
            }
            Self::Domain => "a cookie for hosts that its sender does not speak for",
            Self::PublicSuffix => "a cookie for a top-level domain or another address",
            Self::NotSecure => "a secure cookie that did not come over HTTPS",
            Self::SecureExists => "a cookie over plain HTTP in the place of a secure one",
            Self::Prefix => "a cookie that lacks what its __Secure- or __Host- name promises",
        })
    }
}

impl StdError for CookieFault {}

/// A line of a cookie file that was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieFileFault {
    /// Which line, counted from 1.
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
