//! [`Others`]: what needs frames besides requests.

#[cfg(feature = "server")]
use std::collections::HashSet;
#[cfg(feature = "assets")]
use std::sync::Arc;

#[cfg(feature = "server")]
use bevy_ecs::entity::Entity;

/// Nodes, servers and assets, as far as [`HttpAgent::needs_frames`](crate::HttpAgent::needs_frames) must know them.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// The nodes that were connected or on their way at the end of the last pump.
    pub(crate) active_nodes: usize,
    /// The entities whose server listens or is about to.
    #[cfg(feature = "server")]
    pub(crate) servers: HashSet<Entity>,
    /// Those of them that the next pump starts.
    #[cfg(feature = "server")]
    pub(crate) announced: Vec<Entity>,
    #[cfg(feature = "assets")]
    pub(crate) loads: LoadCount,
}

impl Others {
    /// A server was inserted: the next pump starts it.
    #[cfg(feature = "server")]
    pub(crate) fn announce(&mut self, server: Entity) {
        self.servers.insert(server);
        if !self.announced.contains(&server) {
            self.announced.push(server);
        }
    }

    pub(crate) fn need_frames(&self) -> bool {
        #[cfg(feature = "server")]
        if !self.servers.is_empty() {
            return true;
        }
        #[cfg(feature = "assets")]
        if self.loads.count() > 0 {
            return true;
        }
        self.active_nodes > 0
    }
}

/// Counts the loads of assets, from the reader's order to the end: the number of its clones.
#[cfg(feature = "assets")]
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadCount(Arc<()>);

/// One load, counted until this is dropped.
#[cfg(feature = "assets")]
#[derive(Debug)]
pub(crate) struct CountedLoad {
    _counted: std::sync::Weak<()>,
}

#[cfg(feature = "assets")]
impl LoadCount {
    pub(crate) fn begin(&self) -> CountedLoad {
        CountedLoad {
            _counted: Arc::downgrade(&self.0),
        }
    }

    fn count(&self) -> usize {
        Arc::weak_count(&self.0)
    }
}
