//! Values with parameters: `form-data; name="a"; filename="b"` (RFC 9110 §5.6.6).

/// The value before the parameters, and the parameters in order; `None` when they are malformed.
///
/// In quotes a backslash hides a quote or a backslash and is itself otherwise: browsers write
/// `filename="C:\a.txt"`, others escape by RFC 9110 §5.6.4.
pub(super) fn parse(value: &[u8]) -> Option<(&[u8], Vec<(String, Vec<u8>)>)> {
    let end = value
        .iter()
        .position(|&byte| byte == b';')
        .unwrap_or(value.len());
    let (main, mut rest) = value.split_at(end);
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some(after) = rest.strip_prefix(b";") else {
            return rest.is_empty().then_some((main.trim_ascii(), parameters));
        };
        rest = after.trim_ascii_start();
        if rest.is_empty() || rest.starts_with(b";") {
            continue;
        }
        let equals = rest.iter().position(|&byte| byte == b'=')?;
        let name = std::str::from_utf8(rest.get(..equals)?).ok()?.trim();
        let is_token = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte));
        if !is_token {
            return None;
        }
        let (value, after) = value_of(rest.get(equals + 1..)?.trim_ascii_start())?;
        parameters.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
}

/// A parameter's value, and what follows it.
fn value_of(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.trim_ascii_end().to_vec(), rest));
    };
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some((value, rest)),
            [b'\\', byte @ (b'"' | b'\\'), rest @ ..] | [byte, rest @ ..] => {
                value.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        for (text, expected) in [
            ("a/b", Some(("a/b", &[][..]))),
            ("a/b;", Some(("a/b", &[]))),
            ("a/b ; C=d", Some(("a/b", &[("c", "d")]))),
            ("a;b=c;;d = e ", Some(("a", &[("b", "c"), ("d", "e")]))),
            (
                r#"a; b="c;d"; e=f"#,
                Some(("a", &[("b", "c;d"), ("e", "f")])),
            ),
            (r#"a; b="c\"d\\e\f""#, Some(("a", &[("b", r#"c"d\e\f"#)]))),
            (r#"a; b="""#, Some(("a", &[("b", "")]))),
            (r#"a; b="C:\x.txt""#, Some(("a", &[("b", r"C:\x.txt")]))),
            ("a; b", None),
            ("a; =c", None),
            (r#"a; b="c"#, None),
            (r#"a; b="c\""#, None),
            (r#"a; b="c"d"#, None),
            ("a; b c=d", None),
        ] {
            let found = parse(text.as_bytes()).map(|(main, parameters)| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let pairs: Vec<_> = parameters
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)))
                    .collect();
                (text(main), pairs)
            });
            let expected = expected.map(|(main, pairs)| {
                let pairs: Vec<_> = pairs
                    .iter()
                    .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                    .collect();
                (main.to_owned(), pairs)
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
