use super::*;

fn lines(lines: &[&str]) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    fields
}

#[test]
fn order_case_and_duplicates_are_kept() {
    let fields = lines(&["X-b: 2", "A: 1", "x-B: 3"]);
    assert_eq!(
        fields.iter().collect::<Vec<_>>(),
        [("X-b", &b"2"[..]), ("A", b"1"), ("x-B", b"3")]
    );
    assert_eq!(fields.len(), 3);
    assert_eq!(fields.get("X-B"), Some(&b"2"[..]));
    assert_eq!(
        fields.get_all("x-b").collect::<Vec<_>>(),
        [&b"2"[..], &b"3"[..]]
    );
    assert!(fields.contains("a") && !fields.contains("b"));
}

#[test]
fn each_of_many_names_is_found_in_any_case_and_no_other() {
    let names: Vec<String> = (0..100).map(|number| format!("X-{number}-y")).collect();
    let mut fields = FieldLines::new();
    for (index, name) in names.iter().enumerate() {
        assert_eq!(fields.get(name), None);
        fields.append(name, name).unwrap();
        for known in &names[..=index] {
            let value = Some(known.as_bytes());
            assert_eq!(fields.get(&known.to_ascii_uppercase()), value);
            assert_eq!(fields.get(&known.to_ascii_lowercase()), value);
        }
    }
    fields.remove("x-0-Y");
    assert!(!fields.contains("X-0-y") && fields.contains("x-99-Y"));
}

#[test]
fn values_are_trimmed_and_may_be_empty_or_opaque() {
    let mut fields = FieldLines::new();
    fields.append("a", " \t x y \t").unwrap();
    fields.append("b", "").unwrap();
    fields.append("c", b"caf\xe9").unwrap();
    fields.append("d", "a\tb").unwrap();
    assert_eq!(fields.get("a"), Some(&b"x y"[..]));
    assert_eq!(fields.get("b"), Some(&b""[..]));
    assert_eq!(fields.get("c"), Some(&b"caf\xe9"[..]));
    assert_eq!(fields.get("d"), Some(&b"a\tb"[..]));
}

#[test]
fn injections_are_refused_and_change_nothing() {
    let names = [
        "", "a b", "a:", " a", "a ", "a\r\nb", "a\n", "a\0", "ä", "a\t", "\"a\"", "(a)",
    ];
    let values = [
        "a\r\nEvil: 1",
        "a\nEvil: 1",
        "a\rEvil: 1",
        "a\0",
        "\x1b[0m",
        "\x7f",
        "\r\n",
        "a\r\n",
    ];
    let mut fields = lines(&["Kept: 1"]);
    let before = fields.clone();
    for name in names {
        assert_eq!(
            fields.append(name, "v"),
            Err(Misuse::InvalidHeader),
            "{name:?}"
        );
    }
    for value in values {
        assert_eq!(
            fields.append("n", value),
            Err(Misuse::InvalidHeader),
            "{value:?}"
        );
    }
    for line in [
        "",
        "no colon",
        ": no name",
        "a : b",
        " a: b",
        "a: b\r\n",
        "a\r\n: b",
    ] {
        assert_eq!(
            fields.append_line(line),
            Err(Misuse::InvalidHeader),
            "{line:?}"
        );
    }
    assert_eq!(fields, before);
}

#[test]
fn lines_split_at_the_first_colon() {
    let fields = lines(&["Referer:http://a:80/", "Empty:"]);
    assert_eq!(fields.get("referer"), Some(&b"http://a:80/"[..]));
    assert_eq!(fields.get("empty"), Some(&b""[..]));
}

#[test]
fn removal_removes_every_line_of_the_name() {
    let mut fields = lines(&["a: 1", "b: 2", "A: 3"]);
    fields.remove("A");
    assert_eq!(fields, lines(&["b: 2"]));
    fields.remove("absent");
    assert_eq!(fields, lines(&["b: 2"]));
    fields.remove("b");
    assert!(fields.is_empty());
    assert_eq!(fields, FieldLines::new());
}

#[test]
fn lists_run_over_all_lines() {
    let fields = lines(&["Connection: a, ,B", "X: c", "connection:, Close"]);
    assert_eq!(
        fields.list("connection").collect::<Vec<_>>(),
        [&b"a"[..], &b"B"[..], &b"Close"[..]]
    );
    assert!(fields.has_token("Connection", "close"));
    assert!(fields.has_token("Connection", "b"));
    assert!(!fields.has_token("Connection", "clos"));
    assert!(!fields.has_token("X", "close"));
    assert!(!fields.has_token("Y", ""));
}

#[test]
fn debug_hides_credentials() {
    let fields = lines(&[
        "Authorization: Basic c2VjcmV0",
        "cookie: secret1",
        "Proxy-Authorization: secret2",
        "SET-COOKIE: secret3",
        "Accept: text/html",
    ]);
    let text = format!("{fields:?}");
    assert!(!text.contains("secret") && !text.contains("c2Vj"), "{text}");
    assert!(text.contains("SET-COOKIE") && text.contains("text/html"));
}

#[test]
fn the_header_map_holds_every_line() {
    let map = lines(&["Set-Cookie: a", "X: b", "set-cookie: c"]).to_header_map();
    assert_eq!(map.len(), 3);
    let cookies: Vec<_> = map.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a", "c"]);
    assert!(cookies[0].is_sensitive() && !map["x"].is_sensitive());
}

#[test]
fn a_header_map_of_too_many_fields_holds_what_fits() {
    let mut fields = FieldLines::new();
    for index in 0..40_000 {
        fields.append(&format!("x-{index}"), "1").unwrap();
    }
    let map = fields.to_header_map();
    assert!((24_000..40_000).contains(&map.len()), "{}", map.len());
    assert_eq!(map.get("x-23999").unwrap(), "1");

    let mut fields = FieldLines::new();
    for index in 0..40_000 {
        fields.append("x-same", index.to_string()).unwrap();
    }
    let map = fields.to_header_map();
    assert_eq!(map.get_all("x-same").iter().count(), 40_000);
}

#[test]
fn the_wire_form_is_one_line_each() {
    let mut out = b"x".to_vec();
    lines(&["A:1", "b: 2"]).write_to(&mut out);
    assert_eq!(out, b"xA: 1\r\nb: 2\r\n");
}
