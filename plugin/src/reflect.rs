//! Registers the components' types, for inspectors and scenes.

use bevy_app::App;

use crate::components::download::HttpDownload;
use crate::components::owner::{RequestedBy, Requests};
use crate::components::paused::HttpPaused;
use crate::components::phase::HttpPhase;
use crate::components::priority::HttpPriority;
use crate::components::progress::HttpProgress;
use crate::components::rate_limit::HttpRateLimit;
#[cfg(feature = "websocket")]
use crate::components::reconnect::HttpReconnect;
use crate::components::repeat::HttpRepeat;
use crate::components::request::HttpRequest;
use crate::components::request_end::{DespawnOnFinish, KeepRequest};
use crate::components::retry::HttpRetry;
use crate::components::stream::HttpStream;
use crate::components::upload::HttpUpload;

pub(crate) fn build(app: &mut App) {
    app.register_type::<HttpRequest>()
        .register_type::<KeepRequest>()
        .register_type::<DespawnOnFinish>()
        .register_type::<HttpDownload>()
        .register_type::<HttpUpload>()
        .register_type::<HttpStream>()
        .register_type::<HttpRepeat>()
        .register_type::<HttpRetry>()
        .register_type::<HttpPriority>()
        .register_type::<HttpPaused>()
        .register_type::<HttpRateLimit>()
        .register_type::<HttpPhase>()
        .register_type::<HttpProgress>()
        .register_type::<RequestedBy>()
        .register_type::<Requests>();
    #[cfg(feature = "websocket")]
    app.register_type::<HttpReconnect>();
}
