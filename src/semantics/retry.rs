//! Whether and when a request is retried (RFC 9110 §9.2.2, §10.2.3). The agent provides the clock
//! and the random numbers, and sends the request. Holding back all requests to an origin belongs to
//! `circuit`.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};

use crate::clock::Instant;
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::phase::Phase;

/// Which failures are retried, how often, and after what delay.
///
/// The delay before retry *n* (from 0) is random between zero and `base_delay * factor^n`, at most
/// `max_delay`. A longer `Retry-After` is respected.
///
/// ```
/// let mut policy = httpoll::RetryPolicy::standard();
/// policy.retries = 5;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The maximum number of retries. Default 0: never.
    pub retries: u32,
    /// The maximum delay before the first retry. Default 500 ms.
    pub base_delay: Duration,
    /// The factor by which each further delay grows. Default 2.
    pub factor: u32,
    /// Whether delays are random ("full jitter"), so that many clients do not retry at the same
    /// moment. Default `true`.
    pub jitter: bool,
    /// The maximum of every delay. Default 30 s.
    pub max_delay: Duration,
    /// No retry starts later than this after the start of the first attempt. Default 60 s.
    pub window: Duration,
    /// Response statuses that are retried. Default 408, 429, 500, 502, 503, 504.
    pub statuses: Vec<StatusCode>,
    /// Whether methods that are not idempotent, such as POST, are retried although the first
    /// attempt may have had its effect (RFC 9110 §9.2.2). Default `false`. A request with an
    /// `Idempotency-Key` field counts as idempotent.
    pub non_idempotent: bool,
    /// Whether a failure to connect is retried. Default `true`.
    pub on_connect_failure: bool,
    /// Whether `Retry-After` is respected (RFC 9110 §10.2.3). Default `true`.
    pub respect_retry_after: bool,
    /// The longest `Retry-After` to wait for. A response that asks for more is final. Default 60 s.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 0,
            base_delay: Duration::from_millis(500),
            factor: 2,
            jitter: true,
            max_delay: Duration::from_secs(30),
            window: Duration::from_secs(60),
            statuses: vec![
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::INTERNAL_SERVER_ERROR,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
            non_idempotent: false,
            on_connect_failure: true,
            respect_retry_after: true,
            max_retry_after: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Three retries, otherwise the defaults.
    pub fn standard() -> Self {
        Self {
            retries: 3,
            ..Self::default()
        }
    }

    fn delay(&self, retried: u32, random: u64) -> Duration {
        let longest = self
            .base_delay
            .saturating_mul(self.factor.saturating_pow(retried))
            .min(self.max_delay);
        if self.jitter {
            fraction(longest, random)
        } else {
            longest
        }
    }
}

/// The properties of a request that decide whether a retry is safe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeatable<'a> {
    pub(crate) method: &'a Method,
    /// Whether the content, if any, can be sent again from its start.
    pub(crate) content_repeats: bool,
    /// Whether the request has an `Idempotency-Key` field.
    pub(crate) idempotency_key: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Status {
        status: StatusCode,
        /// From [`parse_retry_after`].
        retry_after: Option<Duration>,
    },
    Failed {
        /// Whether the failure may be temporary.
        transient: bool,
        reach: Reach,
    },
}

/// How far a failed attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// There was no connection.
    Unconnected,
    /// Nothing of the request was sent.
    Unsent,
    /// The server may have seen the request.
    Sent,
}

impl Outcome {
    pub(crate) fn of(error: &Error) -> Self {
        let transient = match error.kind() {
            // Sockets that the system refuses may be free again later.
            ErrorKind::Network(NetworkFault::System) => error.phase() == Some(Phase::Connect),
            ErrorKind::Network(fault) => !fault.may_be_rule_of_browser(),
            ErrorKind::Timeout(_) | ErrorKind::Truncated { .. } => true,
            _ => error.is_retryable(),
        };
        let reach = match error.phase() {
            Some(Phase::Resolve | Phase::Connect | Phase::Tunnel | Phase::TlsHandshake) => {
                Reach::Unconnected
            }
            _ if error.bytes_sent() > 0 || error.bytes_received() > 0 => Reach::Sent,
            _ => Reach::Unsent,
        };
        Self::Failed { transient, reach }
    }
}

/// The attempts of one request so far.
#[derive(Clone, Debug)]
pub(crate) struct RetryState {
    first: Instant,
    retried: u32,
}

impl RetryState {
    /// Starts with the first attempt.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            first: now,
            retried: 0,
        }
    }

    /// The number of retries so far.
    #[cfg(test)]
    pub(crate) fn retried(&self) -> u32 {
        self.retried
    }

    /// Records the end of an attempt. Returns the delay until the next one and counts that, or
    /// returns `None` when the outcome is final. `random` must be uniform over all values of its
    /// type.
    pub(crate) fn next(
        &mut self,
        policy: &RetryPolicy,
        request: Repeatable<'_>,
        outcome: Outcome,
        now: Instant,
        random: u64,
    ) -> Option<Duration> {
        if self.retried >= policy.retries
            || !request.content_repeats
            || !may_repeat(policy, request, outcome)
        {
            return None;
        }
        let mut delay = policy.delay(self.retried, random);
        if let Outcome::Status {
            retry_after: Some(asked),
            ..
        } = outcome
            && policy.respect_retry_after
        {
            if asked > policy.max_retry_after {
                return None;
            }
            delay = delay.max(asked);
        }
        let elapsed = now.saturating_duration_since(self.first);
        if elapsed.saturating_add(delay) > policy.window {
            return None;
        }
        self.retried += 1;
        Some(delay)
    }
}

/// Parses the value of a `Retry-After` field (RFC 9110 §10.2.3): seconds, or a date, which is
/// compared with `wall_now`. A past date gives zero. `None` for any other value. At most one day.
pub(crate) fn parse_retry_after(value: &[u8], wall_now: SystemTime) -> Option<Duration> {
    let value = value.trim_ascii();
    let after = if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        let seconds = value.iter().fold(0_u64, |seconds, digit| {
            seconds
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        Duration::from_secs(seconds)
    } else {
        let text = std::str::from_utf8(value).ok()?;
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(wall_now).unwrap_or(Duration::ZERO)
    };
    Some(after.min(LONGEST_RETRY_AFTER))
}

const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

fn may_repeat(policy: &RetryPolicy, request: Repeatable<'_>, outcome: Outcome) -> bool {
    let harmless =
        request.method.is_idempotent() || request.idempotency_key || policy.non_idempotent;
    match outcome {
        Outcome::Status { status, .. } => harmless && policy.statuses.contains(&status),
        Outcome::Failed {
            transient: false, ..
        } => false,
        Outcome::Failed { reach, .. } => match reach {
            Reach::Unconnected => policy.on_connect_failure,
            Reach::Unsent => true,
            Reach::Sent => harmless,
        },
    }
}

/// A random duration, uniform between zero and `whole`.
fn fraction(whole: Duration, random: u64) -> Duration {
    // The product of 64 random bits and a duration in nanoseconds must fit 128 bits.
    let nanoseconds = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanoseconds) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
