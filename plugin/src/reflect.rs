//! Registers the components' types, for inspectors and scenes.

use bevy_app::App;

pub(crate) fn build(app: &mut App) {
    app.register_type::<crate::HttpRequest>()
        .register_type::<crate::KeepRequest>()
        .register_type::<crate::HttpDownload>()
        .register_type::<crate::HttpUpload>()
        .register_type::<crate::HttpStream>()
        .register_type::<crate::HttpRepeat>()
        .register_type::<crate::HttpRetry>()
        .register_type::<crate::HttpPriority>()
        .register_type::<crate::HttpPhase>()
        .register_type::<crate::HttpProgress>()
        .register_type::<crate::RequestedBy>()
        .register_type::<crate::Requests>();
}
