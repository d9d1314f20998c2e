//! The observers of events that users trigger.

use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::message::Messages;
use bevy_ecs::observer::On;
use bevy_ecs::query::{Allow, Or, With};
use bevy_ecs::system::{Commands, Query, ResMut};

use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
use crate::components::repeat::HttpRepeat;
#[cfg(feature = "websocket")]
use crate::events::request::SendWebSocketMessage;
use crate::events::request::{CancelHttp, HttpFinished, HttpOutcome};
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::{Outbox, finish};

/// The components that send a request again.
#[cfg(feature = "websocket")]
type Rounds = (
    With<HttpRepeat>,
    With<crate::components::reconnect::HttpReconnect>,
);
#[cfg(not(feature = "websocket"))]
type Rounds = (With<HttpRepeat>,);

/// See [`CancelHttp`].
pub(crate) fn cancel(
    on: On<CancelHttp>,
    http: Option<ResMut<HttpAgent>>,
    mut phases: Query<&mut HttpPhase, Allow<Disabled>>,
    repeats: Query<(), (Or<Rounds>, Allow<Disabled>)>,
    owners: Query<&RequestedBy, Allow<Disabled>>,
    finished: Option<ResMut<Messages<HttpFinished>>>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let request = on.request;
    let was_busy = http.end(request);
    let Some(job) = http.jobs.latest(request) else {
        return;
    };
    // Between rounds nothing is running, but the next round would follow.
    let goes_on = repeats.contains(request) && job.phase != HttpPhase::Cancelled;
    if !was_busy && !goes_on {
        return;
    }
    let serial = job.serial;
    let mut outbox = Outbox::new(&mut commands, request, serial);
    let mut phase = phases.get_mut(request).ok();
    outbox.enter(HttpPhase::Cancelled, job, phase.as_mut());
    job.pending_jobs = 0;
    if let Some(mut finished) = finished {
        finished.write(HttpFinished {
            request,
            owner: owners.get(request).ok().map(|owner| owner.0),
            outcome: HttpOutcome::Cancelled,
        });
    }
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
