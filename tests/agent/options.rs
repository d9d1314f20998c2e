//! Options have the same meaning as an agent's default and on a request; the verbs of the agent; what a
//! request shows of itself.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::mock::MockResponse;
use httpoll::{Agent, ErrorKind, Event, Request};

use crate::support::{chunks, finish, pattern, run, setup, setup_with};

#[test]
fn a_request_overrides_the_defaults_of_the_agent_and_keeps_the_others() {
    let defaults = RequestOptions::new().error_for_status(true).max_body(100);
    let (network, server, mut agent) = setup_with(Agent::builder().defaults(defaults));
    server.get("/missing").reply(MockResponse::with_status(404));
    server
        .get("/large")
        .reply(MockResponse::ok().bytes(pattern(1000)));
    let get = |path: &str| Request::get(format!("http://game.example{path}"));
    let outcome = run(&network, &mut agent, get("/missing"));
    assert_eq!(outcome.error().kind(), &ErrorKind::Status(404));
    let lenient = RequestOptions::new().error_for_status(false);
    let outcome = run(
        &network,
        &mut agent,
        get("/missing").with_options(lenient.clone()),
    );
    assert_eq!(outcome.response().status().as_u16(), 404);
    let outcome = run(&network, &mut agent, get("/large").with_options(lenient));
    assert!(matches!(outcome.error().kind(), ErrorKind::Limit(_)));
    // The later of two values counts, in whichever form it is given.
    let larger = RequestOptions::new().max_body(2000);
    let outcome = run(
        &network,
        &mut agent,
        get("/large").max_body(10).with_options(larger),
    );
    assert_eq!(outcome.response().body().len(), 1000);
}

#[test]
fn later_defaults_of_an_agent_keep_the_earlier_ones() {
    let builder = Agent::builder()
        .defaults(RequestOptions::new().error_for_status(true))
        .defaults(RequestOptions::new().total_timeout(Duration::from_secs(5)));
    let (network, server, mut agent) = setup_with(builder);
    server.any("/").reply(MockResponse::with_status(500));
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.error().kind(), &ErrorKind::Status(500));
}

#[test]
fn each_verb_of_the_agent_sends_its_method() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let url = "http://game.example/";
    let handles = [
        agent.get(url).query("a", 1).send().unwrap(),
        agent.head(url).send().unwrap(),
        agent.post(url).json(&[1, 2]).send().unwrap(),
        agent.put(url).text("x").send().unwrap(),
        agent.patch(url).text("x").send().unwrap(),
        agent.delete(url).send().unwrap(),
        agent.request(http::Method::OPTIONS, url).send().unwrap(),
    ];
    for handle in &handles {
        finish(&network, &mut agent, handle).response();
    }
    let mut methods: Vec<String> = server
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect();
    methods.sort();
    assert_eq!(
        methods,
        [
            "DELETE /",
            "GET /?a=1",
            "HEAD /",
            "OPTIONS /",
            "PATCH /",
            "POST /",
            "PUT /"
        ]
    );
}

#[test]
fn a_request_of_a_verb_that_is_invalid_fails_when_it_is_sent() {
    let (_network, _server, mut agent) = setup();
    let error = agent
        .get("http://game.example/")
        .header("a b", "c")
        .send()
        .unwrap_err();
    assert!(error.is_misuse());
}

#[test]
fn chunks_of_a_stream_are_no_larger_than_wanted() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().bytes(pattern(100_000)));
    let request = Request::get("http://game.example/")
        .stream()
        .stream_chunk(1000);
    let outcome = run(&network, &mut agent, request);
    let sizes: Vec<usize> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Chunk { bytes, .. } => Some(bytes.len()),
            _ => None,
        })
        .collect();
    assert!(sizes.len() >= 100 && sizes.iter().all(|size| (1..=1000).contains(size)));
    assert!(chunks(&outcome.events) == pattern(100_000));
}

#[test]
fn a_request_shows_itself_without_secrets() {
    let request = Request::post("http://me:hush@game.example/a?key=hush#hush")
        .query("token", "hush")
        .header("Authorization", "Bearer hush")
        .header("Accept", "text/plain")
        .secret_header("X-Api-Key", "hush")
        .cookie("sid", "hush")
        .text("hush");
    assert_eq!(
        request.to_string(),
        "POST http://game.example/a?(hidden)\nAccept: text/plain\n"
    );
    let json = request.to_json();
    assert_eq!(json["method"], "POST");
    assert_eq!(json["url"], "http://game.example/a?(hidden)");
    assert_eq!(json["headers"][0][0], "Accept");
    assert_eq!(json["headers"].as_array().unwrap().len(), 1);
    for text in [json.to_string(), format!("{request:?}")] {
        assert!(!text.contains("hush"), "{text}");
    }
    // A URL without a scheme, as below a base URL, and one that is not valid.
    assert_eq!(Request::get("scores").to_string(), "GET scores\n");
    let invalid = Request::get("http://me:hu/sh@game.example/");
    assert!(!format!("{invalid} {invalid:?}").contains("hu/sh"));
}

#[test]
fn an_error_that_main_returns_prints_its_text() {
    let (network, _server, mut agent) = setup();
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://nowhere.example/"),
    );
    let error = outcome.error();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(format!("{error:#?}").contains("bytes_sent"));
}
