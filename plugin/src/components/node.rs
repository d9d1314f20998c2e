//! [`HttpClientNode`]: Godot's `HTTPClient` on an entity.

use bevy_ecs::component::Component;
use httpoll::{HttpClient, Status};

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
