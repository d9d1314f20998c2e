//! What a redirect takes along to the next hop: fields, credentials, cookies (RFC 9110 §15.4).

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Request, auth::Credentials, redirect::RedirectPolicy};

use crate::support::{redirecting, run, setup};

#[test]
fn fields_that_do_not_cross_origins() {
    // RFC 9110 §15.4, the list; RFC 6454 §4 says what an origin is.
    for (location, crosses) in [
        ("http://game.example/b", false),
        ("http://GAME.example:80/b", false),
        ("http://other.example/b", true),
        ("http://game.example:8080/b", true),
        ("http://sub.game.example/b", true),
        ("http://other.example/game.example/../b", true),
    ] {
        let network = MemoryNetwork::new();
        let server = MockServer::on(&network, "game.example", 80);
        let others = [
            MockServer::on(&network, "game.example", 8080),
            MockServer::on(&network, "other.example", 80),
            MockServer::on(&network, "sub.game.example", 80),
        ];
        redirecting(&server, 307, location);
        for other in &others {
            other.any("/**").reply(MockResponse::ok());
        }
        let mut agent = Agent::on_memory(&network);
        let request = Request::post("http://u:p@game.example/a")
            .body("x")
            .cookie("c", "1")
            .header("Cookie", "d=2")
            .header("Proxy-Authorization", "Basic x")
            .header("Origin", "http://game.example")
            .header("X-Plain", "1")
            .secret_header("X-Api-Key", "k");
        run(&network, &mut agent, request).response();
        let mut last = server.requests().pop().unwrap();
        for other in &others {
            last = other.requests().pop().unwrap_or(last);
        }
        assert_eq!(last.path(), "/b", "{location}");
        for name in [
            "authorization",
            "cookie",
            "x-api-key",
            "proxy-authorization",
            "origin",
        ] {
            assert_eq!(last.header(name).is_none(), crosses, "{location} {name}");
        }
        assert_eq!(last.header("x-plain"), Some("1"));
        assert_eq!(last.text(), "x");
    }
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_origin() {
    for (request, trusted) in [
        (
            Request::get("http://game.example/a").header("Authorization", "Bearer t"),
            false,
        ),
        (
            Request::get("http://game.example/a").credentials(Credentials::Bearer("t".to_owned())),
            false,
        ),
        (
            Request::get("http://game.example/a").header("Authorization", "Bearer t"),
            true,
        ),
        (
            Request::get("http://game.example/a").credentials(Credentials::Bearer("t".to_owned())),
            true,
        ),
    ] {
        let (network, server, mut agent) = setup();
        let other = MockServer::on(&network, "other.example", 80);
        // There and back again: fields that were removed are not restored.
        redirecting(&server, 302, "http://other.example/b");
        other
            .any("/**")
            .reply(MockResponse::with_status(302).header("Location", "http://game.example/c"));
        let mut policy = RedirectPolicy::default();
        policy.keep_credentials_across_origins = trusted;
        run(&network, &mut agent, request.redirects(policy)).response();
        assert_eq!(
            server.requests()[0].header("authorization"),
            Some("Bearer t")
        );
        assert_eq!(
            other.requests()[0].header("authorization").is_some(),
            trusted
        );
        assert_eq!(
            server.requests()[1].header("authorization").is_some(),
            trusted
        );
    }
}

#[test]
fn a_host_line_does_not_follow_to_another_origin() {
    let (network, server, mut agent) = setup();
    let other = MockServer::on(&network, "other.example", 80);
    redirecting(&server, 302, "http://other.example/b");
    other.any("/**").reply(MockResponse::ok());
    let request = Request::get("http://game.example/a").header("Host", "virtual.example");
    run(&network, &mut agent, request).response();
    assert_eq!(server.requests()[0].header("host"), Some("virtual.example"));
    assert_eq!(other.requests()[0].header("host"), Some("other.example"));
}

#[test]
fn credentials_in_location_are_those_of_the_hop() {
    // "next:pw", "u:p" and "own" in Base64 (RFC 7617).
    let (next, first) = ("Basic bmV4dDpwdw==", "Basic dTpw");
    for (request, location, expected) in [
        // Another origin: the caller's own stay at home, those of the URL are used.
        (
            Request::get("http://game.example/a"),
            "http://next:pw@other.example/b",
            Some(next),
        ),
        (
            Request::get("http://u:p@game.example/a"),
            "http://next:pw@other.example/b",
            Some(next),
        ),
        (
            Request::get("http://u:p@game.example/a"),
            "http://other.example/b",
            None,
        ),
        // The same origin: they replace the caller's, in whichever form these were given.
        (
            Request::get("http://u:p@game.example/a"),
            "http://next:pw@game.example/b",
            Some(next),
        ),
        (Request::get("http://u:p@game.example/a"), "/b", Some(first)),
        (
            Request::get("http://game.example/a").header("Authorization", "Bearer t"),
            "http://next:pw@game.example/b",
            Some(next),
        ),
        (
            Request::get("http://game.example/a").credentials(Credentials::Bearer("t".to_owned())),
            "http://next:pw@game.example/b",
            Some(next),
        ),
    ] {
        let (network, server, mut agent) = setup();
        let other = MockServer::on(&network, "other.example", 80);
        other.any("/b").reply(MockResponse::ok());
        server.any("/b").reply(MockResponse::ok());
        redirecting(&server, 302, location);
        let outcome = run(&network, &mut agent, request);
        let response = outcome.response();
        let hop = other
            .requests()
            .pop()
            .unwrap_or_else(|| server.requests().pop().unwrap());
        assert_eq!(hop.path(), "/b");
        assert_eq!(hop.header("authorization"), expected, "{location}");
        // They are in no URL that the caller sees, and in no Referer.
        assert!(!format!("{:?} {response:?}", outcome.events).contains("pw"));
        assert_eq!(response.url().unwrap().username(), "");
        assert!(!hop.header("referer").unwrap_or_default().contains('@'));
    }
}

#[test]
fn credentials_in_location_stay_at_their_origin() {
    let (network, server, mut agent) = setup();
    let other = MockServer::on(&network, "other.example", 80);
    redirecting(&server, 302, "http://next:pw@other.example/b");
    other
        .any("/b")
        .reply(MockResponse::with_status(302).header("Location", "/c"));
    other
        .any("/c")
        .reply(MockResponse::with_status(302).header("Location", "http://game.example/d"));
    server.any("/d").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/a")).response();
    let sent =
        |request: &httpoll::mock::MockRequest| request.header("authorization").map(str::to_owned);
    let expected = Some("Basic bmV4dDpwdw==".to_owned());
    assert_eq!(
        other.requests().iter().map(sent).collect::<Vec<_>>(),
        [expected.clone(), expected]
    );
    assert_eq!(sent(&server.requests().pop().unwrap()), None);
}
