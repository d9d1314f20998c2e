//! [`PathPattern`]: which paths a rule matches. `rule` matches the query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A path with wildcards: `*` stands for any characters within one segment, a segment `**` for any
/// number of segments. Segments are compared after percent-decoding (RFC 3986 §2.1); `%2F` never
/// separates segments.
#[derive(Clone, Debug)]
pub(super) struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    /// Bytes; `None` is a `*`.
    Glob(Vec<Option<u8>>),
    Any,
}

impl PathPattern {
    pub(super) fn new(text: &str) -> Self {
        let segments = text.split('/').map(|segment| match segment {
            "**" => Segment::Any,
            _ => Segment::Glob(glob(segment)),
        });
        Self {
            text: text.to_owned(),
            segments: segments.collect(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let segments: Vec<Cow<'_, [u8]>> = path
            .split('/')
            .map(|segment| percent_decode_str(segment).into())
            .collect();
        wildcard(
            &self.segments,
            &segments,
            |pattern| matches!(pattern, Segment::Any),
            |pattern, segment| match pattern {
                Segment::Any => true,
                Segment::Glob(glob) => {
                    wildcard(glob, segment, Option::is_none, |a, b| *a == Some(*b))
                }
            },
        )
    }
}

/// A literal `*` is written `%2A`.
fn glob(segment: &str) -> Vec<Option<u8>> {
    let mut glob = Vec::new();
    for (index, part) in segment.split('*').enumerate() {
        if index > 0 {
            glob.push(None);
        }
        glob.extend(percent_decode_str(part).map(Some));
    }
    glob
}

/// Whether a pattern covers all of `text`; a star covers any number of items. When the items after
/// the latest star do not match, that star takes one more item.
fn wildcard<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(item) = text.get(t) {
        match (pattern.get(p), star) {
            (Some(pattern), _) if is_star(pattern) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(pattern), _) if fits(pattern, item) => {
                p += 1;
                t += 1;
            }
            (_, Some((at, taken))) => {
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(is_star)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (pattern, path, expected) in [
            ("/", "/", true),
            ("/", "", false),
            ("/a", "/a", true),
            ("/a", "/A", false),
            ("/a", "/a/", false),
            ("/*", "/a", true),
            ("/*", "/", true),
            ("/*", "/a/b", false),
            ("/users/*/scores", "/users/7/scores", true),
            ("/users/*/scores", "/users/7/8/scores", false),
            ("/a*c*e", "/abcde", true),
            ("/a*c*e", "/abcd", false),
            ("/*.png", "/a.b.png", true),
            ("/*aab", "/aaaab", true),
            ("/**", "/", true),
            ("/**", "/a/b/c", true),
            ("**", "*", true),
            ("/files/**", "/files/a/b", true),
            ("/files/**", "/files", true),
            ("/files/**", "/filesystem", false),
            ("/**/last", "/a/b/last", true),
            ("/**/last", "/a/b/lost", false),
            ("/a b", "/a%20b", true),
            ("/a%20b", "/a%20b", true),
            ("/a/b", "/a%2Fb", false),
            ("/%2A", "/*", true),
            ("/%2A", "/x", false),
            ("*", "*", true),
        ] {
            let matches = PathPattern::new(pattern).matches(path);
            assert_eq!(matches, expected, "{pattern} {path}");
        }
    }
}
