//! Writes and parses boundaries (RFC 2046 §5.1.1) and the names in `Content-Disposition` (RFC 7578
//! §4.2, WHATWG HTML §4.10.21.8).

/// A boundary from random bytes: 40 characters that need no quotes.
pub(crate) fn boundary(random: [u8; 16]) -> String {
    format!("httpoll-{:032x}", u128::from_be_bytes(random))
}

/// A name as written between quotes. Only the three characters that would end it are encoded.
/// Everything else stays as UTF-8, including backslashes and percent signs.
#[cfg(all(feature = "agent", feature = "multipart"))]
pub(crate) fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            other => quoted.push(other),
        }
    }
    quoted
}

/// Writes each line break as CR LF, as in the names of fields, but not of files (WHATWG HTML §4.10.21.8).
#[cfg(all(feature = "agent", feature = "multipart"))]
pub(crate) fn with_line_breaks(name: &str) -> String {
    let unified = name.replace("\r\n", "\n").replace('\r', "\n");
    unified.replace('\n', "\r\n")
}

/// The boundary in the value of a `Content-Type` field, if that is `multipart/form-data`.
#[cfg(feature = "server")]
pub(crate) fn form_boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let (media_type, parameters) = parameters(content_type)?;
    if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    let (_, boundary) = parameters
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))?;
    // RFC 2046 §5.1.1: at most 70 characters, and the last one is not a space.
    let valid = (1..=70).contains(&boundary.len())
        && boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && boundary.last() != Some(&b' ');
    valid.then_some(boundary)
}

/// The contents of a part's `Content-Disposition`.
#[cfg(feature = "server")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disposition {
    pub(crate) name: String,
    /// Present if the part is a file. This is what the client wrote: it may contain a path, or
    /// anything else.
    pub(crate) filename: Option<String>,
}

/// Parses the value of a part's `Content-Disposition`. `None` when it is malformed, is not
/// `form-data`, or has no name. `filename*` is ignored, because RFC 7578 §4.2 forbids it. Bytes
/// that are not UTF-8 become U+FFFD.
#[cfg(feature = "server")]
pub(crate) fn disposition(value: &[u8]) -> Option<Disposition> {
    let (kind, parameters) = parameters(value)?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    let get = |wanted: &[u8]| {
        let (_, value) = parameters
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        Some(unquoted(value))
    };
    Some(Disposition {
        name: get(b"name")?,
        filename: get(b"filename"),
    })
}

/// The inverse of [`quoted`], but line breaks stay encoded: nobody expects them in a name.
#[cfg(feature = "server")]
fn unquoted(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace("%22", "\"")
}

#[cfg(feature = "server")]
type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// Splits `value; name=value; name="value"`. A duplicate parameter is malformed: two parsers might
/// use different values.
#[cfg(feature = "server")]
fn parameters(value: &[u8]) -> Option<(&[u8], Parameters)> {
    let end = value.iter().position(|&byte| byte == b';');
    let (first, mut rest) = value.split_at(end.unwrap_or(value.len()));
    let mut parameters = Parameters::new();
    while let Some(behind) = rest.strip_prefix(b";") {
        let behind = behind.trim_ascii_start();
        if behind.is_empty() || behind.starts_with(b";") {
            rest = behind;
            continue;
        }
        let equals = behind.iter().position(|&byte| byte == b'=')?;
        let name = &behind[..equals];
        if name.is_empty() || name.iter().any(|&byte| !is_parameter_char(byte)) {
            return None;
        }
        let (value, behind) = match behind[equals + 1..].strip_prefix(b"\"") {
            Some(open) => quoted_value(open)?,
            None => plain_value(&behind[equals + 1..]),
        };
        let twice = parameters
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name));
        if twice {
            return None;
        }
        parameters.push((name.to_vec(), value));
        rest = behind.trim_ascii_start();
    }
    rest.is_empty().then(|| (first.trim_ascii(), parameters))
}

/// The text up to the closing quote, and the rest after it. Backslashes stand for themselves, as
/// browsers send them, except before a quote that does not end the value. There they are escapes as
/// in RFC 9110 §5.6.4.
#[cfg(feature = "server")]
fn quoted_value(open: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = open;
    loop {
        let quote = rest.iter().position(|&byte| byte == b'"')?;
        let behind = &rest[quote + 1..];
        let ends = matches!(behind.trim_ascii_start().first(), None | Some(b';'));
        match rest[..quote].strip_suffix(b"\\") {
            Some(before) if !ends => {
                value.extend_from_slice(before);
                value.push(b'"');
                rest = behind;
            }
            _ => {
                value.extend_from_slice(&rest[..quote]);
                return Some((value, behind));
            }
        }
    }
}

#[cfg(feature = "server")]
fn plain_value(rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = rest.iter().position(|&byte| byte == b';');
    let (value, behind) = rest.split_at(end.unwrap_or(rest.len()));
    (value.trim_ascii().to_vec(), behind)
}

/// Token characters (RFC 9110 §5.6.2), of which `*` and `%` matter here.
#[cfg(feature = "server")]
pub(crate) fn is_parameter_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_rfc_2046_5_1_1() {
        assert_eq!(boundary([0; 16]).len(), 40);
        assert_ne!(boundary([1; 16]), boundary([2; 16]));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(boundary([255; 16]).bytes().all(plain));
    }

    #[cfg(feature = "server")]
    #[test]
    fn the_boundary_of_a_content_type() {
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for (value, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            (
                "Multipart/Form-Data;charset=utf-8;Boundary=\"a b;c\"",
                Some("a b;c"),
            ),
            ("multipart/form-data ; boundary=abc ; x=y", Some("abc")),
            ("multipart/form-data;; boundary=abc;", Some("abc")),
            ("multipart/mixed; boundary=abc", None),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=\"abc", None),
            ("multipart/form-data; boundary=\"abc \"", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
            (long.as_str(), None),
        ] {
            let found = form_boundary(value.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{value}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn dispositions_rfc_7578_4_2() {
        for (value, expected) in [
            (&b"form-data; name=\"a\""[..], Some(("a", None))),
            (b"form-data; name=a", Some(("a", None))),
            (
                b"Form-Data;NAME=\"a b\" ; FileName=\"c.png\"",
                Some(("a b", Some("c.png"))),
            ),
            (
                b"form-data; filename=\"f\"; name=\"n\";",
                Some(("n", Some("f"))),
            ),
            (b"form-data; name=\"\"; filename=\"\"", Some(("", Some("")))),
            (b"form-data; name=\"a;b=c\"", Some(("a;b=c", None))),
            (
                b"form-data; name=\"%22%0D%0A%25\"",
                Some(("\"%0D%0A%25", None)),
            ),
            (b"form-data; name=\"a\\\"b\"", Some(("a\"b", None))),
            (b"form-data; name=\"a\\\"", Some(("a\\", None))),
            (
                b"form-data; name=\"n\"; filename=\"C:\\dir\\f\"",
                Some(("n", Some("C:\\dir\\f"))),
            ),
            (
                b"form-data; name=\"n\"; filename*=UTF-8''x",
                Some(("n", None)),
            ),
            (
                b"form-data; name=\"\xc3\xa4\xff\"",
                Some(("\u{e4}\u{fffd}", None)),
            ),
            (b"form-data", None),
            (b"form-data; filename=\"f\"", None),
            (b"form-data; name=\"a\"; name=\"b\"", None),
            (b"form-data; name=\"a", None),
            (b"form-data; name=\"a\"x", None),
            (b"form-data; name", None),
            (b"form-data; =a; name=b", None),
            (b"attachment; name=\"a\"", None),
            (b"", None),
        ] {
            let found = disposition(value);
            let expected = expected.map(|(name, filename)| Disposition {
                name: name.to_owned(),
                filename: filename.map(str::to_owned),
            });
            assert_eq!(found, expected, "{}", value.escape_ascii());
        }
    }

    #[cfg(all(feature = "agent", feature = "multipart"))]
    #[test]
    fn line_breaks_in_names_of_fields() {
        for (name, expected) in [
            ("a", "a"),
            ("a\nb", "a%0D%0Ab"),
            ("a\rb", "a%0D%0Ab"),
            ("a\r\nb", "a%0D%0Ab"),
            ("\n\r\r\n", "%0D%0A%0D%0A%0D%0A"),
        ] {
            assert_eq!(quoted(&with_line_breaks(name)), expected, "{name:?}");
        }
    }

    #[cfg(all(feature = "agent", feature = "multipart", feature = "server"))]
    #[test]
    fn every_name_survives_a_round_trip() {
        for name in [
            "",
            "a",
            "\"",
            "\r\n",
            "a\nb\r",
            "a\"b\\",
            "\\",
            "\\\\",
            ";",
            "ä🎮",
            "a\\\"b",
            "\t\u{1}\u{7f}",
        ] {
            let value = format!("form-data; name=\"{0}\"; filename=\"{0}\"", quoted(name));
            let found = disposition(value.as_bytes()).unwrap();
            let kept = name.replace('\r', "%0D").replace('\n', "%0A");
            assert_eq!(
                (found.name.as_str(), found.filename.as_deref()),
                (&*kept, Some(&*kept))
            );
        }
    }
}
