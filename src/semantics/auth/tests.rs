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
fn what_is_sent_with_the_first_request() {
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
fn what_cannot_be_sent_is_a_fault() {
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
fn nothing_secret_is_printed() {
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
    for credentials in [
        basic_credentials("u", "p"),
        Credentials::Bearer("t".to_owned()),
    ] {
        let mut session = AuthSession::new(credentials);
        let mut attempt = AuthAttempt::default();
        authorize(&mut session, &mut attempt).unwrap();
        for field in ["Basic realm=x", "Bearer", "Digest realm=x, nonce=y"] {
            let answer = challenge(&mut session, &mut attempt, &[field]);
            assert_eq!(answer, Err(AuthFault::Rejected), "{field}");
        }
    }
}

#[test]
fn any_waits_for_a_challenge_and_answers_basic_once() {
    let mut session = AuthSession::new(any());
    let mut attempt = AuthAttempt::default();
    assert_eq!(authorize(&mut session, &mut attempt), None);
    let fields = ["Negotiate, NTLM", "Basic realm=\"x\""];
    challenge(&mut session, &mut attempt, &fields).unwrap();
    let value = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    assert_eq!(authorize(&mut session, &mut attempt).unwrap(), value);
    let again = challenge(&mut session, &mut attempt, &fields);
    assert_eq!(again, Err(AuthFault::Rejected));

    // The next request knows.
    let mut next = AuthAttempt::default();
    assert_eq!(authorize(&mut session, &mut next).unwrap(), value);
    let again = challenge(&mut session, &mut next, &fields);
    assert_eq!(again, Err(AuthFault::Rejected));
}

#[test]
fn what_the_server_offers_and_the_credentials_do_not_fit() {
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
        // Left out by the caller at first: offered now.
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
fn without_the_feature_a_digest_challenge_says_so() {
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
mod digest {
    use super::*;

    /// The challenges of RFC 7616 §3.9.1.
    const SHA_256: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
        algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    const MD5: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
        algorithm=MD5, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    fn has(value: &str, parts: &[&str]) {
        for part in parts {
            assert!(value.contains(part), "{part} in {value}");
        }
    }

    #[test]
    fn the_answers_of_rfc_7616_3_9_1() {
        // The RFC's client nonce is no 16 bytes in hexadecimal: one floor below it can be given.
        for (field, response) in [
            (
                SHA_256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            (MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        ] {
            let challenges = challenge::parse(field.as_bytes());
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned();
            let mut session = DigestSession::strongest(&challenges, cnonce).unwrap();
            let value = session
                .respond("Mufasa", "Circle of Life", &Method::GET, "/dir/index.html")
                .unwrap();
            has(
                value.to_str().unwrap(),
                &[
                    "Digest username=\"Mufasa\"",
                    "realm=\"http-auth@example.org\"",
                    "uri=\"/dir/index.html\"",
                    "nc=00000001",
                    "qop=auth",
                    &format!("response=\"{response}\""),
                    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
                ],
            );
        }
    }

    #[test]
    fn the_nonce_is_counted_across_requests() {
        let mut session = AuthSession::new(digest_credentials());
        let mut attempt = AuthAttempt::default();
        assert_eq!(authorize(&mut session, &mut attempt), None);
        challenge(&mut session, &mut attempt, &[MD5]).unwrap();
        let first = authorize(&mut session, &mut attempt).unwrap();
        has(
            &first,
            &["nc=00000001", "cnonce=\"07070707070707070707070707070707\""],
        );
        for count in 2..20 {
            let value = authorize(&mut session, &mut AuthAttempt::default()).unwrap();
            has(&value, &[&format!("nc={count:08x}"), "cnonce=\"0707"]);
        }
    }

    #[test]
    fn the_strongest_scheme_and_algorithm_are_chosen() {
        let sha_512 = "Digest realm=x, nonce=n, qop=auth, algorithm=\"sha-512-256\"";
        for (fields, chosen) in [
            (&["Basic realm=x", MD5][..], "algorithm=MD5"),
            (&[MD5, SHA_256, "Basic realm=x"][..], "algorithm=SHA-256"),
            (&[SHA_256, sha_512, MD5][..], "algorithm=SHA-512-256"),
            (
                &["Digest realm=x, nonce=n, algorithm=NEW, Basic realm=x"][..],
                "Basic ",
            ),
            (&["Digest realm=x, Basic realm=x"][..], "Basic "),
        ] {
            let mut session = AuthSession::new(any());
            let mut attempt = AuthAttempt::default();
            challenge(&mut session, &mut attempt, fields).unwrap();
            has(&authorize(&mut session, &mut attempt).unwrap(), &[chosen]);
        }
    }

    #[test]
    fn an_answer_is_given_once_and_once_more_when_stale() {
        let stale = format!("{MD5}, stale=true");
        // (RFC 7616 §3.3) what the server says each time, and at which answer we give up
        for (fields, given_up) in [
            (&[MD5, MD5][..], 1),
            (&[MD5, stale.as_str(), MD5][..], 2),
            (&[MD5, stale.as_str(), stale.as_str()][..], 2),
            (&[stale.as_str(), stale.as_str(), stale.as_str()][..], 2),
            (&[MD5, "Basic realm=x"][..], 1),
        ] {
            let mut session = AuthSession::new(any());
            let mut attempt = AuthAttempt::default();
            assert_eq!(authorize(&mut session, &mut attempt), None);
            for (n, field) in fields.iter().enumerate() {
                let answer = challenge(&mut session, &mut attempt, &[field]);
                if n == given_up {
                    assert_eq!(answer, Err(AuthFault::Rejected), "{fields:?}");
                } else {
                    answer.unwrap();
                    has(&authorize(&mut session, &mut attempt).unwrap(), &["Digest"]);
                }
            }
        }
    }

    #[test]
    fn a_remembered_nonce_may_have_expired_without_a_word() {
        let mut session = AuthSession::new(digest_credentials());
        challenge(&mut session, &mut AuthAttempt::default(), &[MD5]).unwrap();
        let mut attempt = AuthAttempt::default();
        authorize(&mut session, &mut attempt).unwrap();
        challenge(&mut session, &mut attempt, &[SHA_256]).unwrap();
        let value = authorize(&mut session, &mut attempt).unwrap();
        has(&value, &["nc=00000001", "SHA-256"]);
        let again = challenge(&mut session, &mut attempt, &[SHA_256]);
        assert_eq!(again, Err(AuthFault::Rejected));
    }

    #[test]
    fn a_server_may_change_its_mind_between_requests() {
        let mut session = AuthSession::new(any());
        for (field, scheme) in [(MD5, "Digest"), ("Basic realm=x", "Basic"), (MD5, "Digest")] {
            let mut attempt = AuthAttempt::default();
            authorize(&mut session, &mut attempt);
            challenge(&mut session, &mut attempt, &[field]).unwrap();
            let value = authorize(&mut session, &mut attempt).unwrap();
            assert!(value.starts_with(scheme), "{value}");
            let again = challenge(&mut session, &mut attempt, &["Basic realm=x"]);
            assert_eq!(again, Err(AuthFault::Rejected));
        }
    }

    #[test]
    fn what_is_not_supported_is_a_fault() {
        for field in [
            "Digest",
            "Digest realm=x",
            "Digest nonce=x",
            "Digest realm=x, realm=y, nonce=z",
            "Digest realm=x, nonce=y, algorithm=SHA-1",
            "Digest realm=x, nonce=y, qop=\"auth-int\"",
            "Digest realm=x, nonce=y, qop=\"other\"",
            "Digest realm=\"x\x01\", nonce=y",
        ] {
            let mut session = AuthSession::new(digest_credentials());
            let answer = challenge(&mut session, &mut AuthAttempt::default(), &[field]);
            assert_eq!(answer, Err(AuthFault::UnsupportedDigest), "{field}");
        }
    }

    #[test]
    fn odd_names_realms_and_targets() {
        // RFC 7616 §3.4: quoted pairs, and names beyond ASCII in the extended notation.
        for (user, realm, part) in [
            ("a\"b\\c", "x", "username=\"a\\\"b\\\\c\""),
            ("Jäsøn", "x", "username*=UTF-8''J%C3%A4s%C3%B8n"),
            ("u", "\\\"r\\\\", "realm=\"\\\"r\\\\\""),
        ] {
            let mut session = AuthSession::new(Credentials::Digest {
                user: user.to_owned(),
                password: String::new(),
            });
            let field = format!("Digest realm=\"{realm}\", nonce=n, qop=auth");
            let mut attempt = AuthAttempt::default();
            challenge(&mut session, &mut attempt, &[&field]).unwrap();
            has(&authorize(&mut session, &mut attempt).unwrap(), &[part]);
        }
        let mut session = AuthSession::new(Credentials::Digest {
            user: "a\r\nb".to_owned(),
            password: String::new(),
        });
        let mut attempt = AuthAttempt::default();
        challenge(&mut session, &mut attempt, &[MD5]).unwrap();
        let value = session.authorize(&mut attempt, &Method::GET, "/");
        assert_eq!(value, Err(AuthFault::InvalidUser));
    }

    #[test]
    fn the_old_form_without_protection_is_answered() {
        let mut session = AuthSession::new(digest_credentials());
        let mut attempt = AuthAttempt::default();
        challenge(&mut session, &mut attempt, &["Digest realm=x, nonce=n"]).unwrap();
        let value = authorize(&mut session, &mut attempt).unwrap();
        assert!(
            value.contains("response=\"") && !value.contains("qop"),
            "{value}"
        );
    }
}
