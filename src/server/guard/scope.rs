//! The paths that a rule covers. A rule is useless if another spelling of the path can avoid it, so doubtful
//! paths are in scope.

use percent_encoding::percent_decode_str;

use crate::server::target::path_of;

/// A path and everything below it.
#[derive(Clone, Debug)]
pub(super) struct Scope(Vec<String>);

impl Scope {
    /// The scope of this path, which is not percent-encoded; `/` is everything.
    pub(super) fn new(path: &str) -> Self {
        Self(segments(path).map(str::to_ascii_lowercase).collect())
    }

    /// The depth of the scope: of two scopes that cover a path, the deeper one is narrower.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Whether this request target is in scope, however it is spelled: percent-encoded, with empty segments,
    /// backslashes or another case, because some file systems ignore these differences. A path with `..` is in
    /// every scope.
    pub(super) fn covers(&self, target: &str) -> bool {
        let path = percent_decode_str(path_of(target)).decode_utf8_lossy();
        let mut rest = segments(&path);
        segments(&path).any(|segment| segment == "..")
            || self.0.iter().all(|own| {
                rest.next()
                    .is_some_and(|other| other.eq_ignore_ascii_case(own))
            })
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\'])
        .filter(|segment| !segment.is_empty() && *segment != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_slips_past_a_scope() {
        for (scope, target, expected) in [
            ("/", "/", true),
            ("/", "/x", true),
            ("/", "*", true),
            ("/admin", "/admin", true),
            ("/admin/", "/admin", true),
            ("/admin", "/admin/x?y", true),
            ("/admin", "/admin?x=/", true),
            ("/admin", "/%61dmin", true),
            ("/admin", "//admin", true),
            ("/admin", "/./admin", true),
            ("/admin", "/ADMIN", true),
            ("/admin", "/%2fadmin", true),
            ("/admin", "\\admin", true),
            ("/admin", "/x/../admin", true),
            ("/admin", "/x/%2e%2E/admin", true),
            ("/admin", "http://a.example/admin", true),
            ("/admin", "http://a.example//admin?x", true),
            ("/admin/x", "/admin/x/y", true),
            ("/admin", "/administrator", false),
            ("/admin", "/x/admin", false),
            ("/admin", "/", false),
            ("/admin", "/?/admin", false),
            ("/admin", "http://a.example", false),
            ("/admin", "/x?http://a/admin", false),
            ("/admin/x", "/admin", false),
        ] {
            assert_eq!(
                Scope::new(scope).covers(target),
                expected,
                "{scope} {target}"
            );
        }
    }
}
