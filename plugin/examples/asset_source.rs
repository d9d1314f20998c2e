//! Bevy's `AssetServer` loads levels over HTTP.
//!
//! ```text
//! cargo run -p bevy_httpoll --features assets --example asset_source
//! ```
//!
//! What to look for: an `http://` path is an asset path like any other. Bevy's own event reports a level that
//! does not exist. No `.meta` file is requested: the server counts its requests.

#[macro_use]
mod offline;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bevy_app::{AppExit, Startup, TaskPoolPlugin, Update};
use bevy_asset::io::Reader;
use bevy_asset::{
    Asset, AssetApp, AssetEvent, AssetLoadFailedEvent, AssetLoader, AssetPlugin, AssetServer,
    Assets, Handle, LoadContext,
};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_reflect::TypePath;

/// The lines of a level.
#[derive(Asset, TypePath)]
struct Level(Vec<String>);

#[derive(TypePath)]
struct LevelLoader;

impl AssetLoader for LevelLoader {
    type Asset = Level;
    type Settings = ();
    type Error = std::io::Error;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _: &(),
        _: &mut LoadContext<'_>,
    ) -> Result<Level, std::io::Error> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Level(text.lines().map(str::to_owned).collect()))
    }

    fn extensions(&self) -> &[&str] {
        &["level"]
    }
}

#[derive(Resource)]
struct Levels {
    urls: Vec<String>,
    handles: Vec<Handle<Level>>,
    ended: usize,
    requests: Arc<AtomicU32>,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "asset_source",
        "Bevy's `AssetServer` loads levels over HTTP.",
        &[],
    );
    let requests = Arc::new(AtomicU32::new(0));
    let count = requests.clone();
    let server = offline::serve(move |request, stream| {
        count.fetch_add(1, Ordering::Relaxed);
        match request.target.as_str() {
            "/forest.level" => offline::text(stream, "T.T.T\n..@..\nTT..>"),
            "/cave.level" => offline::text(stream, "#####\n#@.>#\n#####"),
            _ => offline::reply(stream, 404, "text/plain", b"no such level"),
        }
    })?;
    let urls = ["forest", "cave", "moon"].map(|name| format!("http://{server}/{name}.level"));
    Ok(offline::app()
        .add_plugins((
            TaskPoolPlugin::default(),
            HttpollAssetPlugin::default(),
            AssetPlugin::default(),
            HttpollPlugin::default(),
        ))
        .init_asset::<Level>()
        .register_asset_loader(LevelLoader)
        .insert_resource(Levels {
            urls: urls.to_vec(),
            handles: Vec::new(),
            ended: 0,
            requests,
        })
        .add_systems(Startup, load)
        .add_systems(Update, (show, end).chain())
        .run())
}

fn load(mut levels: ResMut<Levels>, assets: Res<AssetServer>) {
    let urls = levels.urls.clone();
    levels.handles = urls.into_iter().map(|url| assets.load(url)).collect();
}

fn show(
    mut loaded: MessageReader<AssetEvent<Level>>,
    mut failed: MessageReader<AssetLoadFailedEvent<Level>>,
    all: Res<Assets<Level>>,
    mut levels: ResMut<Levels>,
) {
    for event in loaded.read() {
        if let AssetEvent::LoadedWithDependencies { id } = event
            && let Some(level) = all.get(*id)
        {
            println!("a level of {} lines:", level.0.len());
            for line in &level.0 {
                println!("  {line}");
            }
            levels.ended += 1;
        }
    }
    for event in failed.read() {
        println!("no level: {}", event.error);
        levels.ended += 1;
    }
}

fn end(levels: Res<Levels>, mut exit: MessageWriter<AppExit>) {
    if levels.ended == levels.handles.len() {
        let requests = levels.requests.load(Ordering::Relaxed);
        println!("the server got {requests} requests");
        exit.write(AppExit::Success);
    }
}
