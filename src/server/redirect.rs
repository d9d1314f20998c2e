//! Checks for a redirect: its status and its `Location` (RFC 9110 §10.2.2, §15.4).

use std::fmt;

use http::{HeaderValue, StatusCode};

/// The status of a redirect when none is chosen: `302 Found`.
pub const DEFAULT_REDIRECT: StatusCode = StatusCode::FOUND;

/// Why a redirect cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// The status is outside 300 to 399.
    Status,
    /// The location is empty, or holds line breaks, spaces, other control characters or letters beyond ASCII.
    /// Percent-encode them (RFC 3986 §2).
    Location,
}

/// The value of `Location` for a redirect with this status. The content of the response is then empty.
///
/// A location is a URL or a reference such as `/lobby`, and is sent unchanged. It may lead to another host:
/// never use a location from a request without checking it.
pub fn redirect_location(
    location: &str,
    status: StatusCode,
) -> Result<HeaderValue, InvalidRedirect> {
    if !status.is_redirection() {
        return Err(InvalidRedirect::Status);
    }
    let is_reference = !location.is_empty() && location.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_reference {
        return Err(InvalidRedirect::Location);
    }
    HeaderValue::from_str(location).map_err(|_| InvalidRedirect::Location)
}

impl fmt::Display for InvalidRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "the status of a redirect is 300 to 399",
            Self::Location => {
                "a location holds no spaces, line breaks or letters beyond ASCII; percent-encode them"
            }
        })
    }
}

impl std::error::Error for InvalidRedirect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        use InvalidRedirect::{Location, Status};
        for (location, status, expected) in [
            ("/lobby", 302, Ok(())),
            ("https://game.example/?a=b#c", 301, Ok(())),
            ("//game.example/", 308, Ok(())),
            ("?page=2", 300, Ok(())),
            ("caf%C3%A9", 399, Ok(())),
            ("/", 200, Err(Status)),
            ("/", 299, Err(Status)),
            ("/", 400, Err(Status)),
            ("", 302, Err(Location)),
            ("/a\r\nSet-Cookie: x=y", 302, Err(Location)),
            ("/a\nb", 302, Err(Location)),
            ("/a\rb", 302, Err(Location)),
            ("/a\0", 302, Err(Location)),
            ("/a b", 302, Err(Location)),
            ("/caf\u{e9}", 302, Err(Location)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let found = redirect_location(location, status);
            assert_eq!(
                found.map(|value| assert_eq!(value, location)),
                expected,
                "{location:?}"
            );
        }
        assert_eq!(DEFAULT_REDIRECT, 302);
    }
}
