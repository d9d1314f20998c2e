//! Components next to a request: downloads, uploads, retries, priorities.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::httpoll::{ErrorKind, RetryPolicy, agent::PoolLimits};
use bevy_httpoll::prelude::*;

use crate::support::{Folder, Game, unhurried, url};

#[test]
fn a_download_writes_a_file_and_reports_progress() {
    use bevy_ecs::prelude::*;
    let folder = Folder::new("download");
    let mut game = Game::new();
    let content: Vec<u8> = (0..=255).cycle().take(50_000).collect();
    let _rule = game.server.get("/pack").reply(
        MockResponse::ok()
            .bytes(content.clone())
            .drip(10_000, Duration::from_millis(50)),
    );
    #[derive(Resource, Default)]
    struct Observed(Vec<HttpProgress>);
    game.app.init_resource::<Observed>().add_observer(
        |on: On<HttpProgressed>, mut observed: ResMut<Observed>| observed.0.push(on.progress),
    );
    let path = folder.path("a/pack");
    game.spawn((HttpRequest::get(url("/pack")), HttpDownload::to(&path)));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 200);
    assert_eq!(game.log().responses[0].2, "", "the content is in the file");
    assert_eq!(std::fs::read(&path).unwrap(), content);
    let observed = &game.app.world().resource::<Observed>().0;
    assert!(observed.len() >= 4, "{observed:?}");
    assert!(observed.is_sorted_by_key(|it| it.received), "{observed:?}");
    assert_eq!(observed.last().unwrap().to_receive, Some(50_000));
    assert_eq!(game.agent().transferred().1, 50_000);
}

#[test]
fn a_download_that_arrives_at_once_reports_its_whole_progress() {
    let mut game = Game::new();
    let folder = Folder::new("at-once");
    let _rule = game.server.get("/").reply(MockResponse::ok().text("pack"));
    let (sender, receiver) = std::sync::mpsc::channel();
    let download = HttpDownload::to(folder.path("pack"));
    game.app
        .world_mut()
        .spawn((HttpRequest::get(url("/")), download))
        .observe(move |on: bevy_ecs::prelude::On<HttpProgressed>| {
            sender.send(on.progress.fraction()).unwrap();
        });
    game.until_finished(1);
    assert_eq!(receiver.try_iter().last(), Some(Some(1.0)));
}

#[cfg(feature = "sha256")]
#[test]
fn a_file_that_exists_already_is_not_downloaded_again() {
    let folder = Folder::new("exists");
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("pack"));
    // Of `pack`; upper and lower case are the same.
    let hex = "4862F447F2C7F272FA2F4AAF89DADB3B1AC09105BD5864F8D1A0C9452BB0A226";
    let download = HttpDownload::to(folder.path("pack"))
        .expected_size(4)
        .sha256_hex(hex)
        .skip_existing(true);
    let (sender, receiver) = std::sync::mpsc::channel();
    for finished in 1..=3 {
        let sender = sender.clone();
        game.app
            .world_mut()
            .spawn((HttpRequest::get(url("/")), download.clone()))
            .on_response(move |on: bevy_ecs::prelude::On<HttpResponse>| {
                let saved = on.saved().unwrap();
                sender.send((on.status(), saved.is_unchanged)).unwrap();
            });
        game.until_finished(finished);
        if finished == 2 {
            std::fs::write(folder.path("pack"), "past").unwrap();
        }
    }
    let observed: Vec<_> = receiver.try_iter().collect();
    assert_eq!(observed, [(200, false), (200, true), (200, false)]);
    assert_eq!(game.server.requests().len(), 2);
    assert_eq!(std::fs::read(folder.path("pack")).unwrap(), b"pack");
}

#[test]
fn errors_of_downloads_name_the_file_and_its_folder() {
    let folder = Folder::new("errors");
    std::fs::write(folder.path("file"), "").unwrap();
    std::fs::create_dir(folder.path("levels")).unwrap();
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("pack"));
    let (sender, receiver) = std::sync::mpsc::channel();
    let cases = [
        (folder.path("file/below/pack"), "make the parent folders"),
        (folder.path("levels"), "does not name a regular file"),
    ];
    for (finished, (path, problem)) in cases.into_iter().enumerate() {
        let sender = sender.clone();
        game.app
            .world_mut()
            .spawn((HttpRequest::get(url("/")), HttpDownload::to(&path)))
            .on_error(move |on: bevy_ecs::prelude::On<HttpError>| {
                sender.send(on.error.to_string()).unwrap();
            });
        game.until_finished(finished + 1);
        let error = receiver.recv().unwrap();
        let name = std::path::absolute(&path).unwrap().display().to_string();
        assert!(error.contains(&name) && error.contains(problem), "{error}");
    }
}

#[test]
fn a_cancelled_download_leaves_no_file_unless_it_resumes() {
    let folder = Folder::new("resume");
    let mut game = Game::new();
    let content: Vec<u8> = (0..=255).cycle().take(40_000).collect();
    let _rules = [game.server.get("/pack").reply(
        MockResponse::resource(content.clone())
            .etag("\"v1\"")
            .drip(5_000, Duration::from_millis(50)),
    )];
    for (resume, names) in [(false, 0), (true, 2)] {
        let entity = game.spawn((
            HttpRequest::get(url("/pack")),
            HttpDownload::to(folder.path("pack")).resume(resume),
        ));
        game.until(|world| {
            world
                .get::<HttpProgress>(entity)
                .is_some_and(|it| it.received >= 15_000)
        });
        game.app.world_mut().despawn(entity);
        game.frames(3);
        assert_eq!(folder.names().len(), names, "{:?}", folder.names());
    }
    game.spawn((
        HttpRequest::get(url("/pack")),
        HttpDownload::to(folder.path("pack")).resume(true),
    ));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 206);
    assert_eq!(std::fs::read(folder.path("pack")).unwrap(), content);
    assert_eq!(folder.names(), ["pack"]);
}

#[test]
fn a_cancelled_download_may_keep_what_has_arrived() {
    let folder = Folder::new("partial");
    let mut game = Game::new();
    let _rule = game.server.get("/pack").reply(
        MockResponse::ok()
            .bytes(vec![7; 40_000])
            .drip(5_000, Duration::from_millis(50)),
    );
    for (keep, names) in [(false, &[][..]), (true, &["pack.part", "pack.part.json"])] {
        let entity = game.spawn((
            HttpRequest::get(url("/pack")),
            HttpDownload::to(folder.path("pack")).keep_partial(keep),
        ));
        game.until(|world| {
            let progress = world.get::<HttpProgress>(entity);
            progress.is_some_and(|it| it.received >= 15_000)
        });
        game.app.world_mut().despawn(entity);
        game.frames(3);
        assert_eq!(folder.names(), names, "{keep}");
    }
}

#[test]
fn a_download_larger_than_its_limit_fails() {
    use bevy_httpoll::httpoll::error::DiskFault;
    use bevy_httpoll::httpoll::limits::Limit;
    let folder = Folder::new("limit");
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/pack")
        .reply(MockResponse::ok().bytes(vec![7; 100]));
    for most in [99, 100, 0] {
        let name = format!("pack-{most}");
        game.spawn((
            HttpRequest::get(url("/pack")),
            HttpDownload::to(folder.path(&name)).max_size(most),
        ));
    }
    game.until_finished(3);
    game.spawn((
        HttpRequest::get(url("/pack")),
        HttpDownload::to(folder.path("pack-other")).expected_size(101),
    ));
    game.until_finished(4);
    let errors: Vec<_> = game.log().errors.iter().map(|(_, kind)| kind).collect();
    let other = DiskFault::SizeMismatch {
        expected: 101,
        found: 100,
    };
    let expected = [Limit::FileBytes(99).into(), ErrorKind::File(other)];
    assert_eq!(errors, expected.iter().collect::<Vec<_>>());
    assert_eq!(folder.names(), ["pack-0", "pack-100"]);
}

#[test]
fn a_download_with_status_404_is_an_error_and_leaves_no_file() {
    let folder = Folder::new("missing");
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/pack")
        .reply(MockResponse::with_status(404).text("no"));
    game.spawn((
        HttpRequest::get(url("/pack")),
        HttpDownload::to(folder.path("pack")),
    ));
    game.until_finished(1);
    assert_eq!(game.log().errors[0].1, ErrorKind::Status(404));
    assert!(folder.names().is_empty());
}

#[test]
fn a_file_is_uploaded() {
    let folder = Folder::new("upload");
    let path = folder.path("replay");
    std::fs::write(&path, "a replay").unwrap();
    let mut game = Game::new();
    let _rule = game
        .server
        .put("/replay")
        .reply(MockResponse::with_status(201));
    let entity = game.spawn((
        HttpRequest::put(url("/replay")),
        HttpUpload::file(&path),
        KeepRequest,
    ));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 201);
    let asked = &game.server.requests()[0];
    assert_eq!(asked.text(), "a replay");
    assert_eq!(asked.header("content-length"), Some("8"));
    let progress = game.app.world().get::<HttpProgress>(entity).unwrap();
    assert_eq!((progress.sent, progress.to_send), (8, Some(8)));
    assert_eq!(progress.sent_fraction(), Some(1.0));
}

#[cfg(feature = "multipart")]
#[test]
fn a_form_with_files_is_uploaded() {
    let folder = Folder::new("form");
    let path = folder.path("replay.bin");
    std::fs::write(&path, "a replay").unwrap();
    let mut game = Game::new();
    let _rule = game.server.post("/").reply(MockResponse::ok());
    game.spawn((
        HttpRequest::post(url("/")),
        HttpUpload::form()
            .form_text("player", "Ada")
            .form_file("replay", &path)
            .form_bytes("shot", "shot.png", &b"png"[..]),
    ));
    game.until_finished(1);
    let asked = &game.server.requests()[0];
    let text = asked.text();
    for part in ["Ada", "filename=\"replay.bin\"", "a replay", "image/png"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_phase_shows_retries() {
    let mut game = Game::new();
    let _rule = game
        .server
        .get("/")
        .reply(MockResponse::with_status(503))
        .then_reply(MockResponse::ok());
    game.spawn((HttpRequest::get(url("/")), HttpRetry::times(1)));
    game.until_finished(1);
    assert_eq!(game.log().responses[0].1, 200);
    let retried = game.log().phases.iter();
    assert_eq!(
        retried.filter(|it| it.2 == HttpPhase::AwaitRetry).count(),
        1
    );
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(2);
    assert_eq!(
        game.server.requests().len(),
        3,
        "nothing else is sent twice"
    );
    assert_eq!(HttpRetry::default(), RetryPolicy::standard().into());
}

#[test]
fn requests_start_in_the_order_of_their_priority_even_if_it_changes() {
    let mut pool = PoolLimits::default();
    (pool.total, pool.per_host) = (1, 1);
    let mut game = Game::with(HttpollPlugin {
        pool,
        ..unhurried()
    });
    let _rules = [game
        .server
        .get("/**")
        .reply(MockResponse::ok().delay(Duration::from_millis(100)))];
    game.spawn(HttpRequest::get(url("/first")));
    game.frames(2);
    game.spawn((
        HttpRequest::get(url("/background")),
        HttpPriority::Background,
    ));
    let raised = game.spawn((HttpRequest::get(url("/raised")), HttpPriority::Background));
    game.spawn(HttpRequest::get(url("/interface")));
    game.frames(2);
    game.app
        .world_mut()
        .entity_mut(raised)
        .insert(HttpPriority::Gameplay);
    game.until_finished(4);
    let order: Vec<_> = game
        .server
        .requests()
        .iter()
        .map(|it| it.path().to_owned())
        .collect();
    assert_eq!(order, ["/first", "/raised", "/interface", "/background"]);
}

#[cfg(feature = "sha256")]
#[test]
fn a_digest_may_be_given_as_hexadecimal_digits() {
    use bevy_httpoll::httpoll::error::{DiskFault, Misuse};
    // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    const DIGEST: &str = "BA7816BF8F01CFEA414140DE5DAE2223b00361a396177a9cb410ff61f20015ad";
    let folder = Folder::new("digest");
    let mut game = Game::new();
    let _rule = game.server.get("/").reply(MockResponse::ok().text("abc"));
    for digest in [
        DIGEST,
        &DIGEST.replace("BA", "BB"),
        "BA78",
        &"xy".repeat(32),
    ] {
        game.spawn((
            HttpRequest::get(url("/")),
            HttpDownload::to(folder.path(&digest[..4])).sha256_hex(digest),
        ));
    }
    game.until_finished(4);
    let log = game.log();
    assert_eq!(log.responses.len(), 1, "{log:?}");
    let invalid = |it: &&(_, ErrorKind)| it.1 == ErrorKind::Misuse(Misuse::InvalidDigest);
    assert_eq!(log.errors.iter().filter(invalid).count(), 2, "{log:?}");
    let wrong =
        |it: &(_, ErrorKind)| matches!(&it.1, ErrorKind::File(DiskFault::HashMismatch { .. }));
    assert!(log.errors.iter().any(wrong), "{log:?}");
    assert_eq!(folder.names(), ["BA78"]);
}

#[test]
fn a_request_that_loses_its_priority_has_that_of_the_interface() {
    let mut pool = PoolLimits::default();
    (pool.total, pool.per_host) = (1, 1);
    let mut game = Game::with(HttpollPlugin {
        pool,
        ..unhurried()
    });
    let delayed = MockResponse::ok().delay(Duration::from_millis(100));
    let _rule = game.server.get("/**").reply(delayed);
    game.spawn(HttpRequest::get(url("/first")));
    game.frames(2);
    game.spawn((HttpRequest::get(url("/streaming")), HttpPriority::Streaming));
    let raised = game.spawn((HttpRequest::get(url("/raised")), HttpPriority::Background));
    game.frames(2);
    let mut raised = game.app.world_mut().entity_mut(raised);
    raised.remove::<HttpPriority>();
    game.until_finished(3);
    let requests = game.server.requests();
    let order: Vec<_> = requests.iter().map(|it| it.path().to_owned()).collect();
    assert_eq!(order, ["/first", "/raised", "/streaming"]);
}

#[test]
fn a_request_ends_when_its_time_is_over() {
    use bevy_httpoll::httpoll::Timeouts;
    let second = Duration::from_secs(1);
    let request = || HttpRequest::get(url("/never"));
    for request in [
        request().timeout(second),
        request().timeouts(Timeouts::with(|timeouts| timeouts.head = Some(second))),
    ] {
        let mut game = Game::new();
        let _rule = game.server.get("/never").reply(MockResponse::ok().never());
        game.spawn(request);
        let began = game.network.now();
        game.until_finished(1);
        let took = game.network.now() - began;
        assert!((second..2 * second).contains(&took), "{took:?}");
        let kind = &game.log().errors[0].1;
        let is_timeout = matches!(kind, ErrorKind::Timeout(_) | ErrorKind::TotalTimeout(_));
        assert!(is_timeout, "{kind:?}");
    }
}
