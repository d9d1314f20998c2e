//! The node on an entity: Godot's state machine itself, for those who want to drive it.

use std::time::Instant;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::Has;
use bevy_ecs::system::{Commands, Query, ResMut};
use httpoll::{HttpClient, Status, Transition};

use crate::agent::HttpAgent;
use crate::events::{HttpChunk, HttpError, HttpStatusChanged};
use crate::options::HttpStream;

/// An [`HttpClient`] on an entity. The plugin polls it once a frame, within the budget of the whole
/// frame; systems call its methods, and observers hear of each change of status by
/// [`HttpStatusChanged`](crate::HttpStatusChanged) and of a failure by
/// [`HttpError`](crate::HttpError). With [`HttpStream`] on the entity the plugin reads the response's
/// content and hands it over as [`HttpChunk`](crate::HttpChunk)s; without it, systems read it.
///
/// Do not call `poll` yourself: then the transitions of that poll are announced a frame later.
/// Removing the component or despawning the entity closes the connection at once.
///
/// ```no_run
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn connect(mut commands: Commands) -> Result {
///     let mut node = HttpClientNode::default();
///     node.connect_to_host("https://game.example", -1, None)?;
///     commands.spawn(node).observe(
///         |changed: On<HttpStatusChanged>, mut nodes: Query<&mut HttpClientNode>| -> Result {
///             if changed.to == Status::Connected {
///                 let mut node = nodes.get_mut(changed.entity)?;
///                 node.request(Method::Get, "/leaderboard.json", &[], "")?;
///             }
///             Ok(())
///         },
///     );
///     Ok(())
/// }
/// ```
#[derive(Component, Debug, Default)]
pub struct HttpClientNode(HttpClient);

impl HttpClientNode {
    /// Puts a client on an entity.
    pub fn new(client: HttpClient) -> Self {
        Self(client)
    }

    /// The client itself.
    pub fn into_inner(self) -> HttpClient {
        self.0
    }
}

impl std::ops::Deref for HttpClientNode {
    type Target = HttpClient;

    fn deref(&self) -> &HttpClient {
        &self.0
    }
}

impl std::ops::DerefMut for HttpClientNode {
    fn deref_mut(&mut self) -> &mut HttpClient {
        &mut self.0
    }
}

/// Whether a poll would do anything.
pub(crate) fn is_active(node: &HttpClientNode) -> bool {
    node.get_status() != Status::Disconnected && !node.get_status().is_error()
}

/// Tells what the polls of this frame did to the nodes. With [`HttpStream`] their content, too: that
/// reads on from the socket, which the frame's budget pays for.
pub(crate) fn dispatch_nodes(
    http: Option<ResMut<HttpAgent>>,
    mut commands: Commands,
    mut nodes: Query<(Entity, &mut HttpClientNode, Has<HttpStream>)>,
) {
    let began = Instant::now();
    for (entity, mut node, streams) in &mut nodes {
        if node.get_status() != Status::Disconnected {
            tell(entity, &mut node, streams, &mut commands);
        } else if let Some(transition) = node.bypass_change_detection().next_transition() {
            tell_transition(entity, transition, &node, &mut commands);
            tell(entity, &mut node, streams, &mut commands);
        }
    }
    if let Some(mut http) = http {
        http.frame.spent += began.elapsed();
    }
}

fn tell(entity: Entity, node: &mut HttpClientNode, streams: bool, commands: &mut Commands) {
    while let Some(transition) = node.next_transition() {
        tell_transition(entity, transition, node, commands);
    }
    while streams && node.get_status() == Status::Body {
        match node.read_response_body_chunk() {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => commands.trigger(HttpChunk {
                entity,
                request: entity,
                bytes,
            }),
            // It is told by the transition that follows.
            Err(_) => break,
        }
    }
    while let Some(transition) = node.next_transition() {
        tell_transition(entity, transition, node, commands);
    }
}

fn tell_transition(
    entity: Entity,
    transition: Transition,
    node: &HttpClientNode,
    commands: &mut Commands,
) {
    commands.trigger(HttpStatusChanged {
        entity,
        from: transition.from,
        to: transition.to,
    });
    if transition.to.is_error()
        && let Some(error) = node.get_error().cloned()
    {
        commands.trigger(HttpError {
            entity,
            request: entity,
            error,
            response: None,
        });
    }
}
