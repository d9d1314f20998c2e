//! Polls the outbox.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::system::ResMut;

use crate::resources::agent::HttpAgent;
use crate::resources::outbox::HttpOutbox;

pub(crate) fn poll_outbox(http: Option<ResMut<HttpAgent>>, outbox: Option<ResMut<HttpOutbox>>) {
    let (Some(mut http), Some(mut outbox)) = (http, outbox) else {
        return;
    };
    let began = http.now();
    let http = http.bypass_change_detection();
    outbox.bypass_change_detection().poll(http);
    let spent = http.now().saturating_duration_since(began);
    http.frame.spend(spent);
}
