//! Credentials on the wire. Each rule names its section.

use std::sync::Arc;

use httpoll::agent::RequestOptions;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Phase, Request, auth::Credentials, error::AuthFault, netrc::Netrc,
    node::RequestBody,
};

use crate::support::{Folder, run, setup, setup_with};

fn basic() -> Credentials {
    Credentials::Basic {
        user: "Aladdin".to_owned(),
        password: "open sesame".to_owned(),
    }
}

fn any() -> Credentials {
    Credentials::Any {
        user: "Aladdin".to_owned(),
        password: "open sesame".to_owned(),
    }
}

const BASIC: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

fn digest() -> Credentials {
    Credentials::Digest {
        user: "Mufasa".to_owned(),
        password: "Circle of Life".to_owned(),
    }
}

fn challenge(value: &str) -> MockResponse {
    MockResponse::with_status(401)
        .header("WWW-Authenticate", value)
        .text("who?")
}

const DIGEST: &str =
    "Digest realm=\"lions\", qop=\"auth\", algorithm=SHA-256, nonce=\"n1\", opaque=\"o\"";

#[test]
fn a_token_or_a_name_and_a_password_as_credentials() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let get = || Request::get("http://game.example/");
    for (request, expected) in [
        (get().bearer("abc.def="), "Bearer abc.def="),
        (get().basic("Aladdin", "open sesame"), BASIC),
    ] {
        run(&network, &mut agent, request).response();
        let sent = server.requests();
        assert_eq!(sent.last().unwrap().header("authorization"), Some(expected));
    }
}

#[test]
fn credentials_before_and_after_a_challenge() {
    for (section, credentials, challenge_value, first, second) in [
        (
            "RFC 7617 §2",
            basic(),
            "Basic realm=\"x\"",
            Some(BASIC),
            None,
        ),
        (
            "RFC 6750 §2.1",
            Credentials::Bearer("abc.def=".to_owned()),
            "Bearer",
            Some("Bearer abc.def="),
            None,
        ),
        (
            "RFC 9110 §11.6.1",
            any(),
            "Basic realm=\"x\"",
            None,
            Some(BASIC),
        ),
        (
            "RFC 9110 §11.6.1",
            any(),
            "Negotiate, Basic realm=\"x, y\"",
            None,
            Some(BASIC),
        ),
    ] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(challenge(challenge_value))
            .then_reply(MockResponse::ok());
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").credentials(credentials),
        );
        let expected = if second.is_some() { 200 } else { 401 };
        assert_eq!(outcome.response().status().as_u16(), expected, "{section}");
        let sent = server.requests();
        assert_eq!(sent[0].header("authorization"), first, "{section}");
        assert_eq!(
            sent.get(1).and_then(|it| it.header("authorization")),
            second,
            "{section}"
        );
        if expected == 401 {
            assert_eq!(outcome.response().text(), "who?", "the 401 is the response");
        }
    }
}

fn unsupported(schemes: &str) -> Option<AuthFault> {
    Some(AuthFault::Unsupported(schemes.to_owned()))
}

#[test]
fn a_challenge_that_cannot_be_answered_is_an_error_with_the_response() {
    let other = || Credentials::Bearer("t".to_owned());
    for (section, credentials, challenge_value, fault) in [
        (
            "RFC 9110 §11.6.1: no scheme that is known",
            any(),
            Some("Negotiate, NTLM"),
            unsupported("Negotiate, NTLM"),
        ),
        (
            "RFC 9110 §11.6.1: malformed",
            any(),
            Some("\"x\""),
            Some(AuthFault::InvalidChallenge),
        ),
        (
            "RFC 9110 §15.5.2: without a challenge",
            digest(),
            None,
            Some(AuthFault::InvalidChallenge),
        ),
        (
            "RFC 7616 §3.7: never answered by Basic",
            digest(),
            Some("Basic realm=\"x\""),
            unsupported("Basic"),
        ),
        (
            "RFC 9110 §11.4: another scheme than that of the credentials",
            basic(),
            Some(DIGEST),
            unsupported("Digest"),
        ),
        (
            "RFC 9110 §11.4: another scheme than that of the token",
            other(),
            Some("Basic realm=\"x\""),
            unsupported("Basic"),
        ),
        #[cfg(feature = "digest-auth")]
        (
            "RFC 7616 §3.3: algorithm",
            digest(),
            Some("Digest realm=\"x\", nonce=\"n\", algorithm=SHA-1"),
            Some(AuthFault::UnsupportedDigest("algorithm=SHA-1".to_owned())),
        ),
        #[cfg(feature = "digest-auth")]
        (
            "RFC 7616 §3.3: qop",
            any(),
            Some("Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\""),
            Some(AuthFault::UnsupportedDigest("qop=auth-int".to_owned())),
        ),
        #[cfg(feature = "digest-auth")]
        (
            "RFC 7616 §3.3: no nonce",
            digest(),
            Some("Digest realm=\"x\""),
            Some(AuthFault::InvalidDigest("nonce")),
        ),
        #[cfg(feature = "digest-auth")]
        (
            "RFC 7616 §3.3: no realm",
            digest(),
            Some("Digest nonce=\"n\""),
            Some(AuthFault::InvalidDigest("realm")),
        ),
        #[cfg(not(feature = "digest-auth"))]
        (
            "Digest is not built in",
            digest(),
            Some(DIGEST),
            Some(AuthFault::DigestNotBuilt),
        ),
        // Credentials that were sent and refused: the response says it.
        ("RFC 7617 §2", basic(), Some("Basic realm=\"x\""), None),
        (
            "RFC 6750 §3",
            other(),
            Some("Bearer error=\"invalid_token\""),
            None,
        ),
        ("without a challenge", other(), None, None),
    ] {
        for output in ["collected", "streamed", "to a file"] {
            let (network, server, mut agent) = setup();
            let mut refusal = MockResponse::with_status(401).text("who?");
            if let Some(value) = challenge_value {
                refusal = refusal.header("WWW-Authenticate", value);
            }
            server
                .get("/a")
                .reply(refusal)
                .then_reply(MockResponse::ok());
            let folder = Folder::new("auth");
            let target = folder.path("a");
            let request =
                Request::get("http://game.example/a?token=1").credentials(credentials.clone());
            let request = match output {
                "collected" => request,
                "streamed" => request.stream(),
                _ => request.download_to(&target),
            };
            let outcome = run(&network, &mut agent, request);
            assert_eq!(server.requests().len(), 1, "{section}");
            assert!(!target.exists(), "{section}");
            let Some(fault) = &fault else {
                if output == "collected" {
                    assert_eq!(outcome.response().status().as_u16(), 401, "{section}");
                    assert_eq!(outcome.response().text(), "who?", "{section}");
                }
                continue;
            };
            let (error, response) = outcome.result.as_ref().unwrap_err();
            let wanted = ErrorKind::Auth(fault.clone());
            assert_eq!(*error.kind(), wanted, "{section}, {output}");
            assert!(!error.is_retryable(), "{section}");
            assert_eq!(error.phase(), Some(Phase::ReceiveBody), "{section}");
            let response = response.as_ref().unwrap();
            assert_eq!(response.status().as_u16(), 401, "{section}, {output}");
            assert_eq!(response.text(), "who?", "{section}, {output}");
            assert_eq!(response.header("www-authenticate"), challenge_value);
            // The connection is kept for the next request.
            run(&network, &mut agent, Request::get("http://game.example/a")).response();
            assert_eq!(server.connections().opened, 1, "{section}");
        }
    }
}

#[test]
fn a_challenge_to_a_request_without_credentials_is_the_response() {
    let own = |request: Request| {
        request
            .credentials(digest())
            .header("Authorization", "Custom x")
    };
    for request in [
        Request::get("http://game.example/"),
        own(Request::get("http://game.example/")),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/").reply(challenge("Custom realm=\"x\""));
        let outcome = run(&network, &mut agent, request);
        assert_eq!(outcome.response().status().as_u16(), 401);
        assert_eq!(outcome.response().text(), "who?");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn credentials_in_a_url() {
    for (url, expected) in [
        ("http://Aladdin:open%20sesame@game.example/", Some(BASIC)),
        ("http://user@game.example/", Some("Basic dXNlcjo=")),
        ("http://:pw@game.example/", Some("Basic OnB3")),
        ("http://game.example/", None),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/").reply(MockResponse::ok());
        let outcome = run(&network, &mut agent, Request::get(url));
        let sent = &server.requests()[0];
        assert_eq!(sent.header("authorization"), expected, "RFC 7617 §2");
        assert!(
            !sent.target.contains('@') && !sent.header("host").unwrap().contains('@'),
            "RFC 9110 §4.2.4"
        );
        assert!(!outcome.response().url().unwrap().as_str().contains('@'));
    }
    // Own credentials go before those of the URL; a line of one's own before both.
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::ok());
    let request = Request::get("http://u:p@game.example/").credentials(basic());
    run(&network, &mut agent, request).response();
    assert_eq!(server.requests()[0].header("authorization"), Some(BASIC));
    let request = Request::get("http://u:p@game.example/").header("Authorization", "Custom x");
    run(&network, &mut agent, request).response();
    assert_eq!(
        server.requests()[1]
            .headers
            .get_all("authorization")
            .collect::<Vec<_>>(),
        [b"Custom x"]
    );
    // RFC 7617 §2: control characters and a colon in the name.
    for url in [
        "http://a%0d%0aEvil:x@game.example/",
        "http://a%3ab:x@game.example/",
        "http://%ff:x@game.example/",
    ] {
        let error = match agent.get(url).send() {
            Err(error) => error,
            Ok(handle) => {
                crate::support::finish(&network, &mut agent, &handle)
                    .result
                    .unwrap_err()
                    .0
            }
        };
        assert_eq!(
            *error.kind(),
            ErrorKind::Auth(AuthFault::InvalidUser),
            "{url}"
        );
        assert!(!format!("{error} {error:?}").contains("Evil"));
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_challenge_to_a_reader_is_the_response() {
    // RFC 9110 §9.2.2: its content is gone.
    let (network, server, mut agent) = setup();
    server
        .put("/")
        .reply(challenge("Basic realm=\"x\""))
        .then_reply(MockResponse::ok());
    for status in [401, 200] {
        let request = Request::put("http://game.example/")
            .body(RequestBody::reader(&b"abc"[..], Some(3)))
            .credentials(any());
        let outcome = run(&network, &mut agent, request);
        assert_eq!(outcome.response().status().as_u16(), status);
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header("authorization"), None);
    assert_eq!(
        sent[1].header("authorization"),
        Some(BASIC),
        "it is known now"
    );
}

#[test]
fn a_challenge_of_another_origin_is_not_answered() {
    // RFC 9110 §11.5, §15.4.
    let (network, server, mut agent) = setup();
    let other = MockServer::on(&network, "evil.example", 80);
    server
        .get("/")
        .reply(MockResponse::with_status(302).header("Location", "http://evil.example/"));
    for value in ["Basic realm=\"give\"", DIGEST] {
        other.get("/").times(1).reply(challenge(value));
        for credentials in [basic(), any(), digest()] {
            let outcome = run(
                &network,
                &mut agent,
                Request::get("http://game.example/").credentials(credentials),
            );
            let _ = outcome.response();
        }
    }
    assert!(
        other
            .requests()
            .iter()
            .all(|it| it.header("authorization").is_none())
    );
}

#[test]
fn an_agents_credentials_are_for_its_requests_and_can_be_taken_back() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().defaults(RequestOptions::new().credentials(basic())));
    server.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    let bearer = Credentials::Bearer("t".to_owned());
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(bearer),
    )
    .response();
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").without_header("Authorization"),
    )
    .response();
    let sent: Vec<_> = server.requests();
    assert_eq!(sent[0].header("authorization"), Some(BASIC));
    assert_eq!(sent[1].header("authorization"), Some("Bearer t"));
    assert_eq!(sent[2].header("authorization"), None);
}

#[test]
fn tokens_that_inject_are_refused() {
    let (network, server, mut agent) = setup();
    for token in ["a\r\nEvil: 1", "a b", "", "t\u{e4}"] {
        let credentials = Credentials::Bearer(token.to_owned());
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").credentials(credentials),
        );
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Auth(AuthFault::InvalidToken),
            "RFC 6750 §2.1"
        );
    }
    assert!(server.requests().is_empty());
}

#[test]
fn netrc_gives_credentials() {
    let netrc =
        Netrc::parse("machine game.example login Aladdin password \"open sesame\"").unwrap();
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let credentials = netrc.find("game.example", None).unwrap();
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(credentials),
    )
    .response();
    assert_eq!(server.requests()[0].header("authorization"), Some(BASIC));
    assert!(netrc.find("evil.example", None).is_none());
}

#[test]
fn credentials_of_a_netrc_text_are_those_of_each_hop() {
    let (network, server, mut agent) = setup();
    let other = MockServer::on(&network, "other.example", 80);
    server
        .any("/**")
        .reply(MockResponse::with_status(302).header("Location", "http://other.example/"));
    other.any("/**").reply(MockResponse::ok());
    let netrc = Netrc::parse(
        "machine game.example login a password b\nmachine other.example login c password d",
    );
    let netrc = Arc::new(netrc.unwrap());
    // The request's credentials stay at their origin; those of the netrc file for the other host go there.
    for (own, expected) in [(None, "Basic YTpi"), (Some("x"), "Basic eDp5")] {
        let mut request = Request::get("http://game.example/").netrc(Arc::clone(&netrc));
        if let Some(user) = own {
            request = request.credentials(Credentials::Basic {
                user: user.to_owned(),
                password: "y".to_owned(),
            });
        }
        run(&network, &mut agent, request).response();
        let (first, second) = (
            server.requests().pop().unwrap(),
            other.requests().pop().unwrap(),
        );
        assert_eq!(first.header("authorization"), Some(expected));
        assert_eq!(second.header("authorization"), Some("Basic Yzpk"));
    }
}

#[test]
fn a_trace_shows_no_secrets() {
    // RFC 9110 §9.3.8: the server sends back what it received, so that any reader of the response sees it.
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .reply(challenge("Basic realm=\"x\""))
        .then_reply(MockResponse::ok());
    let trace = Request::trace("http://user:pass@game.example/")
        .credentials(basic())
        .cookie("session", "secret");
    let outcome = run(&network, &mut agent, trace);
    assert_eq!(
        outcome.response().status(),
        401,
        "the challenge is the response"
    );
    let sent = &server.requests()[0];
    assert_eq!(sent.header("authorization"), None);
    assert_eq!(sent.header("cookie"), None);
    // What the caller adds itself is the caller's decision.
    let trace = Request::trace("http://game.example/").header("Authorization", "Own x");
    run(&network, &mut agent, trace).response();
    assert_eq!(server.requests()[1].header("authorization"), Some("Own x"));
}
