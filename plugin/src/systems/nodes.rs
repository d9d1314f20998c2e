//! Reports what happened to the nodes, and delivers the content of those with
//! [`HttpStream`](crate::HttpStream).

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::Has;
use bevy_ecs::system::{Commands, Query, ResMut};
use bevy_ecs::world::World;
use httpoll::{Status, node::Transition};

use crate::components::node::HttpClientNode;
use crate::components::stream::HttpStream;
use crate::events::request::{HttpChunk, HttpError, HttpStatusChanged};
use crate::resources::agent::HttpAgent;
use crate::systems::deliver::{report_error, trigger_at};

/// Triggers the events of what this frame's polls did to the nodes. Content of nodes with [`HttpStream`]
/// is read here, which may read from the socket: the frame's budget pays for it.
pub(crate) fn dispatch_nodes(
    http: Option<ResMut<HttpAgent>>,
    mut commands: Commands,
    mut nodes: Query<(Entity, &mut HttpClientNode, Has<HttpStream>)>,
) {
    let began = http.as_ref().map(|http| http.now());
    for (entity, mut node, streams) in &mut nodes {
        let inner = node.bypass_change_detection();
        if report(entity, inner, streams, &mut commands) {
            node.set_changed();
        }
    }
    if let (Some(mut http), Some(began)) = (http, began) {
        let http = http.bypass_change_detection();
        http.frame
            .spend(http.now().saturating_duration_since(began));
    }
}

/// Returns whether there was anything to report.
fn report(
    entity: Entity,
    node: &mut HttpClientNode,
    streams: bool,
    commands: &mut Commands,
) -> bool {
    let mut has_reported = report_transitions(entity, node, commands);
    while streams && node.get_status() == Status::Body {
        match node.read_response_body_chunk() {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => {
                has_reported = true;
                let event = HttpChunk {
                    entity,
                    request: entity,
                    bytes,
                };
                trigger_at::<HttpClientNode, _>(commands, entity, event);
            }
            // The transition that follows reports it.
            Err(_) => break,
        }
    }
    has_reported | report_transitions(entity, node, commands)
}

/// Returns whether there was a transition.
fn report_transitions(entity: Entity, node: &mut HttpClientNode, commands: &mut Commands) -> bool {
    let mut has_reported = false;
    while let Some(transition) = node.next_transition() {
        has_reported = true;
        report_transition(entity, transition, node, commands);
    }
    has_reported
}

fn report_transition(
    entity: Entity,
    transition: Transition,
    node: &HttpClientNode,
    commands: &mut Commands,
) {
    let event = HttpStatusChanged {
        entity,
        from: transition.from,
        to: transition.to,
    };
    trigger_at::<HttpClientNode, _>(commands, entity, event);
    if transition.to.is_error()
        && let Some(error) = node.get_error().cloned()
    {
        let event = HttpError {
            entity,
            request: entity,
            error,
            response: None,
        };
        commands.queue(move |world: &mut World| {
            if world.get::<HttpClientNode>(entity).is_some() {
                report_error(world, event, true);
            }
        });
    }
}
