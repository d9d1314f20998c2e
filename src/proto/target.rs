//! Request targets and `Host` (RFC 9112 §3.2): which of the four forms a target has, and whether an
//! authority is well-formed. Joining and percent-encoding URLs is not done here.

use http::{Method, Version};

use super::fields::FieldLines;
use super::grammar::{CharacterClass, alphanumeric_and};

/// Whether the target has a form that its method allows: `host:port` for `CONNECT` and only there, `*` for
/// `OPTIONS` only, otherwise a path that starts with `/` or an `http(s)` URL without user information. It
/// must contain no spaces, control characters or fragment.
pub(super) fn is_valid_target(method: &Method, target: &str) -> bool {
    let clean = target
        .bytes()
        .all(|byte| byte > b' ' && byte != 0x7f && byte != b'#');
    clean
        && match (method, target.as_bytes()) {
            (&Method::CONNECT, authority) => is_authority(authority, Port::Required),
            (&Method::OPTIONS, b"*") | (_, [b'/', ..]) => true,
            (_, url) => absolute_form_authority(url)
                .is_some_and(|authority| is_authority(authority, Port::Optional)),
        }
}

/// Whether the `Host` fields are valid: present in HTTP/1.1, at most one, well-formed (RFC 9112 §3.2).
pub(super) fn has_valid_host(version: Version, fields: &FieldLines) -> bool {
    let mut hosts = fields.get_all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) => version == Version::HTTP_10,
        (Some(host), None) => is_authority(host, Port::Optional),
        (Some(_), Some(_)) => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Required,
    Optional,
}

fn absolute_form_authority(url: &[u8]) -> Option<&[u8]> {
    let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    rest.split(|byte| matches!(byte, b'/' | b'?')).next()
}

fn is_authority(authority: &[u8], port: Port) -> bool {
    let (host_is_valid, rest) = match authority {
        [b'[', literal @ ..] => match literal.iter().position(|&byte| byte == b']') {
            Some(end) => (is_ip_literal(&literal[..end]), &literal[end + 1..]),
            None => return false,
        },
        _ => {
            let end = authority
                .iter()
                .position(|&byte| byte == b':')
                .unwrap_or(authority.len());
            (is_host_name(&authority[..end]), &authority[end..])
        }
    };
    host_is_valid
        && match rest {
            [] | [b':'] => port == Port::Optional,
            [b':', digits @ ..] => is_port(digits),
            _ => false,
        }
}

// Zone identifiers are only valid on this machine (RFC 9844), so a percent sign is not allowed.
fn is_ip_literal(literal: &[u8]) -> bool {
    literal.contains(&b':')
        && literal
            .iter()
            .all(|&byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
}

/// RFC 3986's reg-name, without the comma, which in practice means that two values were joined.
static REG_NAME: CharacterClass = alphanumeric_and(b"-._~%!$&'()*+;=");

// An empty name is not allowed (RFC 9110 §4.2.1).
fn is_host_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| REG_NAME[usize::from(byte)])
}

fn is_port(digits: &[u8]) -> bool {
    let port = digits.iter().try_fold(0u16, |port, digit| match digit {
        b'0'..=b'9' => port.checked_mul(10)?.checked_add(u16::from(digit - b'0')),
        _ => None,
    });
    port.is_some_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_belongs_to_its_methods() {
        let (get, options, connect) = (Method::GET, Method::OPTIONS, Method::CONNECT);
        for (method, target, expected) in [
            (&get, "/", true),
            (&get, "/a/b?c=d&e", true),
            (&get, "//double", true),
            (&get, "/caf\u{e9}", true),
            (&get, "http://a.example/", true),
            (&get, "HTTPS://a.example:8443?q", true),
            (&get, "http://[::1]:80/x", true),
            (&get, "http://a.example", true),
            (&options, "*", true),
            (&options, "/", true),
            (&connect, "a.example:443", true),
            (&connect, "[::1]:443", true),
            (&get, "", false),
            (&get, "*", false),
            (&get, "path", false),
            (&get, "?q", false),
            (&get, "a.example:443", false),
            (&get, "ftp://a.example/", false),
            (&get, "http://", false),
            (&get, "http:///x", false),
            (&get, "http://user@a.example/", false),
            (&get, "/a b", false),
            (&get, "/a\r\nX: y", false),
            (&get, "/a\0", false),
            (&get, "/a\x7f", false),
            (&get, "/a#fragment", false),
            (&connect, "a.example", false),
            (&connect, "a.example:", false),
            (&connect, "/", false),
            (&connect, "*", false),
            (&connect, "http://a.example:443", false),
            (&connect, "a.example:0", false),
            (&connect, "a.example:65536", false),
            (&connect, "a.example:443\r\nX: y", false),
        ] {
            assert_eq!(
                is_valid_target(method, target),
                expected,
                "{method} {target}"
            );
        }
    }

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("a.example", true),
            ("a.example:80", true),
            ("a.example:", true),
            ("under_score", true),
            ("127.0.0.1:8080", true),
            ("[::1]", true),
            ("[2001:db8::1]:80", true),
            ("", false),
            (":80", false),
            ("a b", false),
            ("a,b", false),
            ("a/b", false),
            ("user@a", false),
            ("a:80:80", false),
            ("a:x", false),
            ("a:+80", false),
            ("a:99999", false),
            ("[::1", false),
            ("[]", false),
            ("[fe80::1%25eth0]", false),
            ("[::1]x", false),
            ("\u{e4}", false),
        ] {
            let mut fields = FieldLines::new();
            fields.append("Host", host).unwrap();
            assert_eq!(
                has_valid_host(Version::HTTP_11, &fields),
                expected,
                "{host}"
            );
        }
    }

    #[test]
    fn http11_requires_one_host_and_http10_allows_one() {
        let mut fields = FieldLines::new();
        assert!(!has_valid_host(Version::HTTP_11, &fields));
        assert!(has_valid_host(Version::HTTP_10, &fields));
        fields.append("Host", "a").unwrap();
        assert!(has_valid_host(Version::HTTP_11, &fields));
        fields.append("host", "a").unwrap();
        assert!(!has_valid_host(Version::HTTP_11, &fields));
        assert!(!has_valid_host(Version::HTTP_10, &fields));
    }
}
