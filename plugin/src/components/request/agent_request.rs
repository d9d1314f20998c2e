//! The agent's request of an [`HttpRequest`], made anew each time that it is sent.

use httpoll::Request;
use httpoll::agent::CacheMode;

use super::{HttpRequest, IDEMPOTENCY_KEY};

impl HttpRequest {
    /// Whether the server may get it twice without harm (RFC 9110 §9.2.2), or recognises the repetition.
    pub(crate) fn is_idempotent(&self) -> bool {
        const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
        METHODS.contains(&self.method.as_str())
            || self
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(IDEMPOTENCY_KEY))
    }

    /// Makes the agent's request. `is_streamed` means that the content is not collected in memory, so the
    /// plugin's limit for that does not apply.
    pub(crate) fn build(&self, is_streamed: bool) -> Request {
        let mut request = Request::with_method_name(&self.method, self.url.as_str());
        for (name, value) in &self.query {
            request = request.query(name.as_str(), value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in &self.secrets {
            request = request.secret_header(name, value);
        }
        for content in &self.content {
            request = content.apply(request);
        }
        if let Some(limit) = self.timeout {
            request = request.total_timeout(limit);
        }
        if let Some(timeouts) = &self.timeouts {
            request = request.timeouts(timeouts.clone().into());
        }
        match self.max_body {
            Some(bytes) => request = request.max_body(bytes),
            None if is_streamed => request = request.max_body(0),
            None => {}
        }
        if self.error_for_status {
            request = request.error_for_status(true);
        }
        if self.stale_if_error {
            request = request.cache_mode(CacheMode::StaleIfError);
        }
        self.steps
            .iter()
            .fold(request, |request, step| step(request))
    }
}
