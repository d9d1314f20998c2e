//! [`HttpRateLimit`]: how fast a request may move content.

use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use bevy_ecs::world::DeferredWorld;

use crate::resources::agent::HttpAgent;

/// Limits how many bytes of content per second the request on this entity may move. Insert, replace or
/// remove it at any time, also in the frame of the spawn.
///
/// [`HttpAgent::set_global_rate_limit`] limits all requests together,
/// [`HttpAgent::set_priority_rate_limit`] those of one priority.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Clone, Debug),
    type_path = "bevy_httpoll"
)]
#[component(immutable, on_insert = limit, on_remove = unlimit)]
pub struct HttpRateLimit(pub u64);

fn limit(mut world: DeferredWorld, context: HookContext) {
    let limit = world.get::<HttpRateLimit>(context.entity).map(|it| it.0);
    set(&mut world, context, limit);
}

fn unlimit(mut world: DeferredWorld, context: HookContext) {
    set(&mut world, context, None);
}

fn set(world: &mut DeferredWorld, context: HookContext, limit: Option<u64>) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>()
        && let Some(id) = http.id(context.entity)
    {
        http.agent.set_rate_limit(id, limit);
    }
}
