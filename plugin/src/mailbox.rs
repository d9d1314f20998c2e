//! [`Mailbox`]: other threads leave the results of their work here; the next dispatch delivers them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bevy_ecs::entity::Entity;
use bevy_ecs::world::World;

use crate::job::Serial;

/// A list of deliveries that any thread may append to. Clones share the list.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    deliveries: Mutex<Vec<Delivery>>,
    arrived: Condvar,
}

/// The result of work off the frame, for one submission of a request.
pub(crate) struct Delivery {
    pub(crate) request: Entity,
    pub(crate) serial: Serial,
    pub(crate) trigger: Box<dyn FnOnce(&mut World) + Send>,
}

impl Mailbox {
    pub(crate) fn put(&self, delivery: Delivery) {
        self.deliveries().push(delivery);
        self.0.arrived.notify_all();
    }

    pub(crate) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries())
    }

    /// Sleeps until there is a delivery, at most this long. For the last frame. A page has no threads to wait for.
    pub(crate) fn wait(&self, timeout: Duration) {
        if cfg!(target_family = "wasm") {
            return;
        }
        let deliveries = self.deliveries();
        if deliveries.is_empty() {
            let waited = self.0.arrived.wait_timeout(deliveries, timeout);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn deliveries(&self) -> MutexGuard<'_, Vec<Delivery>> {
        let deliveries = self.0.deliveries.lock();
        deliveries.unwrap_or_else(PoisonError::into_inner)
    }
}
