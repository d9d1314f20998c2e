//! Digest (RFC 7616) on the wire. `auth` has the other schemes, and challenges that cannot be answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use httpoll::mock::{MockRequest, MockResponse};
use httpoll::{Request, auth::Credentials};

use crate::support::{run, setup};

fn credentials(user: &str) -> Credentials {
    Credentials::Digest {
        user: user.to_owned(),
        password: "p".to_owned(),
    }
}

fn challenge(value: &[u8]) -> MockResponse {
    MockResponse::with_status(401).header("WWW-Authenticate", value)
}

fn mufasa() -> Credentials {
    Credentials::Digest {
        user: "Mufasa".to_owned(),
        password: "Circle of Life".to_owned(),
    }
}

const DIGEST: &str =
    "Digest realm=\"lions\", qop=\"auth\", algorithm=SHA-256, nonce=\"n1\", opaque=\"o\"";

fn sent_field(request: &MockRequest) -> Vec<u8> {
    let field = request.headers.get_all("authorization").next();
    field.unwrap_or_default().to_vec()
}

fn contains(field: &[u8], part: &[u8]) -> bool {
    field.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_realm_in_latin_1_is_sent_back_and_hashed_as_it_is() {
    // RFC 2069 §2.1.2, without a nonce of the client. The hashes were computed with Python's hashlib.
    for (realm, user, user_field, response) in [
        (
            &b"h\xf6hle"[..],
            "ann",
            &b"username=\"ann\""[..],
            "f789398c1615d350e674f85bb8e3701b",
        ),
        (
            "höhle".as_bytes(),
            "Jäsøn",
            "username=\"Jäsøn\"".as_bytes(),
            "167b3703a0d8a49775af5bc7f1d0e826",
        ),
    ] {
        let (network, server, mut agent) = setup();
        let value = [b"Digest realm=\"", realm, b"\", nonce=\"n\xe9\""].concat();
        server
            .get("/")
            .reply(challenge(&value))
            .then_reply(MockResponse::ok());
        let request = Request::get("http://game.example/").credentials(credentials(user));
        run(&network, &mut agent, request).response();
        let field = sent_field(&server.requests()[1]);
        let shown = String::from_utf8_lossy(&field);
        let realm = [b"realm=\"", realm, b"\""].concat();
        let response = format!("response=\"{response}\"");
        for part in [
            realm.as_slice(),
            user_field,
            b"nonce=\"n\xe9\"",
            response.as_bytes(),
        ] {
            assert!(
                contains(&field, part),
                "{:?} in {shown}",
                part.escape_ascii()
            );
        }
    }
}

#[test]
fn the_nonce_of_authentication_info_is_for_the_next_request() {
    // RFC 7616 §3.5. A server that uses each nonce once costs no second round trip for each request.
    for in_trailers in [false, true] {
        let (network, server, mut agent) = setup();
        let count = AtomicUsize::new(0);
        server.any("/**").reply_with(move |request: &MockRequest| {
            let field = sent_field(request);
            let number = count.fetch_add(1, Ordering::Relaxed);
            let nonce = format!("nonce=\"n{number}\"");
            let next = format!("nonce=\"n{}\"", number + 1);
            if !contains(&field, nonce.as_bytes()) || !contains(&field, b"nc=00000001") {
                return challenge(format!("Digest realm=\"r\", qop=\"auth\", {next}").as_bytes());
            }
            if in_trailers {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let trailers = format!("Authentication-Info: next{next}\r\n");
                return MockResponse::raw(format!("{head}2\r\nhi\r\n0\r\n{trailers}\r\n"));
            }
            MockResponse::ok().header("Authentication-Info", format!("next{next}"))
        });
        for _ in 0..4 {
            let request = Request::get("http://game.example/").credentials(credentials("ann"));
            let outcome = run(&network, &mut agent, request);
            assert_eq!(outcome.response().status().as_u16(), 200, "{in_trailers}");
        }
        let sent = server.requests().len();
        assert_eq!(sent, 5, "one challenge, at the beginning: {in_trailers}");
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    Some(rest.split([',', ' ']).next()?.trim_matches('"'))
}

#[test]
fn digest_answers_and_counts() {
    // RFC 7616 §3.4: the nonce count goes up with each request, without another challenge.
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .times(1)
        .reply(challenge(DIGEST.as_bytes()));
    server.any("/**").reply(MockResponse::ok());
    for path in ["/a", "/b?c=d"] {
        let request = Request::get(format!("http://game.example{path}")).credentials(mufasa());
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
            .reply(challenge(DIGEST.as_bytes()))
            .then_reply(challenge(again.as_bytes()))
            .then_reply(MockResponse::ok());
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").credentials(mufasa()),
        );
        assert_eq!(outcome.response().status().as_u16(), status, "{section}");
        assert_eq!(server.requests().len(), requests, "{section}");
    }
    // A server cannot make it continue for ever.
    let (network, server, mut agent) = setup();
    server.get("/").reply_with(|request: &MockRequest| {
        let nonce = request.number;
        challenge(
            format!("Digest realm=\"x\", qop=\"auth\", nonce=\"{nonce}\", stale=true").as_bytes(),
        )
    });
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(mufasa()),
    )
    .response();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn any_takes_the_strongest() {
    let (network, server, mut agent) = setup();
    let both = MockResponse::with_status(401)
        .header("WWW-Authenticate", "Basic realm=\"x\"")
        .header("WWW-Authenticate", DIGEST);
    let any = Credentials::Any {
        user: "Aladdin".to_owned(),
        password: "open sesame".to_owned(),
    };
    server.get("/").reply(both).then_reply(MockResponse::ok());
    run(
        &network,
        &mut agent,
        Request::get("http://game.example/").credentials(any),
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
fn one_users_digest_is_not_anothers() {
    // RFC 7616 §3.4: a session belongs to its user.
    let (network, server, mut agent) = setup();
    server.any("/**").reply_with(
        |request: &MockRequest| match request.header("authorization") {
            None => challenge(DIGEST.as_bytes()),
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
