//! [`HttpollAssetPlugin`]: `http://` and `https://` for Bevy's `AssetServer`.

use async_channel::Sender;
use bevy_app::{App, Plugin};
use bevy_asset::AssetApp;
use bevy_asset::io::{AssetSourceBuilder, AssetSourceId};
use bevy_ecs::schedule::IntoScheduleConfigs;
use httpoll::{Priority, RetryPolicy};

use crate::assets::reader::{HttpReader, Load};
use crate::resources::agent::HttpAgent;
use crate::resources::asset_loads::HttpAssetLoads;
use crate::resources::config::PluginConfig;
use crate::resources::others::LoadCount;
use crate::schedule::HttpollSystems;
use crate::systems::asset_loads::load;

/// Lets the `AssetServer` load `http://…` and `https://…`, over the same agent, pool and budget as
/// requests. Add it before `AssetPlugin`; the order of [`HttpollPlugin`](crate::HttpollPlugin) does not
/// matter.
///
/// With [`HttpollPlugin::cache`](crate::HttpollPlugin) assets are cached and revalidated by their `ETag`.
/// No `.meta` file is requested. Status 404 and 410 become `AssetReaderError::NotFound`, any other status
/// that is not 2xx becomes `AssetReaderError::HttpError`.
/// [`HttpAgent::set_host_headers`](crate::HttpAgent::set_host_headers) sets headers for a host, such as a
/// token.
///
/// ```no_run
/// # use bevy_app::prelude::*;
/// # use bevy_asset::AssetPlugin;
/// # use bevy_httpoll::prelude::*;
/// App::new().add_plugins((
///     TaskPoolPlugin::default(),
///     HttpollAssetPlugin::default(),
///     AssetPlugin::default(),
///     HttpollPlugin::default(),
/// ));
/// ```
#[derive(Clone, Debug)]
pub struct HttpollAssetPlugin {
    /// How loads are retried after temporary failures. Default [`RetryPolicy::standard`]: three retries. A
    /// 404 is never retried.
    pub retries: RetryPolicy,
    /// The priority of loads. Default [`Priority::Streaming`]: after requests.
    pub priority: Priority,
}

impl Default for HttpollAssetPlugin {
    fn default() -> Self {
        Self {
            retries: RetryPolicy::standard(),
            priority: Priority::Streaming,
        }
    }
}

impl Plugin for HttpollAssetPlugin {
    fn build(&self, app: &mut App) {
        let (sender, receiver) = async_channel::unbounded();
        let loads = LoadCount::default();
        for scheme in ["http", "https"] {
            let (reader, processed) = (sender.clone(), sender.clone());
            let count = loads.clone();
            let make = move |sender: &Sender<Load>, count: &LoadCount| HttpReader {
                scheme,
                loads: sender.clone(),
                count: count.clone(),
            };
            let processed_count = count.clone();
            app.register_asset_source(
                AssetSourceId::from(scheme),
                AssetSourceBuilder::new(move || Box::new(make(&reader, &count)))
                    .with_processed_reader(move || Box::new(make(&processed, &processed_count))),
            );
        }
        app.insert_resource(HttpAssetLoads::new(
            receiver,
            self.retries.clone(),
            self.priority,
            loads,
        ));
    }

    fn finish(&self, app: &mut App) {
        let Some(config) = app.world().get_resource::<PluginConfig>() else {
            log::warn!("HttpollAssetPlugin needs HttpollPlugin: no asset will load over HTTP");
            // Readers then fail, instead of waiting for ever.
            app.world_mut().remove_resource::<HttpAssetLoads>();
            return;
        };
        let (poll_in, flush_in) = config.schedules;
        let world = app.world_mut();
        let loads = world.get_resource::<HttpAssetLoads>();
        let loads = loads.map(|loads| loads.loads.clone());
        if let (Some(loads), Some(mut http)) = (loads, world.get_resource_mut::<HttpAgent>()) {
            http.others.loads = loads;
        }
        app.add_systems(poll_in, load.before(HttpollSystems::Poll))
            .add_systems(flush_in, load.before(HttpollSystems::Submit));
    }
}
