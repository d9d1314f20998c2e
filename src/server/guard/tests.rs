//! Requests, and what guards decide about them.

use std::time::Duration;

use super::*;

const LOCAL: &str = "Host: 127.0.0.1:8080";

mod cors;
mod credentials;

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
fn an_https_target_needs_a_secure_connection() {
    // RFC 9110 §7.4.
    for (target, is_secure, expected) in [
        (
            "https://game.example/",
            false,
            Some((421, RefusalReason::NotSecure)),
        ),
        (
            "HTTPS://game.example/",
            false,
            Some((421, RefusalReason::NotSecure)),
        ),
        ("https://game.example/", true, None),
        ("http://game.example/", true, None),
        ("/https://game.example/", false, None),
        ("/é", false, None),
    ] {
        let request = GuardRequest {
            method: &Method::GET,
            target,
            fields: &fields(&["Host: game.example"]),
            forwarded_host: None,
            client: [192, 0, 2, 1].into(),
            is_secure,
        };
        let verdict = Guard::open().check(&request, Instant::now());
        assert_eq!(refused(verdict), expected, "{target} {is_secure}");
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
    for host in ["Host: game.example", "Host: localhost:81"] {
        assert_eq!(
            refused(ask(&mut guard, "GET", "/", &[host])),
            Some((421, RefusalReason::ForeignHost)),
            "{host}"
        );
    }
    let url = Guard::open().allow_host("http://game.example");
    assert_eq!(url.err(), Some(InvalidHost));
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
