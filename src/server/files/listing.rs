//! The page that lists a folder. Every name is escaped; the page loads nothing and runs no script.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::path::AssetPath;
use super::root::Listed;

/// What the browser may do with the page.
pub(super) const SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// How many entries are listed at most.
pub(super) const MOST_ENTRIES: usize = 2000;

/// Characters that a path may hold unencoded (RFC 3986 §3.3), except those that would end an HTML attribute.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A path, percent-encoded.
pub(super) fn encoded(path: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(path, PATH)
}

/// The page for these entries, folders first.
pub(super) fn page(path: &AssetPath, mut entries: Vec<Listed>) -> String {
    entries.sort_by(|a, b| (b.is_dir, &a.name).cmp(&(a.is_dir, &b.name)));
    let title = escaped(&format!("/{path}"));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><ul>\n"
    );
    if !path.as_str().is_empty() {
        page.push_str("<li><a href=\"../\">../</a>\n");
    }
    for entry in &entries {
        let slash = if entry.is_dir { "/" } else { "" };
        let (link, name) = (encoded(&entry.name), escaped(&entry.name));
        // `./` keeps a name with a colon from being read as a scheme. Writing to a string cannot fail.
        let _ = writeln!(page, "<li><a href=\"./{link}{slash}\">{name}{slash}</a>");
    }
    page.push_str("</ul></html>\n");
    page
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::path::DotFiles;
    use super::*;

    fn listed(name: &str, is_dir: bool) -> Listed {
        Listed {
            name: name.to_owned(),
            is_dir,
        }
    }

    #[test]
    fn names_are_escaped_and_links_encoded() {
        let path = AssetPath::parse("/a%26b/", DotFiles::Refuse).unwrap();
        let entries = vec![
            listed("b'\"><script>.txt", false),
            listed("a b#%?.txt", false),
            listed("\u{e9}", false),
            listed("z", true),
        ];
        let page = page(&path, entries);
        for part in [
            "<title>/a&amp;b</title>",
            "<a href=\"../\">../</a>",
            "<a href=\"./z/\">z/</a>",
            "<a href=\"./a%20b%23%25%3F.txt\">a b#%?.txt</a>",
            "<a href=\"./b%27%22%3E%3Cscript%3E.txt\">b&#39;&quot;&gt;&lt;script&gt;.txt</a>",
            "<a href=\"./%C3%A9\">\u{e9}</a>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(
            page.find("./z/").unwrap() < page.find("./a%20b").unwrap(),
            "folders first"
        );
        assert!(!page.contains("<script"));
    }

    #[test]
    fn the_root_has_no_parent() {
        let path = AssetPath::parse("/", DotFiles::Refuse).unwrap();
        assert!(!page(&path, Vec::new()).contains("../"));
    }
}
