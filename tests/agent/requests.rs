//! What a request puts on the wire, and what comes back.

use httpoll::error::{Misuse, NetworkFault};
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Request};

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
        assert_eq!(*error.kind(), Misuse::InvalidUrl.into(), "{url}: {error}");
        // It names what was given, so that one of many requests can be found.
        let given = (!url.is_empty()).then(|| url.replace('\0', "\u{fffd}"));
        assert_eq!(error.url(), given.as_deref(), "{error}");
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
    // RFC 9110 §9.3.6: the agent has no use for a tunnel as a response.
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
    for other in [
        page().request_target("/other"),
        page().header("Host", "elsewhere.example"),
    ] {
        run(&network, &mut agent, other).response();
    }
    let outcome = run(&network, &mut agent, page());
    assert!(!outcome.response().is_from_cache());
    assert_eq!(outcome.response().text(), "page");
    let outcome = run(&network, &mut agent, page());
    assert!(outcome.response().is_from_cache());
}

#[test]
fn caches_on_the_way_get_the_fields_of_the_cache_mode() {
    use httpoll::agent::CacheMode;
    let get = || Request::get("http://game.example/");
    let mode = |mode| get().cache_mode(mode);
    for (request, control, pragma) in [
        (get(), None, None),
        (mode(CacheMode::ForceCache), None, None),
        (mode(CacheMode::NoStore), Some("no-cache"), Some("no-cache")),
        (mode(CacheMode::Reload), Some("no-cache"), Some("no-cache")),
        (mode(CacheMode::NoCache), Some("max-age=0"), None),
        (get().event_stream(), Some("no-cache"), Some("no-cache")),
        // What the caller says counts.
        (
            mode(CacheMode::Reload)
                .header("Cache-Control", "max-age=5")
                .without_header("Pragma"),
            Some("max-age=5"),
            None,
        ),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/").reply(MockResponse::with_status(204));
        run(&network, &mut agent, request).response();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.header("cache-control"), control);
        assert_eq!(sent.header("pragma"), pragma);
    }
}
