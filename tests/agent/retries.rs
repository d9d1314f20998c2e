//! Retries: when, how often, after which delay, and when never (RFC 9110 §9.2.2, §10.2.3).

use std::time::Duration;

use http::StatusCode;
use httpoll::agent::RequestOptions;
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{FaultRates, MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Event, Request, RetryPolicy, agent::RetryCause, node::RequestBody,
};

use crate::support::{FRAME, Outcome, address, run, script_closing, setup, setup_with};

/// Three retries, exactly 100, 200 and 400 ms apart.
pub(crate) fn policy() -> RetryPolicy {
    let mut policy = RetryPolicy::standard();
    policy.jitter = false;
    policy.base_delay = Duration::from_millis(100);
    policy
}

fn retries(outcome: &Outcome) -> Vec<(u32, Duration)> {
    outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::WillRetry { attempt, after, .. } => Some((*attempt, *after)),
            _ => None,
        })
        .collect()
}

#[test]
fn retries_by_status_and_method() {
    for (section, method, status, key, again) in [
        ("RFC 9110 §9.2.2", "GET", 503, false, true),
        ("RFC 9110 §9.2.2", "PUT", 503, false, true),
        ("RFC 9110 §9.2.2", "DELETE", 500, false, true),
        ("RFC 9110 §9.2.2", "HEAD", 502, false, true),
        ("RFC 9110 §9.2.2", "OPTIONS", 504, false, true),
        ("RFC 9110 §9.2.2", "TRACE", 504, false, true),
        ("RFC 9110 §9.2.2", "POST", 503, false, false),
        ("RFC 9110 §9.2.2", "PATCH", 503, false, false),
        ("RFC 9110 §9.2.2", "PURGE", 503, false, false),
        ("Idempotency-Key draft", "POST", 503, true, true),
        ("RFC 6585 §4", "GET", 429, false, true),
        ("RFC 9110 §15.5.9", "GET", 408, false, true),
        ("RFC 9110 §15.5", "GET", 404, false, false),
        ("RFC 9110 §15.6.2", "GET", 501, false, false),
        ("RFC 9110 §15.3", "GET", 200, false, false),
    ] {
        let (network, server, mut agent) = setup();
        server
            .any("/**")
            .reply(MockResponse::with_status(status))
            .then_reply(MockResponse::ok());
        let mut request =
            Request::with_method_name(method, "http://game.example/").retries(policy());
        if key {
            request = request.header("Idempotency-Key", "7");
        }
        let outcome = run(&network, &mut agent, request);
        let expected = if again { 200 } else { status };
        assert_eq!(
            outcome.response().status().as_u16(),
            expected,
            "{section} {method} {status}"
        );
        assert_eq!(outcome.response().attempts(), 1 + u32::from(again));
        assert_eq!(server.requests().len(), 1 + usize::from(again));
    }
}

#[test]
fn retries_are_off_by_default() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::with_status(503));
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().status().as_u16(), 503);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn delays_double_and_end_with_the_last_response() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::with_status(503).text("busy"));
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").retries(policy()),
    );
    let millis = Duration::from_millis;
    assert_eq!(
        retries(&outcome),
        [(1, millis(100)), (2, millis(200)), (3, millis(400))]
    );
    assert_eq!(
        (
            outcome.response().status().as_u16(),
            outcome.response().text()
        ),
        (503, "busy".to_owned())
    );
    assert_eq!(outcome.response().attempts(), 4);
    let times: Vec<_> = server.requests().iter().map(|it| it.at).collect();
    for (pair, delay) in times.windows(2).zip([100, 200, 400]) {
        let passed = pair[1] - pair[0];
        assert!(
            passed >= millis(delay) && passed <= millis(delay) + 2 * FRAME,
            "{passed:?}"
        );
    }
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn full_jitter_stays_below_its_bounds() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(MockResponse::with_status(503));
    let mut jitter = policy();
    jitter.jitter = true;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").retries(jitter.clone()),
        );
        for ((_, after), most) in retries(&outcome).into_iter().zip([100, 200, 400]) {
            assert!(after <= Duration::from_millis(most));
            seen.insert(after);
        }
    }
    assert!(seen.len() > 10, "they differ");
}

#[test]
fn retry_after_in_both_forms() {
    // RFC 9110 §10.2.3. The virtual year begins on Thursday, 1 January 2026.
    for (section, value, at_least, at_most) in [
        ("RFC 9110 §10.2.3 delay-seconds", "2", 2000, 2050),
        (
            "RFC 9110 §10.2.3 HTTP-date",
            "Thu, 01 Jan 2026 00:00:05 GMT",
            4900,
            5050,
        ),
        (
            "RFC 9110 §10.2.3, past",
            "Thu, 01 Jan 2015 00:00:05 GMT",
            100,
            150,
        ),
        ("RFC 9110 §10.2.3, less than the delay", "0", 100, 150),
        ("malformed", "soon", 100, 150),
        ("malformed", "-1", 100, 150),
    ] {
        let (network, server, mut agent) = setup();
        let busy = MockResponse::with_status(503).header("Retry-After", value);
        server.get("/").reply(busy).then_reply(MockResponse::ok());
        let began = network.now();
        run(
            &network,
            &mut agent,
            Request::get("http://game.example/").retries(policy()),
        )
        .response();
        let passed = (network.now() - began).as_millis();
        assert!(
            (at_least..=at_most).contains(&passed),
            "{section} {value}: {passed}"
        );
    }
}

#[test]
fn a_retry_after_beyond_reason_is_final() {
    for value in [
        "61",
        "99999999999999999999999",
        "Fri, 01 Jan 2100 00:00:00 GMT",
    ] {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(MockResponse::with_status(429).header("Retry-After", value));
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/").retries(policy()),
        );
        assert_eq!(outcome.response().status().as_u16(), 429);
        assert_eq!(server.requests().len(), 1, "{value}");
    }
}

#[test]
fn no_retry_begins_after_the_window() {
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::with_status(503).delay(Duration::from_secs(5)));
    let mut short = policy();
    short.window = Duration::from_secs(12);
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").retries(short),
    );
    assert_eq!(outcome.response().attempts(), 3);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn failures_by_how_far_the_request_came() {
    let network = MemoryNetwork::new();
    script_closing(&network, "hangs-up.example", "10.9.0.2:80", b"");
    script_closing(
        &network,
        "cuts.example",
        "10.9.0.3:80",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    );
    script_closing(
        &network,
        "lies.example",
        "10.9.0.4:80",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    );
    network.add_name("refuses.example", &[address("10.9.0.5:80").ip()]);
    network.refuse(address("10.9.0.5:80"), ConnectError::Refused);
    let mut agent = Agent::on_memory(&network);
    for (section, method, host, attempts) in [
        ("RFC 9110 §9.2.2: never sent", "POST", "refuses.example", 4),
        ("RFC 9110 §9.2.2: never sent", "POST", "nobody.example", 4),
        ("RFC 9112 §9.3.1", "GET", "hangs-up.example", 4),
        (
            "RFC 9110 §9.2.2: may have been processed",
            "POST",
            "hangs-up.example",
            1,
        ),
        ("RFC 9112 §8", "GET", "cuts.example", 4),
        ("RFC 9112 §8", "POST", "cuts.example", 1),
        ("RFC 9112 §2.1: it will lie again", "GET", "lies.example", 1),
    ] {
        let request = Request::with_method_name(method, format!("http://{host}/"))
            .body("x")
            .retries(policy());
        let outcome = run(&network, &mut agent, request);
        assert_eq!(
            retries(&outcome).len() + 1,
            attempts,
            "{section} {method} {host}: {}",
            outcome.error()
        );
        for event in &outcome.events {
            if let Event::WillRetry {
                cause: RetryCause::Error(cause),
                ..
            } = event
            {
                assert_eq!(cause.kind(), outcome.error().kind());
            }
        }
    }
}

#[test]
fn content_that_only_a_reader_knows_is_not_sent_again() {
    let (network, server, mut agent) = setup();
    server.put("/").reply(MockResponse::with_status(503));
    let body = RequestBody::reader(&b"abc"[..], Some(3));
    let request = Request::put("http://game.example/")
        .body(body)
        .retries(policy());
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().status().as_u16(), 503);
    assert_eq!(server.requests().len(), 1);
    // But one that was never begun is.
    let request = Request::put("http://nobody.example/")
        .body(RequestBody::reader(&b"abc"[..], Some(3)))
        .retries(policy());
    assert_eq!(retries(&run(&network, &mut agent, request)).len(), 3);
}

#[test]
fn chosen_statuses_and_methods() {
    let (network, server, mut agent) = setup();
    server
        .any("/")
        .reply(MockResponse::with_status(418))
        .then_reply(MockResponse::ok());
    let mut own = policy();
    own.statuses = vec![StatusCode::IM_A_TEAPOT];
    own.non_idempotent = true;
    let request = Request::post("http://game.example/")
        .body("tea")
        .retries(own);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().status().as_u16(), 200);
    assert_eq!(server.requests()[1].text(), "tea");
}

#[test]
fn seeded_faults_are_survived_and_repeat_exactly() {
    let play = || {
        let (network, server, mut agent) = setup();
        server
            .get("/")
            .reply(MockResponse::ok().bytes(crate::support::pattern(5000)));
        let rates = FaultRates::with(|it| {
            it.refuse = 0.2;
            it.unavailable = 0.1;
            it.cut = 0.1;
            it.reset = 0.2;
            it.delay = 0.1;
            it.drip = 0.1;
        });
        server.faults(11, rates);
        let mut many = policy();
        many.retries = 20;
        (0..30)
            .map(|_| {
                let request = Request::get("http://game.example/").retries(many.clone());
                let outcome = run(&network, &mut agent, request);
                assert_eq!(*outcome.response().body(), crate::support::pattern(5000));
                outcome.response().attempts()
            })
            .collect::<Vec<_>>()
    };
    let first = play();
    assert!(first.iter().any(|attempts| *attempts > 1));
    assert_eq!(first, play());
}

#[test]
fn jitter_repeats_exactly_on_the_in_memory_network() {
    let play = || {
        let (network, server, mut agent) = setup();
        server.get("/").reply(MockResponse::with_status(503));
        let request = Request::get("http://game.example/").retries(RetryPolicy::standard());
        retries(&run(&network, &mut agent, request))
    };
    let first = play();
    assert_eq!(first.len(), 3);
    assert_eq!(first, play());
}

#[test]
fn the_next_host_is_asked_when_one_fails() {
    let (network, server, mut agent) = setup();
    let second = MockServer::on(&network, "b.example", 80);
    server.any("/x").reply(MockResponse::with_status(502));
    server.any("/**").reply(MockResponse::ok());
    second.any("/**").reply(MockResponse::ok().text("b"));
    for (url, origins, method, expected) in [
        (
            "http://game.example/x?q=1",
            vec!["http://b.example"],
            "GET",
            200,
        ),
        (
            "http://nobody.example/x?q=1",
            vec!["http://none.example", "http://b.example"],
            "GET",
            200,
        ),
        // RFC 9110 §9.2.2.
        (
            "http://game.example/x?q=1",
            vec!["http://b.example"],
            "POST",
            502,
        ),
    ] {
        // A new agent each time: one remembers which host worked.
        agent = Agent::on_memory(&network);
        let request = Request::with_method_name(method, url).fail_over(origins);
        let outcome = run(&network, &mut agent, request);
        assert_eq!(
            outcome.response().status().as_u16(),
            expected,
            "{url} {method}"
        );
        if expected == 200 {
            let sent = second.requests().pop().unwrap();
            assert_eq!(
                (sent.target.as_str(), sent.header("host")),
                ("/x?q=1", Some("b.example"))
            );
            assert_eq!(
                outcome.response().url().unwrap().as_str(),
                "http://b.example/x?q=1"
            );
        }
    }
    for origin in ["", "b.example", "ftp://b.example", "mailto:a@b.example"] {
        let request = Request::get("http://game.example/").fail_over([origin]);
        assert!(agent.send(request).unwrap_err().is_misuse(), "{origin}");
    }
}

#[test]
fn the_total_timeout_holds_over_retries() {
    let (network, server, mut agent) = setup_with(
        Agent::builder().defaults(RequestOptions::new().total_timeout(Duration::from_millis(250))),
    );
    server.get("/").reply(MockResponse::with_status(503));
    let began = network.now();
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/").retries(policy()),
    );
    assert!(
        matches!(outcome.error().kind(), ErrorKind::TotalTimeout(_)),
        "{}",
        outcome.error()
    );
    assert!(network.now() - began <= Duration::from_millis(260));
}

#[test]
fn the_host_that_worked_is_asked_first_the_next_time() {
    let (network, first, mut agent) = setup();
    let second = MockServer::on(&network, "b.example", 80);
    first.any("/**").reply(MockResponse::with_status(503));
    second.any("/**").reply(MockResponse::ok());
    for _ in 0..3 {
        let request = Request::get("http://game.example/").fail_over(["http://b.example"]);
        run(&network, &mut agent, request).response();
    }
    assert_eq!(first.requests().len(), 1);
    assert_eq!(second.requests().len(), 3);
}

#[test]
fn a_408_on_a_kept_connection_is_repeated_once_over_a_new_one() {
    // The server gave up waiting on its first connection, just when the second request was sent.
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok().text("first"))
        .then_reply(MockResponse::with_status(408).header("Connection", "close"))
        .then_reply(MockResponse::ok().text("second"));
    let get = || Request::get("http://game.example/");
    assert_eq!(run(&network, &mut agent, get()).response().text(), "first");
    let outcome = run(&network, &mut agent, get());
    assert_eq!(outcome.response().text(), "second");
    assert_eq!(server.connections().opened, 2);
    // On a new connection it is the response, and it is repeated once only.
    let (network, server, mut agent) = setup();
    server
        .get("/")
        .reply(MockResponse::ok())
        .then_reply(MockResponse::with_status(408));
    run(&network, &mut agent, get()).response();
    assert_eq!(
        run(&network, &mut agent, get())
            .response()
            .status()
            .as_u16(),
        408
    );
    assert_eq!(server.requests().len(), 3);
    let (network, server, mut agent) = setup();
    server
        .post("/")
        .reply(MockResponse::ok())
        .then_reply(MockResponse::with_status(408));
    let post = || Request::post("http://game.example/").text("x");
    run(&network, &mut agent, post()).response();
    assert_eq!(
        run(&network, &mut agent, post())
            .response()
            .status()
            .as_u16(),
        408
    );
    assert_eq!(server.requests().len(), 2);
}
