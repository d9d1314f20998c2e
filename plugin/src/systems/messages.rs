//! The observers behind [`on_message`](crate::HttpEntityCommandsExt::on_message): they turn messages of
//! streamed content into values.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::observer::On;
use bevy_ecs::system::{Commands, ResMut};
use httpoll::clock::Instant;
use serde_core::de::DeserializeOwned;

use crate::events::request::{HttpFramedMessage, HttpMessage};
use crate::resources::agent::HttpAgent;

/// The time counts against the budget of the frame. Messages are small, so no thread is asked.
pub(crate) fn parse<T: DeserializeOwned + Send + Sync + 'static>(
    on: On<HttpFramedMessage>,
    mut http: Option<ResMut<HttpAgent>>,
    mut commands: Commands,
) {
    let began = Instant::now();
    let result = on.message.json::<T>();
    if let Some(http) = &mut http {
        let frame = &mut http.bypass_change_detection().frame;
        let took = began.elapsed();
        frame.parsing += took;
        frame.spend(took);
    }
    commands.trigger(HttpMessage {
        entity: on.entity,
        request: on.request,
        result,
    });
}
