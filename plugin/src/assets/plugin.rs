//! [`HttpollAssetPlugin`]: `http://` and `https://` for Bevy's `AssetServer`.

use async_channel::Sender;
use bevy_app::{App, Plugin};
use bevy_asset::AssetApp;
use bevy_asset::io::{AssetSourceBuilder, AssetSourceId};
use bevy_ecs::schedule::IntoScheduleConfigs;
use httpoll::{Priority, RetryPolicy};

use crate::assets::reader::{HttpReader, Load};
use crate::resources::asset_loads::HttpAssetLoads;
use crate::resources::config::PluginConfig;
use crate::schedule::HttpollSystems;
use crate::systems::asset_loads::load;

/// Lets the `AssetServer` load `http://…` and `https://…`. Add it before `AssetPlugin`, and
/// [`HttpollPlugin`](crate::HttpollPlugin) anywhere.
///
/// With [`HttpollPlugin::cache`](crate::HttpollPlugin) assets are kept, and asked for again by their
/// `ETag`. There is no request for a `.meta` file. A status of 404 or 410 is
/// [`AssetReaderError::NotFound`], any other failure by status is
/// [`AssetReaderError::HttpError`]. Header lines for a host, such as a token, are set by
/// [`HttpAgent::set_host_headers`](crate::HttpAgent::set_host_headers).
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
    /// How loads are sent again when they fail in a way that may pass. Default
    /// [`RetryPolicy::standard`]: three retries. Never for 404.
    pub retries: RetryPolicy,
    /// Whose turn comes first. Default [`Priority::Streaming`]: after requests.
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
        for scheme in ["http", "https"] {
            let (reader, processed) = (sender.clone(), sender.clone());
            let make = move |sender: &Sender<Load>| HttpReader {
                scheme,
                loads: sender.clone(),
            };
            app.register_asset_source(
                AssetSourceId::from(scheme),
                AssetSourceBuilder::new(move || Box::new(make(&reader)))
                    .with_processed_reader(move || Box::new(make(&processed))),
            );
        }
        app.insert_resource(HttpAssetLoads::new(
            receiver,
            self.retries.clone(),
            self.priority,
        ));
    }

    fn finish(&self, app: &mut App) {
        let Some(config) = app.world().get_resource::<PluginConfig>() else {
            log::warn!("HttpollAssetPlugin loads nothing without HttpollPlugin");
            return;
        };
        let (poll_in, flush_in) = config.schedules;
        app.add_systems(poll_in, load.before(HttpollSystems::Poll))
            .add_systems(flush_in, load.before(HttpollSystems::Submit));
    }
}
