//! Asset sources of Bevy's `AssetServer`, served to the app's own requests.

#![cfg(all(feature = "server", feature = "assets"))]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use bevy_app::TaskPoolPlugin;
use bevy_asset::io::embedded::EmbeddedAssetRegistry;
use bevy_asset::io::memory::{Dir, MemoryAssetReader};
use bevy_asset::io::{
    AssetReader, AssetReaderError, AssetSourceBuilder, AssetSourceId, PathStream, Reader, VecReader,
};
use bevy_asset::{AssetApp, AssetPlugin, AssetServer};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::server::files::StaticFiles;
use bevy_httpoll::httpoll::server::{NotFoundPolicy, Response};
use bevy_httpoll::prelude::*;

use crate::support::Game;

const ADDRESS: &str = "10.0.0.7:80";

/// The parts of a response that the tests compare.
#[derive(Debug, PartialEq)]
struct Received {
    status: u16,
    etag: Option<String>,
    range: Option<String>,
    kind: Option<String>,
    body: String,
}

#[derive(Resource, Default)]
struct AllReceived(Vec<Received>);

fn log_response(on: On<HttpResponse>, mut received: ResMut<AllReceived>) {
    let field = |name| on.header(name).map(str::to_owned);
    received.0.push(Received {
        status: on.status(),
        etag: field("etag"),
        range: field("content-range"),
        kind: field("content-type"),
        body: on.text(),
    });
}

/// A reader that is never ready.
struct Never;

impl AssetReader for Never {
    async fn read<'a>(&'a self, _: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        std::future::pending::<()>().await;
        Ok(VecReader::new(Vec::new()))
    }

    async fn read_meta<'a>(&'a self, path: &'a Path) -> Result<impl Reader + 'a, AssetReaderError> {
        Err::<VecReader, _>(AssetReaderError::NotFound(path.to_owned()))
    }

    async fn read_directory<'a>(
        &'a self,
        path: &'a Path,
    ) -> Result<Box<PathStream>, AssetReaderError> {
        Err(AssetReaderError::NotFound(path.to_owned()))
    }

    async fn is_directory<'a>(&'a self, _: &'a Path) -> Result<bool, AssetReaderError> {
        std::future::pending().await
    }
}

fn memory(dir: &Dir) -> AssetSourceBuilder {
    let root = dir.clone();
    AssetSourceBuilder::new(move || Box::new(MemoryAssetReader { root: root.clone() }))
}

/// A game that serves its default source, `mods`, `embedded` and one that is never ready.
fn serving(game_files: &Dir, mods: &Dir) -> Game {
    let mut game = Game::new();
    game.app
        .register_asset_source(AssetSourceId::Default, memory(game_files))
        .register_asset_source("mods", memory(mods))
        .register_asset_source("never", AssetSourceBuilder::new(|| Box::new(Never)))
        .add_plugins((TaskPoolPlugin::default(), AssetPlugin::default()))
        .init_resource::<AllReceived>()
        .add_observer(log_response);
    let assets = game.app.world().resource::<AssetServer>().clone();
    let root = AssetSourceRoot::new(&assets, AssetSourceId::Default).unwrap();
    let named = |name: &'static str| AssetSourceRoot::new(&assets, name).unwrap();
    let (mods, embedded, never) = (
        named("mods").max_length(8),
        named("embedded"),
        named("never"),
    );
    let missing = AssetSourceRoot::new(&assets, "nowhere").err().unwrap();
    assert!(missing.to_string().contains("nowhere"), "{missing}");
    let server = game.spawn(HttpServer::bind(ADDRESS).with(move |server| {
        server.files(StaticFiles::new("/assets", root.clone()));
        server.files(StaticFiles::new("/mods", mods.clone()).listing(true));
        server.files(StaticFiles::new("/embedded", embedded.clone()));
        server.files(StaticFiles::new("/never", never.clone()));
        Ok(())
    }));
    // Requests that no root takes.
    game.app.world_mut().entity_mut(server).observe(
        |asked: On<HttpRequestReceived>, mut commands: Commands| {
            commands.respond(asked.request, Response::status(404));
        },
    );
    game.until(|world| world.get::<HttpServing>(server).is_some());
    game
}

fn get(path: &str) -> HttpRequest {
    HttpRequest::get(format!("http://{ADDRESS}{path}"))
}

fn ask(game: &mut Game, request: HttpRequest) -> Received {
    game.spawn(request);
    game.until(|world| !world.resource::<AllReceived>().0.is_empty());
    game.app
        .world_mut()
        .resource_mut::<AllReceived>()
        .0
        .remove(0)
}

#[test]
fn assets_are_served_with_ranges_and_entity_tags() {
    let files = Dir::default();
    files.insert_asset_text(Path::new("levels/1.txt"), "0123456789");
    files.insert_meta_text(Path::new("levels/1.txt"), "meta");
    let mut game = serving(&files, &Dir::default());
    let whole = ask(&mut game, get("/assets/levels/1.txt"));
    assert_eq!((whole.status, whole.body.as_str()), (200, "0123456789"));
    assert!(whole.kind.unwrap().starts_with("text/plain"));
    let tag = whole.etag.unwrap();

    for (range, status, answered, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=10-", 416, "bytes */10", ""),
    ] {
        let part = ask(
            &mut game,
            get("/assets/levels/1.txt").header("Range", range),
        );
        assert_eq!((part.status, part.body.as_str()), (status, body), "{range}");
        assert_eq!(part.range.as_deref(), Some(answered), "{range}");
    }

    let asked = || get("/assets/levels/1.txt").header("If-None-Match", &tag);
    let known = ask(&mut game, asked());
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    assert_eq!(known.etag.as_ref(), Some(&tag));
    // The same length: the tag depends on the content.
    files.insert_asset_text(Path::new("levels/1.txt"), "9876543210");
    let changed = ask(&mut game, asked());
    assert_eq!((changed.status, changed.body.as_str()), (200, "9876543210"));
    assert_ne!(changed.etag, Some(tag));
}

#[test]
fn requests_for_missing_assets_reach_the_observer() {
    let files = Dir::default();
    files.insert_asset_text(Path::new("levels/1.txt"), "1");
    files.insert_meta_text(Path::new("levels/1.txt"), "meta");
    let mut game = serving(&files, &Dir::default());
    for (path, status) in [
        ("/assets/levels/2.txt", 404),
        ("/assets/levels/1.txt.meta", 404),
        ("/assets/levels/", 404),
        ("/mods/levels/1.txt", 404),
        ("/assets/levels%2f1.txt", 400),
        ("/assets/levels/1.txt", 200),
    ] {
        assert_eq!(ask(&mut game, get(path)).status, status, "{path}");
    }
}

#[test]
fn named_sources_have_their_own_roots() {
    let mods = Dir::default();
    mods.insert_asset_text(Path::new("a/one.txt"), "one");
    mods.insert_asset_text(Path::new("a/b/two.txt"), "two");
    let mut game = serving(&Dir::default(), &mods);
    game.app
        .world_mut()
        .resource_mut::<EmbeddedAssetRegistry>()
        .insert_asset(PathBuf::new(), Path::new("game/logo.svg"), b"<svg/>");
    assert_eq!(ask(&mut game, get("/mods/a/one.txt")).body, "one");
    let embedded = ask(&mut game, get("/embedded/game/logo.svg"));
    assert_eq!((embedded.status, embedded.body.as_str()), (200, "<svg/>"));
    assert_eq!(embedded.kind.as_deref(), Some("image/svg+xml"));
    let listing = ask(&mut game, get("/mods/a/")).body;
    assert!(
        listing.contains("one.txt") && listing.contains("b/"),
        "{listing}"
    );
}

#[test]
fn a_frame_neither_waits_for_a_reader_nor_reads_without_limit() {
    let mods = Dir::default();
    mods.insert_asset_text(Path::new("fits.txt"), "12345678");
    mods.insert_asset_text(Path::new("long.txt"), "123456789");
    let mut game = serving(&Dir::default(), &mods);
    assert_eq!(ask(&mut game, get("/mods/fits.txt")).status, 200);
    assert_eq!(ask(&mut game, get("/mods/long.txt")).status, 500);
    assert_eq!(ask(&mut game, get("/never/a.txt")).status, 500);
}

#[test]
fn folders_of_a_source_are_told_from_files_and_listed_up_to_a_limit() {
    use bevy_httpoll::httpoll::server::files::{AssetPath, AssetRoot, DotFiles};
    let mods = Dir::default();
    mods.insert_asset_text(Path::new("a/one.txt"), "one");
    mods.insert_asset_text(Path::new("a/b/two.txt"), "two");
    let game = serving(&Dir::default(), &mods);
    let assets = game.app.world().resource::<AssetServer>();
    let root = AssetSourceRoot::new(assets, "mods").unwrap();
    let path = |text| AssetPath::parse(text, DotFiles::default()).unwrap();
    for (text, is_dir) in [("/a", true), ("/a/one.txt", false), ("/nothing", false)] {
        assert_eq!(root.is_dir(&path(text)), is_dir, "{text}");
    }
    let listed = |limit| {
        let listed = root.list(&path("/a"), limit).unwrap();
        let mut listed: Vec<_> = listed.into_iter().map(|it| (it.name, it.is_dir)).collect();
        listed.sort();
        listed
    };
    let all = [("b".to_owned(), true), ("one.txt".to_owned(), false)];
    assert_eq!(listed(2), all);
    assert_eq!(listed(3), all);
    assert_eq!((listed(1).len(), listed(0).len()), (1, 0));
}

/// A file of this package, whose folder is Bevy's base folder in a test.
const FILE: &str = "src/lib.rs";

#[test]
fn the_folder_of_bevys_assets_is_served_from_the_disk() {
    let mut game = Game::new();
    game.app
        .init_resource::<AllReceived>()
        .add_observer(log_response);
    let root = AssetSourceRoot::folder("src").unwrap();
    let server = HttpServer::bind(ADDRESS)
        .configure(|builder| builder.not_found(NotFoundPolicy::Answer))
        .with(move |server| {
            server.files(StaticFiles::new("/assets", root.clone()));
            Ok(())
        });
    let server = game.spawn(server);
    game.until(|world| world.get::<HttpServing>(server).is_some());

    let content = std::fs::read_to_string(FILE).unwrap();
    let whole = ask(&mut game, get("/assets/lib.rs"));
    assert_eq!((whole.status, whole.body.as_str()), (200, content.as_str()));
    let part = ask(
        &mut game,
        get("/assets/lib.rs").header("Range", "bytes=3-9"),
    );
    assert_eq!((part.status, part.body.as_str()), (206, &content[3..10]));
    let outside = ask(&mut game, get("/assets/%2e%2e/Cargo.toml"));
    assert_eq!(outside.status, 404);
    assert!(!outside.body.contains("[package]"));
}

#[test]
fn a_folder_that_does_not_exist_is_refused() {
    let error = AssetSourceRoot::folder("no such folder").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
