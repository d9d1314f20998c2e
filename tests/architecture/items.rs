//! The public types that a source file defines.

use super::source::code_of;

/// A `pub` struct, enum, union or trait.
pub(crate) struct Item {
    pub(crate) keyword: String,
    pub(crate) name: String,
    pub(crate) is_non_exhaustive: bool,
}

/// The public types of a file, without those that only tests have.
pub(crate) fn public_types(text: &str) -> Vec<Item> {
    let code = code_of(text);
    let mut found = Vec::new();
    // What stands between the end of the item before and this line: attributes, for the most part.
    let mut attributes = String::new();
    for line in code.lines() {
        let mut words = line.split_whitespace();
        let is_public = words.next() == Some("pub");
        let keyword = words.next().unwrap_or_default();
        if is_public && matches!(keyword, "struct" | "enum" | "union" | "trait") {
            let rest = words.next().unwrap_or_default();
            let name: String = rest
                .chars()
                .take_while(|it| it.is_alphanumeric() || *it == '_')
                .collect();
            found.push(Item {
                keyword: keyword.to_owned(),
                name,
                is_non_exhaustive: attributes.contains("#[non_exhaustive]"),
            });
        }
        if line.trim_end().ends_with([';', '{', '}']) {
            attributes.clear();
        } else {
            attributes.push_str(line.trim());
        }
    }
    found
}
