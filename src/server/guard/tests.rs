//! Requests, and what guards decide about them.

use std::time::Duration;

use super::*;

const LOCAL: &str = "Host: 127.0.0.1:8080";

fn fields(lines: &[&str]) -> FieldLines {
    let mut fields = FieldLines::new();
    for line in lines {
        fields.append_line(line).unwrap();
    }
    fields
}

fn ask_at(guard: &mut Guard, now: Instant, method: &str, target: &str, lines: &[&str]) -> Decision {
    let request = GuardRequest {
        method: &Method::from_bytes(method.as_bytes()).unwrap(),
        target,
        fields: &fields(lines),
        forwarded_host: None,
        client: [127, 0, 0, 1].into(),
        is_secure: false,
    };
    guard.check(&request, now)
}

fn ask(guard: &mut Guard, method: &str, target: &str, lines: &[&str]) -> Decision {
    ask_at(guard, Instant::now(), method, target, lines)
}

/// The status and reason of a refusal.
fn refused(verdict: Decision) -> Option<(u16, RefusalReason)> {
    match verdict {
        Decision::Refuse(refusal) => Some((refusal.status.as_u16(), refusal.reason)),
        Decision::Allow(_) | Decision::Preflight(_) => None,
    }
}

#[test]
fn hosts_of_a_local_server() {
    use RefusalReason::{ForeignHost, Malformed};
    let foreign = Some((421, ForeignHost));
    for (target, lines, expected) in [
        ("/", &["Host: 127.0.0.1:8080"][..], None),
        ("/", &["Host: localhost:8080"], None),
        ("/", &["Host: LocalHost.:8080"], None),
        ("/", &["Host: [::1]:8080"], None),
        ("/", &["Host: game.localhost:8080"], None),
        ("http://localhost:8080/", &["Host: localhost:8080"], None),
        // HTTP/1.0 without `Host`: the client is no browser.
        ("/", &[], None),
        ("/", &["Host: evil.example:8080"], foreign),
        ("/", &["Host: localhost.evil.example:8080"], foreign),
        ("/", &["Host: 192.168.0.7:8080"], foreign),
        // Tunnels, port mappings and containers change the port.
        ("/", &["Host: localhost"], None),
        ("/", &["Host: localhost:8081"], None),
        ("/", &["Host: evil.example:80"], foreign),
        // RFC 9112 §3.2.2: the host of the target replaces `Host`.
        ("http://evil.example:8080/", &[LOCAL], foreign),
        ("http://localhost:8080/", &["Host: evil.example"], foreign),
        ("/", &[LOCAL, LOCAL], Some((400, Malformed))),
        ("/", &["Host: a b"], Some((400, Malformed))),
    ] {
        let mut guard = Guard::local(8080);
        assert_eq!(
            refused(ask(&mut guard, "GET", target, lines)),
            expected,
            "{target} {lines:?}"
        );
    }
}

#[test]
fn through_a_tunnel_the_pages_port_is_that_of_the_request() {
    let foreign = Some((403, RefusalReason::ForeignOrigin));
    for (host, origin, expected) in [
        ("localhost:9000", "http://localhost:9000", None),
        ("127.0.0.1", "http://127.0.0.1", None),
        ("localhost:9000", "http://localhost:8080", None),
        ("localhost:9000", "http://localhost:5173", foreign),
        ("localhost:9000", "http://127.0.0.1:9000", foreign),
        ("localhost:9000", "http://evil.example:9000", foreign),
    ] {
        let lines = [&*format!("Host: {host}"), &*format!("Origin: {origin}")];
        assert_eq!(
            refused(ask(&mut Guard::local(8080), "POST", "/", &lines)),
            expected,
            "{lines:?}"
        );
    }
}

#[test]
fn hosts_without_a_port_mean_the_schemes() {
    assert_eq!(
        refused(ask(&mut Guard::local(80), "GET", "/", &["Host: localhost"])),
        None
    );
    let fields = fields(&["Host: localhost"]);
    let request = GuardRequest {
        method: &Method::GET,
        target: "/",
        fields: &fields,
        forwarded_host: None,
        client: [127, 0, 0, 1].into(),
        is_secure: true,
    };
    let mut guard = Guard::local(443);
    assert_eq!(refused(guard.check(&request, Instant::now())), None);
}

#[test]
fn hosts_that_were_added() {
    let guard = || Guard::local(8080).allow_host("game.example").unwrap();
    for (host, is_ours) in [
        ("Host: game.example", true),
        ("Host: GAME.example:9", true),
        ("Host: localhost:8080", true),
        ("Host: x.game.example", false),
    ] {
        assert_eq!(
            refused(ask(&mut guard(), "GET", "/", &[host])).is_none(),
            is_ours,
            "{host}"
        );
    }
    let mut guard = Guard::open().allow_host("game.example:81").unwrap();
    assert_eq!(
        refused(ask(&mut guard, "GET", "/", &["Host: game.example:81"])),
        None
    );
    assert!(refused(ask(&mut guard, "GET", "/", &["Host: game.example"])).is_some());
    assert!(refused(ask(&mut guard, "GET", "/", &["Host: localhost:81"])).is_some());
    assert!(Guard::open().allow_host("http://game.example").is_err());
}

#[test]
fn which_addresses_are_guarded() {
    let evil = ["Host: evil.example", "Origin: http://evil.example"];
    for (address, is_guarded) in [
        ("127.0.0.1:80", true),
        ("127.3.3.3:80", true),
        ("[::1]:80", true),
        ("[::ffff:127.0.0.1]:80", true),
        ("0.0.0.0:80", false),
        ("[::]:80", false),
        ("192.168.0.1:80", false),
    ] {
        let mut guard = Guard::for_address(address.parse().unwrap());
        assert_eq!(
            refused(ask(&mut guard, "POST", "/", &evil)).is_some(),
            is_guarded,
            "{address}"
        );
    }
}

#[test]
fn origins() {
    use RefusalReason::{CrossSite, ForeignOrigin, Malformed};
    let foreign = Some((403, ForeignOrigin));
    let cross_site = Some((403, CrossSite));
    for (method, lines, expected) in [
        // The client is no browser.
        ("POST", &[][..], None),
        ("POST", &["Origin: http://127.0.0.1:8080"], None),
        ("POST", &["Origin: http://localhost:8080"], None),
        ("POST", &["Origin: https://[::1]:8080"], None),
        ("GET", &["Origin: http://evil.example"], foreign),
        ("POST", &["Origin: http://evil.example"], foreign),
        ("POST", &["Origin: http://evil.example:8080"], foreign),
        ("POST", &["Origin: http://localhost:5173"], foreign),
        ("POST", &["Origin: http://localhost"], foreign),
        ("POST", &["Origin: null"], foreign),
        ("POST", &["Origin: file://"], foreign),
        ("POST", &["Origin: chrome-extension://abcdef"], foreign),
        ("POST", &["Origin: "], foreign),
        (
            "POST",
            &["Origin: http://localhost:8080", "Origin: http://evil"],
            Some((400, Malformed)),
        ),
        // Fetch metadata
        (
            "POST",
            &["Origin: null", "Sec-Fetch-Site: same-origin"],
            None,
        ),
        (
            "POST",
            &["Origin: null", "Sec-Fetch-Site: cross-site"],
            foreign,
        ),
        ("GET", &["Sec-Fetch-Site: same-origin"], None),
        ("GET", &["Sec-Fetch-Site: none"], None),
        ("GET", &["Sec-Fetch-Site: cross-site"], cross_site),
        ("GET", &["Sec-Fetch-Site: same-site"], cross_site),
        ("POST", &["Sec-Fetch-Site: cross-site"], cross_site),
        (
            "GET",
            &[
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Mode: navigate",
                "Sec-Fetch-Dest: document",
            ],
            None,
        ),
        (
            "GET",
            &[
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Mode: navigate",
                "Sec-Fetch-Dest: iframe",
            ],
            cross_site,
        ),
        (
            "GET",
            &[
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Mode: no-cors",
                "Sec-Fetch-Dest: image",
            ],
            cross_site,
        ),
        (
            "POST",
            &[
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Mode: navigate",
                "Sec-Fetch-Dest: document",
            ],
            cross_site,
        ),
    ] {
        let mut all = vec![LOCAL];
        all.extend(lines);
        let verdict = ask(&mut Guard::local(8080), method, "/", &all);
        assert_eq!(refused(verdict), expected, "{method} {lines:?}");
    }
}

#[test]
fn origins_where_no_hosts_are_checked() {
    for (host, origin, is_own) in [
        ("game.example", "https://game.example", true),
        ("game.example", "http://game.example", true),
        ("game.example:80", "http://game.example", true),
        ("game.example:8080", "http://game.example:8080", true),
        ("game.example", "http://game.example:8080", false),
        ("game.example:8080", "http://game.example", false),
        ("game.example", "http://evil.example", false),
    ] {
        let mut guard = Guard::open().check_origin(true);
        let lines = [format!("Host: {host}"), format!("Origin: {origin}")];
        let verdict = ask(&mut guard, "POST", "/", &[&lines[0], &lines[1]]);
        assert_eq!(refused(verdict).is_none(), is_own, "{host} {origin}");
    }
}

#[test]
fn cors_accepts_preflights_of_listed_origins_only() {
    let cors = || Cors::new(["https://game.example", "http://localhost:5173"]).unwrap();
    let preflight = |cors: Cors, origin: &str, more: &[&str]| {
        let origin = format!("Origin: {origin}");
        let mut lines = vec![LOCAL, &origin, "Access-Control-Request-Method: POST"];
        lines.extend(more);
        ask(&mut Guard::local(8080).cors(cors), "OPTIONS", "/", &lines)
    };
    let Decision::Preflight(headers) = preflight(cors(), "http://localhost:5173", &[]) else {
        panic!("no preflight");
    };
    assert_eq!(
        headers["access-control-allow-origin"],
        "http://localhost:5173"
    );
    assert_eq!(headers["access-control-allow-methods"], "GET, HEAD, POST");
    assert_eq!(
        headers["access-control-allow-headers"],
        "authorization, content-type, x-run-token"
    );
    assert_eq!(headers["access-control-max-age"], "600");
    assert_eq!(
        headers.get_all("vary").iter().collect::<Vec<_>>(),
        [
            "origin",
            "access-control-request-method, access-control-request-headers"
        ]
    );
    assert!(!headers.contains_key("access-control-allow-credentials"));

    let private = ["Access-Control-Request-Private-Network: true"];
    let is_private = |verdict: Decision| match verdict {
        Decision::Preflight(headers) => {
            headers.contains_key("access-control-allow-private-network")
        }
        other => panic!("{other:?}"),
    };
    let origin = "https://game.example:443";
    assert!(!is_private(preflight(cors(), origin, &private)));
    assert!(!is_private(preflight(
        cors().private_network(true),
        origin,
        &[]
    )));
    assert!(is_private(preflight(
        cors().private_network(true),
        origin,
        &private
    )));

    for origin in ["https://evil.example", "http://game.example", "null"] {
        let verdict = preflight(cors(), origin, &[]);
        assert_eq!(
            refused(verdict),
            Some((403, RefusalReason::ForeignOrigin)),
            "{origin}"
        );
    }
}

#[test]
fn cors_settings() {
    let cors = Cors::new(["https://game.example"])
        .unwrap()
        .methods(&[Method::PUT, Method::DELETE])
        .request_fields(&[http::header::RANGE])
        .exposed_fields(&[http::header::ETAG])
        .max_age(Duration::from_secs(5))
        .credentials(true);
    let mut guard = Guard::local(8080).cors(cors);
    let mut lines = vec![LOCAL, "Origin: https://game.example"];
    let Decision::Allow(headers) = ask(&mut guard, "PUT", "/", &lines) else {
        panic!("refused");
    };
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://game.example"
    );
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["access-control-expose-headers"], "etag");
    assert_eq!(headers["vary"], "origin");

    lines.push("Access-Control-Request-Method: PUT");
    let Decision::Preflight(headers) = ask(&mut guard, "OPTIONS", "/", &lines) else {
        panic!("no preflight");
    };
    assert_eq!(headers["access-control-allow-methods"], "PUT, DELETE");
    assert_eq!(headers["access-control-allow-headers"], "range");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["access-control-max-age"], "5");
}

#[test]
fn cors_without_an_origin_check_accepts_all_but_lets_only_listed_origins_read() {
    let cors = Cors::new(["https://game.example"]).unwrap();
    let mut guard = Guard::open().cors(cors);
    for (lines, allowed) in [
        (&["Host: a"][..], false),
        (&["Host: a", "Origin: https://evil.example"], false),
        (&["Host: a", "Origin: https://game.example"], true),
    ] {
        let Decision::Allow(headers) = ask(&mut guard, "GET", "/", lines) else {
            panic!("refused");
        };
        assert_eq!(headers["vary"], "origin");
        assert_eq!(
            headers.contains_key("access-control-allow-origin"),
            allowed,
            "{lines:?}"
        );
    }
}

#[test]
fn cors_fields_are_on_refusals_that_a_page_should_read() {
    let token = RunToken::from_random([7; 32]);
    let mut guard = Guard::local(8080)
        .cors(Cors::new(["https://game.example"]).unwrap())
        .require_token(token, TokenScope::default());
    let lines = [LOCAL, "Origin: https://game.example"];
    let Decision::Refuse(refusal) = ask(&mut guard, "POST", "/", &lines) else {
        panic!("let in");
    };
    assert_eq!(refusal.status, 401);
    assert_eq!(
        refusal.headers["access-control-allow-origin"],
        "https://game.example"
    );
}

#[test]
fn token_of_the_run() {
    let token = RunToken::from_random([7; 32]);
    assert_eq!(token.as_str().len(), 43);
    assert!(!format!("{token:?}").contains(token.as_str()));
    let as_bearer = format!("Authorization: bearer {}", token.as_str());
    let as_basic = format!("Authorization: Basic {}", token.as_str());
    let as_field = format!("X-Run-Token: {}", token.as_str());
    let in_query = format!("/?a=b&token={}", token.as_str());
    let nearly = format!("X-Run-Token: {}x", token.as_str());
    for (method, target, line, is_let_in) in [
        ("GET", "/", "X: y", true),
        ("HEAD", "/", "X: y", true),
        ("POST", "/", "X: y", false),
        ("DELETE", "/", "X: y", false),
        ("POST", "/", as_bearer.as_str(), true),
        ("POST", "/", &as_field, true),
        ("POST", "/", &as_basic, false),
        ("POST", "/", &nearly, false),
        ("POST", "/", "X-Run-Token: ", false),
        ("POST", "/", "Authorization: Bearer", false),
        ("POST", &in_query, "X: y", true),
        ("POST", "/?token=", "X: y", false),
        ("POST", "/?token", "X: y", false),
    ] {
        let mut guard = Guard::local(8080).require_token(token.clone(), TokenScope::UnsafeMethods);
        let verdict = ask(&mut guard, method, target, &[LOCAL, line]);
        let expected = (!is_let_in).then_some((401, RefusalReason::Token));
        assert_eq!(refused(verdict), expected, "{method} {target} {line}");
    }

    let mut guard = Guard::local(8080).require_token(token, TokenScope::EveryRequest);
    assert!(refused(ask(&mut guard, "GET", "/", &[LOCAL])).is_some());
    assert!(refused(ask(&mut guard, "GET", &in_query, &[LOCAL])).is_none());
    assert!(
        refused(ask(&mut guard, "GET", &in_query, &[LOCAL])).is_some(),
        "once"
    );
    assert!(refused(ask(&mut guard, "GET", "/", &[LOCAL, &as_field])).is_none());
}

#[test]
fn a_foreign_host_does_not_use_up_the_query_token() {
    let token = RunToken::from_random([7; 32]);
    let target = format!("/?token={}", token.as_str());
    let mut guard = Guard::local(8080).require_token(token, TokenScope::EveryRequest);
    assert!(refused(ask(&mut guard, "GET", &target, &["Host: evil.example"])).is_some());
    assert!(refused(ask(&mut guard, "GET", &target, &[LOCAL])).is_none());
}

#[test]
fn basic_credentials() {
    // RFC 7617 §2: Aladdin:open sesame
    let good = "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    for (target, line, is_let_in) in [
        ("/", "X: y", true),
        ("/admin", "X: y", false),
        ("/admin/x", "X: y", false),
        ("/%61dmin", "X: y", false),
        ("/admin", good, true),
        (
            "/admin",
            "authorization: BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            true,
        ),
        ("/admin", "Authorization: Basic QWxhZGRpbjpvcGVu", false),
        ("/admin", "Authorization: Basic !!!", false),
        ("/admin", "Authorization: Basic", false),
        (
            "/admin",
            "Authorization: Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            false,
        ),
    ] {
        let auth = Auth::basic(
            "/admin",
            "the \"lamp\"",
            [("x", ""), ("Aladdin", "open sesame")],
        );
        let mut guard = Guard::open().auth(auth.unwrap());
        match ask(&mut guard, "GET", target, &[line]) {
            Decision::Refuse(refusal) => {
                assert!(!is_let_in, "{target} {line}");
                assert_eq!(refusal.status, 401);
                assert_eq!(
                    refusal.headers["www-authenticate"],
                    r#"Basic realm="the \"lamp\"", charset="UTF-8""#
                );
            }
            _ => assert!(is_let_in, "{target} {line}"),
        }
    }
}

#[test]
fn bearer_credentials() {
    // RFC 6750 §3.1: an error code only when a token was sent.
    for (line, challenge) in [
        ("Authorization: Bearer abc.DEF", None),
        ("X: y", Some(r#"Bearer realm="api""#)),
        (
            "Authorization: Bearer abc",
            Some(r#"Bearer realm="api", error="invalid_token""#),
        ),
    ] {
        let mut guard = Guard::open().auth(Auth::bearer("/", "api", ["abc.DEF"]).unwrap());
        let found = match ask(&mut guard, "GET", "/", &[line]) {
            Decision::Refuse(refusal) => Some(refusal.headers["www-authenticate"].clone()),
            _ => None,
        };
        assert_eq!(
            found.as_ref().map(|value| value.to_str().unwrap()),
            challenge,
            "{line}"
        );
    }
}

#[test]
fn invalid_credentials_cannot_be_required() {
    let error = |auth: Result<Auth, InvalidAuth>| auth.err();
    assert_eq!(
        error(Auth::basic("/", "a\r\nb", [])),
        Some(InvalidAuth::Realm)
    );
    assert_eq!(
        error(Auth::basic("/", "a", [("a:b", "c")])),
        Some(InvalidAuth::User)
    );
    assert_eq!(
        error(Auth::basic("/", "a", [("a", "c\n")])),
        Some(InvalidAuth::User)
    );
    assert_eq!(
        error(Auth::bearer("/", "a", [""])),
        Some(InvalidAuth::Token)
    );
    assert_eq!(
        error(Auth::bearer("/", "a", ["a b"])),
        Some(InvalidAuth::Token)
    );
    // A rule without users or tokens accepts no client.
    let mut guard = Guard::open().auth(Auth::basic("/", "a", []).unwrap());
    assert!(refused(ask(&mut guard, "GET", "/", &["Authorization: Basic Og=="])).is_some());
    let auth = Auth::basic("/", "a", [("me", "sesame")]).unwrap();
    assert!(!format!("{auth:?}").contains("sesame"));
}

#[test]
fn rates_are_judged_before_secrets() {
    let now = Instant::now();
    let mut guard = Guard::local(8080)
        .rate_limit(RateLimit::new([RateRule::new(
            "/login",
            2,
            Duration::from_secs(1),
        )]))
        .auth(Auth::basic("/login", "a", [("a", "b")]).unwrap());
    let statuses: Vec<_> = (0..4)
        .map(|_| {
            refused(ask_at(&mut guard, now, "GET", "/login", &[LOCAL]))
                .unwrap()
                .0
        })
        .collect();
    assert_eq!(statuses, [401, 401, 429, 429]);
    let guess = ask_at(
        &mut guard,
        now,
        "GET",
        "/login",
        &[LOCAL, "Authorization: Basic YTpi"],
    );
    assert_eq!(refused(guess), Some((429, RefusalReason::TooManyRequests)));
}

#[test]
fn debug_of_a_request_shows_no_secrets() {
    let fields = fields(&["Authorization: Bearer sesame"]);
    let request = GuardRequest {
        method: &Method::GET,
        target: "/?token=sesame",
        fields: &fields,
        forwarded_host: None,
        client: [127, 0, 0, 1].into(),
        is_secure: false,
    };
    assert!(!format!("{request:?}").contains("sesame"));
}

#[test]
fn a_guard_can_be_part_of_a_games_resource() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Guard>();
}
