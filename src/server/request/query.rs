//! Pairs of names and values as forms write them (WHATWG URL §5, `application/x-www-form-urlencoded`), in
//! query strings and in request content.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Decoded pairs in their order, duplicates kept. `k` alone has no value, `k=` has an empty one, and
/// `k=a=b` has the value `a=b`. A `+` is a space. Bytes that are not UTF-8 become U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryPairs(Vec<(String, Option<String>)>);

impl QueryPairs {
    /// Reads `a=1&b=2`.
    pub fn parse(encoded: &[u8]) -> Self {
        Self(
            encoded
                .split(|&byte| byte == b'&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| match pair.iter().position(|&byte| byte == b'=') {
                    Some(at) => (decode(&pair[..at]), Some(decode(&pair[at + 1..]))),
                    None => (decode(pair), None),
                })
                .collect(),
        )
    }

    /// The first value of this name; empty when the name has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// All values of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// Whether the name occurs, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|(other, _)| other == name)
    }

    /// Names and values in order. A name may have no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn decode(text: &[u8]) -> String {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        let spaced = text
            .iter()
            .map(|&byte| if byte == b'+' { b' ' } else { byte });
        Cow::Owned(spaced.collect())
    } else {
        Cow::Borrowed(text)
    };
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_duplicates_kept() {
        for (encoded, expected) in [
            ("", &[][..]),
            ("&&", &[]),
            ("a=1", &[("a", Some("1"))]),
            ("k", &[("k", None)]),
            ("k=", &[("k", Some(""))]),
            ("k=a=b", &[("k", Some("a=b"))]),
            (
                "a=1&a=2&b=3",
                &[("a", Some("1")), ("a", Some("2")), ("b", Some("3"))],
            ),
            ("a+b=c+d%2B", &[("a b", Some("c d+"))]),
            ("%C3%A4=%E2%82%AC", &[("\u{e4}", Some("\u{20ac}"))]),
            ("a=%ff", &[("a", Some("\u{fffd}"))]),
            ("a=%zz%4", &[("a", Some("%zz%4"))]),
            ("=v", &[("", Some("v"))]),
        ] {
            let pairs = QueryPairs::parse(encoded.as_bytes());
            assert!(
                pairs.iter().eq(expected.iter().copied()),
                "{encoded}: {pairs:?}"
            );
            assert_eq!(pairs.len(), expected.len());
        }
        let pairs = QueryPairs::parse(b"a=1&a=2&b");
        assert!(pairs.get_all("a").eq(["1", "2"]));
        assert_eq!(
            (pairs.get("a"), pairs.get("b"), pairs.get("c")),
            (Some("1"), Some(""), None)
        );
        assert!(pairs.contains("b") && !pairs.is_empty());
    }
}
