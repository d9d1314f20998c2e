//! Downloads that were cut and continue where they stopped (RFC 9110 §14).

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::mock::{MockRequest, MockResponse};
use httpoll::{Agent, Download, ErrorKind, Event, Request, RetryPolicy, error::DiskFault};

use crate::support::{Folder, finish, frames, pattern, run, setup, setup_with};

const URL: &str = "http://game.example/level.pak";

fn download(to: impl Into<Download>) -> Request {
    Request::get(URL).download_to(to)
}

#[test]
fn killed_at_each_kibibyte_it_is_resumed_to_the_same_bytes() {
    let folder = Folder::new("resumed-kill");
    let content = pattern(64 * 1024);
    for redirected in [false, true] {
        for at in (0..64).map(|kib| kib * 1024) {
            let (network, server, mut agent) = setup();
            if redirected {
                server
                    .get("/level.pak")
                    .reply(MockResponse::with_status(302).header("Location", "/mirror/7"));
            }
            let whole = MockResponse::resource(content.clone()).etag("\"v1\"");
            server
                .get("/**")
                .reply(whole.clone().cut_after(at))
                .then_reply(whole);
            let to = || Download::to(folder.path("a")).resume(true);
            run(&network, &mut agent, download(to())).error();
            assert!(!folder.path("a").exists(), "{at}");
            // Another run of the game.
            let mut agent = Agent::on_memory(&network);
            let outcome = run(&network, &mut agent, download(to()));
            assert!(std::fs::read(folder.path("a")).unwrap() == content, "{at}");
            assert_eq!(outcome.response().saved().unwrap().resumed_from, at as u64);
            let last = server.requests().pop().unwrap();
            let range = (at > 0).then(|| format!("bytes={at}-"));
            assert_eq!(last.header("range"), range.as_deref());
            assert_eq!(last.header("if-range"), range.map(|_| "\"v1\""));
            assert_eq!(folder.names(), ["a"]);
            std::fs::remove_file(folder.path("a")).unwrap();
        }
    }
}

#[test]
fn a_retry_continues_a_download_in_the_same_run() {
    let folder = Folder::new("resumed-retry");
    let (network, server, mut agent) = setup_with(
        Agent::builder().defaults(RequestOptions::new().retries(RetryPolicy::standard())),
    );
    let content = pattern(100_000);
    let whole = MockResponse::resource(content.clone()).etag("\"v1\"");
    server
        .get("/**")
        .reply(whole.clone().reset_after(30_000))
        .then_reply(MockResponse::with_status(503))
        .then_reply(whole.clone().cut_after(30_000))
        .then_reply(whole);
    let outcome = run(&network, &mut agent, download(folder.path("a")));
    assert_eq!(outcome.response().attempts(), 4);
    assert!(std::fs::read(folder.path("a")).unwrap() == content);
    let ranges: Vec<_> = server
        .requests()
        .iter()
        .map(|it| it.header("range").map(str::to_owned))
        .collect();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1].as_deref(), Some("bytes=30000-"));
    assert_eq!(ranges[2].as_deref(), Some("bytes=30000-"));
    assert_eq!(ranges[3].as_deref(), Some("bytes=60000-"));
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn content_that_changed_is_downloaded_again() {
    let first = pattern(60_000);
    let second = vec![3; 50_000];
    let part = |start: usize, etag: &str| {
        MockResponse::with_status(206)
            .etag(etag)
            .header("Content-Range", format!("bytes {start}-49999/50000"))
            .bytes(second[start..].to_vec())
    };
    for (section, etag, answer) in [
        (
            "RFC 9110 §13.1.5: 200",
            "\"v1\"",
            MockResponse::resource(second.clone()).etag("\"v2\""),
        ),
        (
            "RFC 9110 §15.3.7: another version",
            "\"v1\"",
            part(20_000, "\"v2\""),
        ),
        (
            "RFC 9110 §15.3.7: another place",
            "\"v1\"",
            part(10_000, "\"v1\""),
        ),
        (
            "RFC 9110 §15.5.17",
            "\"v1\"",
            MockResponse::with_status(416).header("Content-Range", "bytes */50000"),
        ),
        (
            "RFC 9110 §8.8.1: weak tags do not do",
            "W/\"v1\"",
            MockResponse::resource(second.clone()).etag("\"v2\""),
        ),
    ] {
        let folder = Folder::new("resumed-changed");
        let (network, server, mut agent) = setup();
        server
            .get("/**")
            .reply(
                MockResponse::resource(first.clone())
                    .etag(etag)
                    .cut_after(20_000),
            )
            .then_reply(answer)
            .then_reply(MockResponse::resource(second.clone()).etag("\"v2\""));
        let to = || Download::to(folder.path("a")).resume(true);
        run(&network, &mut agent, download(to())).error();
        run(&network, &mut agent, download(to())).response();
        assert!(
            std::fs::read(folder.path("a")).unwrap() == second,
            "{section}"
        );
        if etag.starts_with('W') {
            assert!(server.requests()[1].header("range").is_none(), "{section}");
        }
        assert_eq!(folder.names(), ["a"]);
    }
}

#[test]
fn a_part_that_is_whole_already_only_wants_its_name() {
    let folder = Folder::new("resumed-whole");
    let (network, server, mut agent) = setup();
    let whole = MockResponse::resource(pattern(20_000)).etag("\"v1\"");
    // All of it came, but the connection broke before chunked content could end.
    server
        .get("/**")
        .reply(
            MockResponse::ok()
                .etag("\"v1\"")
                .chunked(pattern(20_000).chunks(1000))
                .cut_after(20_000),
        )
        .then_reply(whole);
    let to = || Download::to(folder.path("a")).resume(true);
    run(&network, &mut agent, download(to())).error();
    run(&network, &mut agent, download(to())).response();
    assert!(std::fs::read(folder.path("a")).unwrap() == pattern(20_000));
    assert_eq!(server.requests()[1].header("range"), Some("bytes=20000-"));
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn two_to_one_target_do_not_mix() {
    let folder = Folder::new("resumed-two");
    let (network, server, mut agent) = setup();
    server.get("/**").reply(
        MockResponse::ok()
            .bytes(pattern(50_000))
            .drip(5000, Duration::from_millis(10)),
    );
    let first = agent.send(download(folder.path("a"))).unwrap();
    frames(&network, &mut agent, 3);
    let outcome = run(&network, &mut agent, download(folder.path("a")));
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::File(DiskFault::AlreadyInUse)
    );
    finish(&network, &mut agent, &first).response();
    assert!(std::fs::read(folder.path("a")).unwrap() == pattern(50_000));
}

#[test]
fn progress_counts_what_was_there() {
    let folder = Folder::new("resumed-progress");
    let (network, server, mut agent) = setup();
    let whole = || MockResponse::resource(pattern(40_000)).etag("\"v1\"");
    server
        .get("/**")
        .reply(whole().cut_after(10_000))
        .then_reply(whole().drip(1000, Duration::from_millis(10)));
    let to = || Download::to(folder.path("a")).resume(true);
    run(&network, &mut agent, download(to())).error();
    let outcome = run(&network, &mut agent, download(to()));
    let mut before = 0;
    for event in &outcome.events {
        if let Event::Progress { progress, .. } = event
            && progress.to_receive.is_some()
        {
            assert_eq!(progress.to_receive, Some(40_000));
            assert!(progress.received >= 10_000 && progress.received >= before);
            before = progress.received;
        }
    }
    assert!(before > 30_000);
}

#[test]
fn a_server_that_sends_another_part_than_requested_damages_no_file() {
    // RFC 9110 §14.4: the request had no Range.
    let folder = Folder::new("resumed-unasked");
    for (range, fault) in [
        (
            "bytes 5000-9999/10000",
            Some(ErrorKind::File(DiskFault::Gap {
                offset: 5000,
                held: 0,
            })),
        ),
        ("bytes 0-4999/5000", None),
        ("bytes 9-5/3", None),
        ("lines 1-2/3", None),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/**").reply_with(move |_: &MockRequest| {
            MockResponse::with_status(206)
                .header("Content-Range", range)
                .bytes(pattern(5000))
        });
        let outcome = run(&network, &mut agent, download(folder.path("a")));
        let is_fine = fault.is_none();
        let error = outcome.result.err().map(|(error, _)| error.kind().clone());
        assert_eq!(error, fault, "{range}");
        if is_fine {
            let file = std::fs::read(folder.path("a")).unwrap();
            assert!(file == pattern(5000), "{range}");
            std::fs::remove_file(folder.path("a")).unwrap();
        }
        assert!(folder.names().is_empty());
    }
}

/// A first run is cut after 80,000 bytes; a second one gets `answer` for its range, then the whole.
fn resumed_with(
    folder: &str,
    validators: fn(MockResponse) -> MockResponse,
    answer: MockResponse,
) -> Resumed {
    let folder = Folder::new(folder);
    let content = pattern(200_000);
    let whole = validators(MockResponse::resource(content.clone()));
    let (network, server, mut agent) = setup();
    server
        .get("/**")
        .reply(whole.clone().cut_after(80_000))
        .then_reply(answer)
        .then_reply(whole);
    let to = || Download::to(folder.path("a")).resume(true);
    run(&network, &mut agent, download(to())).error();
    let outcome = run(&network, &mut agent, download(to()));
    let file = std::fs::read(folder.path("a")).ok();
    Resumed {
        is_whole: outcome.result.is_ok() && file.as_ref() == Some(&content),
        ranges: server
            .requests()
            .iter()
            .skip(1)
            .map(|it| it.header("range").map(str::to_owned))
            .collect(),
    }
}

struct Resumed {
    is_whole: bool,
    /// Of the requests of the second run.
    ranges: Vec<Option<String>>,
}

fn tagged(response: MockResponse) -> MockResponse {
    response.etag("\"v1\"")
}

#[test]
fn a_contradictory_part_restarts_the_download() {
    let content = pattern(200_000);
    for (name, status, range, body) in [
        (
            "200 with a range",
            200,
            "bytes 80000-199999/200000",
            80_000..200_000,
        ),
        (
            "another total",
            206,
            "bytes 80000-199999/200001",
            80_000..200_000,
        ),
        (
            "a smaller total",
            206,
            "bytes 80000-149999/150000",
            80_000..150_000,
        ),
        (
            "another length",
            206,
            "bytes 80000-199999/200000",
            80_000..100_000,
        ),
        (
            "another start",
            206,
            "bytes 90000-199999/200000",
            90_000..200_000,
        ),
    ] {
        let answer = tagged(MockResponse::with_status(status))
            .header("Content-Range", range)
            .bytes(content[body].to_vec());
        let resumed = resumed_with("contradictory-part", tagged, answer);
        assert!(resumed.is_whole, "{name}");
        let ranges = [Some("bytes=80000-".to_owned()), None];
        assert_eq!(resumed.ranges, ranges, "{name}");
    }
}

#[test]
fn a_short_part_is_continued() {
    let content = pattern(200_000);
    for total in ["200000", "*"] {
        let answer = tagged(MockResponse::with_status(206))
            .header("Content-Range", format!("bytes 80000-119999/{total}"))
            .bytes(content[80_000..120_000].to_vec());
        let resumed = resumed_with("short-part", tagged, answer);
        assert!(resumed.is_whole, "{total}");
        let ranges = ["bytes=80000-", "bytes=120000-"].map(|it| Some(it.to_owned()));
        assert_eq!(resumed.ranges, ranges);
    }
}

#[test]
fn a_fragment_is_never_published() {
    let fragment = || {
        MockResponse::with_status(200)
            .header("Content-Range", "bytes 80000-199999/200000")
            .bytes(pattern(120_000))
    };
    let folder = Folder::new("fragment");
    let (network, server, mut agent) = setup();
    server.get("/**").reply(fragment());
    let to = || Download::to(folder.path("a")).resume(true);
    run(&network, &mut agent, download(to())).error();
    run(&network, &mut agent, download(folder.path("a"))).error();
    assert!(!folder.path("a").exists());
}

#[test]
fn only_strong_dates_are_used_for_ranges() {
    // RFC 9110 §8.8.2.2: at least one second before the response's Date.
    for (date, is_strong) in [
        ("Sun, 06 Nov 1994 08:49:36 GMT", false),
        ("Sun, 06 Nov 1994 08:49:37 GMT", false),
        ("Sun, 06 Nov 1994 08:49:38 GMT", true),
        ("not a date", false),
    ] {
        let folder = Folder::new("strong-dates");
        let (network, server, mut agent) = setup();
        let whole = MockResponse::resource(pattern(200_000))
            .last_modified("Sun, 06 Nov 1994 08:49:37 GMT")
            .header("Date", date);
        server
            .get("/**")
            .reply(whole.clone().cut_after(80_000))
            .then_reply(whole);
        let to = || Download::to(folder.path("a")).resume(true);
        run(&network, &mut agent, download(to())).error();
        run(&network, &mut agent, download(to())).response();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.header("range").is_some(), is_strong, "{date}");
        assert_eq!(last.header("if-range").is_some(), is_strong, "{date}");
        assert!(std::fs::read(folder.path("a")).unwrap() == pattern(200_000));
    }
}

#[test]
fn a_cut_response_in_memory_is_continued_only_by_a_matching_part() {
    let content = pattern(200_000);
    for (range, body, is_continued) in [
        ("bytes 80000-199999/200000", 80_000..200_000, true),
        ("bytes 80000-199999/200001", 80_000..200_000, false),
        ("bytes 80000-149999/150000", 80_000..150_000, false),
    ] {
        let (network, server, mut agent) = setup_with(
            Agent::builder().defaults(RequestOptions::new().retries(RetryPolicy::standard())),
        );
        let whole = tagged(MockResponse::resource(content.clone()));
        let part = tagged(MockResponse::with_status(206))
            .header("Content-Range", range)
            .bytes(content[body].to_vec());
        server
            .get("/**")
            .reply(whole.clone().cut_after(80_000))
            .then_reply(part)
            .then_reply(whole);
        let outcome = run(&network, &mut agent, Request::get("http://game.example/"));
        assert!(outcome.response().body() == &content[..], "{range}");
        assert_eq!(server.requests().len() == 2, is_continued, "{range}");
    }
}
