//! Stand-ins for the names of Bevy's facade, and for the plugin on a network in memory.

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bevy_app::TaskPoolPlugin;
use bevy_app::{
    App, AppExit, Plugin, PluginGroup, PluginGroupBuilder, ScheduleRunnerPlugin, Update,
};
use bevy_asset::io::Reader;
use bevy_asset::{Asset, AssetApp, AssetLoader, AssetPlugin, LoadContext};
use bevy_ecs::message::MessageWriter;
use bevy_ecs::observer::On;
use bevy_httpoll::prelude::{Http, HttpServerStarted};
use bevy_reflect::TypePath;

use crate::servers::Servers;

/// The names of `bevy::prelude` that samples use.
pub(crate) mod bevy {
    pub(crate) mod prelude {
        pub(crate) use bevy_app::prelude::*;
        pub(crate) use bevy_asset::{AssetServer, Assets, Handle};
        pub(crate) use bevy_ecs::prelude::*;

        pub(crate) use super::super::{DefaultPlugins, MinimalPlugins};
    }
}

/// A sample that does not end by itself fails after this.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What the next app is for.
struct Script {
    servers: Servers,
    output: &'static Mutex<Vec<String>>,
    lines: usize,
}

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// The next app of this thread ends when `output` has this many lines.
pub(crate) fn prepare(output: &'static Mutex<Vec<String>>, lines: usize) {
    let script = Script {
        servers: Servers::new(),
        output,
        lines,
    };
    SCRIPT.set(Some(script));
}

/// As Bevy's: a runner, task pools and more.
pub(crate) struct MinimalPlugins;

impl PluginGroup for MinimalPlugins {
    fn build(self) -> PluginGroupBuilder {
        PluginGroupBuilder::start::<Self>()
            .add(TaskPoolPlugin::default())
            .add(ScheduleRunnerPlugin::run_loop(Duration::from_micros(200)))
            .add(EndPlugin)
    }
}

/// As Bevy's: with assets.
pub(crate) struct DefaultPlugins;

impl PluginGroup for DefaultPlugins {
    fn build(self) -> PluginGroupBuilder {
        PluginGroupBuilder::start::<Self>()
            .add_group(MinimalPlugins)
            .add(AssetPlugin::default())
            .add(LevelPlugin)
    }
}

/// Ends the app when the sample has printed enough.
struct EndPlugin;

impl Plugin for EndPlugin {
    fn build(&self, app: &mut App) {
        let (network, output, lines) = SCRIPT.with_borrow(|script| {
            let script = script.as_ref().unwrap();
            (script.servers.network.clone(), script.output, script.lines)
        });
        let start = Instant::now();
        app.add_systems(Update, move |mut exit: MessageWriter<AppExit>| {
            network.advance(Duration::from_millis(16));
            assert!(start.elapsed() < TIME_LIMIT, "{output:?}");
            if output.lock().unwrap().len() >= lines {
                exit.write(AppExit::Success);
            }
        })
        .add_observer(|started: On<HttpServerStarted>, mut http: Http| {
            for _ in 0..2 {
                http.get(format!("http://{}/hello", started.address));
            }
        });
    }
}

/// The plugin with its defaults, on the servers of this test.
#[derive(Default)]
pub(crate) struct HttpollPlugin;

impl Plugin for HttpollPlugin {
    fn build(&self, app: &mut App) {
        let (network, tls) = SCRIPT.with_borrow(|script| {
            let script = script.as_ref().unwrap();
            (script.servers.network.clone(), script.servers.tls.clone())
        });
        app.add_plugins(bevy_httpoll::HttpollPlugin {
            network: Some(network),
            tls: Some(tls),
            ..bevy_httpoll::HttpollPlugin::default()
        });
    }
}

/// An asset type of the game.
#[derive(Asset, TypePath)]
pub(crate) struct LevelText(pub(crate) String);

#[derive(TypePath)]
struct LevelLoader;

impl AssetLoader for LevelLoader {
    type Asset = LevelText;
    type Settings = ();
    type Error = std::io::Error;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _: &(),
        _: &mut LoadContext<'_>,
    ) -> Result<LevelText, std::io::Error> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(LevelText(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn extensions(&self) -> &[&str] {
        &["txt"]
    }
}

struct LevelPlugin;

impl Plugin for LevelPlugin {
    fn build(&self, app: &mut App) {
        app.init_asset::<LevelText>()
            .register_asset_loader(LevelLoader);
    }
}
