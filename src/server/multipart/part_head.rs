//! The head of a part (RFC 7578 §4). The grammar of its main field is in `semantics`.

use super::fault::MultipartError;
use crate::semantics::multipart::grammar::{disposition as disposition_of, is_parameter_char};
use crate::server::files::is_plain_name;

/// How many field lines the head of one part may have.
const MOST_FIELDS: usize = 16;

/// The head of a part. Other fields than these two mean nothing in a form (RFC 7578 §4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartHead {
    /// The name of the form field. Several parts may have the same name. Line breaks stay encoded, as `%0D%0A`.
    pub name: String,
    /// The file's name as the client sent it. It may hold anything except NUL and line breaks, even `../` and control
    /// characters: line breaks stay encoded, as `%0D%0A`. Never make a path from it; see [`safe_file_name`](Self::safe_file_name).
    pub file_name: Option<String>,
    /// The content type, if the part has one.
    pub content_type: Option<String>,
}

impl PartHead {
    /// Whether this is a file and not a text field: it has a file name or a content type.
    pub fn is_file(&self) -> bool {
        self.file_name.is_some() || self.content_type.is_some()
    }

    /// The last part of the file name, if it is a plain name on every system (see
    /// [`AssetPath`](crate::server::files::AssetPath)) and not hidden. Old browsers send whole paths.
    pub fn safe_file_name(&self) -> Option<&str> {
        let name = self.file_name.as_deref()?.rsplit(['/', '\\']).next()?;
        is_plain_name(name).then_some(name)
    }

    /// Reads a head with the empty line at its end.
    pub(super) fn parse(head: &[u8]) -> Result<Self, MultipartError> {
        let fields = field_lines(head).ok_or(MultipartError::Head)?;
        let field = |name: &str| {
            let mut same = fields
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
            match (same.next(), same.next()) {
                (Some((_, value)), None) => Ok(Some(*value)),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(MultipartError::Head),
            }
        };
        let disposition = field("content-disposition")?.ok_or(MultipartError::Name)?;
        let disposition = disposition_of(disposition).ok_or(MultipartError::Name)?;
        let content_type = field("content-type")?.map(|value| String::from_utf8_lossy(value));
        let part = Self {
            name: disposition.name,
            file_name: disposition.filename,
            content_type: content_type.map(|value| value.trim().to_owned()),
        };
        Ok(part)
    }
}

/// The lines of a head with the empty line at its end. A value may hold any character but NUL and line breaks, as browsers
/// send file names with control characters as they are (WHATWG HTML §4.10.21.8).
fn field_lines(head: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut fields = Vec::new();
    let mut rest = head;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &rest[..end];
        if line.is_empty() {
            return Some(fields);
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let has_name = !name.is_empty() && name.iter().all(|byte| is_parameter_char(*byte));
        let is_clean = !value
            .iter()
            .any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'));
        if !has_name || !is_clean || fields.len() == MOST_FIELDS {
            return None;
        }
        fields.push((name, value));
        rest = &rest[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let cases: [(&[u8], Result<(&str, Option<&str>, Option<&str>), MultipartError>); 24] = [
            (b"Content-Disposition: form-data; name=\"a\"\r\n\r\n", Ok(("a", None, None))),
            (b"CONTENT-disposition:form-data;name=a\r\n\r\n", Ok(("a", None, None))),
            (
                b"Content-Type: image/png\r\nX: y\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.png\"\r\n\r\n",
                Ok(("a", Some("b.png"), Some("image/png"))),
            ),
            (b"Content-Disposition: form-data; name=\"\"\r\n\r\n", Ok(("", None, None))),
            (b"Content-Disposition: form-data; name=\"a[]\\\"\"\r\n\r\n", Ok(("a[]\"", None, None))),
            ("Content-Disposition: form-data; name=\"\u{e9}\"\r\n\r\n".as_bytes(), Ok(("\u{e9}", None, None))),
            (b"Content-Disposition: form-data; name=a; filename=\"\"\r\n\r\n", Ok(("a", Some(""), None))),
            (b"Content-Disposition: form-data; name=a; filename*=UTF-8''%C3%A9.txt\r\n\r\n", Ok(("a", None, None))),
            (b"Content-Disposition: form-data; name=a; filename=x; filename*=utf-8''y\r\n\r\n", Ok(("a", Some("x"), None))),
            (b"Content-Disposition: form-data; name=a%0D%0A\r\n\r\n", Ok(("a%0D%0A", None, None))),
            (b"Content-Disposition: form-data; name=\"\t\x01\x7f\"\r\n\r\n", Ok(("\t\x01\x7f", None, None))),
            (b"Content-Disposition: form-data; name=\"a\nb\"\r\n\r\n", Err(MultipartError::Head)),
            (b"Content-Disposition: form-data;\r\n name=\"a\"\r\n\r\n", Err(MultipartError::Head)),
            (b"\r\n", Err(MultipartError::Name)),
            (b"Content-Type: text/plain\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: attachment; name=a\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=\"\xff\"\r\n\r\n", Ok(("\u{fffd}", None, None))),
            (b"Content-Disposition: form-data; name=a; filename=a%0Db\r\n\r\n", Ok(("a", Some("a%0Db"), None))),
            (b"Content-Disposition: form-data; name=a; filename=\"a%0Ab%22\"\r\n\r\n", Ok(("a", Some("a%0Ab\""), None))),
            (b"Content-Disposition: form-data; name=\"a\0\"\r\n\r\n", Err(MultipartError::Head)),
            (b"Content-Disposition: form-data; name=\"a\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n", Err(MultipartError::Head)),
            (b"no colon\r\n\r\n", Err(MultipartError::Head)),
        ];
        for (head, expected) in cases {
            let found = PartHead::parse(head);
            let found = found.as_ref().map_err(Clone::clone).map(|head| {
                (
                    head.name.as_str(),
                    head.file_name.as_deref(),
                    head.content_type.as_deref(),
                )
            });
            assert_eq!(found, expected, "{}", head.escape_ascii());
        }
        let many = "X: y\r\n".repeat(MOST_FIELDS + 1) + "\r\n";
        assert_eq!(PartHead::parse(many.as_bytes()), Err(MultipartError::Head));
    }

    #[test]
    fn file_names_are_not_paths() {
        for (sent, safe) in [
            ("a.png", Some("a.png")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\a b.txt", Some("a b.txt")),
            ("..", None),
            ("a/", None),
            ("", None),
            (".bashrc", None),
            ("nul.txt", None),
            ("a:b", None),
        ] {
            let head = PartHead {
                name: String::new(),
                file_name: Some(sent.to_owned()),
                content_type: None,
            };
            assert_eq!(head.safe_file_name(), safe, "{sent}");
        }
    }
}
