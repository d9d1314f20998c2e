//! What the head of a part says (RFC 7578 §4), and the boundary between parts.

use percent_encoding::percent_decode;

use super::fault::MultipartError;
use super::parameters;
use crate::server::files::is_plain_name;

/// Field lines in the head of one part.
const MOST_FIELDS: usize = 16;

/// The head of a part. Other fields than these two mean nothing in a form (RFC 7578 §4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name. Several parts may have the same.
    pub name: String,
    /// The file's name as the client says it. It may hold anything but NUL and line breaks, also
    /// `../`: never make a path of it; see [`safe_file_name`](Self::safe_file_name).
    pub file_name: Option<String>,
    /// The content type, when the part says one.
    pub content_type: Option<String>,
}

impl PartHead {
    /// Whether this is a file and not a text field: it has a file name or a content type.
    pub fn is_file(&self) -> bool {
        self.file_name.is_some() || self.content_type.is_some()
    }

    /// The last part of the file name, when it is a plain one on every system (see
    /// [`AssetPath`](crate::server::AssetPath)) and not hidden: old browsers send whole paths.
    pub fn safe_file_name(&self) -> Option<&str> {
        let name = self.file_name.as_deref()?.rsplit(['/', '\\']).next()?;
        is_plain_name(name).then_some(name)
    }

    /// Reads a head with the empty line at its end.
    pub(super) fn parse(head: &[u8]) -> Result<Self, MultipartError> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(head, &mut fields)
        else {
            return Err(MultipartError::Head);
        };
        let field = |name: &str| {
            let mut same = fields
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name));
            match (same.next(), same.next()) {
                (Some(field), None) => Ok(Some(field.value)),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(MultipartError::Head),
            }
        };
        let disposition = field("content-disposition")?.ok_or(MultipartError::Name)?;
        let (kind, parameters) = parameters::parse(disposition).ok_or(MultipartError::Head)?;
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(MultipartError::Name);
        }
        let find = |wanted: &str| {
            let mut found = parameters.iter().filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| value.as_slice())
        };
        let file_name = match (find("filename"), find("filename*")) {
            (Some(name), _) => Some(text(name)?),
            (None, Some(extended)) => Some(text(&extended_value(extended)?)?),
            (None, None) => None,
        };
        let content_type = field("content-type")?.map(|value| String::from_utf8_lossy(value));
        Ok(Self {
            name: text(find("name").ok_or(MultipartError::Name)?)?,
            file_name,
            content_type: content_type.map(|value| value.trim().to_owned()),
        })
    }
}

/// The boundary that a `Content-Type` announces.
pub(super) fn boundary(content_type: &[u8]) -> Result<Vec<u8>, MultipartError> {
    let (kind, parameters) = parameters::parse(content_type).ok_or(MultipartError::ContentType)?;
    let mut boundaries = parameters
        .into_iter()
        .filter(|(name, _)| name == "boundary");
    match (boundaries.next(), boundaries.next()) {
        (Some((_, boundary)), None)
            if kind.eq_ignore_ascii_case(b"multipart/form-data") && is_boundary(&boundary) =>
        {
            Ok(boundary)
        }
        _ => Err(MultipartError::ContentType),
    }
}

/// RFC 2046 §5.1.1.
fn is_boundary(boundary: &[u8]) -> bool {
    (1..=70).contains(&boundary.len())
        && !boundary.ends_with(b" ")
        && boundary
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte))
}

/// `UTF-8''na%C3%AFve.txt` (RFC 8187 §3.2): forms should not have it (RFC 7578 §4.2), some do.
fn extended_value(value: &[u8]) -> Result<Vec<u8>, MultipartError> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(encoded)) if charset.eq_ignore_ascii_case(b"utf-8") => {
            Ok(percent_decode(encoded).collect())
        }
        _ => Err(MultipartError::Name),
    }
}

fn text(bytes: &[u8]) -> Result<String, MultipartError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MultipartError::Name)?;
    if text.contains(['\0', '\r', '\n']) {
        return Err(MultipartError::Name);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s123_boundaries() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data;BOUNDARY=abc", Some("abc")),
            (r#"multipart/form-data; boundary="a b/c""#, Some("a b/c")),
            (
                "multipart/form-data; charset=utf-8; boundary=abc; x=y",
                Some("abc"),
            ),
            (
                "multipart/form-data; boundary=----WebKitFormBoundaryX",
                Some("----WebKitFormBoundaryX"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            (r#"multipart/form-data; boundary="""#, None),
            (r#"multipart/form-data; boundary="a ""#, None),
            ("multipart/form-data; boundary=a\rb", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
            ("multipart/mixed; boundary=abc", None),
            ("text/plain; boundary=abc", None),
        ] {
            let found = boundary(content_type.as_bytes());
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(
                found,
                expected.ok_or(MultipartError::ContentType),
                "{content_type}"
            );
        }
        let long = |length| format!("multipart/form-data; boundary={}", "x".repeat(length));
        assert!(boundary(long(70).as_bytes()).is_ok());
        assert!(boundary(long(71).as_bytes()).is_err());
    }

    #[test]
    fn s123_heads() {
        let cases: [(&[u8], Result<(&str, Option<&str>, Option<&str>), MultipartError>); 21] = [
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
            (b"Content-Disposition: form-data; name=a; filename*=UTF-8''%C3%A9.txt\r\n\r\n", Ok(("a", Some("\u{e9}.txt"), None))),
            (b"Content-Disposition: form-data; name=a; filename=x; filename*=utf-8''y\r\n\r\n", Ok(("a", Some("x"), None))),
            (b"Content-Disposition: form-data; name=a%0D%0A\r\n\r\n", Ok(("a%0D%0A", None, None))),
            (b"\r\n", Err(MultipartError::Name)),
            (b"Content-Type: text/plain\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: attachment; name=a\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=\"\xff\"\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=a; filename*=UTF-8''a%00\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=a; filename*=UTF-8''a%0d%0ab\r\n\r\n", Err(MultipartError::Name)),
            (b"Content-Disposition: form-data; name=\"a\0\"\r\n\r\n", Err(MultipartError::Head)),
            (b"Content-Disposition: form-data; name=\"a\r\n\r\n", Err(MultipartError::Head)),
            (b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n", Err(MultipartError::Head)),
            (b"no colon\r\n\r\n", Err(MultipartError::Head)),
        ];
        for (head, expected) in cases {
            let found = PartHead::parse(head);
            let found = found.as_ref().map_err(|error| *error).map(|head| {
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
    fn s123_file_names_are_not_paths() {
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
