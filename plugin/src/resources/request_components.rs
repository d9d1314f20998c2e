//! [`RequestComponents`]: which components belong to a request, so that its end removes them and nothing
//! else.

use std::collections::HashSet;

use bevy_ecs::archetype::Archetype;
use bevy_ecs::component::{Component, ComponentId};
use bevy_ecs::name::Name;
use bevy_ecs::observer::ObservedBy;
use bevy_ecs::resource::Resource;
use bevy_ecs::world::World;

use crate::components::download::HttpDownload;
use crate::components::json_observers::JsonObservers;
use crate::components::owner::RequestedBy;
use crate::components::paused::HttpPaused;
use crate::components::phase::HttpPhase;
use crate::components::priority::HttpPriority;
use crate::components::progress::HttpProgress;
use crate::components::rate_limit::HttpRateLimit;
#[cfg(feature = "websocket")]
use crate::components::reconnect::HttpReconnect;
use crate::components::repeat::HttpRepeat;
use crate::components::request::HttpRequest;
use crate::components::request_end::DespawnOnFinish;
use crate::components::retry::HttpRetry;
use crate::components::stream::HttpStream;
use crate::components::upload::HttpUpload;

/// The components of requests.
#[derive(Resource, Debug)]
pub(crate) struct RequestComponents {
    /// All of them, without [`HttpStream`], which a node may need.
    own: Vec<ComponentId>,
    /// As `own`, with [`HttpStream`].
    own_and_stream: Vec<ComponentId>,
    /// As `own_and_stream`, with what an entity may have besides without being of any other use.
    incidental: HashSet<ComponentId>,
}

impl RequestComponents {
    pub(crate) fn new(world: &mut World) -> Self {
        let own = vec![
            id::<HttpRequest>(world),
            id::<HttpPhase>(world),
            id::<HttpProgress>(world),
            id::<HttpDownload>(world),
            id::<HttpUpload>(world),
            #[cfg(feature = "websocket")]
            id::<HttpReconnect>(world),
            id::<HttpRepeat>(world),
            id::<HttpRetry>(world),
            id::<HttpPriority>(world),
            id::<HttpPaused>(world),
            id::<HttpRateLimit>(world),
            id::<RequestedBy>(world),
        ];
        let mut own_and_stream = own.clone();
        own_and_stream.push(id::<HttpStream>(world));
        let mut incidental: HashSet<_> = own_and_stream.iter().copied().collect();
        incidental.insert(id::<DespawnOnFinish>(world));
        incidental.insert(id::<JsonObservers>(world));
        incidental.insert(id::<ObservedBy>(world));
        incidental.insert(id::<Name>(world));
        Self {
            own,
            own_and_stream,
            incidental,
        }
    }

    /// Whether an entity of this archetype is nothing but a request.
    pub(crate) fn are_all_of(&self, archetype: &Archetype) -> bool {
        archetype
            .components()
            .iter()
            .all(|id| self.incidental.contains(id))
    }

    /// What the end of a request removes from an entity.
    pub(crate) fn to_remove(&self, is_node: bool) -> &[ComponentId] {
        if is_node {
            &self.own
        } else {
            &self.own_and_stream
        }
    }
}

fn id<C: Component>(world: &mut World) -> ComponentId {
    world.register_component::<C>()
}
