//! [`HttpRetry`]: the request is sent again after a temporary failure.

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::RetryPolicy;

use crate::components::request::HttpRequest;

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

impl HttpRetry {
    /// Whether this would send the request again after such an end, if the request were idempotent.
    pub(crate) fn refuses(
        &self,
        request: &HttpRequest,
        status: Option<u16>,
        is_temporary: bool,
    ) -> bool {
        let is_retried = is_temporary
            || self
                .0
                .statuses
                .iter()
                .any(|other| Some(other.as_u16()) == status);
        self.0.retries > 0 && !self.0.non_idempotent && is_retried && !request.is_idempotent()
    }
}

impl Default for HttpRetry {
    /// [`RetryPolicy::standard`]: three retries.
    fn default() -> Self {
        Self(RetryPolicy::standard())
    }
}
