//! [`InvalidProxy`]: a proxy setting that cannot be used.

use std::error::Error as StdError;
use std::fmt;

/// A proxy setting that cannot be used. Holds nothing of the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidProxy {
    setting: &'static str,
    fault: ProxyUrlFault,
}

impl InvalidProxy {
    pub(crate) fn new(setting: &'static str, fault: ProxyUrlFault) -> Self {
        Self { setting, fault }
    }

    /// The environment variable, or `http`, `https` or `all` for a proxy given by a call.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// What is wrong with its URL.
    pub fn fault(&self) -> ProxyUrlFault {
        self.fault
    }
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the proxy setting {} is invalid: {}",
            self.setting, self.fault
        )
    }
}

impl StdError for InvalidProxy {}

/// What is wrong with the URL of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyUrlFault {
    /// Not a URL with a host and a port from 1 to 65535.
    Malformed,
    /// A user name or password that is not UTF-8 when decoded.
    InvalidCredentials,
    /// `https`: TLS to the proxy itself.
    HttpsProxy,
    /// `socks4` or `socks4a`.
    Socks4,
    /// A scheme of no known kind of proxy.
    UnknownScheme,
}

impl fmt::Display for ProxyUrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "expected a URL such as http://proxy.example:3128",
            Self::InvalidCredentials => "the user name or password is not UTF-8",
            Self::HttpsProxy => {
                "TLS to the proxy itself is not supported; https requests go through an http:// \
                 proxy just as safely"
            }
            Self::Socks4 => "SOCKS 4 is not supported; use socks5:// or socks5h://",
            Self::UnknownScheme => "the scheme must be http, socks5 or socks5h",
        })
    }
}
