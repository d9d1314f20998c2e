//! Cookies, kept and sent by the agent, each rule with its section.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{Agent, Request, cookies::CookieJar};

use crate::support::{address, run, script, script_closing};

struct Setup {
    network: MemoryNetwork,
    jar: Arc<Mutex<CookieJar>>,
    agent: Agent,
}

fn setup() -> Setup {
    let network = MemoryNetwork::new();
    let jar = Arc::new(Mutex::new(CookieJar::new()));
    let agent = Agent::builder()
        .cookies(jar.clone())
        .build_on_memory(&network);
    Setup {
        network,
        jar,
        agent,
    }
}

impl Setup {
    /// A server that sets this cookie at `/set` below any path, and responds to everything else.
    fn server(&self, host: &str, set: &str) -> MockServer {
        let server = MockServer::on(&self.network, host, 80);
        let mut response = MockResponse::ok();
        for line in set.split('\n').filter(|line| !line.is_empty()) {
            response = response.header("Set-Cookie", line);
        }
        server.get("/dir/set").reply(response);
        server.any("/**").reply(MockResponse::ok());
        server
    }

    fn get(&mut self, url: &str) {
        run(&self.network, &mut self.agent, Request::get(url)).response();
    }
}

/// What a cookie is sent with, to this URL.
fn sent(set: &str, host: &str, url: &str) -> Option<String> {
    let mut test = setup();
    let setter = test.server(host, set);
    test.get(&format!("http://{host}/dir/set"));
    let parsed: url::Url = url.parse().unwrap();
    let target = match parsed.host_str().unwrap() == host {
        true => setter,
        false => test.server(parsed.host_str().unwrap(), ""),
    };
    test.get(url);
    let last = target.requests().pop().unwrap();
    assert!(
        last.headers.get_all("cookie").count() <= 1,
        "RFC 6265bis §5.8.3: one line"
    );
    last.header("cookie").map(str::to_owned)
}

#[test]
fn which_cookies_are_kept_and_where_they_go() {
    for (section, set, url, expected) in [
        (
            "RFC 6265bis §5.6",
            "a=1",
            "http://game.example/dir/x",
            Some("a=1"),
        ),
        (
            "RFC 6265bis §5.6: several",
            "a=1\nb=2",
            "http://game.example/dir/x",
            Some("a=1; b=2"),
        ),
        (
            "RFC 6265bis §5.1.4: default path",
            "a=1",
            "http://game.example/other",
            None,
        ),
        (
            "RFC 6265bis §5.1.4",
            "a=1; Path=/",
            "http://game.example/other",
            Some("a=1"),
        ),
        (
            "RFC 6265bis §5.1.4",
            "a=1; Path=/oth",
            "http://game.example/other",
            None,
        ),
        (
            "RFC 6265bis §5.8.3: longer paths first",
            "a=1; Path=/\nb=2; Path=/dir",
            "http://game.example/dir/x",
            Some("b=2; a=1"),
        ),
        (
            "RFC 6265bis §5.7: the same again",
            "a=1\na=2",
            "http://game.example/dir/x",
            Some("a=2"),
        ),
        (
            "RFC 6265bis §4.1.2.3: host only",
            "a=1; Path=/",
            "http://sub.game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.1.3",
            "a=1; Path=/; Domain=game.example",
            "http://sub.game.example/",
            Some("a=1"),
        ),
        (
            "RFC 6265bis §5.1.3",
            "a=1; Path=/; Domain=.game.example",
            "http://sub.game.example/",
            Some("a=1"),
        ),
        (
            "RFC 6265bis §5.1.3: a suffix is no parent",
            "a=1; Path=/; Domain=game.example",
            "http://evilgame.example/",
            None,
        ),
        (
            "RFC 6265bis §5.7: of another host",
            "a=1; Path=/; Domain=evil.example",
            "http://evil.example/",
            None,
        ),
        (
            "RFC 6265bis §5.7: of another host",
            "a=1; Path=/; Domain=evil.example",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.7: a whole registry",
            "a=1; Path=/; Domain=example",
            "http://other.example/",
            None,
        ),
        (
            "RFC 6265bis §5.6.2",
            "a=1; Path=/; Max-Age=0",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.6.2",
            "a=1; Path=/; Max-Age=-5",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.6.1",
            "a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.6.2: before Expires",
            "a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "http://game.example/",
            Some("a=1"),
        ),
        (
            "RFC 6265bis §5.7: Secure over http",
            "a=1; Path=/; Secure",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §4.1.3.1",
            "__Secure-a=1; Path=/",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §4.1.3.2",
            "__Host-a=1; Path=/",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §4.1.3: in any case",
            "__host-a=1; Path=/",
            "http://game.example/",
            None,
        ),
        (
            "RFC 6265bis §5.6: a value with =",
            "a=x=y",
            "http://game.example/dir/x",
            Some("a=x=y"),
        ),
        (
            "RFC 6265bis §5.6: control characters",
            "a=1\x01",
            "http://game.example/dir/x",
            None,
        ),
    ] {
        assert_eq!(
            sent(set, "game.example", url).as_deref(),
            expected,
            "{section}: {set}"
        );
    }
}

#[test]
fn cookies_of_redirects_count_and_do_not_stray() {
    // RFC 6265bis §5.6: of any response; RFC 9110 §15.4.
    let mut test = setup();
    let game = MockServer::on(&test.network, "game.example", 80);
    let other = MockServer::on(&test.network, "other.example", 80);
    game.get("/login").reply(
        MockResponse::with_status(302)
            .header("Set-Cookie", "sid=1; Path=/")
            .header("Location", "/home"),
    );
    game.get("/home")
        .reply(MockResponse::with_status(302).header("Location", "http://other.example/"));
    other
        .any("/**")
        .reply(MockResponse::ok().header("Set-Cookie", "o=2; Path=/"));
    test.get("http://game.example/login");
    assert_eq!(game.requests()[1].header("cookie"), Some("sid=1"));
    assert_eq!(other.requests()[0].header("cookie"), None);
    test.get("http://other.example/");
    assert_eq!(other.requests()[1].header("cookie"), Some("o=2"));
}

#[test]
fn a_cookie_ends_by_the_time_of_day() {
    let mut test = setup();
    let server = test.server(
        "game.example",
        "a=1; Path=/; Max-Age=60\nb=2; Path=/; Expires=Thu, 01 Jan 2026 00:02:00 GMT",
    );
    test.get("http://game.example/dir/set");
    for (advance, expected) in [(30, Some("a=1; b=2")), (40, Some("b=2")), (60, None)] {
        test.network.advance(Duration::from_secs(advance));
        test.get("http://game.example/");
        assert_eq!(server.requests().pop().unwrap().header("cookie"), expected);
    }
}

#[test]
fn own_cookies_join_those_of_the_jar() {
    let mut test = setup();
    let server = test.server("game.example", "a=1; Path=/");
    test.get("http://game.example/dir/set");
    let request = Request::get("http://game.example/")
        .cookie("b", "2")
        .header("Cookie", "c=3");
    run(&test.network, &mut test.agent, request).response();
    let line = server
        .requests()
        .pop()
        .unwrap()
        .header("cookie")
        .unwrap()
        .to_owned();
    let mut pairs: Vec<_> = line.split("; ").collect();
    pairs.sort_unstable();
    assert_eq!(pairs, ["a=1", "b=2", "c=3"]);
    // Without the jar for one request: nothing is sent, and nothing kept.
    let request = Request::get("http://game.example/dir/set").use_cookies(false);
    test.jar.lock().unwrap().clear();
    run(&test.network, &mut test.agent, request).response();
    assert!(
        test.jar
            .lock()
            .unwrap()
            .iter(SystemTime::UNIX_EPOCH)
            .next()
            .is_none()
    );
}

#[test]
fn a_jar_is_loaded_and_saved() {
    let mut first = setup();
    first.server("game.example", "a=1; Path=/; Max-Age=1000\ns=2; Path=/");
    first.get("http://game.example/dir/set");
    let file = first.jar.lock().unwrap().to_netscape(first.network.wall());
    let mut second = setup();
    assert!(
        second
            .jar
            .lock()
            .unwrap()
            .load_netscape(file.as_bytes(), second.network.wall())
            .is_empty()
    );
    let server = second.server("game.example", "");
    second.get("http://game.example/");
    assert_eq!(server.requests()[0].header("cookie"), Some("a=1; s=2"));
}

#[test]
fn cookies_of_a_response_are_there_without_a_jar() {
    let network = MemoryNetwork::new();
    script_closing(
        &network,
        "game.example",
        "10.9.0.1:80",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    );
    let mut agent = Agent::on_memory(&network);
    for _ in 0..2 {
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert_eq!(outcome.response().cookies().count(), 2);
    }
}

#[test]
fn a_server_that_sets_cookies_without_end_fills_no_memory() {
    // RFC 6265bis §6.1.
    let mut test = setup();
    for round in 0..30 {
        let server = MockServer::on(&test.network, "game.example", 80);
        let mut response = MockResponse::ok();
        for number in 0..100 {
            response = response.header(
                "Set-Cookie",
                format!("c{round}x{number}={}", "v".repeat(100)),
            );
        }
        server
            .any("/**")
            .reply(response.header("Set-Cookie", format!("big={}", "v".repeat(5000))));
        test.get("http://game.example/");
    }
    let jar = test.jar.lock().unwrap();
    assert!(jar.iter(test.network.wall()).count() <= 50);
    assert!(
        jar.iter(test.network.wall())
            .all(|cookie| cookie.value.len() < 5000)
    );
}

#[test]
fn only_the_head_of_the_final_response_counts() {
    // RFC 9110 §6.5.1, RFC 8297 §2: neither trailers nor an interim response set cookies, redirect or frame anything.
    let mut test = setup();
    let heard = script(
        &test.network,
        "game.example",
        "10.9.0.1:80",
        &[b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\nLocation: /elsewhere\r\nContent-Length: 9\r\n\r\n\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\n\r\n2\r\nhi\r\n\
            0\r\nSet-Cookie: late=1\r\nLocation: /elsewhere\r\nContent-Length: 9\r\n\
            Transfer-Encoding: gzip\r\nConnection: close\r\nX-Sum: 7\r\n\r\n"],
    );
    for _ in 0..2 {
        let outcome = run(
            &test.network,
            &mut test.agent,
            Request::get("http://game.example/"),
        );
        let response = outcome.response();
        assert_eq!(response.text(), "hi");
        assert_eq!(response.redirects(), 0);
        let trailers: Vec<_> = response.trailers().iter().map(|(name, _)| name).collect();
        assert_eq!(trailers, ["X-Sum"]);
    }
    assert!(heard.last().contains("Cookie: a=1\r\n"), "{}", heard.last());
    assert_eq!(test.network.connections_to(address("10.9.0.1:80")), 1);
}

#[test]
fn a_trace_has_no_cookies() {
    // RFC 9110 §9.3.8: the response would show them.
    let mut test = setup();
    let server = test.server("game.example", "a=1; Path=/");
    test.get("http://game.example/dir/set");
    let trace = Request::trace("http://game.example/").cookie("b", "2");
    run(&test.network, &mut test.agent, trace).response();
    assert_eq!(server.requests()[1].header("cookie"), None);
    test.get("http://game.example/");
    assert_eq!(server.requests()[2].header("cookie"), Some("a=1"));
}
