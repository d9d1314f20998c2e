//! The cache and its file.

#![cfg(feature = "cache")]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::prelude::*;

use crate::support::{Folder, Game, TIME_LIMIT, unhurried, url};

fn game_with_cache(file: &Path) -> Game {
    Game::with(HttpollPlugin {
        cache: Some(HttpCacheFile::new(file)),
        ..unhurried()
    })
}

#[test]
fn the_cache_is_saved_during_the_run() {
    let folder = Folder::new("cache");
    let file = folder.path("http.cache");
    let mut game = game_with_cache(&file);
    let _rule = game.server.get("/").reply(
        MockResponse::ok()
            .header("Cache-Control", "max-age=3600")
            .text("kept"),
    );
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    assert!(!file.exists(), "not in each frame");
    let end = game.network.now() + Duration::from_secs(31);
    while game.network.now() < end {
        game.frame();
    }
    let start = Instant::now();
    while !file.exists() {
        std::thread::yield_now();
        assert!(start.elapsed() < TIME_LIMIT);
    }
    // The app did not end: it crashed, so to speak.
    let mut next = game_with_cache(&file);
    next.spawn(HttpRequest::get(url("/")));
    next.until_finished(1);
    assert_eq!(next.log().responses[0].2, "kept");
    assert!(next.server.requests().is_empty());
}

#[test]
fn an_unchanged_cache_is_not_written_again() {
    let folder = Folder::new("cache-unchanged");
    let file = folder.path("http.cache");
    let mut game = game_with_cache(&file);
    for _ in 0..4000 {
        game.frame();
    }
    assert!(!file.exists());
}

#[test]
fn a_cache_that_could_not_be_saved_is_saved_when_that_is_possible_again() {
    let folder = Folder::new("cache-later");
    let blocked = folder.path("blocked");
    std::fs::write(&blocked, "no folder").unwrap();
    let file = blocked.join("http.cache");
    let mut game = game_with_cache(&file);
    let _rule = game.server.get("/").reply(
        MockResponse::ok()
            .header("Cache-Control", "max-age=3600")
            .text("kept"),
    );
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    let http = game.app.world().resource::<HttpAgent>();
    http.save_cache().unwrap_err();
    std::fs::remove_file(&blocked).unwrap();
    let end = game.network.now() + Duration::from_secs(61);
    while game.network.now() < end {
        game.frame();
    }
    let start = Instant::now();
    while !file.exists() {
        std::thread::yield_now();
        assert!(start.elapsed() < TIME_LIMIT);
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_was_planted_where_the_cache_is_written_is_not_followed_and_a_failure_leaves_nothing()
{
    let folder = Folder::new("cache-link");
    let (file, new, victim) = (
        folder.path("http.cache"),
        folder.path("http.cache.new"),
        folder.path("victim"),
    );
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, &new).unwrap();
    let game = game_with_cache(&file);
    let save = || game.app.world().resource::<HttpAgent>().save_cache();
    save().unwrap();
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert!(std::fs::symlink_metadata(&file).unwrap().is_file());
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    save().unwrap_err();
    assert!(!new.exists());
}

#[test]
fn offline_a_stale_response_is_used_if_the_request_allows_it() {
    let folder = Folder::new("cache-offline");
    let mut game = game_with_cache(&folder.path("http.cache"));
    let _rule = game
        .server
        .get("/")
        .reply(
            MockResponse::ok()
                .header("Cache-Control", "max-age=1")
                .text("yesterday"),
        )
        .then_reply(MockResponse::raw(""));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    game.network.advance(Duration::from_secs(24 * 60 * 60));
    game.spawn(HttpRequest::get(url("/")).stale_if_error());
    game.until_finished(2);
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(3);
    let log = game.log();
    assert_eq!(log.responses[1].2, "yesterday");
    assert_eq!(log.errors.len(), 1);
}

#[test]
fn a_polled_leaderboard_shows_the_stale_response_and_then_the_fresh_one() {
    #[derive(Resource, Default)]
    struct Updates(Vec<(String, String)>);

    let folder = Folder::new("cache-updated");
    let mut game = game_with_cache(&folder.path("http.cache"));
    game.app.init_resource::<Updates>().add_observer(
        |on: On<HttpCacheUpdated>, mut updates: ResMut<Updates>| {
            let text = on.response.text();
            updates.0.push((on.url.clone(), text));
        },
    );
    let leaders = |text: &str| {
        MockResponse::ok()
            .header("Cache-Control", "max-age=1, stale-while-revalidate=60")
            .text(text)
    };
    let _rule = game
        .server
        .get("/")
        .reply(leaders("anna"))
        .then_reply(leaders("bert"));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(1);
    game.network.advance(Duration::from_secs(10));
    game.spawn(HttpRequest::get(url("/")));
    game.until_finished(2);
    assert_eq!(game.log().responses[1].2, "anna");
    game.until(|world| !world.resource::<Updates>().0.is_empty());
    game.frames(20);
    let updates = &game.app.world().resource::<Updates>().0;
    assert_eq!(updates[..], [(url("/"), "bert".to_owned())]);
    assert_eq!(game.log().responses.len(), 2);
    assert!(game.log().errors.is_empty());
    assert_eq!(game.server.requests().len(), 2);
}
