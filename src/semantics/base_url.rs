//! Builds the URL of a request from what the caller wrote: a base URL, the authority of a default
//! `Host` field, and query pairs (RFC 3986 §3). References in responses follow other rules; they
//! belong to `redirect`.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Why a text is not a valid URL for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlFault {
    /// A relative reference without a base.
    Relative,
    /// A scheme other than `http` and `https`.
    UnsupportedScheme,
    /// Not a URL by the URL Standard.
    Invalid(url::ParseError),
    /// A base URL with a query or a fragment.
    BaseWithQuery,
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative => f.write_str(
                "the URL is relative; give it whole, or set a base URL or a default Host field",
            ),
            Self::UnsupportedScheme => f.write_str("the scheme must be http or https"),
            Self::Invalid(error) => write!(f, "the URL is malformed: {error}"),
            Self::BaseWithQuery => {
                f.write_str("a base URL must have no query and no fragment; add them per request")
            }
        }
    }
}

impl std::error::Error for UrlFault {}

/// Parses a base URL.
pub(crate) fn parse_base(text: &str) -> Result<Url, UrlFault> {
    let base = parse(text)?;
    if base.query().is_some() || base.fragment().is_some() {
        return Err(UrlFault::BaseWithQuery);
    }
    Ok(base)
}

/// Resolves `reference`. A URL with a scheme is used unchanged, whatever the base. Anything else
/// goes below `base`, with exactly one slash between, so it never leaves the base's host. Without a
/// base it goes below `host`, the value of a default `Host` field, over `http`.
pub(crate) fn request_url(
    base: Option<&Url>,
    host: Option<&str>,
    reference: &str,
) -> Result<Url, UrlFault> {
    let reference = reference.trim_matches(|c: char| c <= ' ');
    if is_absolute(reference) {
        return parse(reference);
    }
    match (base, host) {
        (Some(base), _) => parse(&below(base.as_str(), reference)),
        (None, Some(host)) => parse(&below(authority(host)?.as_str(), reference)),
        (None, None) => Err(UrlFault::Relative),
    }
}

/// Appends pairs, or names alone, to the query. Each is percent-encoded and joined with `&` to the
/// existing query.
pub(crate) fn append_query<'a>(
    url: &mut Url,
    pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) {
    let mut query = String::new();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, RESERVED));
        if let Some(value) = value {
            query.push('=');
            query.extend(utf8_percent_encode(value, RESERVED));
        }
    }
    append_query_string(url, &query);
}

/// Appends an encoded query string, joined with `&` to the existing query.
fn append_query_string(url: &mut Url, query: &str) {
    if query.is_empty() {
        return;
    }
    match url.query() {
        None | Some("") => url.set_query(Some(query)),
        Some(present) => {
            let joined = format!("{}&{query}", present.trim_end_matches('&'));
            url.set_query(Some(&joined));
        }
    }
}

/// Everything but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn parse(text: &str) -> Result<Url, UrlFault> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => UrlFault::Relative,
        error => UrlFault::Invalid(error),
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(UrlFault::UnsupportedScheme),
    }
}

/// Whether the text starts with a scheme and `://`. A weaker check would take `users:1` and
/// `localhost:8080/x` for URLs with unknown schemes.
pub(crate) fn is_absolute(reference: &str) -> bool {
    let is_of_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let end = reference.bytes().position(|b| !is_of_scheme(b));
    reference.starts_with(|c: char| c.is_ascii_alphabetic())
        && end.is_some_and(|end| reference.as_bytes()[end..].starts_with(b"://"))
}

fn authority(host: &str) -> Result<Url, UrlFault> {
    let host = host.trim();
    if host.is_empty() || host.contains(['/', '\\', '?', '#', '@']) {
        return Err(UrlFault::Invalid(url::ParseError::InvalidDomainCharacter));
    }
    parse(&format!("http://{host}"))
}

fn below(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        // The author of the base decides whether it ends in a slash.
        return base.to_owned();
    }
    let base = base.trim_end_matches('/');
    let reference = reference.trim_start_matches(['/', '\\']);
    if reference.starts_with(['?', '#']) {
        return format!("{base}{reference}");
    }
    format!("{base}/{reference}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_base_url_precedes_relative_references() {
        for (base, reference, expected) in [
            ("https://h/api", "users", "https://h/api/users"),
            ("https://h/api", "/users", "https://h/api/users"),
            ("https://h/api/", "users", "https://h/api/users"),
            ("https://h/api/", "/users", "https://h/api/users"),
            ("https://h/api//", "//users", "https://h/api/users"),
            ("https://h", "users/1", "https://h/users/1"),
            ("https://h/api", "users?x=1#f", "https://h/api/users?x=1#f"),
            ("https://h/api", "?x=1", "https://h/api?x=1"),
            ("https://h/api", "#f", "https://h/api#f"),
            ("https://h/api", "/", "https://h/api/"),
            ("https://h/api/", "", "https://h/api/"),
            ("https://h/api", "", "https://h/api"),
            ("https://h/api", "users:1", "https://h/api/users:1"),
            (
                "https://h/api",
                "x?next=http://c/",
                "https://h/api/x?next=http://c/",
            ),
            ("https://h/api", " /users\n", "https://h/api/users"),
            // Already prefixed, or elsewhere: as it is. The prefix ends at `/`, `?` or the end.
            ("https://h/api", "https://h/api", "https://h/api"),
            (
                "https://h/api",
                "https://h/api/users",
                "https://h/api/users",
            ),
            ("https://h/api", "https://h/api?x", "https://h/api?x"),
            ("https://h/api", "https://h/apix", "https://h/apix"),
            ("https://h/api", "HTTP://other/y", "http://other/y"),
            // Nothing relative leaves the host.
            ("https://h", "@evil/x", "https://h/@evil/x"),
            ("https://h", "//evil/x", "https://h/evil/x"),
            ("https://h", "\\\\evil/x", "https://h/evil/x"),
            ("https://h", ":81/x", "https://h/:81/x"),
            ("https://h/api", "../../../x", "https://h/x"),
        ] {
            let base = parse_base(base).unwrap();
            let made = request_url(Some(&base), Some("ignored.example"), reference).unwrap();
            assert_eq!(made.as_str(), expected, "{base} and {reference:?}");
        }
    }

    #[test]
    fn a_default_host_supplies_the_authority_of_a_relative_url() {
        for (host, reference, expected) in [
            (
                "example.com",
                "/current-user",
                "http://example.com/current-user",
            ),
            ("example.com:8080", "x?y", "http://example.com:8080/x?y"),
            ("[::1]:81", "/", "http://[::1]:81/"),
            ("example.com", "https://a.b/x", "https://a.b/x"),
        ] {
            let made = request_url(None, Some(host), reference).unwrap();
            assert_eq!(made.as_str(), expected);
        }
        for host in ["", "a/b", "a b", "u@a", "a?b", "a#b", "a:99999", "a\\b"] {
            assert!(request_url(None, Some(host), "/x").is_err(), "{host:?}");
        }
    }

    #[test]
    fn texts_that_are_not_http_urls_are_refused() {
        for (text, fault) in [
            ("/x", UrlFault::Relative),
            ("a.b/x", UrlFault::Relative),
            ("", UrlFault::Relative),
            ("ftp://a.b/", UrlFault::UnsupportedScheme),
            ("file:///x", UrlFault::UnsupportedScheme),
            ("http://", UrlFault::Invalid(url::ParseError::EmptyHost)),
            (
                "http://a:b/",
                UrlFault::Invalid(url::ParseError::InvalidPort),
            ),
        ] {
            assert_eq!(request_url(None, None, text), Err(fault), "{text}");
            assert!(!fault.to_string().is_empty());
        }
        for base in ["https://h/?x", "https://h/#f"] {
            assert_eq!(parse_base(base), Err(UrlFault::BaseWithQuery));
        }
        assert_eq!(parse_base("/api"), Err(UrlFault::Relative));
        assert_eq!(parse_base("ws://h/"), Err(UrlFault::UnsupportedScheme));
    }

    #[test]
    fn pairs_are_encoded_and_joined() {
        for (start, pairs, expected) in [
            ("http://a.b/", &[][..], "http://a.b/"),
            ("http://a.b/", &[("x", "1")][..], "http://a.b/?x=1"),
            (
                "http://a.b/?y=2",
                &[("x", "1"), ("z", "")][..],
                "http://a.b/?y=2&x=1&z=",
            ),
            ("http://a.b/?", &[("x", "1")][..], "http://a.b/?x=1"),
            ("http://a.b/?y&", &[("x", "1")][..], "http://a.b/?y&x=1"),
            ("http://a.b/#f", &[("x", "1")][..], "http://a.b/?x=1#f"),
            (
                "http://a.b/",
                &[("a b&c", "ü=/?#+%'~-._")][..],
                "http://a.b/?a%20b%26c=%C3%BC%3D%2F%3F%23%2B%25%27~-._",
            ),
        ] {
            let mut url = url(start);
            append_query(
                &mut url,
                pairs.iter().map(|(name, value)| (*name, Some(*value))),
            );
            assert_eq!(url.as_str(), expected);
        }
        let mut url = url("http://a.b/?y");
        append_query_string(&mut url, "single=123&not_valued");
        append_query_string(&mut url, "");
        assert_eq!(url.as_str(), "http://a.b/?y&single=123&not_valued");
    }
}
