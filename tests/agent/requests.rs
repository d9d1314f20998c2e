//! What a request puts on the wire, and what comes back.

use httpoll::error::{Misuse, NetworkFault};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Request, redirect::RedirectPolicy};

use crate::support::{address, finish, frames, run, script, setup, setup_with};

#[test]
fn get_sends_no_body_and_answers_one_response() {
    let (network, server, mut agent) = setup();
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
fn a_host_that_cannot_be_reached_is_an_error_value() {
    let (network, _server, mut agent) = setup();
    let outcome = run(&network, &mut agent, Request::get("http://nobody.example/"));
    let error = outcome.error();
    assert_eq!(error.kind(), &ErrorKind::Network(NetworkFault::Unresolved));
    assert!(error.to_string().contains("nobody.example"), "{error}");
}

#[test]
fn bodies_go_out_verbatim_with_their_length() {
    let (network, server, mut agent) = setup();
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
fn content_given_twice_is_an_error() {
    let (_network, _server, mut agent) = setup();
    let twice = Request::post("http://game.example/").text("a").json(&1);
    let error = agent.send(twice).unwrap_err();
    assert_eq!(*error.kind(), Misuse::ConflictingContent.into());
}

#[test]
fn each_verb_and_no_content_unless_given() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let url = "http://game.example/a";
    for (request, method) in [
        (Request::get(url), "GET"),
        (Request::head(url), "HEAD"),
        (Request::delete(url), "DELETE"),
        (Request::options(url), "OPTIONS"),
        (Request::trace(url), "TRACE"),
        (Request::patch(url), "PATCH"),
    ] {
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.method.as_str(), method);
        assert_eq!(sent.body, "");
        assert!(sent.headers.get("transfer-encoding").is_none(), "{method}");
    }
}

#[test]
fn a_head_response_has_a_length_and_no_content() {
    let network = MemoryNetwork::new();
    let answers: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ];
    script(&network, "game.example", "10.0.0.1:80", &answers);
    let mut agent = Agent::on_memory(&network);
    let outcome = run(&network, &mut agent, Request::head("http://game.example/"));
    assert_eq!(outcome.response().header("content-length"), Some("500"));
    assert_eq!(outcome.response().body(), "");
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().body(), "hi");
    assert_eq!(network.connections_to(address("10.0.0.1:80")), 1, "reused");
}

#[test]
fn methods_by_name() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for (name, method) in [("get", "GET"), ("Post", "POST"), ("Purge", "Purge")] {
        let request = Request::with_method_name(name, "http://game.example/");
        run(&network, &mut agent, request).response();
        assert_eq!(server.requests().pop().unwrap().method.as_str(), method);
    }
    for name in ["", "a b", "G\r\nET", "GET\0"] {
        let request = Request::with_method_name(name, "http://game.example/");
        let error = agent.send(request).unwrap_err();
        assert_eq!(*error.kind(), Misuse::InvalidMethod.into(), "{name:?}");
    }
}

#[test]
fn invalid_urls_are_refused_before_a_connection_is_opened() {
    let (network, server, mut agent) = setup();
    for url in [
        "",
        " ",
        "/scores",
        "ftp://game.example/",
        "file:///etc/passwd",
        "javascript://game.example/%0aalert(1)",
        "http://",
        "http://game.example:99999/",
        "http://[::1/",
        "http://a b/",
        "http://game.example\0/",
    ] {
        let error = agent.get(url).send().unwrap_err();
        assert!(error.is_misuse(), "{url}: {error}");
        assert!(!error.to_string().is_empty());
    }
    assert!(frames(&network, &mut agent, 3).is_empty());
    assert_eq!(server.connections().opened, 0);
}

#[test]
fn base_urls() {
    for (base, reference, target) in [
        ("http://game.example/api", "users", "/api/users"),
        ("http://game.example/api", "/users", "/api/users"),
        ("http://game.example/api/", "/users", "/api/users"),
        ("http://game.example/api/", "users?a=b", "/api/users?a=b"),
        ("http://game.example", "users", "/users"),
        (
            "http://game.example/api",
            "http://game.example/api/users",
            "/api/users",
        ),
        (
            "http://game.example/api",
            "http://game.example/apix",
            "/apix",
        ),
        // A mod's reference does not leave the base's host.
        (
            "http://game.example/api",
            "//evil.example/x",
            "/api/evil.example/x",
        ),
        (
            "http://game.example/api",
            "\\\\evil.example\\x",
            "/api/evil.example/x",
        ),
        (
            "http://game.example/api",
            "@evil.example/",
            "/api/@evil.example/",
        ),
    ] {
        let builder = Agent::builder().base_url(base).unwrap();
        let (network, server, mut agent) = setup_with(builder);
        server.any("/**").reply(MockResponse::ok());
        run(&network, &mut agent, Request::get(reference)).response();
        assert_eq!(server.requests()[0].target, target, "{base} {reference}");
    }
    for base in ["users", "ftp://h/", "http://h/?a=b", ""] {
        let error = Agent::builder().base_url(base).unwrap_err();
        assert_eq!(*error.kind(), Misuse::InvalidUrl.into(), "{base}");
    }
}

#[test]
fn an_absolute_url_bypasses_the_base() {
    let builder = Agent::builder()
        .base_url("http://game.example/api")
        .unwrap();
    let (network, server, mut agent) = setup_with(builder);
    let other = MockServer::on(&network, "other.example", 80);
    other.get("/x").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("http://other.example/x")).response();
    assert_eq!((other.requests().len(), server.requests().len()), (1, 0));
}

#[test]
fn a_default_agent_follows_redirects() {
    assert!(httpoll::redirect::RedirectPolicy::default().follow);
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(302).header("Location", "/b"));
    server.get("/b").reply(MockResponse::ok());
    let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
    assert_eq!(outcome.response().status().as_u16(), 200);
}

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
fn a_default_host_is_where_relative_urls_go_and_no_other() {
    let builder = Agent::builder().header("Host", "game.example").unwrap();
    let (network, server, mut agent) = setup_with(builder);
    let other = MockServer::on(&network, "other.example", 80);
    server.any("/**").reply(MockResponse::ok());
    other.any("/**").reply(MockResponse::ok());
    run(&network, &mut agent, Request::get("/current-user")).response();
    let sent = &server.requests()[0];
    assert_eq!(
        (sent.target.as_str(), sent.header("host")),
        ("/current-user", Some("game.example"))
    );
    run(&network, &mut agent, Request::get("http://other.example/")).response();
    assert_eq!(other.requests()[0].header("host"), Some("other.example"));
    let own = Request::get("http://other.example/").header("Host", "third.example");
    run(&network, &mut agent, own).response();
    assert_eq!(other.requests()[1].header("host"), Some("third.example"));
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
    assert!(Agent::builder().user_agent("a\r\nEvil: 1").is_err());
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
fn queries_are_encoded_and_joined() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for (request, target) in [
        (Request::get("http://game.example").query("a", 1), "/?a=1"),
        (
            Request::get("http://game.example/x?a=1").query("b", "2 3"),
            "/x?a=1&b=2%203",
        ),
        (
            Request::get("http://game.example/x?").query("b", "&=#?/"),
            "/x?b=%26%3D%23%3F%2F",
        ),
        (
            Request::get("http://game.example/x#f").query("\u{e4}", "\u{1f600}"),
            "/x?%C3%A4=%F0%9F%98%80",
        ),
        (
            Request::get("http://game.example/")
                .query_flag("v")
                .query("e", ""),
            "/?v&e=",
        ),
        (
            Request::get("http://game.example/").query_pairs([("k", 1), ("k", 2)]),
            "/?k=1&k=2",
        ),
        (
            Request::get("http://game.example/").query("a", "\r\nX: y"),
            "/?a=%0D%0AX%3A%20y",
        ),
    ] {
        run(&network, &mut agent, request).response();
        assert_eq!(server.requests().pop().unwrap().target, target);
    }
}

#[test]
fn host_port_and_path_come_from_the_url() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let other_port = MockServer::on(&network, "game.example", 8080);
    let literal = MockServer::on(&network, "[2001:db8::1]", 80);
    let mut agent = Agent::on_memory(&network);
    for (url, server, host, target) in [
        ("http://game.example", &server, "game.example", "/"),
        ("HTTP://GAME.example:80/A", &server, "game.example", "/A"),
        (
            "http://game.example:8080/a",
            &other_port,
            "game.example:8080",
            "/a",
        ),
        (
            "http://[2001:db8::1]/a b",
            &literal,
            "[2001:db8::1]",
            "/a%20b",
        ),
        (
            "http://u:p@game.example/\u{e4}",
            &server,
            "game.example",
            "/%C3%A4",
        ),
        (
            "http://game.example/a/../b/./c",
            &server,
            "game.example",
            "/b/c",
        ),
    ] {
        server.any("/**").reply(MockResponse::ok());
        run(&network, &mut agent, Request::get(url)).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(
            (sent.header("host"), sent.target.as_str()),
            (Some(host), target),
            "{url}"
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
        assert!(Agent::builder().header(name, value).is_err());
        let request = Request::get("http://game.example/").secret_header(name, value);
        assert!(agent.send(request).is_err());
    }
    let request = Request::get("http://game.example/").header("X-Spaces", "  a   b\t");
    run(&network, &mut agent, request).response();
    assert_eq!(server.requests()[0].header("x-spaces"), Some("a   b"));
}

#[test]
fn a_given_target_cannot_inject() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    for target in ["/a b", "/a\r\nEvil: 1", "/\0", ""] {
        let request = Request::get("http://game.example/").request_target(target);
        let result = agent.send(request).map(|handle| {
            finish(&network, &mut agent, &handle)
                .result
                .map_err(|it| it.0)
        });
        let error = match result {
            Err(error) => error,
            Ok(result) => result.unwrap_err(),
        };
        assert!(error.is_misuse(), "{target:?}: {error}");
    }
    let request = Request::get("http://game.example/").request_target("/../a//%zz");
    run(&network, &mut agent, request).response();
    assert_eq!(server.requests()[0].target, "/../a//%zz");
}

#[test]
fn international_names() {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "xn--spiel-mnchen-jlb.example", 80);
    server.any("/**").reply(MockResponse::ok());
    let mut agent = Agent::on_memory(&network);
    run(
        &network,
        &mut agent,
        Request::get("http://spiel-m\u{fc}nchen.example/\u{fc}"),
    )
    .response();
    assert_eq!(server.requests()[0].target, "/%C3%BC");
}

#[test]
fn nothing_happens_outside_of_polls() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let handle = agent.get("http://game.example/").send().unwrap();
    network.advance(std::time::Duration::from_secs(5));
    assert!(agent.next_event().is_none());
    assert_eq!(server.connections().opened, 0);
    finish(&network, &mut agent, &handle).response();
}

#[test]
fn connect_is_for_proxies() {
    // RFC 9110 §9.3.6: there is no way to go on with a tunnel.
    let (network, server, mut agent) = setup();
    server.any("**").reply(MockResponse::ok());
    let request = Request::new(http::Method::CONNECT, "http://game.example/");
    let error = match agent.send(request) {
        Err(error) => error,
        Ok(handle) => finish(&network, &mut agent, &handle).result.unwrap_err().0,
    };
    assert!(error.is_misuse(), "{error}");
}

#[cfg(feature = "cache")]
#[test]
fn a_response_to_another_target_is_not_stored_under_the_url() {
    let (network, server, mut agent) =
        setup_with(Agent::builder().cache(std::sync::Arc::default()));
    let stored = |text: &str| {
        MockResponse::ok()
            .header("Cache-Control", "max-age=60")
            .text(text)
    };
    server.get("/page").reply(stored("page"));
    server.get("/other").reply(stored("other"));
    let page = || Request::get("http://game.example/page");
    for beside in [
        page().request_target("/other"),
        page().header("Host", "elsewhere.example"),
    ] {
        run(&network, &mut agent, beside).response();
    }
    let outcome = run(&network, &mut agent, page());
    assert!(!outcome.response().is_from_cache());
    assert_eq!(outcome.response().text(), "page");
    let outcome = run(&network, &mut agent, page());
    assert!(outcome.response().is_from_cache());
}
