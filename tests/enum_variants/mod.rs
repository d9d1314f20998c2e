//! The variants of enums, for tests that must have a row for each of them.

#![allow(dead_code, clippy::expect_used)]

/// The name of a value's variant.
pub(crate) fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|it: char| !it.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// An enum's variants, from the source file that defines it, each with whether it exists in every build.
pub(crate) fn variants(source: &str, name: &str) -> Vec<(String, bool)> {
    let begin = source.find(&format!("pub enum {name} {{")).expect(name);
    let body = &source[begin..];
    let body = body.split("\n}").next().unwrap_or_default();
    let mut is_conditional = false;
    let mut found = Vec::new();
    for line in body.lines().skip(1) {
        if line.starts_with("    #[cfg") {
            is_conditional = true;
        } else if line.starts_with("    ") && line[4..].starts_with(char::is_alphabetic) {
            let name = line.trim().split(|it: char| !it.is_alphanumeric()).next();
            found.push((name.unwrap_or_default().to_owned(), !is_conditional));
            is_conditional = false;
        }
    }
    found
}
