//! How many requests a client may send (RFC 6585 §4): a token bucket for each address and rule, in a table of
//! bounded size.
//!
//! A bucket is stored as the time at which it will be full again. Each request moves this time one refill
//! later. The time may not be further ahead than an empty bucket takes to fill.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderValue};

use super::scope::Scope;
use super::{Refusal, RefusalReason};
use crate::clock::Instant;

/// How many requests clients may send below one path.
#[derive(Clone, Debug)]
pub struct RateRule {
    scope: Scope,
    burst: u32,
    refill: Duration,
}

/// Rate rules and what each client has used of them.
#[derive(Clone, Debug)]
pub struct RateLimit {
    rules: Vec<RateRule>,
    full_at: HashMap<(IpAddr, usize), Instant>,
    table_size: usize,
}

impl RateRule {
    /// Below this path: `burst` requests at once, and one more after each `refill`.
    pub fn new(path: &str, burst: u32, refill: Duration) -> Self {
        Self {
            scope: Scope::new(path),
            burst: burst.max(1),
            refill,
        }
    }
}

impl RateLimit {
    /// Limits clients by these rules. If several rules cover a path, the deepest applies. Paths that no rule
    /// covers have no limit.
    pub fn new(rules: impl IntoIterator<Item = RateRule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            full_at: HashMap::new(),
            table_size: 1024,
        }
    }

    /// How many clients are remembered, at least one. Default 1024. When the table is full, the clients that
    /// used least are forgotten first.
    #[must_use]
    pub fn table_size(mut self, clients: usize) -> Self {
        self.table_size = clients.max(1);
        self
    }

    pub(super) fn check(
        &mut self,
        client: IpAddr,
        target: &str,
        now: Instant,
    ) -> Result<(), Refusal> {
        let covering = self.rules.iter().enumerate();
        let covering = covering.filter(|(_, rule)| rule.scope.covers(target));
        let Some((index, rule)) = covering.max_by_key(|(_, rule)| rule.scope.depth()) else {
            return Ok(());
        };
        let key = (subscriber(client), index);
        let full_at = self.full_at.get(&key).copied().unwrap_or(now).max(now);
        let ahead = (full_at - now).saturating_add(rule.refill);
        let whole_bucket = rule.refill.saturating_mul(rule.burst);
        if ahead > whole_bucket {
            return Err(too_many(ahead - whole_bucket));
        }
        if let Some(full_at) = full_at.checked_add(rule.refill) {
            if !self.full_at.contains_key(&key) {
                self.make_room(now);
            }
            self.full_at.insert(key, full_at);
        }
        Ok(())
    }

    fn make_room(&mut self, now: Instant) {
        if self.full_at.len() < self.table_size {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= self.table_size {
            let least = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some(key) = least.map(|(key, _)| *key) {
                self.full_at.remove(&key);
            }
        }
    }
}

/// The key of a client's bucket. One IPv6 subscriber has a whole /64 of addresses, so it gets one bucket.
fn subscriber(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

fn too_many(wait: Duration) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::TOO_MANY_REQUESTS,
        RefusalReason::TooManyRequests,
    );
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    refusal
        .headers
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_and_then_one_per_refill() {
        let start = Instant::now();
        let mut limit = RateLimit::new([RateRule::new("/api", 3, 10 * SECOND)]);
        let mut ask =
            |at: u64| limit.check(ip("1.1.1.1"), "/api/x", start + Duration::from_secs(at));
        for (at, wait) in [
            (0, None),
            (0, None),
            (0, None),
            (0, Some("10")),
            (9, Some("1")),
            (10, None),
            (10, Some("10")),
            (25, None),
            (25, Some("5")),
            (100, None),
            (100, None),
            (100, None),
            (100, Some("10")),
        ] {
            let answer = ask(at);
            match wait {
                None => assert_eq!(answer, Ok(()), "{at}"),
                Some(wait) => {
                    let refusal = answer.unwrap_err();
                    assert_eq!(refusal.status, 429, "{at}");
                    assert_eq!(refusal.headers["retry-after"], wait, "{at}");
                }
            }
        }
    }

    #[test]
    fn buckets_are_per_subscriber_and_rule() {
        let now = Instant::now();
        let mut limit = RateLimit::new([
            RateRule::new("/", 1, SECOND),
            RateRule::new("/login", 1, SECOND),
        ]);
        for (client, target, is_allowed) in [
            ("1.1.1.1", "/", true),
            ("1.1.1.1", "/x", false),
            ("1.1.1.1", "/login", true),
            ("1.1.1.1", "/login?again", false),
            ("1.1.1.1", "/%6Cogin", false),
            ("::ffff:1.1.1.1", "/", false),
            ("2.2.2.2", "/", true),
            ("2001:db8::1", "/", true),
            ("2001:db8::2", "/", false),
            ("2001:db8:0:1::2", "/", true),
        ] {
            let answer = limit.check(ip(client), target, now);
            assert_eq!(answer.is_ok(), is_allowed, "{client} {target}");
        }
        let mut limit = RateLimit::new([RateRule::new("/api", 1, SECOND)]);
        assert!((0..9).all(|_| limit.check(ip("1.1.1.1"), "/", now).is_ok()));
    }

    #[test]
    fn the_table_is_capped() {
        let now = Instant::now();
        let mut limit = RateLimit::new([RateRule::new("/", 2, SECOND)]).table_size(10);
        let busy = ip("9.9.9.9");
        assert!(limit.check(busy, "/", now).is_ok());
        assert!(limit.check(busy, "/", now).is_ok());
        for client in 0..1000u32 {
            let client = IpAddr::from(client.to_be_bytes());
            assert!(limit.check(client, "/", now).is_ok());
            assert!(limit.full_at.len() <= 10);
        }
        assert!(
            limit.check(busy, "/", now).is_err(),
            "who used most is remembered"
        );
    }

    #[test]
    fn extreme_rules_neither_panic_nor_refuse_everything() {
        let now = Instant::now();
        let mut limit = RateLimit::new([RateRule::new("/", 0, Duration::MAX)]);
        assert!(limit.check(ip("1.1.1.1"), "/", now).is_ok());
        let mut limit = RateLimit::new([RateRule::new("/", 1, Duration::ZERO)]);
        assert!((0..9).all(|_| limit.check(ip("1.1.1.1"), "/", now).is_ok()));
    }
}
