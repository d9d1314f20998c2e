//! The observers of events that users trigger.

use bevy_ecs::observer::On;
use bevy_ecs::system::{Commands, Query, ResMut};

use crate::agent::HttpAgent;
use crate::deliver::{Outbox, finish};
use crate::events::CancelHttp;
#[cfg(feature = "websocket")]
use crate::events::SendWebSocketMessage;
use crate::state::HttpPhase;

/// See [`CancelHttp`].
pub(crate) fn cancel(
    on: On<CancelHttp>,
    http: Option<ResMut<HttpAgent>>,
    mut phases: Query<&mut HttpPhase>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let request = on.request;
    if !http.end(request) {
        return;
    }
    let Some(job) = http.latest(request) else {
        return;
    };
    let serial = job.serial;
    let mut outbox = Outbox::new(&mut commands, request, serial);
    let mut phase = phases.get_mut(request).ok();
    outbox.enter(HttpPhase::Cancelled, job, phase.as_mut());
    job.holds = 0;
    commands.queue(finish(request, serial));
}

/// See [`SendWebSocketMessage`].
#[cfg(feature = "websocket")]
pub(crate) fn send_message(on: On<SendWebSocketMessage>, http: Option<ResMut<HttpAgent>>) {
    let Some(mut http) = http else { return };
    if let Err(error) = http.send_message(on.request, on.message.clone()) {
        log::warn!(
            "a WebSocket message of request {} was not sent: {error}",
            on.request
        );
    }
}
