//! The character classes and small constructs of HTTP's syntax (RFC 9110 §5.6): tokens, field values,
//! optional whitespace, comma-separated lists. Nothing here depends on the name or meaning of a field.

/// For each byte whether it is in a class of characters.
pub(super) type CharacterClass = [bool; 256];

/// The ASCII letters and digits, and these other bytes.
pub(super) const fn alphanumeric_and(others: &[u8]) -> CharacterClass {
    let mut class = [false; 256];
    let mut byte = 0;
    while byte < class.len() {
        class[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        class[others[index] as usize] = true;
        index += 1;
    }
    class
}

static TCHARS: CharacterClass = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// Whether this byte may be part of a token (RFC 9110 §5.6.2).
pub(super) fn is_tchar(byte: u8) -> bool {
    TCHARS[usize::from(byte)]
}

/// Whether these bytes are a token: at least one token character and nothing else.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// Whether these bytes are allowed in a field value (RFC 9110 §5.5): visible characters, spaces, tabs and
/// the opaque bytes above ASCII, but no line break, NUL or other control character.
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    // Without an early exit the compiler looks at many bytes at once.
    !bytes.iter().fold(false, |found, &byte| {
        found | (byte != b'\t') & ((byte < b' ') | (byte == 0x7f))
    })
}

/// Removes the spaces and tabs at both ends (RFC 9110 §5.6.3).
pub(super) fn trim_ows(bytes: &[u8]) -> &[u8] {
    let mut trimmed = bytes;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = trimmed {
        trimmed = rest;
    }
    trimmed
}

/// The items of a comma-separated list (RFC 9110 §5.6.1), trimmed, without the empty ones. A comma inside a
/// quoted string does not separate items.
pub(super) fn list_items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = item_end(rest);
            let item = trim_ows(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            if !item.is_empty() {
                return Some(item);
            }
        }
        None
    })
}

fn item_end(list: &[u8]) -> usize {
    enum Place {
        Plain,
        Quoted,
        Escaped,
    }
    let begin = match memchr::memchr2(b',', b'"', list) {
        Some(quote) if list[quote] == b'"' => quote,
        // Nothing is quoted before the comma, if there is one.
        end => return end.unwrap_or(list.len()),
    };
    let mut place = Place::Plain;
    for (index, &byte) in list.iter().enumerate().skip(begin) {
        place = match (place, byte) {
            (Place::Plain, b',') => return index,
            (Place::Plain, b'"') | (Place::Escaped, _) => Place::Quoted,
            (Place::Quoted, b'"') => Place::Plain,
            (Place::Quoted, b'\\') => Place::Escaped,
            (place, _) => place,
        };
    }
    list.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for (bytes, expected) in [
            (&b"Content-Length"[..], true),
            (b"!#$%&'*+-.^_`|~09azAZ", true),
            (b"", false),
            (b"a b", false),
            (b"a:", false),
            (b"a\r\n", false),
            (b"\xc3\xa4", false),
            (b"a\0", false),
            (b"(x)", false),
        ] {
            assert_eq!(is_token(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_byte_of_a_field_value() {
        for byte in 0..=255u8 {
            let allowed = matches!(byte, b'\t' | 0x20..=0x7e | 0x80..);
            assert_eq!(is_field_value(&[byte]), allowed, "{byte:#x}");
        }
    }

    #[test]
    fn whitespace_is_trimmed_at_the_ends_only() {
        assert_eq!(trim_ows(b" \t a b\t "), b"a b");
        assert_eq!(trim_ows(b" \t "), b"");
        assert_eq!(trim_ows(b""), b"");
        assert_eq!(trim_ows(b"\x0ba"), b"\x0ba");
    }

    #[test]
    fn lists() {
        let cases: [(&[u8], &[&[u8]]); 7] = [
            (b"a, b,c", &[b"a", b"b", b"c"]),
            (b",, a ,,", &[b"a"]),
            (b"", &[]),
            (b" , ", &[]),
            (br#""a,b", c"#, &[br#""a,b""#, b"c"]),
            (br#""a\",b", c"#, &[br#""a\",b""#, b"c"]),
            (br#""open, c"#, &[br#""open, c"#]),
        ];
        for (list, expected) in cases {
            assert_eq!(list_items(list).collect::<Vec<_>>(), expected, "{list:?}");
        }
    }
}
