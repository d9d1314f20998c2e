//! The parts of a request target in any of its forms (RFC 9112 §3.2). Decoding and dot segments belong to
//! the modules that use them.

/// The path as it was received: `/a%20b` of `/a%20b?c`. Empty for a whole URL without a path.
pub(crate) fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?']).map_or("", |start| &rest[start..])
        }
        _ => target,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

/// The query, without its question mark; `None` if the target has no question mark.
pub(crate) fn query_of(target: &str) -> Option<&str> {
    target.split_once('?').map(|(_, query)| query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a%20b?c=d?e", "/a%20b", Some("c=d?e")),
            ("/a?", "/a", Some("")),
            ("?a", "", Some("a")),
            ("*", "*", None),
            ("http://a.example", "", None),
            ("http://a.example?q", "", Some("q")),
            ("http://a.example:80/b/c?d", "/b/c", Some("d")),
            ("/x?u=http://a/b", "/x", Some("u=http://a/b")),
            ("/x://y/z", "/x://y/z", None),
        ] {
            assert_eq!(
                (path_of(target), query_of(target)),
                (path, query),
                "{target}"
            );
        }
    }
}
