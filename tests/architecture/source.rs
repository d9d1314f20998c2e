//! A Rust source file without what is not code: comments, literals and tests.

/// The code of a file, with comments, string and character literals blanked out and without the modules
/// that are `#[cfg(test)]`.
pub(crate) fn code_of(text: &str) -> String {
    without_tests(&without_literals(text))
}

fn without_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let skipped = if rest.starts_with(b"//") {
            rest.iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, code.last().copied()) {
            length
        } else if rest[0] == b'"' {
            quoted(rest, b'"')
        } else if rest[0] == b'\'' && is_character(rest) {
            quoted(rest, b'\'')
        } else {
            0
        };
        if skipped == 0 {
            code.push(rest[0]);
            at += 1;
        } else {
            code.extend(rest[..skipped].iter().filter(|byte| **byte == b'\n'));
            code.push(b' ');
            at += skipped;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a raw string that begins here.
fn raw_string(rest: &[u8], before: Option<u8>) -> Option<usize> {
    if rest[0] != b'r' || before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let content = &rest[hashes + 2..];
    let length = content
        .windows(end.len())
        .position(|window| window == end)
        .unwrap_or(content.len());
    Some((hashes + 2 + length + end.len()).min(rest.len()))
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Whether an apostrophe begins a character and not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii() => rest.get(2) == Some(&b'\''),
        Some(_) => true,
        None => false,
    }
}

/// Leaves out the item behind each `#[cfg(test)]` or `#[cfg(all(test, …))]`, up to its closing brace or
/// semicolon.
fn without_tests(code: &str) -> String {
    const MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test,"];
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(found) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        kept.push_str(&rest[..found]);
        let attribute = &rest[found..];
        let item = &attribute[attribute.find(']').map_or(attribute.len(), |end| end + 1)..];
        rest = &item[end_of_item(item)..];
    }
    kept.push_str(rest);
    kept
}

fn end_of_item(item: &str) -> usize {
    let mut depth = 0usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            // A field of a struct, or a variant, that only tests have.
            b',' if depth == 0 && !item[..at].contains(['(', '<', '[']) => return at + 1,
            _ => {}
        }
    }
    item.len()
}
