//! [`HttpRetry`]: the request is sent again after a temporary failure.

use std::time::Duration;

use bevy_ecs::component::Component;
#[cfg(feature = "reflect")]
use bevy_ecs::reflect::ReflectComponent;
#[cfg(feature = "reflect")]
use bevy_reflect::prelude::ReflectDefault;
use httpoll::RetryPolicy;
use httpoll::retry::StatusCode;

use crate::components::request::HttpRequest;

/// Sends the request again after a temporary failure. Without it nothing is sent twice.
///
/// **It does not retry `POST` and `PATCH`** once the server may have received them, because the server might
/// carry them out twice (RFC 9110 §9.2.2). Add
/// [`HttpRequest::idempotency_key`](crate::HttpRequest::idempotency_key) if the server supports it, or set
/// [`non_idempotent`](Self::non_idempotent). The log says so once when that prevents a retry.
///
/// The delay before a retry is random, up to `base_delay` for the first, `factor` times as long for each
/// further one, at most `max_delay`; `Retry-After` makes it longer.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "reflect",
    derive(bevy_reflect::Reflect),
    reflect(Component, Default, Clone, Debug, PartialEq),
    type_path = "bevy_httpoll"
)]
#[component(immutable)]
pub struct HttpRetry {
    /// The most retries. Default 3.
    pub retries: u32,
    /// The longest delay before the first retry. Default 500 ms.
    pub base_delay: Duration,
    /// By how much each further delay grows. Default 2.
    pub factor: u32,
    /// Whether delays are random, so that not all players return at the same moment. Default `true`.
    pub jitter: bool,
    /// The longest delay. Default 30 s.
    pub max_delay: Duration,
    /// No retry starts later than this after the first attempt. Default 60 s.
    pub window: Duration,
    /// The response statuses to retry. Default 408, 429, 500, 502, 503, 504.
    pub statuses: Vec<u16>,
    /// Whether to retry methods that are not idempotent, such as `POST`, although the server may have
    /// carried them out. Default `false`.
    pub non_idempotent: bool,
    /// Whether to retry when the connection fails. Default `true`.
    pub on_connect_failure: bool,
    /// Whether to obey `Retry-After` (RFC 9110 §10.2.3). Default `true`.
    pub respect_retry_after: bool,
    /// The longest `Retry-After` to wait for; a response that asks for more is final. Default 60 s.
    pub max_retry_after: Duration,
}

impl HttpRetry {
    /// At most this many retries, otherwise the defaults.
    pub fn times(retries: u32) -> Self {
        Self {
            retries,
            ..Self::default()
        }
    }

    pub(crate) fn policy(&self) -> RetryPolicy {
        let mut policy = RetryPolicy::default();
        policy.retries = self.retries;
        policy.base_delay = self.base_delay;
        policy.factor = self.factor;
        policy.jitter = self.jitter;
        policy.max_delay = self.max_delay;
        policy.window = self.window;
        policy.statuses = self
            .statuses
            .iter()
            .filter_map(|status| StatusCode::from_u16(*status).ok())
            .collect();
        policy.non_idempotent = self.non_idempotent;
        policy.on_connect_failure = self.on_connect_failure;
        policy.respect_retry_after = self.respect_retry_after;
        policy.max_retry_after = self.max_retry_after;
        policy
    }

    /// Whether only the method prevents a retry after such an end.
    pub(crate) fn refuses(
        &self,
        request: &HttpRequest,
        status: Option<u16>,
        is_temporary: bool,
    ) -> bool {
        let is_retried =
            is_temporary || status.is_some_and(|status| self.statuses.contains(&status));
        self.retries > 0 && !self.non_idempotent && is_retried && !request.is_idempotent()
    }
}

impl Default for HttpRetry {
    /// Three retries; see [`RetryPolicy::standard`].
    fn default() -> Self {
        RetryPolicy::standard().into()
    }
}

impl From<RetryPolicy> for HttpRetry {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            retries: policy.retries,
            base_delay: policy.base_delay,
            factor: policy.factor,
            jitter: policy.jitter,
            max_delay: policy.max_delay,
            window: policy.window,
            statuses: policy
                .statuses
                .iter()
                .map(|status| status.as_u16())
                .collect(),
            non_idempotent: policy.non_idempotent,
            on_connect_failure: policy.on_connect_failure,
            respect_retry_after: policy.respect_retry_after,
            max_retry_after: policy.max_retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repetition_that_could_do_harm_is_refused() {
        let retry = HttpRetry::times(1);
        let post = HttpRequest::post("/");
        assert!(retry.refuses(&post, Some(503), false));
        assert!(retry.refuses(&post, None, true));
        // Nothing would be sent again anyway.
        assert!(!retry.refuses(&post, Some(404), false));
        assert!(!retry.refuses(&post, None, false));
        assert!(!HttpRetry::times(0).refuses(&post, Some(503), false));
        // The server carries it out once only, or the game says so.
        let key = HttpRequest::post("/").header("idempotency-key", "7");
        assert!(!retry.refuses(&key, Some(503), false));
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let request = HttpRequest::new(method, "/");
            assert!(!retry.refuses(&request, Some(503), false), "{method}");
        }
        let mut allowed = HttpRetry::times(1);
        allowed.non_idempotent = true;
        assert!(!allowed.refuses(&post, Some(503), false));
    }

    #[test]
    fn the_component_and_the_policy_have_the_same_values() {
        // None of the values is that of the standard or of the default policy.
        let mut policy = RetryPolicy::standard();
        policy.retries = 9;
        policy.base_delay = Duration::from_secs(11);
        policy.factor = 12;
        policy.jitter = !policy.jitter;
        policy.max_delay = Duration::from_secs(13);
        policy.window = Duration::from_secs(14);
        policy.statuses.pop();
        policy.non_idempotent = !policy.non_idempotent;
        policy.on_connect_failure = !policy.on_connect_failure;
        policy.respect_retry_after = !policy.respect_retry_after;
        policy.max_retry_after = Duration::from_secs(15);
        assert_eq!(HttpRetry::from(policy.clone()).policy(), policy);
    }
}
