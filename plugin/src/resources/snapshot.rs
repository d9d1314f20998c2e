//! [`HttpSnapshot`]: what the plugin is doing, for debug overlays.

use std::time::Duration;

#[cfg(feature = "server")]
use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use httpoll::agent::AgentSnapshot;
#[cfg(feature = "server")]
use httpoll::server::inspector::ServerSnapshot;

/// What the agent and the servers are doing: the data of the inspector page
/// ([`Server::inspect`](httpoll::server::Server::inspect)), to be drawn with the game's own UI. Insert it, and the
/// plugin updates it. Without it nothing is recorded.
///
/// ```
/// # use bevy_app::prelude::*;
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn draw(http: Res<HttpSnapshot>) {
///     for request in &http.agent.requests {
///         println!("{} {}: {}", request.method, request.url, request.progress.phase);
///     }
/// }
///
/// App::new()
///     .add_plugins(HttpollPlugin::default())
///     .init_resource::<HttpSnapshot>()
///     .add_systems(Update, draw.run_if(resource_changed::<HttpSnapshot>))
///     .update();
/// ```
#[derive(Resource, Clone, Debug)]
pub struct HttpSnapshot {
    /// How often it is updated, in real time. Default 250 ms.
    pub interval: Duration,
    /// The agent's requests, connections and queues. With
    /// [`on_thread`](crate::HttpollPlugin::on_thread) it is as old as the update before.
    pub agent: AgentSnapshot,
    /// The servers, by the entity of their [`HttpServer`](crate::HttpServer).
    #[cfg(feature = "server")]
    pub servers: Vec<(Entity, ServerSnapshot)>,
}

impl Default for HttpSnapshot {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(250),
            agent: AgentSnapshot::default(),
            #[cfg(feature = "server")]
            servers: Vec::new(),
        }
    }
}
