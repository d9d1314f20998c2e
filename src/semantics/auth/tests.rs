use super::*;

const CNONCE: [u8; 16] = [7; 16];

fn any() -> Credentials {
    Credentials::Any {
        user: "Aladdin".to_owned(),
        password: "open sesame".to_owned(),
    }
}

fn basic_credentials(user: &str, password: &str) -> Credentials {
    Credentials::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

fn digest_credentials() -> Credentials {
    Credentials::Digest {
        user: "Mufasa".to_owned(),
        password: "Circle of Life".to_owned(),
    }
}

fn first(credentials: Credentials) -> Result<Option<String>, AuthFault> {
    let value =
        AuthSession::new(credentials).authorize(&mut AuthAttempt::default(), &Method::GET, "/")?;
    Ok(value.map(|value| {
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }))
}

fn challenge(
    session: &mut AuthSession,
    attempt: &mut AuthAttempt,
    fields: &[&str],
) -> Result<(), AuthFault> {
    session.challenged(attempt, fields.iter().map(|field| field.as_bytes()), CNONCE)
}

fn authorize(session: &mut AuthSession, attempt: &mut AuthAttempt) -> Option<String> {
    let value = session.authorize(attempt, &Method::GET, "/dir/index.html");
    value
        .unwrap()
        .map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn credentials_sent_with_the_first_request() {
    for (section, credentials, value) in [
        (
            "RFC 7617 §2",
            basic_credentials("Aladdin", "open sesame"),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        (
            "RFC 7617 §2.1",
            basic_credentials("test", "123£"),
            Some("Basic dGVzdDoxMjPCow=="),
        ),
        (
            "RFC 7617 §2",
            basic_credentials("u", "a:b"),
            Some("Basic dTphOmI="),
        ),
        ("RFC 7617 §2", basic_credentials("", ""), Some("Basic Og==")),
        (
            "RFC 6750 §2.1",
            Credentials::Bearer("mF_9.B5f-4.1JqM~+/==".to_owned()),
            Some("Bearer mF_9.B5f-4.1JqM~+/=="),
        ),
        ("RFC 7616 §3.3", digest_credentials(), None),
        ("curl --anyauth", any(), None),
    ] {
        assert_eq!(first(credentials).unwrap().as_deref(), value, "{section}");
    }
}

#[test]
fn credentials_that_cannot_be_sent_are_a_fault() {
    for (credentials, fault) in [
        (basic_credentials("a:b", ""), AuthFault::InvalidUser),
        (basic_credentials("a\n", ""), AuthFault::InvalidUser),
        (basic_credentials("a", "\0"), AuthFault::InvalidUser),
        (Credentials::Bearer(String::new()), AuthFault::InvalidToken),
        (
            Credentials::Bearer("==".to_owned()),
            AuthFault::InvalidToken,
        ),
        (
            Credentials::Bearer("a b".to_owned()),
            AuthFault::InvalidToken,
        ),
        (
            Credentials::Bearer("a\r\nb: c".to_owned()),
            AuthFault::InvalidToken,
        ),
        (
            Credentials::Bearer("a=b".to_owned()),
            AuthFault::InvalidToken,
        ),
    ] {
        assert_eq!(first(credentials), Err(fault.clone()));
        assert!(!fault.to_string().is_empty());
    }
}

#[test]
fn userinfo_is_decoded_once() {
    for (url, credentials) in [
        ("http://a.b/", Ok(None)),
        ("http://u@a.b/", Ok(Some(basic_credentials("u", "")))),
        ("http://:p@a.b/", Ok(Some(basic_credentials("", "p")))),
        (
            "http://us%65r:p%40s%253A@a.b/",
            Ok(Some(basic_credentials("user", "p@s%3A"))),
        ),
        (
            "http://%C3%BC:p@a.b/",
            Ok(Some(basic_credentials("ü", "p"))),
        ),
        ("http://%FC:p@a.b/", Err(AuthFault::InvalidUser)),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(Credentials::from_url(&url), credentials, "{url}");
    }
}

#[test]
fn debug_shows_no_secrets() {
    for credentials in [
        basic_credentials("secret", "secret"),
        Credentials::Bearer("secret".to_owned()),
        digest_credentials(),
        any(),
    ] {
        let shown = format!("{credentials:?}{:?}", AuthSession::new(credentials.clone()));
        for secret in ["secret", "Mufasa", "Circle", "Aladdin", "sesame"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_fixed_field_is_not_sent_twice() {
    let basic = basic_credentials("u", "p");
    let bearer = Credentials::Bearer("t".to_owned());
    let unsupported = |scheme: &str| AuthFault::Unsupported(scheme.to_owned());
    // The server refuses the credentials, or says that it wants others.
    for (credentials, fields, fault) in [
        (&basic, &["Basic realm=x"][..], AuthFault::Rejected),
        (
            &basic,
            &["Negotiate", "Basic realm=x"][..],
            AuthFault::Rejected,
        ),
        (&basic, &[][..], AuthFault::Rejected),
        (&basic, &["Bearer"][..], unsupported("Bearer")),
        (
            &basic,
            &["Digest realm=x, nonce=y"][..],
            unsupported("Digest"),
        ),
        (&bearer, &["Bearer"][..], AuthFault::Rejected),
        (&bearer, &["\"x\""][..], AuthFault::Rejected),
        (&bearer, &["Basic realm=x"][..], unsupported("Basic")),
    ] {
        let mut session = AuthSession::new(credentials.clone());
        let mut attempt = AuthAttempt::default();
        authorize(&mut session, &mut attempt).unwrap();
        let answer = challenge(&mut session, &mut attempt, fields);
        assert_eq!(answer, Err(fault), "{credentials:?} {fields:?}");
    }
}

#[test]
fn any_scheme_waits_for_a_challenge_and_sends_basic_once() {
    let mut session = AuthSession::new(any());
    let mut attempt = AuthAttempt::default();
    assert_eq!(authorize(&mut session, &mut attempt), None);
    let fields = ["Negotiate, NTLM", "Basic realm=\"x\""];
    challenge(&mut session, &mut attempt, &fields).unwrap();
    let value = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    assert_eq!(authorize(&mut session, &mut attempt).unwrap(), value);
    let again = challenge(&mut session, &mut attempt, &fields);
    assert_eq!(again, Err(AuthFault::Rejected));

    // The next request already knows the scheme.
    let mut next = AuthAttempt::default();
    assert_eq!(authorize(&mut session, &mut next).unwrap(), value);
    let again = challenge(&mut session, &mut next, &fields);
    assert_eq!(again, Err(AuthFault::Rejected));
}

#[test]
fn offered_schemes_that_do_not_fit_the_credentials_are_a_fault() {
    let unsupported = |schemes: &str| Err(AuthFault::Unsupported(schemes.to_owned()));
    for (credentials, fields, answer) in [
        (any(), &[][..], Err(AuthFault::InvalidChallenge)),
        (any(), &["", "\"x\""][..], Err(AuthFault::InvalidChallenge)),
        (
            any(),
            &["Negotiate, NTLM"][..],
            unsupported("Negotiate, NTLM"),
        ),
        (
            digest_credentials(),
            &["Basic realm=x"][..],
            unsupported("Basic"),
        ),
        // The caller left it out at first; now it is offered.
        (basic_credentials("u", "p"), &["basic realm=x"][..], Ok(())),
        (
            basic_credentials("u", "p"),
            &["Bearer"][..],
            unsupported("Bearer"),
        ),
        (Credentials::Bearer("t".to_owned()), &["Bearer"][..], Ok(())),
    ] {
        let mut session = AuthSession::new(credentials);
        let given = challenge(&mut session, &mut AuthAttempt::default(), fields);
        assert_eq!(given, answer, "{fields:?}");
    }
}

#[cfg(not(feature = "digest-auth"))]
#[test]
fn without_the_feature_a_digest_challenge_names_it() {
    let fields = ["Digest realm=\"x\", nonce=\"y\", qop=\"auth\""];
    for credentials in [digest_credentials(), any()] {
        let mut session = AuthSession::new(credentials);
        let answer = challenge(&mut session, &mut AuthAttempt::default(), &fields);
        assert_eq!(answer, Err(AuthFault::DigestNotBuilt));
    }
    let mut session = AuthSession::new(any());
    let fields = ["Digest realm=\"x\", nonce=\"y\"", "Basic realm=x"];
    let mut attempt = AuthAttempt::default();
    challenge(&mut session, &mut attempt, &fields).unwrap();
    assert!(
        authorize(&mut session, &mut attempt)
            .unwrap()
            .starts_with("Basic")
    );
}

#[cfg(feature = "digest-auth")]
mod digest;
