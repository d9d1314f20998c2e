//! Cross-origin requests (Fetch §3.2).

use super::*;

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
