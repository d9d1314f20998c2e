//! [`HttpPaused`]: holds a request back, or holds its content.

use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
use bevy_ecs::world::DeferredWorld;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;

use crate::resources::agent::HttpAgent;

/// Pauses the request on this entity. Insert it at any time, also in the frame of the spawn; remove it to
/// continue.
///
/// A request that was not sent yet is held back, and a [repeating](crate::HttpRepeat) one begins no round.
/// A request that is under way leaves its content with the server, and only its total deadline runs.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
#[component(on_insert = pause, on_remove = resume)]
pub struct HttpPaused;

fn pause(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>()
        && let Some(id) = http.id(context.entity)
    {
        http.agent.pause(id);
    }
}

fn resume(mut world: DeferredWorld, context: HookContext) {
    if let Some(mut http) = world.get_resource_mut::<HttpAgent>()
        && let Some(id) = http.id(context.entity)
    {
        http.agent.resume(id);
    }
}
