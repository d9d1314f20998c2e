use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn from(variables: &[(&str, &str)]) -> Result<ProxySettings, InvalidProxy> {
    ProxySettings::from_environment_of(|name| {
        variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn host_for(settings: &ProxySettings, requested: &str) -> Option<String> {
    settings
        .proxy_for(&url(requested))
        .map(|server| server.host.to_string())
}

#[test]
fn proxies_are_off_by_default() {
    let settings = ProxySettings::default();
    assert_eq!(host_for(&settings, "http://a.b/"), None);
    assert_eq!(host_for(&settings, "https://a.b/"), None);
    assert_eq!(host_for(&from(&[]).unwrap(), "https://a.b/"), None);
}

#[test]
fn proxy_urls_are_parsed() {
    let plain = |scheme, host: &str, port| ProxyServer {
        scheme,
        host: Host::parse(host).unwrap(),
        port,
        credentials: None,
    };
    for (text, server) in [
        ("http://p", plain(ProxyScheme::Http, "p", 1080)),
        ("http://p:80", plain(ProxyScheme::Http, "p", 80)),
        (
            "HTTP://P.example:3128/",
            plain(ProxyScheme::Http, "p.example", 3128),
        ),
        ("p:3128", plain(ProxyScheme::Http, "p", 3128)),
        (" p ", plain(ProxyScheme::Http, "p", 1080)),
        ("10.0.0.1:8080", plain(ProxyScheme::Http, "10.0.0.1", 8080)),
        (
            "http://[::1]:8080/x?y",
            plain(ProxyScheme::Http, "[::1]", 8080),
        ),
        ("socks5://p:9050", plain(ProxyScheme::Socks5, "p", 9050)),
        (
            "socks5h://127.0.0.1",
            plain(ProxyScheme::Socks5h, "127.0.0.1", 1080),
        ),
        (
            "http://bücher.example:1",
            plain(ProxyScheme::Http, "xn--bcher-kva.example", 1),
        ),
    ] {
        assert_eq!(parse(text.trim()), Ok(server), "{text}");
    }
    let with = parse("socks5://us%65r:p%40s@p").unwrap();
    let credentials = Credentials::Basic {
        user: "user".to_owned(),
        password: "p@s".to_owned(),
    };
    assert_eq!(with.credentials, Some(credentials));
    assert!(!format!("{with:?}").contains("p@s"));
}

#[test]
fn invalid_proxies_are_refused_and_not_shown() {
    for (text, fault) in [
        ("https://secret@p", ProxyUrlFault::HttpsProxy),
        ("socks4://p", ProxyUrlFault::Socks4),
        ("socks4a://p", ProxyUrlFault::Socks4),
        ("ftp://p", ProxyUrlFault::UnknownScheme),
        ("://p", ProxyUrlFault::UnknownScheme),
        ("http://", ProxyUrlFault::Malformed),
        ("http://secret@", ProxyUrlFault::Malformed),
        ("http://p:0", ProxyUrlFault::Malformed),
        ("http://p:99999", ProxyUrlFault::Malformed),
        ("p q", ProxyUrlFault::Malformed),
        ("http://secret:x@p p", ProxyUrlFault::Malformed),
        ("http://[::1", ProxyUrlFault::Malformed),
        ("http:///x", ProxyUrlFault::Malformed),
        ("http://%FF@p", ProxyUrlFault::InvalidCredentials),
    ] {
        let error = ProxySettings::default().with_all(text).unwrap_err();
        assert_eq!((error.setting(), error.fault()), ("all", fault), "{text}");
        assert!(!error.to_string().contains("secret"), "{text}");
        let error = from(&[("HTTPS_PROXY", text)]).unwrap_err();
        assert_eq!((error.setting(), error.fault()), ("HTTPS_PROXY", fault));
    }
}

#[test]
fn environment_variables_have_curls_precedence() {
    for (variables, http, https) in [
        (&[("http_proxy", "l")][..], Some("l"), None),
        // Set from a request's `Proxy` field under CGI.
        (&[("HTTP_PROXY", "u")][..], None, None),
        (
            &[("https_proxy", "l"), ("HTTPS_PROXY", "u")][..],
            None,
            Some("l"),
        ),
        (&[("HTTPS_PROXY", "u")][..], None, Some("u")),
        (
            &[("https_proxy", ""), ("HTTPS_PROXY", "u")][..],
            None,
            Some("u"),
        ),
        (
            &[("all_proxy", "l"), ("ALL_PROXY", "u")][..],
            Some("l"),
            Some("l"),
        ),
        (&[("ALL_PROXY", "u")][..], Some("u"), Some("u")),
        (
            &[("ALL_PROXY", "u"), ("http_proxy", "h")][..],
            Some("h"),
            Some("u"),
        ),
        (
            &[("http_proxy", ""), ("ALL_PROXY", "u")][..],
            Some("u"),
            Some("u"),
        ),
        (&[("ALL_PROXY", "u"), ("NO_PROXY", "a.b")][..], None, None),
        (
            &[("ALL_PROXY", "u"), ("no_proxy", "c.d"), ("NO_PROXY", "a.b")][..],
            Some("u"),
            Some("u"),
        ),
        (
            &[("ALL_PROXY", "u"), ("no_proxy", ""), ("NO_PROXY", "a.b")][..],
            None,
            None,
        ),
    ] {
        let settings = from(variables).unwrap();
        assert_eq!(host_for(&settings, "http://a.b/").as_deref(), http);
        assert_eq!(host_for(&settings, "ws://a.b/").as_deref(), http);
        assert_eq!(host_for(&settings, "https://a.b/").as_deref(), https);
        assert_eq!(host_for(&settings, "wss://a.b/").as_deref(), https);
    }
}

#[test]
fn settings_in_code_also_depend_on_the_scheme() {
    let settings = ProxySettings::default()
        .with_http("h")
        .unwrap()
        .with_https("s")
        .unwrap()
        .with_all("a")
        .unwrap();
    assert_eq!(host_for(&settings, "http://x/").as_deref(), Some("h"));
    assert_eq!(host_for(&settings, "https://x/").as_deref(), Some("s"));
    assert_eq!(host_for(&settings, "ftp://x/").as_deref(), Some("a"));
    assert_eq!(host_for(&settings, "data:,x"), None);
}

#[test]
fn no_proxy_follows_curls_rules() {
    for (list, host, excepted) in [
        ("*", "a.b", true),
        ("*", "[::1]", true),
        ("x, *", "a.b", true),
        ("", "a.b", false),
        ("a.b", "a.b", true),
        ("A.B", "a.b", true),
        ("a.b", "x.a.b", true),
        ("a.b", "x.y.a.b", true),
        (".a.b", "a.b", true),
        (".a.b", "x.a.b", true),
        ("a.b.", "a.b", true),
        ("a.b", "a.b.", true),
        ("a.b", "xa.b", false),
        ("a.b", "b", false),
        ("a.b", "a.b.c", false),
        ("..a.b", "a.b", false),
        ("*.a.b", "x.a.b", false),
        ("x,a.b", "a.b", true),
        ("x a.b\ty", "a.b", true),
        ("x,,  ,a.b,", "a.b", true),
        ("localhost", "localhost", true),
        ("bücher.example", "xn--bcher-kva.example", true),
        // Ports are ignored.
        ("a.b:8080", "a.b", true),
        ("10.0.0.1:80", "10.0.0.1", true),
        ("[::1]:80", "[::1]", true),
        // Addresses and networks.
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("::1", "[::1]", true),
        ("[::1]", "[::1]", true),
        ("0:0:0::1", "[::1]", true),
        ("10.0.0.0/8", "10.255.1.2", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.1.2.3/8", "10.9.9.9", true),
        ("192.168.0.0/23", "192.168.1.255", true),
        ("192.168.0.0/23", "192.168.2.0", false),
        ("0.0.0.0/0", "8.8.8.8", true),
        ("0.0.0.0/0", "[::1]", false),
        ("1.2.3.4/32", "1.2.3.4", true),
        ("1.2.3.4/33", "1.2.3.4", false),
        ("1.2.3.4/x", "1.2.3.4", false),
        ("1.2.3.4/-1", "1.2.3.4", false),
        ("a.b/8", "a.b", false),
        ("fe80::/10", "[febf::1]", true),
        ("fe80::/10", "[fec0::1]", false),
        ("[fe80::]/10", "[fe80::1]", true),
        ("::/0", "[2001:db8::1]", true),
        ("::1/129", "[::1]", false),
        // No name inside an address.
        ("0.1", "10.0.0.1", false),
        ("1", "10.0.0.1", false),
    ] {
        let settings = ProxySettings::default()
            .with_all("p")
            .unwrap()
            .with_no_proxy(list);
        let requested = format!("http://{host}:8080/");
        assert_eq!(
            host_for(&settings, &requested).is_none(),
            excepted,
            "{list:?} for {host}"
        );
    }
}
