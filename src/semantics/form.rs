//! `application/x-www-form-urlencoded` (WHATWG URL §5): converts pairs to text and back. The server
//! also uses it for query strings, which have the same form. Multipart forms are in `multipart`.

#[cfg(feature = "server")]
use std::fmt;

#[cfg(feature = "server")]
use percent_encoding::percent_decode;
#[cfg(feature = "agent")]
use serde_json::Value;
#[cfg(feature = "agent")]
use url::form_urlencoded::byte_serialize;

/// Encodes pairs in the given order. A space becomes `+`; names and values are UTF-8.
#[cfg(feature = "agent")]
pub(crate) fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        append(&mut form, name, value);
    }
    form
}

/// Encodes names and JSON values in the given order: a list repeats its name, null is an empty
/// value, numbers and booleans are written as in JSON.
#[cfg(feature = "agent")]
pub(crate) fn encode_values<'a>(dict: impl IntoIterator<Item = (&'a str, &'a Value)>) -> String {
    let mut form = String::new();
    for (name, value) in dict {
        match value {
            Value::Array(values) => {
                for value in values {
                    append_value(&mut form, name, value);
                }
            }
            value => append_value(&mut form, name, value),
        }
    }
    form
}

/// The limits of [`decode`].
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormLimits {
    /// The maximum size of the whole form in bytes. Default 1 MiB: larger forms are uploads, which
    /// use multipart.
    pub(crate) bytes: usize,
    /// The maximum number of pairs. Default 1024: each pair allocates two strings, however short it
    /// is.
    pub(crate) pairs: usize,
}

#[cfg(feature = "server")]
impl Default for FormLimits {
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024,
            pairs: 1024,
        }
    }
}

/// The form is over a limit. No other error is possible.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormFault {
    /// [`FormLimits::bytes`].
    TooLong(usize),
    /// [`FormLimits::pairs`].
    TooManyPairs(usize),
}

#[cfg(feature = "server")]
impl fmt::Display for FormFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "a form of more than {limit} bytes"),
            Self::TooManyPairs(limit) => write!(f, "a form of more than {limit} pairs"),
        }
    }
}

/// Decodes pairs in order, including duplicates. `+` is a space. A name without `=` has no value,
/// which differs from an empty value. A stray `%` stands for itself, and bytes that are not UTF-8
/// become U+FFFD, as in browsers (WHATWG URL §5.1).
#[cfg(feature = "server")]
pub(crate) fn decode(
    form: &[u8],
    limits: FormLimits,
) -> Result<Vec<(String, Option<String>)>, FormFault> {
    if form.len() > limits.bytes {
        return Err(FormFault::TooLong(limits.bytes));
    }
    let mut pairs = Vec::new();
    for pair in form.split(|&byte| byte == b'&') {
        if pair.is_empty() {
            continue;
        }
        if pairs.len() == limits.pairs {
            return Err(FormFault::TooManyPairs(limits.pairs));
        }
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let name = halves.next().unwrap_or_default();
        pairs.push((text(name), halves.next().map(text)));
    }
    Ok(pairs)
}

#[cfg(feature = "agent")]
fn append(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.extend(byte_serialize(name.as_bytes()));
    form.push('=');
    form.extend(byte_serialize(value.as_bytes()));
}

#[cfg(feature = "agent")]
fn append_value(form: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => append(form, name, ""),
        Value::String(text) => append(form, name, text),
        other => append(form, name, &other.to_string()),
    }
}

#[cfg(feature = "server")]
fn text(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "agent")]
    #[test]
    fn a_dictionary_becomes_a_form() {
        use super::{encode, encode_values};
        use serde_json::json;

        for (name, value, expected) in [
            ("a", json!(1), "a=1"),
            ("b", json!("x y"), "b=x+y"),
            ("k", json!(null), "k="),
            ("k", json!(""), "k="),
            ("k", json!(true), "k=true"),
            ("l", json!([1, "2", null]), "l=1&l=2&l="),
            ("l", json!([]), ""),
            ("o", json!({"x": 1}), "o=%7B%22x%22%3A1%7D"),
            ("ä&=", json!("+%~*-._"), "%C3%A4%26%3D=%2B%25%7E*-._"),
        ] {
            assert_eq!(encode_values([(name, &value)]), expected, "{name} {value}");
        }
        assert_eq!(encode([("a", "1"), ("b", ""), ("a", "2")]), "a=1&b=&a=2");
        assert_eq!(encode([]), "");
    }

    #[cfg(feature = "server")]
    #[test]
    fn a_form_becomes_pairs() {
        use super::{FormLimits, decode};

        type Pairs<'a> = &'a [(&'a str, Option<&'a str>)];
        let cases: [(&[u8], Pairs<'_>); 14] = [
            (b"", &[]),
            (b"&&", &[]),
            (b"a=1", &[("a", Some("1"))]),
            (b"a=1&a=2", &[("a", Some("1")), ("a", Some("2"))]),
            (b"k", &[("k", None)]),
            (b"k=", &[("k", Some(""))]),
            (b"=v", &[("", Some("v"))]),
            (b"=", &[("", Some(""))]),
            (b"k=a=b", &[("k", Some("a=b"))]),
            (b"a+b=c+d", &[("a b", Some("c d"))]),
            (b"a%2Bb=%26%3D", &[("a+b", Some("&="))]),
            (b"x=%C3%BC", &[("x", Some("ü"))]),
            (b"x=%&y=%4", &[("x", Some("%")), ("y", Some("%4"))]),
            (b"x=%FF\xfe", &[("x", Some("\u{fffd}\u{fffd}"))]),
        ];
        for (form, expected) in cases {
            let pairs = decode(form, FormLimits::default()).unwrap();
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect();
            assert_eq!(pairs, expected, "{}", form.escape_ascii());
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn limits_are_exact() {
        use super::{FormFault, FormLimits, decode};

        let limits = FormLimits { bytes: 5, pairs: 2 };
        assert_eq!(decode(b"a&b&&", limits).map(|pairs| pairs.len()), Ok(2));
        assert_eq!(decode(b"a&b&c", limits), Err(FormFault::TooManyPairs(2)));
        assert_eq!(decode(b"abcdef", limits), Err(FormFault::TooLong(5)));
    }

    #[cfg(all(feature = "agent", feature = "server"))]
    #[test]
    fn every_character_survives_a_round_trip() {
        let text: String = (0..0x250).filter_map(char::from_u32).collect();
        let form = super::encode([(text.as_str(), text.as_str())]);
        assert!(form.is_ascii());
        let pairs = super::decode(form.as_bytes(), super::FormLimits::default()).unwrap();
        assert_eq!(pairs, [(text.clone(), Some(text))]);
    }
}
