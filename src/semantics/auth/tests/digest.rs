use super::super::DigestSession;
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
fn responses_match_rfc_7616_3_9_1() {
    // The RFC's client nonce is not 16 bytes in hexadecimal, so this test sets it one layer below.
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
fn the_nonce_count_continues_across_requests() {
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
fn a_request_responds_once_and_again_when_stale() {
    let stale = format!("{MD5}, stale=true");
    // (RFC 7616 §3.3) what the server sends each time, and the attempt at which the client gives up
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
fn a_nonce_from_an_earlier_request_may_have_expired_without_stale() {
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
fn a_server_may_change_the_scheme_between_requests() {
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
fn unsupported_challenges_are_a_fault() {
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
fn unusual_names_realms_and_targets() {
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
fn the_old_form_without_qop_is_supported() {
    let mut session = AuthSession::new(digest_credentials());
    let mut attempt = AuthAttempt::default();
    challenge(&mut session, &mut attempt, &["Digest realm=x, nonce=n"]).unwrap();
    let value = authorize(&mut session, &mut attempt).unwrap();
    assert!(
        value.contains("response=\"") && !value.contains("qop"),
        "{value}"
    );
}

#[test]
fn changed_challenges_are_used_or_refused() {
    let mut random = 1_u32;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    for _ in 0..5000 {
        let mut field = format!("Basic realm=\"a\\\"b\", {SHA_256}, stale=true").into_bytes();
        for _ in 0..=draw(4) {
            let at = draw(field.len());
            field[at] = b"\"\\,= \t/a\x00\xff"[draw(10)];
        }
        let mut session = AuthSession::new(any());
        let mut attempt = AuthAttempt::default();
        for _ in 0..3 {
            let lines = [field.as_slice()];
            if session.challenged(&mut attempt, lines, CNONCE).is_err() {
                break;
            }
            let _ = session.authorize(&mut attempt, &Method::GET, "/x?\"y");
        }
        let again = session.challenged(&mut attempt, [field.as_slice()], CNONCE);
        assert!(again.is_err(), "{}", String::from_utf8_lossy(&field));
    }
}
