//! Which fields a trailer section may contain (RFC 9110 §6.5.1), for both directions. `chunked` parses
//! trailers. They never mix with the header section, because [`ExchangeEvent::End`] has its own [`FieldLines`].
//!
//! [`ExchangeEvent::End`]: super::ExchangeEvent::End
//! [`FieldLines`]: super::FieldLines

/// Whether a field of this name is allowed in a trailer section. It is not if the field frames or routes
/// the message, authenticates, modifies the request, controls the response or describes the content's
/// format, because it would arrive too late. `Authentication-Info` is for the next request, and Digest allows it
/// here (RFC 9110 §11.6.3, RFC 7616 §3.5).
pub(super) fn is_allowed_in_trailers(name: &str) -> bool {
    const FORBIDDEN: [&str; 36] = [
        "accept",
        "age",
        "authorization",
        "cache-control",
        "connection",
        "cookie",
        "date",
        "expect",
        "expires",
        "forwarded",
        "host",
        "keep-alive",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "referer",
        "retry-after",
        "set-cookie",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "warning",
        "www-authenticate",
        "x-forwarded-for",
        "x-forwarded-host",
    ];
    let starts_with = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // A digest is known only at the end, and is meant for trailers (RFC 9530 §6.5).
    let is_digest = name.eq_ignore_ascii_case("content-digest");
    !FORBIDDEN
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
        && !starts_with("if-")
        && (!starts_with("content-") || is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("X-Checksum", true),
            ("Content-Digest", true),
            ("ETag", true),
            ("Server-Timing", true),
            ("Authentication-Info", true),
            ("Transfer-Encoding", false),
            ("content-length", false),
            ("Content-Type", false),
            ("HOST", false),
            ("Authorization", false),
            ("Set-Cookie", false),
            ("If-None-Match", false),
            ("Trailer", false),
        ] {
            assert_eq!(is_allowed_in_trailers(name), expected, "{name}");
        }
    }
}
