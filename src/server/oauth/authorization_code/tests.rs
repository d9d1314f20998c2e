//! Logins from start to end.

use std::collections::HashMap;
use std::time::Duration;

use super::*;

fn request() -> OAuthRequest {
    OAuthRequest {
        authorization_endpoint: "https://login.example/authorize?tenant=1".parse().unwrap(),
        client_id: "game & co".into(),
        scope: "openid profile".into(),
        parameters: vec![
            ("prompt".into(), "login".into()),
            ("state".into(), "forced".into()),
            ("scope".into(), "all".into()),
        ],
        issuer: None,
    }
}

fn login_for(request: &OAuthRequest) -> OAuthLogin {
    let mut random = [1; 64];
    random[32..].fill(2);
    OAuthLogin::new(
        request,
        4711,
        random,
        Instant::now() + Duration::from_secs(60),
    )
    .unwrap()
}

fn callback(login: &mut OAuthLogin, query: &str) -> OAuthAnswer {
    login.receive(&Method::GET, &format!("/callback?{query}"))
}

fn with_state(login: &OAuthLogin, query: &str) -> String {
    format!("state={}&{query}", login.state)
}

#[test]
fn the_authorization_url() {
    let login = login_for(&request());
    let url = login.authorization_url();
    assert!(
        url.as_str()
            .starts_with("https://login.example/authorize?tenant=1&")
    );
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let query: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(pairs.len(), query.len(), "nothing twice");
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "game & co"),
        ("redirect_uri", "http://127.0.0.1:4711/callback"),
        ("scope", "openid profile"),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
        ("state", &login.state),
        ("code_challenge", &code_challenge(&login.verifier)),
    ] {
        assert_eq!(query[name], expected, "{name}");
    }
    assert_eq!(login.redirect_uri(), "http://127.0.0.1:4711/callback");
    assert_eq!((login.state.len(), login.verifier.len()), (43, 43));
    assert_ne!(login.state, login.verifier);
}

#[test]
fn pkce_of_rfc_7636_appendix_b() {
    assert_eq!(
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

#[test]
fn endpoints_that_others_could_read() {
    for (endpoint, is_fine) in [
        ("https://login.example/", true),
        ("http://127.0.0.1:9/", true),
        ("http://[::1]:9/", true),
        ("http://localhost/", true),
        ("http://login.example/", false),
        ("http://localhost.login.example/", false),
        ("https://login.example/#x", false),
        ("ftp://127.0.0.1/", false),
    ] {
        let mut request = request();
        request.authorization_endpoint = endpoint.parse().unwrap();
        let login = OAuthLogin::new(&request, 1, [0; 64], Instant::now());
        assert_eq!(login.is_ok(), is_fine, "{endpoint}");
    }
}

#[test]
fn a_login_that_works() {
    let mut login = login_for(&request());
    assert!(login.take_outcome().is_none());
    let query = with_state(&login, "code=a%2Fb+c");
    let answer = callback(&mut login, &query);
    assert_eq!((answer.status.as_u16(), answer.is_last), (200, true));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    assert!(answer.body.contains("close this window"));
    let code = login.take_outcome().unwrap().unwrap();
    assert_eq!(code.code, "a/b c");
    assert_eq!(code.verifier, login.verifier);
    assert_eq!(code.redirect_uri, login.redirect_uri());
    assert!(login.take_outcome().is_none(), "once");
    assert_eq!(callback(&mut login, &query).status, 410, "one request only");
}

#[test]
fn callbacks_that_change_nothing() {
    let mut login = login_for(&request());
    let state = login.state.clone();
    for (method, target, status) in [
        ("GET", "/".to_owned(), 404),
        ("GET", "/favicon.ico".into(), 404),
        ("GET", format!("/callback/?state={state}&code=x"), 404),
        ("POST", format!("/callback?state={state}&code=x"), 405),
        ("HEAD", format!("/callback?state={state}&code=x"), 405),
        ("GET", "/callback".into(), 400),
        ("GET", "/callback?code=x".into(), 400),
        ("GET", "/callback?state=&code=x".into(), 400),
        ("GET", "/callback?state=wrong&code=x".into(), 400),
        (
            "GET",
            "/callback?state=wrong&error=access_denied".into(),
            400,
        ),
        ("GET", format!("/callback?state={state}x&code=x"), 400),
        ("GET", format!("/callback?state={state}&code=x&code=y"), 400),
        (
            "GET",
            format!("/callback?state=wrong&state={state}&code=x"),
            400,
        ),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = login.receive(&method, &target);
        assert_eq!(
            (answer.status.as_u16(), answer.is_last),
            (status, false),
            "{target}"
        );
        assert!(login.take_outcome().is_none(), "{target}");
    }
    assert!(callback(&mut login, &format!("state={state}&code=x")).is_last);
}

#[test]
fn logins_that_fail() {
    for (issuer, query, expected) in [
        (
            None,
            "error=access_denied",
            OAuthError::Refused("access_denied".into()),
        ),
        (
            None,
            "code=x&error=%3Cscript%3E%0A%22",
            OAuthError::Refused("<script>".into()),
        ),
        (None, "", OAuthError::NoCode),
        (None, "code=", OAuthError::NoCode),
        (Some("https://a"), "code=x", OAuthError::Issuer),
        (
            Some("https://a"),
            "code=x&iss=https%3A%2F%2Fb",
            OAuthError::Issuer,
        ),
    ] {
        let mut request = request();
        request.issuer = issuer.map(str::to_owned);
        let mut login = login_for(&request);
        let query = with_state(&login, query);
        let answer = callback(&mut login, &query);
        assert!(answer.is_last, "{query}");
        assert!(!answer.body.contains("script>"), "{query}");
        assert_eq!(login.take_outcome(), Some(Err(expected)), "{query}");
    }
    let mut request = request();
    request.issuer = Some("https://a".into());
    let mut login = login_for(&request);
    let query = with_state(&login, "code=x&iss=https://a");
    callback(&mut login, &query);
    assert!(login.take_outcome().unwrap().is_ok());
}

#[test]
fn a_login_ends_by_its_deadline_or_by_cancelling() {
    let mut login = login_for(&request());
    let deadline = login.deadline();
    assert!(!login.handle_timeout(deadline - Duration::from_millis(1)));
    assert!(login.handle_timeout(deadline));
    let query = with_state(&login, "code=x");
    assert_eq!(callback(&mut login, &query).status, 410);
    assert_eq!(login.take_outcome(), Some(Err(OAuthError::TimedOut)));

    let mut login = login_for(&request());
    login.cancel();
    assert!(login.handle_timeout(Instant::now()));
    assert_eq!(login.take_outcome(), Some(Err(OAuthError::Cancelled)));
}

#[test]
fn debug_shows_no_secrets() {
    let mut login = login_for(&request());
    let query = with_state(&login, "code=sesame");
    callback(&mut login, &query);
    let shown = format!("{login:?}");
    assert!(!shown.contains(&login.state) && !shown.contains(&login.verifier));
    let code = login.take_outcome().unwrap().unwrap();
    let shown = format!("{code:?}");
    assert!(!shown.contains("sesame") && !shown.contains(&login.verifier));
}
