//! An origin: scheme, host and port (RFC 9110 §4.3.1, RFC 6454 §4). Credentials, protection spaces,
//! circuits and connection pools each belong to one origin. What happens when a request crosses
//! origins is in `redirect` and `auth`.

use std::fmt;

use url::{Host, Url};

/// Scheme, host and port, normalised as in [`Url`]: lower case, international names in ASCII, and
/// the default port when none is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: String,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of `url`; `None` for a URL without a host or without a known port, such as
    /// `data:` or `file:`.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    fn has_default_port(&self) -> bool {
        matches!(
            (self.scheme.as_str(), self.port),
            ("http" | "ws", 80) | ("https" | "wss", 443)
        )
    }
}

/// Writes `https://example.com`, with the port only when it is not the default (RFC 6454 §6.2).
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.has_default_port() {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Whether both URLs have the same origin. A URL without an origin is not equal to any URL, not
/// even to itself (RFC 6454 §4: a fresh identifier each time).
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    match (Origin::of(one), Origin::of(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn origins_are_displayed_as_in_rfc_6454_6_2() {
        for (text, shown) in [
            ("https://u:p@Example.COM/x?q#f", "https://example.com"),
            ("http://a.b:80/", "http://a.b"),
            ("http://a.b:443/", "http://a.b:443"),
            ("https://a.b:8443/", "https://a.b:8443"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://127.1/", "http://127.0.0.1"),
            ("wss://a.b/", "wss://a.b"),
            ("http://bücher.example/", "http://xn--bcher-kva.example"),
        ] {
            assert_eq!(Origin::of(&url(text)).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn the_same_origin_is_the_same_scheme_host_and_port() {
        for (one, other, same) in [
            ("http://a.b/x", "http://A.B:80/y?z", true),
            ("http://u@a.b/", "http://a.b/", true),
            ("http://a.b/", "https://a.b/", false),
            ("http://a.b/", "http://a.b:8080/", false),
            ("http://a.b/", "http://sub.a.b/", false),
            ("http://a.b/", "http://a.b./", false),
            ("data:,x", "data:,x", false),
            ("file:///x", "file:///x", false),
        ] {
            assert_eq!(
                same_origin(&url(one), &url(other)),
                same,
                "{one} and {other}"
            );
        }
    }
}
