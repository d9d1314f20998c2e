//! Responses that become files.

use std::time::Duration;

use httpoll::error::{DiskFault, NetworkFault, PeerMisbehaved};
use httpoll::mock::MockResponse;
use httpoll::{Download, ErrorKind, Phase, Request, limits::Limit};

use crate::support::{Folder, Outcome, finish, frames, pattern, run, setup};

const URL: &str = "http://game.example/level.pak";

fn download(to: impl Into<Download>) -> Request {
    Request::get(URL).download_to(to)
}

#[test]
fn the_bytes_are_counted_and_not_held() {
    let folder = Folder::new("counted");
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

#[cfg(feature = "sha256")]
#[test]
fn a_file_that_exists_with_the_right_size_and_digest_is_not_requested() {
    let digest = |bytes: &[u8]| -> [u8; 32] {
        use sha2::{Digest, Sha256};
        Sha256::digest(bytes).into()
    };
    let content = pattern(100_000);
    let mut damaged = content.clone();
    damaged[50_000] ^= 1;
    for (present, requests) in [
        (Some(&content[..]), 0),
        (Some(&damaged[..]), 1),
        (Some(&content[..99_999]), 1),
        (None, 1),
    ] {
        let folder = Folder::new("exists");
        let (network, server, mut agent) = setup();
        server
            .get("/**")
            .reply(MockResponse::ok().bytes(content.clone()));
        if let Some(present) = present {
            std::fs::write(folder.path("a"), present).unwrap();
        }
        let wanted = Download::to(folder.path("a"))
            .expected_size(100_000)
            .sha256(digest(&content))
            .skip_existing(true);
        let outcome = run(&network, &mut agent, download(wanted));
        let response = outcome.response();
        assert_eq!(response.status(), 200);
        let saved = response.saved().unwrap();
        assert_eq!(saved.is_unchanged, requests == 0);
        assert_eq!(saved.bytes, 100_000);
        assert_eq!(saved.sha256, Some(digest(&content)));
        assert_eq!(saved.path, std::path::absolute(folder.path("a")).unwrap());
        assert_eq!(server.requests().len(), requests);
        assert!(std::fs::read(folder.path("a")).unwrap() == content);
        assert_eq!(folder.names(), ["a"]);
    }
}

#[test]
fn folders_are_made() {
    let folder = Folder::new("folders");
    let (network, server, mut agent) = setup();
    server.get("/**").reply(MockResponse::ok().text("x"));
    run(&network, &mut agent, download(folder.path("a/b/c.txt"))).response();
    assert_eq!(std::fs::read(folder.path("a/b/c.txt")).unwrap(), b"x");
}

#[test]
fn the_old_file_stays_until_the_new_one_is_complete() {
    let folder = Folder::new("old-file");
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
    frames(&network, &mut agent, 2);
    assert_eq!(folder.names(), ["a"], "{name}");
    assert_eq!(std::fs::read(folder.path("a")).unwrap(), b"old");
    outcome
}

#[test]
fn a_status_that_is_no_success_is_an_error() {
    for status in [400, 404, 416, 500, 503, 302, 304] {
        let outcome = failing(
            "status",
            MockResponse::with_status(status).text("no"),
            |it| it,
        );
        assert_eq!(*outcome.error().kind(), ErrorKind::Status(status));
        let (_, response) = outcome.result.unwrap_err();
        assert_eq!(response.unwrap().status().as_u16(), status);
    }
}

#[test]
fn a_download_that_is_cut_short_or_late_leaves_nothing() {
    let whole = || MockResponse::ok().bytes(pattern(100_000));
    let outcome = failing("failed-cut", whole().cut_after(5000), |it| it);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Truncated {
            received: 5000,
            expected: Some(100_000)
        }
    );
    let outcome = failing("failed-reset", whole().reset_after(5000), |it| it);
    let broken = ErrorKind::Network(NetworkFault::Broken);
    assert_eq!(*outcome.error().kind(), broken);
    let outcome = failing("failed-stall", whole().stall_after(5000), |it| it);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Timeout(Phase::ReceiveBody)
    );
    let outcome = failing(
        "failed-lie",
        MockResponse::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        |it| it,
    );
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Peer(PeerMisbehaved::InvalidChunkSize)
    );
}

#[test]
fn paths_that_cannot_be_written_are_errors_that_say_so() {
    let folder = Folder::new("failed-paths");
    std::fs::create_dir(folder.path("folder")).unwrap();
    std::fs::write(folder.path("file"), "x").unwrap();
    let (network, server, mut agent) = setup();
    server.get("/**").reply(MockResponse::ok().text("x"));
    for (path, fault) in [
        (folder.path("folder"), Some(DiskFault::NotAFile)),
        (folder.path("file").join("below"), None),
        (std::path::PathBuf::new(), Some(DiskFault::NoFileName)),
        (folder.path(".."), None),
        (folder.path("no folder/"), Some(DiskFault::NoFileName)),
        (folder.path(&"n".repeat(300)), None),
    ] {
        let outcome = run(&network, &mut agent, download(path.clone()));
        match (outcome.error().kind(), fault) {
            (ErrorKind::File(found), Some(fault)) => assert_eq!(*found, fault),
            (ErrorKind::File(_), None) => {}
            other => panic!("{path:?}: {other:?}"),
        }
        assert!(!outcome.error().is_retryable());
        // Windows takes `..` out of a path when it makes it absolute.
        let named = outcome.error().path().unwrap();
        assert_eq!(
            std::path::absolute(named).ok(),
            std::path::absolute(&path).ok()
        );
        let text = outcome.error().to_string();
        assert!(text.contains(&named.display().to_string()), "{text}");
        assert!(server.requests().is_empty(), "in vain: {path:?}");
    }
    assert_eq!(folder.names(), ["file", "folder"]);
}

#[test]
fn headers_and_the_total_timeout() {
    let folder = Folder::new("total-timeout");
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
        (
            "capped-length",
            MockResponse::ok().bytes(pattern(5001)),
            5000,
        ),
        (
            "capped-chunked",
            MockResponse::ok().chunked(pattern(5001).chunks(100)),
            5000,
        ),
        (
            "capped-close",
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
    let folder = Folder::new("capped-ok");
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
    let outcome = failing("capped-default", lie, |it| it);
    assert_eq!(
        *outcome.error().kind(),
        ErrorKind::Limit(Limit::FileBytes(1 << 30))
    );
}

#[cfg(feature = "sha256")]
#[test]
fn size_and_hash_are_checked_before_the_name() {
    let folder = Folder::new("resumed-hash");
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
