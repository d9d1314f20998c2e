//! Keeps the relationships along which events propagate free of cycles: an event would never end.

use std::collections::HashSet;

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::lifecycle::Insert;
use bevy_ecs::observer::On;
use bevy_ecs::query::Allow;
use bevy_ecs::relationship::Relationship;
use bevy_ecs::system::{Commands, Query};

/// Removes a relationship that closes a cycle, and logs it.
pub(crate) fn break_cycle<R: Component + Relationship>(
    on: On<Insert<R>>,
    owners: Query<&R, Allow<Disabled>>,
    mut commands: Commands,
) {
    let start = on.entity;
    if is_cyclic(start, &owners) {
        log::warn!(
            "{} of entity {start} closes a cycle and is removed: its events would propagate for ever",
            short_name::<R>(),
        );
        commands.entity(start).try_remove::<R>();
    }
}

fn is_cyclic<R: Component + Relationship>(
    start: Entity,
    owners: &Query<&R, Allow<Disabled>>,
) -> bool {
    let mut passed = HashSet::new();
    let mut current = start;
    while let Ok(relationship) = owners.get(current) {
        current = relationship.get();
        if current == start || !passed.insert(current) {
            return true;
        }
    }
    false
}

fn short_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    name.rsplit("::").next().unwrap_or(name)
}
