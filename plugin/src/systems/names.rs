//! Names the entities of requests, for inspectors and logs.

use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::name::Name;
use bevy_ecs::query::{Allow, Changed, Without};
use bevy_ecs::system::{Commands, Query};

use crate::components::request::HttpRequest;

/// Requests of this frame whose entities have no name. Replacing a request counts as a change.
type Unnamed = (Changed<HttpRequest>, Without<Name>, Allow<Disabled>);

/// Names each by its request, without the query, which may be secret. The end of the request removes the name.
pub(crate) fn name_requests(
    unnamed: Query<(Entity, &HttpRequest), Unnamed>,
    mut commands: Commands,
) {
    for (entity, request) in &unnamed {
        let name = Name::new(request.to_string());
        commands.entity(entity).try_insert_if_new(name);
    }
}
