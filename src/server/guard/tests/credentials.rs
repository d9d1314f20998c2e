//! Tokens, Basic and Bearer credentials.

use super::*;

#[test]
fn token_of_the_run() {
    let token = RunToken::from_random([7; 32]);
    assert_eq!(token.as_str().len(), 43);
    assert!(!format!("{token:?}").contains(token.as_str()));
    let as_bearer = format!("Authorization: bearer {}", token.as_str());
    let as_basic = format!("Authorization: Basic {}", token.as_str());
    let as_field = format!("X-Run-Token: {}", token.as_str());
    let in_query = format!("/?a=b&token={}", token.as_str());
    let nearly = format!("X-Run-Token: {}x", token.as_str());
    for (method, target, line, is_let_in) in [
        ("GET", "/", "X: y", true),
        ("HEAD", "/", "X: y", true),
        ("POST", "/", "X: y", false),
        ("DELETE", "/", "X: y", false),
        ("POST", "/", as_bearer.as_str(), true),
        ("POST", "/", &as_field, true),
        ("POST", "/", &as_basic, false),
        ("POST", "/", &nearly, false),
        ("POST", "/", "X-Run-Token: ", false),
        ("POST", "/", "Authorization: Bearer", false),
        ("POST", &in_query, "X: y", true),
        ("POST", "/?token=", "X: y", false),
        ("POST", "/?token", "X: y", false),
    ] {
        let mut guard = Guard::local(8080).require_token(token.clone(), TokenScope::UnsafeMethods);
        let verdict = ask(&mut guard, method, target, &[LOCAL, line]);
        let expected = (!is_let_in).then_some((401, RefusalReason::Token));
        assert_eq!(refused(verdict), expected, "{method} {target} {line}");
    }

    let mut guard = Guard::local(8080).require_token(token, TokenScope::EveryRequest);
    let without = Some((401, RefusalReason::Token));
    for (target, lines, expected) in [
        ("/", &[LOCAL][..], without),
        (&in_query, &[LOCAL], None),
        // The token of a query is good for one request.
        (&in_query, &[LOCAL], without),
        ("/", &[LOCAL, &as_field], None),
    ] {
        assert_eq!(refused(ask(&mut guard, "GET", target, lines)), expected);
    }
}

#[test]
fn a_foreign_host_does_not_use_up_the_query_token() {
    let token = RunToken::from_random([7; 32]);
    let target = format!("/?token={}", token.as_str());
    let mut guard = Guard::local(8080).require_token(token, TokenScope::EveryRequest);
    let foreign = refused(ask(&mut guard, "GET", &target, &["Host: evil.example"]));
    assert_eq!(foreign, Some((421, RefusalReason::ForeignHost)));
    assert!(refused(ask(&mut guard, "GET", &target, &[LOCAL])).is_none());
}

#[test]
fn basic_credentials() {
    // RFC 7617 §2: Aladdin:open sesame
    let good = "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    for (target, line, is_let_in) in [
        ("/", "X: y", true),
        ("/admin", "X: y", false),
        ("/admin/x", "X: y", false),
        ("/%61dmin", "X: y", false),
        ("/admin", good, true),
        (
            "/admin",
            "authorization: BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            true,
        ),
        ("/admin", "Authorization: Basic QWxhZGRpbjpvcGVu", false),
        ("/admin", "Authorization: Basic !!!", false),
        ("/admin", "Authorization: Basic", false),
        (
            "/admin",
            "Authorization: Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            false,
        ),
    ] {
        let auth = Auth::basic(
            "/admin",
            "the \"lamp\"",
            [("x", ""), ("Aladdin", "open sesame")],
        );
        let mut guard = Guard::open().auth(auth.unwrap());
        match ask(&mut guard, "GET", target, &[line]) {
            Decision::Refuse(refusal) => {
                assert!(!is_let_in, "{target} {line}");
                assert_eq!(refusal.status, 401);
                assert_eq!(
                    refusal.headers["www-authenticate"],
                    r#"Basic realm="the \"lamp\"", charset="UTF-8""#
                );
            }
            _ => assert!(is_let_in, "{target} {line}"),
        }
    }
}

#[test]
fn bearer_credentials() {
    // RFC 6750 §3.1: an error code only when a token was sent.
    for (line, challenge) in [
        ("Authorization: Bearer abc.DEF", None),
        ("X: y", Some(r#"Bearer realm="api""#)),
        (
            "Authorization: Bearer abc",
            Some(r#"Bearer realm="api", error="invalid_token""#),
        ),
    ] {
        let mut guard = Guard::open().auth(Auth::bearer("/", "api", ["abc.DEF"]).unwrap());
        let found = match ask(&mut guard, "GET", "/", &[line]) {
            Decision::Refuse(refusal) => Some(refusal.headers["www-authenticate"].clone()),
            _ => None,
        };
        assert_eq!(
            found.as_ref().map(|value| value.to_str().unwrap()),
            challenge,
            "{line}"
        );
    }
}

#[test]
fn invalid_credentials_cannot_be_required() {
    let error = |auth: Result<Auth, InvalidAuth>| auth.err();
    assert_eq!(
        error(Auth::basic("/", "a\r\nb", [])),
        Some(InvalidAuth::Realm)
    );
    assert_eq!(
        error(Auth::basic("/", "a", [("a:b", "c")])),
        Some(InvalidAuth::User)
    );
    assert_eq!(
        error(Auth::basic("/", "a", [("a", "c\n")])),
        Some(InvalidAuth::User)
    );
    assert_eq!(
        error(Auth::bearer("/", "a", [""])),
        Some(InvalidAuth::Token)
    );
    assert_eq!(
        error(Auth::bearer("/", "a", ["a b"])),
        Some(InvalidAuth::Token)
    );
    // A rule without users or tokens accepts no client.
    let mut guard = Guard::open().auth(Auth::basic("/", "a", []).unwrap());
    let nobody = refused(ask(&mut guard, "GET", "/", &["Authorization: Basic Og=="]));
    assert_eq!(nobody, Some((401, RefusalReason::Credentials)));
    let auth = Auth::basic("/", "a", [("me", "sesame")]).unwrap();
    assert!(!format!("{auth:?}").contains("sesame"));
}
