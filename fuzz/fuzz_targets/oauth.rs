//! The login by the browser: only a callback with the right state ends it, and it ends once.

#![no_main]

use std::time::{Duration, Instant};

use http::Method;
use httpoll::server::oauth::{OAuthLogin, OAuthRequest};
use httpoll_fuzz::split;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let text = String::from_utf8_lossy(bytes);
    let endpoint = Url::parse("https://login.example/authorize?x=y").unwrap();
    let mut request = OAuthRequest::new(endpoint, "game");
    request.scope = "a b".to_owned();
    request.parameters = vec![("prompt".to_owned(), text.chars().take(8).collect())];
    request.issuer = choices.flag().then(|| "https://login.example".to_owned());
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut login = OAuthLogin::new(&request, 8000, [7; 64], deadline).unwrap();
    let url = login.authorization_url().clone();
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    for line in text.split('\n') {
        // `$` stands for the state, which nobody guesses.
        let target = line.replace('$', &state);
        let answer = login.receive(&Method::GET, &target);
        assert!(!answer.is_last || target.contains(&state));
        assert!(!answer.body.contains(&state), "it tells its secret");
        if answer.is_last {
            assert!(login.take_outcome().is_some() && login.take_outcome().is_none());
        }
    }
    let _ = login.receive(&Method::POST, &text);
});
