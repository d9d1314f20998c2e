//! [`RequestHead`] and [`ResponseHead`] (RFC 9112 §3, §4), and how they are parsed once `scan` has found
//! the end of a head. Writing them is in `emit`; what the fields mean is in `framing`, `persistence` and
//! `target`.

use std::borrow::Cow;
use std::fmt;
use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};

use super::fields::FieldLines;
use super::target::{has_valid_host, is_valid_target};
use crate::error::PeerMisbehaved;

/// The request line and fields of a request.
///
/// `Debug` shows the target without its query.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// The method (RFC 9110 §9).
    pub method: Method,
    /// The request target in one of its four forms (RFC 9112 §3.2), as it is on the wire.
    pub target: String,
    /// `HTTP/1.0` or `HTTP/1.1`. Any other version is sent as `HTTP/1.1`.
    pub version: Version,
    /// The field lines.
    pub fields: FieldLines,
}

/// The status line and fields of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// `HTTP/1.0` or `HTTP/1.1`. Any other version is sent as `HTTP/1.1`.
    pub version: Version,
    /// The status code, 100 to 999 (RFC 9110 §15).
    pub status: StatusCode,
    /// The reason phrase; may be empty. Bytes that are not UTF-8 were replaced by U+FFFD. It has no meaning
    /// (RFC 9112 §4).
    pub reason: Cow<'static, str>,
    /// The field lines.
    pub fields: FieldLines,
}

impl RequestHead {
    /// Parses a whole head with this number of field lines, and applies the rules of RFC 9112 §3.2 for
    /// target and `Host`.
    pub(super) fn parse(head: &[u8], fields: usize) -> Result<Self, PeerMisbehaved> {
        with_headers(fields, |headers| {
            let mut request = httparse::Request::new(&mut []);
            request
                .parse_with_uninit_headers(head, headers)
                .map_err(fault)?;
            let (Some(method), Some(target), Some(minor)) =
                (request.method, request.path, request.version)
            else {
                return Err(PeerMisbehaved::NotHttp);
            };
            let request = Self {
                method: Method::from_bytes(method.as_bytes())
                    .map_err(|_| PeerMisbehaved::NotHttp)?,
                target: target.to_owned(),
                version: version(minor),
                fields: field_lines(request.headers, false),
            };
            if !is_valid_target(&request.method, &request.target) {
                return Err(PeerMisbehaved::InvalidTarget);
            }
            if !has_valid_host(request.version, &request.fields) {
                return Err(PeerMisbehaved::InvalidHost);
            }
            Ok(request)
        })
    }
}

impl ResponseHead {
    /// Parses a whole head with this number of field lines. `is_folded`: one of them may be folded over
    /// several lines.
    pub(super) fn parse(
        head: &[u8],
        fields: usize,
        is_folded: bool,
    ) -> Result<Self, PeerMisbehaved> {
        with_headers(fields, |headers| {
            let mut response = httparse::Response::new(&mut []);
            let mut parser = httparse::ParserConfig::default();
            parser.allow_obsolete_multiline_headers_in_responses(true);
            parser
                .parse_response_with_uninit_headers(&mut response, head, headers)
                .map_err(fault)?;
            let (Some(code), Some(minor)) = (response.code, response.version) else {
                return Err(PeerMisbehaved::NotHttp);
            };
            let status = StatusCode::from_u16(code).map_err(|_| PeerMisbehaved::InvalidStatus)?;
            Ok(Self {
                version: version(minor),
                status,
                // The reason is nearly always the standard one.
                reason: match (response.reason, status.canonical_reason()) {
                    (Some(reason), Some(usual)) if reason == usual => usual.into(),
                    (Some(reason), _) if !reason.is_empty() => reason.to_owned().into(),
                    _ => lossy_reason(head).into(),
                },
                fields: field_lines(response.headers, is_folded),
            })
        })
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.target.split_once('?') {
            Some((path, _)) => format_args!("{path}?(hidden)").to_string(),
            None => self.target.clone(),
        };
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("target", &shown)
            .field("version", &self.version)
            .field("fields", &self.fields)
            .finish()
    }
}

/// Lends space for this many field lines, from the stack except for unusually long heads.
fn with_headers<'head, T>(
    fields: usize,
    parse: impl FnOnce(&mut [MaybeUninit<httparse::Header<'head>>]) -> Result<T, PeerMisbehaved>,
) -> Result<T, PeerMisbehaved> {
    const USUAL: usize = 48;
    if fields <= USUAL {
        parse(&mut [const { MaybeUninit::uninit() }; USUAL])
    } else {
        let mut headers = Vec::new();
        headers.resize_with(fields, MaybeUninit::uninit);
        parse(&mut headers)
    }
}

fn version(minor: u8) -> Version {
    match minor {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

fn field_lines(headers: &[httparse::Header<'_>], is_folded: bool) -> FieldLines {
    let bytes = headers.iter().map(|it| it.name.len() + it.value.len());
    let mut fields = FieldLines::with_capacity(headers.len(), bytes.sum());
    for header in headers {
        if is_folded && header.value.contains(&b'\n') {
            fields.push(header.name, &unfolded(header.value));
        } else {
            fields.push(header.name, header.value);
        }
    }
    fields
}

/// Joins a value that is folded over several lines: each fold becomes a space (RFC 9112 §5.2).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let lines = value.split(|&byte| byte == b'\n');
    let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
    lines.join(&b' ')
}

/// httparse does not return a reason that is not ASCII.
fn lossy_reason(head: &[u8]) -> String {
    const BEFORE: usize = "HTTP/1.1 200 ".len();
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|&line| !matches!(line, b"" | b"\r"))
        .unwrap_or_default();
    let reason = line.get(BEFORE..).unwrap_or_default();
    String::from_utf8_lossy(reason.strip_suffix(b"\r").unwrap_or(reason)).into_owned()
}

/// `scan` has already checked the start line up to the reason; this checks the rest.
fn fault(error: httparse::Error) -> PeerMisbehaved {
    match error {
        httparse::Error::Status => PeerMisbehaved::NotHttp,
        httparse::Error::Token => PeerMisbehaved::InvalidTarget,
        httparse::Error::Version => PeerMisbehaved::UnsupportedVersion,
        _ => PeerMisbehaved::InvalidHeader,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_optional_and_need_not_be_ascii() {
        for (line, reason) in [
            (&b"HTTP/1.1 200 Not Bad"[..], "Not Bad"),
            (b"HTTP/1.1 200", ""),
            (b"HTTP/1.1 200 ", ""),
            (b"HTTP/1.1 200 caf\xc3\xa9", "caf\u{e9}"),
            (b"HTTP/1.1 200 caf\xe9", "caf\u{fffd}"),
        ] {
            for end in [&b"\r\n\r\n"[..], b"\n\n"] {
                let head = [line, end].concat();
                let head = ResponseHead::parse(&head, 0, false).unwrap();
                assert_eq!((head.status, &*head.reason), (StatusCode::OK, reason));
            }
        }
    }

    #[test]
    fn bad_lines() {
        for (line, expected) in [
            ("A : b", PeerMisbehaved::InvalidHeader),
            ("A", PeerMisbehaved::InvalidHeader),
            (": b", PeerMisbehaved::InvalidHeader),
            ("A: b\0", PeerMisbehaved::InvalidHeader),
            ("A: b\rC: d", PeerMisbehaved::InvalidHeader),
            ("A\u{e4}: b", PeerMisbehaved::InvalidHeader),
            ("A: \x1b", PeerMisbehaved::InvalidHeader),
        ] {
            let response = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n");
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
            assert_eq!(
                ResponseHead::parse(response.as_bytes(), 1, false),
                Err(expected)
            );
            assert_eq!(RequestHead::parse(request.as_bytes(), 2), Err(expected));
        }
        let control = b"HTTP/1.1 200 O\x01K\r\n\r\n";
        assert_eq!(
            ResponseHead::parse(control, 0, false),
            Err(PeerMisbehaved::NotHttp)
        );
    }

    #[test]
    fn many_lines_fit() {
        let mut head = b"HTTP/1.0 200 OK\r\n".to_vec();
        for index in 0..100 {
            head.extend_from_slice(format!("N{index}: {index}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        let head = ResponseHead::parse(&head, 100, false).unwrap();
        assert_eq!(head.version, Version::HTTP_10);
        assert_eq!(head.fields.len(), 100);
        assert_eq!(head.fields.get("n99"), Some(&b"99"[..]));
    }

    #[test]
    fn targets_and_hosts_are_checked() {
        let parse = |head: &str| RequestHead::parse(head.as_bytes(), 1).map(|head| head.target);
        assert_eq!(
            parse("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"),
            Ok("/a?b".to_owned())
        );
        assert_eq!(
            parse("GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
            Err(PeerMisbehaved::InvalidTarget)
        );
        assert_eq!(
            parse("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
            Err(PeerMisbehaved::InvalidHost)
        );
    }

    #[test]
    fn debug_hides_the_query() {
        let head = RequestHead {
            method: Method::GET,
            target: "/login?password=secret".to_owned(),
            version: Version::HTTP_11,
            fields: FieldLines::new(),
        };
        let text = format!("{head:?}");
        assert!(
            text.contains("/login") && !text.contains("secret"),
            "{text}"
        );
    }
}
