//! What a request puts on the wire, and what comes back.

use httpoll::memory::MockResponse;
use httpoll::{Misuse, Request, RequestBody};

use crate::support::{run, world};

#[test]
fn s1_get_sends_no_body_and_answers_one_response() {
    let (network, server, mut agent) = world();
    server.get("/scores").reply(MockResponse::ok().text("hi"));
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/scores"),
    );
    assert_eq!(outcome.response().text(), "hi");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, "");
    assert!(requests[0].headers.get("content-length").is_none());
}

#[test]
fn s1_a_host_that_cannot_be_reached_is_an_error_value() {
    let (network, _server, mut agent) = world();
    let outcome = run(&network, &mut agent, Request::get("http://nobody.example/"));
    assert!(
        outcome.error().to_string().contains("nobody.example"),
        "{}",
        outcome.error()
    );
}

#[test]
fn s2_bodies_go_out_verbatim_with_their_length() {
    let (network, server, mut agent) = world();
    server.any("/**").reply(MockResponse::ok());
    for (method, body) in [("POST", "a\0b"), ("PUT", "x"), ("PATCH", "patch")] {
        let request = Request::with_method_name(method, "http://game.example/a").body(body);
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.body, body);
        assert_eq!(sent.method.as_str(), method);
        assert_eq!(
            sent.header("content-length").unwrap(),
            body.len().to_string()
        );
    }
    for method in ["POST", "PUT"] {
        let request = Request::with_method_name(method, "http://game.example/a");
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.header("content-length").unwrap(), "0", "{method}");
    }
}

#[test]
fn s39_content_given_twice_is_an_error_that_says_so() {
    let (_network, _server, mut agent) = world();
    let twice = Request::post("http://game.example/").text("a").json(&1);
    let error = agent.send(twice).unwrap_err();
    assert_eq!(*error.kind(), Misuse::ConflictingContent.into());
    let _ = RequestBody::none();
}
