//! Bevy's `AssetServer` over HTTP, on loopback and in real time, because Bevy's own threads take part.

#![cfg(feature = "assets")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy_app::{App, TaskPoolPlugin};
use bevy_asset::io::{AssetReaderError, Reader};
use bevy_asset::{
    Asset, AssetApp, AssetLoadFailedEvent, AssetLoader, AssetPlugin, AssetServer, Assets, Handle,
    LoadContext,
};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_reflect::TypePath;

#[path = "assets/late_loader.rs"]
mod late_loader;

const TIME_LIMIT: Duration = Duration::from_secs(60);

#[derive(Asset, TypePath)]
struct Text(String);

#[derive(TypePath)]
struct TextLoader;

impl AssetLoader for TextLoader {
    type Asset = Text;
    type Settings = ();
    type Error = std::io::Error;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _: &(),
        _: &mut LoadContext<'_>,
    ) -> Result<Text, std::io::Error> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn extensions(&self) -> &[&str] {
        &["txt"]
    }
}

#[derive(Resource, Default)]
struct Failures(Vec<AssetReaderError>);

/// An app whose local assets are in `folder`.
fn app(folder: &std::path::Path) -> App {
    let mut app = App::new();
    add(&mut app, folder, HttpollPlugin::default());
    app
}

fn add(app: &mut App, folder: &std::path::Path, plugin: HttpollPlugin) {
    app.add_plugins((
        TaskPoolPlugin::default(),
        HttpollAssetPlugin {
            retries: bevy_httpoll::httpoll::RetryPolicy::default(),
            ..HttpollAssetPlugin::default()
        },
        AssetPlugin {
            file_path: folder.to_string_lossy().into_owned(),
            ..AssetPlugin::default()
        },
        plugin,
    ))
    .init_asset::<Text>()
    .register_asset_loader(TextLoader)
    .init_resource::<Failures>()
    .add_systems(
        bevy_app::Update,
        |mut failed: MessageReader<AssetLoadFailedEvent<Text>>, mut failures: ResMut<Failures>| {
            for event in failed.read() {
                match &event.error {
                    bevy_asset::AssetLoadError::AssetReaderError(error) => {
                        failures.0.push(error.clone());
                    }
                    other => panic!("{other}"),
                }
            }
        },
    );
    app.finish();
    app.cleanup();
}

fn until(app: &mut App, mut done: impl FnMut(&World) -> bool) {
    let start = Instant::now();
    while !done(app.world()) {
        app.update();
        std::thread::yield_now();
        assert!(start.elapsed() < TIME_LIMIT);
    }
}

fn load(app: &App, path: impl Into<String>) -> Handle<Text> {
    app.world()
        .resource::<AssetServer>()
        .load::<Text>(path.into())
}

fn text(world: &World, handle: &Handle<Text>) -> Option<String> {
    let text = world.resource::<Assets<Text>>().get(handle)?;
    Some(text.0.clone())
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// A server of texts. `/slow.txt` sends its head, and then one byte for each message on `slow`.
struct Texts {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    slow: Sender<()>,
    /// A connection ended while it served `/slow.txt`.
    closed: Receiver<()>,
}

fn texts() -> Texts {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (slow, goes_on) = mpsc::channel();
    let (closes, closed) = mpsc::channel();
    let goes_on = Arc::new(Mutex::new(goes_on));
    let log = heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (log, goes_on, closes) = (log.clone(), goes_on.clone(), closes.clone());
            std::thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    let target = head.split(' ').nth(1).unwrap().to_owned();
                    log.lock().unwrap().push(head);
                    let known = log.lock().unwrap().last().is_some_and(|head| {
                        head.to_lowercase().contains("if-none-match: \"v1\"")
                            && target == "/kept.txt"
                    });
                    if known {
                        let answer = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n";
                        stream.write_all(answer.as_bytes()).unwrap();
                        continue;
                    }
                    let (status, body) = match target.as_str() {
                        "/gone.txt" => (404, "no such text".to_owned()),
                        "/broken.txt" => (503, String::new()),
                        "/large.txt" => (200, "large ".repeat(200_000)),
                        target if target.ends_with("/slow.txt") => {
                            stream
                                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
                                .unwrap();
                            for _ in 0..3 {
                                if goes_on.lock().unwrap().recv().is_err() {
                                    return;
                                }
                                if stream.write_all(b"s").is_err() {
                                    break;
                                }
                            }
                            let _ = closes.send(());
                            continue;
                        }
                        target => (200, format!("text of {target}")),
                    };
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nETag: \"v1\"\r\nCache-Control: no-cache\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
                let _ = closes.send(());
            });
        }
    });
    Texts {
        address,
        heads,
        slow,
        closed,
    }
}

#[test]
fn assets_load_over_http_with_host_headers_and_without_meta_files() {
    let server = texts();
    let mut app = app(&std::env::temp_dir());
    app.world_mut()
        .resource_mut::<HttpAgent>()
        .set_host_headers("127.0.0.1", [("X-Key", "k")])
        .unwrap();
    let small = load(&app, format!("http://{}/a/b.txt", server.address));
    let large = load(&app, format!("http://{}/large.txt", server.address));
    until(&mut app, |world| {
        text(world, &small).is_some() && text(world, &large).is_some()
    });
    assert_eq!(text(app.world(), &small).unwrap(), "text of /a/b.txt");
    assert_eq!(text(app.world(), &large).unwrap().len(), 1_200_000);
    let heads = server.heads.lock().unwrap();
    assert_eq!(heads.len(), 2, "no .meta: {heads:?}");
    assert!(heads.iter().all(|head| head.contains("X-Key: k")));
}

#[test]
fn status_404_is_not_found_and_other_statuses_are_http_errors() {
    let server = texts();
    let mut app = app(&std::env::temp_dir());
    let _handles =
        ["gone", "broken"].map(|name| load(&app, format!("http://{}/{name}.txt", server.address)));
    until(&mut app, |world| world.resource::<Failures>().0.len() == 2);
    let failures = &app.world().resource::<Failures>().0;
    let not_found = |it: &&AssetReaderError| matches!(it, AssetReaderError::NotFound(_));
    assert_eq!(failures.iter().filter(not_found).count(), 1, "{failures:?}");
    assert!(failures.contains(&AssetReaderError::HttpError(503)));
    // A refused asset with content did not spoil the connection's next answer.
    let next = load(&app, format!("http://{}/next.txt", server.address));
    until(&mut app, |world| text(world, &next).is_some());
}

#[test]
fn a_slow_body_delays_no_local_asset() {
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-local-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let server = texts();
    let mut app = app(&folder);
    // More of them than Bevy has IO threads.
    let slow: Vec<_> = (0..6)
        .map(|number| load(&app, format!("http://{}/{number}/slow.txt", server.address)))
        .collect();
    until(&mut app, |_| server.heads.lock().unwrap().len() == 6);
    for number in 0..8 {
        std::fs::write(folder.join(format!("{number}.txt")), "local").unwrap();
    }
    let local: Vec<_> = (0..8)
        .map(|number| load(&app, format!("{number}.txt")))
        .collect();
    until(&mut app, |world| {
        local.iter().all(|handle| text(world, handle).is_some())
    });
    assert!(slow.iter().all(|it| text(app.world(), it).is_none()));
    for _ in 0..18 {
        server.slow.send(()).unwrap();
    }
    until(&mut app, |world| {
        slow.iter().all(|handle| text(world, handle).is_some())
    });
    assert_eq!(text(app.world(), &slow[0]).unwrap(), "sss");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn dropping_the_last_handle_cancels_the_load() {
    let server = texts();
    let mut app = app(&std::env::temp_dir());
    let slow = load(&app, format!("http://{}/slow.txt", server.address));
    until(&mut app, |_| !server.heads.lock().unwrap().is_empty());
    server.slow.send(()).unwrap();
    let loads = |world: &World| world.resource::<HttpAssetLoads>().count();
    until(&mut app, |world| loads(world) == 1);
    drop(slow);
    // Nothing more comes from the server: only the drop can end it.
    until(&mut app, |world| loads(world) == 0);
    server.slow.send(()).unwrap();
    server.slow.send(()).unwrap();
    server.closed.recv_timeout(TIME_LIMIT).unwrap();
    assert!(app.world().resource::<Failures>().0.is_empty());
}

#[cfg(feature = "cache")]
#[test]
fn an_asset_is_kept_from_run_to_run_and_asked_for_by_its_tag() {
    let folder = std::env::temp_dir().join(format!("bevy-httpoll-cache-{}", std::process::id()));
    let file = folder.join("a/http.cache");
    let server = texts();
    for run in 0..3 {
        if run == 2 {
            // A damaged file costs the cache, not the game.
            std::fs::write(&file, "damaged").unwrap();
        }
        let mut app = App::new();
        let plugin = HttpollPlugin {
            cache: Some(HttpCacheFile::new(&file)),
            ..HttpollPlugin::default()
        };
        add(&mut app, &folder, plugin);
        let kept = load(&app, format!("http://{}/kept.txt", server.address));
        until(&mut app, |world| text(world, &kept).is_some());
        assert_eq!(text(app.world(), &kept).unwrap(), "text of /kept.txt");
        app.world_mut().write_message(bevy_app::AppExit::Success);
        app.update();
        let heads = server.heads.lock().unwrap();
        let is_asked_by_tag = heads[run].to_lowercase().contains("if-none-match");
        assert_eq!(is_asked_by_tag, run == 1, "run {run}");
        assert_eq!(heads.len(), run + 1);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn loads_report_their_progress() {
    let server = texts();
    let mut app = app(&std::env::temp_dir());
    let slow = load(&app, format!("http://{}/slow.txt", server.address));
    server.slow.send(()).unwrap();
    until(&mut app, |world| {
        let loads = world.resource::<HttpAssetLoads>();
        loads
            .progress()
            .any(|(path, it)| path.ends_with("slow.txt") && it.to_receive == Some(3))
    });
    drop(slow);
}

#[test]
fn an_asset_needs_frames_from_the_order_of_its_reader_until_it_is_loaded() {
    let server = texts();
    let mut app = app(&std::env::temp_dir());
    app.update();
    assert!(app.world().resource::<HttpAgent>().is_idle());
    let slow = load(&app, format!("http://{}/slow.txt", server.address));
    // The reader runs on a thread of Bevy, and no frame has seen its order yet.
    let start = Instant::now();
    while app.world().resource::<HttpAgent>().is_idle() {
        std::thread::yield_now();
        assert!(start.elapsed() < TIME_LIMIT);
    }
    until(&mut app, |world| {
        assert!(world.resource::<HttpAgent>().needs_frames());
        world.resource::<HttpAssetLoads>().count() == 1
    });
    for _ in 0..3 {
        server.slow.send(()).unwrap();
    }
    until(&mut app, |world| text(world, &slow).is_some());
    until(&mut app, |world| world.resource::<HttpAgent>().is_idle());
}

#[test]
fn an_idle_frame_does_not_mark_the_loads_as_changed() {
    #[derive(Resource, Default)]
    struct Changes(usize);
    let texts = texts();
    let mut app = app(std::path::Path::new("assets"));
    app.init_resource::<Changes>().add_systems(
        bevy_app::Update,
        |loads: Res<HttpAssetLoads>, mut changes: ResMut<Changes>| {
            changes.0 += usize::from(loads.is_changed());
        },
    );
    let handle = load(&app, format!("http://{}/slow.txt", texts.address));
    texts.slow.send(()).unwrap();
    until(&mut app, |world| {
        let mut loads = world.resource::<HttpAssetLoads>().progress();
        loads.any(|(_, progress)| progress.received == 1)
    });
    // What arrived with the head is delivered.
    for _ in 0..3 {
        app.update();
    }
    app.world_mut().resource_mut::<Changes>().0 = 0;
    for _ in 0..20 {
        app.update();
    }
    assert_eq!(app.world().resource::<Changes>().0, 0);
    assert_eq!(app.world().resource::<HttpAssetLoads>().count(), 1);
    drop(handle);
}

#[test]
fn without_an_agent_loads_fail_instead_of_waiting() {
    let texts = texts();
    let url = format!("http://{}/a.txt", texts.address);
    let mut without = App::new();
    without
        .add_plugins((
            TaskPoolPlugin::default(),
            HttpollAssetPlugin::default(),
            AssetPlugin::default(),
        ))
        .init_asset::<Text>()
        .register_asset_loader(TextLoader);
    without.finish();
    without.cleanup();
    let mut removed = app(std::path::Path::new("assets"));
    removed.world_mut().remove_resource::<HttpAgent>();
    for app in [&mut without, &mut removed] {
        let handle = load(app, url.clone());
        until(app, |world| {
            let state = world.resource::<AssetServer>().load_state(&handle);
            state.is_failed()
        });
    }
    assert!(texts.heads.lock().unwrap().is_empty());
}

#[test]
fn assets_load_in_processed_mode_and_with_a_watcher() {
    let folder = std::env::temp_dir().join(format!("httpoll-processed-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    let texts = texts();
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        HttpollAssetPlugin::default(),
        AssetPlugin {
            mode: bevy_asset::AssetMode::Processed,
            watch_for_changes_override: Some(true),
            file_path: folder.join("assets").to_string_lossy().into_owned(),
            processed_file_path: folder.join("processed").to_string_lossy().into_owned(),
            ..AssetPlugin::default()
        },
        HttpollPlugin::default(),
    ))
    .init_asset::<Text>()
    .register_asset_loader(TextLoader);
    app.finish();
    app.cleanup();
    let handle = load(&app, format!("http://{}/a.txt", texts.address));
    until(&mut app, |world| text(world, &handle).is_some());
    drop(app);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_asset_of_a_server_that_does_not_exist_fails_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut app = app(&std::env::temp_dir());
    let asset = load(&app, format!("http://{address}/a.txt"));
    until(&mut app, |world| !world.resource::<Failures>().0.is_empty());
    let AssetReaderError::Io(error) = &app.world().resource::<Failures>().0[0] else {
        panic!("{:?}", app.world().resource::<Failures>().0);
    };
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(app.world().resource::<HttpAssetLoads>().count(), 0);
    drop(asset);
}
