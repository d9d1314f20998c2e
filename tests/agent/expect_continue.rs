//! `Expect: 100-continue`: content that waits until the server asks for it (RFC 9110 §10.1.1).

use crate::support::{pattern, run, setup};
use httpoll::Request;
use httpoll::mock::MockResponse;

#[test]
fn content_waits_for_100_continue() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let put = |bytes: usize| Request::put("http://game.example/").body(pattern(bytes));
    for (request, expects) in [
        (put(100), false),
        (put(100).expect_continue(Some(100)), true),
        (put(99).expect_continue(Some(100)), false),
        (put(2 * 1024 * 1024), true),
        (put(2 * 1024 * 1024).expect_continue(None), false),
        (put(100).header("Expect", "100-continue"), true),
    ] {
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.header("expect"), expects.then_some("100-continue"));
    }
}

#[test]
fn a_server_that_never_continues_gets_the_content_after_a_second() {
    let (network, server, mut agent) = setup();
    server.set_continues(false);
    server.any("/**").reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body("abc")
        .expect_continue(Some(1));
    let began = network.now();
    run(&network, &mut agent, request).response();
    let waited = network.now() - began;
    assert!((1000..=1050).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(server.requests()[0].body, "abc");
}

#[test]
fn a_final_status_before_the_content_spares_the_content() {
    for status in [413, 403, 401, 200] {
        let (network, server, mut agent) = setup();
        server
            .any("/**")
            .early()
            .reply(MockResponse::with_status(status).text("early"));
        let request = Request::put("http://game.example/").body(pattern(2_000_000));
        let outcome = run(&network, &mut agent, request);
        assert_eq!(outcome.response().status().as_u16(), status);
        assert_eq!(outcome.response().text(), "early");
        assert_eq!(server.requests()[0].body, "", "{status}");
    }
}

#[test]
fn after_417_it_is_sent_without_the_expectation() {
    let (network, server, mut agent) = setup();
    server
        .any("/**")
        .early()
        .times(1)
        .reply(MockResponse::with_status(417));
    server.any("/**").reply(MockResponse::ok());
    let request = Request::put("http://game.example/")
        .body("abc")
        .expect_continue(Some(1));
    run(&network, &mut agent, request).response();
    let sent = server.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (sent[1].header("expect"), sent[1].text().as_ref()),
        (None, "abc")
    );
}

#[test]
fn content_that_awaits_100_continue_is_sent_only_to_the_redirect_target() {
    // RFC 9110 §10.1.1, §15.4.8.
    let (network, server, mut agent) = setup();
    server
        .put("/old")
        .early()
        .reply(MockResponse::with_status(307).header("Location", "/new"));
    server.put("/new").reply(MockResponse::ok());
    let request = Request::put("http://game.example/old").body(pattern(1_500_000));
    run(&network, &mut agent, request).response();
    let sent = server.requests();
    assert_eq!(sent[0].body, "");
    assert!(sent[1].body == pattern(1_500_000));
}
