//! Which paths a manifest may name. A manifest comes from the network, so its paths are hostile until they
//! are checked: a path that passes names a file below the root on every system, and no two paths name the
//! same file on any.

use std::collections::{HashMap, HashSet};

use crate::error::ManifestRule;
use crate::file_name::is_device;

/// The most bytes of a path.
const MAX_PATH: usize = 1024;

/// The most bytes of a segment. File systems allow 255; temporary names are longer than the final ones.
const MAX_SEGMENT: usize = 200;

/// The most segments of a path.
const MAX_DEPTH: usize = 32;

/// Checks one path by itself.
pub(super) fn check(path: &str) -> Result<(), ManifestRule> {
    if path.is_empty() {
        return Err(ManifestRule::EmptyPath);
    }
    if path.len() > MAX_PATH || path.split('/').count() > MAX_DEPTH {
        return Err(ManifestRule::PathTooLong);
    }
    if path.chars().any(is_forbidden) {
        return Err(ManifestRule::ForbiddenCharacter);
    }
    if path.starts_with('/') {
        return Err(ManifestRule::AbsolutePath);
    }
    path.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), ManifestRule> {
    if segment.is_empty() {
        return Err(ManifestRule::EmptySegment);
    }
    if segment == "." || segment == ".." {
        return Err(ManifestRule::DotSegment);
    }
    if segment.len() > MAX_SEGMENT {
        return Err(ManifestRule::PathTooLong);
    }
    if segment.starts_with(' ') || segment.ends_with([' ', '.']) {
        return Err(ManifestRule::SpaceOrDotAtEnd);
    }
    if is_device(segment) {
        return Err(ManifestRule::ReservedName);
    }
    Ok(())
}

/// Characters that some system treats as a separator, a drive, a stream or a pattern, that nobody sees, or
/// that some file systems compose with the character before them.
fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'
            | '\u{ad}'
            | '\u{300}'..='\u{36f}'
            | '\u{1100}'..='\u{11ff}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{3099}'..='\u{309a}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{ffff}'
            | '\u{e0000}'..
        )
}

/// Finds paths that are the same file on some system.
#[derive(Default)]
pub(super) struct Collisions {
    files: HashSet<String>,
    /// Each folder, and how it is spelled.
    folders: HashMap<String, String>,
}

impl Collisions {
    /// Adds a path that was [checked](check).
    pub(super) fn add(&mut self, path: &str) -> Result<(), ManifestRule> {
        let key = fold(path);
        if self.folders.contains_key(&key) || !self.files.insert(key) {
            return Err(ManifestRule::Collision);
        }
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            let key = fold(folder);
            if self.files.contains(&key) {
                return Err(ManifestRule::Collision);
            }
            let spelled = self.folders.entry(key).or_insert_with(|| folder.to_owned());
            if spelled != folder {
                return Err(ManifestRule::Collision);
            }
        }
        Ok(())
    }
}

/// The same text for paths that differ only in upper and lower case.
fn fold(path: &str) -> String {
    path.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        use ManifestRule as Rule;
        let long = "a".repeat(201);
        let deep = vec!["a"; 33].join("/");
        let endless = vec!["a".repeat(150); 7].join("/");
        for (path, rule) in [
            ("", Rule::EmptyPath),
            ("/etc/passwd", Rule::AbsolutePath),
            ("//server/share", Rule::AbsolutePath),
            ("..", Rule::DotSegment),
            ("../a", Rule::DotSegment),
            ("a/../../b", Rule::DotSegment),
            ("a/..", Rule::DotSegment),
            ("./a", Rule::DotSegment),
            ("a/./b", Rule::DotSegment),
            ("a//b", Rule::EmptySegment),
            ("a/", Rule::EmptySegment),
            ("C:/Windows/a", Rule::ForbiddenCharacter),
            ("C:a", Rule::ForbiddenCharacter),
            ("a:stream", Rule::ForbiddenCharacter),
            ("..\\a", Rule::ForbiddenCharacter),
            ("\\\\server\\share", Rule::ForbiddenCharacter),
            ("\\\\?\\C:\\a", Rule::ForbiddenCharacter),
            ("a\0b", Rule::ForbiddenCharacter),
            ("a\nb", Rule::ForbiddenCharacter),
            ("a*", Rule::ForbiddenCharacter),
            ("a?b", Rule::ForbiddenCharacter),
            ("e\u{301}", Rule::ForbiddenCharacter),
            ("a\u{202e}gpj.exe", Rule::ForbiddenCharacter),
            ("a\u{200d}b", Rule::ForbiddenCharacter),
            ("\u{feff}a", Rule::ForbiddenCharacter),
            ("a.", Rule::SpaceOrDotAtEnd),
            ("a./b", Rule::SpaceOrDotAtEnd),
            ("...", Rule::SpaceOrDotAtEnd),
            (".. /a", Rule::SpaceOrDotAtEnd),
            ("a /b", Rule::SpaceOrDotAtEnd),
            (" a", Rule::SpaceOrDotAtEnd),
            ("CON", Rule::ReservedName),
            ("con.txt", Rule::ReservedName),
            ("a/NUL", Rule::ReservedName),
            ("nul .txt", Rule::ReservedName),
            ("Aux.tar.gz", Rule::ReservedName),
            ("COM1", Rule::ReservedName),
            ("lpt9.log", Rule::ReservedName),
            ("COM¹", Rule::ReservedName),
            ("conout$", Rule::ReservedName),
            (&long, Rule::PathTooLong),
            (&deep, Rule::PathTooLong),
            (&endless, Rule::PathTooLong),
        ] {
            assert_eq!(check(path), Err(rule), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_are_allowed() {
        for path in [
            "a",
            ".gitignore",
            "levels/forest.pak",
            "a..b",
            "..a/b",
            "COM10",
            "console.txt",
            "com/a",
            "über/日本語.txt",
            "a b (1).txt",
            "%2e%2e/a",
            "~/a",
        ] {
            assert_eq!(check(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn paths_that_are_one_file_on_some_system_collide() {
        for (first, second) in [
            ("a", "a"),
            ("a", "A"),
            ("dir/a", "DIR/a"),
            ("dir/a", "Dir/b"),
            ("a", "a/b"),
            ("A/b", "a"),
            ("straße", "STRASSE"),
            ("k", "\u{212a}"),
            ("Über", "über"),
        ] {
            let mut collisions = Collisions::default();
            assert_eq!(collisions.add(first), Ok(()));
            assert_eq!(
                collisions.add(second),
                Err(ManifestRule::Collision),
                "{first} {second}"
            );
        }
        let mut collisions = Collisions::default();
        for path in ["a", "b/a", "b/c", "ab/c"] {
            assert_eq!(collisions.add(path), Ok(()), "{path}");
        }
    }
}
