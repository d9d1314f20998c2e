//! [`HttpPriority`]: which request gets a connection first.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::Priority;

/// Whose turn comes first when connections are short. May be changed while the request waits or
/// runs. Default [`Priority::Interface`].
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
pub struct HttpPriority(pub Priority);
