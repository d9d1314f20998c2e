//! A loader that does not read: its load is paused, and what arrives does not fill the memory.

use std::time::Duration;

use bevy_app::App;
use bevy_asset::io::Reader;
use bevy_asset::{AssetApp, AssetLoader, LoadContext};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use bevy_reflect::TypePath;

use crate::{TIME_LIMIT, Text, TextLoader, add, load, text, until};

/// Reads nothing until the test sends a message.
#[derive(TypePath)]
struct LateLoader(async_channel::Receiver<()>);

impl AssetLoader for LateLoader {
    type Asset = Text;
    type Settings = ();
    type Error = std::io::Error;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        settings: &(),
        context: &mut LoadContext<'_>,
    ) -> Result<Text, std::io::Error> {
        let _ = self.0.recv().await;
        TextLoader.load(reader, settings, context).await
    }

    fn extensions(&self) -> &[&str] {
        &["late"]
    }
}

#[test]
fn a_load_waits_for_a_loader_that_does_not_read() {
    use bevy_httpoll::httpoll::{memory::MemoryNetwork, mock};
    const LENGTH: usize = 8 << 20;
    let network = MemoryNetwork::new();
    let server = mock::MockServer::on(&network, "game.example", 80);
    server
        .get("/level.late")
        .reply(mock::MockResponse::ok().bytes(vec![b'a'; LENGTH]));
    let mut app = App::new();
    let plugin = HttpollPlugin {
        network: Some(network.clone()),
        budget: Budget::frame(TIME_LIMIT),
        ..HttpollPlugin::default()
    };
    add(&mut app, &std::env::temp_dir(), plugin);
    let (read, told) = async_channel::unbounded();
    app.register_asset_loader(LateLoader(told));
    let level = load(&app, "http://game.example/level.late");
    let received = |world: &World| {
        let mut loads = world.resource::<HttpAssetLoads>().progress();
        loads.next().map_or(0, |(_, progress)| progress.received)
    };
    until(&mut app, |world| {
        network.advance(Duration::from_millis(16));
        received(world) > 0
    });
    for _ in 0..500 {
        app.update();
        network.advance(Duration::from_millis(16));
    }
    let received = received(app.world());
    assert!((1..4 << 20).contains(&received), "{received}");
    read.try_send(()).unwrap();
    until(&mut app, |world| {
        network.advance(Duration::from_millis(16));
        text(world, &level).is_some()
    });
    assert_eq!(text(app.world(), &level).unwrap().len(), LENGTH);
}
