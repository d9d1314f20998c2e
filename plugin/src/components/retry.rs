//! [`HttpRetry`]: the request is sent again after a temporary failure.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::RetryPolicy;

/// Sends the request again when it fails in a way that may pass. Without it nothing is sent twice.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(opaque),
    reflect(Component, Default, Clone, Debug)
)]
#[component(immutable)]
pub struct HttpRetry(pub RetryPolicy);

impl HttpRetry {
    /// At most so many retries, otherwise [`RetryPolicy::default`].
    pub fn times(retries: u32) -> Self {
        let mut policy = RetryPolicy::default();
        policy.retries = retries;
        Self(policy)
    }
}

impl Default for HttpRetry {
    /// [`RetryPolicy::standard`]: three retries.
    fn default() -> Self {
        Self(RetryPolicy::standard())
    }
}
