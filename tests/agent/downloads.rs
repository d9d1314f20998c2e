//! Responses that become files.

use std::time::Duration;

use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockRequest, MockResponse};
use httpoll::{
    Agent, Download, ErrorKind, Event, Request, RetryPolicy, error::DiskFault, limits::Limit,
};

use crate::support::{Folder, Outcome, finish, frames, pattern, run, setup, setup_with};

const URL: &str = "http://game.example/level.pak";

fn download(to: impl Into<Download>) -> Request {
    Request::get(URL).download_to(to)
}

#[test]
fn the_bytes_are_counted_and_not_held() {
    let folder = Folder::new("s65");
    let (network, server, mut agent) = setup();
    server
        .get("/**")
        .reply(MockResponse::ok().bytes(pattern(3_000_000)));
    let outcome = run(&network, &mut agent, download(folder.path("a")));
    let saved = outcome.response().saved().unwrap();
    assert_eq!(
        (saved.bytes, saved.resumed_from, saved.sha256),
        (3_000_000, 0, None)
    );
    assert_eq!(saved.path, std::path::absolute(folder.path("a")).unwrap());
    assert!(outcome.response().body().is_empty());
    assert!(std::fs::read(folder.path("a")).unwrap() == pattern(3_000_000));
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn each_framing_and_nothing_at_all() {
    let folder = Folder::new("framings");
    for (name, response) in [
        ("length", MockResponse::ok().bytes(pattern(5000))),
        (
            "chunked",
            MockResponse::ok().chunked(pattern(5000).chunks(99)),
        ),
        ("close", MockResponse::ok().until_close(pattern(5000))),
        ("empty", MockResponse::ok()),
        ("none", MockResponse::with_status(204)),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/**").reply(response);
        run(&network, &mut agent, download(folder.path(name))).response();
        let expected = if matches!(name, "empty" | "none") {
            Vec::new()
        } else {
            pattern(5000)
        };
        assert!(
            std::fs::read(folder.path(name)).unwrap() == expected,
            "{name}"
        );
    }
}

#[test]
fn folders_are_made() {
    let folder = Folder::new("s66");
    let (network, server, mut agent) = setup();
    server.get("/**").reply(MockResponse::ok().text("x"));
    run(&network, &mut agent, download(folder.path("a/b/c.txt"))).response();
    assert_eq!(std::fs::read(folder.path("a/b/c.txt")).unwrap(), b"x");
}

#[test]
fn the_old_file_stays_until_the_new_one_is_complete() {
    let folder = Folder::new("s67");
    std::fs::write(folder.path("a"), "old").unwrap();
    let (network, server, mut agent) = setup();
    server.get("/**").reply(
        MockResponse::ok()
            .bytes(pattern(50_000))
            .drip(1000, Duration::from_millis(10)),
    );
    let handle = agent.send(download(folder.path("a"))).unwrap();
    for _ in 0..40 {
        frames(&network, &mut agent, 1);
        assert_eq!(std::fs::read(folder.path("a")).unwrap(), b"old");
        assert!(folder.names().len() <= 2);
    }
    finish(&network, &mut agent, &handle).response();
    assert!(std::fs::read(folder.path("a")).unwrap() == pattern(50_000));
    assert_eq!(folder.names(), ["a"]);
}

/// Fails a download, and sees that nothing but the old file is left.
fn failing(name: &str, response: MockResponse, change: impl FnOnce(Request) -> Request) -> Outcome {
    let folder = Folder::new(name);
    std::fs::write(folder.path("a"), "old").unwrap();
    let (network, server, mut agent) = setup();
    server.get("/**").reply(response);
    let outcome = run(&network, &mut agent, change(download(folder.path("a"))));
    assert!(outcome.result.is_err(), "{name}");
    frames(&network, &mut agent, 2);
    assert_eq!(folder.names(), ["a"], "{name}");
    assert_eq!(std::fs::read(folder.path("a")).unwrap(), b"old");
    outcome
}

#[test]
fn a_status_that_is_no_success_is_an_error() {
    for status in [400, 404, 416, 500, 503, 302, 304] {
        let outcome = failing("s68", MockResponse::with_status(status).text("no"), |it| it);
        assert_eq!(*outcome.error().kind(), ErrorKind::Status(status));
        let (_, response) = outcome.result.unwrap_err();
        assert_eq!(response.unwrap().status().as_u16(), status);
    }
}

#[test]
fn a_download_that_is_cut_short_or_late_leaves_nothing() {
    let whole = || MockResponse::ok().bytes(pattern(100_000));
    let outcome = failing("s69-cut", whole().cut_after(5000), |it| it);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Truncated {
            received: 5000,
            expected: Some(100_000)
        }
    );
    failing("s69-reset", whole().reset_after(5000), |it| it);
    let outcome = failing("s69-stall", whole().stall_after(5000), |it| it);
    assert!(outcome.error().is_timeout());
    failing(
        "s69-lie",
        MockResponse::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        |it| it,
    );
}

#[test]
fn paths_that_cannot_be_written_are_errors_that_say_so() {
    let folder = Folder::new("s69-paths");
    std::fs::create_dir(folder.path("folder")).unwrap();
    std::fs::write(folder.path("file"), "x").unwrap();
    let (network, server, mut agent) = setup();
    server.get("/**").reply(MockResponse::ok().text("x"));
    for (path, fault) in [
        (folder.path("folder"), Some(DiskFault::NotAFile)),
        (folder.path("file/below"), None),
        (std::path::PathBuf::new(), Some(DiskFault::NoFileName)),
        (folder.path(".."), None),
    ] {
        let outcome = run(&network, &mut agent, download(path.clone()));
        match (outcome.error().kind(), fault) {
            (ErrorKind::File(found), Some(fault)) => assert_eq!(*found, fault),
            (ErrorKind::File(_), None) => {}
            other => panic!("{path:?}: {other:?}"),
        }
        assert!(!outcome.error().is_retryable());
        assert_eq!(outcome.error().path(), Some(&*path));
        let text = outcome.error().to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
    assert_eq!(folder.names(), ["file", "folder"]);
}

#[test]
fn headers_and_the_total_timeout() {
    let folder = Folder::new("s70");
    let (network, server, mut agent) = setup();
    server.get("/**").reply(
        MockResponse::ok()
            .bytes(pattern(100_000))
            .drip(1000, Duration::from_millis(20)),
    );
    let request = download(folder.path("a"))
        .header("X-Key", "1")
        .total_timeout(Duration::from_secs(1));
    let outcome = run(&network, &mut agent, request);
    assert!(outcome.error().is_timeout());
    assert_eq!(server.requests()[0].header("x-key"), Some("1"));
    assert!(folder.names().is_empty());
    let request = download(folder.path("a")).total_timeout(Duration::ZERO);
    run(&network, &mut agent, request).response();
}

#[test]
fn the_size_is_capped_before_and_while_it_comes() {
    for (name, response, most) in [
        ("s71-length", MockResponse::ok().bytes(pattern(5001)), 5000),
        (
            "s71-chunked",
            MockResponse::ok().chunked(pattern(5001).chunks(100)),
            5000,
        ),
        (
            "s71-close",
            MockResponse::ok().until_close(pattern(5001)),
            5000,
        ),
    ] {
        let outcome = failing(name, response, |_| {
            let folder =
                std::env::temp_dir().join(format!("httpoll-{}-{name}", std::process::id()));
            Request::get(URL).download_to(Download::to(folder.join("a")).max_size(most))
        });
        assert_eq!(
            *outcome.error().kind(),
            ErrorKind::Limit(Limit::FileBytes(5000)),
            "{name}"
        );
    }
    let folder = Folder::new("s71-ok");
    let (network, server, mut agent) = setup();
    server
        .get("/**")
        .reply(MockResponse::ok().chunked(pattern(5000).chunks(100)));
    for most in [5000, 0] {
        run(
            &network,
            &mut agent,
            download(Download::to(folder.path("a")).max_size(most)),
        )
        .response();
    }
    // 1 GiB by default: a response that announces more is refused at once.
    let lie = MockResponse::raw("HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\nabc");
    let outcome = failing("s71-default", lie, |it| it);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::FileBytes(1 << 30))
    );
}

#[cfg(feature = "sha256")]
#[test]
fn size_and_hash_are_checked_before_the_name() {
    let folder = Folder::new("n6-hash");
    // SHA-256 of nothing, and of "abc" (FIPS 180-2).
    let abc = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
        0x15, 0xad,
    ];
    let (network, server, mut agent) = setup();
    server.get("/**").reply(MockResponse::ok().bytes("abc"));
    let outcome = run(
        &network,
        &mut agent,
        download(Download::to(folder.path("a")).expected_size(3).sha256(abc)),
    );
    assert_eq!(outcome.response().saved().unwrap().sha256, Some(abc));
    let outcome = run(
        &network,
        &mut agent,
        download(Download::to(folder.path("b")).sha256([7; 32])),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::File(DiskFault::HashMismatch {
            expected: [7; 32],
            found: abc
        })
    );
    let outcome = run(
        &network,
        &mut agent,
        download(Download::to(folder.path("b")).expected_size(4)),
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::File(DiskFault::SizeMismatch {
            expected: 4,
            found: 3
        })
    );
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn killed_at_each_kibibyte_it_is_resumed_to_the_same_bytes() {
    let folder = Folder::new("n6-kill");
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
    let folder = Folder::new("n6-retry");
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
        let folder = Folder::new("n6-changed");
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
    let folder = Folder::new("n6-whole");
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
    let folder = Folder::new("n6-two");
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
    let folder = Folder::new("n6-progress");
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
    let folder = Folder::new("n6-unasked");
    for (range, fine) in [
        ("bytes 5000-9999/10000", false),
        ("bytes 0-4999/5000", true),
        ("bytes 9-5/3", true),
        ("lines 1-2/3", true),
    ] {
        let (network, server, mut agent) = setup();
        server.get("/**").reply_with(move |_: &MockRequest| {
            MockResponse::with_status(206)
                .header("Content-Range", range)
                .bytes(pattern(5000))
        });
        let outcome = run(&network, &mut agent, download(folder.path("a")));
        assert_eq!(outcome.result.is_ok(), fine, "{range}");
        let _ = std::fs::remove_file(folder.path("a"));
        assert!(folder.names().is_empty());
    }
    let _ = MemoryNetwork::new();
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
