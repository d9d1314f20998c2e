//! Every error says what failed, where, in which phase, after how many bytes, and whether another try may
//! help. It holds no secrets. Different failures have different kinds.

use httpoll::agent::RequestOptions;
use httpoll::memory::{ConnectError, MemoryNetwork};
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Phase, Request, RetryPolicy,
    error::{NetworkFault, PeerMisbehaved},
};

use crate::support::{address, run, script_closing, setup};

fn secret(host: &str) -> Request {
    Request::get(format!("http://me:hush@{host}/scores?hidden=key=hush#hush"))
        .header("Authorization", "Bearer hush")
        .header("X-Token", "hush")
        .cookie("sid", "hush")
}

#[test]
fn each_failure_has_its_origin_cause_phase_and_retryability() {
    let network = MemoryNetwork::new();
    network.add_name("refuses.example", &[address("10.9.0.5:80").ip()]);
    network.refuse(address("10.9.0.5:80"), ConnectError::Refused);
    for (name, at, answer) in [
        ("hangs-up.example", "10.9.0.6:80", &b""[..]),
        (
            "lies.example",
            "10.9.0.7:80",
            b"HTTP/1.1 200 OK\r\nno colon hush\r\n\r\n",
        ),
        (
            "cuts.example",
            "10.9.0.8:80",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhush",
        ),
        ("ssh.example", "10.9.0.9:80", b"SSH-2.0-hush\r\n"),
    ] {
        script_closing(&network, name, at, answer);
    }
    let mut agent = Agent::on_memory(&network);
    for (host, kind, phase, sends, receives, again) in [
        (
            "nobody.example",
            ErrorKind::Network(NetworkFault::Unresolved),
            Phase::Resolve,
            false,
            0,
            true,
        ),
        (
            "refuses.example",
            ErrorKind::Network(NetworkFault::ConnectFailed),
            Phase::Connect,
            false,
            0,
            true,
        ),
        (
            "hangs-up.example",
            ErrorKind::Network(NetworkFault::Closed),
            Phase::AwaitHead,
            true,
            0,
            true,
        ),
        (
            "lies.example",
            ErrorKind::Peer(PeerMisbehaved::InvalidHeader),
            Phase::AwaitHead,
            true,
            34,
            false,
        ),
        (
            "cuts.example",
            ErrorKind::Truncated {
                received: 4,
                expected: Some(10),
            },
            Phase::ReceiveBody,
            true,
            43,
            true,
        ),
        (
            "ssh.example",
            ErrorKind::Peer(PeerMisbehaved::NotHttp),
            Phase::AwaitHead,
            true,
            14,
            false,
        ),
    ] {
        let outcome = run(&network, &mut agent, secret(host));
        let error = outcome.error();
        assert_eq!(*error.kind(), kind, "{host}");
        assert_eq!(error.phase(), Some(phase), "{host}");
        assert_eq!(error.origin(), Some(format!("http://{host}").as_str()));
        assert_eq!(error.bytes_sent() > 0, sends, "{host}");
        assert_eq!(error.bytes_received(), receives, "{host}");
        assert_eq!(error.is_retryable(), again, "{host}");
        let text = format!("{error} {error:?} {:?}", std::error::Error::source(error));
        assert!(text.contains(host), "{text}");
        assert!(!text.contains("hush") && !text.contains("hidden"), "{text}");
    }
}

#[test]
fn no_secret_is_in_any_error_of_any_policy() {
    let (network, server, mut agent) = setup();
    let evil = MockServer::on(&network, "evil.example", 80);
    evil.any("/**").reply(MockResponse::ok());
    server
        .get("/circle")
        .reply(MockResponse::with_status(302).header("Location", "/circle?key=hush"));
    server
        .get("/bad")
        .reply(MockResponse::with_status(302).header("Location", "ftp://hush/"));
    server.get("/status").reply(
        MockResponse::with_status(403)
            .header("Set-Cookie", "a=hush")
            .text("hush"),
    );
    server.get("/coding").reply(
        MockResponse::ok()
            .header("Content-Encoding", "gzip")
            .text("hush"),
    );
    let get = |path: &str| Request::get(format!("http://me:hush@game.example{path}?key=hush"));
    for request in [
        get("/circle"),
        get("/bad"),
        get("/status").error_for_status(true),
        get("/coding"),
        get("/status").download_to("/nowhere/a\0/x"),
        get("/status").max_body(1),
    ] {
        let outcome = run(&network, &mut agent, request);
        let error = outcome.error();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(error.origin(), Some("http://game.example"), "{text}");
    }
}

#[test]
fn an_error_after_retries_is_that_of_the_last_attempt() {
    let network = MemoryNetwork::new();
    script_closing(&network, "game.example", "10.9.0.6:80", b"");
    let mut agent = Agent::builder()
        .defaults(RequestOptions::new().retries(RetryPolicy::standard()))
        .build_on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Network(NetworkFault::Closed)
    );
    assert_eq!(network.connections_to(address("10.9.0.6:80")), 4);
}

#[test]
fn a_response_that_came_is_not_lost_with_the_error() {
    let (network, server, mut agent) = setup();
    server.get("/").reply(
        MockResponse::ok()
            .header("X-A", "1")
            .bytes(vec![7; 1000])
            .cut_after(400),
    );
    let (_, response) = run(&network, &mut agent, Request::get("http://game.example/"))
        .result
        .unwrap_err();
    let response = response.unwrap();
    assert_eq!(
        (response.header("x-a"), response.body().len()),
        (Some("1"), 400)
    );
    // Also when the rest was requested in vain.
    for (path, retries) in [
        ("/once", RetryPolicy::default()),
        ("/again", RetryPolicy::standard()),
    ] {
        let cut = MockResponse::resource(vec![7; 1000])
            .etag("\"a\"")
            .cut_after(400);
        server
            .get(path)
            .reply(cut)
            .then_reply(MockResponse::raw(""));
        let request = Request::get(format!("http://game.example{path}"))
            .decompress(false)
            .retries(retries);
        let (_, response) = run(&network, &mut agent, request).result.unwrap_err();
        assert_eq!(response.unwrap().body().len(), 400, "{path}");
    }
    server
        .get("/no")
        .reply(MockResponse::with_status(403).text("why"));
    let request = Request::get("http://game.example/no").error_for_status(true);
    let (error, response) = run(&network, &mut agent, request).result.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Status(403));
    assert_eq!(response.unwrap().status().as_u16(), 403);
}
