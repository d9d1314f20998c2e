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
        let mut session = DigestSession::strongest(&challenges, &cnonce).unwrap();
        let value = session
            .respond("Mufasa", "Circle of Life", &Method::GET, "/dir/index.html")
            .unwrap()
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
        // Of equal ones the server prefers the first.
        (
            &[
                "Digest realm=a, nonce=n, qop=auth",
                "Digest realm=b, nonce=n, qop=auth",
            ][..],
            "realm=\"a\"",
        ),
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
    let not_stale = format!("{MD5}, stale=false");
    // (RFC 7616 §3.3) what the server sends each time, and the attempt at which the client gives up
    for (fields, given_up) in [
        (&[MD5, MD5][..], 1),
        (&[MD5, stale.as_str(), MD5][..], 2),
        (&[MD5, stale.as_str(), stale.as_str()][..], 2),
        (&[stale.as_str(), stale.as_str(), stale.as_str()][..], 2),
        (&[MD5, not_stale.as_str()][..], 1),
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
fn a_challenge_that_cannot_be_answered_is_a_fault_that_names_the_parameter() {
    let unsupported = |parameter: &str| AuthFault::UnsupportedDigest(parameter.to_owned());
    for (field, fault) in [
        (&b"Digest"[..], AuthFault::InvalidDigest("nonce")),
        (b"Digest realm=x", AuthFault::InvalidDigest("nonce")),
        (b"Digest nonce=x", AuthFault::InvalidDigest("realm")),
        (
            b"Digest realm=x, realm=y, nonce=z",
            AuthFault::InvalidDigest("realm"),
        ),
        (
            b"Digest realm=\"x\x01\", nonce=y",
            AuthFault::InvalidDigest("realm"),
        ),
        (
            b"Digest realm=x, nonce=\"y\x7f\"",
            AuthFault::InvalidDigest("nonce"),
        ),
        (
            b"Digest realm=x, nonce=y, algorithm=SHA-1",
            unsupported("algorithm=SHA-1"),
        ),
        (
            b"Digest realm=x, nonce=y, algorithm=\"\x1b[1m\xff\"",
            unsupported("algorithm=?[1m?"),
        ),
        (
            b"Digest realm=x, nonce=y, qop=\"auth-int\"",
            unsupported("qop=auth-int"),
        ),
        (b"Digest realm=x, nonce=y, qop=\"\"", unsupported("qop=")),
        // The first one says why.
        (
            b"Digest realm=x, nonce=y, algorithm=NEW, Digest realm=x",
            unsupported("algorithm=NEW"),
        ),
    ] {
        let shown = String::from_utf8_lossy(field);
        let mut session = AuthSession::new(digest_credentials());
        let answer = session.challenged(&mut AuthAttempt::default(), [field], CNONCE);
        assert_eq!(answer, Err(fault), "{shown}");
        // Credentials of any scheme may then be sent as Basic, if the server takes that.
        let mut session = AuthSession::new(any());
        let lines = [field, b"Basic realm=x"];
        let answer = session.challenged(&mut AuthAttempt::default(), lines, CNONCE);
        assert_eq!(answer, Ok(()), "{shown}");
    }
    let long = format!("Digest realm=x, nonce=y, algorithm={}", "a".repeat(5000));
    let mut session = AuthSession::new(digest_credentials());
    match challenge(&mut session, &mut AuthAttempt::default(), &[&long]) {
        Err(AuthFault::UnsupportedDigest(parameter)) => assert!(parameter.len() < 100),
        other => panic!("{other:?}"),
    }
}

/// The field for a GET of `/dir/index.html`, in answer to a challenge.
fn answer_of(user: &str, password: &str, field: &[u8]) -> Vec<u8> {
    let mut session = AuthSession::new(Credentials::Digest {
        user: user.to_owned(),
        password: password.to_owned(),
    });
    let mut attempt = AuthAttempt::default();
    session.challenged(&mut attempt, [field], CNONCE).unwrap();
    let value = session.authorize(&mut attempt, &Method::GET, "/dir/index.html");
    value.unwrap().unwrap().as_bytes().to_vec()
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|window| window == part)
}

/// A challenge, a user name, and parts of the answer (RFC 7616 §3.4, §4).
type Row = (&'static [u8], &'static str, &'static [&'static [u8]]);
const BEYOND_ASCII: &[Row] = &[
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\", qop=\"auth\", algorithm=MD5",
        "ann",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\"", b"response=\"c342711e49fa566781088b1f0c32a101\"", b"username=\"ann\""],
    ),
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\xe9\", qop=\"auth\", algorithm=SHA-256, opaque=\"o\xa0\"",
        "ann",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\xe9\"", b"response=\"1f8ae20022321f0b3a98b1816f00e31784bbc817a0e25a6ed81424ae79d73a70\"", b"username=\"ann\"", b"opaque=\"o\xa0\""],
    ),
    (
        b"Digest realm=\"Spielh\xc3\xb6lle\", nonce=\"n\", qop=\"auth\", algorithm=SHA-512-256, opaque=\"o\"",
        "ann",
        &[b"realm=\"Spielh\xc3\xb6lle\"", b"nonce=\"n\"", b"response=\"ade27c04d07bb481ec0412444e0066dcb68b5158c7f3c3ea01965573538bce36\"", b"username=\"ann\"", b"opaque=\"o\""],
    ),
    (
        b"Digest realm=\"\xff\xfe\xc3\", nonce=\"\xff\xfe\xc3\", qop=\"auth\", opaque=\"\xff\xfe\xc3\"",
        "ann",
        &[b"realm=\"\xff\xfe\xc3\"", b"nonce=\"\xff\xfe\xc3\"", b"response=\"8e016f056aa39ce76a978be0e52b8f9f\"", b"username=\"ann\"", b"opaque=\"\xff\xfe\xc3\""],
    ),
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\", qop=\"auth\", algorithm=MD5",
        "Jäsøn Doe",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\"", b"response=\"7ef5028c3a5b81e842ce912c5d27be2a\"", b"username=\"J\xc3\xa4s\xc3\xb8n Doe\""],
    ),
    (
        b"Digest realm=\"Spielh\xc3\xb6lle\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, charset=UTF-8",
        "Jäsøn Doe",
        &[b"realm=\"Spielh\xc3\xb6lle\"", b"nonce=\"n\"", b"response=\"57505bb7c33ef20b07eb9a8b7a1b330a24436829564a42a16142f1068483d184\"", b"username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"],
    ),
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, charset=\"utf-8\"",
        "Jäsøn Doe",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\"", b"response=\"27ccb0264e1717a75c812db875ce80171b2fa6dfa71cd0d965f0c796222aa173\"", b"username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"],
    ),
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, charset=UTF-8",
        "ann",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\"", b"response=\"65da1805cdd588ec271643726ba1e116c11a593f2b40637125d92140d3bda9d2\"", b"username=\"ann\""],
    ),
    (
        b"Digest realm=\"Spielh\xc3\xb6lle\", nonce=\"n\", qop=\"auth\", algorithm=SHA-512-256, charset=UTF-8, userhash=true",
        "Jäsøn Doe",
        &[b"realm=\"Spielh\xc3\xb6lle\"", b"nonce=\"n\"", b"response=\"fd53cf8217d97a8afd5afeb56980cb94634bdabcc19784bc98691b7f4a1545ec\"", b"username=\"a6ed6d099169756b6833396f74a5ba1164c30a5a8243813dc946cd6aea72f023\", userhash=true"],
    ),
    (
        b"Digest realm=\"Spielh\xf6lle\", nonce=\"n\", qop=\"auth\", algorithm=MD5, userhash=true",
        "Jäsøn Doe",
        &[b"realm=\"Spielh\xf6lle\"", b"nonce=\"n\"", b"response=\"7ef5028c3a5b81e842ce912c5d27be2a\"", b"username=\"c4007a563192c65f38e6ada7a9542d5d\", userhash=true"],
    ),
];

#[test]
fn bytes_beyond_ascii_are_hashed_and_returned_as_received() {
    // The hashes were computed with Python's hashlib, from the bytes.
    for (field, user, parts) in BEYOND_ASCII {
        let value = answer_of(user, "pässwörd", field);
        for part in *parts {
            assert!(
                contains(&value, part),
                "{} in {}",
                String::from_utf8_lossy(part),
                String::from_utf8_lossy(&value)
            );
        }
    }
}

#[test]
fn unusual_names_realms_and_targets() {
    // RFC 7616 §3.4: quoted pairs.
    for (user, realm, part) in [
        ("a\"b\\c", "x", "username=\"a\\\"b\\\\c\""),
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
fn the_next_nonce_is_used_and_its_count_begins_at_1() {
    let sess = SHA_256.replace("SHA-256", "SHA-256-sess");
    // RFC 7616 §3.5: what `Authentication-Info` says, and the nonce and count of the next request
    for (challenge_field, info, nonce, count) in [
        (SHA_256, "nextnonce=\"n2\"", "n2", 1),
        (
            SHA_256,
            "rspauth=\"0\", qop=auth, NextNonce = n2, nc=00000002",
            "n2",
            1,
        ),
        (SHA_256, ", ,nextnonce=\"a, b\"", "a, b", 1),
        (SHA_256, "nextnonce=\"\\\"\"", "\\\"", 1),
        (&sess, "nextnonce=\"n2\"", "n2", 1),
        // The same nonce is not counted anew.
        (
            SHA_256,
            "nextnonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"",
            "7ypf/",
            3,
        ),
        (SHA_256, "nextnonce=\"\"", "7ypf/", 3),
        (SHA_256, "nextnonce=\"\x01\"", "7ypf/", 3),
        (SHA_256, "nextnonce=\"cut", "7ypf/", 3),
        (SHA_256, "nextnonce", "7ypf/", 3),
        (SHA_256, "Digest nextnonce=n2", "7ypf/", 3),
        (SHA_256, "", "7ypf/", 3),
    ] {
        let mut session = AuthSession::new(digest_credentials());
        let mut attempt = AuthAttempt::default();
        challenge(&mut session, &mut attempt, &[challenge_field]).unwrap();
        authorize(&mut session, &mut attempt).unwrap();
        let mut second = AuthAttempt::default();
        authorize(&mut session, &mut second).unwrap();
        session.take_info(&second, [info.as_bytes()]);
        for count in count..count + 3 {
            let value = authorize(&mut session, &mut AuthAttempt::default()).unwrap();
            has(
                &value,
                &[&format!("nonce=\"{nonce}"), &format!("nc={count:08x}")],
            );
        }
    }
}

#[test]
fn a_next_nonce_counts_only_for_requests_that_were_sent_with_digest() {
    let mut session = AuthSession::new(digest_credentials());
    challenge(&mut session, &mut AuthAttempt::default(), &[MD5]).unwrap();
    session.take_info(&AuthAttempt::default(), [&b"nextnonce=n2"[..]]);
    let value = authorize(&mut session, &mut AuthAttempt::default()).unwrap();
    has(&value, &["nonce=\"7ypf/"]);
    // Credentials of any scheme that were sent as Basic.
    let mut session = AuthSession::new(any());
    let mut attempt = AuthAttempt::default();
    challenge(&mut session, &mut attempt, &["Basic realm=x"]).unwrap();
    let basic = authorize(&mut session, &mut attempt).unwrap();
    session.take_info(&attempt, [&b"nextnonce=n2"[..]]);
    assert_eq!(authorize(&mut session, &mut attempt).unwrap(), basic);
}

#[test]
fn session_keys_keep_the_first_nonce() {
    // RFC 7616 §3.4.2. Computed with Python's hashlib.
    let field = "Digest realm=\"r\", nonce=\"n1\", qop=auth, algorithm=MD5-sess";
    let mut session = AuthSession::new(digest_credentials());
    let mut attempt = AuthAttempt::default();
    challenge(&mut session, &mut attempt, &[field]).unwrap();
    let first = authorize(&mut session, &mut attempt).unwrap();
    has(&first, &["response=\"2208880b1b538825ccae4ab82e593be4\""]);
    session.take_info(&attempt, [&b"nextnonce=n2"[..]]);
    let second = authorize(&mut session, &mut AuthAttempt::default()).unwrap();
    has(
        &second,
        &[
            "nonce=\"n2\"",
            "response=\"53fd0f962ee2cc8264ab7db689d306b5\"",
        ],
    );
}

#[test]
fn the_old_form_without_qop_is_supported() {
    let mut session = AuthSession::new(digest_credentials());
    let mut attempt = AuthAttempt::default();
    challenge(&mut session, &mut attempt, &["Digest realm=x, nonce=n"]).unwrap();
    let value = authorize(&mut session, &mut attempt).unwrap();
    assert!(
        value.contains("response=\"28af64d08adb2764a323f1623d1d6093\"") && !value.contains("qop"),
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
