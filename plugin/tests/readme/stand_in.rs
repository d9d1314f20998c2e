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
use bevy_httpoll::httpoll::Error;
use bevy_httpoll::httpoll::agent::RequestOptions;
use bevy_httpoll::httpoll::memory::MemoryNetwork;
use bevy_httpoll::httpoll::tls::TlsOptions;
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

    pub(crate) mod window {
        pub(crate) use super::super::RequestRedraw;
    }
}

/// The names of `httpoll` that samples use. Clients and agents are on the servers of this test.
pub(crate) mod httpoll {
    pub(crate) use bevy_httpoll::httpoll::{
        Download, Error, Event, Method, Request, RetryPolicy, Status, server,
    };

    pub(crate) use super::{Agent, HttpClient};
}

/// As Bevy's: it asks a reactive runner for the next frame.
#[derive(bevy_ecs::message::Message)]
pub(crate) struct RequestRedraw;

/// A client that trusts the servers of this test.
pub(crate) struct HttpClient(bevy_httpoll::httpoll::HttpClient);

impl HttpClient {
    pub(crate) fn new() -> Self {
        Self(bevy_httpoll::httpoll::HttpClient::on_memory(&servers().0))
    }

    pub(crate) fn connect_to_host(
        &mut self,
        host: &str,
        port: i32,
        tls: Option<TlsOptions>,
    ) -> Result<(), Error> {
        let tls = tls.or(Some(servers().1));
        self.0.connect_to_host(host, port, tls)
    }
}

impl std::ops::Deref for HttpClient {
    type Target = bevy_httpoll::httpoll::HttpClient;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for HttpClient {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Makes agents that trust the servers of this test.
pub(crate) struct Agent;

impl Agent {
    #[allow(clippy::new_ret_no_self)]
    pub(crate) fn new() -> bevy_httpoll::httpoll::Agent {
        let (network, tls) = servers();
        bevy_httpoll::httpoll::Agent::builder()
            .defaults(RequestOptions::new().tls(tls))
            .build_on_memory(&network)
    }
}

fn servers() -> (MemoryNetwork, TlsOptions) {
    SCRIPT.with_borrow(|script| {
        let servers = &script.as_ref().unwrap().servers;
        (servers.network.clone(), servers.tls.clone())
    })
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
        let (network, tls) = servers();
        let plugin = bevy_httpoll::HttpollPlugin {
            network: Some(network),
            tls: Some(tls),
            ..bevy_httpoll::HttpollPlugin::default()
        };
        app.add_plugins((plugin, EndPlugin));
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
