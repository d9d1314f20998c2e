//! `HttpPatch`: events, pause, rate, and what happens when it is removed.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::mock::MockResponse;
use bevy_httpoll::httpoll::patch::{Patch, PatchPhase, PatchProgress, PatchReport, manifest_of};
use bevy_httpoll::httpoll::{Error, ErrorKind};
use bevy_httpoll::prelude::*;

use crate::support::Game;

const MANIFEST: &str = "http://game.example/set/manifest.json";

#[derive(Resource, Default)]
struct Log {
    progress: Vec<PatchProgress>,
    finished: Vec<(Entity, PatchReport)>,
    failed: Vec<(Entity, Error)>,
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bevy-httpoll-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn files() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([("a.pak", vec![1; 50_000]), ("b.pak", vec![2; 30_000])])
}

/// A game whose server has a set, sent at 1,000 bytes a frame and file.
fn game(name: &str) -> (Game, Folder) {
    let folder = Folder::new(name);
    let source = folder.0.join("source");
    std::fs::create_dir(&source).unwrap();
    let mut game = Game::new();
    for (path, content) in files() {
        std::fs::write(source.join(path), &content).unwrap();
        let response = MockResponse::resource(content)
            .etag("\"v\"")
            .drip(1000, Duration::from_millis(16));
        game.server.get(&format!("/set/{path}")).reply(response);
    }
    let manifest = manifest_of(&source, None).unwrap().to_json();
    game.server
        .get("/set/manifest.json")
        .reply(MockResponse::ok().text(&manifest));
    game.app
        .init_resource::<Log>()
        .add_observer(|on: On<HttpPatchProgressed>, mut log: ResMut<Log>| {
            log.progress.push(on.progress);
        })
        .add_observer(|on: On<HttpPatchFinished>, mut log: ResMut<Log>| {
            log.finished.push((on.entity, on.report.clone()));
        })
        .add_observer(|on: On<HttpPatchFailed>, mut log: ResMut<Log>| {
            log.failed.push((on.entity, on.error.clone()));
        });
    (game, folder)
}

fn log(game: &Game) -> &Log {
    game.app.world().resource::<Log>()
}

#[test]
fn a_patch_reports_its_progress_and_its_end_once() {
    let (mut game, folder) = game("patch");
    let patch = game.spawn(HttpPatch::from_url(MANIFEST, folder.0.join("root")));
    game.until(|world| !world.resource::<Log>().finished.is_empty());
    game.frames(5);
    let log = log(&game);
    let [(entity, report)] = &log.finished[..] else {
        panic!("{:?}", log.finished);
    };
    assert_eq!(
        (*entity, report.downloaded, report.received),
        (patch, 2, 80_000)
    );
    for (path, content) in files() {
        assert!(std::fs::read(report.folder.join(path)).unwrap() == content);
    }
    assert!(log.progress.len() > 20);
    assert!(log.progress.windows(2).all(|pair| pair[0] != pair[1]));
    let last = log.progress.last().unwrap();
    assert_eq!(
        (last.phase, last.files_done, last.bytes_done),
        (PatchPhase::Finished, 2, 80_000)
    );
    assert!(log.failed.is_empty() && game.exists(patch));
    // Its requests are not requests of the app.
    assert!(game.log().responses.is_empty() && game.log().errors.is_empty());
}

#[test]
fn a_patch_that_fails_reports_why() {
    let (mut game, folder) = game("failing");
    let url = "http://game.example/nothing.json";
    let patch = game.spawn(HttpPatch::from_url(url, folder.0.join("root")));
    game.until(|world| !world.resource::<Log>().failed.is_empty());
    game.frames(5);
    let log = log(&game);
    let [(entity, error)] = &log.failed[..] else {
        panic!("{:?}", log.failed);
    };
    assert_eq!(*entity, patch);
    assert_eq!(*error.kind(), ErrorKind::Status(404));
    assert!(log.finished.is_empty());
}

#[test]
fn a_patch_is_paused_slowed_down_and_stopped_by_components() {
    let (mut game, folder) = game("controls");
    let patch = Patch::from_url(MANIFEST, folder.0.join("root"));
    let patch = game.spawn((HttpPatch::new(patch), HttpPaused));
    game.frames(20);
    assert_eq!(game.server.requests().len(), 0);
    game.app
        .world_mut()
        .entity_mut(patch)
        .remove::<HttpPaused>();
    game.frames(20);
    let done = |game: &Game| {
        let world = game.app.world();
        world.get::<HttpPatch>(patch).unwrap().progress().bytes_done
    };
    let before = done(&game);
    assert!(before > 0);
    game.app
        .world_mut()
        .entity_mut(patch)
        .insert(HttpRateLimit(1000));
    game.frames(20);
    let slow = done(&game) - before;
    assert!(slow < 10_000, "{slow}");
    game.app.world_mut().entity_mut(patch).despawn();
    game.frames(3);
    assert_eq!(game.connections(), 0);
    let log = log(&game);
    assert!(log.finished.is_empty() && log.failed.is_empty());
    // The next one resumes.
    let again = game.spawn(HttpPatch::from_url(MANIFEST, folder.0.join("root")));
    game.until(|world| !world.resource::<Log>().finished.is_empty());
    let report = &self::log(&game).finished[0];
    assert_eq!(report.0, again);
    assert!(report.1.received < 80_000, "{}", report.1.received);
}
