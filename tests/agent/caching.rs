//! The private cache in front of the network, each rule with its section.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockResponse, MockServer};
use httpoll::{
    Agent, ErrorKind, Request, agent::CacheMode, auth::Credentials, cache::HttpCache,
    error::RequestRefused,
};

use crate::support::run;

pub(crate) struct Setup {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: MockServer,
    pub(crate) cache: Arc<Mutex<HttpCache>>,
    pub(crate) agent: Agent,
}

pub(crate) fn setup() -> Setup {
    let network = MemoryNetwork::new();
    let server = MockServer::on(&network, "game.example", 80);
    let cache = Arc::new(Mutex::new(HttpCache::new()));
    let agent = Agent::builder()
        .cache(cache.clone())
        .build_on_memory(&network);
    Setup {
        network,
        server,
        cache,
        agent,
    }
}

pub(crate) const URL: &str = "http://game.example/a";

pub(crate) fn dated(response: MockResponse) -> MockResponse {
    response.header("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
}

#[test]
fn responses_from_the_cache() {
    for (section, response, request, later, hit) in [
        (
            "RFC 9111 §4.2",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60")),
            Request::get(URL),
            30,
            true,
        ),
        (
            "RFC 9111 §4.2: stale",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60")),
            Request::get(URL),
            90,
            false,
        ),
        (
            "RFC 9111 §5.3",
            dated(MockResponse::ok().header("Expires", "Thu, 01 Jan 2026 00:01:00 GMT")),
            Request::get(URL),
            30,
            true,
        ),
        (
            "RFC 9111 §5.2.2.5: no-store",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60, no-store")),
            Request::get(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §5.2.2.4: no-cache",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60, no-cache")),
            Request::get(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §5.2.2.7: private is ours",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60, private")),
            Request::get(URL),
            30,
            true,
        ),
        (
            "RFC 9111 §5.2.2.10: s-maxage is not ours",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60, s-maxage=1")),
            Request::get(URL),
            30,
            true,
        ),
        (
            "RFC 9111 §3: nothing says so",
            dated(MockResponse::ok()),
            Request::get(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §3: POST",
            dated(MockResponse::ok().header("Cache-Control", "max-age=60")),
            Request::post(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §3: 500",
            dated(MockResponse::with_status(500).header("Cache-Control", "max-age=60")),
            Request::get(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §3: 404",
            dated(MockResponse::with_status(404).header("Cache-Control", "max-age=60")),
            Request::get(URL),
            30,
            true,
        ),
        (
            "RFC 9111 §4.1: Vary *",
            dated(
                MockResponse::ok()
                    .header("Cache-Control", "max-age=60")
                    .header("Vary", "*"),
            ),
            Request::get(URL),
            1,
            false,
        ),
        (
            "RFC 9111 §4.1: Vary, the same",
            dated(
                MockResponse::ok()
                    .header("Cache-Control", "max-age=60")
                    .header("Vary", "X-A"),
            ),
            Request::get(URL),
            30,
            true,
        ),
    ] {
        let mut test = setup();
        test.server
            .any("/a")
            .reply(response.bytes("first"))
            .then_reply(MockResponse::ok().bytes("second"));
        let first = run(&test.network, &mut test.agent, request);
        assert!(!first.response().is_from_cache());
        test.network.advance(Duration::from_secs(later));
        let second = run(&test.network, &mut test.agent, Request::get(URL));
        assert_eq!(second.response().is_from_cache(), hit, "{section}");
        assert_eq!(
            second.response().text(),
            if hit { "first" } else { "second" },
            "{section}"
        );
        assert_eq!(
            test.server.requests().len(),
            if hit { 1 } else { 2 },
            "{section}"
        );
        if hit {
            assert!(second.response().connection().is_none());
            assert!(second.response().header("age").is_some(), "RFC 9111 §5.1");
        }
    }
}

#[test]
fn a_response_that_varies_is_requested_again() {
    // RFC 9111 §4.1.
    let mut test = setup();
    let vary = dated(
        MockResponse::ok()
            .header("Cache-Control", "max-age=60")
            .header("Vary", "Accept-Language"),
    );
    test.server
        .get("/a")
        .reply(vary.clone().bytes("de"))
        .then_reply(vary.bytes("en"));
    let get = |language: &str| Request::get(URL).header("Accept-Language", language);
    assert_eq!(
        run(&test.network, &mut test.agent, get("de"))
            .response()
            .text(),
        "de"
    );
    assert_eq!(
        run(&test.network, &mut test.agent, get("en"))
            .response()
            .text(),
        "en"
    );
    assert_eq!(
        run(&test.network, &mut test.agent, get("en"))
            .response()
            .text(),
        "en"
    );
    assert_eq!(test.server.requests().len(), 2);
}

#[test]
fn modes() {
    // The words are those of the Fetch standard, §2.2.5.
    for (mode, later, requests, text, stored) in [
        (CacheMode::Default, 1, 1, "first", true),
        (CacheMode::NoStore, 1, 2, "second", true),
        (CacheMode::Reload, 1, 2, "second", true),
        (CacheMode::NoCache, 1, 2, "second", true),
        (CacheMode::ForceCache, 100, 1, "first", true),
        (CacheMode::OnlyIfCached, 100, 1, "first", true),
    ] {
        let mut test = setup();
        let fresh = || dated(MockResponse::ok().header("Cache-Control", "max-age=60"));
        test.server
            .get("/a")
            .reply(fresh().bytes("first"))
            .then_reply(fresh().bytes("second"));
        run(&test.network, &mut test.agent, Request::get(URL)).response();
        test.network.advance(Duration::from_secs(later));
        let outcome = run(
            &test.network,
            &mut test.agent,
            Request::get(URL).cache_mode(mode),
        );
        assert_eq!(outcome.response().text(), text, "{mode:?}");
        assert_eq!(test.server.requests().len(), requests, "{mode:?}");
        assert_eq!(!test.cache.lock().unwrap().is_empty(), stored);
    }
    let mut test = setup();
    test.server.get("/a").reply(MockResponse::ok());
    let outcome = run(
        &test.network,
        &mut test.agent,
        Request::get(URL).cache_mode(CacheMode::OnlyIfCached),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Refused(RequestRefused::NotCached),
        "RFC 9111 §5.2.1.7"
    );
    assert!(test.server.requests().is_empty());
}

#[test]
fn a_change_forgets_what_was_stored() {
    // RFC 9111 §4.4.
    for (method, status, forgotten) in [
        ("POST", 200, true),
        ("PUT", 204, true),
        ("DELETE", 200, true),
        ("POST", 500, false),
        ("OPTIONS", 200, false),
    ] {
        let mut test = setup();
        test.server.get("/a").reply(dated(
            MockResponse::ok().header("Cache-Control", "max-age=60"),
        ));
        test.server
            .any("/a")
            .reply(MockResponse::with_status(status));
        run(&test.network, &mut test.agent, Request::get(URL)).response();
        run(
            &test.network,
            &mut test.agent,
            Request::with_method_name(method, URL),
        )
        .response();
        let outcome = run(&test.network, &mut test.agent, Request::get(URL));
        assert_eq!(
            !outcome.response().is_from_cache(),
            forgotten,
            "{method} {status}"
        );
    }
}

#[test]
fn one_players_response_is_not_anothers() {
    // RFC 9111 §3.5 protects shared caches; an agent that is used for two users is one.
    let mut test = setup();
    test.server.get("/a").reply_with(|request| {
        dated(MockResponse::ok().header("Cache-Control", "max-age=60, private"))
            .text(request.header("authorization").unwrap_or("nobody"))
    });
    let user = |name: &str| Credentials::Bearer(name.to_owned());
    let get = || Request::get(URL);
    for request in [
        get().credentials(user("anna")),
        get().credentials(user("bert")),
        get().header("Authorization", "Bearer carl"),
        get(),
    ] {
        let outcome = run(&test.network, &mut test.agent, request);
        assert!(
            !outcome.response().is_from_cache(),
            "{}",
            outcome.response().text()
        );
    }
    // But each has its own.
    let outcome = run(
        &test.network,
        &mut test.agent,
        get().credentials(user("bert")),
    );
    assert_eq!(
        (
            outcome.response().text(),
            outcome.response().is_from_cache()
        ),
        ("Bearer bert".to_owned(), true)
    );
    let key = Credentials::Basic {
        user: "dora".to_owned(),
        password: "hush".to_owned(),
    };
    test.cache.lock().unwrap().clear();
    test.server
        .get("/b")
        .reply(dated(MockResponse::ok().header("Cache-Control", "max-age=60")).text("answer"));
    run(
        &test.network,
        &mut test.agent,
        Request::get("http://game.example/b").credentials(key),
    )
    .response();
    let saved = String::from_utf8_lossy(&test.cache.lock().unwrap().to_bytes()).into_owned();
    assert!(
        !saved.contains("answer"),
        "what depends on credentials stays here"
    );
    assert!(!saved.contains("hush"), "password");
    assert!(!saved.contains("ZG9yYTpodXNo"), "encoded");
}

#[cfg(feature = "gzip")]
#[test]
fn decoded_content_is_stored_decoded_and_redirects_pass_through() {
    use std::io::Write;
    let mut test = setup();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"hello").unwrap();
    let gzip = encoder.finish().unwrap();
    test.server.get("/a").reply(dated(
        MockResponse::ok()
            .header("Cache-Control", "max-age=60")
            .header("Content-Encoding", "gzip")
            .bytes(gzip),
    ));
    test.server
        .get("/to")
        .reply(MockResponse::with_status(302).header("Location", "/a"));
    for url in ["http://game.example/to", URL, "http://game.example/to"] {
        let outcome = run(&test.network, &mut test.agent, Request::get(url));
        assert_eq!(outcome.response().text(), "hello");
    }
    assert_eq!(
        test.server
            .requests()
            .iter()
            .filter(|it| it.path() == "/a")
            .count(),
        1
    );
}

#[test]
fn a_cache_is_saved_and_loaded() {
    let mut first = setup();
    first
        .server
        .get("/a")
        .reply(dated(MockResponse::ok().header("Cache-Control", "max-age=600")).bytes("kept"));
    run(&first.network, &mut first.agent, Request::get(URL)).response();
    let bytes = first.cache.lock().unwrap().to_bytes();
    let second = setup();
    *second.cache.lock().unwrap() = HttpCache::from_bytes(&bytes, None).unwrap();
    let mut agent = second.agent;
    let outcome = run(&second.network, &mut agent, Request::get(URL));
    assert_eq!(
        (
            outcome.response().text(),
            outcome.response().is_from_cache()
        ),
        ("kept".to_owned(), true)
    );
    assert!(second.server.requests().is_empty());
}

#[test]
fn what_was_cut_is_not_stored() {
    // RFC 9111 §3.3.
    let mut test = setup();
    let whole =
        dated(MockResponse::ok().header("Cache-Control", "max-age=60")).bytes(vec![1; 1000]);
    test.server
        .get("/a")
        .reply(whole.clone().cut_after(500))
        .then_reply(whole);
    run(&test.network, &mut test.agent, Request::get(URL)).error();
    let outcome = run(&test.network, &mut test.agent, Request::get(URL));
    assert!(!outcome.response().is_from_cache());
    assert_eq!(outcome.response().body().len(), 1000);
}

#[test]
fn a_response_of_the_cache_has_the_fields_that_the_server_sent() {
    for (lines, left_out) in [
        (
            "X-Zeta: 1\r\nLINK: <a>\r\nlink: <b>\r\neTag: \"1\"\r\n",
            &[][..],
        ),
        ("Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nVARY: x-a\r\n", &[]),
        // RFC 9111 §3.1 and §5.1.
        (
            "Connection: X-Hop\r\nX-Hop: 1\r\n",
            &["connection", "x-hop"],
        ),
        ("aGe: 3\r\n", &["age"]),
    ] {
        let mut test = setup();
        let head =
            format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{lines}Content-Length: 2\r\n");
        let raw = MockResponse::raw(format!("{head}\r\nhi"));
        test.server.get("/a").reply(raw);
        let first = run(&test.network, &mut test.agent, Request::get(URL));
        let second = run(&test.network, &mut test.agent, Request::get(URL));
        assert!(second.response().is_from_cache());
        let mut expected = first.response().headers().clone();
        for name in left_out {
            expected.remove(name);
        }
        let mut found = second.response().headers().clone();
        let (last, _) = found.iter().last().unwrap();
        assert_eq!(last, "Age", "{lines}");
        found.remove("age");
        assert_eq!(found, expected, "{lines}");
    }
}
