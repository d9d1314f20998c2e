//! [`JsonObservers`]: for which types of JSON value an entity has observers already. Those of
//! [`on_message`](crate::HttpEntityCommandsExt::on_message) are listed by the type of their event.

use std::any::TypeId;

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::observer::Observer;
use bevy_ecs::world::EntityWorldMut;

/// The observers that parse responses for [`on_json`](crate::HttpEntityCommandsExt::on_json), one for each
/// type of value.
#[derive(Component, Clone, Debug, Default)]
pub(crate) struct JsonObservers(Vec<(TypeId, Entity)>);

impl JsonObservers {
    /// Whether this entity has an observer that parses values of type `T`. A clone of an entity may have
    /// this component without the observers.
    pub(crate) fn contains<T: 'static>(entity: &EntityWorldMut) -> bool {
        let Some(observers) = entity.get::<Self>() else {
            return false;
        };
        observers
            .0
            .iter()
            .filter(|(kind, _)| *kind == TypeId::of::<T>())
            .filter_map(|(_, observer)| entity.world().get::<Observer>(*observer))
            .any(|observer| observer.descriptor().entities().contains(&entity.id()))
    }

    /// Records the observer for values of type `T`.
    pub(crate) fn insert<T: 'static>(entity: &mut EntityWorldMut, observer: Entity) {
        let kind = TypeId::of::<T>();
        let mut observers = entity.take::<Self>().unwrap_or_default();
        observers.0.retain(|(other, _)| *other != kind);
        observers.0.push((kind, observer));
        entity.insert(observers);
    }
}
