//! The options of an outbox: limits, the form of a batch, delays, options of its requests.

use std::time::Duration;

use super::outbox::Outbox;
use super::{BatchFormat, OutboxLimits};
use crate::agent::RequestOptions;

impl Outbox {
    /// Sets how much is kept and sent at once.
    pub fn limits(mut self, limits: OutboxLimits) -> Self {
        self.plan.limits = limits;
        self
    }

    /// Sets the form of a batch. Default [`BatchFormat::JsonArray`].
    pub fn format(mut self, format: BatchFormat) -> Self {
        self.plan.format = format;
        self
    }

    /// Whether batches are compressed, with `Content-Encoding: gzip`. The server must support that. Default
    /// `false`.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.plan.gzip = gzip;
        self
    }

    /// Sets how long events wait for others before they are sent. A full batch is sent at once. Default 10 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the time until a batch is sent again: after the first failure, doubled with each one after it, and
    /// at most the second time. Default 1 s and 5 min. `Retry-After` (RFC 9110 §10.2.3) lengthens it.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// Sets options of each request, such as credentials. Default: priority
    /// [`Background`](crate::Priority::Background), a total timeout of 30 s, no retries of its own.
    pub fn request_options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }
}
