//! The header fields of requests: defaults, merging, computed ones, and what cannot be injected.

use crate::support::{address, frames, run, script, setup, setup_with};
use httpoll::error::Misuse;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Request, redirect::RedirectPolicy};

#[test]
fn default_headers_are_replaced_as_a_whole() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    agent
        .set_headers([("X-A", "1")])
        .unwrap()
        .set_headers([("X-B", "2"), ("X-C", "3")])
        .unwrap();
    let error = agent
        .set_headers([("X-D", "4"), ("X-E", "a\r\nb")])
        .unwrap_err();
    assert_eq!(*error.kind(), Misuse::InvalidHeader.into());
    run(&network, &mut agent, Request::get("http://game.example/")).response();
    let sent = &server.requests()[0];
    assert_eq!(sent.header("x-b"), Some("2"));
    assert_eq!(sent.header("x-c"), Some("3"));
    assert!(sent.header("x-a").is_none() && sent.header("x-d").is_none());
}

#[test]
fn headers_are_merged_in_any_case_and_the_caller_wins() {
    let builder = Agent::builder()
        .header("Content-Type", "text/html")
        .unwrap()
        .header("X-Team", "red")
        .unwrap()
        .header("X-Kept", "1")
        .unwrap()
        .header("Accept", "image/png")
        .unwrap();
    let (network, server, mut agent) = setup_with(builder);
    server.any("/**").reply(MockResponse::ok());
    let request = Request::post("http://game.example/")
        .header("content-TYPE", "text/csv")
        .header("x-team", "blue")
        .header("X-TEAM", "green")
        .append_header("X-List", "a")
        .append_header("x-list", "b")
        .without_header("accept")
        .body("a,b");
    run(&network, &mut agent, request).response();
    let sent = &server.requests()[0];
    let all = |name: &str| sent.headers.get_all(name).collect::<Vec<_>>();
    assert_eq!(all("content-type"), [b"text/csv"]);
    assert_eq!(all("x-team"), [b"green"]);
    assert_eq!(all("x-kept"), [b"1"]);
    assert_eq!(all("x-list"), [b"a", b"b"]);
    assert!(all("accept").is_empty());
    assert_eq!(all("host").len(), 1);
}

#[test]
fn content_length_is_computed() {
    let builder = Agent::builder().header("content-length", "9").unwrap();
    let (network, server, mut agent) = setup_with(builder);
    server.any("/**").reply(MockResponse::ok());
    let request = Request::post("http://game.example/")
        .header("Content-Length", "1000")
        .append_header("CONTENT-LENGTH", "1")
        .body("four");
    run(&network, &mut agent, request).response();
    agent.set_headers([("Content-Length", "7")]).unwrap();
    run(
        &network,
        &mut agent,
        Request::post("http://game.example/").body("four"),
    )
    .response();
    for sent in server.requests() {
        assert_eq!(
            sent.headers.get_all("content-length").collect::<Vec<_>>(),
            [b"4"]
        );
        assert_eq!(sent.body, "four");
    }
}

#[test]
fn user_agents() {
    let sent = |builder: httpoll::agent::AgentBuilder, own: Option<&str>| {
        let (network, server, mut agent) = setup_with(builder);
        server.any("/**").reply(MockResponse::ok());
        let mut request = Request::get("http://game.example/");
        if let Some(own) = own {
            request = request.header("user-agent", own);
        }
        run(&network, &mut agent, request).response();
        let request = server.requests().pop().unwrap();
        request
            .headers
            .get_all("user-agent")
            .map(|it| String::from_utf8_lossy(it).into_owned())
            .collect::<Vec<_>>()
    };
    let ours = concat!("httpoll/", env!("CARGO_PKG_VERSION"));
    let named = || Agent::builder().user_agent("Game/1").unwrap();
    assert_eq!(sent(Agent::builder(), None), [ours]);
    assert_eq!(sent(named(), None), ["Game/1"]);
    assert_eq!(sent(named(), Some("Own/2")), ["Own/2"]);
    assert!(sent(Agent::builder().user_agent("").unwrap(), None).is_empty());
    let refused = Agent::builder().user_agent("a\r\nEvil: 1").err().unwrap();
    assert_eq!(*refused.kind(), Misuse::InvalidHeader.into());
}

#[test]
fn referer_after_a_redirect() {
    let (network, server, mut agent) = setup();
    let other = MockServer::on(&network, "other.example", 80);
    server
        .get("/a")
        .reply(MockResponse::with_status(302).header("Location", "/b"));
    server.get("/b").reply(MockResponse::ok());
    let request = Request::get("http://u:p@game.example/a?q=1#part");
    run(&network, &mut agent, request).response();
    let sent = server.requests();
    assert_eq!(sent[0].header("referer"), None);
    assert_eq!(sent[1].header("referer"), Some("http://game.example/a?q=1"));
    let own = Request::get("http://game.example/a").header("Referer", "http://own.example/");
    run(&network, &mut agent, own).response();
    assert_eq!(
        server.requests()[2].header("referer"),
        Some("http://own.example/")
    );
    assert_eq!(
        server.requests()[3].header("referer"),
        Some("http://own.example/")
    );
    let mut renewing = RedirectPolicy::up_to(3);
    renewing.renew_referer = true;
    let own = Request::get("http://game.example/a").header("Referer", "http://own.example/");
    run(&network, &mut agent, own.redirects(renewing)).response();
    let sent = server.requests();
    assert_eq!(sent[4].header("referer"), Some("http://own.example/"));
    assert_eq!(sent[5].header("referer"), Some("http://game.example/a"));
    drop(other);
}

#[test]
fn cookies_of_the_caller_are_one_line() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::get("http://game.example/")
        .cookie("a", "1")
        .cookie("b", "x=y")
        .header("Cookie", "z=0");
    run(&network, &mut agent, request).response();
    let sent = &server.requests()[0];
    let lines: Vec<_> = sent.headers.get_all("cookie").collect();
    assert_eq!(lines, [b"z=0; a=1; b=x=y"]);
    assert!(sent.header("set-cookie").is_none());
    for (name, value) in [
        ("a", "1; b=2"),
        ("a", "1\r\nEvil: 1"),
        ("a=b", "1"),
        ("", "1"),
        ("a", "\0"),
    ] {
        let request = Request::get("http://game.example/").cookie(name, value);
        let error = agent.send(request).unwrap_err();
        assert_eq!(
            *error.kind(),
            Misuse::InvalidHeader.into(),
            "{name:?} {value:?}"
        );
    }
}

#[test]
fn connection_close_is_sent_and_obeyed() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for _ in 0..2 {
        let request = Request::get("http://game.example/").header("Connection", "close");
        run(&network, &mut agent, request).response();
    }
    assert_eq!(server.connections().opened, 2);
    frames(&network, &mut agent, 2);
    assert_eq!(network.open_connections(), 0);
}

#[test]
fn connections_are_kept_whatever_the_case_of_keep_alive() {
    for line in [
        "",
        "Connection: Keep-Alive\r\n",
        "Connection: foo, KEEP-ALIVE\r\n",
    ] {
        let network = MemoryNetwork::new();
        let answer = format!("HTTP/1.1 200 OK\r\n{line}Content-Length: 2\r\n\r\nhi");
        script(
            &network,
            "game.example",
            "10.0.0.1:80",
            &[answer.as_bytes()],
        );
        let mut agent = Agent::on_memory(&network);
        for expected in [false, true] {
            let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
            assert_eq!(outcome.response().connection().unwrap().reused, expected);
        }
        assert_eq!(network.connections_to(address("10.0.0.1:80")), 1, "{line}");
    }
}

#[test]
fn long_lines_are_sent_whole() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let long = "x".repeat(12_000);
    let request = Request::get(format!("http://game.example/?{long}")).header("X-Long", &long);
    run(&network, &mut agent, request).response();
    let sent = &server.requests()[0];
    assert_eq!(sent.target.len(), 12_002);
    assert_eq!(sent.header("x-long").unwrap().len(), 12_000);
}

#[test]
fn headers_that_would_inject_are_refused_and_spaces_kept() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for (name, value) in [
        ("X", "a\r\nEvil: 1"),
        ("X", "a\nb"),
        ("X", "a\0b"),
        ("X: y\r\nEvil", "1"),
        ("X Y", "1"),
        ("", "1"),
        ("X\u{e4}", "1"),
    ] {
        let request = Request::get("http://game.example/").header(name, value);
        let error = agent.send(request).unwrap_err();
        assert_eq!(*error.kind(), Misuse::InvalidHeader.into(), "{name:?}");
        let error = Agent::builder().header(name, value).err().unwrap();
        assert_eq!(*error.kind(), Misuse::InvalidHeader.into(), "{name:?}");
        let request = Request::get("http://game.example/").secret_header(name, value);
        let error = agent.send(request).unwrap_err();
        assert_eq!(*error.kind(), Misuse::InvalidHeader.into(), "{name:?}");
    }
    let request = Request::get("http://game.example/").header("X-Spaces", "  a   b\t");
    run(&network, &mut agent, request).response();
    assert_eq!(server.requests()[0].header("x-spaces"), Some("a   b"));
}
