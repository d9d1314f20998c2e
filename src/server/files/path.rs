//! [`AssetPath`]: a path from a request that is safe for every root. It is decoded once. A name that any
//! file system reads as more than a plain name is refused on all systems, so that a game behaves the same
//! everywhere.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::file_name::is_device;

/// A relative path of plain names, as in `ui/index.html`; empty for the root itself.
///
/// No name is empty, `.` or `..`, holds separators, control characters or characters that Windows forbids,
/// is a Windows device (`NUL`, `com1.txt`), ends with a dot or a space, or is a short alias (`SECRET~1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetPath {
    text: String,
    is_folder: bool,
}

/// Whether names that start with a dot are found. On Unix these are hidden files, and often private
/// (`.git`, `.env`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DotFiles {
    /// They are not found.
    #[default]
    Refuse,
    /// They are found like other files.
    Allow,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathFault {
    /// It does not start with `/`, is not UTF-8 when decoded, or holds a percent sign that is not followed by
    /// two hexadecimal digits.
    Malformed,
    /// It holds `.` or `..` as a name, also percent-encoded.
    Traversal,
    /// It holds an encoded separator (`%2f`, `%5c`), a backslash, a colon, a NUL, another control
    /// character, or one of `<>"|?*`.
    ForbiddenCharacter,
    /// It holds two slashes in a row.
    EmptyName,
    /// A name has a special meaning on Windows.
    ReservedName,
    /// A name starts with a dot; see [`DotFiles`].
    Hidden,
}

impl AssetPath {
    /// Reads the path of a request target, percent-encoded and without its query: `/ui/a%20b.png`. The path is
    /// decoded once: `%252e` is the name `%2e`.
    pub fn parse(path: &str, dot_files: DotFiles) -> Result<Self, PathFault> {
        let path = path.strip_prefix('/').ok_or(PathFault::Malformed)?;
        let mut text = String::with_capacity(path.len());
        let (names, is_folder) = match path.strip_suffix('/') {
            Some(names) => (names, true),
            None => (path, path.is_empty()),
        };
        if !path.is_empty() {
            for encoded in names.split('/') {
                let name = decode(encoded)?;
                check(&name, dot_files)?;
                if !text.is_empty() {
                    text.push('/');
                }
                text.push_str(&name);
            }
        }
        Ok(Self { text, is_folder })
    }

    /// Reads a path that has already been decoded, such as a route's parameter: `ui/a b.png`. A slash at the
    /// start is refused.
    ///
    /// # Errors
    /// [`PathFault`] for everything that could lead out of a folder or has a special meaning to a file
    /// system.
    pub fn from_decoded(path: &str, dot_files: DotFiles) -> Result<Self, PathFault> {
        let (names, is_folder) = match path.strip_suffix('/') {
            Some(names) => (names, true),
            None => (path, path.is_empty()),
        };
        if !path.is_empty() {
            for name in names.split('/') {
                check(name, dot_files)?;
            }
        }
        Ok(Self {
            text: names.to_owned(),
            is_folder,
        })
    }

    /// The names with slashes between them, decoded. Empty for the root.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names, starting at the root.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|name| !name.is_empty())
    }

    /// The last name. Empty for the root.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it was written with a slash at its end, or is the root.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The file of this name in this folder; `None` when it is not a plain name.
    pub(super) fn file(&self, name: &str) -> Option<Self> {
        let mut text = self.text.clone();
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(name);
        let is_plain = !name.contains('/') && check(name, DotFiles::Allow).is_ok();
        is_plain.then_some(Self {
            text,
            is_folder: false,
        })
    }

    /// The file next to this one with a suffix at the end of its name, such as `.gz`.
    pub(super) fn sibling(&self, suffix: &str) -> Self {
        Self {
            text: format!("{}{suffix}", self.text),
            is_folder: false,
        }
    }

    /// The names that follow those of a base; `None` when the path does not start with them.
    pub(super) fn below(&self, base: &str) -> Option<Self> {
        let text = match self.text.strip_prefix(base)? {
            rest if base.is_empty() => rest,
            "" if self.is_folder => "",
            rest => rest.strip_prefix('/')?,
        };
        Some(Self {
            text: text.to_owned(),
            is_folder: self.is_folder,
        })
    }
}

impl fmt::Display for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a path starts with a slash and is percent-encoded UTF-8",
            Self::Traversal => "a path holds no dot segments",
            Self::ForbiddenCharacter => "a path holds no encoded separators or control characters",
            Self::EmptyName => "a path holds no empty segments",
            Self::ReservedName => "a name in the path is reserved by an operating system",
            Self::Hidden => "names that start with a dot are not served",
        })
    }
}

impl std::error::Error for PathFault {}

/// Whether this name may be shown in a listing: a request for it would not be refused.
pub(super) fn is_servable(name: &str, dot_files: DotFiles) -> bool {
    check(name, dot_files).is_ok()
}

/// Whether this is a plain name on every system, and not hidden.
pub(in crate::server) fn is_plain_name(name: &str) -> bool {
    is_servable(name, DotFiles::Refuse)
}

fn decode(encoded: &str) -> Result<String, PathFault> {
    let mut rest = encoded;
    while let Some(start) = rest.find('%') {
        let digits = rest.as_bytes().get(start + 1..start + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(PathFault::Malformed);
        }
        rest = rest.get(start + 3..).unwrap_or_default();
    }
    let decoded = percent_decode_str(encoded).decode_utf8();
    Ok(decoded.map_err(|_| PathFault::Malformed)?.into_owned())
}

fn check(name: &str, dot_files: DotFiles) -> Result<(), PathFault> {
    let is_forbidden = |letter: char| letter.is_control() || r#"/\:<>"|?*"#.contains(letter);
    match name {
        "" => Err(PathFault::EmptyName),
        "." | ".." => Err(PathFault::Traversal),
        _ if name.contains(is_forbidden) => Err(PathFault::ForbiddenCharacter),
        _ if is_reserved(name) => Err(PathFault::ReservedName),
        _ if name.starts_with('.') && dot_files == DotFiles::Refuse => Err(PathFault::Hidden),
        _ => Ok(()),
    }
}

fn is_reserved(name: &str) -> bool {
    // Windows drops these characters, so that `..` could be written as `.. `, and `.env` as `.env.`.
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return true;
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    is_device(name) || is_short_alias(stem)
}

/// On Windows `GIT~1` is another name of `.git`, which no rule about names would find.
fn is_short_alias(stem: &str) -> bool {
    stem.len() <= 8
        && stem.rsplit_once('~').is_some_and(|(start, number)| {
            !start.is_empty()
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::PathFault::*;
    use super::*;

    #[test]
    fn paths_that_are_served() {
        for (path, text, is_folder) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a/b.png", "a/b.png", false),
            ("/a%20b/%C3%A9", "a b/\u{e9}", false),
            ("/caf\u{e9}", "caf\u{e9}", false),
            ("/a+b", "a+b", false),
            ("/a/b..c", "a/b..c", false),
            // Decoded once.
            ("/%252e%252e/x", "%2e%2e/x", false),
            ("/%252f", "%2f", false),
            ("/console.log", "console.log", false),
            ("/com10", "com10", false),
            ("/backup~", "backup~", false),
            ("/a~b", "a~b", false),
            ("/long-name-of~1", "long-name-of~1", false),
        ] {
            let found = AssetPath::parse(path, DotFiles::default()).unwrap();
            assert_eq!(
                (found.as_str(), found.is_folder()),
                (text, is_folder),
                "{path}"
            );
        }
    }

    #[test]
    fn decoded_paths_are_checked_and_not_decoded_again() {
        for path in ["", "a", "a/b c/d%2e.png", "a/b/"] {
            let found = AssetPath::from_decoded(path, DotFiles::Refuse).unwrap();
            assert_eq!(found.as_str(), path.trim_end_matches('/'));
        }
        for (path, expected) in [
            ("/etc/passwd", EmptyName),
            ("../x", Traversal),
            ("a/../../x", Traversal),
            ("a/..", Traversal),
            ("a\\..\\x", ForbiddenCharacter),
            ("c:/x", ForbiddenCharacter),
            ("a//b", EmptyName),
            ("a/NUL.txt", ReservedName),
            (".git/config", Hidden),
        ] {
            let found = AssetPath::from_decoded(path, DotFiles::Refuse);
            assert_eq!(found, Err(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_are_refused() {
        for (path, expected) in [
            ("", Malformed),
            ("a", Malformed),
            ("*", Malformed),
            ("/%", Malformed),
            ("/%2", Malformed),
            ("/%zz", Malformed),
            ("/%+1", Malformed),
            ("/%ff", Malformed),
            // Overlong forms of `.` and `/` are not UTF-8.
            ("/%c0%ae%c0%ae/x", Malformed),
            ("/..%c0%af", Malformed),
            ("/..", Traversal),
            ("/../x", Traversal),
            ("/a/../b", Traversal),
            ("/a/..", Traversal),
            ("/./a", Traversal),
            ("/%2e%2E/x", Traversal),
            ("/.%2e/x", Traversal),
            ("/a/%2e", Traversal),
            ("/a%2fb", ForbiddenCharacter),
            ("/..%2fx", ForbiddenCharacter),
            ("/..%5Cx", ForbiddenCharacter),
            ("/..\\x", ForbiddenCharacter),
            ("/a%5cb", ForbiddenCharacter),
            ("/C:/x", ForbiddenCharacter),
            ("/c:x", ForbiddenCharacter),
            ("/a.txt::$DATA", ForbiddenCharacter),
            ("/a%00", ForbiddenCharacter),
            ("/a%00.png", ForbiddenCharacter),
            ("/a%0d%0ab", ForbiddenCharacter),
            ("/a%7f", ForbiddenCharacter),
            ("/a*", ForbiddenCharacter),
            ("/%3f", ForbiddenCharacter),
            ("//", EmptyName),
            ("//a", EmptyName),
            ("//server/share", EmptyName),
            ("/a//b", EmptyName),
            ("/a//", EmptyName),
            ("/\\\\server\\share", ForbiddenCharacter),
            ("/nul", ReservedName),
            ("/NUL.txt", ReservedName),
            ("/a/con", ReservedName),
            ("/Com1.tar.gz", ReservedName),
            ("/lpt%C2%B2", ReservedName),
            ("/aux .txt", ReservedName),
            ("/CONIN$", ReservedName),
            ("/a.", ReservedName),
            ("/a%20", ReservedName),
            ("/.. ", ReservedName),
            ("/.../x", ReservedName),
            ("/git~1/config", ReservedName),
            ("/SECRE~12.TXT", ReservedName),
            ("/.git/config", Hidden),
            ("/a/.env", Hidden),
            ("/%2eenv", Hidden),
            ("/..a", Hidden),
        ] {
            let found = AssetPath::parse(path, DotFiles::Refuse);
            assert_eq!(found, Err(expected), "{path}");
        }
    }

    #[test]
    fn dot_files_when_allowed() {
        let parse = |path| AssetPath::parse(path, DotFiles::Allow);
        assert_eq!(parse("/.well-known/x").unwrap().as_str(), ".well-known/x");
        assert_eq!(parse("/../x"), Err(Traversal));
        assert_eq!(parse("/..."), Err(ReservedName));
    }

    #[test]
    fn below_a_base() {
        for (path, base, expected) in [
            ("/static/a", "static", Some("a")),
            ("/static/", "static", Some("")),
            ("/static", "static", None),
            ("/staticfoo", "static", None),
            ("/a/b/c", "a/b", Some("c")),
            ("/%73tatic/a", "static", Some("a")),
            ("/a", "", Some("a")),
            ("/", "", Some("")),
            ("/other", "static", None),
        ] {
            let path = AssetPath::parse(path, DotFiles::Refuse).unwrap();
            let below = path.below(base);
            assert_eq!(
                below.as_ref().map(AssetPath::as_str),
                expected,
                "{path} {base}"
            );
        }
    }

    #[test]
    fn names_and_neighbours() {
        let path = AssetPath::parse("/a/b.js", DotFiles::Refuse).unwrap();
        assert_eq!(path.names().collect::<Vec<_>>(), ["a", "b.js"]);
        assert_eq!(
            (path.name(), path.sibling(".gz").as_str()),
            ("b.js", "a/b.js.gz")
        );
        let root = AssetPath::parse("/", DotFiles::Refuse).unwrap();
        assert_eq!((root.names().count(), root.name()), (0, ""));
        assert_eq!(root.file("index.html").unwrap().as_str(), "index.html");
        assert_eq!(root.file("../x"), None);
        assert_eq!(root.file(""), None);
    }
}
