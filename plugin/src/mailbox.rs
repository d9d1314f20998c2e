//! [`Mailbox`]: other threads leave the results of their work here; the next dispatch delivers them.

use std::sync::{Arc, Mutex, PoisonError};

use bevy_ecs::entity::Entity;
use bevy_ecs::world::World;

use crate::jobs::Serial;

/// A list of deliveries that any thread may append to. Clones share the list.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Mutex<Vec<Delivery>>>);

/// The result of work off the frame, for one submission of a request.
pub(crate) struct Delivery {
    pub(crate) request: Entity,
    pub(crate) serial: Serial,
    pub(crate) trigger: Box<dyn FnOnce(&mut World) + Send>,
}

impl Mailbox {
    pub(crate) fn put(&self, delivery: Delivery) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delivery);
    }

    pub(crate) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
