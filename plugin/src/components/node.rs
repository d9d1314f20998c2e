//! [`HttpClientNode`]: Godot's `HTTPClient` on an entity.

use bevy_ecs::component::Component;
use httpoll::{HttpClient, Status};

/// An [`HttpClient`] on an entity. The plugin polls it once per frame, within the frame's budget; systems
/// call its methods. Each change of status triggers [`HttpStatusChanged`](crate::HttpStatusChanged), a
/// failure triggers [`HttpError`](crate::HttpError). With [`HttpStream`](crate::HttpStream) on the entity
/// the plugin reads the response's content and delivers it as [`HttpChunk`](crate::HttpChunk) events;
/// without it, systems read the content.
///
/// Do not call `poll` yourself: the transitions of that poll would be reported one frame late.
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
    /// Makes a component of a client.
    pub fn new(client: HttpClient) -> Self {
        Self(client)
    }

    /// Returns the client.
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

/// Whether a poll can do anything.
pub(crate) fn is_active(node: &HttpClientNode) -> bool {
    node.get_status() != Status::Disconnected && !node.get_status().is_error()
}
