//! Redirects, each rule with its section.

use http::StatusCode;
use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, ErrorKind, Event, Request, error::RedirectRefusal, redirect::RedirectPolicy};

use crate::support::{
    address, finish, frames, redirecting, run, script, script_closing, setup, setup_with,
};

#[test]
fn methods_and_content_after_each_redirect() {
    let policy = RedirectPolicy::default();
    let mut as_it_is = RedirectPolicy::default();
    as_it_is.keep_post_on_301 = true;
    as_it_is.keep_post_on_302 = true;
    as_it_is.keep_post_on_303 = true;
    for (section, policy, status, method, expected, keeps_content) in [
        ("RFC 9110 §15.4.2", &policy, 301, "GET", "GET", true),
        ("RFC 9110 §15.4.2", &policy, 301, "POST", "GET", false),
        ("RFC 9110 §15.4.2", &policy, 301, "PUT", "PUT", true),
        ("RFC 9110 §15.4.2", &policy, 301, "DELETE", "DELETE", true),
        ("RFC 9110 §15.4.3", &policy, 302, "GET", "GET", true),
        ("RFC 9110 §15.4.3", &policy, 302, "POST", "GET", false),
        ("RFC 9110 §15.4.3", &policy, 302, "PATCH", "PATCH", true),
        ("RFC 9110 §15.4.4", &policy, 303, "GET", "GET", false),
        ("RFC 9110 §15.4.4", &policy, 303, "POST", "GET", false),
        ("RFC 9110 §15.4.4", &policy, 303, "PUT", "GET", false),
        ("RFC 9110 §15.4.4", &policy, 303, "HEAD", "HEAD", false),
        ("RFC 9110 §15.4.8", &policy, 307, "POST", "POST", true),
        ("RFC 9110 §15.4.8", &policy, 307, "GET", "GET", true),
        ("RFC 9110 §15.4.9", &policy, 308, "POST", "POST", true),
        ("RFC 9110 §15.4.9", &policy, 308, "PUT", "PUT", true),
        ("curl --post301", &as_it_is, 301, "POST", "POST", true),
        ("curl --post302", &as_it_is, 302, "POST", "POST", true),
        ("curl --post303", &as_it_is, 303, "POST", "POST", true),
        ("RFC 9110 §15.4.4", &as_it_is, 303, "PUT", "GET", false),
    ] {
        let row = format!("{section} {status} {method}");
        let (network, server, mut agent) = setup();
        redirecting(&server, status, "/b?c=d");
        let mut request = Request::with_method_name(method, "http://game.example/a")
            .redirects(policy.clone())
            .header("Content-Language", "de");
        if method != "HEAD" && method != "GET" {
            request = request.body("content");
        }
        let has_content = method != "HEAD" && method != "GET";
        let outcome = run(&network, &mut agent, request);
        let response = outcome.response();
        assert_eq!(response.status(), StatusCode::OK, "{row}");
        assert_eq!(response.redirects(), 1, "{row}");
        assert_eq!(response.history()[0].status.as_u16(), status, "{row}");
        assert_eq!(response.history()[0].url.as_str(), "http://game.example/a");
        assert_eq!(
            response.url().unwrap().as_str(),
            "http://game.example/b?c=d",
            "{row}"
        );
        let sent = server.requests().pop().unwrap();
        assert_eq!(
            (sent.method.as_str(), sent.target.as_str()),
            (expected, "/b?c=d"),
            "{row}"
        );
        let content = if keeps_content && has_content {
            "content"
        } else {
            ""
        };
        assert_eq!(sent.text(), content, "{row}");
        assert_eq!(
            sent.header("content-language").is_some(),
            keeps_content,
            "{row}"
        );
        if !keeps_content {
            assert!(sent.header("content-length").is_none(), "{row}");
        }
        assert_eq!(
            server.connections().opened,
            1,
            "{row}: the connection serves again"
        );
    }
}

#[test]
fn what_is_not_followed() {
    for (section, status, location) in [
        ("RFC 9110 §15.3.2", 201, "/b"),
        ("RFC 9110 §15.3.1", 200, "/b"),
        ("RFC 9110 §15.4.1", 300, "/b"),
        ("RFC 9110 §15.4.5", 304, "/b"),
        ("RFC 9110 §15.4.6", 305, "http://evil.example/"),
        ("RFC 9110 §15.4.7", 306, "/b"),
        ("RFC 9110 §15.5.1", 400, "/b"),
    ] {
        let (network, server, mut agent) = setup();
        redirecting(&server, status, location);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
        assert_eq!(outcome.response().status().as_u16(), status, "{section}");
        assert_eq!(outcome.response().redirects(), 0);
        assert_eq!(server.requests().len(), 1);
    }
    // No Location: RFC 9110 §15.4.
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(302).text("where?"));
    let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
    assert_eq!(
        (
            outcome.response().status().as_u16(),
            outcome.response().text()
        ),
        (302, "where?".to_owned())
    );
}

#[test]
fn a_redirect_is_the_response_when_redirects_are_off() {
    let (network, server, mut agent) = setup_with(
        Agent::builder().defaults(RequestOptions::new().redirects(RedirectPolicy::none())),
    );
    redirecting(&server, 302, "/b");
    let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
    assert_eq!(outcome.response().status().as_u16(), 302);
    assert_eq!(outcome.response().text(), "moved");
    assert_eq!(outcome.response().header("location"), Some("/b"));
}

#[test]
fn too_many_redirects_are_an_error_with_the_last_response() {
    let (network, server, mut agent) = setup();
    server.get("/**").reply_with(|request| {
        let number: u32 = request.path()[1..].parse().unwrap();
        MockResponse::with_status(302).header("Location", format!("/{}", number + 1))
    });
    for (policy, most) in [
        (RedirectPolicy::default(), 10),
        (RedirectPolicy::up_to(3), 3),
        (RedirectPolicy::up_to(0), 0),
    ] {
        let before = server.requests().len();
        let request = Request::get("http://game.example/0").redirects(policy);
        let outcome = run(&network, &mut agent, request);
        let (error, response) = outcome.result.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Redirect(RedirectRefusal::TooMany(most))
        );
        let response = response.unwrap();
        assert_eq!(response.status().as_u16(), 302);
        assert_eq!(response.redirects() as u32, most);
        assert_eq!(server.requests().len() - before, most as usize + 1);
    }
}

#[test]
fn where_a_location_leads() {
    for (section, url, location, target) in [
        ("RFC 9110 §10.2.2", "/a", "/b", "/b"),
        ("RFC 3986 §5.2", "/a", "b?c", "/b?c"),
        ("RFC 3986 §5.2", "/a", "?c", "/a?c"),
        ("RFC 3986 §5.2", "/a?x=y", "./../b/../d", "/d"),
        ("RFC 3986 §5.2", "/a", "//game.example/e", "/e"),
        ("RFC 3986 §5.2", "/a", "HTTP://GAME.EXAMPLE:80/f", "/f"),
        ("WHATWG URL", "/a", "/\u{e4} b", "/%C3%A4%20b"),
        ("WHATWG URL", "/a", "\\b", "/b"),
        ("RFC 9110 §5.5", "/a", "  /b \t", "/b"),
    ] {
        let (network, server, mut agent) = setup();
        server
            .any("/a")
            .times(1)
            .reply(MockResponse::with_status(302).header("Location", location));
        server.any("/**").reply(MockResponse::ok());
        let request = Request::get(format!("http://game.example{url}"));
        run(&network, &mut agent, request).response();
        assert_eq!(server.requests()[1].target, target, "{section} {location}");
    }
}

#[test]
fn fragments_are_inherited_unless_there_is_one() {
    // RFC 9110 §10.2.2.
    for (location, url) in [
        ("/b", "http://game.example/b#x"),
        ("/b#y", "http://game.example/b#y"),
    ] {
        let (network, server, mut agent) = setup();
        redirecting(&server, 302, location);
        let outcome = run(
            &network,
            &mut agent,
            Request::get("http://game.example/a#x"),
        );
        assert_eq!(outcome.response().url().unwrap().as_str(), url);
        assert_eq!(server.requests()[1].target, "/b");
    }
}

#[test]
fn locations_that_lead_nowhere_are_errors() {
    for (location, refusal) in [
        ("file:///etc/passwd", RedirectRefusal::UnsupportedScheme),
        ("ftp://game.example/", RedirectRefusal::UnsupportedScheme),
        ("javascript:alert(1)", RedirectRefusal::UnsupportedScheme),
        ("http://", RedirectRefusal::InvalidLocation),
        ("http://[::1", RedirectRefusal::InvalidLocation),
        ("http://a:999999/", RedirectRefusal::InvalidLocation),
    ] {
        let (network, server, mut agent) = setup();
        redirecting(&server, 302, location);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
        let (error, response) = outcome.result.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Redirect(refusal), "{location}");
        assert_eq!(response.unwrap().status().as_u16(), 302, "RFC 9110 §15.4");
        assert!(!error.to_string().contains("passwd"));
    }
}

#[test]
fn several_locations_are_followed_only_if_they_agree() {
    // RFC 9110 §5.3: `Location` occurs once. Another one may have been injected.
    for (others, leads) in [
        ("Location: /b\r\n", true),
        ("Location: http://evil.example/\r\n", false),
        ("Location: /B\r\n", false),
        ("Location:\r\n", false),
    ] {
        let network = MemoryNetwork::new();
        let redirect =
            format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /b\r\n{others}\r\n");
        let there = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let heard = script(
            &network,
            "game.example",
            "10.9.0.1:80",
            &[redirect.as_bytes(), there],
        );
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
        if leads {
            assert_eq!(outcome.response().status(), 200, "{others:?}");
            assert!(heard.last().starts_with("GET /b "), "{others:?}");
            continue;
        }
        let (error, response) = outcome.result.unwrap_err();
        let refusal = RedirectRefusal::InvalidLocation;
        assert_eq!(*error.kind(), ErrorKind::Redirect(refusal), "{others:?}");
        assert_eq!(response.unwrap().status(), 302, "{others:?}");
        assert_eq!(heard.all().len(), 1, "{others:?}");
    }
}

#[test]
fn redirects_are_reported() {
    let (network, server, mut agent) = setup();
    redirecting(&server, 303, "/b");
    let outcome = run(&network, &mut agent, Request::get("http://game.example/a"));
    let reported: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Redirect {
                status, location, ..
            } => Some((status.as_u16(), location.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(reported, [(303, "http://game.example/b")]);
    let heads = outcome
        .events
        .iter()
        .filter(|it| matches!(it, Event::Head { .. }));
    assert_eq!(heads.count(), 1, "only of the final response");
}

#[test]
fn content_of_a_redirect_that_never_ends_or_breaks_does_no_harm() {
    let head = "HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\n";
    for (content, what) in [
        ("Content-Length: 100\r\n\r\ncut", "cut"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nab", "a cut chunk"),
        ("Content-Length: 99999999\r\n\r\nendless", "much"),
        ("\r\nuntil the end", "until the end"),
        (
            "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbad",
            "no gzip",
        ),
    ] {
        let network = MemoryNetwork::new();
        let other = MockServer::on(&network, "other.example", 80);
        other.any("/**").reply(MockResponse::ok());
        let answer = format!("{head}{content}");
        script_closing(&network, "game.example", "10.9.0.1:80", answer.as_bytes());
        let mut agent = Agent::on_memory(&network);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert!(outcome.result.is_ok(), "{what}: {:?}", outcome.error());
    }
}

#[test]
fn a_redirect_whose_content_stalls_is_followed_in_the_end() {
    let network = MemoryNetwork::new();
    let other = MockServer::on(&network, "other.example", 80);
    other.any("/**").reply(MockResponse::ok());
    let answer =
        b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 10\r\n\r\nab";
    script(&network, "game.example", "10.9.0.1:80", &[answer]);
    let mut agent = Agent::on_memory(&network);
    let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
    assert_eq!(outcome.response().redirects(), 1);
    assert_eq!(network.connections_to(address("10.9.0.1:80")), 1);
}

#[test]
fn a_redirect_loop_ends() {
    let (network, server, mut agent) = setup();
    redirecting(&server, 307, "/a");
    let outcome = run(
        &network,
        &mut agent,
        Request::post("http://game.example/a").body("x"),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Redirect(RedirectRefusal::TooMany(10))
    );
    let handle = agent.get("http://game.example/a").send().unwrap();
    drop(finish(&network, &mut agent, &handle));
    drop(handle);
    assert!(frames(&network, &mut agent, 2).is_empty());
}

#[test]
fn what_failed_comes_with_the_response_and_its_content() {
    let (network, server, mut agent) = setup();
    server
        .get("/teapot")
        .reply(MockResponse::with_status(418).text("short and stout"));
    server
        .get("/endless")
        .reply(MockResponse::with_status(500).bytes(vec![b'x'; 3 * 1024 * 1024]));
    let request = Request::get("http://game.example/teapot").error_for_status(true);
    let (error, response) = run(&network, &mut agent, request).result.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Status(418));
    assert_eq!(response.unwrap().text(), "short and stout");
    // Of an endless explanation a part is enough, and the status stays the reason.
    let request = Request::get("http://game.example/endless").error_for_status(true);
    let (error, response) = run(&network, &mut agent, request).result.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Status(500));
    assert!(response.unwrap().body().len() <= 1024 * 1024);
}

#[test]
fn redirects_are_no_attempts() {
    let (network, server, mut agent) = setup();
    server
        .get("/a")
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::with_status(302).header("Location", "/b"));
    server
        .get("/b")
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::ok());
    let request = Request::get("http://game.example/a").retries(httpoll::RetryPolicy::standard());
    let outcome = run(&network, &mut agent, request);
    assert_eq!(outcome.response().redirects(), 1);
    assert_eq!(outcome.response().attempts(), 3, "once, and two retries");
}
