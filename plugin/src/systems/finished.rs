//! Keeps the messages of finished requests from filling the memory.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::message::Messages;
use bevy_ecs::system::ResMut;

use crate::events::request::HttpFinished;

/// The messages that are kept in any case.
const MESSAGES: usize = 1024;

/// The bytes of content with which fewer are kept.
const BYTES: usize = 32 * 1024 * 1024;

/// Drops the older messages when the newer ones reach a limit. Bevy does that once in each fixed step, and no
/// fixed step runs while `Time<Virtual>` is paused. Each message holds a whole response.
pub(crate) fn forget_old(finished: Option<ResMut<Messages<HttpFinished>>>) {
    let Some(mut finished) = finished else { return };
    if finished.is_empty() {
        return;
    }
    let newer = finished.iter_current_update_messages();
    let (count, bytes) = newer.fold((0, 0), |(count, bytes), message| {
        let response = message.outcome.response();
        let length = response.map_or(0, |response| response.body().len());
        (count + 1, bytes + length)
    });
    if count >= MESSAGES || bytes >= BYTES {
        finished.bypass_change_detection().update();
    }
}
