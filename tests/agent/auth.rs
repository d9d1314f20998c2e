//! Credentials on the wire. Each rule names its section.

use std::sync::Arc;

use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
#[cfg(feature = "digest-auth")]
use httpoll::mock::MockRequest;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Request, auth::Credentials, error::AuthFault, netrc::Netrc, node::RequestBody,
};

use crate::support::{run, setup, setup_with};

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
        (
            "RFC 9110 §11.6.1: none that is known",
            any(),
            "Negotiate",
            None,
            None,
        ),
        ("RFC 9110 §11.6.1: malformed", any(), "", None, None),
        (
            "RFC 7616 §3.7: never answered by Basic",
            digest(),
            "Basic realm=\"x\"",
            None,
            None,
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

#[cfg(feature = "digest-auth")]
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    Some(rest.split([',', ' ']).next()?.trim_matches('"'))
}

#[cfg(feature = "digest-auth")]
#[test]
fn digest_answers_and_counts() {
    // RFC 7616 §3.4: the nonce count goes up with each request, without another challenge.
    let (network, server, mut agent) = setup();
    server.any("/**").times(1).reply(challenge(DIGEST));
    server.any("/**").reply(MockResponse::ok());
    for path in ["/a", "/b?c=d"] {
        let request = Request::get(format!("http://game.example{path}")).credentials(digest());
        run(&network, &mut agent, request).response();
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0].header("authorization"), None);
    let lines: Vec<_> = sent[1..]
        .iter()
        .map(|it| it.header("authorization").unwrap())
        .collect();
    for (line, uri, count) in [
        (lines[0], "/a", "00000001"),
        (lines[1], "/b?c=d", "00000002"),
    ] {
        assert!(line.starts_with("Digest "), "{line}");
        assert_eq!(field(line, "uri"), Some(uri));
        assert_eq!(field(line, "nc"), Some(count));
        assert_eq!(field(line, "nonce"), Some("n1"));
        assert_eq!(field(line, "opaque"), Some("o"));
        assert_eq!(field(line, "algorithm"), Some("SHA-256"));
        assert!(!line.contains("Circle"));
    }
    assert_eq!(server.connections().opened, 1);
}

#[cfg(feature = "digest-auth")]
#[test]
fn digest_is_answered_once_and_once_more_when_stale() {
    for (section, again, requests, status) in [
        (
            "RFC 7616 §3.3 stale",
            DIGEST.replace("n1", "n2") + ", stale=true",
            3,
            200,
        ),
        (
            "RFC 7616 §3.3 wrong password",
            DIGEST.replace("n1", "n2"),
            2,
            401,
        ),
    ] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(challenge(DIGEST))
            .then_reply(challenge(&again))
            .then_reply(MockResponse::ok());
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").credentials(digest()),
        );
        assert_eq!(outcome.response().status().as_u16(), status, "{section}");
        assert_eq!(server.requests().len(), requests, "{section}");
    }
    // A server cannot make it continue for ever.
    let (network, server, mut agent) = setup();
    server.get("/").reply_with(|request: &MockRequest| {
        challenge(&format!(
            "Digest realm=\"x\", qop=\"auth\", nonce=\"{}\", stale=true",
            request.number
        ))
    });
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(digest()),
    )
    .response();
    assert_eq!(server.requests().len(), 3);
}

#[cfg(feature = "digest-auth")]
#[test]
fn any_takes_the_strongest() {
    let (network, server, mut agent) = setup();
    let both = MockResponse::with_status(401)
        .header("WWW-Authenticate", "Basic realm=\"x\"")
        .header("WWW-Authenticate", DIGEST);
    server.get("/").reply(both).then_reply(MockResponse::ok());
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(any()),
    )
    .response();
    assert!(
        server.requests()[1]
            .header("authorization")
            .unwrap()
            .starts_with("Digest "),
        "RFC 7616 §3.7"
    );
}

#[test]
fn a_challenge_to_a_reader_is_the_response() {
    // RFC 9110 §9.2.2: its content is gone.
    let (network, server, mut agent) = setup();
    server.put("/").reply(challenge(DIGEST));
    let request = Request::put("http://game.example/")
        .body(RequestBody::reader(&b"abc"[..], Some(3)))
        .credentials(digest());
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().status().as_u16(), 401);
    assert_eq!(server.requests().len(), 1);
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

#[cfg(feature = "digest-auth")]
#[test]
fn one_users_digest_is_not_anothers() {
    // RFC 7616 §3.4: a session belongs to its user.
    let (network, server, mut agent) = setup();
    server.any("/**").reply_with(
        |request: &MockRequest| match request.header("authorization") {
            None => challenge(DIGEST),
            Some(_) => MockResponse::ok(),
        },
    );
    for user in ["a", "b"] {
        let credentials = Credentials::Digest {
            user: user.to_owned(),
            password: "p".to_owned(),
        };
        run(
            &network,
            &mut agent,
            Request::get("http://game.example/").credentials(credentials),
        )
        .response();
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 4, "each was challenged");
    assert_eq!(
        field(sent[3].header("authorization").unwrap(), "username"),
        Some("b")
    );
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
    let _ = MemoryNetwork::new();
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
