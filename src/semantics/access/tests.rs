use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn pattern(text: &str) -> HostPattern {
    text.parse().unwrap()
}

#[test]
fn by_default_only_https_to_public_hosts() {
    let policy = AccessPolicy::default();
    for (text, allowed) in [
        ("https://a.b/x", true),
        ("https://a.b:8443/", true),
        ("https://8.8.8.8/", true),
        ("https://[2606:4700::1111]/", true),
        ("http://a.b/", false),
        ("ftp://a.b/", false),
        ("file:///etc/passwd", false),
        ("data:,x", false),
        // All notations of an address in the URL Standard.
        ("https://127.0.0.1/", false),
        ("https://127.1/", false),
        ("https://2130706433/", false),
        ("https://0x7f000001/", false),
        ("https://0177.0.0.1/", false),
        ("https://0/", false),
        ("https://%31%32%37.0.0.1/", false),
        ("https://169.254.169.254/latest/meta-data/", false),
        ("https://192.168.1.1/", false),
        ("https://[::1]/", false),
        ("https://[::ffff:127.0.0.1]/", false),
        ("https://[64:ff9b::7f00:1]/", false),
    ] {
        assert_eq!(policy.check_url(&url(text)).is_ok(), allowed, "{text}");
    }
}

#[test]
fn only_listed_hosts_ports_and_schemes_are_allowed() {
    let policy = AccessPolicy {
        schemes: vec!["HTTPS".to_owned(), "http".to_owned()],
        hosts: vec![pattern("mods.example"), pattern("*.Workshop.example")],
        ports: vec![443, 8080],
        ..AccessPolicy::default()
    };
    let refused = |text: &str| policy.check_url(&url(text)).err();
    for text in [
        "https://mods.example/",
        "https://MODS.example./x",
        "http://mods.example:8080/",
        "https://a.workshop.example/",
        "https://a.b.workshop.example/",
        "https://user@mods.example/",
    ] {
        assert_eq!(refused(text), None, "{text}");
    }
    let host = |host: &str| Some(AccessRefusal::Host(host.to_owned()));
    for (text, refusal) in [
        ("https://workshop.example/", host("workshop.example")),
        ("https://aworkshop.example/", host("aworkshop.example")),
        ("https://.workshop.example/", host(".workshop.example")),
        ("https://a.mods.example/", host("a.mods.example")),
        ("https://mods.example.evil/", host("mods.example.evil")),
        ("https://mods.example@evil/", host("evil")),
        ("https://8.8.8.8/", host("8.8.8.8")),
        ("http://mods.example/", Some(AccessRefusal::Port(80))),
        (
            "wss://mods.example/",
            Some(AccessRefusal::Scheme("wss".to_owned())),
        ),
    ] {
        assert_eq!(refused(text), refusal, "{text}");
    }
}

#[test]
fn patterns_are_parsed_or_refused() {
    for (text, shown) in [
        ("a.b", "a.b"),
        ("A.B.", "a.b"),
        ("*.A.B", "*.a.b"),
        ("*.b", "*.b"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
    ] {
        assert_eq!(pattern(text).to_string(), shown);
    }
    for text in [
        "",
        "*",
        "*.",
        ".",
        "*.*.a",
        "a.*.b",
        "a*",
        "a..",
        "*.a..",
        "http://a",
        "a/b",
        "a:80",
        "*.127.0.0.1",
        "*.[::1]",
        "::1",
        "a b",
    ] {
        let error = text.parse::<HostPattern>().unwrap_err();
        assert!(error.to_string().contains("expected a host"), "{text}");
    }
    // All notations of an address are equal.
    assert!(pattern("127.1").matches(&url("http://127.0.0.1/").host().unwrap()));
    assert!(pattern("[::1]").matches(&url("http://[0::1]/").host().unwrap()));
}

#[test]
fn addresses_are_checked_after_the_lookup() {
    let mut policy = AccessPolicy::default();
    let home = "192.168.0.1".parse().unwrap();
    assert_eq!(
        policy.check_address(home),
        Err(AccessRefusal::Address(home, AddressClass::Private))
    );
    assert_eq!(policy.check_address("8.8.8.8".parse().unwrap()), Ok(()));
    // An address on the list is refused, too, unless such addresses are allowed.
    policy.hosts = vec![pattern("192.168.0.1")];
    assert_eq!(
        policy.check_url(&url("https://192.168.0.1/")),
        Err(AccessRefusal::Address(home, AddressClass::Private))
    );
    policy.non_public_addresses = true;
    assert_eq!(policy.check_url(&url("https://192.168.0.1/")), Ok(()));
    assert_eq!(policy.check_address("::1".parse().unwrap()), Ok(()));
}

#[test]
fn only_listed_content_types_are_allowed() {
    let mut policy = AccessPolicy::default();
    assert_eq!(policy.check_content_type(None), Ok(()));
    policy.content_types = vec!["image/*".to_owned(), "application/ZIP".to_owned()];
    // RFC 9110 §8.3.1
    for (content_type, allowed) in [
        (&b"image/png"[..], true),
        (b"IMAGE/PNG; x=y", true),
        (b" application/zip ;", true),
        (b"application/zip2", false),
        (b"imagex/png", false),
        (b"image", false),
        (b"text/html", false),
        (b"text/html, image/png", false),
        (b";image/png", false),
        (b"", false),
        (b"\xff", false),
    ] {
        let checked = policy.check_content_type(Some(content_type));
        assert_eq!(checked.is_ok(), allowed, "{content_type:?}");
    }
    let missing = policy.check_content_type(None).unwrap_err();
    assert_eq!(missing, AccessRefusal::ContentType(String::new()));
    policy.content_types = vec!["*/*".to_owned()];
    assert_eq!(policy.check_content_type(Some(b"text/html")), Ok(()));
    assert_eq!(policy.check_content_type(None), Err(missing));
}

#[test]
fn body_sizes_are_limited() {
    let mut policy = AccessPolicy::default();
    let max = 64 * 1024 * 1024;
    assert_eq!(policy.check_body(max), Ok(()));
    let refusal = AccessRefusal::BodyTooLarge { max };
    assert_eq!(policy.check_body(max + 1), Err(refusal));
    policy.max_body_bytes = None;
    assert_eq!(policy.check_body(u64::MAX), Ok(()));
}

#[test]
fn refusals_name_the_field_to_change() {
    for (refusal, field) in [
        (AccessRefusal::Scheme("ftp".to_owned()), "schemes"),
        (AccessRefusal::Host("a.b".to_owned()), "hosts"),
        (AccessRefusal::Port(22), "ports"),
        (
            AccessRefusal::Address("::1".parse().unwrap(), AddressClass::Loopback),
            "non_public_addresses",
        ),
        (AccessRefusal::ContentType(String::new()), "content_types"),
        (
            AccessRefusal::ContentType("text/html".to_owned()),
            "content_types",
        ),
        (AccessRefusal::BodyTooLarge { max: 1 }, "max_body_bytes"),
    ] {
        let text = refusal.to_string();
        assert!(text.contains(&format!("AccessPolicy::{field}")), "{text}");
    }
    let policy = AccessPolicy {
        content_types: vec!["image/*".to_owned()],
        ..AccessPolicy::default()
    };
    let long = policy.check_content_type(Some(&b"x\x1b".repeat(9999)));
    assert!(long.unwrap_err().to_string().len() < 200);
}
