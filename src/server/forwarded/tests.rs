//! Clients behind proxies, and clients without a proxy.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn client(by: ForwardedBy, peer: &str, lines: &[&str]) -> (String, String, bool) {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    let networks = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
    let client = TrustedProxies::new(networks, by).client(ip(peer), false, &fields);
    let host = client.host.map_or(String::new(), |host| host.to_string());
    (client.ip.to_string(), host, client.is_secure)
}

#[test]
fn x_forwarded_only_from_trusted_proxies() {
    let lines = [
        "Host: inner:8080",
        "X-Forwarded-For: 1.1.1.1, 2.2.2.2",
        "X-Forwarded-Host: game.example",
        "X-Forwarded-Proto: https",
    ];
    let by = ForwardedBy::XForwarded;
    let direct = |ip: &str| (ip.to_owned(), "inner:8080".to_owned(), false);
    assert_eq!(client(by, "9.9.9.9", &lines), direct("9.9.9.9"));
    assert_eq!(
        client(by, "10.0.0.1", &lines),
        ("2.2.2.2".into(), "game.example".into(), true)
    );
    assert_eq!(
        client(by, "::ffff:10.0.0.1", &lines),
        ("2.2.2.2".into(), "game.example".into(), true)
    );
    // A proxy that writes the other kind of field passes these on unread.
    assert_eq!(
        client(ForwardedBy::Forwarded, "10.0.0.1", &lines),
        direct("10.0.0.1")
    );
}

#[test]
fn addresses_are_read_from_the_right() {
    for (chain, expected) in [
        ("1.1.1.1", "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1, 10.0.0.3", "1.1.1.1"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("1.1.1.1, unknown, 10.0.0.3", "10.0.0.3"),
        ("1.1.1.1:4711", "1.1.1.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:1.1.1.1", "1.1.1.1"),
        ("1.1.1.1, _hidden", "::1"),
        ("", "::1"),
    ] {
        let line = format!("X-Forwarded-For: {chain}");
        let found = client(ForwardedBy::XForwarded, "::1", &[&line]).0;
        assert_eq!(found, expected, "{chain}");
    }
}

#[test]
fn the_first_forwarded_host() {
    for (host, expected) in [
        ("a.example, b.example", "a.example"),
        ("A.example:81", "a.example:81"),
        ("[2001:db8::1]:81", "[2001:db8::1]:81"),
        ("not a host", "inner"),
    ] {
        let line = format!("X-Forwarded-Host: {host}");
        let found = client(ForwardedBy::XForwarded, "::1", &["Host: inner", &line]).1;
        assert_eq!(found, expected, "{host}");
    }
}

#[test]
fn forwarded() {
    // RFC 7239 §4, §6
    for (value, ip, host, is_secure) in [
        (
            "for=1.1.1.1;host=a.example;proto=https",
            "1.1.1.1",
            "a.example",
            true,
        ),
        ("For=\"[2001:db8::1]:4711\"", "2001:db8::1", "inner", false),
        (
            "for=6.6.6.6;host=evil, for=1.1.1.1;host=a.example",
            "1.1.1.1",
            "a.example",
            false,
        ),
        (
            "for=1.1.1.1;proto=https, for=10.0.0.2",
            "1.1.1.1",
            "inner",
            true,
        ),
        ("for=1.1.1.1, for=unknown", "::1", "inner", false),
        ("for=1.1.1.1, for=\"_hidden\"", "::1", "inner", false),
        (
            "for=1.1.1.1;host=\"a.example:81\";",
            "1.1.1.1",
            "a.example:81",
            false,
        ),
        (
            "for=1.1.1.1;by=\"x;host=evil, y\"",
            "1.1.1.1",
            "inner",
            false,
        ),
        ("for=1.1.1.1, broken", "::1", "inner", false),
        ("for=\"1.1.1.1", "::1", "inner", false),
        ("for=1.1.1.1;proto=gopher", "1.1.1.1", "inner", false),
    ] {
        let line = format!("Forwarded: {value}");
        assert_eq!(
            client(ForwardedBy::Forwarded, "::1", &["Host: inner", &line]),
            (ip.into(), host.into(), is_secure),
            "{value}"
        );
    }
}

#[test]
fn no_proxy_is_trusted_by_default() {
    let mut fields = FieldLines::new();
    fields.append("X-Forwarded-For", "1.1.1.1").unwrap();
    let client = TrustedProxies::default().client(ip("127.0.0.1"), true, &fields);
    assert_eq!(client.ip, ip("127.0.0.1"));
    assert!(client.is_secure);
    assert_eq!(client.host, None);
}
