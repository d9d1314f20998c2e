//! What happens to the entity of a request that has ended: [`DespawnOnFinish`], [`KeepRequest`].

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;

/// Despawns the entity, with its children, when its [`HttpRequest`](crate::HttpRequest) has finished. The methods of
/// [`Http`](crate::Http) insert it on the entities that they spawn.
///
/// Without it the end of a request only removes the request's own components. An entity that has no other
/// components is despawned in any case.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
pub struct DespawnOnFinish;

/// Keeps the entity of a finished [`HttpRequest`](crate::HttpRequest), with the request on it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug),
    type_path = "bevy_httpoll"
)]
pub struct KeepRequest;
